//! Values written to devices.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use utoipa_axum::routes;
use weir_access::Action;
use weir_model::{ProblemCode, Timestamp, Value};
use weir_store::Expect;

use crate::body::Document;
use crate::commands::{Command, Commands, Outcome};
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
    // Written down before it is done, and not done if it cannot be written down.
    let mut command = Command {
        tag: entry.id.clone(),
        device: source.device.clone(),
        time: visit.now(),
        requested: value.to_json(),
        outcome: None,
    };
    record(&visit, "device.write.request", &command).await?;
    // A client that hangs up must not leave the audit without the outcome, so the rest goes on
    // without it.
    let task = tokio::spawn(async move {
        let tenant = visit.tenant();
        let write = state.supervisor.write(tenant, &source.device, entry.tag, value, input.confirm);
        let result = write.await;
        let now = state.now();
        command.outcome = Some(match &result {
            Ok(report) => Outcome {
                time: report.time,
                before: report.before.as_ref().map(Value::to_json),
                after: report.after.as_ref().map(Value::to_json),
                verified: report.verified,
                error: None,
            },
            Err(error) => Outcome {
                time: now,
                before: None,
                after: None,
                verified: false,
                error: Some(error.to_string()),
            },
        });
        record(&visit, "device.write", &command).await?;
        let report = result?;
        Ok(Json(Written {
            before: report.before.as_ref().map(Value::to_json),
            requested: report.requested.to_json(),
            after: report.after.as_ref().map(Value::to_json),
            verified: report.verified,
            time: report.time,
        }))
    });
    task.await.map_err(|error| Failure::internal("write to a device", &error))?
}

async fn record(visit: &Visit, cause: &str, command: &Command) -> Result<(), Failure> {
    let mut commit = visit.commit(cause);
    commit.put::<Commands>(Commands::key(command.time, visit.request()), command, Expect::Any);
    visit.state().store.commit(commit).await?;
    Ok(())
}
