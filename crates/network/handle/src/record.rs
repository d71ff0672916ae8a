//! The values of a handle as they are kept: without what most values have alike.
//!
//! On the wire a value has 26 bytes beside its type and its data. Here a value of a known type,
//! with the usual time to live and permissions, without references, and written at the same second
//! as the others, has three.
//!
//! ```text
//! record: version 1, varint count, timestamp (4 bytes, if there are values), values
//! value:  tag, varint index, [timestamp 4], [kind and number of the time to live 5],
//!         [permissions 1], [varint length, type], varint length, data, [list of references]
//! tag:    bit 0 another timestamp, 1 time to live, 2 permissions, 3 references;
//!         the upper four the number of the type in the table, 0 for one that stands there
//! ```

use crate::wire::{Element as _, List, Reader, put_i32};
use crate::{Error, Permissions, Selected, Selection, Ttl, Value, ValueData};

/// Version of the form, in its first byte.
const VERSION: u8 = 1;
const OTHER_TIMESTAMP: u8 = 1;
const OTHER_TTL: u8 = 2;
const OTHER_PERMISSIONS: u8 = 4;
const REFERENCES: u8 = 8;
/// Bytes of the smallest value: tag, index, length of the data.
const VALUE_BYTES_MIN: usize = 3;

/// Types with a number, from 1. The order is that of the stored form: append only.
const KINDS: [&[u8]; 15] = [
    b"URL",
    b"EMAIL",
    b"DESC",
    ValueData::ADMIN,
    ValueData::VLIST,
    ValueData::SITE,
    ValueData::SERV,
    ValueData::SECKEY,
    ValueData::PUBKEY,
    ValueData::ALIAS,
    ValueData::SIGNATURE,
    ValueData::CERT,
    ValueData::LOC,
    ValueData::SITE_PREFIX,
    ValueData::SERV_PREFIX,
];

/// A record in its compact form, checked when it was read; borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    count: u32,
    timestamp: i32,
    values: &'a [u8],
}

impl<'a> Record<'a> {
    /// Appends the compact form of these values.
    pub fn pack<'v>(values: impl ExactSizeIterator<Item = Value<'v>> + Clone, out: &mut Vec<u8>) {
        out.push(VERSION);
        put_varint(out, values.len() as u32);
        let Some(first) = values.clone().next() else { return };
        put_i32(out, first.timestamp);
        values.for_each(|value| pack(&value, first.timestamp, out));
    }

    /// Reads a compact form; every value is checked now. Nothing is allocated.
    ///
    /// # Errors
    /// [`Error::Unknown`] for another version; [`Error::Short`], [`Error::Count`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8("a record")?;
        if version != VERSION {
            return Err(Error::Unknown { field: "a record", value: version.into() });
        }
        let count = varint(&mut reader)?;
        let left = reader.rest().len();
        if (count as usize).checked_mul(VALUE_BYTES_MIN).is_none_or(|least| least > left) {
            return Err(Error::Count { field: "a record", count, left });
        }
        let timestamp = if count == 0 { 0 } else { reader.i32("a record")? };
        let record = Self { count, timestamp, values: reader.rest() };
        for _ in 0..count {
            unpack(&mut reader, timestamp)?;
        }
        Ok(record)
    }

    /// Number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The values, as they were packed.
    #[must_use]
    pub const fn iter(&self) -> RecordIter<'a> {
        RecordIter { reader: Reader::new(self.values), left: self.count, timestamp: self.timestamp }
    }
}

impl<'a> IntoIterator for Record<'a> {
    type Item = Value<'a>;
    type IntoIter = RecordIter<'a>;
    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Record<'a> {
    type Item = Value<'a>;
    type IntoIter = RecordIter<'a>;
    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

/// The values of a [`Record`].
#[derive(Debug, Clone)]
pub struct RecordIter<'a> {
    reader: Reader<'a>,
    left: u32,
    timestamp: i32,
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        // The record was walked when it was read; a failure here cannot be.
        unpack(&mut self.reader, self.timestamp).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for RecordIter<'_> {}

impl Selection<'_> {
    /// As [`Selection::write`], from a compact record: the list of an answer, in wire form.
    pub fn write_record(&self, record: &Record<'_>, out: &mut Vec<u8>) -> Selected {
        let mut selected = Selected::default();
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        for value in record {
            if self.takes(&value, &mut selected) {
                value.write(out);
            }
        }
        out[at..at + 4].copy_from_slice(&selected.written.to_be_bytes());
        selected
    }
}

fn pack(value: &Value<'_>, timestamp: i32, out: &mut Vec<u8>) {
    let known = KINDS.iter().position(|kind| *kind == value.kind).map_or(0, |at| at as u8 + 1);
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    let tag = known << 4
        | bit(value.timestamp != timestamp, OTHER_TIMESTAMP)
        | bit(value.ttl != Ttl::USUAL, OTHER_TTL)
        | bit(value.permissions != Permissions::USUAL, OTHER_PERMISSIONS)
        | bit(!value.references.is_empty(), REFERENCES);
    out.push(tag);
    put_varint(out, value.index as u32);
    if tag & OTHER_TIMESTAMP != 0 {
        put_i32(out, value.timestamp);
    }
    if tag & OTHER_TTL != 0 {
        let (kind, number) = value.ttl.parts();
        out.push(kind);
        put_i32(out, number);
    }
    if tag & OTHER_PERMISSIONS != 0 {
        out.push(value.permissions.0);
    }
    if known == 0 {
        put_varint(out, value.kind.len() as u32);
        out.extend_from_slice(value.kind);
    }
    put_varint(out, value.data.len() as u32);
    out.extend_from_slice(value.data);
    if tag & REFERENCES != 0 {
        value.references.write(out);
    }
}

fn unpack<'a>(reader: &mut Reader<'a>, timestamp: i32) -> Result<Value<'a>, Error> {
    let tag = reader.u8("a record")?;
    let index = varint(reader)? as i32;
    let has = |bit: u8| tag & bit != 0;
    let timestamp = if has(OTHER_TIMESTAMP) { reader.i32("a record")? } else { timestamp };
    let ttl = match has(OTHER_TTL) {
        true => Ttl::from_parts(reader.u8("a record")?, reader.i32("a record")?),
        false => Ttl::USUAL,
    };
    let permissions = match has(OTHER_PERMISSIONS) {
        true => Permissions(reader.u8("a record")?),
        false => Permissions::USUAL,
    };
    let kind = match (tag >> 4).checked_sub(1) {
        Some(known) => KINDS[usize::from(known)],
        None => short(reader)?,
    };
    let data = short(reader)?;
    let references = if has(REFERENCES) { reader.list()? } else { List::empty() };
    Ok(Value { index, timestamp, ttl, permissions, kind, data, references })
}

fn short<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    let length = varint(reader)?;
    reader.take(length as usize, "a record")
}

/// Seven bits a byte, lowest first; the top bit says that more follow.
fn put_varint(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn varint(reader: &mut Reader<'_>) -> Result<u32, Error> {
    let mut number = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = reader.u8("a record")?;
        let bits = u32::from(byte & 0x7f);
        if shift == 28 && byte > 0x0f {
            return Err(Error::Unknown { field: "a record", value: byte.into() });
        }
        number |= bits << shift;
        if byte < 0x80 {
            break;
        }
    }
    Ok(number)
}

#[cfg(test)]
mod tests;
