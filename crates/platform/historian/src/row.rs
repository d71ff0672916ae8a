//! A stored sample, and the order in which rows are kept.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use weir_model::{Quality, Sample, Samples, TagId, TenantId, Timestamp, Value};

/// Something for every tag.
pub(crate) type TagMap<T> = HashMap<(TenantId, TagId), T, BuildHasherDefault<TagHasher>>;

/// Hashes the two numbers of a tag. They are given by this node, not by those who send samples, so
/// that nobody can choose them to collide; each sample is looked up twice.
#[derive(Debug, Default)]
pub(crate) struct TagHasher(u64);

impl Hasher for TagHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32((*byte).into()));
    }

    fn write_u32(&mut self, number: u32) {
        // The odd number nearest to 2^64 over the golden ratio (Knuth, volume 3, section 6.4).
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        // The product's upper bits are the good ones, the table takes the lower ones, too.
        self.0 ^ (self.0 >> 32)
    }
}

/// A sample of one tag with the log position that decides between two of the same time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Nanoseconds since the epoch.
    pub(crate) time: i64,
    /// The position of its batch.
    pub(crate) position: u64,
    /// The tag.
    pub(crate) tag: u32,
    /// The quality's code.
    pub(crate) quality: u32,
    /// The value.
    pub(crate) value: Option<Value>,
}

impl Row {
    /// One of some samples as a row.
    pub(crate) fn of(samples: &Samples, place: usize, position: u64) -> Self {
        Self {
            time: samples.times()[place].nanos(),
            position,
            tag: samples.tags()[place].0,
            quality: samples.qualities()[place].code(),
            value: samples.value(place),
        }
    }

    /// What rows are sorted by.
    pub(crate) fn key(&self) -> (u32, i64) {
        (self.tag, self.time)
    }

    /// Whether the quality says that the value cannot be used.
    pub(crate) fn is_bad(&self) -> bool {
        Quality::from_code(self.quality).is_bad()
    }

    /// Bytes outside the row itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.value.as_ref().map_or(0, Value::heap_bytes)
    }
}

impl From<Row> for Sample {
    fn from(row: Row) -> Self {
        Self {
            time: Timestamp::from_nanos(row.time),
            value: row.value,
            quality: Quality::from_code(row.quality),
        }
    }
}
