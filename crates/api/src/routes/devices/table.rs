//! Devices and their points as one table (CSV, RFC 4180), to be edited where people edit tables.
//!
//! One line a point. The cells of the device stand in each of its lines; a line without a point's name is a device that
//! has none. Columns that are left out change nothing. What was exported is imported as the same.

pub(super) mod import;
mod lines;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};
use weir_model::Identifier;
use weir_twin::Tag;

use super::input::{DevicePatch, PointInput};
use crate::blocking::blocking;
use crate::body::Query;
use crate::door::Visit;
use crate::failure::Failure;
use crate::routes::tags::{as_json, redacted};
use crate::state::ApiState;

/// A column, the member of a document that it has, and how it is written.
type Column = (&'static str, &'static str, Cell);

/// The column of the device's identifier.
const DEVICE: &str = "device";

/// The columns that belong to the device, with the members of its document.
const OF_DEVICE: [Column; 7] = [
    ("device_name", "name", Cell::Text),
    ("device_names", "names", Cell::Json),
    ("protocol", "protocol", Cell::Text),
    ("settings", "settings", Cell::Json),
    ("device_asset", "asset", Cell::Text),
    ("enabled", "enabled", Cell::Json),
    ("device_grade", "grade", Cell::Text),
];

/// The columns that belong to the point.
const OF_POINT: [Column; 16] = [
    ("point", "id", Cell::Text),
    ("name", "name", Cell::Text),
    ("names", "names", Cell::Json),
    ("description", "description", Cell::Text),
    ("unit", "unit", Cell::Text),
    ("data_type", "data_type", Cell::Text),
    ("address", "address", Cell::Json),
    ("poll_ms", "poll_ms", Cell::Json),
    ("scaling", "scaling", Cell::Json),
    ("write", "write", Cell::Json),
    ("range", "range", Cell::Json),
    ("labels", "labels", Cell::Json),
    ("interpolation", "interpolation", Cell::Text),
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

impl Cell {
    fn write(self, value: &JsonValue) -> String {
        match value {
            JsonValue::Null => String::new(),
            JsonValue::Array(items) if items.is_empty() => String::new(),
            JsonValue::String(text) if self == Self::Text => quoted(text),
            other => other.to_string(),
        }
    }
}

/// What table programs take for a formula at the start of a cell, and a mark that keeps them from it: names of plants
/// begin with `=`, `+` and `-` (IEC 81346-1), and a device names its values as it likes.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', MARK];
const MARK: char = '\'';

fn quoted(text: &str) -> String {
    if text.starts_with(FORMULA) { format!("{MARK}{text}") } else { text.to_owned() }
}

/// The text of a cell without the mark.
fn unquoted(text: &str) -> &str {
    match text.strip_prefix(MARK) {
        Some(marked) if marked.starts_with(FORMULA) => marked,
        _ => text,
    }
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
/// Secrets are not in it; a cell of settings has `{"secret":"set"}` in the place of one. A text that a table program would take
/// for a formula has `'` in front.
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
    let bytes = blocking("write a table", move || write(&state, &visit, &query)).await??;
    let name = super::super::header("attachment; filename=\"devices.csv\"".to_owned());
    let kind = super::super::header("text/csv; charset=utf-8".to_owned());
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], bytes).into_response())
}

fn write(state: &ApiState, visit: &Visit, query: &ExportQuery) -> Result<Vec<u8>, Failure> {
    let devices = match &query.device {
        Some(id) => vec![super::find(state, visit, id)?.record],
        None => super::visible_devices(visit)?.into_iter().map(|(device, _)| device).collect(),
    };
    let mut table = csv::Writer::from_writer(Vec::new());
    let heads = OF_DEVICE.iter().chain(&OF_POINT).map(|(column, ..)| *column);
    let written = |error: csv::Error| Failure::internal("write a table", &error);
    table.write_record(std::iter::once(DEVICE).chain(heads)).map_err(written)?;
    for mut device in devices {
        if let Some(asset) = &device.asset
            && !visit.sees_asset(&asset.folded())?
        {
            device.asset = None;
        }
        let document = as_json(&DevicePatch::of(&device))?;
        let tags = state.store.read(|snap| super::points(snap, visit, &device.id.folded()))?;
        let mut points = Vec::with_capacity(tags.len());
        for tag in tags {
            points.extend(point(visit, tag.record)?);
        }
        if points.is_empty() {
            points.push(json!({}));
        }
        for point in points {
            let cells = |columns: &[Column], object: &JsonValue| -> Vec<String> {
                columns.iter().map(|column| column_of(column, object)).collect()
            };
            let own = std::iter::once(device.id.to_string()).chain(cells(&OF_DEVICE, &document));
            table.write_record(own.chain(cells(&OF_POINT, &point))).map_err(written)?;
        }
    }
    table.into_inner().map_err(|error| Failure::internal("write a table", &error))
}

fn column_of((column, member, kind): &Column, object: &JsonValue) -> String {
    match &object[member] {
        // Settings may be none at all, but they are there.
        JsonValue::Object(members) if members.is_empty() && *column != "settings" => String::new(),
        value => kind.write(value),
    }
}

/// A point as it is sent, if the caller sees it.
fn point(visit: &Visit, tag: Tag) -> Result<Option<JsonValue>, Failure> {
    if !super::is_visible_tag(visit, &tag)? {
        return Ok(None);
    }
    let shown = redacted(visit, tag)?;
    if shown.source.is_none() {
        return Ok(None);
    }
    as_json(&PointInput::of(shown)?).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_text_and_comes_back() {
        for text in ["=A1+K2", "-K1", "+24V", "@home", "'-K1", "'quoted", "''", "plain", "", "泵"]
        {
            let cell = Cell::Text.write(&json!(text));
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
            assert_eq!(unquoted(&cell), text);
        }
        assert_eq!(unquoted("'tis"), "'tis");
        assert_eq!(Cell::Json.write(&json!([])), "");
    }
}
