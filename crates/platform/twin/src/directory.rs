//! The twin in memory: what ingest, live streams and lists ask thousands of times a second.
//!
//! Each question first catches up with the store's change feed, so an answer is never older than
//! the question: a tag is there for its author right after its commit, and a raised grade holds
//! from the next sample on. No task runs in between.

mod tag;
mod tenant;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::watch;
use weir_model::TenantId;
use weir_store::{Change, Collection, FeedError, Snapshot, Store, StoreError};

use crate::{Assets, Organisation, Organisations, Tags};

pub use tag::TagEntry;
pub use tenant::{AssetEntry, TenantView};

/// Feed entries read in one step of catching up.
const FEED_PAGE: usize = 1000;

/// Tags, assets and organisations in memory. Cloning is cheap.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    store: Store,
    head: watch::Receiver<u64>,
    state: RwLock<State>,
    /// Whoever catches up holds this, so that others do not do the same work.
    turn: Mutex<()>,
}

#[derive(Default)]
struct State {
    position: u64,
    tenants: HashMap<TenantId, TenantView>,
}

impl Directory {
    /// Reads all of it from the store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let head = store.head();
        let state = State::read(&store)?;
        let inner = Inner { store, head, state: RwLock::new(state), turn: Mutex::new(()) };
        Ok(Self(Arc::new(inner)))
    }

    /// Answers a question about a tenant from the newest state; `None` where there is no such
    /// tenant. The closure runs under a lock and must be short.
    ///
    /// # Errors
    /// [`StoreError`] where the change feed cannot be read.
    pub fn with<T>(
        &self,
        tenant: TenantId,
        ask: impl FnOnce(&TenantView) -> T,
    ) -> Result<Option<T>, StoreError> {
        self.catch_up()?;
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        Ok(state.tenants.get(&tenant).map(ask))
    }

    /// The organisations of this node, by tenant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn organisations(&self) -> Result<Vec<Organisation>, StoreError> {
        self.catch_up()?;
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> =
            state.tenants.values().filter_map(|t| t.organisation().cloned()).collect();
        all.sort_by_key(|organisation| organisation.tenant);
        Ok(all)
    }

    /// The store's position that the answers are at least as new as. It changes whenever an answer may.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn position(&self) -> Result<u64, StoreError> {
        self.catch_up()?;
        Ok(self.0.state.read().unwrap_or_else(PoisonError::into_inner).position)
    }

    fn catch_up(&self) -> Result<(), StoreError> {
        let behind = |state: &State| state.position < *self.0.head.borrow();
        if !behind(&self.0.state.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let _turn: MutexGuard<'_, ()> = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let position = self.0.state.read().unwrap_or_else(PoisonError::into_inner).position;
            if position >= *self.0.head.borrow() {
                return Ok(());
            }
            let entries = match self.0.store.feed(position, FEED_PAGE) {
                Ok(entries) => entries,
                // The feed no longer reaches back, or the store was restored under us.
                Err(FeedError::TooOld { .. } | FeedError::Ahead { .. }) => {
                    let fresh = State::read(&self.0.store)?;
                    *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = fresh;
                    continue;
                }
                Err(FeedError::Store(source)) => return Err(source),
                Err(_) => return Ok(()),
            };
            let Some(last) = entries.last().map(|entry| entry.position) else { return Ok(()) };
            let changes = || entries.iter().flat_map(|entry| &entry.changes);
            let records = self.0.store.read(|snap| read_changed(snap, changes()))?;
            let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
            records.into_iter().for_each(|record| state.apply(record));
            state.position = last;
        }
    }
}

/// What a change made of a record; `None` where it is gone.
enum Changed {
    Organisation(Box<Organisation>),
    Asset(TenantId, String, Option<AssetEntry>),
    Tag(TenantId, String, Option<Box<TagEntry>>),
}

fn read_changed<'c>(
    snap: &Snapshot<'_>,
    changes: impl Iterator<Item = &'c Change>,
) -> Result<Vec<Changed>, StoreError> {
    let mut records = Vec::new();
    for change in changes {
        let (tenant, key) = (change.tenant, &change.key);
        match change.collection.as_str() {
            Organisations::NAME => {
                if let Some(found) = snap.get::<Organisations>(tenant, key)? {
                    records.push(Changed::Organisation(Box::new(found.record)));
                }
            }
            Assets::NAME => {
                let entry =
                    snap.get::<Assets>(tenant, key)?.map(|found| AssetEntry::of(&found.record));
                records.push(Changed::Asset(tenant, key.clone(), entry));
            }
            Tags::NAME => {
                let entry = snap.get::<Tags>(tenant, key)?;
                let entry = entry.map(|found| Box::new(TagEntry::of(&found.record)));
                records.push(Changed::Tag(tenant, key.clone(), entry));
            }
            _ => {}
        }
    }
    Ok(records)
}

impl State {
    fn read(store: &Store) -> Result<Self, StoreError> {
        store.read(|snap| {
            let mut state = Self { position: snap.position()?, tenants: HashMap::new() };
            snap.each::<Organisations>(TenantId::NODE, "", |found| {
                state.apply(Changed::Organisation(Box::new(found.record)));
                Ok(())
            })?;
            let tenants: Vec<TenantId> = state.tenants.keys().copied().collect();
            for tenant in tenants {
                snap.each::<Assets>(tenant, "", |found| {
                    let entry = AssetEntry::of(&found.record);
                    state.apply(Changed::Asset(tenant, found.key, Some(entry)));
                    Ok(())
                })?;
                snap.each::<Tags>(tenant, "", |found| {
                    let entry = Box::new(TagEntry::of(&found.record));
                    state.apply(Changed::Tag(tenant, found.key, Some(entry)));
                    Ok(())
                })?;
            }
            Ok(state)
        })
    }

    fn apply(&mut self, changed: Changed) {
        match changed {
            Changed::Organisation(record) => {
                self.tenants.entry(record.tenant).or_default().set_organisation(*record);
            }
            Changed::Asset(tenant, key, entry) => {
                self.tenants.entry(tenant).or_default().set_asset(key, entry);
            }
            Changed::Tag(tenant, key, entry) => {
                self.tenants.entry(tenant).or_default().set_tag(&key, entry.map(|entry| *entry));
            }
        }
    }
}
