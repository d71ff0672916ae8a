//! Devices: what they are, how they are doing, and their points.

mod call;
mod change;
mod check;
mod input;
mod probe;
mod table;
mod view;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use utoipa_axum::routes;
use weir_access::Action;
use weir_connect::{
    DEVICES_MAX, Device, DeviceSecrets, DeviceStatus, Devices, State as DeviceState,
};
use weir_model::{Identifier, ProblemCode};
use weir_resolver::Minter;
use weir_store::{Expect, Snapshot, Versioned};
use weir_twin::{Draft, Tag, Tags, TwinError};

use super::Listing;
use crate::body::{Document, Patch, Query};
use crate::cursor;
use crate::door::{Id, Route, Visit, needs};
use crate::etag;
use crate::failure::Failure;
use crate::state::ApiState;

use change::{Change, Present};
pub(super) use check::point_faults;
use check::{check_ceiling, check_input};
use input::{DeviceInput, DevicePatch};
pub(super) use input::{PointInput, Told};
use view::{DeviceSummary, DeviceView};

/// Most points that one request creates or changes: a commit holds so many records.
pub(super) const POINTS_A_REQUEST_MAX: usize = 4000;

/// Records read in one step.
const PAGE: usize = 1000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::DeviceRead, routes!(list)),
        needs(Action::DeviceWrite, routes!(create)),
        needs(Action::DeviceRead, routes!(get)),
        needs(Action::DeviceWrite, routes!(update)),
        needs(Action::DeviceWrite, routes!(put)),
        needs(Action::DeviceWrite, routes!(delete)),
        needs(Action::DeviceWrite, routes!(probe::test)),
        needs(Action::DeviceWrite, routes!(probe::discover)),
        needs(Action::DeviceWrite, routes!(probe::browse)),
        needs(Action::DeviceRead, routes!(probe::log)),
        needs(Action::DeviceRead, routes!(table::export)),
        needs(Action::DeviceWrite, routes!(table::import::import)),
        needs(Action::DeviceControl, routes!(call::call)),
        needs(Action::DeviceWrite, routes!(probe::restart)),
        needs(Action::DeviceRead, routes!(probe::protocols)),
    ]
}

/// Which devices are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeviceQuery {
    /// Only those whose identifier or name contains each of these words.
    q: Option<String>,
    /// Only those in this state.
    #[param(inline)]
    state: Option<DeviceState>,
    /// Only those of this protocol.
    protocol: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// From `next` of the page before.
    cursor: Option<String>,
}

impl DeviceQuery {
    /// Whether a device is wanted, as far as its document and its state tell.
    fn wants(&self, visit: &Visit, device: &Device, words: &str) -> bool {
        let is_in_state = |wanted| {
            let status = visit.state().supervisor.status(visit.tenant(), &device.id);
            status.is_some_and(|status| status.state == wanted)
        };
        matches(device, words)
            && self.protocol.as_ref().is_none_or(|protocol| *protocol == device.protocol)
            && self.state.is_none_or(is_in_state)
    }
}

/// List devices
#[utoipa::path(
    get,
    path = "/api/v1/devices",
    operation_id = "listDevices",
    tag = "devices",
    params(DeviceQuery),
    responses((status = 200, description = "Devices by identifier, with their states", body = Listing<DeviceSummary>)),
)]
async fn list(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<DeviceQuery>,
) -> Result<Json<Listing<DeviceSummary>>, Failure> {
    let limit = super::limit(query.limit)?;
    let words = super::words(query.q.as_deref())?;
    let mut after = match &query.cursor {
        Some(cursor) => Some(cursor::decode::<1>("devices", cursor)?[0].clone()),
        None => None,
    };
    let mut found = Vec::new();
    loop {
        let page = state.store.list::<Devices>(visit.tenant(), "", after.as_deref(), PAGE)?;
        for device in page.items {
            if found.len() <= limit
                && query.wants(&visit, &device.record, &words)
                && is_visible(&visit, &device.record)?
            {
                found.push(device);
            }
        }
        after = page.next;
        if after.is_none() || found.len() > limit {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next =
        found.last().filter(|_| more).map(|device| cursor::encode("devices", &[&device.key]));
    let items = found.into_iter().map(|device| DeviceSummary::of(&visit, device));
    Ok(Json(Listing { items: items.collect::<Result<_, _>>()?, next }))
}

fn matches(device: &Device, words: &str) -> bool {
    let mut text = format!("{}\n{}", device.id, device.name);
    for name in device.names.values() {
        text.push('\n');
        text.push_str(name);
    }
    let text = text.to_lowercase();
    words.split_whitespace().all(|word| text.contains(word))
}

/// Create a device with its points
///
/// Each point becomes a tag, in the same change. What `GET` answers of a device may be sent as it is.
#[utoipa::path(
    post,
    path = "/api/v1/devices",
    operation_id = "createDevice",
    tag = "devices",
    request_body = DeviceInput,
    responses((status = 201, description = "Created; it starts at once if it is enabled", body = DeviceView)),
)]
async fn create(
    State(state): State<ApiState>,
    visit: Visit,
    Document(input): Document<DeviceInput>,
) -> Result<Response, Failure> {
    let organisation = visit.organisation()?;
    let mut input = input.settled();
    let secrets = change::take_secrets(&visit, &input.protocol, &mut input.settings, None)?;
    check_input(&visit, &input, &secrets)?;
    check_ceiling(&visit, input.grade, input.asset.as_ref(), &input.points)?;
    check_room(&state, 1)?;
    let (_, id) = visit
        .change("device.create", |snap, commit| {
            let mut draft = Draft::new(snap, commit);
            let mut minter = Minter::new(snap, visit.tenant(), organisation.prefix.clone())?;
            let id = change::create(&mut draft, &mut minter, &input, &secrets)?;
            Ok((draft.finish()?, id))
        })
        .await?;
    let location = super::header(format!("/api/v1/devices/{}", super::segment(&id)));
    let (tag, view) = answer(&state, &visit, &id)?;
    Ok((StatusCode::CREATED, [tag, (header::LOCATION, location)], view).into_response())
}

/// Checks that the node can run some more devices.
fn check_room(state: &ApiState, more: usize) -> Result<(), Failure> {
    let room = state.supervisor.room();
    if more <= room {
        return Ok(());
    }
    let detail = format!(
        "A node runs at most {DEVICES_MAX} devices; there is room for {room} more, not for {more}."
    );
    Err(Failure::new(ProblemCode::Conflict, detail))
}

/// Get a device with its state and points
#[utoipa::path(
    get,
    path = "/api/v1/devices/{id}",
    operation_id = "getDevice",
    tag = "devices",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    responses((status = 200, description = "The device", body = DeviceView)),
)]
async fn get(State(state): State<ApiState>, visit: Visit, Id(id): Id) -> Result<Response, Failure> {
    let (tag, view) = answer(&state, &visit, &id)?;
    Ok(([tag], view).into_response())
}

/// Put a device as it is to be
///
/// What `GET` answered, with what is to be different: unlike by PATCH, settings and points that are left out are gone. With
/// `If-Match`, points that were sent with a `version` must be in it still.
#[utoipa::path(
    put,
    path = "/api/v1/devices/{id}",
    operation_id = "putDevice",
    tag = "devices",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    request_body = DeviceInput,
    responses((status = 200, description = "The device as it is now", body = DeviceView)),
)]
async fn put(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    headers: HeaderMap,
    Document(input): Document<DeviceInput>,
) -> Result<Response, Failure> {
    let patch = DevicePatch::from(input.settled());
    alter(&state, &visit, &id, &headers, |_| Ok(patch.clone())).await
}

/// Change a device
///
/// With `points`, these are the device's points from then on: those with an `id` are changed, those
/// without one are created, and tags of points left out lose their source. Other devices are not touched.
#[utoipa::path(
    patch,
    path = "/api/v1/devices/{id}",
    operation_id = "updateDevice",
    tag = "devices",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    request_body(content = DevicePatch, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The device as it is now", body = DeviceView)),
)]
async fn update(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    headers: HeaderMap,
    patch: Patch,
) -> Result<Response, Failure> {
    let patch = patch.renamed("own_grade", "grade");
    alter(&state, &visit, &id, &headers, |device| {
        Ok(patch.apply(&DevicePatch::of(device))?.settled())
    })
    .await
}

/// Changes a device to what is wanted of it as it is.
async fn alter(
    state: &ApiState,
    visit: &Visit,
    id: &Identifier,
    headers: &HeaderMap,
    wanted: impl Fn(&Device) -> Result<DevicePatch, Failure>,
) -> Result<Response, Failure> {
    let found = find(state, visit, id)?;
    let organisation = visit.organisation()?;
    let expected = etag::expected(headers)?;
    visit
        .change("device.update", |snap, commit| {
            let present = present(snap, visit, &found.key)?;
            let present = present.ok_or_else(|| TwinError::NotFound(id.clone()))?;
            let current = present.device.version;
            if let Some(expected) = expected.filter(|expected| *expected != current) {
                return Err(TwinError::Version { id: id.clone(), expected, current }.into());
            }
            let patch = wanted(&present.device.record)?;
            super::kept_id(&patch.id, &present.device.record.id)?;
            let mut change = Change::of(visit, patch, &present).map_err(Failure::bounded)?;
            change.is_expecting = expected.is_some();
            let mut draft = Draft::new(snap, commit);
            let mut minter = Minter::new(snap, visit.tenant(), organisation.prefix.clone())?;
            change::update(visit, &mut draft, &mut minter, &change, &present)?;
            Ok((draft.finish()?, ()))
        })
        .await?;
    let (tag, view) = answer(state, visit, id)?;
    Ok(([tag], view).into_response())
}

/// A device with its tags as it is.
fn present(snap: &Snapshot<'_>, visit: &Visit, key: &str) -> Result<Option<Present>, Failure> {
    let Some(device) = snap.get::<Devices>(visit.tenant(), key)? else { return Ok(None) };
    Ok(Some(Present { device, tags: points(snap, visit, key)? }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    /// What becomes of its tags: `keep` (if not given) leaves them, without a source, with all their samples;
    /// `delete` deletes them too.
    #[serde(default)]
    #[param(inline)]
    tags: Fate,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Fate {
    #[default]
    Keep,
    Delete,
}

/// Delete a device
#[utoipa::path(
    delete,
    path = "/api/v1/devices/{id}",
    operation_id = "deleteDevice",
    tag = "devices",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment"), DeleteQuery),
    responses((status = 204, description = "Stopped and deleted")),
)]
async fn delete(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    Query(query): Query<DeleteQuery>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let found = find(&state, &visit, &id)?;
    let expected = etag::expected(&headers)?;
    if let Some(expected) = expected.filter(|expected| *expected != found.version) {
        return Err(TwinError::Version { id, expected, current: found.version }.into());
    }
    visit
        .change("device.delete", |snap, commit| {
            let mut draft = Draft::new(snap, commit);
            for tag in points(snap, &visit, &found.key)? {
                if query.tags == Fate::Delete {
                    draft.delete_tag(&tag.record.id, None)?;
                    let commit = draft.commit_mut();
                    weir_resolver::withdraw(snap, commit, visit.tenant(), &tag.record.id)?;
                } else {
                    let tag = weir_twin::Tag { source: None, ..tag.record };
                    draft.update_tag(&tag, None)?;
                }
            }
            draft.commit_mut().delete::<Devices>(&found.key, Expect::Version(found.version));
            if snap.get::<DeviceSecrets>(visit.tenant(), &found.key)?.is_some() {
                draft.commit_mut().delete::<DeviceSecrets>(&found.key, Expect::Any);
            }
            weir_resolver::withdraw(snap, draft.commit_mut(), visit.tenant(), &id)?;
            Ok((draft.finish()?, ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The tags of a device.
fn points(
    snap: &Snapshot<'_>,
    visit: &Visit,
    device: &str,
) -> Result<Vec<Versioned<weir_twin::Tag>>, Failure> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page =
            snap.by_index::<Tags>(visit.tenant(), Tags::DEVICE, device, after.as_deref(), PAGE)?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// Whether there is a device that the caller may see.
pub(super) fn is_seen(visit: &Visit, id: &Identifier) -> Result<bool, Failure> {
    match visit.state().store.get::<Devices>(visit.tenant(), &id.folded())? {
        Some(found) => is_visible(visit, &found.record),
        None => Ok(false),
    }
}

/// Whether the caller may see a device.
pub(super) fn is_visible(visit: &Visit, device: &Device) -> Result<bool, Failure> {
    let asset = device.asset.as_ref().map(Identifier::folded);
    let grade = visit.directory(|view| view.grade(device.grade, asset.as_deref()))?;
    Ok(visit.sees(grade))
}

/// Whether the caller may see a tag.
fn is_visible_tag(visit: &Visit, tag: &Tag) -> Result<bool, Failure> {
    let asset = tag.asset.as_ref().map(Identifier::folded);
    let grade = visit.directory(|view| view.grade(tag.grade, asset.as_deref()))?;
    Ok(visit.sees(grade))
}

/// The devices that the caller may see, with what they are doing.
pub(super) fn visible_devices(
    visit: &Visit,
) -> Result<Vec<(Device, Option<DeviceStatus>)>, Failure> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page =
            visit.state().store.list::<Devices>(visit.tenant(), "", after.as_deref(), PAGE)?;
        for device in page.items {
            if is_visible(visit, &device.record)? {
                let status = visit.state().supervisor.status(visit.tenant(), &device.record.id);
                found.push((device.record, status));
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

fn find(state: &ApiState, visit: &Visit, id: &Identifier) -> Result<Versioned<Device>, Failure> {
    let name = format!("device {id}");
    match state.store.get::<Devices>(visit.tenant(), &id.folded())? {
        Some(found) if is_visible(visit, &found.record)? => Ok(found),
        Some(_) => Err(Failure::hidden(name)),
        None => Err(Failure::not_found(name)),
    }
}

type ETag = (http::HeaderName, http::HeaderValue);

fn answer(
    state: &ApiState,
    visit: &Visit,
    id: &Identifier,
) -> Result<(ETag, Json<DeviceView>), Failure> {
    let found = find(state, visit, id)?;
    let tag = etag::of(found.version);
    Ok((tag, Json(DeviceView::of(visit, found)?)))
}
