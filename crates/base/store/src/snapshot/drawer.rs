//! A tenant's share of a collection: where its frames lie, by key, by version and by index.

use std::borrow::Cow;
use std::ops::Bound;

use heed::RoTxn;

use super::Versioned;
use crate::collection::Collection;
use crate::core::{Core, Entry};
use crate::counters::{self, Counters};
use crate::error::StoreError;
use crate::frame::Frame;
use crate::keys::{self, Place};
use crate::vault::{Seat, Vault};

/// Whether a walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    On,
    Stop,
}

/// A tenant's share of a collection in one image, without the type of its records.
pub(crate) struct Drawer<'s> {
    pub(super) core: &'s Core,
    pub(super) txn: &'s RoTxn<'s>,
    pub(crate) entry: &'s Entry,
    pub(crate) place: Place,
}

impl<'s> Drawer<'s> {
    /// The current version of a record.
    pub(crate) fn current(&self, key: &str) -> Result<Option<Frame<'s>>, StoreError> {
        let part = keys::part(key);
        let stored = self.core.tables.records.get(self.txn, &self.place.record_key(&part));
        self.framed(key, &part, stored.map_err(StoreError::storage("read"))?)
    }

    /// A superseded version of a record.
    pub(crate) fn past(&self, key: &str, version: u64) -> Result<Option<Frame<'s>>, StoreError> {
        let part = keys::part(key);
        let stored = self.core.tables.history.get(self.txn, &self.place.history(&part, version));
        self.framed(key, &part, stored.map_err(StoreError::storage("read"))?)
    }

    pub(crate) fn counters(&self) -> Result<Counters, StoreError> {
        counters::get(self.core.tables.counters, self.txn, self.place)
    }

    /// The frame of a record whose key is known.
    fn framed(
        &self,
        key: &str,
        part: &[u8],
        stored: Option<&'s [u8]>,
    ) -> Result<Option<Frame<'s>>, StoreError> {
        let Some(bytes) = stored else { return Ok(None) };
        let frame =
            Frame::read(self.place, part, bytes).map_err(|damage| self.corrupt(key, damage))?;
        match frame.long_key {
            Some(other) if other != key => Err(StoreError::HashCollision {
                collection: self.entry.shape.name,
                key: key.into(),
                other: other.into(),
            }),
            None if keys::is_hashed(part) => Err(self.corrupt(key, "layout")),
            _ => Ok(Some(frame)),
        }
    }

    /// The frame and the key of a record that was come upon by its part.
    pub(crate) fn found(
        &self,
        part: &[u8],
        bytes: &'s [u8],
    ) -> Result<(String, Frame<'s>), StoreError> {
        let name = || String::from_utf8_lossy(part).into_owned();
        let frame =
            Frame::read(self.place, part, bytes).map_err(|damage| self.corrupt(&name(), damage))?;
        let key = match frame.long_key {
            Some(key) => key.to_owned(),
            None => {
                std::str::from_utf8(part).map_err(|_| self.corrupt(&name(), "layout"))?.to_owned()
            }
        };
        Ok((key, frame))
    }

    /// Visits the current versions of records whose keys begin with `prefix` and follow `after`.
    pub(crate) fn walk(
        &self,
        prefix: &str,
        after: Option<&str>,
        mut visit: impl FnMut(String, &Frame<'s>) -> Result<Walk, StoreError>,
    ) -> Result<(), StoreError> {
        let beginning = self.place.record(keys::searchable(prefix));
        let after = after.map(|key| self.place.record(&keys::part(key)));
        let start = match &after {
            Some(after) if *after >= beginning => Bound::Excluded(after.as_slice()),
            _ => Bound::Included(beginning.as_slice()),
        };
        let range = (start, Bound::Unbounded);
        let table = self.core.tables.records;
        for entry in table.range(self.txn, &range).map_err(StoreError::storage("read"))? {
            let (stored, bytes) = entry.map_err(StoreError::storage("read"))?;
            if !stored.starts_with(&beginning) {
                break;
            }
            let (key, frame) = self.found(&stored[keys::PLACE_BYTES..], bytes)?;
            if key.starts_with(prefix) && visit(key, &frame)? == Walk::Stop {
                break;
            }
        }
        Ok(())
    }

    /// Visits the current versions of records with a value of an index.
    pub(super) fn walk_index(
        &self,
        number: u8,
        value: &str,
        after: Option<&str>,
        mut visit: impl FnMut(String, &Frame<'s>) -> Result<Walk, StoreError>,
    ) -> Result<(), StoreError> {
        let value_part = filed_value(&self.core.vault, self.entry, self.place, number, value);
        let beginning = self.place.index(number, &value_part, &[]);
        let after = after.map(|key| self.place.index(number, &value_part, &keys::part(key)));
        let start = match &after {
            Some(after) => Bound::Excluded(after.as_slice()),
            None => Bound::Included(beginning.as_slice()),
        };
        let range = (start, Bound::Unbounded);
        let table = self.core.tables.indexes;
        for entry in table.range(self.txn, &range).map_err(StoreError::storage("read"))? {
            let (stored, _) = entry.map_err(StoreError::storage("read"))?;
            let Some(part) = stored.strip_prefix(beginning.as_slice()) else { break };
            let record = self.core.tables.records.get(self.txn, &self.place.record(part));
            let record = record.map_err(StoreError::storage("read"))?.ok_or_else(|| {
                let key = String::from_utf8_lossy(part);
                self.corrupt(&key, "an index entry leads to no record")
            })?;
            let (key, frame) = self.found(part, record)?;
            if !frame.index_values.iter().any(|filed| filed == (number, &*value_part)) {
                return Err(self.corrupt(&key, "an index entry does not match its record"));
            }
            if visit(key, &frame)? == Walk::Stop {
                break;
            }
        }
        Ok(())
    }

    /// Visits the kept versions of a record below `before`, newest first.
    pub(crate) fn walk_versions(
        &self,
        key: &str,
        before: Option<u64>,
        mut visit: impl FnMut(&Frame<'s>) -> Result<Walk, StoreError>,
    ) -> Result<(), StoreError> {
        let before = before.unwrap_or(u64::MAX);
        if let Some(frame) = self.current(key)?.filter(|frame| frame.version < before)
            && visit(&frame)? == Walk::Stop
        {
            return Ok(());
        }
        let part = keys::part(key);
        let (first, end) = (self.place.history(&part, 0), self.place.history(&part, before));
        let range = (Bound::Included(first.as_slice()), Bound::Excluded(end.as_slice()));
        let table = self.core.tables.history;
        for entry in table.rev_range(self.txn, &range).map_err(StoreError::storage("read"))? {
            let (_, bytes) = entry.map_err(StoreError::storage("read"))?;
            if let Some(frame) = self.framed(key, &part, Some(bytes))?
                && visit(&frame)? == Walk::Stop
            {
                break;
            }
        }
        Ok(())
    }

    /// The codec's bytes of a frame, with its seal opened.
    pub(crate) fn body(&self, key: &str, frame: &Frame<'s>) -> Result<Cow<'s, [u8]>, StoreError> {
        if !frame.sealed {
            return Ok(Cow::Borrowed(frame.body));
        }
        let seat = Seat {
            tenant: self.place.tenant,
            collection: self.entry.shape.name,
            key,
            version: frame.version,
        };
        let opened = self.core.vault.unseal(seat, frame.body);
        opened.map(Cow::Owned).ok_or_else(|| self.corrupt(key, "seal"))
    }

    pub(super) fn record<C: Collection>(
        &self,
        key: &str,
        frame: &Frame<'s>,
    ) -> Result<C::Record, StoreError> {
        C::decode(&self.body(key, frame)?).map_err(StoreError::decode(C::NAME, key))
    }

    pub(super) fn versioned<C: Collection>(
        &self,
        key: String,
        frame: &Frame<'s>,
    ) -> Result<Versioned<C::Record>, StoreError> {
        let record = self.record::<C>(&key, frame)?;
        Ok(Versioned { key, version: frame.version, time: frame.time, record })
    }

    pub(crate) fn corrupt(&self, key: &str, reason: &'static str) -> StoreError {
        let (name, tenant) = (self.entry.shape.name, self.place.tenant);
        StoreError::Corrupt { what: format!("{key} of {name}, tenant {tenant}"), reason }
    }
}

/// How a value of an index is filed: in a secret collection by a keyed hash.
pub(crate) fn filed_value<'v>(
    vault: &Vault,
    entry: &Entry,
    place: Place,
    number: u8,
    value: &'v str,
) -> Cow<'v, [u8]> {
    match entry.shape.secret {
        true => Cow::Owned(vault.index_value(&place.bytes(), number, value)),
        false => keys::value_part(value),
    }
}
