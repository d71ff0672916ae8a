//! What concerns devices and stores nothing: tests, browsing, restarts, protocols.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use weir_connect::BrowseItem;
use weir_model::{Quality, Value};

use super::change::{DeviceInput, check_input, spec};
use crate::body::Document;
use crate::door::{Id, Visit};
use crate::failure::Failure;
use crate::routes::Listing;
use crate::state::ApiState;

/// What a test of a device found.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct TestView {
    /// In one sentence, for people.
    message: String,
    /// How long connecting and reading took.
    latency_ms: f64,
    /// One entry a point, in their order.
    values: Vec<TestValueView>,
}

/// What a test read of one point.
#[derive(Serialize, utoipa::ToSchema)]
struct TestValueView {
    /// The point's place in the request.
    index: usize,
    /// The point's name.
    name: String,
    /// The engineering value.
    value: Option<JsonValue>,
    /// Its quality.
    #[schema(value_type = String)]
    quality: Quality,
    /// Why there is no value, for people.
    error: Option<String>,
}

/// Test a device
///
/// Connects, reads every point once and stores nothing.
#[utoipa::path(
    post,
    path = "/api/v1/devices/test",
    operation_id = "testDevice",
    tag = "devices",
    request_body = DeviceInput,
    responses((status = 200, description = "What was read", body = TestView)),
)]
pub(super) async fn test(
    State(state): State<ApiState>,
    visit: Visit,
    Document(input): Document<DeviceInput>,
) -> Result<Json<TestView>, Failure> {
    check_input(&visit, &input)?;
    let report = state.supervisor.test(&spec(&visit, &input)?).await?;
    let values = report.values.into_iter().map(|read| TestValueView {
        index: read.index,
        name: read.name,
        value: read.value.as_ref().map(Value::to_json),
        quality: read.quality,
        error: read.error,
    });
    let (message, latency_ms) = (report.message, report.latency_ms);
    Ok(Json(TestView { message, latency_ms, values: values.collect() }))
}

/// Where to browse.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BrowseInput {
    /// The protocol.
    protocol: String,
    /// The driver's settings.
    settings: JsonValue,
    /// The place to look below; the root if not given.
    #[serde(default)]
    at: Option<String>,
}

/// Browse what a device offers
#[utoipa::path(
    post,
    path = "/api/v1/devices/browse",
    operation_id = "browseDevice",
    tag = "devices",
    request_body = BrowseInput,
    responses((status = 200, description = "What is there", body = Listing<BrowseItem>)),
)]
pub(super) async fn browse(
    State(state): State<ApiState>,
    _visit: Visit,
    Document(input): Document<BrowseInput>,
) -> Result<Json<Listing<BrowseItem>>, Failure> {
    let BrowseInput { protocol, settings, at } = input;
    let items = state.supervisor.browse(&protocol, &settings, at.as_deref()).await?;
    Ok(Json(Listing { items, next: None }))
}

/// Restart a device
#[utoipa::path(
    post,
    path = "/api/v1/devices/{id}/restart",
    operation_id = "restartDevice",
    tag = "devices",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    responses((status = 202, description = "It connects anew")),
)]
pub(super) async fn restart(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
) -> Result<StatusCode, Failure> {
    let found = super::find(&state, &visit, &id)?;
    state.supervisor.restart(visit.tenant(), &found.record.id)?;
    // No document changes by it, so the feed does not tell of it and the audit is told here.
    let event = weir_audit::Event::Note { text: format!("{id} was restarted") };
    let entry = weir_audit::Entry::new(visit.now(), visit.author("device.restart"), event);
    state.audit.append(entry.from_remote(visit.remote())).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A protocol that this node speaks.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ProtocolView {
    /// Its name.
    protocol: String,
    /// A JSON Schema with the properties `settings` and `address`: what a form is made of.
    schema: JsonValue,
}

/// List the protocols
#[utoipa::path(
    get,
    path = "/api/v1/protocols",
    operation_id = "listProtocols",
    tag = "devices",
    responses((status = 200, description = "The protocols", body = Vec<ProtocolView>)),
)]
pub(super) async fn protocols(State(state): State<ApiState>) -> Json<Vec<ProtocolView>> {
    let all = state.supervisor.protocols().into_iter();
    let view = |(protocol, schema): (&str, JsonValue)| ProtocolView {
        protocol: protocol.to_owned(),
        schema,
    };
    Json(all.map(view).collect())
}
