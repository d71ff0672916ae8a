//! What a caller sees of its organisation's plant.

use weir_access::{Action, Caller};
use weir_twin::{AssetEntry, TagEntry, TenantView};

use super::Rooms;

/// A caller's eyes: what it may look at, as decided a moment ago.
pub(super) struct Sight<'a> {
    caller: &'a Caller,
    assets: bool,
    tags: bool,
}

impl<'a> Sight<'a> {
    pub(super) fn of(rooms: &Rooms, caller: &'a Caller) -> Self {
        let assets = rooms.may(caller, Action::AssetRead);
        Self { caller, assets, tags: rooms.may(caller, Action::TagRead) }
    }

    /// Whether it sees nothing at all.
    pub(super) fn is_blind(&self) -> bool {
        !self.assets && !self.tags
    }

    pub(super) fn asset(&self, view: &TenantView, asset: &AssetEntry) -> bool {
        self.assets && self.caller.sees(self.caller.tenant, view.grade_of_asset(asset))
    }

    pub(super) fn tag(&self, view: &TenantView, tag: &TagEntry) -> bool {
        self.tags && self.caller.sees(self.caller.tenant, view.grade_of_tag(tag))
    }

    /// Whether there is an asset of that key that it sees.
    pub(super) fn asset_of(&self, view: &TenantView, key: Option<&str>) -> bool {
        key.and_then(|key| view.asset(key)).is_some_and(|asset| self.asset(view, asset))
    }
}
