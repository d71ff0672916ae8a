//! What clients of InfluxDB 1 and 2 ask for: writing line protocol, and whether somebody is there.
//!
//! Only writing: what is not offered here is not there. Answers of failure are the problems of every
//! route, with the members that these clients look for: `error` (1.x) and `message` (2.x).

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::Action;
use weir_model::ProblemCode;

use crate::body::Query;
use crate::door::{Route, Visit, needs, public};
use crate::failure::Failure;
use crate::ingest::{self, Envelope, Format, Order, receive};
use crate::state::ApiState;
use crate::unpack::Encoding;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::SampleWrite, routes!(write_1)).with_basic(),
        needs(Action::SampleWrite, routes!(write_2)).with_basic(),
        public(routes!(ping)),
        public(routes!(health)),
    ]
}

/// What is said of a write. Other parameters of InfluxDB are read by nobody.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Write1 {
    /// What one unit of a timestamp is: `n` or `ns` (if not given), `u` or `us`, `ms`, `s`, `m` or `h`.
    precision: Option<String>,
    /// Left aside: samples belong to the organisation of the token.
    #[serde(rename = "db")]
    #[param(rename = "db")]
    _db: Option<String>,
}

/// What is said of a write. Other parameters of InfluxDB are read by nobody.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Write2 {
    /// What one unit of a timestamp is: `ns` (if not given), `us`, `ms` or `s`.
    precision: Option<String>,
    /// Left aside: samples belong to the organisation of the token.
    #[serde(rename = "org")]
    #[param(rename = "org")]
    _org: Option<String>,
    /// Left aside.
    #[serde(rename = "bucket")]
    #[param(rename = "bucket")]
    _bucket: Option<String>,
}

/// Store line protocol as InfluxDB 1 does
///
/// All of it or nothing. The token is sent as `Authorization: Bearer` or `Token`, or as the password of
/// `Basic`. With a token that has `tag:write`, too, a series that has no tag gets one, named like
/// `cpu.usage_idle{cpu="cpu0"}`.
#[utoipa::path(
    post,
    path = "/write",
    operation_id = "storeLineProtocol1",
    tag = "samples",
    params(Write1),
    request_body(content = String, content_type = "text/plain", example = "cpu,cpu=cpu0 usage_idle=98.1 1795420800000000000\n"),
    responses((status = 204, description = "Stored")),
)]
async fn write_1(
    visit: Visit,
    Query(query): Query<Write1>,
    request: Request,
) -> Result<StatusCode, Failure> {
    write(&visit, query.precision.as_deref(), request).await.map_err(compatible)
}

/// Store line protocol as InfluxDB 2 does
///
/// As `/write`.
#[utoipa::path(
    post,
    path = "/api/v2/write",
    operation_id = "storeLineProtocol2",
    tag = "samples",
    params(Write2),
    request_body(content = String, content_type = "text/plain", example = "cpu,cpu=cpu0 usage_idle=98.1 1795420800000000000\n"),
    responses((status = 204, description = "Stored")),
)]
async fn write_2(
    visit: Visit,
    Query(query): Query<Write2>,
    request: Request,
) -> Result<StatusCode, Failure> {
    write(&visit, query.precision.as_deref(), request).await.map_err(compatible)
}

async fn write(
    visit: &Visit,
    precision: Option<&str>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let (parts, body) = request.into_parts();
    // What clients call line protocol differs: the path says what it is.
    let order = Order {
        format: Format::Line(ingest::precision(precision)?),
        encoding: Encoding::of(&parts.headers)?,
        envelope: Envelope::default(),
        create: visit.allow(Action::TagWrite).is_ok(),
    };
    receive(visit, order, &parts.headers, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A failure as these clients understand it. What will never succeed is 400: others are sent again
/// for ever. Telegraf's output for InfluxDB 1 lets go of a batch on these words alone.
fn compatible(mut failure: Failure) -> Failure {
    let problem = &mut failure.problem;
    let said = match problem.status {
        401 | 403 | 408 | 413 | 429 | 500.. => problem.detail.clone(),
        _ if problem.code == ProblemCode::InvalidRequest => {
            format!("unable to parse: {} Nothing was stored.", problem.detail)
        }
        _ => format!("partial write: {}; nothing was stored", problem.detail),
    };
    if !matches!(problem.status, 401 | 403 | 408 | 413 | 429 | 500..) {
        problem.status = StatusCode::BAD_REQUEST.as_u16();
    }
    problem.extensions.insert("error".to_owned(), said.clone().into());
    problem.extensions.insert("message".to_owned(), said.into());
    failure
}

/// Whether somebody is there
///
/// As InfluxDB's clients ask.
#[utoipa::path(
    get,
    path = "/ping",
    operation_id = "ping",
    tag = "node",
    responses((status = 204, description = "It answers")),
)]
async fn ping(State(state): State<ApiState>) -> Response {
    let version = format!("weir-{}", state.info.version);
    let version = HeaderValue::try_from(version).unwrap_or(HeaderValue::from_static("weir"));
    let headers = [
        (HeaderName::from_static("x-influxdb-version"), version),
        (HeaderName::from_static("x-influxdb-build"), HeaderValue::from_static("weir")),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Whether the node takes samples.
#[derive(Serialize, utoipa::ToSchema)]
struct Pass {
    /// `weir`.
    name: &'static str,
    /// `pass`.
    status: &'static str,
    /// For people.
    message: &'static str,
    /// The program's version.
    version: String,
}

/// Whether the node takes samples
///
/// As InfluxDB's clients ask; `/readyz` says the same.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "getInfluxHealth",
    tag = "node",
    responses((status = 200, description = "It takes samples", body = Pass)),
)]
async fn health(State(state): State<ApiState>) -> Result<Json<Pass>, Failure> {
    super::health::ready(&state)?;
    let version = state.info.version.clone();
    Ok(Json(Pass { name: "weir", status: "pass", message: "ready for writes", version }))
}
