//! The table `counters`: how many records a tenant has in a collection.

use heed::{RoTxn, RwTxn};

use crate::environment::Table;
use crate::error::StoreError;
use crate::frame;
use crate::keys::Place;

/// Two numbers of a tenant's share of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    /// Records that exist.
    pub(crate) live: u64,
    /// Only of collections without history: the highest version that any deleted record had. New
    /// records count on from it, so that a key that is made again never repeats a version, though
    /// nothing is kept of each deleted key.
    pub(crate) floor: u64,
}

pub(crate) fn get(table: Table, txn: &RoTxn<'_>, place: Place) -> Result<Counters, StoreError> {
    let key = place.bytes();
    let Some(bytes) = table.get(txn, &key).map_err(StoreError::storage("read"))? else {
        return Ok(Counters::default());
    };
    let parsed = frame::guarded(&key, bytes).and_then(|value| {
        let (live, floor) = value.split_first_chunk::<8>()?;
        Some(Counters {
            live: u64::from_be_bytes(*live),
            floor: u64::from_be_bytes(floor.try_into().ok()?),
        })
    });
    parsed.ok_or_else(|| StoreError::Corrupt {
        what: format!("the count of collection {}, tenant {}", place.collection, place.tenant),
        reason: "checksum",
    })
}

pub(crate) fn put(
    table: Table,
    txn: &mut RwTxn<'_>,
    place: Place,
    counters: Counters,
) -> Result<(), StoreError> {
    let key = place.bytes();
    let value = [counters.live.to_be_bytes(), counters.floor.to_be_bytes()].concat();
    table.put(txn, &key, &frame::guard(&key, &value)).map_err(StoreError::storage("write"))
}
