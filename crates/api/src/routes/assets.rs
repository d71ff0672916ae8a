//! The asset tree.

use std::collections::{BTreeMap, HashMap};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::Action;
use weir_connect::{Devices, State as DeviceState};
use weir_model::{Grade, Identifier, Level, ProblemCode};
use weir_resolver::{Kind, Minter};
use weir_store::Versioned;
use weir_twin::{Asset, Assets, Draft, TwinError};

use super::Listing;
use crate::body::{Document, Patch, Query};
use crate::cursor;
use crate::door::{Id, Route, Visit, needs};
use crate::etag;
use crate::failure::Failure;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::AssetRead, routes!(list)),
        needs(Action::AssetWrite, routes!(create)),
        needs(Action::AssetRead, routes!(get)),
        needs(Action::AssetWrite, routes!(update)),
        needs(Action::AssetWrite, routes!(delete)),
    ]
}

/// An asset: an enterprise, a site, a line, a machine (ISA-95).
#[derive(Serialize, utoipa::ToSchema)]
struct AssetView {
    /// Its identifier.
    #[schema(value_type = String, example = "88.100/reactor")]
    id: Identifier,
    /// Its name.
    name: String,
    /// Its name in other languages.
    names: BTreeMap<String, String>,
    /// Where it stands in the hierarchy.
    level: Level,
    /// What it is part of; null at the top.
    #[schema(value_type = Option<String>)]
    parent: Option<Identifier>,
    /// The grade that holds for it.
    grade: Grade,
    /// Its own grade, if it has one.
    own_grade: Option<Grade>,
    /// What it is, for people.
    description: String,
    /// The state of it and of all below.
    state: AssetState,
    /// The version, which is also the ETag.
    version: u64,
}

/// How an asset and all below it are doing, as far as the caller may see.
#[derive(Debug, Clone, Copy, Default, Serialize, utoipa::ToSchema)]
struct AssetState {
    /// Tags.
    tags: usize,
    /// Tags whose newest value cannot be used.
    bad: usize,
    /// Devices that should run and are not online.
    devices_down: usize,
}

/// An asset as it is created and changed.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Reactor", "names": {"zh-CN": "反应器"}, "level": "work_unit", "parent": "88.100/te-plant"
}))]
struct AssetInput {
    /// Its identifier; made from the name if not given, and never changed.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    id: Option<Identifier>,
    /// Its name.
    name: String,
    /// Its name in other languages.
    #[serde(default)]
    names: BTreeMap<String, String>,
    /// Where it stands in the hierarchy.
    level: Level,
    /// What it is part of.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    parent: Option<Identifier>,
    /// Its own grade.
    #[serde(default)]
    grade: Option<Grade>,
    /// What it is, for people.
    #[serde(default)]
    description: String,
}

impl AssetInput {
    fn of(asset: &Asset) -> Self {
        let Asset { id, name, names, level, parent, grade, description } = asset.clone();
        Self { id: Some(id), name, names, level, parent, grade, description }
    }

    fn with_id(&self, id: Identifier) -> Asset {
        Asset {
            id,
            name: self.name.clone(),
            names: self.names.clone(),
            level: self.level,
            parent: self.parent.clone(),
            grade: self.grade,
            description: self.description.clone(),
        }
    }
}

/// Which assets are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AssetQuery {
    /// Only those directly below this asset; empty for those at the top.
    parent: Option<String>,
    /// Only those whose identifier or name contains each of these words.
    q: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// From `next` of the page before.
    cursor: Option<String>,
}

/// List assets
#[utoipa::path(
    get,
    path = "/api/v1/assets",
    operation_id = "listAssets",
    tag = "assets",
    params(AssetQuery),
    responses((status = 200, description = "Assets by identifier", body = Listing<AssetView>)),
)]
async fn list(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<AssetQuery>,
) -> Result<Json<Listing<AssetView>>, Failure> {
    let limit = super::limit(query.limit)?;
    let words = super::words(query.q.as_deref())?;
    let after = match &query.cursor {
        Some(cursor) => Some(cursor::decode::<1>("assets", cursor)?[0].clone()),
        None => None,
    };
    let parent = query.parent.map(|parent| parent.to_ascii_lowercase());
    let (keys, more) = visit.directory(|view| {
        let wanted = view.assets_after(after.as_deref()).filter(|(_, asset)| {
            parent.as_ref().is_none_or(|p| asset.parent.as_deref().unwrap_or("") == p)
                && asset.matches(&words)
                && visit.sees(view.grade_of_asset(asset))
        });
        let mut keys: Vec<String> = wanted.take(limit + 1).map(|(key, _)| key.to_owned()).collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        (keys, more)
    })?;
    let next = keys.last().filter(|_| more).map(|key| cursor::encode("assets", &[key]));
    let found = state.store.read(|snap| {
        keys.iter()
            .filter_map(|key| snap.get::<Assets>(visit.tenant(), key).transpose())
            .collect::<Result<Vec<_>, weir_store::StoreError>>()
    })?;
    Ok(Json(Listing { items: views(&state, &visit, found)?, next }))
}

/// Create an asset
#[utoipa::path(
    post,
    path = "/api/v1/assets",
    operation_id = "createAsset",
    tag = "assets",
    request_body = AssetInput,
    responses((status = 201, description = "Created", body = AssetView)),
)]
async fn create(
    State(state): State<ApiState>,
    visit: Visit,
    Document(input): Document<AssetInput>,
) -> Result<Response, Failure> {
    let organisation = visit.organisation()?;
    visible_asset(&visit, input.parent.as_ref(), "/parent")?;
    within_ceiling(&visit, input.grade, input.parent.as_ref())?;
    let (_, id) = visit
        .change("asset.create", |snap, commit| {
            let mut draft = Draft::new(snap, commit);
            let mut minter = Minter::new(snap, visit.tenant(), organisation.prefix.clone())?;
            let asked = input.id.as_ref();
            let id = minter.mint(draft.commit_mut(), Kind::Asset, asked, &input.name)?;
            draft.create_asset(&input.with_id(id.clone()))?;
            Ok((draft.finish()?, id))
        })
        .await?;
    let location = super::header(format!("/api/v1/assets/{}", super::segment(&id)));
    let (tag, view) = answer(&state, &visit, &id)?;
    Ok((StatusCode::CREATED, [tag, (header::LOCATION, location)], view).into_response())
}

/// Get an asset
#[utoipa::path(
    get,
    path = "/api/v1/assets/{id}",
    operation_id = "getAsset",
    tag = "assets",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    responses((status = 200, description = "The asset", body = AssetView)),
)]
async fn get(State(state): State<ApiState>, visit: Visit, Id(id): Id) -> Result<Response, Failure> {
    let (tag, view) = answer(&state, &visit, &id)?;
    Ok(([tag], view).into_response())
}

/// Change, rename or move an asset
#[utoipa::path(
    patch,
    path = "/api/v1/assets/{id}",
    operation_id = "updateAsset",
    tag = "assets",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    request_body(content = AssetInput, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The asset as it is now", body = AssetView)),
)]
async fn update(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    headers: HeaderMap,
    patch: Patch,
) -> Result<Response, Failure> {
    let found = find(&state, &visit, &id)?;
    let expected = etag::expected(&headers)?;
    visit
        .change("asset.update", |snap, commit| {
            let current = snap.get::<Assets>(visit.tenant(), &found.key)?;
            let current = current.ok_or_else(|| TwinError::NotFound(id.clone()))?.record;
            let input = patch.apply(&AssetInput::of(&current))?;
            if input.parent != current.parent {
                visible_asset(&visit, input.parent.as_ref(), "/parent")?;
            }
            within_ceiling(&visit, input.grade, input.parent.as_ref())?;
            let asset = input.with_id(super::kept_id(&input.id, &current.id)?);
            let mut draft = Draft::new(snap, commit);
            draft.update_asset(&asset, expected)?;
            if asset.name != current.name {
                let commit = draft.commit_mut();
                weir_resolver::rename(snap, commit, visit.tenant(), &asset.id, &asset.name)?;
            }
            Ok((draft.finish()?, ()))
        })
        .await?;
    let (tag, view) = answer(&state, &visit, &id)?;
    Ok(([tag], view).into_response())
}

/// Delete an asset
///
/// Only while no asset, tag or device hangs on it.
#[utoipa::path(
    delete,
    path = "/api/v1/assets/{id}",
    operation_id = "deleteAsset",
    tag = "assets",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    responses((status = 204, description = "Deleted")),
)]
async fn delete(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let found = find(&state, &visit, &id)?;
    let expected = etag::expected(&headers)?;
    visit
        .change("asset.delete", |snap, commit| {
            let (index, key) = (Devices::BY_ASSET, found.key.as_str());
            let devices = snap.by_index::<Devices>(visit.tenant(), index, key, None, 1)?;
            if !devices.items.is_empty() {
                let detail = format!("{id} still has devices.");
                return Err(Failure::new(ProblemCode::Conflict, detail));
            }
            let mut draft = Draft::new(snap, commit);
            draft.delete_asset(&id, expected)?;
            weir_resolver::withdraw(snap, draft.commit_mut(), visit.tenant(), &id)?;
            Ok((draft.finish()?, ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// That an asset that a document names is one that the caller may see.
pub(super) fn visible_asset(
    visit: &Visit,
    id: Option<&Identifier>,
    field: &str,
) -> Result<(), Failure> {
    let Some(id) = id else { return Ok(()) };
    if visit.sees_asset(&id.folded())? {
        return Ok(());
    }
    Err(Failure::field(ProblemCode::InvalidValue, field, format!("there is no asset {id}")))
}

/// Nobody makes or regrades what they would not see afterwards: the answer would have to hide it.
pub(crate) fn within_ceiling(
    visit: &Visit,
    own: Option<Grade>,
    asset: Option<&Identifier>,
) -> Result<(), Failure> {
    let asset = asset.map(Identifier::folded);
    let grade = visit.directory(|view| view.grade(own, asset.as_deref()))?;
    if visit.sees(grade) {
        return Ok(());
    }
    let detail = format!("Its grade would be {grade}, which is above your own ceiling.");
    Err(Failure::new(ProblemCode::Forbidden, detail))
}

fn find(state: &ApiState, visit: &Visit, id: &Identifier) -> Result<Versioned<Asset>, Failure> {
    let (key, name) = (id.folded(), format!("asset {id}"));
    let seen = visit.sees_asset(&key)?;
    let found = state.store.get::<Assets>(visit.tenant(), &key)?;
    match found {
        Some(found) if seen => Ok(found),
        Some(_) => Err(Failure::hidden(name)),
        None => Err(Failure::not_found(name)),
    }
}

type Tag = (http::HeaderName, http::HeaderValue);

fn answer(
    state: &ApiState,
    visit: &Visit,
    id: &Identifier,
) -> Result<(Tag, Json<AssetView>), Failure> {
    let found = find(state, visit, id)?;
    let tag = etag::of(found.version);
    let view = views(state, visit, vec![found])?.pop();
    Ok((tag, Json(view.ok_or_else(|| Failure::not_found(format!("asset {id}")))?)))
}

fn views(
    state: &ApiState,
    visit: &Visit,
    found: Vec<Versioned<Asset>>,
) -> Result<Vec<AssetView>, Failure> {
    let states = states(state, visit)?;
    visit.directory(|view| {
        let view_of = |found: Versioned<Asset>| {
            let Asset { id, name, names, level, parent, grade, description } = found.record;
            let above = parent.as_ref().map(Identifier::folded);
            let is_seen = |key: &str| {
                view.asset(key).is_some_and(|asset| visit.sees(view.grade_of_asset(asset)))
            };
            AssetView {
                parent: parent.filter(|_| above.as_deref().is_some_and(is_seen)),
                grade: view.grade(grade, above.as_deref()),
                state: states.get(&found.key).copied().unwrap_or_default(),
                own_grade: grade,
                version: found.version,
                id,
                name,
                names,
                level,
                description,
            }
        };
        found.into_iter().map(view_of).collect()
    })
}

/// The state of every asset, each counted with all that hangs below it.
fn states(state: &ApiState, visit: &Visit) -> Result<HashMap<String, AssetState>, Failure> {
    let down: Vec<Option<String>> = super::devices::visible_devices(visit)?
        .into_iter()
        .filter(|(_, status)| {
            status.as_ref().is_some_and(|status| {
                !matches!(status.state, DeviceState::Online | DeviceState::Disabled)
            })
        })
        .map(|(device, _)| device.asset.as_ref().map(Identifier::folded))
        .collect();
    visit.directory(|view| {
        let mut states: HashMap<String, AssetState> = HashMap::new();
        let mut add = |asset: Option<&str>, part: AssetState| {
            for above in asset.into_iter().flat_map(|key| view.ancestry(key)) {
                let state = states.entry(above.id.folded()).or_default();
                state.tags += part.tags;
                state.bad += part.bad;
                state.devices_down += part.devices_down;
            }
        };
        for (_, tag) in view.tags_after(None) {
            if visit.sees(view.grade_of_tag(tag)) {
                let last = state.historian.last(visit.tenant(), tag.tag);
                let bad = usize::from(last.is_some_and(|sample| sample.quality.is_bad()));
                add(tag.asset.as_deref(), AssetState { tags: 1, bad, devices_down: 0 });
            }
        }
        for asset in &down {
            add(asset.as_deref(), AssetState { devices_down: 1, ..AssetState::default() });
        }
        states
    })
}
