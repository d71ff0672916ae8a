//! The clients of the OPC UA server: who is let in, and who says so.
//!
//! The server and its list of trusted clients are the node's, whatever organisation a user of theirs signs
//! in to. Permissions are therefore asked for at the node.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use utoipa_axum::routes;
use weir_access::Action;
use weir_audit::{Entry, Event};
use weir_model::ProblemCode;

use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::opcua::{OpcUaChange, OpcUaClient, OpcUaError, OpcUaServer, OpcUaStatus};
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::NodeRead, routes!(list)),
        needs(Action::NodeAdmin, routes!(trust)),
        needs(Action::NodeAdmin, routes!(distrust)),
        needs(Action::NodeAdmin, routes!(forget)),
    ]
}

/// Clients, and the server that they are clients of.
#[derive(Serialize, utoipa::ToSchema)]
struct OpcUaClients {
    /// The server; null where it does not run.
    server: Option<OpcUaStatus>,
    /// The clients: those that were turned away first, of each kind the newest first. At most 64 of the one and
    /// 1000 of the other kind.
    items: Vec<OpcUaClient>,
}

/// List the clients of the OPC UA server
///
/// Those that are let in, those that were turned away because nobody has said that they are trusted, and the
/// sessions that are open.
#[utoipa::path(
    get,
    path = "/api/v1/opcua/clients",
    operation_id = "listOpcUaClients",
    tag = "opcua",
    responses((status = 200, description = "The server and its clients", body = OpcUaClients)),
)]
async fn list(State(state): State<ApiState>) -> Result<Json<OpcUaClients>, Failure> {
    let Some(server) = state.opcua.clone() else {
        return Ok(Json(OpcUaClients { server: None, items: Vec::new() }));
    };
    let items = server.clients().await.map_err(|error| failed(error, ""))?;
    Ok(Json(OpcUaClients { server: Some(server.status()), items }))
}

/// Trust a client of the OPC UA server
///
/// A program that was turned away is let in from now on. Whoever uses it still has to sign in.
#[utoipa::path(
    post,
    path = "/api/v1/opcua/clients/{thumbprint}/trust",
    operation_id = "trustOpcUaClient",
    tag = "opcua",
    params(("thumbprint" = String, Path, description = "SHA-256 of the certificate, 64 hexadecimal digits")),
    responses((status = 204, description = "It is let in")),
)]
async fn trust(
    State(state): State<ApiState>,
    visit: Visit,
    Path(thumbprint): Path<String>,
) -> Result<StatusCode, Failure> {
    change(&state, &visit, &thumbprint, OpcUaChange::Trust).await
}

/// Trust a client of the OPC UA server no longer
///
/// Its sessions and connections end now. It stays listed as one that was turned away.
#[utoipa::path(
    post,
    path = "/api/v1/opcua/clients/{thumbprint}/distrust",
    operation_id = "distrustOpcUaClient",
    tag = "opcua",
    params(("thumbprint" = String, Path, description = "SHA-256 of the certificate, 64 hexadecimal digits")),
    responses((status = 204, description = "It is let in no more")),
)]
async fn distrust(
    State(state): State<ApiState>,
    visit: Visit,
    Path(thumbprint): Path<String>,
) -> Result<StatusCode, Failure> {
    change(&state, &visit, &thumbprint, OpcUaChange::Distrust).await
}

/// Forget a client of the OPC UA server
///
/// A trusted one is let in no more, and its sessions end now. When it comes again, it is listed as one that was
/// turned away.
#[utoipa::path(
    delete,
    path = "/api/v1/opcua/clients/{thumbprint}",
    operation_id = "forgetOpcUaClient",
    tag = "opcua",
    params(("thumbprint" = String, Path, description = "SHA-256 of the certificate, 64 hexadecimal digits")),
    responses((status = 204, description = "It is forgotten")),
)]
async fn forget(
    State(state): State<ApiState>,
    visit: Visit,
    Path(thumbprint): Path<String>,
) -> Result<StatusCode, Failure> {
    change(&state, &visit, &thumbprint, OpcUaChange::Forget).await
}

/// Changes what becomes of a client, and writes it down.
async fn change(
    state: &ApiState,
    visit: &Visit,
    thumbprint: &str,
    change: OpcUaChange,
) -> Result<StatusCode, Failure> {
    let server: Arc<dyn OpcUaServer> =
        state.opcua.clone().ok_or_else(|| failed(OpcUaError::NotFound, thumbprint))?;
    let changed = server.change(thumbprint, change).await;
    let certificate = changed.map_err(|error| failed(error, thumbprint))?;
    let (cause, done) = match change {
        OpcUaChange::Trust => ("opcua.client.trust", "is trusted"),
        OpcUaChange::Distrust => ("opcua.client.distrust", "is trusted no longer"),
        OpcUaChange::Forget => ("opcua.client.forget", "was forgotten"),
    };
    let (subject, thumbprint) = (&certificate.subject, &certificate.thumbprint);
    let text = format!("the OPC UA client \"{subject}\" with the thumbprint {thumbprint} {done}");
    let entry = Entry::new(visit.now(), visit.author(cause), Event::Note { text })
        .from_remote(visit.remote())
        .with_detail(json!({ "certificate": certificate }));
    state.audit.append(entry).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn failed(error: OpcUaError, thumbprint: &str) -> Failure {
    match error {
        OpcUaError::NotFound => {
            let shown: String = thumbprint.chars().filter(|c| !c.is_control()).take(64).collect();
            Failure::not_found(format!("OPC UA client with the thumbprint \"{shown}\""))
        }
        OpcUaError::Full(max) => {
            let detail =
                format!("{max} clients are trusted already, the most; take some out first.");
            Failure::new(ProblemCode::Conflict, detail)
        }
        OpcUaError::Failed(error) => {
            Failure::internal("read or change the clients of the OPC UA server", &*error)
        }
    }
}
