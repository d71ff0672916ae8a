//! What can go wrong, by name.

use std::path::PathBuf;
use std::sync::Arc;

use weir_model::TenantId;

use crate::commit::Expect;

/// The cause beneath an error. It is shared because one failed flush is told to every commit that
/// waited for it.
pub(crate) type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// What can go wrong with the store as a whole, or with one stored value.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or this one, has the folder open.
    #[error("another Weir has this data folder open{}: {}", pid_text(*.pid), .dir.display())]
    AlreadyOpen {
        /// The data folder.
        dir: PathBuf,
        /// The process that has it open, where it could be told.
        pid: Option<u32>,
    },
    /// The folder was written by a newer Weir.
    #[error(
        "this data folder has format {found}, and this Weir knows formats up to {known}: use a newer Weir"
    )]
    NewerFormat {
        /// The format of the folder.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// The data file is not one of Weir's.
    #[error("this is not a data file of Weir: {}", .path.display())]
    NotAStore {
        /// The data file.
        path: PathBuf,
    },
    /// A stored value does not match its checksum, its seal or its place. It is not served.
    #[error("a stored value is damaged ({reason}): {what}")]
    Corrupt {
        /// Which value.
        what: String,
        /// How it is known.
        reason: &'static str,
    },
    /// Two long keys or index values have one SHA-256.
    #[error("two long keys of {collection} share one hash: {key} and {other}")]
    HashCollision {
        /// The collection.
        collection: &'static str,
        /// The key that was meant.
        key: String,
        /// The key that is stored.
        other: String,
    },
    /// `secret.key` is not beside the data.
    #[error("the key of the secret collections is missing: {}", .path.display())]
    SecretKeyMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// `secret.key` is not the key that the data was written with, or not a key at all.
    #[error("this is not the key that the secret collections were sealed with: {}", .path.display())]
    SecretKeyWrong {
        /// The file.
        path: PathBuf,
    },
    /// A record cannot be written by its codec.
    #[error("encode {key} of {collection}")]
    Encode {
        /// The collection.
        collection: &'static str,
        /// The key.
        key: String,
        /// What the codec says.
        source: Cause,
    },
    /// Stored bytes cannot be read by their codec.
    #[error("decode {key} of {collection}")]
    Decode {
        /// The collection.
        collection: &'static str,
        /// The key.
        key: String,
        /// What the codec says.
        source: Cause,
    },
    /// The collection is not in the schema that the store was opened with.
    #[error("the store was opened without a collection {name}")]
    UnknownCollection {
        /// Its name.
        name: String,
    },
    /// The collection has no such index.
    #[error("the collection {collection} has no index {index}")]
    UnknownIndex {
        /// The collection.
        collection: &'static str,
        /// The index.
        index: String,
    },
    /// The schema contradicts itself.
    #[error("the collection {name} cannot be served: {reason}")]
    Schema {
        /// The collection.
        name: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A key is empty.
    #[error("a key of {collection} is empty")]
    EmptyKey {
        /// The collection.
        collection: &'static str,
    },
    /// A unique index that a newer program introduced does not fit the stored records.
    #[error(
        "tenant {tenant}: two records of {collection} have the same {index}: {key} and {other}"
    )]
    NotUnique {
        /// The tenant.
        tenant: TenantId,
        /// The collection.
        collection: &'static str,
        /// The index.
        index: &'static str,
        /// One record.
        key: String,
        /// The other.
        other: String,
    },
    /// There is no room on the disk, or within the size the store was given.
    #[error("there is no room left for the data")]
    DiskFull,
    /// A line of an import cannot be taken. Lines before it may have been.
    #[error("line {line} of the import: {reason}")]
    Import {
        /// The line, counted from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// The folder of a backup holds data already.
    #[error("there is data already where the backup should go: {}", .dir.display())]
    BackupExists {
        /// The folder.
        dir: PathBuf,
    },
    /// The file system refused.
    #[error("{attempt} {}", .path.display())]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: Cause,
    },
    /// The storage engine refused.
    #[error("{attempt} the data file")]
    Storage {
        /// What was attempted.
        attempt: &'static str,
        /// Why it failed.
        source: Cause,
    },
}

fn pid_text(pid: Option<u32>) -> String {
    pid.map(|pid| format!(", pid {pid}")).unwrap_or_default()
}

/// Why a commit was not accepted. Nothing of it was done, except as [`CommitError::Store`] says.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A record is not in the version it was expected to have.
    #[error("{key} of {collection} was changed by someone else{}", version_text(*.current))]
    Conflict {
        /// The collection.
        collection: &'static str,
        /// The key.
        key: String,
        /// The version that was expected.
        expected: Expect,
        /// The version it has; none where it does not exist.
        current: Option<u64>,
    },
    /// A value of a unique index belongs to another record.
    #[error("the {index} {value:?} of {collection} belongs to {holder}")]
    Duplicate {
        /// The collection.
        collection: &'static str,
        /// The index.
        index: &'static str,
        /// The value.
        value: String,
        /// The key that was to have it.
        key: String,
        /// The key that has it.
        holder: String,
    },
    /// A bound is passed.
    #[error("{what} is too large: {bytes_or_count}, and at most {max} is allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes, or its number.
        bytes_or_count: usize,
        /// The bound.
        max: usize,
    },
    /// There is nothing in it.
    #[error("the commit is empty")]
    Empty,
    /// Too many commits wait already; try again.
    #[error("too many changes are waiting to be written")]
    Busy,
    /// There is no room on the disk. Reads go on, and commits do as soon as there is room.
    #[error("there is no room left for the data")]
    DiskFull,
    /// The store was stopped before it was written.
    #[error("the store is stopped")]
    Stopped,
    /// The store failed. If it failed while flushing, the commit may still turn out to be stored.
    #[error("write to the store")]
    Store(#[source] StoreError),
}

fn version_text(current: Option<u64>) -> String {
    match current {
        Some(version) => format!(" and is in version {version}"),
        None => " and does not exist".into(),
    }
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::DiskFull,
            other => Self::Store(other),
        }
    }
}

/// Why the change feed cannot be read from a position.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The entries behind this position are no longer kept.
    #[error("the change feed reaches back to position {oldest} only")]
    TooOld {
        /// The oldest position that is kept.
        oldest: u64,
    },
    /// The position lies in the future: it comes from another store, or from before a restore.
    #[error("the change feed ends at position {head}")]
    Ahead {
        /// The newest position.
        head: u64,
    },
    /// The store failed.
    #[error("read the change feed")]
    Store(#[from] StoreError),
}

impl StoreError {
    pub(crate) fn io(
        attempt: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| match is_full(&error) {
            true => Self::DiskFull,
            false => Self::Io { attempt, path, source: Arc::new(error) },
        }
    }

    pub(crate) fn storage(attempt: &'static str) -> impl FnOnce(heed::Error) -> Self {
        move |error| match &error {
            heed::Error::Mdb(heed::MdbError::MapFull) => Self::DiskFull,
            heed::Error::Io(io) if is_full(io) => Self::DiskFull,
            _ => Self::Storage { attempt, source: Arc::new(error) },
        }
    }

    pub(crate) fn encode(
        collection: &'static str,
        key: &str,
    ) -> impl FnOnce(crate::BoxError) -> Self {
        let key = key.to_owned();
        move |source| Self::Encode { collection, key, source: source.into() }
    }

    pub(crate) fn decode(
        collection: &'static str,
        key: &str,
    ) -> impl FnOnce(crate::BoxError) -> Self {
        let key = key.to_owned();
        move |source| Self::Decode { collection, key, source: source.into() }
    }
}

/// A full disk, a used-up quota, or a file at the largest size its file system or limit allows.
fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
