//! Carrying out a commit that was accepted, within the writer's transaction.

use std::borrow::Cow;
use std::ops::Bound;

use heed::RwTxn;
use weir_model::Timestamp;

use crate::collection::History;
use crate::commit::{Body, Commit, Operation};
use crate::core::{Core, Entry};
use crate::counters;
use crate::decide::Decision;
use crate::error::StoreError;
use crate::feed::{self, Change, FeedEntry, Op};
use crate::frame::{Frame, IndexValues};
use crate::keys::{self, Place};
use crate::snapshot::filed_value;
use crate::vault::Seat;

/// Writes records, indexes, history and the feed entry of an accepted commit.
pub(crate) fn apply(
    core: &Core,
    txn: &mut RwTxn<'_>,
    commit: &Commit,
    decision: &Decision,
    position: u64,
) -> Result<(), StoreError> {
    let mut changes = Vec::with_capacity(commit.operations.len());
    for (operation, version) in commit.operations.iter().zip(&decision.versions) {
        let target = Target::of(core, operation, *version)?;
        let time = operation.restored.map_or(commit.time, |restored| restored.time);
        let changed = match &operation.body {
            Some(body) => target.put(txn, body, time).map(|()| Some(Op::Put))?,
            None => target.delete(txn, time)?.then_some(Op::Delete),
        };
        if let Some(op) = changed {
            changes.push(Change {
                tenant: operation.tenant,
                collection: operation.collection.to_owned(),
                key: operation.key.clone(),
                version: *version,
                op,
            });
        }
    }
    let entry = FeedEntry { position, time: commit.time, author: commit.author.clone(), changes };
    feed::append(core.tables.feed, txn, &entry)
}

/// The record of one operation, and the version it is to have.
struct Target<'a> {
    core: &'a Core,
    entry: &'a Entry,
    place: Place,
    part: Cow<'a, [u8]>,
    key: &'a str,
    version: u64,
}

impl<'a> Target<'a> {
    fn of(core: &'a Core, operation: &'a Operation, version: u64) -> Result<Self, StoreError> {
        let entry = core.named(operation.collection)?;
        let place = Place { tenant: operation.tenant, collection: entry.id };
        let key = operation.key.as_str();
        Ok(Self { core, entry, place, part: keys::part(key), key, version })
    }

    fn put(&self, txn: &mut RwTxn<'_>, body: &Body, time: Timestamp) -> Result<(), StoreError> {
        let old = self.take(txn)?;
        let values: Vec<(u8, Cow<'_, [u8]>)> = body
            .indexed
            .iter()
            .map(|i| {
                (
                    i.number,
                    filed_value(&self.core.vault, self.entry, self.place, i.number, &i.value),
                )
            })
            .collect();
        let mut buffer = Vec::new();
        let index_values = IndexValues::write(
            values.iter().map(|(number, value)| (*number, &**value)),
            &mut buffer,
        );
        let bytes = match self.entry.shape.secret {
            true => Cow::Owned(self.seal(&body.bytes)?),
            false => Cow::Borrowed(&body.bytes[..]),
        };
        let frame = Frame {
            version: self.version,
            time,
            sealed: self.entry.shape.secret,
            deletion: false,
            long_key: self.long_key(),
            index_values,
            body: &bytes,
        };
        self.write(txn, self.core.tables.records, &self.place.record_key(&self.part), &frame)?;
        self.file(txn, old.as_deref(), index_values)?;
        self.shelve(txn, old.as_deref())?;
        if old.is_none() {
            self.count(txn, 1)?;
        }
        Ok(())
    }

    /// Tells whether there was something to delete.
    fn delete(&self, txn: &mut RwTxn<'_>, time: Timestamp) -> Result<bool, StoreError> {
        let Some(old) = self.take(txn)? else { return Ok(false) };
        let table = self.core.tables.records;
        table
            .delete(txn, &self.place.record_key(&self.part))
            .map_err(StoreError::storage("write"))?;
        self.file(txn, Some(&old), IndexValues::default())?;
        if self.entry.shape.history != History::None {
            let frame = Frame {
                version: self.version,
                time,
                sealed: false,
                deletion: true,
                long_key: self.long_key(),
                index_values: IndexValues::default(),
                body: &[],
            };
            let key = self.place.history(&self.part, self.version);
            self.write(txn, self.core.tables.history, &key, &frame)?;
        }
        self.shelve(txn, Some(&old))?;
        self.count(txn, -1)?;
        Ok(true)
    }

    /// The stored bytes of the version that is current so far.
    fn take(&self, txn: &RwTxn<'_>) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self.core.tables.records;
        let found = table.get(txn, &self.place.record_key(&self.part));
        Ok(found.map_err(StoreError::storage("read"))?.map(<[u8]>::to_vec))
    }

    fn read<'b>(&self, bytes: &'b [u8]) -> Result<Frame<'b>, StoreError> {
        Frame::read(self.place, &self.part, bytes).map_err(|reason| StoreError::Corrupt {
            what: format!(
                "{} of {}, tenant {}",
                self.key, self.entry.shape.name, self.place.tenant
            ),
            reason,
        })
    }

    fn write(
        &self,
        txn: &mut RwTxn<'_>,
        table: crate::environment::Table,
        key: &[u8],
        frame: &Frame<'_>,
    ) -> Result<(), StoreError> {
        let bytes = frame.write(self.place, &self.part);
        table.put(txn, key, &bytes).map_err(StoreError::storage("write"))
    }

    /// Removes the index entries that only the old version has, and adds those only the new has.
    fn file(
        &self,
        txn: &mut RwTxn<'_>,
        old: Option<&[u8]>,
        new: IndexValues<'_>,
    ) -> Result<(), StoreError> {
        let old = old.map(|bytes| self.read(bytes)).transpose()?;
        let old = old.map(|frame| frame.index_values).unwrap_or_default();
        let table = self.core.tables.indexes;
        let absent =
            |value: &(u8, &[u8]), among: IndexValues<'_>| among.iter().all(|v| v != *value);
        for (number, value) in old.iter().filter(|value| absent(value, new)) {
            let key = self.place.index(number, value, &self.part);
            table.delete(txn, &key).map_err(StoreError::storage("write"))?;
        }
        for (number, value) in new.iter().filter(|value| absent(value, old)) {
            let key = self.place.index(number, value, &self.part);
            table.put(txn, &key, &[]).map_err(StoreError::storage("write"))?;
        }
        Ok(())
    }

    /// Moves the old version, where there is one, to the history as it is, and drops what is too
    /// old to be kept.
    fn shelve(&self, txn: &mut RwTxn<'_>, old: Option<&[u8]>) -> Result<(), StoreError> {
        let kept = match self.entry.shape.history {
            History::None => return Ok(()),
            History::Versions(kept) => Some(u64::from(kept)),
            History::All => None,
        };
        let table = self.core.tables.history;
        if let Some(old) = old {
            let key = self.place.history(&self.part, self.read(old)?.version);
            table.put(txn, &key, old).map_err(StoreError::storage("write"))?;
        }
        if let Some(kept) = kept {
            let first = self.place.history(&self.part, 0);
            let end = self.place.history(&self.part, self.version.saturating_sub(kept));
            let range = (Bound::Included(&first[..]), Bound::Excluded(&end[..]));
            table.delete_range(txn, &range).map_err(StoreError::storage("write"))?;
        }
        Ok(())
    }

    fn count(&self, txn: &mut RwTxn<'_>, change: i64) -> Result<(), StoreError> {
        let table = self.core.tables.counters;
        let mut counters = counters::get(table, txn, self.place)?;
        counters.live = counters.live.saturating_add_signed(change);
        if change < 0 && self.entry.shape.history == History::None {
            counters.floor = counters.floor.max(self.version);
        }
        counters::put(table, txn, self.place, counters)
    }

    fn seal(&self, record: &[u8]) -> Result<Vec<u8>, StoreError> {
        let seat = Seat {
            tenant: self.place.tenant,
            collection: self.entry.shape.name,
            key: self.key,
            version: self.version,
        };
        self.core.vault.seal(seat, record).ok_or_else(|| {
            StoreError::encode(self.entry.shape.name, self.key)("no random bytes".into())
        })
    }

    /// The key, where the part does not tell it.
    fn long_key(&self) -> Option<&'a str> {
        keys::is_hashed(&self.part).then_some(self.key)
    }
}
