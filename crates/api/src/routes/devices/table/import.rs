//! A table brought in: everything in it is checked, and then all of it is one change.

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as JsonValue};
use weir_model::{FieldError, Identifier, ProblemCode};
use weir_resolver::Minter;
use weir_store::{Commit, Snapshot};
use weir_twin::Draft;

use super::lines::{CellFault, Line, Table};
use super::{DEVICE, OF_DEVICE, OF_POINT};
use crate::blocking::blocking;
use crate::body::{self, Query};
use crate::door::Visit;
use crate::failure::Failure;
use crate::routes::devices::change::{self, Change, Present};
use crate::routes::devices::check::{check_ceiling, faults};
use crate::routes::devices::input::{DeviceInput, DevicePatch, PointInput};
use crate::routes::devices::{check_room, is_visible, is_visible_tag, present};
use crate::routes::tags::as_json;
use crate::state::ApiState;

/// Largest table in bytes: the most lines, at some three hundred bytes each.
const TABLE_BYTES_MAX: usize = 16 << 20;

/// Most faults that are told; how many there are is told as well.
const FAULTS_MAX: usize = 200;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::routes::devices) struct ImportQuery {
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// What an import did, or would do.
#[derive(Default, Serialize, utoipa::ToSchema)]
pub(in crate::routes::devices) struct TableReport {
    /// Devices that were not there.
    devices_created: usize,
    /// Devices that were there and are in the table.
    devices_changed: usize,
    /// Points that were not there.
    points_created: usize,
    /// Points that were there and are in the table.
    points_changed: usize,
    /// How much is wrong.
    errors_total: usize,
    /// What is wrong, the first 200 of it; then nothing is stored.
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

/// Import devices with their points from a table
///
/// The columns are those of the export. A device whose identifier is known is changed: points of the table are changed or
/// added, others stay. A table has at most 50,000 lines and 16 MiB, and no more devices than the node has room for (20,000 in
/// all). All of it is stored in one change, or nothing: everything that is wrong is told by line and column.
#[utoipa::path(
    post,
    path = "/api/v1/devices/import",
    operation_id = "importDevices",
    tag = "devices",
    params(ImportQuery),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, description = "What was done; nothing, where there are errors", body = TableReport)),
)]
pub(in crate::routes::devices) async fn import(
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
    let bytes = body::read(packed, TABLE_BYTES_MAX).await?;
    let table = blocking("read a table", move || Table::read(&bytes)).await??;
    let planner = visit.clone();
    let report = visit.change_many("device.import", move |snap, commit| {
        let import = Import::new(&planner, &table, snap, commit)?;
        let (commit, report) = import.run()?;
        check_room(&state, report.devices_created)?;
        let is_stored = !query.dry_run && report.errors_total == 0 && !commit.is_empty();
        Ok((is_stored.then_some(commit), report))
    });
    Ok(Json(report.await?))
}

/// What is wrong with the lines of one device, each by its number.
type Faults = Vec<(u64, CellFault)>;

/// An import under way.
struct Import<'i> {
    visit: &'i Visit,
    table: &'i Table,
    snap: &'i Snapshot<'i>,
    draft: Draft<'i>,
    minter: Minter<'i>,
    report: TableReport,
}

/// The points that the lines of one device ask for.
#[derive(Default)]
struct Listed {
    points: Vec<PointInput>,
    /// The line of each.
    lines: Vec<u64>,
    changed: usize,
    faults: Faults,
}

impl<'i> Import<'i> {
    fn new(
        visit: &'i Visit,
        table: &'i Table,
        snap: &'i Snapshot<'i>,
        commit: Commit,
    ) -> Result<Self, Failure> {
        let prefix = visit.organisation()?.prefix;
        let minter = Minter::new(snap, visit.tenant(), prefix)?;
        let (draft, report) = (Draft::new(snap, commit), TableReport::default());
        Ok(Self { visit, table, snap, draft, minter, report })
    }

    /// The change that the table asks for. What it holds means nothing where the report has errors.
    fn run(mut self) -> Result<(Commit, TableReport), Failure> {
        for group in self.table.groups() {
            let mut listed = Listed::default();
            match self.device(&group, &mut listed) {
                Ok(()) => {}
                // What is wrong with us is not the table's fault.
                Err(failure) if failure.problem.status >= 500 => return Err(failure),
                Err(failure) => listed.blame(&group, &failure),
            }
            self.report.tell(listed.faults);
        }
        Ok((self.draft.finish()?, self.report))
    }

    fn device(&mut self, group: &[&Line], listed: &mut Listed) -> Result<(), Failure> {
        for line in &group[1..] {
            let faults = self.table.contradictions(group[0], line);
            listed.faults.extend(faults.into_iter().map(|fault| (line.number, fault)));
        }
        match self.known(group[0])? {
            Some(present) => self.change(group, &present, listed),
            None => self.create(group, listed),
        }
    }

    /// The device that a line names, where there is one that the caller sees.
    fn known(&self, line: &Line) -> Result<Option<Present>, Failure> {
        let text = self.table.text(line, DEVICE);
        if text.is_empty() {
            return Ok(None);
        }
        let id: Identifier = text.parse().map_err(|error: weir_model::IdentifierError| {
            Failure::field(ProblemCode::InvalidValue, "/id", error.to_string())
        })?;
        let found = present(self.snap, self.visit, &id.folded())?;
        Ok(match found {
            Some(found) if is_visible(self.visit, &found.device.record)? => Some(found),
            _ => None,
        })
    }

    fn create(&mut self, group: &[&Line], listed: &mut Listed) -> Result<(), Failure> {
        self.report.devices_created += 1;
        let mut document = Map::new();
        self.own_cells(group[0], &mut document, listed);
        let id = self.table.text(group[0], DEVICE);
        if !id.is_empty() {
            document.insert("id".to_owned(), id.into());
        }
        self.points(group, &mut Vec::new(), listed)?;
        if !listed.faults.is_empty() {
            return Ok(());
        }
        let mut input: DeviceInput = body::from_value(document.into())?;
        input.points = std::mem::take(&mut listed.points);
        let secrets = change::take_secrets(self.visit, &input.protocol, &mut input.settings, None)?;
        let wrong = faults(self.visit, &input, &secrets, &Default::default())?;
        if !wrong.is_empty() {
            return Err(Failure::all_fields(wrong));
        }
        check_ceiling(self.visit, input.grade, input.asset.as_ref(), &input.points)?;
        change::create(&mut self.draft, &mut self.minter, &input, &secrets).map(drop)
    }

    fn change(
        &mut self,
        group: &[&Line],
        present: &Present,
        listed: &mut Listed,
    ) -> Result<(), Failure> {
        self.report.devices_changed += 1;
        let mut document = match as_json(&DevicePatch::of(&present.device.record))? {
            JsonValue::Object(document) => document,
            _ => Map::new(),
        };
        self.own_cells(group[0], &mut document, listed);
        let mut there = Vec::new();
        for tag in &present.tags {
            if is_visible_tag(self.visit, &tag.record)? {
                there.push(PointInput::of(tag.record.clone())?);
            }
        }
        self.points(group, &mut there, listed)?;
        if !listed.faults.is_empty() {
            return Ok(());
        }
        let mut patch: DevicePatch = body::from_value(document.into())?;
        // What is not in the table stays, behind what is.
        let points = std::mem::take(&mut listed.points);
        patch.points = Some(points.into_iter().chain(there).collect());
        let change = Change::of(self.visit, patch, present)?;
        change::update(self.visit, &mut self.draft, &mut self.minter, &change, present)
    }

    fn own_cells(&self, line: &Line, document: &mut Map<String, JsonValue>, listed: &mut Listed) {
        if let Err(fault) = self.table.fill(line, &OF_DEVICE, document) {
            listed.faults.push((line.number, fault));
        }
    }

    /// The points of a device's lines; those that are there already are taken out of `there`.
    fn points(
        &mut self,
        group: &[&Line],
        there: &mut Vec<PointInput>,
        listed: &mut Listed,
    ) -> Result<(), Failure> {
        let mut places: std::collections::HashMap<String, usize> = there
            .iter()
            .enumerate()
            .filter_map(|(place, point)| Some((point.id.as_ref()?.folded(), place)))
            .collect();
        let mut slots: Vec<Option<PointInput>> = there.drain(..).map(Some).collect();
        for line in group {
            let id = self.table.text(line, "point");
            if id.is_empty() && self.table.text(line, "name").is_empty() {
                continue;
            }
            let known = id.parse().ok().and_then(|id: Identifier| places.remove(&id.folded()));
            let known = known.and_then(|place| slots.get_mut(place)?.take());
            listed.changed += usize::from(known.is_some());
            listed.add(self.table, line, known.as_ref())?;
        }
        there.extend(slots.into_iter().flatten());
        self.report.points_changed += listed.changed;
        self.report.points_created += listed.lines.len() - listed.changed;
        Ok(())
    }
}

impl Listed {
    /// Adds the point of a line, on top of the one that is there.
    fn add(
        &mut self,
        table: &Table,
        line: &Line,
        known: Option<&PointInput>,
    ) -> Result<(), Failure> {
        self.lines.push(line.number);
        let mut object = match known.map(as_json).transpose()? {
            Some(JsonValue::Object(object)) => object,
            _ => Map::new(),
        };
        if let Err(fault) = table.fill(line, &OF_POINT, &mut object) {
            self.faults.push((line.number, fault));
            return Ok(());
        }
        match body::from_value(object.into()) {
            Ok(point) => self.points.push(point),
            Err(failure) => {
                let faults = failure.problem.errors.iter();
                self.faults.extend(faults.map(|error| {
                    (line.number, (column(&error.field, &OF_POINT), error.detail.clone()))
                }));
            }
        }
        Ok(())
    }

    /// Adds what a check of the whole device said: of a point to its line, of the device to its first line.
    fn blame(&mut self, group: &[&Line], failure: &Failure) {
        let first = group[0].number;
        let errors = &failure.problem.errors;
        if errors.is_empty() {
            self.faults.push((first, (String::new(), failure.problem.detail.clone())));
        }
        for FieldError { field, detail } in errors {
            let of_point = field.strip_prefix("/points/").and_then(|rest| {
                let (number, field) = rest.split_once('/').unwrap_or((rest, ""));
                Some((*self.lines.get(number.parse::<usize>().ok()?)?, column(field, &OF_POINT)))
            });
            let (line, column) = of_point.unwrap_or_else(|| (first, column(field, &OF_DEVICE)));
            self.faults.push((line, (column, detail.clone())));
        }
    }
}

/// The column of a member of a document, and what follows it within the member.
fn column(field: &str, columns: &[super::Column]) -> String {
    let field = field.trim_start_matches('/');
    let (member, rest) = field.split_once('/').unwrap_or((field, ""));
    let known = columns.iter().find(|(_, name, _)| *name == member);
    let column = match known {
        Some((column, ..)) => *column,
        None if member == "id" => DEVICE,
        None => member,
    };
    if rest.is_empty() { column.to_owned() } else { format!("{column}/{rest}") }
}

impl TableReport {
    fn tell(&mut self, faults: Faults) {
        self.errors_total += faults.len();
        let room = FAULTS_MAX.saturating_sub(self.errors.len());
        self.errors.extend(
            faults.into_iter().take(room).map(|(line, (field, detail))| LineError {
                line,
                field,
                detail,
            }),
        );
    }
}
