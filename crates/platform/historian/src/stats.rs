//! Numbers about the historian, for metrics and the console.

use serde::Serialize;

/// A merge of files that waits for space on the disk. It begins by itself once there is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MergeWait {
    /// Bytes that must be free for it: those of the files that it reads, and what log and memory may
    /// grow to.
    pub needed_bytes: u64,
    /// Bytes that were free when it was asked for last.
    pub free_bytes: u64,
}

/// What the historian holds and does at this moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Samples ever stored, counting those that replaced others.
    pub samples: u64,
    /// Batches ever stored: the position of the newest one.
    pub position: u64,
    /// Bytes of the blocks on disk.
    pub bytes: u64,
    /// Bytes of the log on disk that hold records.
    pub wal_bytes: u64,
    /// Number of blocks.
    pub blocks: usize,
    /// Blocks found damaged since the historian was opened.
    pub damaged_blocks: usize,
    /// Bytes of samples in memory that are not in blocks yet.
    pub memory_bytes: usize,
    /// The merge that waits for space on the disk, where one does: the first that was refused.
    pub merge_wait: Option<MergeWait>,
    /// Deletions whose rows may still be in blocks, hidden from every read.
    pub deletions: usize,
    /// Bytes of batches waiting to be written.
    pub queue_bytes: usize,
    /// The bound of `queue_bytes`.
    pub queue_bytes_max: usize,
    /// Producers remembered.
    pub producers: usize,
    /// Tags with a last value.
    pub tags: usize,
    /// Batches stored since the historian was opened.
    pub appended: u64,
    /// Batches recognised as sent again since the historian was opened.
    pub duplicates: u64,
    /// Batches refused since the historian was opened.
    pub refused: u64,
    /// Why appends are refused at this moment, when they are.
    pub unavailable: Option<String>,
}
