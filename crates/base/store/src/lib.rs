//! The one place where Weir's documents are written and read.
//!
//! A change is a [`Commit`]: puts and deletes of records with the versions they expect, by an
//! author, at a time. It is made durable, gets a gap-free position and appears on the change feed;
//! all of it or nothing. Commits that wait together share one flush to the disk. A read is a
//! [`Snapshot`]: one consistent image, microseconds away, never held across an `await`.
//!
//! What this crate is not: it knows no document of any domain (a domain declares a [`Collection`]),
//! it reads no clock (times are passed in), and nothing outside of it knows LMDB.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! use serde::{Deserialize, Serialize};
//! use weir_model::{Author, RequestId, TenantId, Timestamp};
//! use weir_store::{Collection, Commit, Expect, History, Index, Options, Schema, Store};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Pump {
//!     name: String,
//! }
//! struct Pumps;
//! impl Collection for Pumps {
//!     const NAME: &'static str = "pumps";
//!     type Record = Pump;
//!     const HISTORY: History = History::All;
//!     const INDEXES: &'static [Index] = &[Index::unique("name")];
//!     fn index(record: &Pump, add: &mut dyn FnMut(&'static str, &str)) {
//!         add("name", &record.name);
//!     }
//! }
//!
//! let dir = tempfile::tempdir()?;
//! let store = Store::open(dir.path(), Schema::new().with::<Pumps>(), Options::default())?;
//! let author = Author {
//!     tenant: TenantId(1),
//!     principal: "88.100/ada".parse()?,
//!     cause: "pump.create".into(),
//!     request: RequestId(1),
//! };
//! let mut commit = Commit::new(author, Timestamp::parse("2026-11-23T08:00:00Z")?);
//! commit.put::<Pumps>("88.100/p-101", &Pump { name: "Feed pump".into() }, Expect::Absent);
//! let receipt = store.commit(commit).await?;
//! assert_eq!((receipt.position, receipt.versions), (1, vec![1]));
//!
//! let found = store.by_index::<Pumps>(TenantId(1), "name", "Feed pump", None, 10)?;
//! assert_eq!(found.items[0].key, "88.100/p-101");
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).map_err(|e| e.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Order of keys
//!
//! Keys are listed in the order of their UTF-8 bytes. A key longer than [`KEY_PLAIN_BYTES_MAX`] is
//! filed under its first 207 bytes, a byte that no UTF-8 text holds, and its SHA-256: it is found
//! under every prefix it starts with and stands behind all shorter keys that share its first 207
//! bytes, but among keys that share those 207 bytes the long ones follow their hashes.

mod apply;
mod backup;
mod collection;
mod commit;
mod core;
mod counters;
mod decide;
mod environment;
mod error;
mod export;
mod feed;
#[cfg(test)]
mod fixtures;
mod frame;
mod import;
mod keys;
mod lock;
mod meta;
mod options;
mod reindex;
mod schema;
mod snapshot;
mod stats;
mod store;
mod unsafe_env;
mod vault;
mod verify;
mod writer;

pub use backup::BackupReport;
pub use collection::{BoxError, Collection, History, Index};
pub use commit::{
    COMMIT_BYTES_MAX, COMMIT_OPERATIONS_MAX, Commit, Expect, INDEX_VALUES_MAX,
    LARGE_COMMIT_BYTES_MAX, LARGE_COMMIT_OPERATIONS_MAX, RECORD_BYTES_MAX, Receipt,
};
pub use decide::{Current, Decision, Refusal, State, decide};
pub use environment::FORMAT;
pub use error::{CommitError, FeedError, StoreError};
pub use export::ExportReport;
pub use feed::{Change, FEED_PAGE_MAX, FeedEntry, Op};
pub use import::{IMPORT_LINE_BYTES_MAX, ImportReport};
pub use keys::{KEY_BYTES_MAX, KEY_PLAIN_BYTES_MAX};
pub use options::Options;
pub use schema::Schema;
pub use snapshot::{PAGE_ITEMS_MAX, Page, Revision, Snapshot, Versioned};
pub use stats::Stats;
pub use store::Store;
pub use verify::VerifyReport;
pub use writer::COMMITS_WAITING_MAX;
