//! Identifiers and what they lead to.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa_axum::routes;
use weir_access::Action;
use weir_connect::Devices;
use weir_model::{Identifier, Prefix, Timestamp};
use weir_resolver::{Entry, Kind, Record};

use crate::door::{Id, Route, Visit, needs};
use crate::etag;
use crate::failure::Failure;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::IdentifierRead, routes!(resolve))]
}

/// What an identifier resolves to.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "88.100/reactor-pressure", "kind": "tag", "name": "Reactor pressure",
    "organisation": "88.100", "created": "2026-11-23T08:00:00Z", "updated": "2026-11-23T08:00:00Z",
    "values": [{"index": 1, "type": "KIND", "data": "tag", "ttl": 86400, "read": "public"}],
    "links": {"self": "/api/v1/identifiers/88%2E100%2Freactor%2Dpressure",
              "tag": "/api/v1/tags/88%2E100%2Freactor%2Dpressure"},
    "version": 1
}))]
struct RecordView {
    /// The identifier, in the case it was given in.
    #[schema(value_type = String)]
    id: Identifier,
    /// What it names: `organisation`, `asset`, `device`, `tag` or `user`.
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
    /// The values, in the manner of the Handle System.
    values: Vec<EntryView>,
    /// Where to go on from here.
    links: BTreeMap<&'static str, String>,
    /// The version, which is also the ETag.
    version: u64,
}

/// One value of a record.
#[derive(Serialize, utoipa::ToSchema)]
struct EntryView {
    /// Its number within the record.
    index: u32,
    /// What it is.
    r#type: String,
    /// Its data.
    data: String,
    /// How long it may be kept, in seconds.
    ttl: u32,
    /// Who may read it: `public` or `private`.
    #[schema(value_type = String)]
    read: weir_resolver::ReadBy,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let Entry { index, kind, data, ttl, read } = entry;
        Self { index, r#type: kind, data, ttl, read }
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
    let Record { id, kind, name, values, .. } = found.record;
    let view = RecordView {
        id,
        kind: kind.as_str(),
        name,
        organisation,
        created,
        updated: found.time,
        values: values.into_iter().map(EntryView::from).collect(),
        links,
        version: found.version,
    };
    Ok(([etag::of(found.version)], Json(view)).into_response())
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
