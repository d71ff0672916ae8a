//! The table `meta`: what the store knows of itself, by name.

use heed::{RoTxn, RwTxn};

use crate::environment::Table;
use crate::error::StoreError;
use crate::frame;

/// u32: the format of the folder.
pub(crate) const FORMAT: &str = "format";
/// u64: the position of the newest commit.
pub(crate) const HEAD: &str = "head";
/// 8 bytes: the fingerprint of the key of the secret collections.
pub(crate) const SEAL: &str = "seal";

/// u16 and a text: the number of a collection, and what its index entries were made by.
pub(crate) fn collection(name: &str) -> String {
    format!("collection/{name}")
}

pub(crate) fn get<'t>(
    table: Table,
    txn: &'t RoTxn<'_>,
    name: &str,
) -> Result<Option<&'t [u8]>, StoreError> {
    let Some(bytes) = table.get(txn, name.as_bytes()).map_err(StoreError::storage("read"))? else {
        return Ok(None);
    };
    frame::guarded(name.as_bytes(), bytes).map(Some).ok_or_else(|| damaged(name))
}

pub(crate) fn put(
    table: Table,
    txn: &mut RwTxn<'_>,
    name: &str,
    value: &[u8],
) -> Result<(), StoreError> {
    // Writing what is there already would cost a page and a flush at every opening.
    if get(table, txn, name)? == Some(value) {
        return Ok(());
    }
    let bytes = frame::guard(name.as_bytes(), value);
    table.put(txn, name.as_bytes(), &bytes).map_err(StoreError::storage("write"))
}

pub(crate) fn get_u32(
    table: Table,
    txn: &RoTxn<'_>,
    name: &str,
) -> Result<Option<u32>, StoreError> {
    let Some(bytes) = get(table, txn, name)? else { return Ok(None) };
    bytes.try_into().map(|bytes| Some(u32::from_be_bytes(bytes))).map_err(|_| damaged(name))
}

pub(crate) fn get_u64(
    table: Table,
    txn: &RoTxn<'_>,
    name: &str,
) -> Result<Option<u64>, StoreError> {
    let Some(bytes) = get(table, txn, name)? else { return Ok(None) };
    bytes.try_into().map(|bytes| Some(u64::from_be_bytes(bytes))).map_err(|_| damaged(name))
}

fn damaged(name: &str) -> StoreError {
    StoreError::Corrupt { what: format!("{name} of the store itself"), reason: "checksum" }
}
