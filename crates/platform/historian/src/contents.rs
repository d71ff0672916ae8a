//! What a historian holds, by tenant and day or month: from its manifest alone, no block is read.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use weir_model::{TenantId, Timestamp};

use crate::block::BlockEntry;
use crate::check::{lock, log};
use crate::manifest::{self, Manifest};
use crate::span::Span;
use crate::{Historian, HistorianError, MergeWait};

/// What a folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Contents {
    /// The blocks by tenant and span of days.
    pub spans: Vec<SpanContents>,
    /// Samples ever stored, counting those that replaced others; of a stopped historian without those
    /// in its log.
    pub samples: u64,
    /// The newest position; of a stopped historian the newest in blocks.
    pub position: u64,
    /// Bytes of the log's files.
    pub log_bytes: u64,
    /// Bytes of samples in memory; none of a stopped historian.
    pub memory_bytes: u64,
    /// Deletions whose rows may still be in blocks.
    pub deletions: u64,
    /// Bytes of files that a repair has put aside.
    pub quarantine_bytes: u64,
    /// The merge that waits for space on the disk; none of a stopped historian.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge_wait: Option<MergeWait>,
}

/// The blocks of a tenant's day or month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpanContents {
    /// Whose.
    pub tenant: TenantId,
    /// The date of the first day.
    pub date: String,
    /// How many days: 1, or those of a month.
    pub days: u16,
    /// How many blocks.
    pub blocks: u64,
    /// Their rows, counting those that are in several blocks.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The earliest time.
    pub from: Timestamp,
    /// The latest time.
    pub to: Timestamp,
}

/// What a folder holds that no historian has open.
///
/// # Errors
/// [`HistorianError::AlreadyOpen`]; [`HistorianError::Corrupt`] of its manifest;
/// [`HistorianError::Format`]; [`HistorianError::Io`].
pub fn contents(dir: &Path) -> Result<Contents, HistorianError> {
    let _lock = lock(dir)?;
    let missing = || HistorianError::corrupt(&manifest::path(dir), 0, "it is missing");
    let manifest = Manifest::load(dir)?.ok_or_else(missing)?;
    let segments = log::segments(dir)?;
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    Ok(Contents {
        spans: spans(manifest.blocks.iter()),
        samples: manifest.samples,
        position: manifest.covered,
        log_bytes: segments.iter().map(|segment| bytes(&segment.path)).sum(),
        memory_bytes: 0,
        deletions: manifest.deletions.len() as u64,
        quarantine_bytes: folder_bytes(&dir.join(crate::repair::QUARANTINE)),
        merge_wait: None,
    })
}

impl Historian {
    /// What it holds at this moment.
    pub fn contents(&self) -> Contents {
        let stats = self.stats();
        let version = self.shared().view().version;
        Contents {
            spans: spans(version.blocks().map(|block| block.entry())),
            samples: stats.samples,
            position: stats.position,
            log_bytes: stats.wal_bytes,
            memory_bytes: stats.memory_bytes as u64,
            deletions: stats.deletions as u64,
            quarantine_bytes: folder_bytes(&self.shared().dir.join(crate::repair::QUARANTINE)),
            merge_wait: stats.merge_wait,
        }
    }
}

fn spans<'a>(entries: impl Iterator<Item = &'a BlockEntry>) -> Vec<SpanContents> {
    let mut spans: BTreeMap<(TenantId, Span), SpanContents> = BTreeMap::new();
    for entry in entries {
        let (from, to) =
            (Timestamp::from_nanos(entry.time_min), Timestamp::from_nanos(entry.time_max));
        let span = spans.entry((entry.tenant, entry.span())).or_insert_with(|| SpanContents {
            tenant: entry.tenant,
            date: entry.span().date(),
            days: entry.span().days(),
            blocks: 0,
            rows: 0,
            bytes: 0,
            from,
            to,
        });
        span.blocks += 1;
        span.rows += entry.rows;
        span.bytes += entry.bytes;
        (span.from, span.to) = (span.from.min(from), span.to.max(to));
    }
    spans.into_values().collect()
}

/// Bytes of the files below a folder; those that cannot be looked at count as none.
fn folder_bytes(folder: &Path) -> u64 {
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                bytes += metadata.len();
            }
        }
    }
    bytes
}
