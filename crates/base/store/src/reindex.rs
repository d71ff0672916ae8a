//! Making index entries anew, when a program declares other indexes than the one before.

use heed::RwTxn;

use crate::core::Entry;
use crate::environment::{Tables, behind};
use crate::error::StoreError;
use crate::frame::{Frame, IndexValues};
use crate::keys::{self, Place};
use crate::snapshot::filed_value;
use crate::vault::{Seat, Vault};

/// Replaces every index entry of a collection, within the transaction that opens the store.
pub(crate) fn run(
    entry: &Entry,
    tables: Tables,
    vault: &Vault,
    txn: &mut RwTxn<'_>,
) -> Result<(), StoreError> {
    let mut last = Vec::new();
    while let Some((key, _)) = next(entry, tables.indexes, txn, &last)? {
        tables.indexes.delete(txn, &key).map_err(StoreError::storage("write"))?;
        last = key;
    }
    last.clear();
    let mut records = 0_u64;
    while let Some((key, bytes)) = next(entry, tables.records, txn, &last)? {
        file_anew(entry, tables, vault, txn, &key, &bytes)?;
        records += 1;
        last = key;
    }
    tracing::info!(collection = entry.shape.name, records, "indexes made anew");
    Ok(())
}

/// A key and its value, copied, because the transaction they lie in is about to change.
type Copied = (Vec<u8>, Vec<u8>);

/// The next entry of the collection, of any tenant.
fn next(
    entry: &Entry,
    table: crate::environment::Table,
    txn: &RwTxn<'_>,
    last: &[u8],
) -> Result<Option<Copied>, StoreError> {
    let mut last = last.to_vec();
    while let Some((key, bytes)) = behind(table, txn, &last)? {
        let Some((place, _)) = Place::split(key) else { return Ok(None) };
        if place.collection == entry.id {
            return Ok(Some((key.to_vec(), bytes.to_vec())));
        }
        last = place.end();
    }
    Ok(None)
}

fn file_anew(
    entry: &Entry,
    tables: Tables,
    vault: &Vault,
    txn: &mut RwTxn<'_>,
    stored: &[u8],
    bytes: &[u8],
) -> Result<(), StoreError> {
    let shape = &entry.shape;
    let misplaced = StoreError::Corrupt { what: shape.name.into(), reason: "layout" };
    let (place, part) = Place::split(stored).ok_or(misplaced)?;
    let name = String::from_utf8_lossy(part);
    let corrupt = |reason| {
        let what = format!("{name} of {}, tenant {}", shape.name, place.tenant);
        StoreError::Corrupt { what, reason }
    };
    let frame = Frame::read(place, part, bytes).map_err(corrupt)?;
    let key = frame.long_key.unwrap_or(&name);
    let seat = Seat { tenant: place.tenant, collection: shape.name, key, version: frame.version };
    let opened = match frame.sealed {
        true => Some(vault.unseal(seat, frame.body).ok_or_else(|| corrupt("seal"))?),
        false => None,
    };
    let body = (shape.reindex)(opened.as_deref().unwrap_or(frame.body))
        .map_err(StoreError::decode(shape.name, key))?;
    let mut values = Vec::new();
    for indexed in &body.indexed {
        let value = filed_value(vault, entry, place, indexed.number, &indexed.value);
        if indexed.unique {
            check_free(tables, txn, entry, place, (indexed.number, &value), key)?;
        }
        let filed = place.index(indexed.number, &value, part);
        tables.indexes.put(txn, &filed, &[]).map_err(StoreError::storage("write"))?;
        values.push((indexed.number, value));
    }
    let mut buffer = Vec::new();
    let values = values.iter().map(|(number, value)| (*number, &**value));
    let frame = Frame { index_values: IndexValues::write(values, &mut buffer), ..frame };
    tables.records.put(txn, stored, &frame.write(place, part)).map_err(StoreError::storage("write"))
}

fn check_free(
    tables: Tables,
    txn: &RwTxn<'_>,
    entry: &Entry,
    place: Place,
    (number, value): (u8, &[u8]),
    key: &str,
) -> Result<(), StoreError> {
    let prefix = place.index(number, value, &[]);
    let taken =
        behind(tables.indexes, txn, &prefix)?.and_then(|(k, _)| k.strip_prefix(&prefix[..]));
    match taken {
        None => Ok(()),
        Some(part) if part == &*keys::part(key) => Ok(()),
        Some(part) => Err(StoreError::NotUnique {
            tenant: place.tenant,
            collection: entry.shape.name,
            index: entry.shape.indexes[usize::from(number)].name,
            key: key.into(),
            other: String::from_utf8_lossy(part).into_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
