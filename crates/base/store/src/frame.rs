//! How one version of a record is laid out: a checksum, a header, the index values it is filed
//! under, and the codec's bytes.
//!
//! | bytes | content |
//! |-------|---------|
//! | 1     | layout, always 1 |
//! | 1     | flags: 1 sealed, 2 the full key follows, 4 a deletion |
//! | 4     | CRC32C of place, part and all the other bytes (little-endian, as all numbers here) |
//! | 8     | version |
//! | 8     | time, nanoseconds since 1970 |
//! | 2 + n | the full key, where it is filed under a hash |
//! | 2     | number of index values, then for each: index (1), length (1), value part |
//! | rest  | the record as its codec, or the seal, wrote it |
//!
//! The checksum covers where the record is filed, so that a value under another key is noticed
//! too. It does not cover which table, so that a superseded version moves to `history` as it is.

use weir_model::Timestamp;

use crate::keys::Place;

const LAYOUT: u8 = 1;
const SEALED: u8 = 1;
const LONG_KEY: u8 = 2;
const DELETION: u8 = 4;

/// One version of a record, borrowed from the table it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) version: u64,
    pub(crate) time: Timestamp,
    pub(crate) sealed: bool,
    pub(crate) deletion: bool,
    pub(crate) long_key: Option<&'a str>,
    pub(crate) index_values: IndexValues<'a>,
    pub(crate) body: &'a [u8],
}

/// The index values of a frame, in the form they are filed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct IndexValues<'a> {
    count: u16,
    bytes: &'a [u8],
}

/// Why bytes are not a frame.
pub(crate) type Damage = &'static str;

impl<'a> Frame<'a> {
    pub(crate) fn write(&self, place: Place, part: &[u8]) -> Vec<u8> {
        let long_key = self.long_key.unwrap_or_default();
        let mut out = Vec::with_capacity(
            28 + long_key.len() + self.index_values.bytes.len() + self.body.len(),
        );
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        out.push(LAYOUT);
        out.push(
            flag(self.sealed, SEALED)
                | flag(self.long_key.is_some(), LONG_KEY)
                | flag(self.deletion, DELETION),
        );
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.time.nanos().to_le_bytes());
        if self.long_key.is_some() {
            out.extend_from_slice(&(long_key.len() as u16).to_le_bytes());
            out.extend_from_slice(long_key.as_bytes());
        }
        out.extend_from_slice(&self.index_values.count.to_le_bytes());
        out.extend_from_slice(self.index_values.bytes);
        out.extend_from_slice(self.body);
        let crc = checksum(place, part, &out);
        out[2..6].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn read(place: Place, part: &[u8], bytes: &'a [u8]) -> Result<Self, Damage> {
        let stored = bytes.get(2..6).ok_or("cut short")?;
        if stored != checksum(place, part, bytes).to_le_bytes() {
            return Err("checksum");
        }
        Self::parse(bytes).ok_or("layout")
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let [layout, flags] = take(&mut rest)?;
        if layout != LAYOUT {
            return None;
        }
        let _crc: [u8; 4] = take(&mut rest)?;
        let version = u64::from_le_bytes(take(&mut rest)?);
        let time = Timestamp::from_nanos(i64::from_le_bytes(take(&mut rest)?));
        let mut long_key = None;
        if flags & LONG_KEY != 0 {
            let length = u16::from_le_bytes(take(&mut rest)?);
            let (key, behind) = rest.split_at_checked(usize::from(length))?;
            long_key = Some(std::str::from_utf8(key).ok()?);
            rest = behind;
        }
        let count = u16::from_le_bytes(take(&mut rest)?);
        let start = rest;
        for _ in 0..count {
            let [_, length] = take(&mut rest)?;
            rest = rest.get(usize::from(length)..)?;
        }
        let index_values = IndexValues { count, bytes: &start[..start.len() - rest.len()] };
        let (sealed, deletion) = (flags & SEALED != 0, flags & DELETION != 0);
        Some(Self { version, time, sealed, deletion, long_key, index_values, body: rest })
    }
}

impl<'a> IndexValues<'a> {
    /// Lays out index values in `buffer`.
    pub(crate) fn write<'v>(
        values: impl Iterator<Item = (u8, &'v [u8])>,
        buffer: &'a mut Vec<u8>,
    ) -> Self {
        let mut count = 0;
        for (number, value) in values {
            buffer.extend_from_slice(&[number, value.len() as u8]);
            buffer.extend_from_slice(value);
            count += 1;
        }
        Self { count, bytes: buffer }
    }

    /// Every index and value part.
    pub(crate) fn iter(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let [number, length] = take(&mut rest)?;
            let (value, behind) = rest.split_at_checked(usize::from(length))?;
            rest = behind;
            Some((number, value))
        })
    }
}

fn checksum(place: Place, part: &[u8], frame: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&place.bytes()), part);
    let crc = crc32c::crc32c_append(crc, &frame[..2]);
    crc32c::crc32c_append(crc, &frame[6..])
}

/// Puts a checksum before the value of a plain table; the key is covered as well.
pub(crate) fn guard(key: &[u8], value: &[u8]) -> Vec<u8> {
    [&guard_checksum(key, value).to_le_bytes(), value].concat()
}

/// Takes the checksum off again; none where it does not fit.
pub(crate) fn guarded<'a>(key: &[u8], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (stored, value) = bytes.split_first_chunk::<4>()?;
    (u32::from_le_bytes(*stored) == guard_checksum(key, value)).then_some(value)
}

fn guard_checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*first)
}

#[cfg(test)]
mod tests;
