//! How keys are laid out in the tables.
//!
//! | table    | key |
//! |----------|-----|
//! | records  | tenant (4), collection (2), part |
//! | history  | tenant (4), collection (2), length of part (1), part, version (8) |
//! | indexes  | tenant (4), collection (2), index (1), length of value part (1), value part, part |
//! | counters | tenant (4), collection (2) |
//! | feed     | position (8) |
//! | meta     | text |
//!
//! Numbers are big-endian, so that keys sort as numbers do. A *part* is a record's key as it is
//! filed: the key itself up to [`KEY_PLAIN_BYTES_MAX`] bytes; of a longer one its beginning, the
//! byte 0xFF and its SHA-256. The longest key of all, 448 bytes in `indexes`, stays below the 511
//! that LMDB allows.

use std::borrow::Cow;

use ring::digest::{SHA256, digest};
use weir_model::TenantId;

/// Longest key in UTF-8 bytes; twice the longest identifier, for keys made of two.
pub const KEY_BYTES_MAX: usize = 2048;

/// Longest key that is filed as it is; a longer one is filed under a hash.
pub const KEY_PLAIN_BYTES_MAX: usize = 240;

/// Longest index value that is filed as it is.
const VALUE_PLAIN_BYTES_MAX: usize = 200;

/// Stands between the beginning of a long text and its hash. No UTF-8 text holds this byte, so a
/// hashed part is never taken for a plain one.
const HASHED: u8 = 0xFF;

const HASH_BYTES: usize = 32;

/// How much of a long key can be searched by prefix in its filed form.
const KEY_BEGINNING_BYTES: usize = KEY_PLAIN_BYTES_MAX - HASH_BYTES - 1;

/// A tenant's share of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) tenant: TenantId,
    pub(crate) collection: u16,
}

/// Bytes of a place at the beginning of a key.
pub(crate) const PLACE_BYTES: usize = 6;

impl Place {
    pub(crate) fn bytes(self) -> [u8; PLACE_BYTES] {
        let mut bytes = [0; PLACE_BYTES];
        bytes[..4].copy_from_slice(&self.tenant.0.to_be_bytes());
        bytes[4..].copy_from_slice(&self.collection.to_be_bytes());
        bytes
    }

    /// The place of a key and what follows it; none for a key that is too short to have one.
    pub(crate) fn split(key: &[u8]) -> Option<(Self, &[u8])> {
        let (place, rest) = key.split_first_chunk::<PLACE_BYTES>()?;
        let [t0, t1, t2, t3, c0, c1] = *place;
        let tenant = TenantId(u32::from_be_bytes([t0, t1, t2, t3]));
        Some((Self { tenant, collection: u16::from_be_bytes([c0, c1]) }, rest))
    }

    /// Stands behind every key of this place, in every table: no part begins with 0xFF, and no
    /// length or number of an index in front of one is that high.
    pub(crate) fn end(self) -> Vec<u8> {
        join(&[&self.bytes(), &[0xFF]])
    }

    pub(crate) fn record(self, part: &[u8]) -> Vec<u8> {
        join(&[&self.bytes(), part])
    }

    /// The same for reads of one record, without a piece of memory for each. A part is never longer
    /// than fits; of a damaged one that is, the rest is left out, and no record has such a key.
    pub(crate) fn record_key(self, part: &[u8]) -> RecordKey {
        let part = &part[..part.len().min(KEY_PLAIN_BYTES_MAX)];
        let length = PLACE_BYTES + part.len();
        let mut bytes = [0; PLACE_BYTES + KEY_PLAIN_BYTES_MAX];
        bytes[..PLACE_BYTES].copy_from_slice(&self.bytes());
        bytes[PLACE_BYTES..length].copy_from_slice(part);
        RecordKey { bytes, length }
    }

    pub(crate) fn history(self, part: &[u8], version: u64) -> Vec<u8> {
        join(&[&self.bytes(), &[part.len() as u8], part, &version.to_be_bytes()])
    }

    /// The part and the version of a key of `history`, behind its place.
    pub(crate) fn split_history(rest: &[u8]) -> Option<(&[u8], u64)> {
        let (length, rest) = rest.split_first()?;
        let (part, version) = rest.split_at_checked(usize::from(*length))?;
        Some((part, u64::from_be_bytes(version.try_into().ok()?)))
    }

    pub(crate) fn index(self, number: u8, value: &[u8], part: &[u8]) -> Vec<u8> {
        join(&[&self.bytes(), &[number, value.len() as u8], value, part])
    }

    /// The index, the value part and the part of a key of `indexes`, behind its place.
    pub(crate) fn split_index(rest: &[u8]) -> Option<(u8, &[u8], &[u8])> {
        let ([number, length], rest) = rest.split_first_chunk::<2>()?;
        let (value, part) = rest.split_at_checked(usize::from(*length))?;
        Some((*number, value, part))
    }
}

/// A key of `records` that lies on the stack.
pub(crate) struct RecordKey {
    bytes: [u8; PLACE_BYTES + KEY_PLAIN_BYTES_MAX],
    length: usize,
}

impl std::ops::Deref for RecordKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// How a record's key is filed.
pub(crate) fn part(key: &str) -> Cow<'_, [u8]> {
    file(key, KEY_PLAIN_BYTES_MAX)
}

/// How a value of an index is filed.
pub(crate) fn value_part(value: &str) -> Cow<'_, [u8]> {
    file(value, VALUE_PLAIN_BYTES_MAX)
}

/// Whether a part does not tell its key.
pub(crate) fn is_hashed(part: &[u8]) -> bool {
    part.contains(&HASHED)
}

/// The beginning that all parts of keys with a prefix have.
pub(crate) fn searchable(prefix: &str) -> &[u8] {
    let bytes = prefix.as_bytes();
    &bytes[..bytes.len().min(KEY_BEGINNING_BYTES)]
}

fn file(text: &str, plain_max: usize) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if bytes.len() <= plain_max {
        return Cow::Borrowed(bytes);
    }
    let beginning = &bytes[..plain_max - HASH_BYTES - 1];
    Cow::Owned(join(&[beginning, &[HASHED], digest(&SHA256, bytes).as_ref()]))
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[cfg(test)]
mod tests;
