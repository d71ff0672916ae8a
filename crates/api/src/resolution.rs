//! Identifiers over HTTP, on a listener of their own, because its URL root belongs to identifiers:
//! JSON as the reference server has it, messages of the Handle protocol in POST, GS1 Digital
//! Links, QR codes, and pages for people.
//!
//! Everything here is read by anyone: what is private never leaves, and nothing is changed but
//! through messages of the protocol, which prove who sends them.
//!
//! | request | answer |
//! |---------|--------|
//! | `GET /api/handles/{handle}`, `GET /api/site` | `handles` |
//! | `POST` of a message | `tunnel` |
//! | `GET /01/…` and the other keys of GS1 | `digital_link` |
//! | `GET /api/qr/{identifier}` | `qr` |
//! | `GET /{identifier}`, `GET /` | `page` |

mod ask;
mod digital_link;
mod handles;
mod page;
mod qr;
mod target;
mod tunnel;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::sync::Semaphore;
use weir_handle::{DigestAlgorithm, Version};
use weir_model::Timestamp;
use weir_resolver::{Authority, Now};

use target::Target;

/// Longest path with its query, in bytes: a handle of 2,048 bytes with every byte percent-encoded,
/// and parameters beside it.
const URI_BYTES_MAX: usize = 8_192;

/// Requests in progress at one time; more are answered 503. Each holds a message at the most, so
/// that this is 64 MiB.
const REQUESTS_MAX: usize = 256;

/// Longest time a request may take, its body included.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

/// Longest time that another cache is told to keep an answer, in seconds: a day, the usual time to
/// live of a value. What a browser keeps nobody can take back.
const CACHE_SECONDS_MAX: u32 = 86_400;

/// Both clocks, asked at each request.
pub type IdentifierClock = Arc<dyn Fn() -> Now + Send + Sync>;

/// The clocks of the system.
pub fn identifier_clock() -> IdentifierClock {
    let start = Instant::now();
    Arc::new(move || Now {
        time: Timestamp::from_system(SystemTime::now()),
        steady_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// What the listener of identifiers is made of.
pub struct IdentifierParts {
    /// Who answers, from its records.
    pub authority: Arc<Authority>,
    /// The address that others know this listener by, `https://id.example.cn`; none: what each
    /// request calls it by.
    pub root: Option<String>,
    /// What the service is called, for people.
    pub name: String,
    /// Whether the listener speaks TLS.
    pub tls: bool,
    /// The clocks.
    pub clock: IdentifierClock,
}

/// What requests for identifiers are answered from.
#[derive(Clone)]
pub struct IdentifierState(Arc<Desk>);

struct Desk {
    parts: IdentifierParts,
    requests: Semaphore,
}

impl IdentifierState {
    /// The state of one listener.
    pub fn new(parts: IdentifierParts) -> Self {
        Self(Arc::new(Desk { parts, requests: Semaphore::new(REQUESTS_MAX) }))
    }

    fn authority(&self) -> &Arc<Authority> {
        &self.0.parts.authority
    }

    fn name(&self) -> &str {
        &self.0.parts.name
    }

    fn now(&self) -> Now {
        (self.0.parts.clock)()
    }

    /// The address of this listener: the one that is set, or else the one that the request has.
    fn root(&self, headers: &HeaderMap) -> String {
        let IdentifierParts { root, tls, .. } = &self.0.parts;
        if let Some(root) = root {
            return root.trim_end_matches('/').to_owned();
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let plain = |host: &&str| {
            host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        };
        let host = host.filter(plain).filter(|host| !host.is_empty()).unwrap_or("localhost");
        format!("{}://{host}", if *tls { "https" } else { "http" })
    }
}

/// The router of the listener of identifiers. Requests carry the peer's address as
/// `axum::extract::ConnectInfo<SocketAddr>`.
pub fn identifier_router(state: IdentifierState) -> Router {
    Router::new().fallback(answer).with_state(state)
}

/// Puts a request through all that holds for every one of them.
async fn answer(State(state): State<IdentifierState>, request: Request) -> Response {
    let method = request.method().clone();
    let mut response = match state.0.requests.try_acquire() {
        Err(_) => sentence(StatusCode::SERVICE_UNAVAILABLE, "Too many requests are in progress."),
        Ok(_permit) => {
            let run = AssertUnwindSafe(route(&state, request)).catch_unwind();
            match tokio::time::timeout(REQUEST_TIME_MAX, run).await {
                Ok(Ok(response)) => response,
                Ok(Err(_panic)) => {
                    tracing::error!("a request for an identifier ended in a panic");
                    sentence(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong here.")
                }
                Err(_elapsed) => {
                    sentence(StatusCode::REQUEST_TIMEOUT, "The request took too long.")
                }
            }
        }
    };
    if method == Method::HEAD {
        if let Some(length) = response.body().size_hint().exact() {
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        *response.body_mut() = Body::empty();
    }
    secure(response.headers_mut(), state.0.parts.tls);
    response
}

async fn route(state: &IdentifierState, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    // HTTP/2 names the host in the address.
    if let (Some(authority), false) =
        (parts.uri.authority(), parts.headers.contains_key(header::HOST))
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(header::HOST, host);
    }
    let query = parts.uri.query().unwrap_or_default();
    if parts.uri.path().len() + query.len() > URI_BYTES_MAX {
        let words = format!("An address has at most {URI_BYTES_MAX} bytes here.");
        return sentence(StatusCode::URI_TOO_LONG, &words);
    }
    let target = match Target::read(parts.uri.path(), query) {
        Ok(target) => target,
        Err(words) => return sentence(StatusCode::BAD_REQUEST, &words),
    };
    let headers = &parts.headers;
    match parts.method {
        Method::OPTIONS => preflight(),
        Method::POST if tunnel::is_message(headers) => {
            let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
            let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            let address = peer.map_or(unknown, |ConnectInfo(peer)| peer.ip());
            tunnel::answer(state, address, body).await
        }
        Method::GET | Method::HEAD => read(state, &target, headers).await,
        _ => match handles::asked(&target) {
            Some(handle) => handles::refuse(handle),
            None => {
                let words = "Here is only read; messages of the Handle protocol are sent by POST \
                     as application/x-hdl-message.";
                let mut response = sentence(StatusCode::METHOD_NOT_ALLOWED, words);
                set(&mut response, header::ALLOW, METHODS);
                response
            }
        },
    }
}

async fn read(state: &IdentifierState, target: &Target<'_>, headers: &HeaderMap) -> Response {
    if let Some(handle) = handles::asked(target) {
        return handles::get(state, target, headers, handle);
    }
    if let Some(identifier) = target.path.strip_prefix("/api/qr/") {
        return qr::get(state, target, headers, identifier).await;
    }
    match target.path {
        "/api/site" => handles::site(state, target, headers),
        "/" => page::root(state, target, headers),
        weir_gs1::resolve::WELL_KNOWN => digital_link::describe(state, headers),
        path if path == "/api" || path.starts_with("/api/") => handles::no_endpoint(path),
        _ => match digital_link::get(state, target, headers) {
            Some(response) => response,
            None => page::get(state, target, headers),
        },
    }
}

const METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// Scripts of any page may read here what anyone may.
fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    set(&mut response, header::ALLOW, METHODS);
    let wanted = "Accept, Accept-Language, Content-Type, If-None-Match, X-Requested-With";
    set(&mut response, header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    set(&mut response, header::ACCESS_CONTROL_MAX_AGE, "86400");
    response
}

/// An answer that is a sentence for whoever asked.
fn sentence(status: StatusCode, words: &str) -> Response {
    let mut response = (status, format!("{words}\n")).into_response();
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

/// Sets a header to text; one that cannot be a header's value is left out.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The text of a header; empty if it was not sent, or is no text. Of several, one after another.
fn text_of(headers: &HeaderMap, name: HeaderName) -> String {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(", ")
}

/// Lets an answer be kept for so many seconds, and names its content, so that whoever has it need
/// not have it again.
fn kept(mut response: Response, body: &[u8], seconds: u32, headers: &HeaderMap) -> Response {
    let digest = DigestAlgorithm::of(Version::CURRENT).digest(&[body]);
    let hex: String = digest.as_bytes()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hex}\"");
    let known = text_of(headers, header::IF_NONE_MATCH);
    let same = known
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag);
    if same && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    set(&mut response, header::ETAG, &tag);
    let seconds = seconds.min(CACHE_SECONDS_MAX);
    let caching = match seconds {
        0 => "no-cache".to_owned(),
        seconds => format!("public, max-age={seconds}"),
    };
    set(&mut response, header::CACHE_CONTROL, &caching);
    response
}

/// Headers that every answer carries; what an answer has set itself stays.
fn secure(headers: &mut HeaderMap, tls: bool) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    set(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    set(header::ACCESS_CONTROL_EXPOSE_HEADERS, "Content-Length, ETag, Link, Location");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CACHE_CONTROL, "no-cache");
    if tls {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}
