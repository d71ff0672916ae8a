//! Reading: one consistent image of all records.

mod drawer;

use std::borrow::Cow;

use heed::RoTxn;
use weir_model::{TenantId, Timestamp};

use crate::collection::Collection;
use crate::core::{Core, Entry};
use crate::decide::{Current, State};
use crate::error::StoreError;
use crate::keys::Place;

pub(crate) use drawer::{Drawer, Walk, filed_value};

/// Most records of one page; a larger limit is taken as this one. A page is in memory at once.
pub const PAGE_ITEMS_MAX: usize = 10_000;

/// A record in one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<R> {
    /// Its key.
    pub key: String,
    /// Its version, counted from 1.
    pub version: u64,
    /// The time of the commit that made the version.
    pub time: Timestamp,
    /// The record.
    pub record: R,
}

/// One step in the life of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision<R> {
    /// Its version.
    pub version: u64,
    /// The time of the commit that made it.
    pub time: Timestamp,
    /// The record; none where this version is its deletion.
    pub record: Option<R>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to pass as `after` to go on; none where the list is at its end.
    pub next: Option<String>,
}

/// One consistent image of all records. It lives for one call of
/// [`Store::read`](crate::Store::read) and cannot be kept.
pub struct Snapshot<'s> {
    core: &'s Core,
    txn: &'s RoTxn<'s>,
}

impl<'s> Snapshot<'s> {
    pub(crate) fn new(core: &'s Core, txn: &'s RoTxn<'s>) -> Self {
        Self { core, txn }
    }

    /// A record in its current version.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a damaged value; see [`StoreError`] for the rest.
    pub fn get<C: Collection>(
        &self,
        tenant: TenantId,
        key: &str,
    ) -> Result<Option<Versioned<C::Record>>, StoreError> {
        let drawer = self.drawer::<C>(tenant)?;
        let Some(frame) = drawer.current(key)? else { return Ok(None) };
        drawer.versioned::<C>(key.to_owned(), &frame).map(Some)
    }

    /// A record in its current version as its codec wrote it, where it lies: nothing is copied or
    /// decoded, but for what is encrypted.
    ///
    /// # Errors
    /// As [`Snapshot::get`].
    pub fn stored<C: Collection>(
        &self,
        tenant: TenantId,
        key: &str,
    ) -> Result<Option<Cow<'s, [u8]>>, StoreError> {
        let drawer = self.drawer::<C>(tenant)?;
        let Some(frame) = drawer.current(key)? else { return Ok(None) };
        drawer.body(key, &frame).map(Some)
    }

    /// Records whose keys begin with `prefix` and follow `after`, in the order of their keys.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list<C: Collection>(
        &self,
        tenant: TenantId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Versioned<C::Record>>, StoreError> {
        let drawer = self.drawer::<C>(tenant)?;
        let mut page = Paging::new(limit);
        drawer.walk(prefix, after, |key, frame| match page.has_room() {
            true => page.add(drawer.versioned::<C>(key, frame)?),
            false => Ok(page.is_continued()),
        })?;
        Ok(page.finish())
    }

    /// Calls `each` with every record whose key begins with `prefix`, in the order of the keys,
    /// one at a time in memory.
    ///
    /// # Errors
    /// See [`StoreError`]; and whatever `each` returns.
    pub fn each<C: Collection>(
        &self,
        tenant: TenantId,
        prefix: &str,
        mut each: impl FnMut(Versioned<C::Record>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let drawer = self.drawer::<C>(tenant)?;
        drawer.walk(prefix, None, |key, frame| {
            each(drawer.versioned::<C>(key, frame)?)?;
            Ok(Walk::On)
        })
    }

    /// Records with a value of an index, in the order of their keys.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn by_index<C: Collection>(
        &self,
        tenant: TenantId,
        index: &str,
        value: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Versioned<C::Record>>, StoreError> {
        let drawer = self.drawer::<C>(tenant)?;
        let number = drawer.entry.index_number(index)?;
        let mut page = Paging::new(limit);
        drawer.walk_index(number, value, after, |key, frame| {
            if !page.has_room() {
                return Ok(page.is_continued());
            }
            let found = drawer.versioned::<C>(key, frame)?;
            let mut really = false;
            C::index(&found.record, &mut |name, v| really |= name == index && v == value);
            if !really {
                return Err(drawer.corrupt(&found.key, "an index entry does not match its record"));
            }
            page.add(found)
        })?;
        Ok(page.finish())
    }

    /// The number of records of a tenant.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn count<C: Collection>(&self, tenant: TenantId) -> Result<u64, StoreError> {
        Ok(self.drawer::<C>(tenant)?.counters()?.live)
    }

    /// A record in a certain version; none where that version was a deletion, never was, or is
    /// no longer kept.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn version<C: Collection>(
        &self,
        tenant: TenantId,
        key: &str,
        version: u64,
    ) -> Result<Option<Versioned<C::Record>>, StoreError> {
        let drawer = self.drawer::<C>(tenant)?;
        let mut found = drawer.current(key)?.filter(|frame| frame.version == version);
        if found.is_none() {
            found = drawer.past(key, version)?;
        }
        match found.filter(|frame| !frame.deletion) {
            Some(frame) => drawer.versioned::<C>(key.to_owned(), &frame).map(Some),
            None => Ok(None),
        }
    }

    /// A record as it was at an instant: its highest kept version whose time is not later.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn at<C: Collection>(
        &self,
        tenant: TenantId,
        key: &str,
        time: Timestamp,
    ) -> Result<Option<Versioned<C::Record>>, StoreError> {
        let drawer = self.drawer::<C>(tenant)?;
        let mut found = None;
        drawer.walk_versions(key, None, |frame| {
            if frame.time <= time {
                found = Some(*frame);
                return Ok(Walk::Stop);
            }
            Ok(Walk::On)
        })?;
        match found.filter(|frame| !frame.deletion) {
            Some(frame) => drawer.versioned::<C>(key.to_owned(), &frame).map(Some),
            None => Ok(None),
        }
    }

    /// The kept versions of a record below `before`, newest first, its deletions among them.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn history<C: Collection>(
        &self,
        tenant: TenantId,
        key: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Revision<C::Record>>, StoreError> {
        let drawer = self.drawer::<C>(tenant)?;
        let limit = limit.min(PAGE_ITEMS_MAX);
        let mut revisions = Vec::new();
        drawer.walk_versions(key, before, |frame| {
            if revisions.len() == limit {
                return Ok(Walk::Stop);
            }
            let record = match frame.deletion {
                true => None,
                false => Some(drawer.record::<C>(key, frame)?),
            };
            revisions.push(Revision { version: frame.version, time: frame.time, record });
            Ok(Walk::On)
        })?;
        Ok(revisions)
    }

    /// The position of the newest commit that this image holds.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn position(&self) -> Result<u64, StoreError> {
        let table = self.core.tables.meta;
        Ok(crate::meta::get_u64(table, self.txn, crate::meta::HEAD)?.unwrap_or(0))
    }

    pub(crate) fn core(&self) -> &'s Core {
        self.core
    }

    pub(crate) fn txn(&self) -> &'s RoTxn<'s> {
        self.txn
    }

    fn drawer<C: Collection>(&self, tenant: TenantId) -> Result<Drawer<'s>, StoreError> {
        Ok(self.open(self.core.entry::<C>()?, tenant))
    }

    pub(crate) fn open(&self, entry: &'s Entry, tenant: TenantId) -> Drawer<'s> {
        let place = Place { tenant, collection: entry.id };
        Drawer { core: self.core, txn: self.txn, entry, place }
    }
}

impl State for Snapshot<'_> {
    type Error = StoreError;

    fn current(
        &self,
        tenant: TenantId,
        collection: &str,
        key: &str,
    ) -> Result<Current, StoreError> {
        let drawer = self.open(self.core.named(collection)?, tenant);
        if let Some(frame) = drawer.current(key)? {
            return Ok(Current { live: Some(frame.version), last: frame.version });
        }
        let mut last = drawer.counters()?.floor;
        drawer.walk_versions(key, None, |frame| {
            last = last.max(frame.version);
            Ok(Walk::Stop)
        })?;
        Ok(Current { live: None, last })
    }

    fn holder(
        &self,
        tenant: TenantId,
        collection: &str,
        index: &str,
        value: &str,
    ) -> Result<Option<String>, StoreError> {
        let drawer = self.open(self.core.named(collection)?, tenant);
        let number = drawer.entry.index_number(index)?;
        let mut holder = None;
        drawer.walk_index(number, value, None, |key, _| {
            holder = Some(key);
            Ok(Walk::Stop)
        })?;
        Ok(holder)
    }
}

/// Fills a page and notices whether more follows.
struct Paging<T> {
    items: Vec<T>,
    limit: usize,
    continued: bool,
}

impl<R> Paging<Versioned<R>> {
    fn new(limit: usize) -> Self {
        Self { items: Vec::new(), limit: limit.clamp(1, PAGE_ITEMS_MAX), continued: false }
    }

    fn has_room(&self) -> bool {
        self.items.len() < self.limit
    }

    fn add(&mut self, item: Versioned<R>) -> Result<Walk, StoreError> {
        self.items.push(item);
        Ok(Walk::On)
    }

    fn is_continued(&mut self) -> Walk {
        self.continued = true;
        Walk::Stop
    }

    fn finish(self) -> Page<Versioned<R>> {
        let next = self.items.last().filter(|_| self.continued).map(|item| item.key.clone());
        Page { items: self.items, next }
    }
}

#[cfg(test)]
mod tests;
