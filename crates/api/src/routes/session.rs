//! Signing in and out, and who one is.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::{Action, Caller, SignInName, SignedIn};
use weir_audit::{Entry, Event};
use weir_model::{Author, Grade, Identifier, Prefix, Timestamp};
use weir_twin::Organisations;

use crate::body::Document;
use crate::door::{COOKIE, Route, Visit, needs, public};
use crate::failure::Failure;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        public(routes!(sign_in)),
        needs(Action::SessionOwn, routes!(session)),
        needs(Action::SessionOwn, routes!(sign_out)),
        needs(Action::SessionOwn, routes!(change_password)),
    ]
}

/// A name and a password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user": "li@88.100.7", "password": "correct horse battery staple"}))]
struct Credentials {
    /// The user's name; for users of any but the node's first organisation with `@` and the
    /// organisation's prefix behind it. The case does not matter.
    user: String,
    /// The password.
    password: String,
}

/// Who is signed in.
#[derive(Serialize, utoipa::ToSchema)]
struct SessionView {
    /// The principal's identifier.
    #[schema(value_type = String)]
    principal: Identifier,
    /// The name for people.
    name: String,
    /// The organisation; null for a principal of the node itself.
    tenant: Option<TenantRef>,
    /// The roles.
    roles: Vec<String>,
    /// The highest grade it sees.
    ceiling: Grade,
    /// What it may do, such as `tag:read`.
    permissions: Vec<Action>,
    /// What a page sends as `X-Weir-Csrf` with every change; null for tokens.
    csrf: Option<String>,
    /// When it ends at the latest.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Timestamp>,
}

/// An organisation in few words.
#[derive(Serialize, utoipa::ToSchema)]
struct TenantRef {
    /// Its number.
    id: u32,
    /// Its prefix.
    #[schema(value_type = String)]
    prefix: Prefix,
    /// Its name.
    name: String,
    /// Its name in other languages.
    names: BTreeMap<String, String>,
}

/// Sign in
///
/// As `name@prefix`, where the prefix is the organisation's, or in the node's first organisation as
/// `name` alone; a name alone is looked up nowhere else. Whether there is no such organisation, no
/// such user or another password is not told.
///
/// Sets the session cookie `weir_session`. Requests with the cookie send the answer's `csrf` in the
/// header `X-Weir-Csrf` with everything but GET.
#[utoipa::path(
    post,
    path = "/api/v1/session",
    operation_id = "signIn",
    tag = "session",
    request_body = Credentials,
    responses((status = 200, description = "Signed in", body = SessionView)),
)]
async fn sign_in(
    State(state): State<ApiState>,
    visit: Visit,
    Document(credentials): Document<Credentials>,
) -> Result<Response, Failure> {
    let Credentials { user, password } = credentials;
    let remote = visit.remote().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let name = SignInName::parse(&user);
    let tenant = |prefix: &Prefix| Organisations::tenant_of(&state.store, prefix);
    let (request, now) = (visit.request(), visit.now());
    let outcome = state.access.sign_in(&name, tenant, &password, remote, request, now).await;
    match outcome {
        Ok(signed_in) => {
            let author = signed_in.caller.author("session.create", visit.request());
            let event = Event::SignIn { user, ok: true, reason: None };
            state
                .audit
                .append(Entry::new(visit.now(), author, event).from_remote(visit.remote()))
                .await?;
            let cookie = cookie(&state, &signed_in, visit.now());
            let SignedIn { caller, csrf, expires, .. } = signed_in;
            let view = view(&state, &caller, Some(csrf), Some(expires))?;
            Ok(([(header::SET_COOKIE, cookie)], Json(view)).into_response())
        }
        Err(error) => {
            let author: Author = visit.author("session.create");
            // The name that was tried may be a password typed into the wrong field: only a bounded
            // part of it is written down.
            let user = user.chars().take(64).collect();
            let event = Event::SignIn { user, ok: false, reason: Some(error.code().to_owned()) };
            let entry = Entry::new(visit.now(), author, event).from_remote(visit.remote());
            state.audit.refuse(entry).await?;
            Err(error.into())
        }
    }
}

/// The session
#[utoipa::path(
    get,
    path = "/api/v1/session",
    operation_id = "getSession",
    tag = "session",
    responses((status = 200, description = "Who calls and what it may do", body = SessionView)),
)]
async fn session(
    State(state): State<ApiState>,
    visit: Visit,
) -> Result<Json<SessionView>, Failure> {
    let csrf = visit.csrf().map(str::to_owned);
    Ok(Json(view(&state, visit.caller(), csrf, visit.caller().expires)?))
}

/// Sign out
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    operation_id = "signOut",
    tag = "session",
    responses((status = 204, description = "Signed out; open streams of the session end")),
)]
async fn sign_out(State(state): State<ApiState>, visit: Visit) -> Result<Response, Failure> {
    state.access.sign_out(visit.by()).await?;
    let gone = super::header(format!("{COOKIE}=; {}; Max-Age=0", attributes(&state)));
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

/// A password and the one to come.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The password as it is.
    current: String,
    /// The password as it shall be.
    new: String,
}

/// Change one's own password
///
/// All sessions of the user end, this one too.
#[utoipa::path(
    post,
    path = "/api/v1/session/password",
    operation_id = "changePassword",
    tag = "session",
    request_body = PasswordChange,
    responses((status = 204, description = "Changed; sign in again")),
)]
async fn change_password(
    State(state): State<ApiState>,
    visit: Visit,
    Document(change): Document<PasswordChange>,
) -> Result<StatusCode, Failure> {
    state.access.change_password(visit.by(), &change.current, &change.new).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn view(
    state: &ApiState,
    caller: &Caller,
    csrf: Option<String>,
    expires: Option<Timestamp>,
) -> Result<SessionView, Failure> {
    let organisation = state.directory.with(caller.tenant, |view| view.organisation().cloned())?;
    let tenant = organisation.flatten().map(|organisation| TenantRef {
        id: organisation.tenant.0,
        prefix: organisation.prefix,
        name: organisation.name,
        names: organisation.names,
    });
    let may = |action: &Action| {
        let scope = if action.is_of_node() { weir_access::Scope::NODE } else { caller.scope() };
        state.access.decide(caller, *action, scope).is_ok()
    };
    Ok(SessionView {
        principal: caller.principal.clone(),
        name: caller.name.to_string(),
        tenant,
        roles: caller.roles.to_vec(),
        ceiling: caller.ceiling,
        permissions: Action::ALL.iter().copied().filter(|action| may(action)).collect(),
        csrf,
        expires,
    })
}

fn cookie(state: &ApiState, signed_in: &SignedIn, now: Timestamp) -> HeaderValue {
    let seconds = (signed_in.expires.nanos() - now.nanos()) / 1_000_000_000;
    let text = format!("{COOKIE}={}; {}; Max-Age={seconds}", signed_in.secret, attributes(state));
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn attributes(state: &ApiState) -> &'static str {
    if state.info.tls {
        "Path=/; HttpOnly; SameSite=Strict; Secure"
    } else {
        "Path=/; HttpOnly; SameSite=Strict"
    }
}
