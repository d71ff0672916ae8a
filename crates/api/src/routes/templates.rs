//! Templates: types of devices, of which devices are made.
//!
//! A template is named rather than numbered: its name is its key, and putting it under a name that is there
//! changes the one that is there.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use utoipa_axum::routes;
use weir_access::Action;
use weir_connect::{
    DEVICE_SETTINGS_BYTES_MAX, Device, DeviceSpec, Point, TEMPLATE_POINTS_MAX, Template,
    TemplatePoint, Templates,
};
use weir_model::{FieldError, Grade, ProblemCode, TagId, Timestamp};
use weir_store::{Expect, Versioned};
use weir_twin::check_name;

use super::Listing;
use super::assets::within_ceiling;
use super::devices::{PointInput, Told, point_faults};
use crate::body::{Document, Query};
use crate::cursor;
use crate::door::{Route, Visit, needs};
use crate::etag;
use crate::failure::Failure;
use crate::state::ApiState;

/// Templates read in one step.
const PAGE: usize = 100;

/// Longest description of a template in bytes.
const DESCRIPTION_BYTES_MAX: usize = 2000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::DeviceRead, routes!(list)),
        needs(Action::DeviceRead, routes!(get)),
        needs(Action::DeviceWrite, routes!(put)),
        needs(Action::DeviceWrite, routes!(delete)),
    ]
}

/// Which templates are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TemplateQuery {
    /// Only those whose name or description contains each of these words.
    q: Option<String>,
    /// Only those of this protocol.
    protocol: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// From `next` of the page before.
    cursor: Option<String>,
}

/// A template without its points.
#[derive(Serialize, utoipa::ToSchema)]
struct TemplateSummary {
    /// Its name.
    name: String,
    /// What it is for, for people.
    description: String,
    /// Which driver its devices need.
    protocol: String,
    /// The grade of its devices.
    grade: Option<Grade>,
    /// How many points each of its devices has.
    points: usize,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated: Timestamp,
    /// The version, which is also the ETag.
    version: u64,
}

/// A template.
#[derive(Serialize, utoipa::ToSchema)]
struct TemplateView {
    #[serde(flatten)]
    template: Template,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated: Timestamp,
    /// The version, which is also the ETag.
    version: u64,
}

/// A template as it is put under its name.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "description": "Feed pump with frequency converter", "protocol": "modbus",
    "settings": {"unit": 1, "word_order": "CDAB"},
    "points": [{"name": "Speed", "unit": "{rpm}", "data_type": "f64",
                "address": {"table": "input", "address": 0, "type": "f32"}}]
}))]
struct TemplateInput {
    /// What it is for, for people.
    #[serde(default)]
    description: String,
    /// Which driver its devices need, as `/api/v1/protocols` lists them.
    protocol: String,
    /// The driver's settings that are common to its devices: no secrets and no reviewed certificates, which are
    /// one device's own.
    settings: JsonValue,
    /// The grade of its devices, and the template's own.
    #[serde(default)]
    grade: Option<Grade>,
    /// What is read and written.
    #[serde(default)]
    points: Vec<TemplatePoint>,
    /// As answers tell it: the name of the path.
    #[serde(default, skip_serializing)]
    #[schema(read_only)]
    name: Option<String>,
    /// As answers tell it; read over.
    #[serde(default, skip_serializing, rename = "updated")]
    #[schema(value_type = Option<Object>, read_only)]
    _updated: Told,
    /// As answers tell it; read over.
    #[serde(default, skip_serializing, rename = "version")]
    #[schema(value_type = Option<Object>, read_only)]
    _version: Told,
}

impl From<Versioned<Template>> for TemplateSummary {
    fn from(found: Versioned<Template>) -> Self {
        let Template { name, description, protocol, grade, points, .. } = found.record;
        let (points, updated, version) = (points.len(), found.time, found.version);
        Self { name, description, protocol, grade, points, updated, version }
    }
}

/// List templates of devices
#[utoipa::path(
    get,
    path = "/api/v1/templates",
    operation_id = "listTemplates",
    tag = "devices",
    params(TemplateQuery),
    responses((status = 200, description = "Templates by name, without their points", body = Listing<TemplateSummary>)),
)]
async fn list(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<TemplateQuery>,
) -> Result<Json<Listing<TemplateSummary>>, Failure> {
    let limit = super::limit(query.limit)?;
    let words = super::words(query.q.as_deref())?;
    let wants = |template: &Template| {
        let text = format!("{}\n{}", template.name, template.description).to_lowercase();
        query.protocol.as_ref().is_none_or(|protocol| *protocol == template.protocol)
            && words.split_whitespace().all(|word| text.contains(word))
    };
    let mut after = match &query.cursor {
        Some(cursor) => Some(cursor::decode::<1>("templates", cursor)?[0].clone()),
        None => None,
    };
    let mut found = Vec::new();
    loop {
        let page = state.store.list::<Templates>(visit.tenant(), "", after.as_deref(), PAGE)?;
        for template in page.items {
            if found.len() <= limit
                && wants(&template.record)
                && is_visible(&visit, &template.record)?
            {
                found.push(template);
            }
        }
        after = page.next;
        if after.is_none() || found.len() > limit {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| cursor::encode("templates", &[&last.key]));
    Ok(Json(Listing { items: found.into_iter().map(TemplateSummary::from).collect(), next }))
}

/// Get a template
#[utoipa::path(
    get,
    path = "/api/v1/templates/{name}",
    operation_id = "getTemplate",
    tag = "devices",
    params(("name" = String, Path, description = "The template's name, percent-encoded as one segment")),
    responses((status = 200, description = "The template", body = TemplateView)),
)]
async fn get(
    State(state): State<ApiState>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    answer(find(&state, &visit, &name)?)
}

/// Put a template
///
/// What `GET` answers of a template may be sent as it is. Devices that were made of it do not change.
#[utoipa::path(
    put,
    path = "/api/v1/templates/{name}",
    operation_id = "putTemplate",
    tag = "devices",
    params(("name" = String, Path, description = "The template's name, percent-encoded as one segment")),
    request_body = TemplateInput,
    responses((status = 200, description = "The template as it is now", body = TemplateView)),
)]
async fn put(
    State(state): State<ApiState>,
    visit: Visit,
    Path(name): Path<String>,
    headers: HeaderMap,
    Document(input): Document<TemplateInput>,
) -> Result<Response, Failure> {
    // Whoever belongs to no organisation has nowhere to keep it.
    visit.organisation()?;
    if input.name.is_some_and(|other| Templates::key(&other) != Templates::key(&name)) {
        let detail = "the path names the template; leave the name out, or put it under the path of this name";
        return Err(Failure::field(ProblemCode::InvalidValue, "/name", detail));
    }
    let TemplateInput { description, protocol, settings, grade, points, .. } = input;
    let template = Template { name, description, protocol, settings, grade, points };
    check(&visit, &template)?;
    let key = Templates::key(&template.name);
    let expect = etag::expected(&headers)?.map_or(Expect::Any, Expect::Version);
    visit
        .change("template.put", |snap, mut commit| {
            if let Some(found) = snap.get::<Templates>(visit.tenant(), &key)?
                && !is_visible(&visit, &found.record)?
            {
                let detail = "The name is taken; choose another one.";
                let taken = Failure::new(ProblemCode::Conflict, detail);
                return Err(Failure { hidden: true, ..taken });
            }
            commit.put::<Templates>(&key, &template, expect);
            Ok((commit, ()))
        })
        .await?;
    answer(find(&state, &visit, &template.name)?)
}

/// Delete a template
///
/// Devices that were made of it stay.
#[utoipa::path(
    delete,
    path = "/api/v1/templates/{name}",
    operation_id = "deleteTemplate",
    tag = "devices",
    params(("name" = String, Path, description = "The template's name, percent-encoded as one segment")),
    responses((status = 204, description = "Deleted")),
)]
async fn delete(
    State(state): State<ApiState>,
    visit: Visit,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let found = find(&state, &visit, &name)?;
    let expect = Expect::Version(etag::expected(&headers)?.unwrap_or(found.version));
    visit
        .change("template.delete", |_, mut commit| {
            commit.delete::<Templates>(&found.key, expect);
            Ok((commit, ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn find(state: &ApiState, visit: &Visit, name: &str) -> Result<Versioned<Template>, Failure> {
    let missing = format!("template {name}");
    match state.store.get::<Templates>(visit.tenant(), &Templates::key(name))? {
        Some(found) if is_visible(visit, &found.record)? => Ok(found),
        Some(_) => Err(Failure::hidden(missing)),
        None => Err(Failure::not_found(missing)),
    }
}

fn answer(found: Versioned<Template>) -> Result<Response, Failure> {
    let view = TemplateView { template: found.record, updated: found.time, version: found.version };
    Ok(([etag::of(found.version)], Json(view)).into_response())
}

/// Whether the caller may see a template with all its points. One that is changed must be seen whole, or the
/// change would lose what is hidden.
fn is_visible(visit: &Visit, template: &Template) -> Result<bool, Failure> {
    let own = template.points.iter().map(|point| point.grade.or(template.grade));
    visit.directory(|view| {
        let mut grades = own.chain([template.grade]);
        grades.all(|grade| visit.sees(view.grade(grade, None)))
    })
}

/// Checks names, bounds, what is one device's own, and the points by the rules of the driver. Settings are
/// checked when a device is made of them: before, its place is missing.
fn check(visit: &Visit, template: &Template) -> Result<(), Failure> {
    let mut errors = Vec::new();
    let mut wrong = |field: String, detail: &str| {
        errors.push(FieldError { field, detail: detail.to_owned() });
    };
    if let Err(detail) = check_name(&template.name) {
        wrong("/name".to_owned(), detail);
    }
    // Its name is a segment of a path, and these two are taken for steps along it.
    if matches!(template.name.as_str(), "." | "..") {
        wrong("/name".to_owned(), "a template is not called \".\" or \"..\"");
    }
    if template.description.len() > DESCRIPTION_BYTES_MAX {
        wrong("/description".to_owned(), "a description has at most 2000 bytes");
    }
    if !template.settings.is_object() {
        wrong("/settings".to_owned(), "settings are an object");
    } else if template.settings.to_string().len() > DEVICE_SETTINGS_BYTES_MAX {
        wrong("/settings".to_owned(), "settings have at most 65536 bytes");
    }
    if template.points.len() > TEMPLATE_POINTS_MAX {
        wrong("/points".to_owned(), "a template has at most 2000 points");
        return Err(Failure::fields(errors));
    }
    errors.extend(own_settings(visit, template));
    let told = errors.len();
    errors.extend(driver_errors(visit, template)?);
    let known: Vec<String> = errors[told..].iter().map(|error| error.field.clone()).collect();
    errors.extend(tag_errors(visit, template)?.into_iter().filter(|e| !known.contains(&e.field)));
    if !errors.is_empty() {
        return Err(Failure::fields(errors));
    }
    within_ceiling(visit, template.grade, None)?;
    let grades = template.points.iter().filter_map(|point| point.grade);
    grades.into_iter().try_for_each(|grade| within_ceiling(visit, Some(grade), None))
}

/// Settings that are one device's own and have no place in a template.
fn own_settings(visit: &Visit, template: &Template) -> Vec<FieldError> {
    let Some(driver) = visit.state().supervisor.driver(&template.protocol) else {
        return Vec::new();
    };
    let description = driver.describe();
    let fields = description["settings"]["properties"].as_object();
    let is_set = |name: &str| match &template.settings[name] {
        JsonValue::Null => false,
        JsonValue::Array(list) => !list.is_empty(),
        _ => true,
    };
    let own = fields.into_iter().flatten().filter(|(name, field)| {
        let marked = |mark: &str| field[mark].as_bool() == Some(true);
        (marked("x-secret") || marked("x-trust")) && is_set(name)
    });
    own.map(|(name, _)| FieldError {
        field: format!("/settings/{name}"),
        detail: "this is one device's own; leave it out of a template".to_owned(),
    })
    .collect()
}

/// What the tags that its points become would be refused for.
fn tag_errors(visit: &Visit, template: &Template) -> Result<Vec<FieldError>, Failure> {
    let prefix = visit.organisation()?.prefix;
    let id = prefix.child("device").map_err(|error| Failure::internal("name a device", &error))?;
    let device = Device {
        id,
        name: template.name.clone(),
        names: Default::default(),
        protocol: template.protocol.clone(),
        asset: None,
        settings: JsonValue::Null,
        enabled: true,
        grade: template.grade,
    };
    let points: Vec<_> = template.points.iter().map(PointInput::of_template).collect();
    point_faults(&prefix, &device, &points)
}

/// What the driver says of protocol and points.
fn driver_errors(visit: &Visit, template: &Template) -> Result<Vec<FieldError>, Failure> {
    let prefix = visit.organisation()?.prefix;
    let named = |suffix: String| {
        prefix.child(&suffix).map_err(|error| Failure::internal("name a point", &error))
    };
    let point = |(number, point): (usize, &TemplatePoint)| {
        Ok(Point {
            tag: TagId(u32::try_from(number).unwrap_or(u32::MAX)),
            id: named(format!("point-{}", number + 1))?,
            name: point.name.clone(),
            address: point.address.clone(),
            data_type: point.data_type,
            scaling: point.scaling.clone(),
            write: point.write.clone(),
            poll_ms: point.poll_ms,
        })
    };
    let points = template.points.iter().enumerate().map(point);
    let spec = DeviceSpec {
        tenant: visit.tenant(),
        device: named("device".to_owned())?,
        name: template.name.clone(),
        protocol: template.protocol.clone(),
        settings: template.settings.clone(),
        points: points.collect::<Result<_, Failure>>()?,
        enabled: true,
        revision: 0,
    };
    let mut errors = visit.state().supervisor.check(&spec).err().unwrap_or_default();
    errors.retain(|error| error.field.starts_with("/points") || error.field == "/protocol");
    Ok(errors)
}
