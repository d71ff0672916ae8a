//! Users of an organisation.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::{Action, NewUser, User, UserChange};
use weir_model::{Grade, Identifier, Prefix, ProblemCode, TenantId};
use weir_resolver::{Identifiers, Kind, Record};
use weir_store::{Expect, Versioned};
use weir_twin::Organisations;

use super::{Listing, Paging};
use crate::body::{Document, Patch, Query};
use crate::cursor;
use crate::door::{Id, Route, Visit, needs};
use crate::etag;
use crate::failure::Failure;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::UserRead, routes!(list)),
        needs(Action::UserWrite, routes!(create)),
        needs(Action::UserRead, routes!(get)),
        needs(Action::UserWrite, routes!(update)),
        needs(Action::UserWrite, routes!(delete)),
    ]
}

/// A user.
#[derive(Serialize, utoipa::ToSchema)]
struct UserView {
    /// The identifier.
    #[schema(value_type = String, example = "88.100/user.ada")]
    id: Identifier,
    /// The name, which no other user of the organisation has.
    name: String,
    /// What the user types to sign in: the name in the node's first organisation, `name@prefix`
    /// in another.
    #[schema(example = "ada")]
    sign_in: String,
    /// The name for people, where it is another.
    full_name: Option<String>,
    /// The roles.
    roles: Vec<String>,
    /// The highest grade the user sees.
    ceiling: Grade,
    /// Whether the user is kept out.
    disabled: bool,
    /// The version, which is also the ETag.
    version: u64,
}

impl UserView {
    fn of(tenant: TenantId, found: Versioned<User>) -> Self {
        let sign_in = found.record.sign_in_name(tenant);
        let User { id, name, full_name, roles, ceiling, disabled, .. } = found.record;
        Self { id, name, sign_in, full_name, roles, ceiling, disabled, version: found.version }
    }
}

/// A new user.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "ada", "password": "correct horse battery staple", "roles": ["operator"], "ceiling": "general"}))]
struct UserInput {
    /// The name, without an `@`, which no other user of the organisation has.
    name: String,
    /// The name for people, where it is another.
    #[serde(default)]
    full_name: Option<String>,
    /// The password; without one the user works through tokens only.
    #[serde(default)]
    password: Option<String>,
    /// The roles.
    roles: Vec<String>,
    /// The highest grade the user sees.
    ceiling: Grade,
    /// The prefix of another organisation, for those who administer the node.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    organisation: Option<Prefix>,
}

/// What can be changed of a user.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct UserEdit {
    /// The name for people, where it is another than the name to sign in with.
    #[serde(default)]
    full_name: Option<String>,
    /// The roles.
    roles: Vec<String>,
    /// The highest grade the user sees.
    ceiling: Grade,
    /// Whether the user is kept out.
    #[serde(default)]
    disabled: bool,
    /// A new password. Sessions of the user end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// List users
#[utoipa::path(
    get,
    path = "/api/v1/users",
    operation_id = "listUsers",
    tag = "users",
    params(Paging),
    responses((status = 200, description = "Users by identifier", body = Listing<UserView>)),
)]
async fn list(
    State(state): State<ApiState>,
    visit: Visit,
    Query(paging): Query<Paging>,
) -> Result<Json<Listing<UserView>>, Failure> {
    let limit = super::limit(paging.limit)?;
    let after = match &paging.cursor {
        Some(cursor) => Some(cursor::decode::<1>("users", cursor)?[0].clone()),
        None => None,
    };
    let page = state.access.users(visit.tenant(), after.as_deref(), limit)?;
    let next = page.next.map(|key| cursor::encode("users", &[&key]));
    let items = page.items.into_iter().map(|user| UserView::of(visit.tenant(), user));
    Ok(Json(Listing { items: items.collect(), next }))
}

/// Create a user
#[utoipa::path(
    post,
    path = "/api/v1/users",
    operation_id = "createUser",
    tag = "users",
    request_body = UserInput,
    responses((status = 201, description = "Created", body = UserView)),
)]
async fn create(
    State(state): State<ApiState>,
    visit: Visit,
    Document(input): Document<UserInput>,
) -> Result<Response, Failure> {
    let (tenant, prefix) = organisation(&state, &visit, input.organisation)?;
    let new = NewUser {
        tenant,
        prefix,
        name: input.name,
        full_name: input.full_name,
        roles: input.roles,
        ceiling: input.ceiling,
        password: input.password,
    };
    let made = state
        .access
        .create_user(visit.by(), new, |user, commit| {
            let record = Record::new(user.id.clone(), Kind::User, &user.name, commit.time());
            // A user of that name may have been before; the record is then its successor's.
            commit.put_in::<Identifiers>(tenant, user.id.folded(), &record, Expect::Any);
        })
        .await?;
    let location = super::header(format!("/api/v1/users/{}", super::segment(&made.record.id)));
    let tag = etag::of(made.version);
    let view = Json(UserView::of(tenant, made));
    Ok((StatusCode::CREATED, [tag, (header::LOCATION, location)], view).into_response())
}

/// The organisation that a new user belongs to: one's own, or another for those who administer the
/// node. Others cannot even learn which there are.
fn organisation(
    state: &ApiState,
    visit: &Visit,
    asked: Option<Prefix>,
) -> Result<(TenantId, Prefix), Failure> {
    let own = visit.organisation().map(|own| (own.tenant, own.prefix));
    let Some(prefix) = asked else { return own };
    if let Ok((tenant, own)) = own
        && own == prefix
    {
        return Ok((tenant, own));
    }
    visit.allow_at_node(Action::OrganisationWrite)?;
    let tenant = Organisations::tenant_of(&state.store, &prefix)?.ok_or_else(|| {
        let detail = format!("there is no organisation {prefix}");
        Failure::field(ProblemCode::InvalidValue, "/organisation", detail)
    })?;
    Ok((tenant, prefix))
}

/// Get a user
#[utoipa::path(
    get,
    path = "/api/v1/users/{id}",
    operation_id = "getUser",
    tag = "users",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    responses((status = 200, description = "The user", body = UserView)),
)]
async fn get(State(state): State<ApiState>, visit: Visit, Id(id): Id) -> Result<Response, Failure> {
    let found = find(&state, &visit, &id)?;
    Ok(([etag::of(found.version)], Json(UserView::of(visit.tenant(), found))).into_response())
}

/// Change a user
#[utoipa::path(
    patch,
    path = "/api/v1/users/{id}",
    operation_id = "updateUser",
    tag = "users",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    request_body(content = UserEdit, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The user as it is now", body = UserView)),
)]
async fn update(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    headers: HeaderMap,
    patch: Patch,
) -> Result<Response, Failure> {
    let found = find(&state, &visit, &id)?;
    let version = etag::expected(&headers)?.unwrap_or(found.version);
    if version != found.version {
        let detail = format!("{id} has version {}, not {version}; read it again.", found.version);
        return Err(Failure::new(ProblemCode::VersionConflict, detail));
    }
    let user = &found.record;
    let edit: UserEdit = patch.apply(&UserEdit {
        full_name: user.full_name.clone(),
        roles: user.roles.clone(),
        ceiling: user.ceiling,
        disabled: user.disabled,
        password: None,
    })?;
    let change = UserChange {
        roles: (edit.roles != user.roles).then_some(edit.roles),
        ceiling: (edit.ceiling != user.ceiling).then_some(edit.ceiling),
        disabled: (edit.disabled != user.disabled).then_some(edit.disabled),
        full_name: (edit.full_name != user.full_name).then(|| edit.full_name.unwrap_or_default()),
    };
    let changes = change.roles.is_some()
        || change.ceiling.is_some()
        || change.disabled.is_some()
        || change.full_name.is_some();
    if changes {
        let expect = Expect::Version(version);
        state.access.update_user(visit.by(), visit.tenant(), &user.id, change, expect).await?;
    }
    if let Some(password) = &edit.password {
        state.access.set_password(visit.by(), visit.tenant(), &user.id, password).await?;
    }
    let found = find(&state, &visit, &id)?;
    Ok(([etag::of(found.version)], Json(UserView::of(visit.tenant(), found))).into_response())
}

/// Delete a user
#[utoipa::path(
    delete,
    path = "/api/v1/users/{id}",
    operation_id = "deleteUser",
    tag = "users",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment")),
    responses((status = 204, description = "Deleted, with its sessions and tokens")),
)]
async fn delete(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let found = find(&state, &visit, &id)?;
    let expect = etag::expected(&headers)?.map_or(Expect::Any, Expect::Version);
    state.access.delete_user(visit.by(), visit.tenant(), &found.record.id, expect).await?;
    let mut commit = visit.commit("user.delete");
    state.store.read(|snap| {
        weir_resolver::withdraw(snap, &mut commit, visit.tenant(), &found.record.id)
    })?;
    if !commit.is_empty() {
        state.store.commit(commit).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

fn find(state: &ApiState, visit: &Visit, id: &Identifier) -> Result<Versioned<User>, Failure> {
    let found = state.access.user(visit.tenant(), id)?;
    found.ok_or_else(|| Failure::not_found(format!("user {id}")))
}
