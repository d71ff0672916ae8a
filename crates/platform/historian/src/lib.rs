//! The historian: every sample of every tag, durable before it is acknowledged.
//!
//! A batch goes to a write-ahead log (many waiting batches share one `fdatasync`), then to memory,
//! and from there, sorted, to standard Parquet files of one tenant and day, which are merged by day
//! and month. Reads merge memory and files; of two samples of one tag and time, the one stored later
//! counts. It knows tenants, tags as numbers, and samples; nothing here knows names, units, grades,
//! HTTP or SQL.
//!
//! | in the folder | what |
//! | --- | --- |
//! | `log/<position>.wal` | segments of the log that is not in blocks yet |
//! | `blocks/tenant=T/month=YYYY-MM/block-<n>.parquet` | blocks |
//! | `manifest` | which blocks are live, and up to which position they cover the log |
//! | `checkpoint-<n>` | last values and producers, as of the manifest |
//! | `tmp/`, `lock` | blocks being written; the lock of the process that has the folder open |
//! | `quarantine/` | damaged files that a repair has put aside |
//!
//! Every file has a format version and checksums, which every read verifies: damage is an error
//! that names the file and the place, and damaged bytes are never answered.
//!
//! ```
//! use weir_historian::{Historian, Options};
//! use weir_model::{Batch, Sample, TagId, TenantId, Timestamp, Value};
//!
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path();
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let historian = Historian::open(dir, Options::default())?;
//! let now = Timestamp::from_system(std::time::SystemTime::now());
//! let samples = vec![(TagId(7), Sample::good(now, Value::F64(21.5)))];
//! let batch = Batch { tenant: TenantId(1), producer: None, backfill: false, arrival: now, samples: samples.into() };
//! historian.append(batch).await?; // durable from here on
//! let last = historian.last(TenantId(1), TagId(7)).map(|sample| sample.value);
//! assert_eq!(last, Some(Some(Value::F64(21.5))));
//! historian.close().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aggregate;
mod block;
mod blocks;
mod bulk;
mod check;
mod checkpoint;
mod clock;
mod contents;
mod deletion;
mod disk;
mod downsample;
mod error;
mod export;
mod frame;
mod historian;
mod keeper;
mod last;
mod latest;
mod live;
mod log;
mod manifest;
mod memory;
mod merge;
mod options;
mod page;
mod producers;
mod queue;
mod recovery;
mod repair;
mod rollup;
mod row;
mod scan;
mod shared;
mod span;
mod stats;
mod thin;
mod upkeep;
mod writer;

pub use aggregate::{AGGREGATE_ROWS_MAX, Aggregate, AggregateQuery, Numbers, Weighted};
pub use blocks::{BlockFile, Blocks, ExactBlock, ExactMonth, Overlaps, WantedTags, blocks};
pub use bulk::Bulk;
pub use check::{Checked, Fault, Lost, Seen, Watch, check};
pub use clock::Clock;
pub use contents::{Contents, SpanContents, contents};
pub use deletion::DELETIONS_MAX;
pub use error::{AppendError, HistorianError};
pub use export::{ExportError, ExportedRow, ParquetExport, ParquetImport};
pub use frame::{AT_TIMES_MAX, AtTimes, Convert, Frame, Frames, Signal};
pub use historian::{Appended, Historian};
pub use live::{Live, LiveBatch};
pub use options::{
    BATCH_BYTES_MAX, Options, PRODUCERS_PER_TENANT_MAX, RANGE_HEAP_BYTES_MAX, RANGE_SAMPLES_MAX,
    SEQUENCE_WINDOW,
};
pub use page::Page;
pub use repair::{Step, repair};
pub use rollup::RollupLevel;
pub use stats::{MergeWait, Stats};

#[cfg(test)]
mod tests;
