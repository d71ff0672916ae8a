//! The table that follows the historian in an object store.

use axum::Json;
use axum::extract::State;
use utoipa_axum::routes;
use weir_access::Action;

use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::lake::LakeStatus;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::NodeRead, routes!(status))]
}

/// How the lake is
#[utoipa::path(
    get,
    path = "/api/v1/lake",
    operation_id = "getLake",
    tag = "node",
    responses((status = 200, description = "How it is; 404 where the node has none", body = LakeStatus)),
)]
async fn status(State(state): State<ApiState>, _visit: Visit) -> Result<Json<LakeStatus>, Failure> {
    match &state.lake {
        Some(lake) => Ok(Json(lake.status(state.now()))),
        None => Err(Failure::not_found("lake of this node: none is set in [lake]")),
    }
}
