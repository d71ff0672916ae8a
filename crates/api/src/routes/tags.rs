//! Tags: what they mean, where they come from, what they were.

mod list;
mod view;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use utoipa_axum::routes;
use weir_access::Action;
use weir_connect::{Devices, Scaling, WriteLimits};
use weir_model::{
    DataDomain, DataType, Grade, Identifier, Interpolation, ProblemCode, TagId, Timestamp, Unit,
};
use weir_resolver::{Kind, Minter};
use weir_store::Versioned;
use weir_twin::{Draft, Source, Tag, TagEntry, Tags, TwinError, ValueRange};

use super::{Listing, Paging};
use crate::body::{Document, Patch, Query};
use crate::cursor;
use crate::door::{Id, Route, Visit, needs};
use crate::etag;
use crate::failure::Failure;
use crate::state::ApiState;

pub(crate) use view::SampleView;
pub(super) use view::redacted;
use view::{TagView, shown};

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::TagRead, routes!(list::list)),
        needs(Action::TagWrite, routes!(create)),
        needs(Action::TagRead, routes!(get)),
        needs(Action::TagWrite, routes!(update)),
        needs(Action::TagWrite, routes!(delete)),
        needs(Action::TagRead, routes!(versions)),
    ]
}

/// A tag as it is created and changed.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Reactor pressure", "names": {"zh-CN": "反应器压力"}, "unit": "kPa{gauge}",
    "data_type": "f64", "asset": "88.100/reactor", "range": {"low": 0.0, "high": 3000.0}
}))]
pub(super) struct TagInput {
    /// Its identifier; made from the name if not given, and never changed.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    id: Option<Identifier>,
    /// Its name.
    name: String,
    /// Its name in other languages.
    #[serde(default)]
    names: BTreeMap<String, String>,
    /// What it measures, for people.
    #[serde(default)]
    description: String,
    /// The asset it tells about.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    asset: Option<Identifier>,
    /// The unit: a UCUM code such as `Cel`, or the plant's own text.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    unit: Option<Unit>,
    /// What its values are; never changed.
    data_type: DataType,
    /// Its own grade.
    #[serde(default)]
    grade: Option<Grade>,
    /// The part of the enterprise its data belongs to.
    #[serde(default)]
    domain: Option<DataDomain>,
    /// The values that are expected.
    #[serde(default)]
    range: Option<ValueRange>,
    /// The names of an enumeration's states.
    #[serde(default)]
    labels: BTreeMap<i64, String>,
    /// What a value is between two samples; without it the line between them for tags of type `f64`, and
    /// the earlier one for all others.
    #[serde(default)]
    interpolation: Option<Interpolation>,
    /// The device it is read from; without it samples come over HTTP.
    #[serde(default)]
    source: Option<SourceInput>,
}

/// Where a tag's samples come from.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceInput {
    /// The device.
    #[schema(value_type = String)]
    device: Identifier,
    /// The address within the device, as its protocol writes it.
    address: JsonValue,
    /// Milliseconds between two readings; without it the device's own.
    #[serde(default)]
    poll_ms: Option<u32>,
    /// Scalings from raw to engineering values, each with its effective date.
    #[serde(default)]
    scaling: Vec<Scaling>,
    /// What may be written; without it nothing.
    #[serde(default)]
    write: Option<WriteLimits>,
}

impl TagInput {
    fn of(tag: &Tag) -> Result<Self, Failure> {
        let tag = tag.clone();
        Ok(Self {
            source: tag.source.map(SourceInput::of).transpose()?,
            id: Some(tag.id),
            name: tag.name,
            names: tag.names,
            description: tag.description,
            asset: tag.asset,
            unit: tag.unit,
            data_type: tag.data_type,
            grade: tag.grade,
            domain: tag.domain,
            range: tag.range,
            labels: tag.labels,
            interpolation: tag.interpolation,
        })
    }

    fn into_tag(
        self,
        id: Identifier,
        tag: TagId,
        protocol: Option<String>,
    ) -> Result<Tag, Failure> {
        let source = match (self.source, protocol) {
            (Some(source), Some(protocol)) => Some(source.into_source(protocol)?),
            _ => None,
        };
        Ok(Tag {
            id,
            tag,
            name: self.name,
            names: self.names,
            description: self.description,
            asset: self.asset,
            unit: self.unit,
            data_type: self.data_type,
            grade: self.grade,
            domain: self.domain,
            range: self.range,
            labels: self.labels,
            interpolation: self.interpolation,
            source,
        })
    }
}

impl SourceInput {
    fn of(source: Source) -> Result<Self, Failure> {
        let Source { device, address, poll_ms, scaling, write, .. } = source;
        let scaling = crate::body::from_value(JsonValue::Array(scaling))?;
        let write = write.map(crate::body::from_value).transpose()?;
        Ok(Self { device, address, poll_ms, scaling, write })
    }

    fn into_source(self, protocol: String) -> Result<Source, Failure> {
        Ok(Source {
            device: self.device,
            protocol,
            address: self.address,
            poll_ms: self.poll_ms,
            scaling: self.scaling.iter().map(as_json).collect::<Result<_, _>>()?,
            write: self.write.as_ref().map(as_json).transpose()?,
        })
    }
}

/// A setting as the twin keeps it.
pub(super) fn as_json(setting: &impl Serialize) -> Result<JsonValue, Failure> {
    serde_json::to_value(setting)
        .map_err(|error| Failure::internal("write a setting as JSON", &error))
}

/// Create a tag
///
/// With a `source` it is read from a device; without one its samples are sent to `/api/v1/samples`.
#[utoipa::path(
    post,
    path = "/api/v1/tags",
    operation_id = "createTag",
    tag = "tags",
    request_body = TagInput,
    responses((status = 201, description = "Created", body = TagView)),
)]
async fn create(
    State(state): State<ApiState>,
    visit: Visit,
    Document(input): Document<TagInput>,
) -> Result<Response, Failure> {
    let organisation = visit.organisation()?;
    super::assets::visible_asset(&visit, input.asset.as_ref(), "/asset")?;
    super::assets::within_ceiling(&visit, input.grade, input.asset.as_ref())?;
    let (_, id) = visit
        .change("tag.create", |snap, commit| {
            let protocol = check_source(&visit, snap, &input)?;
            let mut draft = Draft::new(snap, commit);
            let mut minter = Minter::new(snap, visit.tenant(), organisation.prefix.clone())?;
            let asked = input.id.as_ref();
            let id = minter.mint(draft.commit_mut(), Kind::Tag, asked, &input.name)?;
            let number = draft.next_tag()?;
            draft.create_tag(&input.clone().into_tag(id.clone(), number, protocol)?)?;
            Ok((draft.finish()?, id))
        })
        .await?;
    let location = super::header(format!("/api/v1/tags/{}", super::segment(&id)));
    let (tag, view) = answer(&state, &visit, &id)?;
    Ok((StatusCode::CREATED, [tag, (header::LOCATION, location)], view).into_response())
}

/// Get a tag
#[utoipa::path(
    get,
    path = "/api/v1/tags/{id}",
    operation_id = "getTag",
    tag = "tags",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    responses((status = 200, description = "The tag with its newest value", body = TagView)),
)]
async fn get(State(state): State<ApiState>, visit: Visit, Id(id): Id) -> Result<Response, Failure> {
    let (tag, view) = answer(&state, &visit, &id)?;
    Ok(([tag], view).into_response())
}

/// Change or rename a tag
#[utoipa::path(
    patch,
    path = "/api/v1/tags/{id}",
    operation_id = "updateTag",
    tag = "tags",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    request_body(content = TagInput, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The tag as it is now", body = TagView)),
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
        .change("tag.update", |snap, commit| {
            let current = snap.get::<Tags>(visit.tenant(), &found.key)?;
            let current = current.ok_or_else(|| TwinError::NotFound(id.clone()))?.record;
            let input = patch.apply(&TagInput::of(&current)?)?;
            if input.asset != current.asset {
                super::assets::visible_asset(&visit, input.asset.as_ref(), "/asset")?;
            }
            super::assets::within_ceiling(&visit, input.grade, input.asset.as_ref())?;
            let id = super::kept_id(&input.id, &current.id)?;
            let protocol = current.source.as_ref().map(|source| source.protocol.clone());
            let mut tag = input.clone().into_tag(id.clone(), current.tag, protocol)?;
            if tag.source != current.source || input.source.is_some() != tag.source.is_some() {
                let protocol = check_source(&visit, snap, &input)?;
                tag = input.into_tag(id, current.tag, protocol)?;
            }
            let mut draft = Draft::new(snap, commit);
            draft.update_tag(&tag, expected)?;
            if tag.name != current.name {
                let commit = draft.commit_mut();
                weir_resolver::rename(snap, commit, visit.tenant(), &tag.id, &tag.name)?;
            }
            Ok((draft.finish()?, ()))
        })
        .await?;
    let (tag, view) = answer(&state, &visit, &id)?;
    Ok(([tag], view).into_response())
}

/// Delete a tag
///
/// Its samples are no longer reachable; its identifier is withdrawn and keeps its history.
#[utoipa::path(
    delete,
    path = "/api/v1/tags/{id}",
    operation_id = "deleteTag",
    tag = "tags",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    responses((status = 204, description = "Deleted")),
)]
async fn delete(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    find(&state, &visit, &id)?;
    let expected = etag::expected(&headers)?;
    visit
        .change("tag.delete", |snap, commit| {
            let mut draft = Draft::new(snap, commit);
            draft.delete_tag(&id, expected)?;
            weir_resolver::withdraw(snap, draft.commit_mut(), visit.tenant(), &id)?;
            Ok((draft.finish()?, ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One version of a tag's document.
#[derive(Serialize, utoipa::ToSchema)]
struct TagVersion {
    /// The version, counted from 1.
    version: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// The document; null where this version is the deletion.
    tag: Option<TagInput>,
}

/// List the versions of a tag, newest first
#[utoipa::path(
    get,
    path = "/api/v1/tags/{id}/versions",
    operation_id = "listTagVersions",
    tag = "tags",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment"), Paging),
    responses((status = 200, description = "Versions", body = Listing<TagVersion>)),
)]
async fn versions(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    Query(paging): Query<Paging>,
) -> Result<Json<Listing<TagVersion>>, Failure> {
    let found = find(&state, &visit, &id)?;
    let limit = super::limit(paging.limit)?;
    let before = match &paging.cursor {
        Some(cursor) => {
            let [version] = cursor::decode::<1>("versions", cursor)?;
            Some(version.parse().unwrap_or(0))
        }
        None => None,
    };
    let mut revisions =
        state.store.history::<Tags>(visit.tenant(), &found.key, before, limit + 1)?;
    let more = revisions.len() > limit;
    revisions.truncate(limit);
    let last = revisions.last().filter(|_| more).map(|revision| revision.version.to_string());
    let items = revisions.into_iter().map(|revision| {
        let tag =
            revision.record.map(|tag| TagInput::of(&view::redacted(&visit, tag)?)).transpose()?;
        Ok(TagVersion { version: revision.version, time: revision.time, tag })
    });
    let items = items.collect::<Result<_, Failure>>()?;
    Ok(Json(Listing { items, next: last.map(|version| cursor::encode("versions", &[&version])) }))
}

/// Checks a tag's source against its device, and says the device's protocol.
fn check_source(
    visit: &Visit,
    snap: &weir_store::Snapshot<'_>,
    input: &TagInput,
) -> Result<Option<String>, Failure> {
    let Some(source) = &input.source else { return Ok(None) };
    let device = snap.get::<Devices>(visit.tenant(), &source.device.folded())?;
    let device = device.map(|found| found.record);
    let device = device.filter(|device| super::devices::is_visible(visit, device).unwrap_or(false));
    let Some(device) = device else {
        let detail = format!("there is no device {}", source.device);
        return Err(Failure::field(ProblemCode::InvalidValue, "/source/device", detail));
    };
    let point = weir_connect::Point {
        tag: TagId(0),
        id: input.id.clone().unwrap_or_else(|| device.id.clone()),
        name: input.name.clone(),
        address: source.address.clone(),
        data_type: input.data_type,
        scaling: source.scaling.clone(),
        write: source.write.clone(),
        poll_ms: source.poll_ms,
    };
    let spec = weir_connect::DeviceSpec {
        tenant: visit.tenant(),
        device: device.id,
        name: device.name,
        protocol: device.protocol.clone(),
        settings: device.settings,
        points: vec![point],
        enabled: device.enabled,
        revision: 0,
    };
    match visit.state().supervisor.check(&spec) {
        Ok(()) => Ok(Some(device.protocol)),
        Err(mut errors) => {
            for error in &mut errors {
                error.field = error.field.replacen("/points/0", "/source", 1);
            }
            Err(Failure::fields(errors))
        }
    }
}

/// What the directory knows of a tag, if the caller may see it.
pub(super) fn visible(visit: &Visit, id: &Identifier) -> Result<std::sync::Arc<TagEntry>, Failure> {
    let (key, name) = (id.folded(), format!("tag {id}"));
    visit.directory(|view| match view.tag(&key) {
        Some(tag) if visit.sees(view.grade_of_tag(tag)) => Ok(std::sync::Arc::clone(tag)),
        Some(_) => Err(Failure::hidden(name)),
        None => Err(Failure::not_found(name)),
    })?
}

fn find(state: &ApiState, visit: &Visit, id: &Identifier) -> Result<Versioned<Tag>, Failure> {
    visible(visit, id)?;
    let found = state.store.get::<Tags>(visit.tenant(), &id.folded())?;
    found.ok_or_else(|| Failure::not_found(format!("tag {id}")))
}

type ETag = (http::HeaderName, http::HeaderValue);

fn answer(
    state: &ApiState,
    visit: &Visit,
    id: &Identifier,
) -> Result<(ETag, Json<TagView>), Failure> {
    let found = find(state, visit, id)?;
    let tag = etag::of(found.version);
    Ok((tag, Json(shown(visit, found)?)))
}
