//! The outermost layer: a name for each request, bounds on time and number, one shape of failure,
//! and headers that every answer carries.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::{FutureExt, StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use tracing::Instrument;
use weir_model::{ProblemCode, RequestId};

use crate::failure::Failure;
use crate::state::ApiState;

/// The header in which each answer names its request.
pub(crate) const REQUEST_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// What a page of the console may do: run and load what this node serves, and nothing else.
const PAGES_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What an answer of the API may do where a browser shows it as a page.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Longest request time told by HSTS: a year.
const HSTS: &str = "max-age=31536000";

/// Puts a request through all that holds for every route.
pub(crate) async fn edge(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request_id();
    request.extensions_mut().insert(id);
    let path = request.uri().path().to_owned();
    let span = tracing::debug_span!("request", %id, method = %request.method(), %path);
    // The rest of a body that nobody reads stands between this request and the next one of an
    // HTTP/1 connection, so that the connection ends; the client is told.
    let body = (request.version() <= Version::HTTP_11).then(|| watch(&mut request)).flatten();
    let mut response = answer(&state, request, next).instrument(span).await;
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if failed && body.is_some_and(|read| !read.load(Ordering::Relaxed)) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if !response.status().is_success() || response.extensions().get::<Failure>().is_some() {
        response = problem(response, id);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        headers.insert(REQUEST_HEADER, value);
    }
    secure(headers, state.info.tls);
    response
}

/// Watches the body of a request that has one: whether it has been read to its end.
fn watch(request: &mut Request) -> Option<Arc<AtomicBool>> {
    if request.body().is_end_stream() {
        return None;
    }
    let read = Arc::new(AtomicBool::new(false));
    let body = std::mem::take(request.body_mut()).into_data_stream();
    let parts = stream::unfold((body, Arc::clone(&read)), |(mut body, read)| async move {
        let Some(part) = body.next().await else {
            read.store(true, Ordering::Relaxed);
            return None;
        };
        Some((part, (body, read)))
    });
    *request.body_mut() = Body::from_stream(parts);
    Some(read)
}

async fn answer(state: &ApiState, request: Request, next: Next) -> Response {
    let Ok(_permit) = Arc::clone(&state.requests).try_acquire_owned() else {
        return Failure::unavailable("Too many requests are in progress.").into_response();
    };
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(state.limits.request_timeout, run).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => {
            tracing::error!("a handler panicked");
            let detail =
                "Something went wrong in Weir; the log tells more under this request's id.";
            Failure::new(ProblemCode::Internal, detail).into_response()
        }
        Err(_elapsed) => {
            let seconds = state.limits.request_timeout.as_secs();
            let detail = format!("The request took more than {seconds} s; ask for less at once.");
            Failure::new(ProblemCode::Timeout, detail).into_response()
        }
    }
}

/// Writes a failure as a problem, and gives a shape to those that axum answers without one.
fn problem(mut response: Response, id: RequestId) -> Response {
    let status = response.status();
    let failure = match response.extensions_mut().remove::<Failure>() {
        Some(failure) => failure,
        None if status.is_client_error() || status.is_server_error() => bare(status),
        None => return response,
    };
    let mut problem = failure.problem;
    problem.request = Some(id.to_string());
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    let json = HeaderValue::from_static("application/problem+json");
    parts.headers.insert(header::CONTENT_TYPE, json);
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = failure.retry_after {
        parts.headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if problem.status == StatusCode::UNAUTHORIZED.as_u16() {
        let challenge = HeaderValue::from_static("Bearer realm=\"weir\"");
        parts.headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    Response::from_parts(parts, Body::from(body))
}

fn bare(status: StatusCode) -> Failure {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => (ProblemCode::NotFound, "There is nothing at this path."),
        StatusCode::METHOD_NOT_ALLOWED => {
            (ProblemCode::MethodNotAllowed, "The header \"Allow\" names the methods of this path.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => (ProblemCode::TooLarge, "The request is too large."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            (ProblemCode::UnsupportedMediaType, "The content type is not read here.")
        }
        status if status.is_client_error() => {
            (ProblemCode::InvalidRequest, "The request cannot be understood.")
        }
        _ => (ProblemCode::Internal, "Something went wrong in Weir."),
    };
    Failure::new(code, detail)
}

/// Headers that every answer carries; what a handler has set itself stays.
fn secure(headers: &mut HeaderMap, tls: bool) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, API_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    if tls {
        set(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
}

/// Adds what holds for pages of the console.
pub(crate) fn pages_headers(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGES_POLICY));
}

/// A name that no other request has. Without randomness (which does not happen after start) the
/// requests share the name zero and go on.
pub fn request_id() -> RequestId {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => RequestId(u128::from_le_bytes(bytes)),
        Err(_) => RequestId(0),
    }
}
