//! Devices and their points as one table (CSV, RFC 4180), to be edited where people edit tables.
//!
//! One line a point. The cells of the device stand in each of its lines and are read from the first; a line
//! without a point's name is a device that has none. Columns that are left out change nothing.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as JsonValue, json};
use weir_connect::{Device, Devices, Secrets};
use weir_model::{FieldError, Identifier, ProblemCode};
use weir_store::Versioned;
use weir_twin::TwinError;

use super::change::{self, DeviceInput, DevicePatch, PointInput};
use crate::body::{self, Query};
use crate::door::Visit;
use crate::failure::{FIELD_ERRORS_MAX, Failure};
use crate::routes::tags::as_json;
use crate::state::ApiState;

/// Most lines of one table: a large plant's.
const LINES_MAX: usize = 100_000;

/// The columns that belong to the device, with the members of its document.
const OF_DEVICE: [(&str, &str, Cell); 6] = [
    ("device_name", "name", Cell::Text),
    ("protocol", "protocol", Cell::Text),
    ("settings", "settings", Cell::Json),
    ("device_asset", "asset", Cell::Text),
    ("enabled", "enabled", Cell::Json),
    ("device_grade", "grade", Cell::Text),
];

/// The columns that belong to the point.
const OF_POINT: [(&str, &str, Cell); 13] = [
    ("point", "id", Cell::Text),
    ("name", "name", Cell::Text),
    ("description", "description", Cell::Text),
    ("unit", "unit", Cell::Text),
    ("data_type", "data_type", Cell::Text),
    ("address", "address", Cell::Json),
    ("poll_ms", "poll_ms", Cell::Json),
    ("scaling", "scaling", Cell::Json),
    ("write", "write", Cell::Json),
    ("range", "range", Cell::Json),
    ("asset", "asset", Cell::Text),
    ("grade", "grade", Cell::Text),
    ("domain", "domain", Cell::Text),
];

/// How a member is written in a cell; an empty cell is none.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Text,
    Json,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// Only this device.
    #[param(value_type = Option<String>)]
    device: Option<Identifier>,
}

/// Export devices with their points as a table
///
/// Secrets are not in it; a cell of settings has `{"secret":"set"}` in the place of one.
#[utoipa::path(
    get,
    path = "/api/v1/devices/export",
    operation_id = "exportDevices",
    tag = "devices",
    params(ExportQuery),
    responses((status = 200, description = "One line a point", body = String, content_type = "text/csv")),
)]
pub(super) async fn export(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Failure> {
    let devices = match &query.device {
        Some(id) => vec![super::find(&state, &visit, id)?.record],
        None => super::visible_devices(&visit)?.into_iter().map(|(device, _)| device).collect(),
    };
    let mut table = csv::Writer::from_writer(Vec::new());
    let heads = OF_DEVICE.iter().chain(&OF_POINT).map(|(column, ..)| *column);
    let written = |error: csv::Error| Failure::internal("write a table", &error);
    table.write_record(std::iter::once("device").chain(heads)).map_err(written)?;
    for device in devices {
        let document = as_json(&DevicePatch::of(&device))?;
        let mut points = points_of(&visit, &device.id)?;
        if points.is_empty() {
            points.push(json!({}));
        }
        for point in points {
            let own = OF_DEVICE.iter().map(|(_, member, kind)| cell(&document[member], *kind));
            let of_point = OF_POINT.iter().map(|(_, member, kind)| cell(&point[member], *kind));
            let line = std::iter::once(device.id.to_string()).chain(own).chain(of_point);
            table.write_record(line).map_err(written)?;
        }
    }
    let bytes = table.into_inner().map_err(|error| Failure::internal("write a table", &error))?;
    let name = super::super::header("attachment; filename=\"devices.csv\"".to_owned());
    let kind = super::super::header("text/csv; charset=utf-8".to_owned());
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], bytes).into_response())
}

fn cell(value: &JsonValue, kind: Cell) -> String {
    match value {
        JsonValue::Null => String::new(),
        JsonValue::Array(items) if items.is_empty() => String::new(),
        JsonValue::String(text) if kind == Cell::Text => text.clone(),
        other => other.to_string(),
    }
}

/// The points of a device that the caller sees, as they are sent.
fn points_of(visit: &Visit, device: &Identifier) -> Result<Vec<JsonValue>, Failure> {
    let tags = visit.state().store.read(|snap| super::points(snap, visit, &device.folded()))?;
    let mut points = Vec::new();
    for tag in tags {
        let asset = tag.record.asset.as_ref().map(Identifier::folded);
        let grade = visit.directory(|view| view.grade(tag.record.grade, asset.as_deref()))?;
        if visit.sees(grade) {
            points.push(as_json(&PointInput::of(tag.record)?)?);
        }
    }
    Ok(points)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// What an import did, or would do.
#[derive(Default, Serialize, utoipa::ToSchema)]
pub(super) struct TableReport {
    /// Devices that were not there.
    devices_created: usize,
    /// Devices that were there and are in the table.
    devices_changed: usize,
    /// Points that were not there.
    points_created: usize,
    /// Points that were there and are in the table.
    points_changed: usize,
    /// What is wrong; then nothing is stored.
    errors: Vec<LineError>,
}

/// What is wrong with a line.
#[derive(Serialize, utoipa::ToSchema)]
struct LineError {
    /// The line, counted from 1; the header is line 1.
    line: u64,
    /// The column, or the place in its JSON.
    field: String,
    /// What is wrong, for people.
    detail: String,
}

/// One device of a table, checked.
enum Planned {
    Create(Box<DeviceInput>, Secrets),
    Change(Box<Versioned<Device>>, Box<DevicePatch>, Secrets),
}

/// Import devices with their points from a table
///
/// The columns are those of the export. A device whose identifier is known is changed: points of the table are changed or
/// added, others stay. Everything is checked before anything is stored; each device is then one change.
#[utoipa::path(
    post,
    path = "/api/v1/devices/import",
    operation_id = "importDevices",
    tag = "devices",
    params(ImportQuery),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, description = "What was done; nothing, where there are errors", body = TableReport)),
)]
pub(super) async fn import(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Json<TableReport>, Failure> {
    let (parts, packed) = request.into_parts();
    if body::media_type(&parts.headers) != "text/csv" {
        let detail = "Send the header \"Content-Type: text/csv\".";
        return Err(Failure::new(ProblemCode::UnsupportedMediaType, detail));
    }
    let bytes = body::read(packed, state.limits.body_packed_bytes_max).await?;
    let lines = read(&bytes)?;
    let mut report = TableReport::default();
    let mut planned = Vec::new();
    for group in lines.chunk_by(|a, b| a.device() == b.device()) {
        match plan(&state, &visit, group, &mut report) {
            Ok(device) => planned.push((group[0].number, device)),
            Err(failure) => report.tell(group, &failure),
        }
    }
    if query.dry_run || !report.errors.is_empty() {
        return Ok(Json(report));
    }
    let prefix = visit.organisation()?.prefix;
    for (line, device) in planned {
        let told = |failure: Failure| failure.below(&format!("/lines/{line}"));
        match device {
            Planned::Create(input, secrets) => {
                let create = |snap: &weir_store::Snapshot<'_>, commit| {
                    change::create(&visit, snap, commit, &prefix, &input, &secrets)
                };
                visit.change("device.create", create).await.map_err(told)?;
            }
            Planned::Change(current, patch, secrets) => {
                let update = |snap: &weir_store::Snapshot<'_>, commit| {
                    let now = snap.get::<Devices>(visit.tenant(), &current.key)?;
                    let now =
                        now.filter(|now| now.version == current.version).ok_or_else(|| {
                            let (expected, id) = (current.version, current.record.id.clone());
                            Failure::from(TwinError::Version {
                                id,
                                expected,
                                current: expected + 1,
                            })
                        })?;
                    change::update(&visit, snap, commit, &prefix, &patch, &secrets, &now)
                };
                visit.change("device.update", update).await.map_err(told)?;
            }
        }
    }
    Ok(Json(report))
}

impl TableReport {
    fn tell(&mut self, group: &[Line], failure: &Failure) {
        let whole = [FieldError { field: String::new(), detail: failure.problem.detail.clone() }];
        let errors = match &failure.problem.errors[..] {
            [] => &whole[..],
            errors => errors,
        };
        for error in errors {
            if self.errors.len() >= FIELD_ERRORS_MAX {
                return;
            }
            // A point's error belongs to its line, the device's to the first.
            let place = error.field.strip_prefix("/points/").and_then(|rest| {
                let (number, field) = rest.split_once('/').unwrap_or((rest, ""));
                Some((group.get(number.parse::<usize>().ok()?)?.number, field))
            });
            let (line, field) = place.unwrap_or((group[0].number, &error.field));
            let field = field.trim_start_matches('/').to_owned();
            self.errors.push(LineError { line, field, detail: error.detail.clone() });
        }
    }
}

/// One line of a table.
struct Line {
    number: u64,
    cells: BTreeMap<String, String>,
}

impl Line {
    fn cell(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    /// What the lines of one device have in common.
    fn device(&self) -> (&str, &str) {
        let name = if self.cell("device").is_empty() { self.cell("device_name") } else { "" };
        (self.cell("device"), name)
    }

    /// Puts the cells of some columns into an object; columns that are not there change nothing.
    fn fill(
        &self,
        columns: &[(&str, &str, Cell)],
        object: &mut JsonValue,
    ) -> Result<(), FieldError> {
        for (column, member, kind) in columns {
            let Some(text) = self.cells.get(*column) else { continue };
            let value = match kind {
                _ if text.is_empty() => None,
                Cell::Text => Some(JsonValue::from(text.as_str())),
                Cell::Json => Some(serde_json::from_str(text).map_err(|error| FieldError {
                    field: format!("/{column}"),
                    detail: format!("JSON is expected here: {error}"),
                })?),
            };
            match (value, object.as_object_mut()) {
                (Some(value), Some(object)) => drop(object.insert((*member).to_owned(), value)),
                (None, Some(object)) => drop(object.remove(*member)),
                _ => {}
            }
        }
        Ok(())
    }
}

fn read(bytes: &[u8]) -> Result<Vec<Line>, Failure> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let wrong = |error: csv::Error| {
        Failure::new(ProblemCode::InvalidRequest, format!("The table cannot be read: {error}."))
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let heads = reader.headers().map_err(wrong)?.clone();
    for head in &heads {
        let known = head == "device"
            || OF_DEVICE.iter().chain(&OF_POINT).any(|(column, ..)| *column == head);
        if !known {
            let columns: Vec<_> =
                OF_DEVICE.iter().chain(&OF_POINT).map(|(column, ..)| *column).collect();
            let detail =
                format!("there is no column {head:?}; known are device, {}", columns.join(", "));
            return Err(Failure::field(ProblemCode::InvalidValue, "/lines/1", detail));
        }
    }
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        if lines.len() >= LINES_MAX {
            let detail = format!("A table has at most {LINES_MAX} lines; import it in parts.");
            return Err(Failure::new(ProblemCode::TooLarge, detail));
        }
        let number = record.position().map_or(0, csv::Position::line);
        let cells =
            heads.iter().zip(&record).map(|(head, cell)| (head.to_owned(), cell.to_owned()));
        lines.push(Line { number, cells: cells.collect() });
    }
    Ok(lines)
}

/// What the lines of one device ask for, checked.
fn plan(
    state: &ApiState,
    visit: &Visit,
    group: &[Line],
    report: &mut TableReport,
) -> Result<Planned, Failure> {
    let first = &group[0];
    let known = match first.cell("device") {
        "" => None,
        text => {
            let id: Identifier = text.parse().map_err(|error: weir_model::IdentifierError| {
                Failure::field(ProblemCode::InvalidValue, "/device", error.to_string())
            })?;
            if super::is_seen(visit, &id)? { Some(super::find(state, visit, &id)?) } else { None }
        }
    };
    let mut points = match &known {
        Some(device) => points_of(visit, &device.record.id)?,
        None => Vec::new(),
    };
    // The points that are there keep their places behind those of the table, whose errors then have the
    // numbers of their lines.
    let mut listed = Vec::with_capacity(group.len());
    for (number, line) in group.iter().enumerate() {
        if line.cell("point").is_empty() && line.cell("name").is_empty() {
            continue;
        }
        let id = line.cell("point");
        let there = points.iter().position(|point| !id.is_empty() && point["id"] == id);
        let mut point = match there {
            Some(at) => points.swap_remove(at),
            None => JsonValue::Object(Map::new()),
        };
        let counter =
            if there.is_some() { &mut report.points_changed } else { &mut report.points_created };
        *counter += 1;
        let wrong = |error: FieldError| {
            let field = format!("/points/{number}{}", error.field);
            Failure::field(ProblemCode::InvalidValue, field, error.detail)
        };
        line.fill(&OF_POINT, &mut point).map_err(wrong)?;
        let point: PointInput = serde_json::from_value(point).map_err(|error| {
            wrong(FieldError { field: String::new(), detail: error.to_string() })
        })?;
        listed.push(point);
    }
    let wrong =
        |error: FieldError| Failure::field(ProblemCode::InvalidValue, error.field, error.detail);
    let unreadable = |error: serde_json::Error| {
        Failure::field(ProblemCode::InvalidValue, "/device", error.to_string())
    };
    let Some(current) = known else {
        report.devices_created += 1;
        let mut document = json!({});
        first.fill(&OF_DEVICE, &mut document).map_err(wrong)?;
        if !first.cell("device").is_empty() {
            document["id"] = first.cell("device").into();
        }
        document["points"] = as_json(&listed)?;
        let mut input: DeviceInput = serde_json::from_value(document).map_err(unreadable)?;
        let secrets = change::take_secrets(visit, &input.protocol, &mut input.settings, None)?;
        change::check_input(visit, &input, &secrets)?;
        change::check_ceiling(visit, input.grade, input.asset.as_ref(), &input.points)?;
        return Ok(Planned::Create(Box::new(input), secrets));
    };
    report.devices_changed += 1;
    let mut document = as_json(&DevicePatch::of(&current.record))?;
    first.fill(&OF_DEVICE, &mut document).map_err(wrong)?;
    let mut patch: DevicePatch = serde_json::from_value(document).map_err(unreadable)?;
    for point in points {
        listed.push(serde_json::from_value(point).map_err(unreadable)?);
    }
    patch.points = Some(listed);
    let device = &current.record;
    let secrets =
        change::take_secrets(visit, &device.protocol, &mut patch.settings, Some(&device.id))?;
    change::check_patch(visit, &patch, device, &secrets)?;
    let points = patch.points.as_deref().unwrap_or_default();
    change::check_ceiling(visit, patch.grade, patch.asset.as_ref(), points)?;
    Ok(Planned::Change(Box::new(current), Box::new(patch), secrets))
}
