//! The tree of assets and tags. What stands below something that a caller does not see stands at the
//! top for it.

use std::collections::HashMap;

use weir_access::{Action, Caller};
use weir_connect::WriteLimits;
use weir_model::Identifier;
use weir_opcua_server::{Asset, Node, PlantError, Tag};
use weir_store::{Snapshot, StoreError};
use weir_twin::{Assets, Tags, TenantView};

use super::sight::Sight;
use super::{Rooms, unavailable};

/// Where a document is found.
#[derive(Clone, Copy)]
enum Kind {
    Asset,
    Tag,
}

/// A thing that a caller sees.
struct Place {
    key: String,
    kind: Kind,
    /// Whether the caller sees what it belongs to.
    below: bool,
}

/// The things of these keys, in their order.
pub(super) fn nodes(
    rooms: &Rooms,
    caller: &Caller,
    keys: &[String],
) -> Result<Vec<Option<Node>>, PlantError> {
    let sight = Sight::of(rooms, caller);
    let places = rooms.directory.with(caller.tenant, |view| {
        let place = |key: &String| place(view, &sight, key);
        keys.iter().map(place).collect::<Vec<_>>()
    });
    let places =
        places.map_err(unavailable)?.unwrap_or_else(|| keys.iter().map(|_| None).collect());
    load(rooms, caller, places)
}

fn place(view: &TenantView, sight: &Sight<'_>, key: &str) -> Option<Place> {
    let (kind, above) = match view.tag(key) {
        Some(tag) if sight.tag(view, tag) => (Kind::Tag, tag.asset.as_deref()),
        Some(_) => return None,
        None => {
            let asset = view.asset(key).filter(|asset| sight.asset(view, asset))?;
            (Kind::Asset, asset.parent.as_deref())
        }
    };
    Some(Place { key: key.to_owned(), kind, below: sight.asset_of(view, above) })
}

/// What stands directly below an asset, or at the top, behind a key: by key, assets and tags together.
pub(super) fn children(
    rooms: &Rooms,
    caller: &Caller,
    parent: Option<&str>,
    after: Option<&str>,
    max: usize,
) -> Result<Vec<Node>, PlantError> {
    let sight = Sight::of(rooms, caller);
    if sight.is_blind() {
        return Ok(Vec::new());
    }
    let mut places = match parent {
        None => top(rooms, caller, &sight, after, max)?,
        Some(parent) => below(rooms, caller, &sight, parent, after, max)?,
    };
    places.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    places.truncate(max);
    let loaded = load(rooms, caller, places.into_iter().map(Some).collect())?;
    Ok(loaded.into_iter().flatten().collect())
}

/// What belongs to nothing that the caller sees.
fn top(
    rooms: &Rooms,
    caller: &Caller,
    sight: &Sight<'_>,
    after: Option<&str>,
    max: usize,
) -> Result<Vec<Place>, PlantError> {
    let found = rooms.directory.with(caller.tenant, |view| {
        // Thousands of tags belong to the same few assets.
        let mut known: HashMap<&str, bool> = HashMap::new();
        let place = |key: &str, kind| Place { key: key.to_owned(), kind, below: false };
        let assets = view.assets_after(after).filter(|(_, asset)| {
            !sight.asset_of(view, asset.parent.as_deref()) && sight.asset(view, asset)
        });
        let mut places: Vec<Place> =
            assets.take(max).map(|(key, _)| place(key, Kind::Asset)).collect();
        let tags = view.tags_after(after).filter(|(_, tag)| {
            let below = tag.asset.as_deref().is_some_and(|asset| {
                *known.entry(asset).or_insert_with(|| sight.asset_of(view, Some(asset)))
            });
            !below && sight.tag(view, tag)
        });
        places.extend(tags.take(max).map(|(key, _)| place(key, Kind::Tag)));
        places
    });
    Ok(found.map_err(unavailable)?.unwrap_or_default())
}

fn below(
    rooms: &Rooms,
    caller: &Caller,
    sight: &Sight<'_>,
    parent: &str,
    after: Option<&str>,
    max: usize,
) -> Result<Vec<Place>, PlantError> {
    let place = |key: &str, kind| Place { key: key.to_owned(), kind, below: true };
    let assets = rooms.directory.with(caller.tenant, |view| {
        if !sight.asset_of(view, Some(parent)) {
            return None;
        }
        let children = view.children_after(parent, after);
        let seen = children.filter(|(_, asset)| sight.asset(view, asset));
        Some(seen.take(max).map(|(key, _)| place(key, Kind::Asset)).collect::<Vec<_>>())
    });
    let Some(mut places) = assets.map_err(unavailable)?.flatten() else { return Ok(Vec::new()) };
    let mut tags = 0;
    let mut after = after.map(str::to_owned);
    while tags < max {
        let page =
            rooms.store.by_index::<Tags>(caller.tenant, Tags::ASSET, parent, after.as_deref(), max);
        let page = page.map_err(unavailable)?;
        let seen = rooms.directory.with(caller.tenant, |view| {
            let sees = |key: &&String| view.tag(key).is_some_and(|tag| sight.tag(view, tag));
            let keys = page.items.iter().map(|found| &found.key).filter(sees);
            keys.map(|key| place(key, Kind::Tag)).collect::<Vec<_>>()
        });
        let seen = seen.map_err(unavailable)?.unwrap_or_default();
        tags += seen.len();
        places.extend(seen);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(places)
}

/// Reads the documents of places, in their order.
fn load(
    rooms: &Rooms,
    caller: &Caller,
    places: Vec<Option<Place>>,
) -> Result<Vec<Option<Node>>, PlantError> {
    let writes = rooms.may(caller, Action::DeviceControl);
    let loaded = rooms.store.read(|snap| {
        let load = |place: &Option<Place>| match place {
            Some(place) => node(snap, caller, place, writes),
            None => Ok(None),
        };
        places.iter().map(load).collect::<Result<Vec<_>, StoreError>>()
    });
    loaded.map_err(unavailable)
}

fn node(
    snap: &Snapshot<'_>,
    caller: &Caller,
    place: &Place,
    writes: bool,
) -> Result<Option<Node>, StoreError> {
    let parent = |id: Option<Identifier>| id.filter(|_| place.below);
    Ok(match place.kind {
        Kind::Asset => snap.get::<Assets>(caller.tenant, &place.key)?.map(|found| {
            let weir_twin::Asset { id, name, names, level, parent: above, description, .. } =
                found.record;
            Node::Asset(Asset { id, parent: parent(above), name, names, description, level })
        }),
        Kind::Tag => snap.get::<Tags>(caller.tenant, &place.key)?.map(|found| {
            let writable = writes && writing(&found.record) == Writing::Free;
            let tag = found.record;
            Node::Tag(Tag {
                id: tag.id,
                tag: tag.tag,
                parent: parent(tag.asset),
                name: tag.name,
                names: tag.names,
                description: tag.description,
                unit: tag.unit,
                data_type: tag.data_type,
                range: tag.range.map(|range| (range.low, range.high)),
                labels: tag.labels,
                writable,
            })
        }),
    })
}

/// Whether and how a tag is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// Not at all.
    Never,
    /// When a person has confirmed it, which a write over OPC UA cannot tell.
    Confirmed,
    /// By whoever may.
    Free,
}

/// Whether and how the tag's limits let it be written.
pub(super) fn writing(tag: &weir_twin::Tag) -> Writing {
    let limits = tag.source.as_ref().and_then(|source| source.write.as_ref());
    match limits.map(|json| serde_json::from_value::<WriteLimits>(json.clone())) {
        Some(Ok(limits)) if limits.confirm => Writing::Confirmed,
        Some(Ok(_)) => Writing::Free,
        Some(Err(_)) | None => Writing::Never,
    }
}
