//! Prometheus remote write, versions 1.0 and 2.0, unpacked.
//!
//! A series is its labels; `__name__` is the measurement. Specifications:
//! <https://prometheus.io/docs/specs/prw/remote_write_spec/> and `remote_write_spec_2_0`. Samples are read;
//! histograms, exemplars and metadata are counted out. A stale marker says that there is no value
//! any more: it becomes a sample of bad quality without one.

use std::borrow::Cow;

use weir_model::{DataType, Quality, Timestamp};

use crate::columns::{Columns, Read, Written};
use crate::error::{FaultKind, ReadError};
use crate::name::Series;
use crate::series::{Lookup, Missing, SERIES_BYTES_MAX, SeriesView, TagFacts, Walk};
use crate::wire::{Field, Fields, WireError, varint};

/// The bits of the double that marks a series as stale.
const STALE: u64 = 0x7FF0_0000_0000_0002;

/// The label that is the metric's name.
const NAME: &str = "__name__";

/// Most labels of a series.
const LABELS_MAX: usize = 256;

/// Bytes of labels that the series of any message may have together. Texts of version 2.0 are sent once
/// and count as often as they are referred to.
const LABEL_BYTES_MIN: usize = 16 << 20;

/// The same for each byte of a message: a series of a kilobyte of labels is a hundred bytes of it,
/// where others share all of its texts.
const LABEL_BYTES_PER_BYTE: usize = 32;

/// Most texts of a message of version 2.0.
const SYMBOLS_MAX: usize = 1 << 20;

/// Nanoseconds of a time's unit.
const MILLISECOND: i64 = 1_000_000;

/// A version of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `prometheus.WriteRequest`.
    One,
    /// `io.prometheus.write.v2.Request`.
    Two,
}

/// Reads an unpacked message. `room` is asked before samples take memory: for so many bytes in all.
///
/// # Errors
/// [`ReadError`]; faults name series by their number in the message.
pub fn read<E>(
    message: &[u8],
    version: Version,
    series: &SeriesView<'_>,
    lookup: &dyn Lookup,
    room: &mut dyn FnMut(usize) -> Result<(), E>,
) -> Result<Read, ReadError<E>> {
    let unreadable = |_| ReadError::Message("it is not what its content type says");
    let symbols = match version {
        Version::One => Vec::new(),
        Version::Two => symbols(message).map_err(unreadable)?,
    };
    let number = if version == Version::One { 1 } else { 5 };
    let mut reader = Reader {
        symbols: (version == Version::Two).then_some(symbols),
        labels: Vec::new(),
        key: Vec::new(),
        label_bytes_left: LABEL_BYTES_MIN
            .saturating_add(message.len().saturating_mul(LABEL_BYTES_PER_BYTE)),
        walk: Walk::new(series, lookup, message.len()),
        columns: Columns::default(),
    };
    reader.columns.reserve();
    room(reader.columns.bytes()).map_err(ReadError::Room)?;
    let all = Fields(message).filter(|field| !matches!(field, Ok((n, _)) if *n != number));
    for (field, place) in all.zip(1..) {
        let bytes = field.and_then(|(_, field)| field.bytes()).map_err(unreadable)?;
        reader.series(bytes, place, room)?;
        if reader.walk.is_over() {
            return Err(ReadError::TooLong);
        }
        if reader.columns.is_over() {
            break;
        }
    }
    let Reader { walk, columns, .. } = reader;
    walk.finish();
    columns.finish()
}

/// The texts of a message of version 2.0.
fn symbols(message: &[u8]) -> Result<Vec<&str>, WireError> {
    let mut symbols = Vec::new();
    for field in Fields(message) {
        if let (4, field) = field? {
            if symbols.len() == SYMBOLS_MAX {
                return Err(WireError);
            }
            symbols.push(field.text()?);
        }
    }
    Ok(symbols)
}

struct Reader<'m, 'c> {
    /// The texts that labels refer to, where they do.
    symbols: Option<Vec<&'m str>>,
    labels: Vec<(&'m str, &'m str)>,
    /// Bytes that labels of further series may have.
    label_bytes_left: usize,
    /// The labels as the cache knows them.
    key: Vec<u8>,
    walk: Walk<'c>,
    columns: Columns,
}

impl<'m> Reader<'m, '_> {
    fn series<E>(
        &mut self,
        series: &'m [u8],
        place: usize,
        room: &mut dyn FnMut(usize) -> Result<(), E>,
    ) -> Result<(), ReadError<E>> {
        let unreadable = |_| ReadError::Message("a series of it cannot be read");
        if let Err(detail) = self.read_labels(series).map_err(unreadable)? {
            self.columns.fault(place, FaultKind::Syntax, detail);
            return Ok(());
        }
        let bytes = self.labels.iter().map(|(key, value)| key.len() + value.len()).sum();
        let left = self.label_bytes_left.checked_sub(bytes);
        self.label_bytes_left = left.ok_or(ReadError::TooLong)?;
        self.turn(room)?;
        let mut found: Option<TagFacts> = None;
        for field in Fields(series) {
            let (2, field) = field.map_err(unreadable)? else { continue };
            let (value, time) = sample(field).map_err(unreadable)?;
            let facts = match found {
                Some(facts) => facts,
                None => match self.tag() {
                    Ok(facts) => *found.insert(facts),
                    Err(Some(missing)) => {
                        match self.columns.missing(place, missing, DataType::F64) {
                            Some(facts) => *found.insert(facts),
                            None => return Ok(()),
                        }
                    }
                    Err(None) => {
                        let detail = format!("has no label {NAME}");
                        self.columns.fault(place, FaultKind::Syntax, detail);
                        return Ok(());
                    }
                },
            };
            if let Err(detail) = self.push(facts, value, time) {
                self.columns.fault(place, FaultKind::Value, detail);
                self.columns.cut();
                return Ok(());
            }
            if self.columns.is_over() {
                return Ok(());
            }
            self.turn(room)?;
        }
        Ok(())
    }

    /// Lets others have the cache, and asks for memory, when it is time to.
    fn turn<E>(
        &mut self,
        room: &mut dyn FnMut(usize) -> Result<(), E>,
    ) -> Result<(), ReadError<E>> {
        if self.walk.turn() {
            self.columns.reserve();
            room(self.columns.bytes() + self.walk.bytes()).map_err(ReadError::Room)?;
        }
        Ok(())
    }

    fn push(&mut self, facts: TagFacts, value: f64, time: i64) -> Result<(), String> {
        let nanos = time.checked_mul(MILLISECOND).ok_or("a time is out of range")?;
        let quality = match value.to_bits() {
            STALE => {
                self.columns.push_none(facts);
                Quality::NO_COMMUNICATION
            }
            _ => {
                self.columns.push(facts, Written::Float(value))?;
                Quality::GOOD
            }
        };
        self.columns.end(Timestamp::from_nanos(nanos), quality);
        Ok(())
    }

    /// Reads the labels of a series, or says that they are too many or too long.
    fn read_labels(&mut self, series: &'m [u8]) -> Result<Result<(), &'static str>, WireError> {
        self.labels.clear();
        let mut bytes = 0_usize;
        for field in Fields(series) {
            let (1, field) = field? else { continue };
            match &self.symbols {
                None => {
                    let (key, value) = label(field)?;
                    bytes += key.len() + value.len();
                    self.labels.push((key, value));
                }
                Some(symbols) => {
                    let text = |reference: u64| {
                        let place = usize::try_from(reference).map_err(|_| WireError)?;
                        symbols.get(place).copied().ok_or(WireError)
                    };
                    // Packed, or one by one: two references are a label.
                    let mut references = match field {
                        Field::Bytes(bytes) => bytes,
                        _ => return Err(WireError),
                    };
                    while !references.is_empty() && self.labels.len() <= LABELS_MAX {
                        let key = text(varint(&mut references)?)?;
                        let value = text(varint(&mut references)?)?;
                        bytes += key.len() + value.len();
                        self.labels.push((key, value));
                    }
                }
            }
            if self.labels.len() > LABELS_MAX {
                return Ok(Err("has more than 256 labels"));
            }
            if bytes > SERIES_BYTES_MAX {
                return Ok(Err("has labels of more than 65535 bytes"));
            }
        }
        Ok(Ok(()))
    }

    /// The tag of the labels that were read; nothing where they have no name.
    fn tag(&mut self) -> Result<TagFacts, Option<Missing<'m>>> {
        self.key.clear();
        for text in self.labels.iter().flat_map(|(key, value)| [key, value]) {
            self.key.extend_from_slice(&(text.len() as u32).to_le_bytes());
            self.key.extend_from_slice(text.as_bytes());
        }
        let name = self.labels.iter().find(|(key, _)| *key == NAME).ok_or(None)?.1;
        let labels = &self.labels;
        let read = || Series {
            measurement: Cow::Borrowed(name),
            field: Cow::Borrowed("value"),
            labels: labels
                .iter()
                .filter(|(key, _)| *key != NAME)
                .map(|(key, value)| (Cow::Borrowed(*key), Cow::Borrowed(*value)))
                .collect(),
            labels_optional: false,
        };
        // Line protocol's series have no field of this name.
        self.walk.find(&self.key, b"", read).map_err(Some)
    }
}

/// A label of version 1.0.
fn label(field: Field<'_>) -> Result<(&str, &str), WireError> {
    let (mut name, mut value) = ("", "");
    for field in Fields(field.bytes()?) {
        match field? {
            (1, field) => name = field.text()?,
            (2, field) => value = field.text()?,
            _ => {}
        }
    }
    Ok((name, value))
}

/// A sample: its value, and its time in milliseconds.
fn sample(field: Field<'_>) -> Result<(f64, i64), WireError> {
    let (mut value, mut time) = (0.0, 0);
    for field in Fields(field.bytes()?) {
        match field? {
            (1, field) => value = field.double()?,
            (2, field) => time = field.int64()?,
            _ => {}
        }
    }
    Ok((value, time))
}

#[cfg(test)]
mod tests;
