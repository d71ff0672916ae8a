//! The data folder: its tables and the format they have.

use std::path::Path;

use heed::types::Bytes;
use heed::{Database, Env, MdbError, RoTxn, RwTxn, WithoutTls};

use crate::error::StoreError;
use crate::lock::FolderLock;
use crate::meta;
use crate::unsafe_env;

/// The format of the data folder and of exports that this program writes. It reads all up to it.
pub const FORMAT: u32 = 1;

pub(crate) type Table = Database<Bytes, Bytes>;

/// A key and its value, as they lie in a table.
pub(crate) type Stored<'t> = (&'t [u8], &'t [u8]);

/// Every table; `keys.rs` tells their keys.
#[derive(Clone, Copy)]
pub(crate) struct Tables {
    pub(crate) records: Table,
    pub(crate) history: Table,
    pub(crate) indexes: Table,
    pub(crate) counters: Table,
    pub(crate) feed: Table,
    pub(crate) meta: Table,
}

const META: &str = "meta";
const TABLES_MAX: u32 = 8;

/// Map sizes are rounded up to this; it is a multiple of every page size in use.
const MAP_STEP_BYTES: usize = 1 << 20;

pub(crate) fn open(
    dir: &Path,
    lock: &FolderLock,
    map_bytes: usize,
) -> Result<Env<WithoutTls>, StoreError> {
    let map_bytes = map_bytes.max(1).div_ceil(MAP_STEP_BYTES) * MAP_STEP_BYTES;
    let path = dir.join("data.mdb");
    let env = unsafe_env::open(dir, lock, map_bytes, TABLES_MAX).map_err(|error| match error {
        heed::Error::Mdb(MdbError::Invalid | MdbError::VersionMismatch) => {
            StoreError::NotAStore { path }
        }
        other => StoreError::storage("open")(other),
    })?;
    // Slots of readers that died with their process would keep old pages from being used again.
    env.clear_stale_readers().map_err(StoreError::storage("clear the readers of"))?;
    Ok(env)
}

impl Tables {
    /// Opens the tables, making those that are missing, once the format is known to be ours.
    pub(crate) fn open(env: &Env<WithoutTls>, txn: &mut RwTxn<'_>) -> Result<Self, StoreError> {
        check_format(env, txn)?;
        let mut table = |name: &str| {
            env.create_database(txn, Some(name)).map_err(StoreError::storage("open a table of"))
        };
        let tables = Self {
            records: table("records")?,
            history: table("history")?,
            indexes: table("indexes")?,
            counters: table("counters")?,
            feed: table("feed")?,
            meta: table(META)?,
        };
        meta::put(tables.meta, txn, meta::FORMAT, &FORMAT.to_be_bytes())?;
        Ok(tables)
    }
}

/// The first entry behind a key, or the first of all behind an empty one. Walks that page, or jump over what they do not want, go by it.
pub(crate) fn behind<'t>(
    table: Table,
    txn: &'t RoTxn<'_>,
    key: &[u8],
) -> Result<Option<Stored<'t>>, StoreError> {
    let found = match key.is_empty() {
        true => table.first(txn), // LMDB takes no empty key
        false => table.get_greater_than(txn, key),
    };
    found.map_err(StoreError::storage("read"))
}

fn check_format(env: &Env<WithoutTls>, txn: &RwTxn<'_>) -> Result<(), StoreError> {
    let foreign = || StoreError::NotAStore { path: env.path().join("data.mdb") };
    let open = StoreError::storage("open a table of");
    let table: Option<Table> = env.open_database(txn, Some(META)).map_err(open)?;
    let Some(table) = table else {
        let root: Option<Table> =
            env.open_database(txn, None).map_err(StoreError::storage("open"))?;
        let entries = match root {
            Some(root) => root.len(txn).map_err(StoreError::storage("read"))?,
            None => 0,
        };
        return if entries == 0 { Ok(()) } else { Err(foreign()) };
    };
    match meta::get_u32(table, txn, meta::FORMAT)? {
        None => Err(foreign()),
        Some(found) if found > FORMAT => Err(StoreError::NewerFormat { found, known: FORMAT }),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
