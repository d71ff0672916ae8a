//! Who may change what: HS_ADMIN values and the groups they name.

use weir_handle::{AdminPermissions, List, Reference, Value, ValueData};
use weir_store::{Snapshot, StoreError};

use super::Authority;
use crate::registry::{Place, kept, place, stored};

/// Most groups that are looked into for one decision: groups may name groups.
const GROUPS_MAX: usize = 32;

/// What is needed for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// An HS_ADMIN value of this record with these permissions.
    Rights {
        /// The record.
        of: Place,
        /// The permissions.
        permissions: AdminPermissions,
    },
    /// An administrator of the server.
    Server,
}

impl Authority {
    /// Whether a user has what is needed.
    pub(super) fn may(
        &self,
        snap: &Snapshot<'_>,
        user: &Reference<'_>,
        need: &Need,
    ) -> Result<bool, StoreError> {
        let administrators = &self.identity.administrators;
        let administrators: Vec<_> =
            administrators.iter().map(|text| Reference::parse(text)).collect();
        if self.among(snap, user, administrators)? {
            return Ok(true);
        }
        let Need::Rights { of, permissions } = need else { return Ok(false) };
        let Some(bytes) = stored(snap, of)? else { return Ok(false) };
        let Some(record) = kept(&bytes) else { return Ok(false) };
        let named = record.values.iter().filter_map(|value| match ValueData::of(&value) {
            Ok(ValueData::Admin(admin)) if admin.permissions.has(*permissions) => Some(admin.user),
            _ => None,
        });
        self.among(snap, user, named.collect())
    }

    /// Whether a user is among those that are named, directly or in a group.
    fn among(
        &self,
        snap: &Snapshot<'_>,
        user: &Reference<'_>,
        named: Vec<Reference<'_>>,
    ) -> Result<bool, StoreError> {
        let admits = |named: &Reference<'_>| named.admits(user);
        if named.iter().any(admits) {
            return Ok(true);
        }
        let owned = |named: &Reference<'_>| (named.handle.to_vec(), named.index);
        let mut groups: Vec<(Vec<u8>, i32)> = named.iter().map(owned).collect();
        let mut looked = 0;
        while looked < groups.len().min(GROUPS_MAX) {
            let (handle, index) = groups[looked].clone();
            looked += 1;
            let Ok(place) = place(&self.registry.homes(), &handle) else { continue };
            let Some(bytes) = stored(snap, &place)? else { continue };
            let Some(record) = kept(&bytes) else { continue };
            for members in record.values.iter().filter_map(|value| members(&value, index)) {
                if members.iter().any(|member| member.admits(user)) {
                    return Ok(true);
                }
                for group in members.iter().map(|member| owned(&member)) {
                    if groups.len() < GROUPS_MAX && !groups.contains(&group) {
                        groups.push(group);
                    }
                }
            }
        }
        Ok(false)
    }
}

fn members<'a>(value: &Value<'a>, index: i32) -> Option<List<'a, Reference<'a>>> {
    match ValueData::of(value) {
        Ok(ValueData::ValueList(list)) if index == 0 || value.index == index => Some(list),
        _ => None,
    }
}
