//! What a domain declares about one kind of record.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Any error of a codec.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One kind of record: its name, its Rust type, how it is written, found and remembered.
pub trait Collection: Send + Sync + 'static {
    /// The stable name, 1 to 64 bytes: it is stored, exported and shown on the change feed.
    const NAME: &'static str;

    /// The record in memory.
    type Record: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// How many superseded versions are kept.
    const HISTORY: History;

    /// Whether records are encrypted at rest and left out of exports. Keys are not encrypted:
    /// choose keys that tell nothing. Values of indexes are stored as keyed hashes.
    const SECRET: bool = false;

    /// The indexes, at most 254.
    const INDEXES: &'static [Index] = &[];

    /// Raise it when [`Collection::index`] gives other values for the same record: the indexes of
    /// stored records are then made anew when the store opens. (A change of
    /// [`Collection::INDEXES`] is noticed without.)
    const INDEXES_REVISION: u32 = 1;

    /// Names the values under which a record is found, at most
    /// [`INDEX_VALUES_MAX`](crate::INDEX_VALUES_MAX) of them.
    fn index(record: &Self::Record, add: &mut dyn FnMut(&'static str, &str)) {
        let _ = (record, add);
    }

    /// The stored bytes of a record; JSON unless a collection says otherwise.
    ///
    /// # Errors
    /// Whatever the codec cannot write.
    fn encode(record: &Self::Record) -> Result<Vec<u8>, BoxError> {
        Ok(serde_json::to_vec(record)?)
    }

    /// The record of stored bytes. It must read whatever any released version wrote.
    ///
    /// # Errors
    /// Whatever the codec cannot read.
    fn decode(bytes: &[u8]) -> Result<Self::Record, BoxError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The JSON view of a record, for exports.
    ///
    /// # Errors
    /// Whatever has no JSON.
    fn to_json(record: &Self::Record) -> Result<serde_json::Value, BoxError> {
        Ok(serde_json::to_value(record)?)
    }

    /// The record of a JSON view, for imports.
    ///
    /// # Errors
    /// Whatever is not a record.
    fn from_json(value: serde_json::Value) -> Result<Self::Record, BoxError> {
        Ok(serde_json::from_value(value)?)
    }
}

/// How many superseded versions of a record are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// None: only the current version can be read, and a deletion leaves nothing behind.
    None,
    /// The given number of versions before the current one.
    Versions(u32),
    /// Every version for ever.
    All,
}

/// One index of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Its name within the collection.
    pub name: &'static str,
    /// Whether a value belongs to one record at most, within a tenant.
    pub unique: bool,
}

impl Index {
    /// An index whose values belong to one record at most, within a tenant.
    pub const fn unique(name: &'static str) -> Self {
        Self { name, unique: true }
    }

    /// An index whose values may be shared by many records.
    pub const fn shared(name: &'static str) -> Self {
        Self { name, unique: false }
    }
}
