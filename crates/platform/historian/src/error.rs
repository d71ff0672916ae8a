//! What can go wrong: one error for appending, which callers act on, and one for all the rest.

use std::io;
use std::path::{Path, PathBuf};

use weir_model::{TagId, Timestamp};

/// Why a batch was not stored. Nothing of it was stored then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A sample lies further in the future than the historian allows, counted from the batch's
    /// arrival.
    #[error(
        "sample {index} of tag {tag} has the time {time}, which is after {latest}, the latest \
         accepted"
    )]
    TimeInFuture {
        /// Which of the batch's samples, from 0.
        index: usize,
        /// Its tag.
        tag: TagId,
        /// Its time.
        time: Timestamp,
        /// The latest time that would have been accepted.
        latest: Timestamp,
    },
    /// The batch is larger than one record of the log may be; send it in parts.
    #[error("the batch takes up to {bytes} bytes in the log, at most {bytes_max} are accepted")]
    TooLarge {
        /// Bytes the batch may take.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The batch has samples of more days than one batch may touch; send it in parts.
    #[error("the batch has samples of more than {days_max} days (UTC)")]
    TooManyDays {
        /// The bound.
        days_max: usize,
    },
    /// The sequence lies so far below the producer's highest that it is not known whether the
    /// batch was stored.
    #[error(
        "producer \"{producer}\" has sent sequence {highest}, {sequence} is too far below it: count \
         upwards, and send batches at the same time with sequences at most {} apart",
        crate::SEQUENCE_WINDOW - 1
    )]
    SequenceTooOld {
        /// The producer's name.
        producer: String,
        /// The batch's sequence.
        sequence: u64,
        /// The highest that is stored.
        highest: u64,
    },
    /// The rows of too many deletions are still in blocks; try again when some were merged.
    #[error(
        "the samples of {deletions_max} deletions are still to be removed from files: try again later"
    )]
    TooManyDeletions {
        /// The bound.
        deletions_max: usize,
    },
    /// More is waiting to be stored than the queue holds; try again later.
    #[error("the historian is overloaded: its queue is full")]
    Overloaded,
    /// The disk has no space left; appending works again as soon as it has.
    #[error("the disk of the historian is full")]
    DiskFull,
    /// The disk cannot be written for another reason (read-only, failing); appending works again
    /// as soon as it can.
    #[error("the historian cannot write: {reason}")]
    Unavailable {
        /// What the operating system said, with the file.
        reason: String,
    },
    /// The historian is closed or closing.
    #[error("the historian is closed")]
    Closed,
}

/// Why the historian could not be opened, read or flushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistorianError {
    /// Another historian, here or in another process, has the folder open.
    #[error("the historian's folder {} is already open elsewhere", dir.display())]
    AlreadyOpen {
        /// The folder.
        dir: PathBuf,
    },
    /// A file is not what was written; nothing of the damaged part was used.
    #[error("{} is damaged at offset {offset}: {reason}", file.display())]
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// Where in it, in bytes from its start.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A file was written by a newer version of Weir.
    #[error("{} has format {found}, this version reads up to {supported}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format this version reads.
        supported: u32,
    },
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted: a verb.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// What is in memory could not be written to files; it stays in the log and in memory, and is
    /// tried again.
    #[error("cannot flush: {reason}")]
    Flush {
        /// Why.
        reason: String,
    },
    /// More samples were asked for at once than an answer may hold; ask in pages.
    #[error("at most {limit_max} samples are read at once, {limit} were asked for")]
    LimitTooLarge {
        /// Asked for.
        limit: usize,
        /// The bound.
        limit_max: usize,
    },
    /// What was asked for holds more texts and arrays than an answer may; ask for less at once.
    #[error("the samples asked for hold more than {bytes_max} bytes of texts and arrays")]
    AnswerTooLarge {
        /// The bound.
        bytes_max: usize,
    },
    /// More aggregates were asked for at once than an answer may hold; ask for wider buckets, fewer
    /// tags or a shorter span.
    #[error("at most {buckets_max} buckets are answered at once, {buckets} were asked for")]
    TooManyBuckets {
        /// Asked for: buckets of the span times tags.
        buckets: u64,
        /// The bound.
        buckets_max: usize,
    },
    /// Blocks replace more rows of one another than can be told apart; they are soon merged.
    #[error("a block has more than {rows_max} rows that others replace: it is merged soon")]
    TooManyReplaced {
        /// The bound.
        rows_max: usize,
    },
    /// There is too little space on the disk to merge files: they are merged by themselves once there
    /// is enough.
    #[error(
        "merging waits for space on the disk: {needed_bytes} bytes are needed, {free_bytes} are free"
    )]
    NoRoom {
        /// Bytes that must be free.
        needed_bytes: u64,
        /// Bytes that are.
        free_bytes: u64,
    },
    /// The historian is closed or closing.
    #[error("the historian is closed")]
    Closed,
}

impl HistorianError {
    pub(crate) fn corrupt(file: &Path, offset: u64, reason: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_owned(), offset, reason: reason.into() }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
