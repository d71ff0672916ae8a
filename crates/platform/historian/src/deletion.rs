//! Samples that were deleted: a span of a tag's time, up to a position of the log.
//!
//! A deletion takes effect in memory at once. Blocks are not changed: their rows are hidden from
//! every read by the list of deletions, until a merge has written the blocks without them.

use serde::{Deserialize, Serialize};
use weir_model::{Batch, Sample, TagId, TenantId};

/// Most deletions whose rows are still in blocks.
pub const DELETIONS_MAX: usize = 10_000;

/// A span of a tag's time that was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deletion {
    /// Whose.
    pub(crate) tenant: TenantId,
    /// Of which tag.
    pub(crate) tag: u32,
    /// From this time on, in nanoseconds.
    pub(crate) from: i64,
    /// Up to, without, this time.
    pub(crate) to: i64,
    /// What has a lower position is deleted.
    pub(crate) position: u64,
}

impl Deletion {
    /// Whether it is of a tag and meets a span of time.
    pub(crate) fn meets(&self, (tenant, tag): (TenantId, TagId), from: i64, to: i64) -> bool {
        (self.tenant, self.tag) == (tenant, tag.0) && self.from < to && from < self.to
    }

    /// Whether it hides a row of its tag.
    pub(crate) fn hides(&self, time: i64, position: u64) -> bool {
        position < self.position && self.from <= time && time < self.to
    }
}

/// What a record of the log holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// Samples.
    Batch(Batch),
    /// A deletion, whose position is that of the record; and what is the tag's newest sample after
    /// it, if its newest is among those deleted.
    Deletion(Deletion, Option<Sample>),
}
