//! Values written to devices.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use utoipa_axum::routes;
use weir_access::Action;
use weir_connect::Order;
use weir_model::{ProblemCode, Timestamp, Value};

use crate::body::Document;
use crate::door::{Id, Route, Visit, needs};
use crate::failure::Failure;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::DeviceControl, routes!(write))]
}

/// A value for a device.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"value": 42.5, "confirm": true}))]
struct WriteInput {
    /// The value in the tag's own type and unit.
    value: JsonValue,
    /// That a person has confirmed it, where the tag's limits ask for that.
    #[serde(default)]
    confirm: bool,
}

/// What the device held and holds.
#[derive(Serialize, utoipa::ToSchema)]
struct Written {
    /// The value before, where the device let it be read.
    before: Option<JsonValue>,
    /// What was asked for.
    requested: JsonValue,
    /// The value read back.
    after: Option<JsonValue>,
    /// Whether the device holds what was written.
    verified: bool,
    /// When it was read back.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
}

/// Write a value to a tag's device
///
/// Within the tag's write limits. The device is read before and after, and both are in the audit.
#[utoipa::path(
    post,
    path = "/api/v1/tags/{id}/write",
    operation_id = "writeTag",
    tag = "tags",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    request_body = WriteInput,
    responses((status = 200, description = "Written and read back", body = Written)),
)]
async fn write(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    Document(input): Document<WriteInput>,
) -> Result<Json<Written>, Failure> {
    let entry = super::tags::visible(&visit, &id)?;
    let value = Value::from_json(&input.value, entry.data_type)
        .map_err(|error| Failure::field(ProblemCode::InvalidValue, "/value", error.to_string()))?;
    let found = state.store.get::<weir_twin::Tags>(visit.tenant(), &id.folded())?;
    let source = found.and_then(|found| found.record.source);
    let source = source.filter(|source| source.write.is_some()).ok_or_else(|| {
        Failure::new(ProblemCode::InvalidValue, format!("{id} may not be written."))
    })?;
    let order = Order {
        author: visit.author("device.write"),
        time: visit.now(),
        device: source.device,
        tag: entry.id.clone(),
        number: entry.tag,
        value,
        confirmed: input.confirm,
    };
    // Both the order and what came of it are in the audit, even if the client hangs up.
    let clock = Arc::clone(&state.clock);
    let report = state.supervisor.carry_out(&state.store, order, move || clock()).await?;
    Ok(Json(Written {
        before: report.before.as_ref().map(Value::to_json),
        requested: report.requested.to_json(),
        after: report.after.as_ref().map(Value::to_json),
        verified: report.verified,
        time: report.time,
    }))
}
