//! Several tags row by row, at equal distances of time.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use futures::{Stream, stream};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::Action;
use weir_historian::{Frame, Frames, Signal};
use weir_model::{Interpolation, ProblemCode, Quality, Severity, Timestamp, Unit, Value};

use super::samples::{PIECE_BYTES, RANGE_NANOS, bounds, csv_cell, csv_value, kind_of, wants_csv};
use super::signals::{self, Asked, How, Mode, QueryTime, SignalView};
use crate::answers::{self, Room};
use crate::body::Query;
use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::state::ApiState;

/// Most cells of one answer: rows times tags.
const CELLS_MAX: i128 = 20_000_000;

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::SampleRead, routes!(read))]
}

/// Which rows are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FramesQuery {
    /// Identifiers of tags, comma separated, each percent-encoded. A comma within an identifier is
    /// `%2C`.
    tags: String,
    /// The time of the first row; an hour before `to` if not given.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<QueryTime>,
    /// Up to, without, this time; now if not given.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<QueryTime>,
    /// From one row to the next: `100ms`, `1s`, `5m`, `1h`, `1d`.
    step: String,
    /// What a value is between two samples.
    #[serde(default)]
    #[param(inline)]
    mode: Mode,
    /// The unit of each tag's values, comma separated, in the order of the tags; nothing for the
    /// tag's own.
    units: Option<String>,
    /// Samples farther than this from a row tell nothing of it: `30s`, `5m`, `1h`.
    max_age: Option<String>,
    /// The quality below which a cell has no value: `uncertain` if not given, or `good`.
    #[serde(default)]
    #[param(inline)]
    least_quality: Least,
    /// Whether each tag has a second column, with the quality of its values.
    #[serde(default)]
    with_quality: bool,
}

/// The least quality of a cell with a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Least {
    /// Values that can be used with care are shown.
    #[default]
    Uncertain,
    /// Only those that are sure.
    Good,
}

/// Rows of several tags.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "columns": [{"name": "time"}, {"name": "88.100/p", "tag": "88.100/p", "unit": "kPa", "interpolation": "linear"}],
    "rows": [["2026-11-23T08:00:00Z", 2705.0], ["2026-11-23T08:00:01Z", null]]
}))]
struct FrameView {
    /// The columns: the time, and those of the tags in the order asked for.
    columns: Vec<ColumnView>,
    /// The rows, each with a cell for each column; null where there is no value.
    #[schema(value_type = Vec<Vec<serde_json::Value>>)]
    rows: Vec<Vec<serde_json::Value>>,
}

/// A column.
#[derive(Serialize, utoipa::ToSchema)]
struct ColumnView {
    /// `time`, the tag's identifier, or that and ` quality`.
    name: String,
    /// The tag's identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    /// The unit of the values.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    unit: Option<Unit>,
    /// What a value is between two samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    interpolation: Option<Interpolation>,
}

/// Read several tags as rows at equal distances of time
///
/// The rows are at `from`, `from` plus `step` and on. Each cell is what `/api/v1/at` answers for its tag and
/// time. At most 256 tags and 20 million cells, of any types but arrays. As JSON, or with `Accept: text/csv` as
/// CSV, where the first column is the time.
#[utoipa::path(
    get,
    path = "/api/v1/frames",
    operation_id = "readFrames",
    tag = "samples",
    params(FramesQuery),
    responses((status = 200, description = "The rows", content(
        (FrameView = "application/json"),
        (String = "text/csv", example = "time,88.100/p,88.100/t\n2026-11-23T08:00:00Z,2705,120.4\n"),
    ))),
)]
async fn read(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<FramesQuery>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let entries = signals::named(&visit, raw.as_deref(), &query.tags)?;
    signals::no_arrays(&entries)?;
    let (from, to) = bounds(query.from, query.to, RANGE_NANOS, visit.now())?;
    let step = signals::span(&query.step, "step")?;
    check_cells((from, to), step, entries.len())?;
    let units = query.units.as_deref().map(|units| ("units", units.split(',').collect()));
    let max_age = query.max_age.as_deref();
    let how = How { mode: query.mode, units, max_age, range: (from, to) };
    let asked = signals::asked(&visit, entries, &how)?;
    let (views, read): (Vec<SignalView>, Vec<Signal>) =
        asked.into_iter().map(|Asked { view, signal, .. }| (view, signal)).unzip();
    let look =
        Look { csv: wants_csv(&headers), quality: query.with_quality, least: query.least_quality };
    let frames = state.historian.frames(visit.tenant(), read, (from, to), step);
    let pieces = look.pieces(&views, frames);
    answers::answer(&visit, kind_of(look.csv), Room::default(), pieces).await
}

fn check_cells((from, to): (Timestamp, Timestamp), step: i64, tags: usize) -> Result<(), Failure> {
    let span = i128::from(to.nanos()) - i128::from(from.nanos());
    let rows = (span + i128::from(step) - 1) / i128::from(step);
    let cells = rows * tags as i128;
    if cells > CELLS_MAX {
        let detail = format!(
            "{rows} rows of {tags} tags, of at most {CELLS_MAX} cells: a longer step, a shorter time or fewer tags"
        );
        return Err(Failure::field(ProblemCode::InvalidRequest, "step", detail));
    }
    Ok(())
}

/// How rows are written.
#[derive(Debug, Clone, Copy)]
struct Look {
    csv: bool,
    quality: bool,
    least: Least,
}

impl Look {
    fn pieces(
        self,
        views: &[SignalView],
        frames: Frames,
    ) -> impl Stream<Item = Result<Bytes, Failure>> + Send + use<> {
        let (head, tail) = match self.csv {
            true => (self.csv_head(views), ""),
            false => (self.json_head(views), "]}"),
        };
        let start = (frames, None, true);
        let rows = stream::try_unfold(start, move |(mut frames, current, mut first)| async move {
            let (frame, mut row): (Frame, usize) = match current {
                Some(current) => current,
                None => match frames.next().await? {
                    Some(frame) => (frame, 0),
                    None => return Ok(None),
                },
            };
            let mut piece = Vec::with_capacity(PIECE_BYTES + (PIECE_BYTES >> 3));
            while row < frame.times.len() && piece.len() < PIECE_BYTES {
                self.put_row(&frame, row, first, &mut piece);
                (row, first) = (row + 1, false);
            }
            let rest = (row < frame.times.len()).then_some((frame, row));
            Ok::<_, Failure>(Some((Bytes::from(piece), (frames, rest, first))))
        });
        answers::between(head, rows, tail)
    }

    fn columns(self, views: &[SignalView]) -> Vec<ColumnView> {
        let time =
            ColumnView { name: "time".to_owned(), tag: None, unit: None, interpolation: None };
        let of_tags = views.iter().flat_map(|view| {
            let value = ColumnView {
                name: view.tag.clone(),
                tag: Some(view.tag.clone()),
                unit: view.unit.clone(),
                interpolation: Some(view.interpolation),
            };
            let quality = self.quality.then(|| ColumnView {
                name: format!("{} quality", view.tag),
                tag: Some(view.tag.clone()),
                unit: None,
                interpolation: None,
            });
            [Some(value), quality].into_iter().flatten()
        });
        std::iter::once(time).chain(of_tags).collect()
    }

    fn csv_head(self, views: &[SignalView]) -> Vec<u8> {
        let names = self.columns(views).into_iter().map(|column| csv_cell(&column.name));
        let mut head = names.collect::<Vec<_>>().join(",");
        head.push('\n');
        head.into_bytes()
    }

    fn json_head(self, views: &[SignalView]) -> Vec<u8> {
        let mut head = b"{\"columns\":".to_vec();
        put_json(&mut head, &self.columns(views));
        head.extend_from_slice(b",\"rows\":[");
        head
    }

    fn put_row(self, frame: &Frame, row: usize, first: bool, out: &mut Vec<u8>) {
        let time = frame.times[row].to_string();
        if self.csv {
            out.extend_from_slice(time.as_bytes());
        } else {
            out.extend_from_slice(if first { b"[" } else { b",[" });
            put_json(out, &time);
        }
        for column in &frame.columns {
            let (value, quality) = &column[row];
            self.put_value(value.as_ref().filter(|_| self.shows(*quality)), out);
            if self.quality {
                self.put_quality(*quality, out);
            }
        }
        out.push(if self.csv { b'\n' } else { b']' });
    }

    fn shows(self, quality: Quality) -> bool {
        self.least == Least::Uncertain || quality.severity() == Severity::Good
    }

    fn put_value(self, value: Option<&Value>, out: &mut Vec<u8>) {
        out.push(b',');
        match (self.csv, value) {
            (true, value) => out.extend_from_slice(csv_value(value).as_bytes()),
            (false, None) => out.extend_from_slice(b"null"),
            (false, Some(value)) => put_json(out, &value.to_json()),
        }
    }

    fn put_quality(self, quality: Quality, out: &mut Vec<u8>) {
        out.push(b',');
        match self.csv {
            true => out.extend_from_slice(quality.to_string().as_bytes()),
            false => put_json(out, &quality),
        }
    }
}

/// What is written here always has JSON.
fn put_json(out: &mut Vec<u8>, value: &impl Serialize) {
    let _ = serde_json::to_writer(out, value);
}
