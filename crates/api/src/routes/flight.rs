//! Arrow Flight SQL, behind the same door as `POST /api/v1/query`.
//!
//! Its calls are HTTP/2 requests at paths of gRPC's, and what is refused here is answered as gRPC
//! answers it. The rest is done by the program's engine. The paths stand in no OpenAPI document: their
//! description is Arrow's `Flight.proto`.

mod sessions;
mod status;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, Version, header};
use weir_access::{Action, SignInError, SignInName};
use weir_audit::{Entry, Event};
use weir_model::{Prefix, ProblemCode};
use weir_twin::Organisations;

use super::query::{Seen, failed};
use crate::door::{self, Permission, Reach, Recognised, Visit};
use crate::failure::Failure;
use crate::query::{QueryError, QuerySource};
use crate::state::ApiState;
pub(crate) use sessions::Sessions;

/// Where the calls are.
const SERVICE: &str = "/arrow.flight.protocol.FlightService";

/// The call that signs in; everybody may make it.
const HANDSHAKE: &str = "Handshake";

/// The other calls.
const CALLS: [&str; 9] = [
    "ListFlights",
    "GetFlightInfo",
    "PollFlightInfo",
    "GetSchema",
    "DoGet",
    "DoPut",
    "DoExchange",
    "DoAction",
    "ListActions",
];

/// What the audit names the opening of a session.
const CAUSE: &str = "flight.session";

/// Most of a name that is written down of somebody who was not let in: it may be a password that was
/// typed into the wrong field.
const NAME_CHARS_MAX: usize = 64;

/// A call as the engine gets it.
pub type FlightCall = http::Request<Body>;

/// An answer as the engine gives it.
pub type FlightAnswer = http::Response<Body>;

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlightFailure {
    /// The status code of gRPC.
    pub code: i32,
    /// What happened and what to do.
    pub text: String,
}

/// The calls, to be joined with the other routes.
pub(crate) fn router(state: &ApiState) -> Router<ApiState> {
    let reading = Permission::Needs(Action::SampleRead, Reach::Tenant);
    let calls = CALLS.map(|name| (name, reading)).into_iter();
    let calls = calls.chain([(HANDSHAKE, Permission::Public)]);
    let router = calls.fold(Router::new(), |router, (name, permission)| {
        let methods = door::behind(post(call), permission, state);
        router.route(&format!("{SERVICE}/{name}"), methods)
    });
    router.route_layer(from_fn_with_state(state.clone(), shape))
}

/// Takes calls of gRPC only, knows the callers that signed in by one, and answers what the door refuses
/// as gRPC answers it.
async fn shape(State(state): State<ApiState>, mut call: Request, next: Next) -> Response {
    if !is_grpc(call.headers()) || call.version() < Version::HTTP_2 {
        let detail = "Arrow Flight SQL is spoken here, which is gRPC over HTTP/2: connect with a driver of it.";
        return Failure::new(ProblemCode::UnsupportedMediaType, detail).into_response();
    }
    let token = door::bearer_of(call.headers());
    if let Some(caller) = token.and_then(|token| state.flights.caller(&state, token)) {
        call.extensions_mut().insert(Recognised(caller));
    }
    let answer = next.run(call).await;
    match answer.extensions().get::<Failure>() {
        Some(failure) => status::answer(&status::of(failure)),
        None => answer,
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let rest = kind.and_then(|kind| kind.strip_prefix("application/grpc"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}

async fn call(State(state): State<ApiState>, visit: Visit, call: Request) -> Response {
    let Some(engine) = state.query.clone() else {
        let detail = "This program was built without SQL; take one that was built with the feature \"query\".";
        return Failure::new(ProblemCode::NotImplemented, detail).into_response();
    };
    if !state.flight {
        let detail = "Arrow Flight SQL is switched off here: the setting query.flight is false.";
        return Failure::new(ProblemCode::NotImplemented, detail).into_response();
    }
    engine.flight(call, FlightVisitor(visit)).await
}

/// Who makes a call, and what that caller sees.
#[derive(Clone)]
pub struct FlightVisitor(Visit);

impl FlightVisitor {
    /// What tells the caller from others: the principal, and which of its tokens or sessions it shows.
    pub fn caller(&self) -> String {
        let caller = self.0.caller();
        format!("{} {}", caller.principal.folded(), caller.credential().unwrap_or_default())
    }

    /// What the caller may see.
    pub fn source(&self) -> Arc<dyn QuerySource> {
        Arc::new(Seen::by(self.0.clone()))
    }

    /// Signs in by name and password, as checked and throttled as everywhere, and gives a token to be
    /// shown with the calls that follow. It is good as long as a session of the console is, and until
    /// the node stops.
    ///
    /// # Errors
    /// Where the two do not fit, there were too many attempts, or the audit cannot be written.
    pub async fn sign_in(&self, user: &str, password: &str) -> Result<String, FlightFailure> {
        let signed_in = self.signed_in(user, password).await;
        signed_in.map_err(|failure| status::of(&failure))
    }

    async fn signed_in(&self, user: &str, password: &str) -> Result<String, Failure> {
        let (visit, state) = (&self.0, self.0.state());
        let remote = visit.remote().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let tenant = |prefix: &Prefix| Organisations::tenant_of(&state.store, prefix);
        let (name, now) = (SignInName::parse(user), visit.now());
        match state.access.by_password(&name, tenant, password, remote, now).await {
            Ok(caller) => {
                let author = caller.author(CAUSE, visit.request());
                let event = Event::SignIn { user: user.to_owned(), ok: true, reason: None };
                let entry = Entry::new(now, author, event).from_remote(visit.remote());
                state.audit.append(entry).await?;
                state.flights.open(state, caller)
            }
            Err(error) => {
                self.audit_failed_sign_in(user, &error).await?;
                Err(error.into())
            }
        }
    }

    async fn audit_failed_sign_in(&self, user: &str, error: &SignInError) -> Result<(), Failure> {
        let visit = &self.0;
        let user = user.chars().take(NAME_CHARS_MAX).collect();
        let event = Event::SignIn { user, ok: false, reason: Some(error.code().to_owned()) };
        let entry = Entry::new(visit.now(), visit.author(CAUSE), event);
        visit.state().audit.refuse(entry.from_remote(visit.remote())).await?;
        Ok(())
    }

    /// Waits until the caller is no longer what it was or the node stops, and says which.
    pub fn ended(&self) -> BoxFuture<'static, FlightFailure> {
        self.0.ended().map(|failure| status::of(&failure)).boxed()
    }

    /// What the caller is told of a statement that has no answer. What it was refused is written down.
    pub fn failed(&self, error: QueryError) -> FlightFailure {
        // The text of a statement is the whole of a message here, and no field of a document.
        if let QueryError::Statement(text) = error {
            return FlightFailure { code: status::INVALID_ARGUMENT, text };
        }
        let failure = failed(error);
        let told = status::of(&failure);
        if failure.hidden || matches!(failure.problem.status, 401 | 403) {
            let visit = self.0.clone();
            let action = Action::SampleRead.to_string();
            tokio::spawn(async move { visit.audit_refusal("post", action, &failure).await });
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_content_types_of_grpc() {
        let is = |kind: &'static str| {
            let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
            is_grpc(&headers.into_iter().collect())
        };
        assert!(is("application/grpc") && is("application/grpc+proto") && is("application/grpc;x"));
        assert!(!is("application/grpc-web") && !is("application/json") && !is(""));
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
