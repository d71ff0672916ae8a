//! Samples as CSV (RFC 4180): a header with `tag`, `value` and, if wanted, `time` and `quality`, in
//! any order; then one sample a line. An empty time is the time of arrival; an empty value is none,
//! which bad quality allows.

use std::borrow::Cow;
use std::ops::ControlFlow;

use weir_model::ProblemCode;

use super::assembly::Assembly;
use super::{Raw, Row, Time};
use crate::failure::Failure;

/// Most columns of a line: the four that are known.
const COLUMNS_MAX: usize = 4;

/// Reads a body.
pub(super) fn read(text: &str, assembly: &mut Assembly<'_>) -> Result<(), Failure> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Records { rest: text, line: 1 };
    let mut cells = Vec::with_capacity(COLUMNS_MAX);
    records.next(&mut cells)?;
    let columns = Columns::of(&cells)?;
    while records.next(&mut cells)? {
        if cells.len() != columns.count {
            let detail = format!("has {} cells, the header has {}", cells.len(), columns.count);
            return Err(wrong(records.line - 1, detail));
        }
        let cell = |column: Option<usize>| column.map_or("", |at| cells[at].text.as_ref());
        let time = cell(columns.time);
        let value = &cells[columns.value];
        let quality = cell(columns.quality);
        let row = Row {
            tag: cells[columns.tag].text.as_ref(),
            time: if time.is_empty() { Time::Arrival } else { Time::Text(time) },
            // A quoted empty cell is a text of no characters; a bare one is no value.
            value: match value.text.as_ref() {
                "" if !value.quoted => Raw::None,
                text => Raw::Text(Cow::Borrowed(text)),
            },
            quality: (!quality.is_empty()).then_some(quality),
        };
        if let ControlFlow::Break(()) = assembly.row(row) {
            return Ok(());
        }
    }
    Ok(())
}

struct Columns {
    count: usize,
    tag: usize,
    time: Option<usize>,
    value: usize,
    quality: Option<usize>,
}

impl Columns {
    fn of(header: &[Cell<'_>]) -> Result<Self, Failure> {
        let place = |name: &str| header.iter().position(|cell| cell.text.trim() == name);
        let known = ["tag", "time", "value", "quality"];
        for (at, cell) in header.iter().enumerate() {
            let name = cell.text.trim();
            if !known.contains(&name) {
                let detail =
                    format!("knows no column \"{name}\"; it has tag, time, value, quality");
                return Err(wrong(1, detail));
            }
            if place(name) != Some(at) {
                return Err(wrong(1, format!("has the column \"{name}\" twice")));
            }
        }
        match (place("tag"), place("value")) {
            (Some(tag), Some(value)) => {
                let (time, quality) = (place("time"), place("quality"));
                Ok(Self { count: header.len(), tag, time, value, quality })
            }
            _ => Err(wrong(1, "is the header and names at least tag and value".to_owned())),
        }
    }
}

struct Cell<'t> {
    text: Cow<'t, str>,
    quoted: bool,
}

/// Records of a CSV text.
struct Records<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Records<'t> {
    /// Reads the next record that is not an empty line; false at the end.
    fn next(&mut self, cells: &mut Vec<Cell<'t>>) -> Result<bool, Failure> {
        cells.clear();
        loop {
            if self.rest.is_empty() {
                return Ok(false);
            }
            match self.rest.strip_prefix('\n').or_else(|| self.rest.strip_prefix("\r\n")) {
                Some(rest) => {
                    self.rest = rest;
                    self.line += 1;
                }
                None => break,
            }
        }
        loop {
            if cells.len() == COLUMNS_MAX {
                return Err(wrong(self.line, format!("has more than {COLUMNS_MAX} cells")));
            }
            cells.push(self.cell()?);
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            self.rest = self
                .rest
                .strip_prefix("\r\n")
                .or_else(|| self.rest.strip_prefix('\n'))
                .unwrap_or(self.rest);
            self.line += 1;
            return Ok(true);
        }
    }

    fn cell(&mut self) -> Result<Cell<'t>, Failure> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(end);
            let text = match rest.starts_with('\n') || rest.is_empty() {
                true => text.strip_suffix('\r').unwrap_or(text),
                false => text,
            };
            if text.contains('"') {
                return Err(wrong(
                    self.line,
                    "has a quote inside a cell without quotes".to_owned(),
                ));
            }
            self.rest = rest;
            return Ok(Cell { text: Cow::Borrowed(text), quoted: false });
        };
        let mut text = Cow::Borrowed("");
        let mut rest = quoted;
        loop {
            let Some(end) = rest.find('"') else {
                return Err(wrong(self.line, "has a quote that is never closed".to_owned()));
            };
            let (part, behind) = (&rest[..end], &rest[end + 1..]);
            match &mut text {
                Cow::Borrowed("") => text = Cow::Borrowed(part),
                text => text.to_mut().push_str(part),
            }
            match behind.strip_prefix('"') {
                Some(behind) => {
                    text.to_mut().push('"');
                    rest = behind;
                }
                None => {
                    rest = behind;
                    break;
                }
            }
        }
        if !(rest.is_empty() || rest.starts_with([',', '\n']) || rest.starts_with("\r\n")) {
            return Err(wrong(self.line, "has text behind a closing quote".to_owned()));
        }
        self.line += text.matches('\n').count();
        self.rest = rest;
        Ok(Cell { text, quoted: true })
    }
}

fn wrong(line: usize, detail: String) -> Failure {
    Failure::new(ProblemCode::InvalidRequest, format!("Line {line} {detail}."))
}
