//! Organisations: one's own, and for those who administer the node all of them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::{Action, SIGN_IN_SEPARATOR};
use weir_model::{Grade, Identifier, Prefix, ProblemCode, TenantId};
use weir_resolver::{Kind, Minter};
use weir_store::Versioned;
use weir_twin::{Draft, Organisation, Organisations};

use super::{Listing, PAGE_ITEMS_MAX, Paging};
use crate::body::{Document, Patch, Query};
use crate::cursor;
use crate::door::{Route, Visit, needs, needs_of_node};
use crate::etag;
use crate::failure::Failure;
use crate::state::ApiState;

/// What an organisation's own identifier ends in.
const SUFFIX: &str = "organisation";

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::OrganisationRead, routes!(list)),
        needs_of_node(Action::OrganisationWrite, routes!(create)),
        needs(Action::OrganisationRead, routes!(get)),
        needs(Action::OrganisationWrite, routes!(update)),
    ]
}

/// An organisation.
#[derive(Serialize, utoipa::ToSchema)]
struct OrganisationView {
    /// Its identifier.
    #[schema(value_type = String, example = "88.100/organisation")]
    id: Identifier,
    /// Its prefix.
    #[schema(value_type = String, example = "88.100")]
    prefix: Prefix,
    /// Its name.
    name: String,
    /// Its name in other languages.
    names: BTreeMap<String, String>,
    /// The grade of what carries none of its own; null means core.
    grade: Option<Grade>,
    /// The version, which is also the ETag.
    version: u64,
}

impl From<Versioned<Organisation>> for OrganisationView {
    fn from(found: Versioned<Organisation>) -> Self {
        let Organisation { id, prefix, name, names, grade, .. } = found.record;
        Self { id, prefix, name, names, grade, version: found.version }
    }
}

/// A new organisation.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"prefix": "88.200", "name": "Second plant", "names": {"zh-CN": "第二工厂"}}))]
struct NewOrganisation {
    /// The prefix that its identifiers stand under, without an `@`.
    #[schema(value_type = String)]
    prefix: Prefix,
    /// Its name.
    name: String,
    /// Its name in other languages.
    #[serde(default)]
    names: BTreeMap<String, String>,
    /// The grade of what carries none of its own.
    #[serde(default)]
    grade: Option<Grade>,
}

/// What can be changed of an organisation.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct OrganisationInput {
    /// Its name.
    name: String,
    /// Its name in other languages.
    #[serde(default)]
    names: BTreeMap<String, String>,
    /// The grade of what carries none of its own.
    #[serde(default)]
    grade: Option<Grade>,
}

/// List organisations
///
/// One's own; all of them for those who may read organisations at the node.
#[utoipa::path(
    get,
    path = "/api/v1/organisations",
    operation_id = "listOrganisations",
    tag = "organisations",
    params(Paging),
    responses((status = 200, description = "Organisations", body = Listing<OrganisationView>)),
)]
async fn list(
    State(state): State<ApiState>,
    visit: Visit,
    Query(paging): Query<Paging>,
) -> Result<Json<Listing<OrganisationView>>, Failure> {
    let limit = super::limit(paging.limit)?.min(PAGE_ITEMS_MAX);
    let after = match &paging.cursor {
        Some(cursor) => Some(cursor::decode::<1>("organisations", cursor)?[0].clone()),
        None => None,
    };
    if visit.allow_at_node(Action::OrganisationRead).is_err() {
        let own = visit.organisation()?;
        let found = state.store.get::<Organisations>(TenantId::NODE, own.prefix.as_str())?;
        let items = found.into_iter().map(OrganisationView::from).collect();
        return Ok(Json(Listing { items, next: None }));
    }
    let page = state.store.list::<Organisations>(TenantId::NODE, "", after.as_deref(), limit)?;
    let next = page.next.map(|key| cursor::encode("organisations", &[&key]));
    Ok(Json(Listing { items: page.items.into_iter().map(OrganisationView::from).collect(), next }))
}

/// Found an organisation
#[utoipa::path(
    post,
    path = "/api/v1/organisations",
    operation_id = "createOrganisation",
    tag = "organisations",
    request_body = NewOrganisation,
    responses((status = 201, description = "Founded", body = OrganisationView)),
)]
async fn create(
    State(state): State<ApiState>,
    visit: Visit,
    Document(new): Document<NewOrganisation>,
) -> Result<Response, Failure> {
    let key = new.prefix.as_str().to_owned();
    if key.contains(SIGN_IN_SEPARATOR) {
        let detail = "it has no @, which stands between a user's name and the prefix at sign-in";
        return Err(Failure::field(ProblemCode::InvalidValue, "/prefix", detail));
    }
    if state.store.get::<Organisations>(TenantId::NODE, &key)?.is_some() {
        let detail = "an organisation of this node has the prefix";
        return Err(Failure::field(ProblemCode::Conflict, "/prefix", detail));
    }
    visit
        .change("organisation.create", |snap, commit| {
            let mut draft = Draft::new(snap, commit);
            let tenant = draft.next_tenant()?;
            let mut minter = Minter::new(snap, tenant, new.prefix.clone())?;
            let wanted = new.prefix.child(SUFFIX).map_err(weir_resolver::ResolverError::from)?;
            let id =
                minter.mint(draft.commit_mut(), Kind::Organisation, Some(&wanted), &new.name)?;
            draft.create_organisation(&Organisation {
                id,
                tenant,
                prefix: new.prefix.clone(),
                name: new.name.clone(),
                names: new.names.clone(),
                grade: new.grade,
            })?;
            Ok((draft.finish()?, ()))
        })
        .await?;
    state.registry.refresh()?;
    let found = state.store.get::<Organisations>(TenantId::NODE, &key)?;
    let found = found.ok_or_else(|| Failure::not_found(&key))?;
    let location = format!("/api/v1/organisations/{key}");
    let tag = etag::of(found.version);
    let view = Json(OrganisationView::from(found));
    Ok((StatusCode::CREATED, [tag, (header::LOCATION, super::header(location))], view)
        .into_response())
}

/// Get an organisation
#[utoipa::path(
    get,
    path = "/api/v1/organisations/{prefix}",
    operation_id = "getOrganisation",
    tag = "organisations",
    params(("prefix" = String, Path, description = "The organisation's prefix")),
    responses((status = 200, description = "The organisation", body = OrganisationView)),
)]
async fn get(
    State(state): State<ApiState>,
    visit: Visit,
    Path(prefix): Path<String>,
) -> Result<Response, Failure> {
    let found = find(&state, &visit, &prefix)?;
    Ok(([etag::of(found.version)], Json(OrganisationView::from(found))).into_response())
}

/// Change an organisation
#[utoipa::path(
    patch,
    path = "/api/v1/organisations/{prefix}",
    operation_id = "updateOrganisation",
    tag = "organisations",
    params(("prefix" = String, Path, description = "The organisation's prefix")),
    request_body(content = OrganisationInput, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The organisation as it is now", body = OrganisationView)),
)]
async fn update(
    State(state): State<ApiState>,
    visit: Visit,
    Path(prefix): Path<String>,
    headers: HeaderMap,
    patch: Patch,
) -> Result<Response, Failure> {
    let found = find(&state, &visit, &prefix)?;
    let expected = etag::expected(&headers)?;
    let prefix = found.record.prefix.as_str();
    visit
        .change("organisation.update", |snap, commit| {
            let current = snap.get::<Organisations>(TenantId::NODE, prefix)?;
            let current = current.ok_or_else(|| Failure::not_found(prefix))?.record;
            let input = OrganisationInput {
                name: current.name.clone(),
                names: current.names.clone(),
                grade: current.grade,
            };
            let OrganisationInput { name, names, grade } = patch.apply(&input)?;
            let changed = Organisation { name, names, grade, ..current.clone() };
            let mut draft = Draft::new(snap, commit);
            draft.update_organisation(&changed, expected)?;
            if changed.name != current.name {
                let commit = draft.commit_mut();
                weir_resolver::rename(snap, commit, changed.tenant, &changed.id, &changed.name)?;
            }
            Ok((draft.finish()?, ()))
        })
        .await?;
    let found = find(&state, &visit, prefix)?;
    Ok(([etag::of(found.version)], Json(OrganisationView::from(found))).into_response())
}

/// The organisation of a prefix, if it is the caller's own or the caller reads all of them.
fn find(state: &ApiState, visit: &Visit, prefix: &str) -> Result<Versioned<Organisation>, Failure> {
    let unknown = || Failure::not_found(format!("organisation {prefix}"));
    let prefix = Prefix::parse(prefix).map_err(|_| unknown())?;
    let own = visit.directory(|view| view.organisation().map(|own| own.prefix.clone()))?;
    let action = match visit.permission {
        crate::door::Permission::Needs(action, _) => action,
        crate::door::Permission::Public => Action::OrganisationRead,
    };
    if own.as_ref() != Some(&prefix) && visit.allow_at_node(action).is_err() {
        return Err(unknown());
    }
    state.store.get::<Organisations>(TenantId::NODE, prefix.as_str())?.ok_or_else(unknown)
}
