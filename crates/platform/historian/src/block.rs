//! Blocks: the sorted, immutable Parquet files of one tenant, and of one day or month.
//!
//! A block is `blocks/tenant=T/month=YYYY-MM/block-<number>.parquet`, standard Parquet that other
//! programs read in place, sorted by (tag, time), with the columns that `docs/specs/block.md`
//! describes. Those of manifests before format 3 lie in folders of their day until they are merged. Its footer holds the checksum of every [`checksum::CHUNK_BYTES`] before it under the key
//! [`checksum::METADATA_KEY`]; the manifest holds the checksum of the footer.

pub(crate) mod array;
mod batches;
pub(crate) mod bounds;
pub(crate) mod checksum;
mod chunk;
mod columns;
mod decode;
mod encoding;
mod group;
pub(crate) mod keys;
pub(crate) mod pages;
pub(crate) mod piece;
pub(crate) mod read;
mod scale;
pub(crate) mod schema;
mod steps;
pub(crate) mod sums;
mod times;
pub(crate) mod write;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use weir_model::{Keep, TenantId};

use crate::HistorianError;
use crate::deletion::Deletion;
use crate::disk::Disk;
use crate::rollup::Directory;
use crate::span::Span;

/// What the manifest says of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlockEntry {
    /// Its number, never used for another.
    pub(crate) id: u64,
    /// Whose samples it holds.
    pub(crate) tenant: TenantId,
    /// The first day that it is of, in days since the epoch.
    pub(crate) day: i32,
    /// How many days it is of; 0 says one, and that the file lies in a folder of the day.
    #[serde(default)]
    pub(crate) days: u16,
    /// How many.
    pub(crate) rows: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// Where the part begins that `tail_crc32c` is of: page indexes and footer.
    pub(crate) tail_offset: u64,
    /// CRC32C from `tail_offset` to the end of the file.
    pub(crate) tail_crc32c: u32,
    /// Lowest tag.
    pub(crate) tag_min: u32,
    /// Highest tag.
    pub(crate) tag_max: u32,
    /// Earliest time in nanoseconds.
    pub(crate) time_min: i64,
    /// Latest time in nanoseconds.
    pub(crate) time_max: i64,
    /// The time of the first row, which is of the lowest tag, where it is known.
    #[serde(default)]
    pub(crate) first_time: Option<i64>,
    /// The time of the last row, which is of the highest tag, where it is known.
    #[serde(default)]
    pub(crate) last_time: Option<i64>,
    /// Highest position.
    pub(crate) position_max: u64,
    /// No deletion up to this position is of its rows.
    #[serde(default)]
    pub(crate) erased_to: u64,
    /// When the newest of its rows came from memory, in nanoseconds; 0 where it is not known.
    #[serde(default)]
    pub(crate) written: i64,
    /// What retention has left of its rows.
    #[serde(default)]
    pub(crate) keep: Keep,
}

impl BlockEntry {
    /// A block without rows.
    pub(crate) fn new(id: u64, tenant: TenantId, span: Span) -> Self {
        Self {
            id,
            tenant,
            day: span.first(),
            days: span.days(),
            rows: 0,
            bytes: 0,
            tail_offset: 0,
            tail_crc32c: 0,
            tag_min: u32::MAX,
            tag_max: 0,
            time_min: i64::MAX,
            time_max: i64::MIN,
            first_time: None,
            last_time: None,
            position_max: 0,
            erased_to: 0,
            written: 0,
            keep: Keep::All,
        }
    }

    /// The days that it is of.
    pub(crate) fn span(&self) -> Span {
        Span::new(self.day, self.days)
    }

    /// The tag and time before which it has no row.
    pub(crate) fn first_key(&self) -> (u32, i64) {
        (self.tag_min, self.first_time.unwrap_or(i64::MIN))
    }

    /// The tag and time after which it has no row.
    pub(crate) fn last_key(&self) -> (u32, i64) {
        (self.tag_max, self.last_time.unwrap_or(i64::MAX))
    }
}

/// A block of the current or an earlier version of the history. One that was merged into another
/// is removed when its last reader lets go of it.
pub(crate) struct Block {
    entry: BlockEntry,
    path: PathBuf,
    disk: Arc<dyn Disk>,
    obsolete: AtomicBool,
    damaged: AtomicBool,
    /// Where its rollups are; none in it where it has none.
    rollups: OnceLock<Option<Arc<Directory>>>,
    rollups_damaged: AtomicBool,
}

impl Block {
    /// A block that lies in the historian's folder.
    pub(crate) fn new(dir: &Path, disk: &Arc<dyn Disk>, entry: BlockEntry) -> Arc<Self> {
        Arc::new(Self {
            path: path(dir, &entry),
            entry,
            disk: Arc::clone(disk),
            obsolete: AtomicBool::new(false),
            damaged: AtomicBool::new(false),
            rollups: OnceLock::new(),
            rollups_damaged: AtomicBool::new(false),
        })
    }

    /// What the manifest says of it.
    pub(crate) fn entry(&self) -> &BlockEntry {
        &self.entry
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes that no version from now on has the block.
    pub(crate) fn retire(&self) {
        self.obsolete.store(true, Ordering::Release);
    }

    /// Notes that a read found the file damaged, and whether it is the first to find so.
    pub(crate) fn mark_damaged(&self) -> bool {
        !self.damaged.swap(true, Ordering::Relaxed)
    }

    /// Whether a read found the file damaged.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Where its rollups are, which `read` finds out; none where it has none that can be read.
    pub(crate) fn rollups(
        &self,
        read: impl FnOnce() -> Result<Option<Arc<Directory>>, HistorianError>,
    ) -> Result<Option<Arc<Directory>>, HistorianError> {
        if self.rollups_damaged.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match self.rollups.get() {
            Some(known) => Ok(known.clone()),
            None => read().map(|found| self.rollups.get_or_init(|| found).clone()),
        }
    }

    /// Notes that its rollups cannot be read.
    pub(crate) fn give_up_rollups(&self) {
        self.rollups_damaged.store(true, Ordering::Relaxed);
    }

    /// Whether a deletion may be of its rows.
    pub(crate) fn may_have(&self, deletion: &Deletion) -> bool {
        self.entry.tenant == deletion.tenant
            && self.entry.erased_to < deletion.position
            && self.overlaps(deletion.tag, deletion.from, deletion.to)
    }

    /// Whether the block may hold rows of the tag with `from <= time < to`.
    pub(crate) fn overlaps(&self, tag: u32, from: i64, to: i64) -> bool {
        (self.entry.tag_min..=self.entry.tag_max).contains(&tag)
            && self.entry.time_max >= from
            && self.entry.time_min < to
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if *self.obsolete.get_mut()
            && let Err(error) = self.disk.remove(&self.path)
        {
            let file = self.path.display();
            tracing::warn!(%file, %error, "a merged block could not be removed; it is at the next start");
        }
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.entry.fmt(f)
    }
}

/// The folder of all blocks in the historian's folder.
pub(crate) fn folder(dir: &Path) -> PathBuf {
    dir.join("blocks")
}

/// Where a block lies.
pub(crate) fn path(dir: &Path, entry: &BlockEntry) -> PathBuf {
    let date = match entry.days {
        0 => format!("day={}", entry.span().date()),
        _ => format!("month={}", entry.span().date().get(..7).unwrap_or_default()),
    };
    folder(dir)
        .join(format!("tenant={}", entry.tenant))
        .join(date)
        .join(format!("block-{:012}.parquet", entry.id))
}

#[cfg(test)]
mod tests;
