//! The change feed: one entry a commit, at gap-free positions.

use std::ops::Bound;

use heed::RwTxn;
use serde::{Deserialize, Serialize};
use weir_model::{Author, TenantId, Timestamp};

use crate::core::Core;
use crate::environment::Table;
use crate::error::{FeedError, StoreError};
use crate::frame;
use crate::snapshot::Snapshot;

/// Most entries of one reading; a larger limit is taken as this one.
pub const FEED_PAGE_MAX: usize = 1000;

/// A commit as the change feed tells it. A commit may change records of several tenants: whoever
/// shows an entry to one of them leaves out the changes of the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedEntry {
    /// Its position: one more than that of the commit before.
    pub position: u64,
    /// The time the commit carried.
    pub time: Timestamp,
    /// Who committed it.
    pub author: Author,
    /// What it changed, in the order of its operations.
    pub changes: Vec<Change>,
}

/// One record that a commit changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The tenant of the record.
    pub tenant: TenantId,
    /// Its collection.
    pub collection: String,
    /// Its key.
    pub key: String,
    /// The version that was made; of a deletion too, which counts as a version.
    pub version: u64,
    /// What was done.
    pub op: Op,
}

/// What was done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// It was made or changed.
    Put,
    /// It was deleted.
    Delete,
}

/// Reads entries behind a position.
pub(crate) fn read(
    snapshot: &Snapshot<'_>,
    after: u64,
    limit: usize,
) -> Result<Vec<FeedEntry>, FeedError> {
    let head = snapshot.position()?;
    if after > head {
        return Err(FeedError::Ahead { head });
    }
    let (table, txn) = (snapshot.core().tables.feed, snapshot.txn());
    let first = table.first(txn).map_err(StoreError::storage("read"))?;
    let oldest = match first {
        Some((key, _)) => position_of(key)?,
        None => head + 1,
    };
    if after + 1 < oldest {
        return Err(FeedError::TooOld { oldest });
    }
    let start = after.to_be_bytes();
    let range = (Bound::Excluded(&start[..]), Bound::Unbounded);
    let found = table.range(txn, &range).map_err(StoreError::storage("read"))?;
    let mut entries = Vec::new();
    for entry in found.take(limit.min(FEED_PAGE_MAX)) {
        let (key, bytes) = entry.map_err(StoreError::storage("read"))?;
        let entry = parse(key, bytes)?;
        if entry.position != after + 1 + entries.len() as u64 {
            return Err(corrupt(entry.position, "a position is missing").into());
        }
        entries.push(entry);
    }
    Ok(entries)
}

pub(crate) fn append(
    table: Table,
    txn: &mut RwTxn<'_>,
    entry: &FeedEntry,
) -> Result<(), StoreError> {
    let key = entry.position.to_be_bytes();
    let text = serde_json::to_vec(entry).map_err(|error| {
        StoreError::encode("the change feed", &entry.position.to_string())(error.into())
    })?;
    table.put(txn, &key, &frame::guard(&key, &text)).map_err(StoreError::storage("write"))
}

/// Drops entries that are older than what is kept.
pub(crate) fn trim(core: &Core, txn: &mut RwTxn<'_>, head: u64) -> Result<(), StoreError> {
    let end = head.saturating_sub(core.options.feed_entries_max).to_be_bytes();
    let range = (Bound::Unbounded, Bound::Included(&end[..]));
    core.tables.feed.delete_range(txn, &range).map_err(StoreError::storage("write"))?;
    Ok(())
}

pub(crate) fn parse(key: &[u8], bytes: &[u8]) -> Result<FeedEntry, StoreError> {
    let position = position_of(key)?;
    let text = frame::guarded(key, bytes).ok_or_else(|| corrupt(position, "checksum"))?;
    serde_json::from_slice(text)
        .map_err(|error| StoreError::decode("the change feed", &position.to_string())(error.into()))
}

fn position_of(key: &[u8]) -> Result<u64, StoreError> {
    key.try_into().map(u64::from_be_bytes).map_err(|_| corrupt(0, "layout"))
}

fn corrupt(position: u64, reason: &'static str) -> StoreError {
    StoreError::Corrupt { what: format!("position {position} of the change feed"), reason }
}
