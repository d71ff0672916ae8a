//! InfluxDB line protocol: `measurement[,tag=value…] field=value[,…] [timestamp]`, a line each.
//!
//! A line end inside a quoted text belongs to the text. Lines that begin with `#` are comments.
//! Backslashes escape blanks, commas and equals signs in names, and quotes and backslashes in texts;
//! before anything else they stand for themselves.

mod point;

use std::ops::Range;
use std::str::FromStr;

use weir_model::{Quality, Timestamp};

use crate::columns::{Columns, Read, Written};
use crate::error::{FaultKind, ReadError};
use crate::number::integer;
use crate::series::{Lookup, Missing, SeriesView, TagFacts, Walk};

/// Most fields of one line.
const FIELDS_MAX: usize = 4096;

/// What one unit of a timestamp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Nanoseconds.
    #[default]
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
}

/// A text is no precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a precision is ns, us, ms, s, m or h")]
pub struct PrecisionError;

impl FromStr for Precision {
    type Err = PrecisionError;

    /// The words of InfluxDB 1 and 2.
    fn from_str(text: &str) -> Result<Self, PrecisionError> {
        match text {
            "ns" | "n" => Ok(Self::Nanoseconds),
            "us" | "u" | "\u{b5}" => Ok(Self::Microseconds),
            "ms" => Ok(Self::Milliseconds),
            "s" => Ok(Self::Seconds),
            "m" => Ok(Self::Minutes),
            "h" => Ok(Self::Hours),
            _ => Err(PrecisionError),
        }
    }
}

impl Precision {
    const fn nanos(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60_000_000_000,
            Self::Hours => 3_600_000_000_000,
        }
    }
}

/// Reads a body. What has no time was observed on arrival. `room` is asked before samples take memory:
/// for so many bytes in all.
///
/// # Errors
/// [`ReadError`]; faults name lines.
pub fn read<E>(
    text: &str,
    precision: Precision,
    arrival: Timestamp,
    series: &SeriesView<'_>,
    lookup: &dyn Lookup,
    room: &mut dyn FnMut(usize) -> Result<(), E>,
) -> Result<Read, ReadError<E>> {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
        line: 1,
        unit: precision.nanos(),
        arrival,
        walk: Walk::new(series, lookup, text.len()),
        is_due: false,
        columns: Columns::default(),
    };
    reader.columns.reserve();
    room(reader.columns.bytes()).map_err(ReadError::Room)?;
    while reader.skip_to_point() {
        let line = reader.line;
        match reader.point() {
            Ok(time) => reader.columns.end(time, Quality::GOOD),
            Err(wrong) => reader.refuse(line, wrong),
        }
        if reader.is_over() {
            break;
        }
        if std::mem::take(&mut reader.is_due) {
            reader.columns.reserve();
            room(reader.columns.bytes() + reader.walk.bytes()).map_err(ReadError::Room)?;
        }
    }
    if reader.walk.is_over() {
        return Err(ReadError::TooLong);
    }
    let Reader { walk, columns, .. } = reader;
    walk.finish();
    columns.finish()
}

/// What is wrong with a line.
enum Wrong {
    Syntax(&'static str),
    Value(String),
    /// There is no use in reading on.
    Over,
}

struct Reader<'t, 'c> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// The number of the line that is read.
    line: usize,
    unit: i64,
    arrival: Timestamp,
    walk: Walk<'c>,
    /// Whether memory is to be asked for before the next line.
    is_due: bool,
    columns: Columns,
}

impl<'t> Reader<'t, '_> {
    /// Goes to the next line with a point; false at the end.
    fn skip_to_point(&mut self) -> bool {
        loop {
            match self.bytes.get(self.at) {
                None => return false,
                Some(b'\n') => {
                    self.at += 1;
                    self.line += 1;
                }
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'#') => self.skip_line(),
                Some(_) => return true,
            }
        }
    }

    /// Goes to the end of the line.
    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }

    /// Notes what is wrong with a line, none of whose samples counts.
    fn refuse(&mut self, line: usize, wrong: Wrong) {
        match wrong {
            Wrong::Syntax(detail) => self.columns.fault(line, FaultKind::Syntax, detail),
            Wrong::Value(detail) => self.columns.fault(line, FaultKind::Value, detail),
            Wrong::Over => return,
        }
        self.columns.cut();
        self.skip_line();
    }

    fn is_over(&self) -> bool {
        self.columns.is_over() || self.walk.is_over()
    }

    /// Reads tags and values of the line that begins here; gives its time.
    fn point(&mut self) -> Result<Timestamp, Wrong> {
        let (start, line) = (self.at, self.line);
        let mut series = None;
        let mut found = match self.walk.expected_head(&self.bytes[start..]) {
            Some((facts, used)) => {
                self.at += used;
                Ok(facts)
            }
            None => {
                let end = point::series_end(self.text, start)?;
                self.at = end + self.bytes[end..].iter().take_while(|byte| **byte == b' ').count();
                series = Some(start..end);
                self.named(start..end)?
            }
        };
        for _ in 0..FIELDS_MAX {
            let (value, end) = point::value(self.text, self.at)?;
            if matches!(value, Written::Text(_)) {
                let text = &self.bytes[self.at..end];
                self.line += memchr::memchr_iter(b'\n', text).count();
            }
            self.at = end;
            match found {
                Ok(facts) => self.columns.push(facts, value).map_err(Wrong::Value)?,
                Err(missing) => {
                    if let Some(facts) = self.columns.missing(line, missing, value.data_type()) {
                        self.columns.push(facts, value).map_err(Wrong::Value)?;
                    }
                    if self.is_over() {
                        return Err(Wrong::Over);
                    }
                }
            }
            self.is_due |= self.walk.turn();
            if self.bytes.get(self.at) != Some(&b',') {
                return self.time();
            }
            self.at += 1;
            found = match self.walk.expected_field(&self.bytes[self.at..]) {
                Some((facts, used)) => {
                    self.at += used;
                    Ok(facts)
                }
                None => {
                    let end = match &series {
                        Some(Range { end, .. }) => *end,
                        None => point::series_end(self.text, start)?,
                    };
                    series = Some(start..end);
                    self.named(start..end)?
                }
            };
        }
        Err(Wrong::Syntax("has more than 4096 fields"))
    }

    /// The tag of a series and the field whose name begins here.
    fn named(&mut self, series: Range<usize>) -> Result<Result<TagFacts, Missing<'t>>, Wrong> {
        let text = self.text;
        let field = point::field_key(text, self.at)?;
        self.at = field.end + 1;
        let (series, field) = (&text[series], &text[field]);
        let read = || point::series(series, field);
        Ok(self.walk.find(series.as_bytes(), field.as_bytes(), read))
    }

    /// Reads the rest of a line: its time, if it has one.
    fn time(&mut self) -> Result<Timestamp, Wrong> {
        self.skip_blanks();
        let mut time = self.arrival;
        if let Some(byte) = self.bytes.get(self.at).filter(|byte| **byte != b'\n') {
            let no_integer = Wrong::Syntax("has a timestamp that is no integer");
            if !matches!(byte, b'-' | b'+' | b'0'..=b'9') {
                return Err(no_integer);
            }
            let (units, used) = integer(&self.bytes[self.at..]).ok_or(no_integer)?;
            let nanos = units.checked_mul(self.unit);
            let nanos = nanos.ok_or(Wrong::Syntax("has a timestamp out of range"))?;
            time = Timestamp::from_nanos(nanos);
            self.at += used;
            self.skip_blanks();
        }
        match self.bytes.get(self.at) {
            None | Some(b'\n') => Ok(time),
            Some(_) => Err(Wrong::Syntax("has a timestamp that is no integer")),
        }
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests;
