//! What can be set, and the bounds that cannot.

use std::time::Duration;

use crate::Clock;

/// Largest batch in the bytes it may take in the log: about 280,000 numbers. A batch must fit
/// memory several times over while it is queued, written and replayed.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// Of so many sequences, up to a producer's highest, it is known which are stored. Batches of one
/// producer may arrive in any order as long as their sequences are less than this apart.
pub const SEQUENCE_WINDOW: u64 = 128;

/// Most samples one read answers with: 48 MB of them.
pub const RANGE_SAMPLES_MAX: usize = 1_000_000;

/// Most bytes of texts and arrays one read answers with.
pub const RANGE_HEAP_BYTES_MAX: usize = 64 << 20;

/// Most producers remembered for each tenant. Beyond it, the sixteenth part that has been silent
/// for longest is forgotten: a batch that one of those sends again is stored and published a
/// second time. Reads still show each of its samples once, because the highest log position of a
/// (tag, time) wins.
pub const PRODUCERS_PER_TENANT_MAX: usize = 16_384;

/// What the historian can be set to. The defaults suit one machine of a factory.
#[derive(Debug, Clone)]
pub struct Options {
    /// How far after its batch's arrival the time of a sample may lie.
    pub future_max: Duration,
    /// Bytes of samples held in memory before they are written to a block; twice as much is held
    /// while a block is being written.
    pub memory_bytes_max: usize,
    /// Bytes of log after which memory is written to blocks, so that opening stays fast.
    pub log_bytes_max: u64,
    /// How long a sample stays in memory and log alone at most.
    pub flush_age_max: Duration,
    /// Bytes of batches that may wait to be written. A batch that takes more waits until
    /// the queue is empty.
    pub queue_bytes_max: usize,
    /// How long an append waits for room in the queue before it is refused as overloaded.
    pub queue_wait_max: Duration,
    /// Most batches that share one `fdatasync`; 1 gives every batch its own.
    pub group_batches_max: usize,
    /// Size at which a segment of the log is ended and the next begun.
    pub segment_bytes: u64,
    /// Most small blocks a day of a tenant may have before they are merged.
    pub day_blocks_max: usize,
    /// Rows beyond which a block of a day that is not over is no longer merged with others, and
    /// with which a merged block ends as soon as its tag does.
    pub block_rows_max: u64,
    /// How long after its end, and after the last new samples of it, a day (UTC) is merged into as
    /// few files as can be.
    pub day_quiet: Duration,
    /// The same of a month, whose days are merged.
    pub month_quiet: Duration,
    /// What tells the time.
    pub clock: Clock,
    /// Most reads of blocks that run at the same time; others wait.
    pub reads_max: usize,
    /// Bytes of batches that the live stream keeps for those who reconnect or were too slow.
    pub live_bytes_max: usize,
    /// Batches that a slow receiver of the live stream may be behind; of large ones fewer, because
    /// they stay in memory for the slowest: together at most four times `live_bytes_max`.
    pub live_batches_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            future_max: Duration::from_secs(5 * 60),
            memory_bytes_max: 24 << 20,
            log_bytes_max: 64 << 20,
            flush_age_max: Duration::from_secs(2 * 60),
            queue_bytes_max: 32 << 20,
            queue_wait_max: Duration::from_secs(2),
            group_batches_max: 1024,
            segment_bytes: 16 << 20,
            day_blocks_max: 8,
            block_rows_max: 16_000_000,
            day_quiet: Duration::from_secs(2 * 3600),
            month_quiet: Duration::from_secs(2 * 86_400),
            clock: Clock::default(),
            reads_max: 4,
            live_bytes_max: 1 << 20,
            live_batches_max: 256,
        }
    }
}
