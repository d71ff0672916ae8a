//! How long an organisation's samples are kept.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::Action;
use weir_model::{ProblemCode, Retention, RetentionError, RetentionRule};
use weir_store::{Expect, Versioned};
use weir_twin::{Retentions, SampleRetention};

use crate::body::Document;
use crate::door::{Route, Visit, needs};
use crate::etag;
use crate::failure::Failure;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::RetentionRead, routes!(get)), needs(Action::RetentionWrite, routes!(put))]
}

/// How long samples are kept, and how many of them.
#[derive(Serialize, utoipa::ToSchema)]
struct RetentionView {
    /// The rules, each of which begins later than the one before it and keeps less. Without rules
    /// everything is kept.
    rules: Vec<RetentionRule>,
    /// The version, which is also the ETag; 0 before the rules are first put.
    version: u64,
}

impl From<Option<Versioned<SampleRetention>>> for RetentionView {
    fn from(found: Option<Versioned<SampleRetention>>) -> Self {
        let version = found.as_ref().map_or(0, |found| found.version);
        let rules = found.map(|found| found.record.rules).unwrap_or_default();
        Self { rules: rules.into(), version }
    }
}

/// New rules.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"rules": [{"after_days": 90, "keep": "minute"}, {"after_days": 3650, "keep": "nothing"}]}))]
struct RetentionInput {
    /// The rules, at most four, each of which begins later than the one before it and keeps less.
    rules: Vec<RetentionRule>,
}

/// See how long samples are kept
#[utoipa::path(
    get,
    path = "/api/v1/retention",
    operation_id = "getRetention",
    tag = "samples",
    responses((status = 200, description = "The rules", body = RetentionView)),
)]
async fn get(State(state): State<ApiState>, visit: Visit) -> Result<Response, Failure> {
    let view = RetentionView::from(Retentions::of(&state.store, visit.tenant())?);
    Ok(([etag::of(view.version)], Json(view)).into_response())
}

/// Say how long samples are kept
///
/// What is no longer kept is removed for ever, within minutes for what is old enough already. Last
/// values stay.
#[utoipa::path(
    put,
    path = "/api/v1/retention",
    operation_id = "putRetention",
    tag = "samples",
    request_body = RetentionInput,
    responses((status = 200, description = "The rules as they are now", body = RetentionView)),
)]
async fn put(
    State(state): State<ApiState>,
    visit: Visit,
    headers: HeaderMap,
    Document(input): Document<RetentionInput>,
) -> Result<Response, Failure> {
    let rules = Retention::new(input.rules).map_err(|error| {
        let field = match error {
            RetentionError::TooMany => "/rules".to_owned(),
            RetentionError::Days { index } => format!("/rules/{index}/after_days"),
            RetentionError::Order { index } => format!("/rules/{index}"),
        };
        Failure::field(ProblemCode::InvalidValue, field, error.to_string())
    })?;
    let (expected, record) = (etag::expected(&headers)?, SampleRetention { rules });
    let tenant = visit.tenant();
    visit
        .change("retention.update", |snap, mut commit| {
            let found = snap.get::<Retentions>(tenant, Retentions::SAMPLES)?;
            let version = found.map_or(0, |found| found.version);
            if expected.is_some_and(|expected| expected != version) {
                let detail = format!("The rules have version {version}; read them again.");
                return Err(Failure::new(ProblemCode::VersionConflict, detail));
            }
            let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
            commit.put::<Retentions>(Retentions::SAMPLES, &record, expect);
            Ok((commit, ()))
        })
        .await?;
    let view = RetentionView::from(Retentions::of(&state.store, tenant)?);
    Ok(([etag::of(view.version)], Json(view)).into_response())
}
