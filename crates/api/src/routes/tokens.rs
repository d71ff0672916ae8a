//! Tokens: how programs show who they are.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::{Action, NewToken, TokenView};
use weir_model::{Grade, Identifier, Timestamp};

use super::{Listing, Paging};
use crate::body::{Document, Query};
use crate::cursor;
use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::TokenRead, routes!(list)),
        needs(Action::TokenWrite, routes!(create)),
        needs(Action::TokenWrite, routes!(revoke)),
    ]
}

/// A new token.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "gateway 7", "scopes": ["sample:write", "tag:read"], "expires": "2027-11-23T00:00:00Z"
}))]
struct TokenInput {
    /// What it is for.
    name: String,
    /// The actions it is limited to.
    scopes: Vec<Action>,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
    /// The user that it acts as; oneself if not given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    user: Option<Identifier>,
    /// The highest grade it sees; as high as oneself and its user see if not given.
    #[serde(default)]
    ceiling: Option<Grade>,
}

/// A token that was just made.
#[derive(Serialize, utoipa::ToSchema)]
struct NewTokenView {
    /// The secret, shown this once.
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

/// List tokens
///
/// One's own; all of the organisation's for those who may read users.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    operation_id = "listTokens",
    tag = "tokens",
    params(Paging),
    responses((status = 200, description = "Tokens, never their secrets", body = Listing<TokenView>)),
)]
async fn list(
    State(state): State<ApiState>,
    visit: Visit,
    Query(paging): Query<Paging>,
) -> Result<Json<Listing<TokenView>>, Failure> {
    let limit = super::limit(paging.limit)?;
    let after = match &paging.cursor {
        Some(cursor) => Some(cursor::decode::<1>("tokens", cursor)?[0].clone()),
        None => None,
    };
    let own = visit.allow(Action::UserRead).is_err().then(|| visit.caller().principal.clone());
    let page = state.access.tokens(visit.tenant(), own.as_ref(), after.as_deref(), limit)?;
    let next = page.next.map(|key| cursor::encode("tokens", &[&key]));
    Ok(Json(Listing { items: page.items, next }))
}

/// Make a token
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    operation_id = "createToken",
    tag = "tokens",
    request_body = TokenInput,
    responses((status = 201, description = "Made; the secret is shown this once", body = NewTokenView)),
)]
async fn create(
    State(state): State<ApiState>,
    visit: Visit,
    Document(input): Document<TokenInput>,
) -> Result<Response, Failure> {
    let TokenInput { name, scopes, expires, user, ceiling } = input;
    let new = NewToken { name, user, actions: scopes, ceiling, expires };
    let (token, made) = state.access.create_token(visit.by(), new).await?;
    let view = NewTokenView { token, view: state.access.token_view(made.record) };
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// Revoke a token
///
/// Open streams of the token end within a second.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{id}",
    operation_id = "revokeToken",
    tag = "tokens",
    params(("id" = String, Path, description = "The token's id")),
    responses((status = 204, description = "Revoked")),
)]
async fn revoke(
    State(state): State<ApiState>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    state.access.revoke_token(visit.by(), visit.tenant(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
