//! All records of this node, by handle.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use weir_handle::name;
use weir_model::{Identifier, TenantId};
use weir_store::{Commit, Expect, Snapshot, Store, StoreError, Versioned};

use crate::prefix::{Home, Homes, OF_PREFIXES};
use crate::record::Stored;
use crate::{Identifiers, Kind, Record, ResolverError, Values, secret};

/// The records of this node and the prefixes that it answers for.
pub struct Registry {
    store: Store,
    homes: RwLock<Homes>,
}

/// Where a handle's record is, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) tenant: TenantId,
    pub(crate) key: String,
}

/// Why there is no place for a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// Its prefix is not homed here.
    NotHomed,
    /// Its prefix is homed here and suspended.
    Suspended,
    /// No record has a name like this.
    NoName,
}

impl Registry {
    /// Reads the prefixes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let homes = store.read(Homes::read)?;
        Ok(Self { store, homes: RwLock::new(homes) })
    }

    /// Where the records are.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reads the prefixes anew. Whoever homes one, or changes one, calls it behind the commit.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn refresh(&self) -> Result<(), StoreError> {
        let homes = self.store.read(Homes::read)?;
        *self.homes.write().unwrap_or_else(PoisonError::into_inner) = homes;
        Ok(())
    }

    /// Adds a record of an identifier that stands for itself to a commit, in the place of the one
    /// it may have.
    ///
    /// # Errors
    /// [`ResolverError::NotHomed`], [`ResolverError::Taken`] by something that is no mere handle,
    /// [`ResolverError::Store`].
    pub fn put(
        &self,
        snap: &Snapshot<'_>,
        commit: &mut Commit,
        id: &Identifier,
        values: Values,
    ) -> Result<(), ResolverError> {
        values.check()?;
        let (place, found) = self.find(snap, id)?;
        let expect = match &found {
            None => Expect::Absent,
            Some(found) if found.record.kind == Kind::Handle => Expect::Version(found.version),
            Some(_) => return Err(ResolverError::Taken(id.clone())),
        };
        // An identifier keeps the case that it was given in.
        let given = found.as_ref().filter(|found| !found.record.withdrawn);
        let id = given.map_or(id, |found| &found.record.id);
        file(snap, commit, &place, Record::handle(id.clone(), values), expect)?;
        Ok(())
    }

    /// Withdraws the record of an identifier that stands for itself: it is not answered any more,
    /// and its history stays. False where there is none.
    ///
    /// # Errors
    /// As [`Registry::put`].
    pub fn withdraw(
        &self,
        snap: &Snapshot<'_>,
        commit: &mut Commit,
        id: &Identifier,
    ) -> Result<bool, ResolverError> {
        let (place, found) = self.find(snap, id)?;
        let Some(found) = found.filter(|found| !found.record.withdrawn) else { return Ok(false) };
        if found.record.kind != Kind::Handle {
            return Err(ResolverError::Taken(id.clone()));
        }
        let mut record = found.record;
        record.withdrawn = true;
        file(snap, commit, &place, record, Expect::Version(found.version))?;
        Ok(true)
    }

    /// Whose an identifier is.
    ///
    /// # Errors
    /// [`ResolverError::NotHomed`].
    pub fn tenant_of(&self, id: &Identifier) -> Result<TenantId, ResolverError> {
        let place = self.place(id.as_str().as_bytes());
        place.map(|place| place.tenant).map_err(|_| ResolverError::NotHomed(id.clone()))
    }

    fn find(
        &self,
        snap: &Snapshot<'_>,
        id: &Identifier,
    ) -> Result<(Place, Option<Versioned<Record>>), ResolverError> {
        let not_homed = |_| ResolverError::NotHomed(id.clone());
        let place = self.place(id.as_str().as_bytes()).map_err(not_homed)?;
        let found = snap.get::<Identifiers>(place.tenant, &place.key)?;
        Ok((place, found))
    }

    pub(crate) fn homes(&self) -> std::sync::RwLockReadGuard<'_, Homes> {
        self.homes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the record of a handle would be.
    pub(crate) fn place(&self, handle: &[u8]) -> Result<Place, NoPlace> {
        place(&self.homes(), handle)
    }
}

/// Where the record of a handle would be.
pub(crate) fn place(homes: &Homes, handle: &[u8]) -> Result<Place, NoPlace> {
    let (tenant, key) = seat(homes, handle)?;
    Ok(Place { tenant, key: key.into_owned() })
}

/// The tenant and the key of a place. Most handles are asked for as they are filed, and then
/// nothing is copied.
pub(crate) fn seat<'h>(
    homes: &Homes,
    handle: &'h [u8],
) -> Result<(TenantId, Cow<'h, str>), NoPlace> {
    let Home { tenant, suspended } = homes.of_handle(handle).ok_or(NoPlace::NotHomed)?;
    if suspended {
        return Err(NoPlace::Suspended);
    }
    let text = std::str::from_utf8(handle).map_err(|_| NoPlace::NoName)?;
    if text.len() > weir_model::IDENTIFIER_BYTES_MAX {
        return Err(NoPlace::NoName);
    }
    let mut key = match name::split(handle) {
        Some(_) => Cow::Borrowed(text),
        None => Cow::Owned(format!("{OF_PREFIXES}/{text}")),
    };
    if key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        key.to_mut().make_ascii_lowercase();
    }
    Ok((tenant, key))
}

/// The stored record of a place; its bytes where they lie.
pub(crate) fn stored<'s>(
    snap: &Snapshot<'s>,
    place: &Place,
) -> Result<Option<Cow<'s, [u8]>>, StoreError> {
    stored_at(snap, place.tenant, &place.key)
}

/// The same, where a key is known.
pub(crate) fn stored_at<'s>(
    snap: &Snapshot<'s>,
    tenant: TenantId,
    key: &str,
) -> Result<Option<Cow<'s, [u8]>>, StoreError> {
    snap.stored::<Identifiers>(tenant, key)
}

/// The record in stored bytes, unless it was withdrawn.
pub(crate) fn kept(bytes: &[u8]) -> Option<Stored<'_>> {
    Stored::read(bytes).ok().filter(|found| !found.withdrawn)
}

/// The record in stored bytes, if it is one that the protocol tells of.
pub(crate) fn told(bytes: &[u8]) -> Option<Stored<'_>> {
    kept(bytes).filter(|found| found.published)
}

/// Adds a record to a commit, its secret keys set apart.
pub(crate) fn file(
    snap: &Snapshot<'_>,
    commit: &mut Commit,
    place: &Place,
    mut record: Record,
    expect: Expect,
) -> Result<(), StoreError> {
    secret::set_apart(snap, commit, place, &mut record)?;
    commit.put_in::<Identifiers>(place.tenant, &place.key, &record, expect);
    Ok(())
}
