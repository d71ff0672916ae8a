//! A piece of a file: rows, and the readings that they make.

use std::io::{self, Read, Seek, SeekFrom};

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use weir_connect::{Reading, hex};
use weir_model::{Quality, Timestamp};

use super::Plan;
use super::folder::{Found, open};
use super::records::{Layout, Next, RECORD_BYTES_MAX};
use super::settings::Mode;
use crate::cell;
use crate::table::{COLUMNS_MAX, Column, Matcher};

/// Bytes that are read at a time: twice the largest record.
const READ_BYTES: usize = 2 * RECORD_BYTES_MAX;

/// Readings of one piece, about: two batches.
const READINGS_MAX: usize = 2000;

/// Rows of one piece.
const ROWS_MAX: usize = 5000;

/// Bad rows of one piece that are told in words.
const BAD_TOLD_MAX: usize = 5;

/// By so many bytes at its front a file is known again.
const HEAD_BYTES: usize = 256;

/// A place in a file, and by what the file is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    /// Lines before it.
    pub(crate) line: u64,
    /// Whether it lies within a line that is too long.
    #[serde(default)]
    pub(crate) is_within_line: bool,
    /// How many bytes at the front of the file are known, and their SHA-256.
    pub(crate) head_bytes: usize,
    pub(crate) head: String,
}

/// What a piece of a file brought.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) found: Found,
    /// Where to go on.
    pub(crate) next: Place,
    /// Whether nothing more is there now.
    pub(crate) is_end: bool,
    /// Whether the file is another one than the place was of, so that it was begun anew.
    pub(crate) is_anew: bool,
    pub(crate) late: Vec<Reading>,
    pub(crate) live: Vec<Reading>,
    pub(crate) bad: Bad,
    /// Points whose column the file lacks.
    pub(crate) missing: Vec<(usize, Column)>,
}

/// Rows that could not be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) count: u64,
    /// The first ones, by file and line, with why.
    pub(crate) told: Vec<String>,
}

impl Bad {
    fn add(&mut self, told: String) {
        self.count += 1;
        if self.told.len() < BAD_TOLD_MAX {
            self.told.push(told);
        }
    }
}

/// What rows of one file are read by.
struct Table<'a> {
    plan: &'a Plan,
    found: &'a Found,
    matcher: Matcher,
    time_column: Option<usize>,
    encoding: &'static Encoding,
    separator: u8,
    now: Timestamp,
}

/// Reads a piece of a file from a place on.
///
/// # Errors
/// What the system says.
pub(crate) fn read(plan: &Plan, name: &str, from: &Place, now: Timestamp) -> io::Result<Chunk> {
    let (mut file, found) = open(plan, name)?;
    let front = front(&mut file)?;
    let (layout, encoding, mark) = layout(plan, &front);
    let is_same = from.offset <= found.size && is_known(&front, from);
    let anew = Place::default();
    let from = if is_same { from } else { &anew };
    let is_anew = !is_same;
    let mut chunk = Chunk {
        next: from.clone(),
        is_end: true,
        is_anew,
        late: Vec::new(),
        live: Vec::new(),
        bad: Bad::default(),
        missing: Vec::new(),
        found,
    };
    let Some(top) = top(plan, layout, encoding, &front, mark) else {
        // The header is not complete yet, or there is none.
        if front.len() >= READ_BYTES {
            chunk.bad.add(format!("{name}: no header within {READ_BYTES} bytes"));
            chunk.next.offset = chunk.found.size;
        }
        return Ok(chunk);
    };
    let mut next = from.clone();
    if next.offset < top.bytes {
        (next.offset, next.line) = (top.bytes, top.lines);
    }
    let matcher = Matcher::new(&plan.addresses, top.header.as_deref());
    let columns = plan.settings.time_column.as_ref();
    let time_column = columns.and_then(|column| column.find(top.header.as_deref()));
    if let (Some(column), None) = (columns, time_column) {
        chunk.bad.add(format!("{name}: its header has no {}", column.shown()));
        chunk.next.offset = chunk.found.size;
        return Ok(chunk);
    }
    chunk.missing.clone_from(&matcher.missing);
    let separator = plan.settings.separator;
    let found = chunk.found.clone();
    let table = Table { plan, found: &found, matcher, time_column, encoding, separator, now };
    file.seek(SeekFrom::Start(next.offset))?;
    let mut bytes = Vec::new();
    file.take(READ_BYTES as u64).read_to_end(&mut bytes)?;
    table.rows(&bytes, layout, &mut next, &mut chunk);
    next.head_bytes =
        front.len().min(HEAD_BYTES).min(usize::try_from(next.offset).unwrap_or(HEAD_BYTES));
    next.head = head(&front, next.head_bytes);
    chunk.next = next;
    Ok(chunk)
}

/// The newest readings of a file: of the rows in its last bytes.
///
/// # Errors
/// What the system says.
pub(crate) fn tail(
    plan: &Plan,
    name: &str,
    now: Timestamp,
) -> io::Result<(Chunk, Option<Vec<String>>)> {
    let (mut file, found) = open(plan, name)?;
    let front = front(&mut file)?;
    let (layout, encoding, mark) = layout(plan, &front);
    let mut chunk = Chunk {
        next: Place::default(),
        is_end: true,
        is_anew: false,
        late: Vec::new(),
        live: Vec::new(),
        bad: Bad::default(),
        missing: Vec::new(),
        found,
    };
    let Some(top) = top(plan, layout, encoding, &front, mark) else { return Ok((chunk, None)) };
    let matcher = Matcher::new(&plan.addresses, top.header.as_deref());
    chunk.missing.clone_from(&matcher.missing);
    let columns = plan.settings.time_column.as_ref();
    let time_column = columns.and_then(|column| column.find(top.header.as_deref()));
    let mut from = chunk.found.size.saturating_sub(RECORD_BYTES_MAX as u64);
    let is_middle = from > top.bytes;
    if is_middle {
        from -= from % layout.width as u64;
    } else {
        from = top.bytes;
    }
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(READ_BYTES as u64).read_to_end(&mut bytes)?;
    // The first line is cut off somewhere.
    let skip = if is_middle { layout.line(&bytes).unwrap_or(bytes.len()) } else { 0 };
    let found = chunk.found.clone();
    let separator = plan.settings.separator;
    let table = Table { plan, found: &found, matcher, time_column, encoding, separator, now };
    let mut last = None;
    let mut rest = bytes.get(skip..).unwrap_or_default();
    loop {
        match layout.record(rest, true) {
            Next::Record { length, taken, .. } => {
                let (record, after) = (&rest[..length], &rest[taken..]);
                table.row(record, 0, &mut chunk);
                if let Ok(cells) = table.cells(record)
                    && cells.iter().any(|cell| !cell.trim().is_empty())
                {
                    last = Some(cells.iter().map(str::to_owned).collect());
                }
                rest = after;
            }
            Next::Bad { taken, .. } => rest = &rest[taken..],
            Next::Endless | Next::More => break,
        }
    }
    Ok((chunk, last))
}

/// The names of a file's columns; none where it has no header.
///
/// # Errors
/// What the system says.
pub(crate) fn header(plan: &Plan, name: &str) -> io::Result<Option<Vec<String>>> {
    let (mut file, _) = open(plan, name)?;
    let front = front(&mut file)?;
    let (layout, encoding, mark) = layout(plan, &front);
    Ok(top(plan, layout, encoding, &front, mark).and_then(|top| top.header))
}

fn front(file: &mut std::fs::File) -> io::Result<Vec<u8>> {
    let mut front = Vec::new();
    file.take(READ_BYTES as u64).read_to_end(&mut front)?;
    Ok(front)
}

/// How a file is laid out, and how many bytes its byte order mark has.
fn layout(plan: &Plan, front: &[u8]) -> (Layout, &'static Encoding, usize) {
    let settings = &plan.settings;
    let separator = settings.separator;
    let layout = |width, is_big_endian| Layout { width, is_big_endian, separator };
    match front {
        // A mark is believed more than the settings: spreadsheets write what they like.
        [0xEF, 0xBB, 0xBF, ..] => (layout(1, false), encoding_rs::UTF_8, 3),
        [0xFF, 0xFE, ..] => (layout(2, false), UTF_16LE, 2),
        [0xFE, 0xFF, ..] => (layout(2, true), UTF_16BE, 2),
        _ if settings.encoding == UTF_16LE => (layout(2, false), UTF_16LE, 0),
        _ => (layout(1, false), settings.encoding, 0),
    }
}

/// What stands before the first row.
struct Top {
    bytes: u64,
    lines: u64,
    header: Option<Vec<String>>,
}

fn top(
    plan: &Plan,
    layout: Layout,
    encoding: &'static Encoding,
    front: &[u8],
    mark: usize,
) -> Option<Top> {
    let mut at = mark;
    let mut lines = 0;
    for _ in 0..plan.settings.skip_lines {
        at += layout.line(front.get(at..)?)?;
        lines += 1;
    }
    if !plan.settings.header {
        return Some(Top { bytes: at as u64, lines, header: None });
    }
    let is_end = plan.settings.mode == Mode::Whole && front.len() < READ_BYTES;
    let rest = front.get(at..)?;
    let Next::Record { length, taken, lines: more } = layout.record(rest, is_end) else {
        return None;
    };
    let text = encoding.decode_without_bom_handling(rest.get(..length)?).0;
    let record = cells(&text, plan.settings.separator).ok()?;
    let header = record.iter().take(COLUMNS_MAX).map(|name| name.trim().to_owned()).collect();
    Some(Top { bytes: (at + taken) as u64, lines: lines + more, header: Some(header) })
}

fn head(front: &[u8], bytes: usize) -> String {
    hex(digest(&SHA256, front.get(..bytes).unwrap_or(front)).as_ref())
}

fn is_known(front: &[u8], place: &Place) -> bool {
    place.offset == 0
        || (place.head_bytes <= front.len() && head(front, place.head_bytes) == place.head)
}

/// The cells of one record.
fn cells(text: &str, separator: u8) -> Result<csv::StringRecord, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .buffer_capacity(text.len().clamp(64, 8192))
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    reader.read_record(&mut record).map_err(|error| error.to_string())?;
    if record.len() > COLUMNS_MAX {
        return Err(format!("more than {COLUMNS_MAX} columns"));
    }
    Ok(record)
}

impl Table<'_> {
    fn rows(&self, bytes: &[u8], layout: Layout, next: &mut Place, chunk: &mut Chunk) {
        let is_last = bytes.len() < READ_BYTES;
        let is_end = is_last && self.plan.settings.mode == Mode::Whole;
        let mut at = 0;
        if next.is_within_line {
            // The rest of a line that is too long.
            match layout.line(bytes) {
                Some(taken) => {
                    at = taken;
                    next.line += 1;
                    next.is_within_line = false;
                }
                None => at = bytes.len(),
            }
        }
        let mut rows = 0;
        loop {
            if rows >= ROWS_MAX || chunk.late.len() + chunk.live.len() >= READINGS_MAX {
                chunk.is_end = false;
                break;
            }
            let rest = bytes.get(at..).unwrap_or_default();
            match layout.record(rest, is_end) {
                Next::Record { length, taken, lines } => {
                    rows += 1;
                    self.row(rest.get(..length).unwrap_or_default(), next.line + 1, chunk);
                    at += taken;
                    next.line += lines;
                }
                Next::Bad { taken, cause } => {
                    rows += 1;
                    chunk.bad.add(self.told(next.line + 1, cause));
                    at += taken;
                    next.line += 1;
                }
                Next::Endless => {
                    chunk.bad.add(self.told(next.line + 1, "a line of more than 256 KiB"));
                    next.is_within_line = true;
                    at = bytes.len();
                    chunk.is_end = is_last;
                    break;
                }
                Next::More => {
                    chunk.is_end = is_last;
                    break;
                }
            }
        }
        next.offset += at as u64;
    }

    fn told(&self, line: u64, cause: &str) -> String {
        format!("{} line {line}: {cause}", self.found.name)
    }

    /// The cells of a record in bytes.
    fn cells(&self, record: &[u8]) -> Result<csv::StringRecord, String> {
        let (text, is_damaged) = self.encoding.decode_without_bom_handling(record);
        if is_damaged {
            return Err(format!("it is not {}", self.encoding.name()));
        }
        cells(&text, self.separator)
    }

    /// Adds the readings of one row.
    fn row(&self, record: &[u8], line: u64, chunk: &mut Chunk) {
        let row = match self.cells(record) {
            Ok(row) => row,
            Err(cause) => return chunk.bad.add(self.told(line, &cause)),
        };
        if row.iter().all(|cell| cell.trim().is_empty()) {
            return;
        }
        let time = match self.time(&row) {
            Ok(time) => time,
            Err(cause) => return chunk.bad.add(self.told(line, &cause)),
        };
        let settings = &self.plan.settings;
        let is_late = time < self.now.saturating_add(-crate::LATE);
        let mut is_short = false;
        let mut wrong: Option<String> = None;
        let out = if is_late { &mut chunk.late } else { &mut chunk.live };
        self.matcher.each(
            |at| row.get(at),
            |point, at| {
                let (Some(cell), Some(to)) = (row.get(at), self.plan.types.get(point)) else {
                    is_short = true;
                    return;
                };
                match cell::value(cell, *to, settings.decimal_comma) {
                    Ok(None) => {}
                    Ok(Some(value)) => out.push(Reading::good(point, time, value)),
                    Err(cause) => {
                        let cause = self.told(line, &format!("column {}: {cause}", at + 1));
                        out.push(Reading::fault(point, time, Quality::BAD, cause.clone()));
                        wrong.get_or_insert(cause);
                    }
                }
            },
        );
        if is_short {
            let cause = format!("it has only {} columns", row.len());
            wrong.get_or_insert(self.told(line, &cause));
        }
        if let Some(cause) = wrong {
            chunk.bad.add(cause);
        }
    }

    fn time(&self, row: &csv::StringRecord) -> Result<Timestamp, String> {
        let time = match self.time_column {
            None => Timestamp::from_nanos(self.found.modified),
            Some(at) => {
                let cell = row.get(at).ok_or("it has no column of times")?;
                self.plan.settings.moments.read(cell)?
            }
        };
        if time > self.now.saturating_add(crate::FUTURE_MAX) {
            return Err(format!("its time {time} lies in the future; is the time zone right?"));
        }
        Ok(time)
    }
}

#[cfg(test)]
mod tests;
