//! What concerns devices and stores nothing: tests, browsing, restarts, protocols.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use weir_connect::{Abilities, BrowseItem, Discovered, LogLine};
use weir_model::{Identifier, Quality, Value};

use super::change::take_secrets;
use super::check::{check_input, spec};
use super::input::DeviceInput;
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
/// Connects, reads every point once and stores nothing. With the `id` of a device that is there, secrets that were
/// kept of it can be sent as `{"secret": "set"}`.
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
    let mut input = input.settled();
    let id = input.id.clone();
    let secrets = take_secrets(&visit, &input.protocol, &mut input.settings, id.as_ref())?;
    check_input(&visit, &input, &secrets)?;
    let report = state.supervisor.test(&spec(&visit, &input, &secrets)?).await?;
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
    /// The place to look below, or `next` of the page before; the root if not given.
    #[serde(default)]
    at: Option<String>,
    /// The device whose kept secrets are meant by `{"secret": "set"}`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    device: Option<Identifier>,
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
    visit: Visit,
    Document(input): Document<BrowseInput>,
) -> Result<Json<Listing<BrowseItem>>, Failure> {
    let BrowseInput { protocol, mut settings, at, device } = input;
    let secrets = take_secrets(&visit, &protocol, &mut settings, device.as_ref())?;
    secrets.give(&mut settings);
    let page = state.supervisor.browse(visit.tenant(), &protocol, &settings, at.as_deref()).await?;
    Ok(Json(Listing { items: page.items, next: page.next }))
}

/// What to look for.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DiscoverInput {
    /// The protocol.
    protocol: String,
    /// The driver's settings as far as they are known: an address is enough.
    settings: JsonValue,
    /// The device whose kept secrets are meant by `{"secret": "set"}`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    device: Option<Identifier>,
}

/// Discover how to speak to what stands at an address
///
/// The best way first; each with the settings to go on with and the certificate that it presents.
#[utoipa::path(
    post,
    path = "/api/v1/devices/discover",
    operation_id = "discoverDevice",
    tag = "devices",
    request_body = DiscoverInput,
    responses((status = 200, description = "What was found", body = Listing<Discovered>)),
)]
pub(super) async fn discover(
    State(state): State<ApiState>,
    visit: Visit,
    Document(input): Document<DiscoverInput>,
) -> Result<Json<Listing<Discovered>>, Failure> {
    let DiscoverInput { protocol, mut settings, device } = input;
    let secrets = take_secrets(&visit, &protocol, &mut settings, device.as_ref())?;
    let sealed = settings.clone();
    secrets.give(&mut settings);
    let mut items = state.supervisor.discover(visit.tenant(), &protocol, &settings).await?;
    for found in &mut items {
        // What was kept does not leave in clear text.
        secrets.hide(&mut found.settings, &sealed);
    }
    Ok(Json(Listing { items, next: None }))
}

/// List what happened to a device lately
#[utoipa::path(
    get,
    path = "/api/v1/devices/{id}/log",
    operation_id = "listDeviceLog",
    tag = "devices",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    responses((status = 200, description = "At most 100 lines, the newest first", body = Listing<LogLine>)),
)]
pub(super) async fn log(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
) -> Result<Json<Listing<LogLine>>, Failure> {
    let found = super::find(&state, &visit, &id)?;
    let items = state.supervisor.log(visit.tenant(), &found.record.id).unwrap_or_default();
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
    /// An object whose `settings` and `address` are JSON Schemas: what a form is made of.
    schema: JsonValue,
    /// What the protocol can do besides reading.
    abilities: Abilities,
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
    let all = state.supervisor.drivers().into_iter();
    let view = all.map(|driver| ProtocolView {
        protocol: driver.protocol().to_owned(),
        schema: driver.describe(),
        abilities: driver.abilities(),
    });
    Json(view.collect())
}
