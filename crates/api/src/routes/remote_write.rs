//! Prometheus remote write: what a Prometheus server sends on.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use utoipa_axum::routes;
use weir_access::Action;
use weir_ingest::remote_write::Version;
use weir_model::ProblemCode;

use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::ingest::{Envelope, Format, Order, receive};
use crate::unpack::Encoding;

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::SampleWrite, routes!(write)).with_basic()]
}

/// Store what Prometheus sends on
///
/// Remote write 1.0 and 2.0: the message that the content type names (that of 1.0 if it names none),
/// packed with Snappy. All of it or nothing; histograms, exemplars and metadata are left aside. A series goes
/// to the tag of its name, `up{instance="a:9100",job="node"}`, which is made where the token has
/// `tag:write`. A stale marker becomes a sample of bad quality without a value.
#[utoipa::path(
    post,
    path = "/api/v1/write",
    operation_id = "remoteWrite",
    tag = "samples",
    request_body(content = Vec<u8>, content_type = "application/x-protobuf"),
    responses((status = 204, description = "Stored; a header says how many samples")),
)]
async fn write(visit: Visit, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let version = version(&parts.headers)?;
    if parts.headers.get(header::CONTENT_ENCODING).is_none_or(|coding| coding != "snappy") {
        let detail = "A message of remote write is sent with the content encoding snappy.";
        return Err(Failure::new(ProblemCode::UnsupportedMediaType, detail));
    }
    let order = Order {
        format: Format::RemoteWrite(version),
        encoding: Encoding::Snappy,
        envelope: Envelope::default(),
        create: visit.allow(Action::TagWrite).is_ok(),
    };
    let stored = receive(&visit, order, &parts.headers, body).await.map_err(final_is_400)?;
    Ok((StatusCode::NO_CONTENT, counts(stored)).into_response())
}

/// The version that a content type names.
fn version(headers: &HeaderMap) -> Result<Version, Failure> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = value.unwrap_or_default().split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let proto = parts.find_map(|part| part.strip_prefix("proto="));
    match proto.map(|name| name.trim_matches('"')) {
        _ if !essence.eq_ignore_ascii_case("application/x-protobuf") => None,
        None | Some("prometheus.WriteRequest") => Some(Version::One),
        Some("io.prometheus.write.v2.Request") => Some(Version::Two),
        Some(_) => None,
    }
    .ok_or_else(|| {
        let detail = "Remote write sends application/x-protobuf: prometheus.WriteRequest or \
                      io.prometheus.write.v2.Request.";
        Failure::new(ProblemCode::UnsupportedMediaType, detail)
    })
}

/// What will never succeed is 400, which Prometheus does not send again; 413 and 429 are 4xx, too.
fn final_is_400(mut failure: Failure) -> Failure {
    if matches!(failure.problem.status, 409 | 422) {
        failure.problem.status = StatusCode::BAD_REQUEST.as_u16();
    }
    failure
}

/// What was stored, as version 2.0 wants to be told.
fn counts(samples: usize) -> [(HeaderName, HeaderValue); 3] {
    let name = |name| HeaderName::from_static(name);
    [
        (name("x-prometheus-remote-write-samples-written"), HeaderValue::from(samples)),
        (name("x-prometheus-remote-write-histograms-written"), HeaderValue::from(0)),
        (name("x-prometheus-remote-write-exemplars-written"), HeaderValue::from(0)),
    ]
}
