//! Identifiers and what they lead to.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::Action;
use weir_connect::Devices;
use weir_model::{Identifier, Prefix, ProblemCode, Timestamp};
use weir_resolver::{Entry, Identifiers, Kind, Record};
use weir_store::Versioned;

use crate::body::{Document, Query};
use crate::door::{Id, Route, Visit, needs};
use crate::etag;
use crate::failure::Failure;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::IdentifierRead, routes!(list)),
        needs(Action::IdentifierRead, routes!(resolve)),
        needs(Action::IdentifierWrite, routes!(put)),
        needs(Action::IdentifierWrite, routes!(withdraw)),
    ]
}

/// What an identifier resolves to.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "88.100/reactor-pressure", "kind": "tag", "name": "Reactor pressure",
    "organisation": "88.100", "created": "2026-11-23T08:00:00Z", "updated": "2026-11-23T08:00:00Z",
    "published": false,
    "values": [{"index": 1, "type": "KIND", "data": "tag", "ttl": 86400, "read": "public",
                "permissions": "1110", "timestamp": 1795478400, "references": []}],
    "links": {"self": "/api/v1/identifiers/88%2E100%2Freactor%2Dpressure",
              "tag": "/api/v1/tags/88%2E100%2Freactor%2Dpressure"},
    "version": 1
}))]
struct RecordView {
    /// The identifier, in the case it was given in.
    #[schema(value_type = String)]
    id: Identifier,
    /// What it names: `organisation`, `asset`, `device`, `tag` or `user`; or `handle`, which stands for itself.
    kind: &'static str,
    /// The thing's name.
    name: String,
    /// The prefix of its organisation.
    #[schema(value_type = String)]
    organisation: Prefix,
    /// When the identifier was given.
    #[schema(value_type = Option<String>, format = DateTime)]
    created: Option<Timestamp>,
    /// When the record was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated: Timestamp,
    /// Whether it is answered beyond this node's users.
    published: bool,
    /// The values, in the manner of the Handle System.
    values: Vec<EntryView>,
    /// Where to go on from here.
    links: BTreeMap<&'static str, String>,
    /// The version, which is also the ETag.
    version: u64,
}

/// One value of a record, as RFC 3651 has them.
#[derive(Serialize, utoipa::ToSchema)]
struct EntryView {
    /// Its number within the record.
    index: i32,
    /// What it is.
    r#type: String,
    /// Its data: a text, or `{"base64": …}` where it is none.
    #[schema(value_type = Object)]
    data: weir_resolver::Data,
    /// How long it may be kept, in seconds; or `{"until": …}`, the second since 1970.
    #[schema(value_type = i32)]
    ttl: weir_resolver::Life,
    /// Who may read it, once the record is published: `public` or `private`.
    read: &'static str,
    /// Admin read, admin write, public read, public write: a 1 or a 0 for each.
    permissions: String,
    /// When it was last changed, in seconds since 1970; 0 where that is not known.
    timestamp: i32,
    /// Values of other records that go with it, as `index:prefix/suffix`.
    references: Vec<String>,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let is_public = entry.is_public();
        let Entry { index, kind, data, ttl, permissions, timestamp, references } = entry;
        let read = if is_public { "public" } else { "private" };
        Self { index, r#type: kind, data, ttl, read, permissions, timestamp, references }
    }
}

/// Resolve an identifier
#[utoipa::path(
    get,
    path = "/api/v1/identifiers/{id}",
    operation_id = "resolveIdentifier",
    tag = "identifiers",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    responses((status = 200, description = "The record", body = RecordView)),
)]
async fn resolve(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
) -> Result<Response, Failure> {
    let name = format!("identifier {id}");
    let tenant = visit.tenant();
    let (found, created) = state.store.read(|snap| {
        let found = weir_resolver::resolve(snap, tenant, &id)?;
        let first = snap.version::<weir_resolver::Identifiers>(tenant, &id.folded(), 1)?;
        Ok::<_, weir_store::StoreError>((found, first.map(|first| first.time)))
    })?;
    let found = found.ok_or_else(|| Failure::not_found(&name))?;
    if !may_know(&state, &visit, &found.record)? {
        return Err(Failure::hidden(name));
    }
    let organisation = visit.organisation()?.prefix;
    let links = links(&found.record, &organisation);
    let Record { id, kind, name, values, published, .. } = found.record;
    let view = RecordView {
        id,
        kind: kind.as_str(),
        name,
        organisation,
        created,
        updated: found.time,
        published,
        values: values.entries().into_iter().map(EntryView::from).collect(),
        links,
        version: found.version,
    };
    Ok(([etag::of(found.version)], Json(view)).into_response())
}

/// Records that stand for themselves, in the order of their identifiers.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only identifiers that begin with this text, `prefix/…`; without it all under the caller's own prefix.
    #[serde(default)]
    starts: Option<String>,
    /// Records a page, at most 1000.
    #[serde(default)]
    limit: Option<usize>,
    /// Where the page before it ended.
    #[serde(default)]
    cursor: Option<String>,
}

/// A page of identifiers.
#[derive(Serialize, utoipa::ToSchema)]
struct IdentifierList {
    /// The identifiers, each with what its record says.
    items: Vec<ListedView>,
    /// Where the next page goes on; none at the end.
    next: Option<String>,
}

/// One identifier of a list.
#[derive(Serialize, utoipa::ToSchema)]
struct ListedView {
    /// The identifier.
    #[schema(value_type = String)]
    id: Identifier,
    /// Types of its values.
    types: Vec<String>,
    /// When the record was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated: Timestamp,
    /// The version.
    version: u64,
}

/// Records that are read for a page, most of which may be of things that have lists of their own.
const LOOKED_AT_MAX: usize = 20_000;

/// List identifiers
///
/// Those that stand for themselves: tags, assets, devices and users have lists of their own.
#[utoipa::path(
    get,
    path = "/api/v1/identifiers",
    operation_id = "listIdentifiers",
    tag = "identifiers",
    params(ListQuery),
    responses((status = 200, description = "A page", body = IdentifierList)),
)]
async fn list(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let limit = query.limit.unwrap_or(100).clamp(1, 1000);
    let starts = query.starts.unwrap_or_default().to_ascii_lowercase();
    let tenant = visit.tenant();
    let mut after = query.cursor;
    let (mut items, mut looked_at) = (Vec::new(), 0);
    let next = loop {
        let page = state
            .store
            .read(|snap| snap.list::<Identifiers>(tenant, &starts, after.as_deref(), limit))?;
        looked_at += page.items.len();
        let mut last = None;
        let mut full = false;
        for found in page.items {
            if items.len() == limit {
                full = true;
                break;
            }
            last = Some(found.key.clone());
            if found.record.kind == Kind::Handle && !found.record.withdrawn {
                let mut types: Vec<String> =
                    found.record.values.entries().into_iter().map(|entry| entry.kind).collect();
                types.dedup();
                let (updated, version) = (found.time, found.version);
                items.push(ListedView { id: found.record.id, types, updated, version });
            }
        }
        match (full, page.next) {
            (true, _) => break last,
            (false, None) => break None,
            (false, next) if looked_at >= LOOKED_AT_MAX => break next,
            (false, next) => after = next,
        }
    };
    Ok(Json(IdentifierList { items, next }).into_response())
}

/// What a record is to say.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"values": [{"index": 1, "type": "URL", "data": "https://example.org/p-101"}]}))]
struct RecordInput {
    /// The values. Without permissions and `ttl` they are public and kept for a day.
    #[schema(value_type = Vec<Object>)]
    values: Vec<Entry>,
}

/// Register an identifier, or change what its record says
///
/// It stands under the caller's own prefix, and is answered to everybody, as far as each value's
/// permissions go. With `If-None-Match: *` it must be new; with `If-Match` it must have that version.
#[utoipa::path(
    put,
    path = "/api/v1/identifiers/{id}",
    operation_id = "putIdentifier",
    tag = "identifiers",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    request_body = RecordInput,
    responses((status = 200, description = "The record as it is now", body = RecordView)),
)]
async fn put(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    headers: HeaderMap,
    Document(input): Document<RecordInput>,
) -> Result<Response, Failure> {
    let values = weir_resolver::Values::of_entries(&input.values)
        .map_err(|error| Failure::field(ProblemCode::InvalidValue, "/values", error.to_string()))?;
    own(&state, &visit, &id)?;
    let expected = etag::expected(&headers)?;
    let must_be_new = headers.get(http::header::IF_NONE_MATCH).is_some_and(|any| any == "*");
    let tenant = visit.tenant();
    visit
        .change("identifier.put", |snap, mut commit| {
            let found = weir_resolver::resolve(snap, tenant, &id)?;
            check_version(&id, found.as_ref(), expected, must_be_new)?;
            state.registry.put(snap, &mut commit, &id, values.clone())?;
            Ok((commit, ()))
        })
        .await?;
    resolve(State(state), visit, Id(id)).await
}

/// Withdraw an identifier
///
/// It is not answered any more. Its history stays, and it can be registered again.
#[utoipa::path(
    delete,
    path = "/api/v1/identifiers/{id}",
    operation_id = "withdrawIdentifier",
    tag = "identifiers",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    responses((status = 204, description = "It is withdrawn")),
)]
async fn withdraw(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    own(&state, &visit, &id).map_err(|_| Failure::not_found(format!("identifier {id}")))?;
    let expected = etag::expected(&headers)?;
    let tenant = visit.tenant();
    visit
        .change("identifier.withdraw", |snap, mut commit| {
            let found = weir_resolver::resolve(snap, tenant, &id)?;
            let found = found.ok_or_else(|| Failure::not_found(format!("identifier {id}")))?;
            check_version(&id, Some(&found), expected, false)?;
            state.registry.withdraw(snap, &mut commit, &id)?;
            Ok((commit, ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether an identifier is the caller's organisation's to change.
fn own(state: &ApiState, visit: &Visit, id: &Identifier) -> Result<(), Failure> {
    if state.registry.tenant_of(id).is_ok_and(|tenant| tenant == visit.tenant()) {
        return Ok(());
    }
    let prefix = visit.organisation()?.prefix;
    Err(weir_resolver::ResolverError::ForeignPrefix { id: id.clone(), prefix }.into())
}

fn check_version(
    id: &Identifier,
    found: Option<&Versioned<Record>>,
    expected: Option<u64>,
    must_be_new: bool,
) -> Result<(), Failure> {
    let version = found.map_or(0, |found| found.version);
    if must_be_new && found.is_some() {
        return Err(weir_resolver::ResolverError::Taken(id.clone()).into());
    }
    if expected.is_some_and(|expected| expected != version) {
        let detail = format!("The record has version {version}; read it again.");
        return Err(Failure::new(ProblemCode::VersionConflict, detail));
    }
    Ok(())
}

/// Whether the caller may know of the thing that a record names.
fn may_know(state: &ApiState, visit: &Visit, record: &Record) -> Result<bool, Failure> {
    let key = record.id.folded();
    Ok(match record.kind {
        Kind::Organisation => true,
        Kind::Asset => visit.sees_asset(&key)?,
        Kind::Tag => visit.directory(|view| {
            view.tag(&key).is_some_and(|tag| visit.sees(view.grade_of_tag(tag)))
        })?,
        Kind::Device => match state.store.get::<Devices>(visit.tenant(), &key)? {
            Some(found) => super::devices::is_visible(visit, &found.record)?,
            None => false,
        },
        Kind::User => {
            visit.caller().principal == record.id || visit.allow(Action::UserRead).is_ok()
        }
        Kind::Handle => true,
        // A kind that a newer program knows is nothing that this one can show.
        _ => false,
    })
}

fn links(record: &Record, organisation: &Prefix) -> BTreeMap<&'static str, String> {
    let id = super::segment(&record.id);
    let mut links = BTreeMap::from([("self", format!("/api/v1/identifiers/{id}"))]);
    match record.kind {
        Kind::Organisation => {
            links.insert("organisation", format!("/api/v1/organisations/{organisation}"));
        }
        Kind::Asset => {
            links.insert("asset", format!("/api/v1/assets/{id}"));
            links.insert("tags", format!("/api/v1/tags?asset={id}"));
        }
        Kind::Tag => {
            links.insert("tag", format!("/api/v1/tags/{id}"));
            links.insert("samples", format!("/api/v1/tags/{id}/samples"));
            links.insert("live", format!("/api/v1/live?tags={id}"));
        }
        Kind::Device => {
            links.insert("device", format!("/api/v1/devices/{id}"));
            links.insert("tags", format!("/api/v1/tags?device={id}"));
        }
        Kind::User => {
            links.insert("user", format!("/api/v1/users/{id}"));
        }
        _ => {}
    }
    links
}
