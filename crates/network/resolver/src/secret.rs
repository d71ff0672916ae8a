//! Secret keys of records (HS_SECKEY): kept encrypted and apart, so that no answer can tell one by
//! a slip.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use weir_handle::{List, Value, ValueData};
use weir_store::{Collection, Commit, Expect, History, Snapshot, StoreError};

use crate::record::Owned;
use crate::registry::Place;
use crate::{Record, Values};

/// The secret keys of one record, by the index of their values, in base64.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretKeys(BTreeMap<i32, String>);

/// Secret keys by folded identifier.
pub struct Secrets;

impl Collection for Secrets {
    const NAME: &'static str = "identifier-secrets";
    type Record = SecretKeys;
    const HISTORY: History = History::None;
    const SECRET: bool = true;
}

/// The secret key of a value.
pub(crate) fn of(
    snap: &Snapshot<'_>,
    place: &Place,
    index: i32,
) -> Result<Option<Vec<u8>>, StoreError> {
    let found = snap.get::<Secrets>(place.tenant, &place.key)?;
    Ok(found.and_then(|found| BASE64.decode(found.record.0.get(&index)?).ok()))
}

/// The values of a record with their secret keys: only for an administrator who may read them.
pub(crate) fn revealed(
    snap: &Snapshot<'_>,
    place: &Place,
    values: &List<'_, Value<'_>>,
) -> Result<Values, StoreError> {
    let kept = snap.get::<Secrets>(place.tenant, &place.key)?;
    let kept = kept.map(|kept| kept.record).unwrap_or_default();
    let with_key = |value: Value<'_>| {
        let key = kept.0.get(&value.index).filter(|_| value.is(ValueData::SECKEY));
        match key.and_then(|key| BASE64.decode(key).ok()) {
            Some(key) => Owned::of(&Value { data: &key, ..value }),
            None => Owned::of(&value),
        }
    };
    Ok(values.iter().map(with_key).collect::<Vec<_>>().iter().collect())
}

/// Takes the secret keys out of a record that is about to be put, and puts them where they are
/// kept, as parts of the same commit. A value that comes without its key keeps the one it had.
pub(crate) fn set_apart(
    snap: &Snapshot<'_>,
    commit: &mut Commit,
    place: &Place,
    record: &mut Record,
) -> Result<(), StoreError> {
    let is_secret = |value: &Value<'_>| value.is(ValueData::SECKEY);
    let old = snap.get::<Secrets>(place.tenant, &place.key)?;
    let any = !record.withdrawn && record.values.list().iter().any(|value| is_secret(&value));
    if !any {
        if old.is_some() {
            commit.delete_in::<Secrets>(place.tenant, &place.key, Expect::Any);
        }
        return Ok(());
    }
    let old = old.map(|old| old.record).unwrap_or_default();
    let mut kept = SecretKeys::default();
    let mut bare = Vec::with_capacity(record.values.len());
    for value in record.values.list().iter() {
        if !is_secret(&value) {
            bare.push(Owned::of(&value));
            continue;
        }
        let key = match value.data {
            [] => old.0.get(&value.index).cloned(),
            data => Some(BASE64.encode(data)),
        };
        kept.0.extend(key.map(|key| (value.index, key)));
        bare.push(Owned::of(&Value { data: &[], ..value }));
    }
    record.values = bare.iter().collect();
    if kept != old {
        commit.put_in::<Secrets>(place.tenant, &place.key, &kept, Expect::Any);
    }
    Ok(())
}
