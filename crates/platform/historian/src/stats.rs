//! Numbers about the historian, for metrics and the console.

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
