//! Policies: Cedar text that says who may do what.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::{Action, Policy};
use weir_model::Timestamp;
use weir_store::{Expect, Versioned};

use super::Listing;
use crate::body::Document;
use crate::door::{Route, Visit, needs};
use crate::etag;
use crate::failure::Failure;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::PolicyRead, routes!(list)),
        needs(Action::PolicyRead, routes!(get)),
        needs(Action::PolicyWrite, routes!(put)),
        needs(Action::PolicyWrite, routes!(delete)),
    ]
}

/// A policy document.
#[derive(Serialize, utoipa::ToSchema)]
struct PolicyView {
    /// Its name.
    name: String,
    /// Its Cedar text.
    text: String,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated: Timestamp,
    /// The version, which is also the ETag.
    version: u64,
}

impl From<Versioned<Policy>> for PolicyView {
    fn from(found: Versioned<Policy>) -> Self {
        let text = found.record.text;
        Self { name: found.key, text, updated: found.time, version: found.version }
    }
}

/// The text of a policy document.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PolicyInput {
    /// Its Cedar text; see `docs/guide` for the schema.
    text: String,
}

/// List the organisation's policies
#[utoipa::path(
    get,
    path = "/api/v1/policies",
    operation_id = "listPolicies",
    tag = "policies",
    responses((status = 200, description = "Policies by name", body = Listing<PolicyView>)),
)]
async fn list(
    State(state): State<ApiState>,
    visit: Visit,
) -> Result<Json<Listing<PolicyView>>, Failure> {
    let page = state.access.policies(visit.tenant())?;
    Ok(Json(Listing { items: page.items.into_iter().map(PolicyView::from).collect(), next: None }))
}

/// Get a policy
#[utoipa::path(
    get,
    path = "/api/v1/policies/{name}",
    operation_id = "getPolicy",
    tag = "policies",
    params(("name" = String, Path, description = "The policy's name")),
    responses((status = 200, description = "The policy", body = PolicyView)),
)]
async fn get(
    State(state): State<ApiState>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let found = state.access.policy(visit.tenant(), &name)?;
    let found = found.ok_or_else(|| Failure::not_found(format!("policy {name}")))?;
    Ok(([etag::of(found.version)], Json(PolicyView::from(found))).into_response())
}

/// Put a policy
///
/// It takes effect at once, also for what is open.
#[utoipa::path(
    put,
    path = "/api/v1/policies/{name}",
    operation_id = "putPolicy",
    tag = "policies",
    params(("name" = String, Path, description = "The policy's name")),
    request_body = PolicyInput,
    responses((status = 200, description = "The policy as it is now", body = PolicyView)),
)]
async fn put(
    State(state): State<ApiState>,
    visit: Visit,
    Path(name): Path<String>,
    headers: HeaderMap,
    Document(input): Document<PolicyInput>,
) -> Result<Response, Failure> {
    let expect = etag::expected(&headers)?.map_or(Expect::Any, Expect::Version);
    let by = visit.by();
    let found = state.access.put_policy(by, visit.tenant(), &name, &input.text, expect).await?;
    Ok(([etag::of(found.version)], Json(PolicyView::from(found))).into_response())
}

/// Delete a policy
#[utoipa::path(
    delete,
    path = "/api/v1/policies/{name}",
    operation_id = "deletePolicy",
    tag = "policies",
    params(("name" = String, Path, description = "The policy's name")),
    responses((status = 204, description = "Deleted; it no longer holds")),
)]
async fn delete(
    State(state): State<ApiState>,
    visit: Visit,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let expect = etag::expected(&headers)?.map_or(Expect::Any, Expect::Version);
    state.access.delete_policy(visit.by(), visit.tenant(), &name, expect).await?;
    Ok(StatusCode::NO_CONTENT)
}
