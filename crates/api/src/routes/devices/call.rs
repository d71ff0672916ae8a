//! Methods of devices.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use weir_audit::{Entry, Event};
use weir_model::ProblemCode;

use crate::body::Document;
use crate::door::{Id, Visit};
use crate::failure::Failure;
use crate::state::ApiState;

/// Most arguments of one call.
const ARGUMENTS_MAX: usize = 64;

/// A call of a method.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallInput {
    /// The method, as browsing the device showed it.
    method: JsonValue,
    /// The arguments in their order.
    #[serde(default)]
    arguments: Vec<JsonValue>,
    /// That a person has confirmed it: a method moves things.
    #[serde(default)]
    confirm: bool,
}

/// What a method answered.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Called {
    /// The results in their order.
    results: Vec<JsonValue>,
}

/// Call a method of a device
///
/// It is called once; after an error that says so, it is not known whether the device carried it out. The call and its
/// outcome are in the audit.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{id}/call",
    operation_id = "callDevice",
    tag = "devices",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    request_body = CallInput,
    responses((status = 200, description = "What it answered", body = Called)),
)]
pub(super) async fn call(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    Document(input): Document<CallInput>,
) -> Result<Json<Called>, Failure> {
    let found = super::find(&state, &visit, &id)?;
    if !input.confirm {
        let detail = "a call must be confirmed: send \"confirm\": true";
        return Err(Failure::field(ProblemCode::PreconditionRequired, "/confirm", detail));
    }
    if input.arguments.len() > ARGUMENTS_MAX {
        let detail = format!("a method takes at most {ARGUMENTS_MAX} arguments");
        return Err(Failure::field(ProblemCode::InvalidValue, "/arguments", detail));
    }
    let device = found.record.id;
    let told =
        format!("{device}: method {} {}", input.method, JsonValue::from(input.arguments.clone()));
    // Written down before it is done, and not done if it cannot be written down.
    note(&state, &visit, "device.call.request", told.clone()).await?;
    // A client that hangs up must not leave the audit without the outcome.
    let task = tokio::spawn(async move {
        let CallInput { method, arguments, .. } = input;
        let result = state.supervisor.call(visit.tenant(), &device, method, arguments).await;
        let outcome = match &result {
            Ok(results) => JsonValue::from(results.clone()).to_string(),
            Err(error) => error.to_string(),
        };
        note(&state, &visit, "device.call", format!("{told}: {outcome}")).await?;
        Ok(Json(Called { results: result? }))
    });
    task.await.map_err(|error| Failure::internal("call a method of a device", &error))?
}

/// Longest note of a call in characters: arguments and results can be long.
const NOTE_CHARS_MAX: usize = 2000;

async fn note(state: &ApiState, visit: &Visit, cause: &str, text: String) -> Result<(), Failure> {
    let event = Event::Note { text: text.chars().take(NOTE_CHARS_MAX).collect() };
    let entry = Entry::new(state.now(), visit.author(cause), event);
    state.audit.append(entry.from_remote(visit.remote())).await?;
    Ok(())
}
