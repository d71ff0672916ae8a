//! Changes: what a request needs, what stands against it, and the commit that it becomes.

use weir_handle::{AdminPermissions, Flags, List, Request, ResponseCode, Value, ValueData, name};
use weir_model::{Author, Identifier, Prefix, TenantId, Timestamp};
use weir_store::{Commit, Expect, Snapshot, StoreError, Versioned};

use super::Authority;
use super::rights::Need;
use crate::record::{Owned, VALUES_BYTES_MAX, seconds};
use crate::registry::{NoPlace, Place, file};
use crate::{HomedPrefix, Identifiers, Kind, Prefixes, Record, Values};

/// Why a request is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: ResponseCode,
    pub(super) words: String,
}

impl Refusal {
    pub(super) fn new(code: ResponseCode, words: impl Into<String>) -> Self {
        Self { code, words: words.into() }
    }
}

/// A request that nothing stands against so far.
pub(super) struct Prepared {
    /// What whoever asks must have; nothing where anybody may.
    pub(super) need: Option<Need>,
    /// What happens then. What is only told to those who answered a challenge may stand against it.
    pub(super) then: Result<Then, Refusal>,
}

/// What happens.
pub(super) enum Then {
    /// A change.
    Change(Box<Change>),
    /// The handles at this place and behind it are told.
    Handles(Place),
    /// The prefixes are told.
    Prefixes,
    /// Nothing.
    Nothing,
}

impl Then {
    fn of(change: Change) -> Self {
        Self::Change(Box::new(change))
    }
}

/// What a request does.
pub(super) struct Change {
    pub(super) commit: Commit,
    /// The name that was given.
    pub(super) created: Option<Identifier>,
    /// Whether something was replaced.
    pub(super) replaced: bool,
    /// Whether the prefixes are others behind it.
    pub(super) prefixes: bool,
}

/// A failure on the way: of the store, or of the request.
pub(super) enum Stop {
    Store(StoreError),
    Refusal(Refusal),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// What goes with a request.
pub(super) struct Circumstances {
    pub(super) author: Author,
    pub(super) now: Timestamp,
    pub(super) flags: Flags,
    /// For a name that the server makes up.
    pub(super) random: u128,
}

impl Authority {
    /// Looks at a request that changes records.
    pub(super) fn prepare(
        &self,
        snap: &Snapshot<'_>,
        request: &Request<'_>,
        with: &Circumstances,
    ) -> Result<Prepared, Stop> {
        match *request {
            Request::CreateHandle { handle, values } => self.create(snap, handle, &values, with),
            Request::DeleteHandle { handle } => self.delete(snap, handle, with),
            Request::AddValue { handle, values } => self.add(snap, handle, &values, with),
            Request::ModifyValue { handle, values } => self.modify(snap, handle, &values, with),
            Request::RemoveValue { handle, indexes } => self.remove(snap, handle, &indexes, with),
            Request::ListHandles { prefix: handle } => {
                let of = self.homed(handle)?;
                let prefix = name::prefix_named(handle).unwrap_or(handle);
                let under = self.homed(&[prefix, b"/"].concat())?;
                let permissions = AdminPermissions::LIST_HANDLES;
                let need = Some(Need::Rights { of, permissions });
                Ok(Prepared { need, then: Ok(Then::Handles(under)) })
            }
            Request::HomePrefix { prefix } => self.home(snap, prefix, with, true),
            Request::UnhomePrefix { prefix } => self.home(snap, prefix, with, false),
            Request::ListHomedPrefixes { .. } => {
                Ok(Prepared { need: Some(Need::Server), then: Ok(Then::Prefixes) })
            }
            _ => Err(Refusal::new(ResponseCode::OperationNotSupported, "").into()),
        }
    }

    /// The handles under a prefix that the protocol tells of. They are read only once it is known
    /// that whoever asks may have them.
    pub(super) fn handles(snap: &Snapshot<'_>, under: &Place) -> Result<Vec<String>, Stop> {
        let mut handles = Vec::new();
        let mut after = None;
        loop {
            let (tenant, limit) = (under.tenant, LISTED_AT_ONCE);
            let page = snap.list::<Identifiers>(tenant, &under.key, after.as_deref(), limit)?;
            let told =
                |found: &Versioned<Record>| found.record.published && !found.record.withdrawn;
            let told = page.items.iter().filter(|found| told(found));
            handles.extend(told.map(|found| found.record.id.as_str().to_owned()));
            after = page.next;
            if handles.len() > LISTED_MAX {
                let words = format!("there are more than {LISTED_MAX} handles under this prefix");
                return Err(Refusal::new(ResponseCode::Error, words).into());
            }
            if after.is_none() {
                return Ok(handles);
            }
        }
    }

    fn home(
        &self,
        snap: &Snapshot<'_>,
        handle: &[u8],
        with: &Circumstances,
        home: bool,
    ) -> Result<Prepared, Stop> {
        let prefix = name::prefix_named(handle).unwrap_or(handle);
        let prefix = std::str::from_utf8(prefix).ok().and_then(|text| Prefix::parse(text).ok());
        let prefix = prefix.ok_or_else(|| Refusal::new(ResponseCode::InvalidHandle, ""))?;
        let key = prefix.as_str().to_owned();
        let found = snap.get::<Prefixes>(TenantId::NODE, &key)?;
        let need = Some(Need::Server);
        let mut commit = Commit::new(with.author.clone(), with.now);
        match (&found, home) {
            (None, true) => {
                let homed = HomedPrefix::new(prefix, TenantId::NODE);
                commit.put_in::<Prefixes>(TenantId::NODE, key, &homed, Expect::Absent);
            }
            (Some(found), false) if found.record.tenant == TenantId::NODE => {
                let expect = Expect::Version(found.version);
                commit.delete_in::<Prefixes>(TenantId::NODE, key, expect);
            }
            (Some(_), false) => {
                let words = "an organisation of this node has this prefix";
                let then = Err(Refusal::new(ResponseCode::OperationNotSupported, words));
                return Ok(Prepared { need, then });
            }
            // What is so already is put again as it is, so that it has an author all the same.
            (Some(found), true) => {
                let expect = Expect::Version(found.version);
                commit.put_in::<Prefixes>(TenantId::NODE, key, &found.record, expect);
            }
            (None, false) => {
                let words = "That prefix doesn't live here";
                let then = Err(Refusal::new(ResponseCode::ServerNotResponsible, words));
                return Ok(Prepared { need, then });
            }
        }
        let change = Change { commit, created: None, replaced: false, prefixes: true };
        Ok(Prepared { need, then: Ok(Then::of(change)) })
    }

    fn create(
        &self,
        snap: &Snapshot<'_>,
        handle: &[u8],
        values: &List<'_, Value<'_>>,
        with: &Circumstances,
    ) -> Result<Prepared, Stop> {
        let minted = with.flags.has(Flags::MINT);
        let mut wanted = handle.to_vec();
        if minted {
            wanted.extend_from_slice(uuid(with.random).as_bytes());
        }
        let id = std::str::from_utf8(&wanted).ok().and_then(|text| Identifier::parse(text).ok());
        let id = id.ok_or_else(|| Refusal::new(ResponseCode::InvalidHandle, "Invalid handle"))?;
        check_values(values)?;
        let place = self.homed(&wanted)?;
        let found = snap.get::<Identifiers>(place.tenant, &place.key)?;
        let live = found.as_ref().filter(|found| !found.record.withdrawn);
        if let Some(found) = &found
            && found.record.kind != Kind::Handle
        {
            return Err(exists().into());
        }
        if live.is_some() && !with.flags.has(Flags::OVRW) {
            return Err(exists().into());
        }
        let need = match live {
            Some(_) => Need::Rights { of: place.clone(), permissions: OVERWRITE },
            None => self.creation(&wanted)?,
        };
        let expect = found.as_ref().map_or(Expect::Absent, |found| Expect::Version(found.version));
        let record = Record::handle(id.clone(), restamped(values.iter(), with.now));
        let mut commit = Commit::new(with.author_in(&place), with.now);
        file(snap, &mut commit, &place, record, expect)?;
        let replaced = live.is_some();
        let change = Change { commit, created: Some(id), replaced, prefixes: false };
        Ok(Prepared { need: Some(need), then: Ok(Then::of(change)) })
    }

    /// What is needed for a new handle.
    fn creation(&self, handle: &[u8]) -> Result<Need, Refusal> {
        let (of, permissions) = match name::prefix_named(handle).map(name::parent) {
            Some(Some(parent)) => (parent, AdminPermissions::ADD_DERIVED_PREFIX),
            Some(None) => return Ok(Need::Server),
            None => (handle, AdminPermissions::ADD_HANDLE),
        };
        Ok(Need::Rights { of: self.homed_prefix(of)?, permissions })
    }

    fn delete(
        &self,
        snap: &Snapshot<'_>,
        handle: &[u8],
        with: &Circumstances,
    ) -> Result<Prepared, Stop> {
        let place = self.homed(handle)?;
        let (of, permissions) = match name::prefix_named(handle).and_then(name::parent) {
            Some(parent) => (self.homed_prefix(parent)?, AdminPermissions::DELETE_DERIVED_PREFIX),
            None => (place.clone(), AdminPermissions::DELETE_HANDLE),
        };
        let need = Some(Need::Rights { of, permissions });
        let then = match self.live(snap, &place)? {
            None => Err(not_found()),
            Some(found) => {
                let change = with.put(snap, &place, &found, |record| record.withdrawn = true)?;
                Ok(Then::of(change))
            }
        };
        Ok(Prepared { need, then })
    }

    fn add(
        &self,
        snap: &Snapshot<'_>,
        handle: &[u8],
        values: &List<'_, Value<'_>>,
        with: &Circumstances,
    ) -> Result<Prepared, Stop> {
        check_some_values(values)?;
        let place = self.homed(handle)?;
        let permissions =
            for_kinds(values.iter(), AdminPermissions::ADD_VALUE, AdminPermissions::ADD_ADMIN);
        let need = Some(Need::Rights { of: place.clone(), permissions });
        let Some(found) = self.live(snap, &place)? else {
            return Ok(Prepared { need, then: Err(not_found()) });
        };
        let old = found.record.values.list();
        let taken = values.iter().find(|value| old.iter().any(|old| old.index == value.index));
        let then = match taken {
            Some(value) if !with.flags.has(Flags::OVRW) => Err(conflict(value.index)),
            _ => self.merged(snap, &place, &found, values, with, taken.is_some())?.map(Then::of),
        };
        Ok(Prepared { need, then })
    }

    fn modify(
        &self,
        snap: &Snapshot<'_>,
        handle: &[u8],
        values: &List<'_, Value<'_>>,
        with: &Circumstances,
    ) -> Result<Prepared, Stop> {
        check_some_values(values)?;
        let place = self.homed(handle)?;
        let found = self.live(snap, &place)?.ok_or_else(not_found)?;
        let old = found.record.values.list();
        let mut open = true;
        for value in values.iter() {
            let Some(old) = old.iter().find(|old| old.index == value.index) else {
                return Err(Refusal::new(ResponseCode::ValuesNotFound, "").into());
            };
            let permissions = old.permissions;
            let public = permissions.has(weir_handle::Permissions::PUBLIC_WRITE);
            if !public && !permissions.has(weir_handle::Permissions::ADMIN_WRITE) {
                let words = "Value is read-only";
                return Err(Refusal::new(ResponseCode::InsufficientPermissions, words).into());
            }
            let admin = value.is(ValueData::ADMIN) || old.is(ValueData::ADMIN);
            open &= public && !admin;
        }
        let touched = old.iter().filter(|old| values.iter().any(|value| value.index == old.index));
        let permissions = for_kinds(
            values.iter().chain(touched),
            AdminPermissions::MODIFY_VALUE,
            AdminPermissions::MODIFY_ADMIN,
        );
        let need = (!open).then(|| Need::Rights { of: place.clone(), permissions });
        let then = self.merged(snap, &place, &found, values, with, true)?.map(Then::of);
        Ok(Prepared { need, then })
    }

    fn remove(
        &self,
        snap: &Snapshot<'_>,
        handle: &[u8],
        indexes: &List<'_, i32>,
        with: &Circumstances,
    ) -> Result<Prepared, Stop> {
        let place = self.homed(handle)?;
        let rights = |permissions| Some(Need::Rights { of: place.clone(), permissions });
        let Some(found) = self.live(snap, &place)? else {
            let need = rights(AdminPermissions::REMOVE_VALUE);
            return Ok(Prepared { need, then: Err(not_found()) });
        };
        let old = found.record.values.list();
        let gone = |value: &Value<'_>| indexes.iter().any(|index| index == value.index);
        let need = rights(for_kinds(
            old.iter().filter(gone),
            AdminPermissions::REMOVE_VALUE,
            AdminPermissions::REMOVE_ADMIN,
        ));
        let missing = indexes.iter().any(|index| !old.iter().any(|old| old.index == index));
        if indexes.is_empty() {
            return Ok(Prepared { need, then: Ok(Then::Nothing) });
        }
        if missing {
            let then = Err(Refusal::new(ResponseCode::ValuesNotFound, ""));
            return Ok(Prepared { need, then });
        }
        let left: Vec<Owned> =
            old.iter().filter(|value| !gone(value)).map(|value| Owned::of(&value)).collect();
        let then =
            with.put(snap, &place, &found, |record| record.values = left.iter().collect())?;
        let then = Ok(Then::of(then));
        Ok(Prepared { need, then })
    }

    /// The record with some values put in the place of those with their index, and the others
    /// behind.
    fn merged(
        &self,
        snap: &Snapshot<'_>,
        place: &Place,
        found: &Versioned<Record>,
        values: &List<'_, Value<'_>>,
        with: &Circumstances,
        replaced: bool,
    ) -> Result<Result<Change, Refusal>, StoreError> {
        let stamp = |value: Value<'_>| Owned::of(&Value { timestamp: seconds(with.now), ..value });
        let old = found.record.values.list();
        let mut merged: Vec<Owned> = Vec::with_capacity(old.len() + values.len());
        for old in old.iter() {
            let new = values.iter().find(|value| value.index == old.index);
            merged.push(new.map_or_else(|| Owned::of(&old), stamp));
        }
        let fresh = values.iter().filter(|value| !old.iter().any(|old| old.index == value.index));
        merged.extend(fresh.map(stamp));
        let values: Values = merged.iter().collect();
        if values.bytes() > VALUES_BYTES_MAX {
            return Ok(Err(too_large()));
        }
        let change = with.put(snap, place, found, |record| record.values = values)?;
        Ok(Ok(Change { replaced, ..change }))
    }

    /// The place of a handle that this node answers for.
    pub(super) fn homed(&self, handle: &[u8]) -> Result<Place, Refusal> {
        self.registry.place(handle).map_err(|none| match none {
            NoPlace::NotHomed => {
                let words = "That prefix doesn't live here";
                Refusal::new(ResponseCode::ServerNotResponsible, words)
            }
            NoPlace::Suspended => {
                Refusal::new(ResponseCode::ServerNotResponsible, "That prefix is suspended")
            }
            NoPlace::NoName => Refusal::new(ResponseCode::InvalidHandle, "Invalid handle"),
        })
    }

    /// The place of the handle that stands for the prefix of a handle, or for a prefix itself.
    fn homed_prefix(&self, handle: &[u8]) -> Result<Place, Refusal> {
        let mut of = Vec::new();
        name::prefix_handle(handle, &mut of);
        self.homed(&of)
    }

    /// A record that the protocol tells of.
    fn live(
        &self,
        snap: &Snapshot<'_>,
        place: &Place,
    ) -> Result<Option<Versioned<Record>>, StoreError> {
        let found = snap.get::<Identifiers>(place.tenant, &place.key)?;
        Ok(found.filter(|found| found.record.published && !found.record.withdrawn))
    }
}

/// Records that are read at a time for a list.
const LISTED_AT_ONCE: usize = 1_000;

/// Most handles of one list: they are in memory at once, and the protocol has no pages.
const LISTED_MAX: usize = 100_000;

/// What an administrator must be allowed who replaces a whole handle.
const OVERWRITE: AdminPermissions = AdminPermissions::DELETE_HANDLE
    .and(AdminPermissions::ADD_VALUE)
    .and(AdminPermissions::MODIFY_VALUE)
    .and(AdminPermissions::REMOVE_VALUE);

impl Circumstances {
    fn author_in(&self, place: &Place) -> Author {
        Author { tenant: place.tenant, ..self.author.clone() }
    }

    fn put(
        &self,
        snap: &Snapshot<'_>,
        place: &Place,
        found: &Versioned<Record>,
        change: impl FnOnce(&mut Record),
    ) -> Result<Change, StoreError> {
        let mut record = found.record.clone();
        change(&mut record);
        let mut commit = Commit::new(self.author_in(place), self.now);
        file(snap, &mut commit, place, record, Expect::Version(found.version))?;
        Ok(Change { commit, created: None, replaced: false, prefixes: false })
    }
}

/// Values with the server's own clock in them.
fn restamped<'a>(values: impl Iterator<Item = Value<'a>>, now: Timestamp) -> Values {
    let timestamp = seconds(now);
    let values: Vec<Owned> = values.map(|value| Owned::of(&Value { timestamp, ..value })).collect();
    values.iter().collect()
}

/// The permission for values of any type, and another one for HS_ADMIN values, as they are needed.
fn for_kinds<'a>(
    values: impl Iterator<Item = Value<'a>>,
    usual: AdminPermissions,
    admin: AdminPermissions,
) -> AdminPermissions {
    let (mut needed, mut any) = (AdminPermissions::default(), false);
    for value in values {
        any = true;
        needed = needed.and(if value.is(ValueData::ADMIN) { admin } else { usual });
    }
    if any { needed } else { usual }
}

/// As [`check_values`], of values without which there is nothing to do.
fn check_some_values(values: &List<'_, Value<'_>>) -> Result<(), Refusal> {
    match values.is_empty() {
        true => Err(Refusal::new(ResponseCode::InvalidValue, "Value list was empty")),
        false => check_values(values),
    }
}

fn check_values(values: &List<'_, Value<'_>>) -> Result<(), Refusal> {
    if values.len() > weir_handle::VALUES_MAX || values.wire().len() > VALUES_BYTES_MAX {
        return Err(too_large());
    }
    let mut indexes: Vec<i32> = values.iter().map(|value| value.index).collect();
    if indexes.iter().any(|index| *index <= 0) {
        let words = "Value indexes must be positive";
        return Err(Refusal::new(ResponseCode::InvalidValue, words));
    }
    indexes.sort_unstable();
    match indexes.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(conflict(pair[0])),
        None => Ok(()),
    }
}

fn conflict(index: i32) -> Refusal {
    Refusal::new(ResponseCode::ValueAlreadyExists, format!("Index conflict for {index}"))
}

fn exists() -> Refusal {
    Refusal::new(ResponseCode::HandleAlreadyExists, "Handle already exists")
}

fn not_found() -> Refusal {
    Refusal::new(ResponseCode::HandleNotFound, "")
}

fn too_large() -> Refusal {
    let words = format!("the values are larger than {VALUES_BYTES_MAX} bytes together");
    Refusal::new(ResponseCode::InvalidValue, words)
}

/// A random UUID (RFC 9562, version 4) in its usual form.
fn uuid(random: u128) -> String {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
