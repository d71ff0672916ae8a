//! The one door: every route is an entry with a permission, and no request reaches a handler but
//! through [`admit`].
//!
//! What the door does, in order: it finds the principal (session cookie, bearer token, or nobody),
//! refuses forged requests of cookie callers, and asks access for the permission that the route
//! declares. What it refuses is answered and audited here. What a handler learns of the caller is
//! a [`Visit`].

mod edge;
mod visit;

pub use edge::request_id;
pub(crate) use edge::{edge, pages_headers};
pub(crate) use visit::{Id, Visit};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use base64::Engine as _;
use http::{HeaderMap, Method, header};
use utoipa_axum::router::UtoipaMethodRouter;
use weir_access::{Action, Caller, Scope};
use weir_audit::{Entry, Event};
use weir_model::ProblemCode;

use crate::failure::Failure;
use crate::state::ApiState;

/// The session cookie.
pub(crate) const COOKIE: &str = "weir_session";

/// The header in which cookie callers repeat the session's CSRF token.
pub(crate) const CSRF_HEADER: &str = "x-weir-csrf";

/// The reason in the audit for things that are there and above the caller's ceiling.
const ABOVE_CEILING: &str = "above-ceiling";

/// Longest credential in bytes that is looked at.
const CREDENTIAL_BYTES_MAX: usize = 512;

/// What a route asks of a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Nothing: everybody may call it. Written out, so that it is never forgotten.
    Public,
    /// The action, in the scope that it belongs to.
    Needs(Action, Reach),
}

/// Which scope a permission is asked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The caller's own tenant.
    Tenant,
    /// The node as a whole.
    Node,
}

/// A caller whom an outer layer has recognised, by what the door does not know.
#[derive(Clone)]
pub(crate) struct Recognised(pub(crate) Caller);

/// One entry of the table of routes: paths with their documentation and handlers, and what they
/// ask.
pub(crate) struct Route {
    pub(crate) permission: Permission,
    /// Whether a token may come as a password (RFC 7617), as programs send it that know nothing else.
    basic: bool,
    pub(crate) methods: UtoipaMethodRouter<ApiState>,
}

/// An entry that asks for an action.
pub(crate) fn needs(action: Action, methods: UtoipaMethodRouter<ApiState>) -> Route {
    let reach = if action.is_of_node() { Reach::Node } else { Reach::Tenant };
    Route { permission: Permission::Needs(action, reach), basic: false, methods }
}

/// An entry that asks for an action at the node as a whole.
pub(crate) fn needs_of_node(action: Action, methods: UtoipaMethodRouter<ApiState>) -> Route {
    Route { permission: Permission::Needs(action, Reach::Node), basic: false, methods }
}

/// An entry that everybody may call.
pub(crate) fn public(methods: UtoipaMethodRouter<ApiState>) -> Route {
    Route { permission: Permission::Public, basic: false, methods }
}

impl Route {
    /// Takes a token as the password of any user, too.
    pub(crate) fn with_basic(self) -> Self {
        Self { basic: true, ..self }
    }
}

/// Hangs every route behind the door.
pub(crate) fn hang(routes: Vec<Route>, state: &ApiState) -> Router<ApiState> {
    routes.into_iter().fold(Router::new(), |router, route| {
        let (_, paths, methods) = route.methods;
        let methods = gated(methods, route.permission, route.basic, state);
        paths.paths.keys().fold(router, |router, path| router.route(path, methods.clone()))
    })
}

/// Methods that stand in no document, behind the door like all others.
pub(crate) fn behind(
    methods: MethodRouter<ApiState>,
    permission: Permission,
    state: &ApiState,
) -> MethodRouter<ApiState> {
    gated(methods, permission, false, state)
}

fn gated(
    methods: MethodRouter<ApiState>,
    permission: Permission,
    basic: bool,
    state: &ApiState,
) -> MethodRouter<ApiState> {
    let gate = Gate { state: state.clone(), permission, basic };
    methods.route_layer(from_fn_with_state(gate, admit))
}

#[derive(Clone)]
struct Gate {
    state: ApiState,
    permission: Permission,
    basic: bool,
}

/// Lets a request in, or not.
async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Gate { state, permission, basic } = gate;
    match identify(&state, &request, basic) {
        Ok(visit) => {
            let visit = visit.asking(permission);
            if let Err(failure) = permit(&visit, &request) {
                return refuse(&visit, request.method(), failure).await;
            }
            let method = request.method().clone();
            request.extensions_mut().insert(visit.clone());
            let response = next.run(request).await;
            note_refusal(visit, method, &response);
            response
        }
        // Where nothing is asked, credentials that say nothing do no harm.
        Err((visit, _)) if permission == Permission::Public => {
            request.extensions_mut().insert(visit.asking(permission));
            next.run(request).await
        }
        Err((visit, failure)) => {
            let visit = visit.asking(permission);
            refuse(&visit, request.method(), failure).await
        }
    }
}

/// Who calls. Credentials that are given and wrong are an error, not the anonymous visitor: a program that
/// sends an expired token should learn so.
fn identify(
    state: &ApiState,
    request: &Request,
    basic: bool,
) -> Result<Visit, (Box<Visit>, Failure)> {
    if let Some(Recognised(caller)) = request.extensions().get() {
        return Ok(Visit::of(state.clone(), request, caller.clone(), None));
    }
    let headers = request.headers();
    let nobody = || Visit::of(state.clone(), request, state.access.anonymous(), None);
    let rejected =
        |detail: &str| (Box::new(nobody()), Failure::new(ProblemCode::Unauthenticated, detail));
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let value = value.to_str().unwrap_or_default();
        let password = if basic { password(value) } else { None };
        let Some(token) = password.as_deref().or_else(|| bearer(value)) else {
            return Err(rejected("Credentials are sent as \"Authorization: Bearer TOKEN\"."));
        };
        return match state.access.by_token(token, state.now()) {
            Some(caller) => Ok(Visit::of(state.clone(), request, caller, None)),
            None => Err(rejected("The token is wrong, expired or revoked.")),
        };
    }
    if let Some(secret) = session_cookie(headers) {
        // A stale cookie is no attempt at anything: browsers keep sending it. Its bearer is nobody.
        if let Some((caller, csrf)) = state.access.by_session(&secret, state.now()) {
            return Ok(Visit::of(state.clone(), request, caller, Some(csrf)));
        }
    }
    Ok(nobody())
}

/// Whether the caller may do what the route does.
fn permit(visit: &Visit, request: &Request) -> Result<(), Failure> {
    let Permission::Needs(action, reach) = visit.permission else { return Ok(()) };
    if let Some(csrf) = visit.csrf()
        && !request.method().is_safe()
        && !same(request.headers().get(CSRF_HEADER).map(|v| v.as_bytes()), csrf.as_bytes())
    {
        let detail = format!("Send the session's \"csrf\" in the header \"{CSRF_HEADER}\".");
        return Err(Failure::new(ProblemCode::CsrfMissing, detail));
    }
    match reach {
        Reach::Tenant => visit.allow(action),
        Reach::Node => visit.allow_at_node(action),
    }
}

/// Answers a refusal and writes it down.
async fn refuse(visit: &Visit, method: &Method, failure: Failure) -> Response {
    let action = match visit.permission {
        Permission::Public => "public".to_owned(),
        Permission::Needs(action, _) => action.to_string(),
    };
    visit.audit_refusal(method.as_str(), action, &failure).await;
    failure.into_response()
}

/// Writes down what a handler refused: a permission that depends on the request's document, or a
/// thing above the caller's ceiling. It is written beside the answer, whose time must not tell
/// what is there and hidden from what is not there.
fn note_refusal(visit: Visit, method: Method, response: &Response) {
    let Permission::Needs(action, _) = visit.permission else { return };
    let Some(failure) = response.extensions().get::<Failure>() else { return };
    if failure.hidden || matches!(failure.problem.status, 401 | 403) {
        let failure = failure.clone();
        tokio::spawn(async move {
            visit.audit_refusal(method.as_str(), action.to_string(), &failure).await;
        });
    }
}

/// The token of `Bearer TOKEN`, or of `Token TOKEN` as clients of InfluxDB send it; the scheme's case does
/// not matter (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    let fits = (1..=CREDENTIAL_BYTES_MAX).contains(&token.len());
    let known = ["bearer", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    (known && fits).then_some(token)
}

/// The password of `Basic CREDENTIALS` (RFC 7617).
fn password(value: &str) -> Option<String> {
    let (scheme, credentials) = value.split_once(' ')?;
    let bounded = credentials.len() <= 2 * CREDENTIAL_BYTES_MAX;
    if !scheme.eq_ignore_ascii_case("basic") || !bounded {
        return None;
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(credentials.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (_, password) = text.split_once(':')?;
    (1..=CREDENTIAL_BYTES_MAX).contains(&password.len()).then(|| password.to_owned())
}

/// The bearer token that a request shows.
pub(crate) fn bearer_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok().and_then(bearer)
}

/// The secret of the session cookie.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == COOKIE && (1..=CREDENTIAL_BYTES_MAX).contains(&value.len()))
        .map(|(_, value)| value.to_owned())
}

/// Whether the two are the same, in a time that tells nothing of where they differ.
fn same(given: Option<&[u8]>, wanted: &[u8]) -> bool {
    let given = given.unwrap_or_default();
    let differ = given.iter().zip(wanted).fold(0, |differ, (a, b)| differ | (a ^ b));
    given.len() == wanted.len() && differ == 0
}

impl Visit {
    /// Writes a refusal to the audit.
    pub(crate) async fn audit_refusal(&self, method: &str, action: String, failure: &Failure) {
        let author = self.author(&format!("{} {}", method.to_ascii_lowercase(), self.path()));
        let reason = if failure.hidden { ABOVE_CEILING } else { failure.problem.code.as_str() };
        let (reason, status) = (reason.to_owned(), failure.problem.status);
        let event = Event::Refusal { action, reason, status };
        let entry = Entry::new(self.now(), author, event).from_remote(self.remote());
        if let Err(error) = self.state().audit.refuse(entry).await {
            tracing::error!(%error, "could not write a refusal to the audit");
        }
    }

    /// Whether the caller may do an action in its own tenant.
    pub(crate) fn allow(&self, action: Action) -> Result<(), Failure> {
        self.allow_in(action, self.caller().scope())
    }

    /// Whether the caller may do an action at the node as a whole.
    pub(crate) fn allow_at_node(&self, action: Action) -> Result<(), Failure> {
        self.allow_in(action, Scope::NODE)
    }

    fn allow_in(&self, action: Action, scope: Scope) -> Result<(), Failure> {
        let Err(denied) = self.state().access.decide(self.caller(), action, scope) else {
            return Ok(());
        };
        if self.caller().is_anonymous() {
            let detail = "Sign in, or send a token as \"Authorization: Bearer TOKEN\".";
            return Err(Failure::new(ProblemCode::Unauthenticated, detail));
        }
        Err(Failure::new(ProblemCode::Forbidden, format!("{denied}.")))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn bearer_tokens() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        assert_eq!(bearer("Token abc"), Some("abc"));
        for wrong in ["abc", "Basic abc", "Bearer ", "Bearer"] {
            assert_eq!(bearer(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn tokens_as_passwords() {
        let basic = |text: &str| {
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
        };
        assert_eq!(password(&basic("telegraf:a:b")).as_deref(), Some("a:b"));
        assert_eq!(password(&basic(":abc")).as_deref(), Some("abc"));
        for wrong in [basic("abc"), basic("telegraf:"), "Basic ???".into(), "Bearer abc".into()] {
            assert_eq!(password(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_session_cookie_among_others() {
        let cookie = |text: &'static str| {
            let headers = [(header::COOKIE, HeaderValue::from_static(text))];
            session_cookie(&headers.into_iter().collect())
        };
        assert_eq!(cookie("a=1; weir_session=s; b=2").as_deref(), Some("s"));
        assert_eq!(cookie("xweir_session=s"), None);
        assert_eq!(cookie("weir_session="), None);
    }

    #[test]
    fn secrets_are_compared_as_a_whole() {
        assert!(same(Some(b"abc"), b"abc"));
        assert!(!same(Some(b"abd"), b"abc") && !same(Some(b"ab"), b"abc") && !same(None, b"abc"));
    }
}
