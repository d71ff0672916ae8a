//! Values at given times.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::Action;
use weir_historian::AT_TIMES_MAX;
use weir_model::{ProblemCode, Sample, Timestamp, Value};

use super::samples::{PIECE_BYTES, csv_lines, kind_of, wants, wants_csv};
use super::signals::{self, Asked, How, Mode, SignalView};
use super::tags::{self, SampleView};
use crate::answers::{self, Room};
use crate::blocking::blocking;
use crate::body::Query;
use crate::door::{Id, Route, Visit, needs};
use crate::failure::Failure;
use crate::state::ApiState;

/// The media type of numbers alone.
const BINARY: &str = "application/octet-stream";

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::SampleRead, routes!(of_tag)), needs(Action::SampleRead, routes!(of_tags))]
}

/// At which times, and how, a tag's values are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct At {
    /// Times with commas between them; now if not given.
    #[param(example = "2026-11-23T08:00:00Z")]
    time: Option<String>,
    /// What a value is between two samples.
    #[serde(default)]
    #[param(inline)]
    mode: Mode,
    /// The unit of the values as a UCUM code; the tag's own if not given.
    unit: Option<String>,
    /// Samples farther than this from a time tell nothing of it: `30s`, `5m`, `1h`.
    max_age: Option<String>,
}

/// As [`At`], for several tags.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AtOfTags {
    /// Identifiers of tags, comma separated, each percent-encoded. A comma within an identifier is
    /// `%2C`.
    tags: String,
    /// Times with commas between them; now if not given.
    #[param(example = "2026-11-23T08:00:00Z")]
    time: Option<String>,
    /// What a value is between two samples.
    #[serde(default)]
    #[param(inline)]
    mode: Mode,
    /// The unit of each tag's values, comma separated, in the order of the tags; nothing for the
    /// tag's own.
    units: Option<String>,
    /// Samples farther than this from a time tell nothing of it: `30s`, `5m`, `1h`.
    max_age: Option<String>,
}

/// A tag's values at times.
#[derive(Serialize, utoipa::ToSchema)]
struct ValuesAt {
    #[serde(flatten)]
    signal: SignalView,
    /// One for each time, in the order of time.
    samples: Vec<SampleView>,
}

/// Values at times of several tags.
#[derive(Serialize, utoipa::ToSchema)]
struct ValuesOfTags {
    /// In the order asked for.
    items: Vec<ValuesAt>,
}

/// Get a tag's value at given times
///
/// By the rules of OPC UA (ReadAtTime; interpolated bounding values of OPC 10000-13): at the time of a sample
/// its value, between two either on the line or that of the earlier one. Bad samples are passed over. The
/// quality is `good:0x00000402` (interpolated), or `uncertain:0x40A40402` where a bad or uncertain sample
/// had a part in it or a line has no end yet, or `bad:0x809B0000` without a value where there is none
/// before. At most 10,000 times. As JSON, or as CSV with `Accept: text/csv`; with `Accept:
/// application/octet-stream` the number or the numbers of the array at one time, as doubles of 8 bytes in
/// little endian.
#[utoipa::path(
    get,
    path = "/api/v1/tags/{id}/at",
    operation_id = "getTagAt",
    tag = "samples",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment"), At),
    responses((status = 200, description = "A sample for each time", content(
        (ValuesAt = "application/json"),
        (String = "text/csv", example = "tag,time,value,quality\n88.100/p,2026-11-23T08:00:00Z,2705,good:0x00000402\n"),
        (Vec<u8> = "application/octet-stream"),
    ))),
)]
async fn of_tag(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    Query(query): Query<At>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let entry = tags::visible(&visit, &id)?;
    let times = times(&visit, query.time.as_deref(), 1)?;
    let units = query.unit.as_deref().map(|unit| ("unit", vec![unit]));
    let max_age = query.max_age.as_deref();
    let how = How { mode: query.mode, units, max_age, range: range(&times) };
    let asked = signals::asked(&visit, vec![entry], &how)?;
    let found = read(&state, &visit, asked, times).await?;
    if !wants_csv(&headers) && wants(&headers, BINARY) {
        let samples = found.of_tags.first().map(|(_, samples)| samples.as_slice());
        return binary(samples.unwrap_or_default());
    }
    found.answer(&visit, wants_csv(&headers), false).await
}

/// Get the values of several tags at given times
///
/// As `/api/v1/tags/{id}/at`. At most 256 tags, 10,000 values, and 64 MiB of texts and arrays.
#[utoipa::path(
    get,
    path = "/api/v1/at",
    operation_id = "getTagsAt",
    tag = "samples",
    params(AtOfTags),
    responses((status = 200, description = "For each tag a sample for each time", content(
        (ValuesOfTags = "application/json"),
        (String = "text/csv", example = "tag,time,value,quality\n88.100/p,2026-11-23T08:00:00Z,2705,good:0x00000402\n"),
    ))),
)]
async fn of_tags(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<AtOfTags>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let entries = signals::named(&visit, raw.as_deref(), &query.tags)?;
    let times = times(&visit, query.time.as_deref(), entries.len())?;
    let units = query.units.as_deref().map(|units| ("units", units.split(',').collect()));
    let max_age = query.max_age.as_deref();
    let how = How { mode: query.mode, units, max_age, range: range(&times) };
    let asked = signals::asked(&visit, entries, &how)?;
    let found = read(&state, &visit, asked, times).await?;
    found.answer(&visit, wants_csv(&headers), true).await
}

/// The times asked for, in order, each once.
fn times(visit: &Visit, text: Option<&str>, tags: usize) -> Result<Vec<Timestamp>, Failure> {
    let mut times = match text {
        Some(text) => signals::times(text, "time")?,
        None => vec![visit.now()],
    };
    times.sort();
    times.dedup();
    if times.len().saturating_mul(tags) > AT_TIMES_MAX {
        let detail =
            format!("{} times of {tags} tags, of at most {AT_TIMES_MAX} values", times.len());
        return Err(Failure::field(ProblemCode::InvalidRequest, "time", detail));
    }
    Ok(times)
}

fn range(times: &[Timestamp]) -> (Timestamp, Timestamp) {
    let end = |time: Option<&Timestamp>| time.copied().unwrap_or(Timestamp::MIN);
    (end(times.first()), end(times.last()).saturating_add(1))
}

async fn read(
    state: &ApiState,
    visit: &Visit,
    asked: Vec<Asked>,
    times: Vec<Timestamp>,
) -> Result<Found, Failure> {
    let (views, asked): (Vec<_>, Vec<_>) =
        asked.into_iter().map(|Asked { view, signal, .. }| (view, signal)).unzip();
    let values = state.historian.at_each(visit.tenant(), asked, times).await?;
    let of_tags = views.into_iter().zip(values.samples).collect();
    Ok(Found { of_tags, heap_bytes: values.heap_bytes })
}

/// What was found of each tag, on its way out.
struct Found {
    of_tags: Vec<(SignalView, Vec<Sample>)>,
    /// Bytes of texts and arrays.
    heap_bytes: usize,
}

/// How values are written.
#[derive(Debug, Clone, Copy)]
struct Look {
    csv: bool,
}

/// The next cell to write: of which tag, and which of its samples.
type Place = (usize, usize);

impl Found {
    async fn answer(self, visit: &Visit, csv: bool, list: bool) -> Result<Response, Failure> {
        let look = Look { csv };
        let cells: usize = self.of_tags.iter().map(|(_, samples)| samples.len()).sum();
        let room = Room::of(visit.state(), self.heap_bytes + cells * size_of::<Sample>())?;
        let is_large = self.heap_bytes > PIECE_BYTES;
        let rest = stream::try_unfold(Some((self, (0, 0))), move |at| async move {
            let Some((found, place)) = at else { return Ok(None) };
            let write = move || {
                let (piece, place) = look.piece(&found.of_tags, place);
                (Bytes::from(piece), place.map(|place| (found, place)))
            };
            if !is_large {
                return Ok(Some(write()));
            }
            // Arrays are not written on a thread that others wait for.
            blocking("write values", write).await.map(Some)
        });
        let (head, tail): (&'static [u8], &'static [u8]) = match (csv, list) {
            (true, _) => (b"tag,time,value,quality\n", b""),
            (false, true) => (b"{\"items\":[", b"]}"),
            (false, false) => (b"", b""),
        };
        let pieces = answers::between(head, rest, tail);
        answers::answer(visit, kind_of(csv), room, pieces).await
    }
}

impl Look {
    /// Some cells, and the place of the next one; none behind the last.
    fn piece(
        self,
        of_tags: &[(SignalView, Vec<Sample>)],
        (mut tag, mut at): Place,
    ) -> (Vec<u8>, Option<Place>) {
        let mut out = Vec::with_capacity(PIECE_BYTES.min(4096));
        while let Some((view, samples)) = of_tags.get(tag) {
            if at == 0 {
                self.put_head(view, tag == 0, &mut out);
            }
            while at < samples.len() {
                if out.len() >= PIECE_BYTES && at > 0 {
                    return (out, Some((tag, at)));
                }
                self.put(view, &samples[at], at == 0, &mut out);
                at += 1;
            }
            if !self.csv {
                out.extend_from_slice(b"]}");
            }
            (tag, at) = (tag + 1, 0);
            if out.len() >= PIECE_BYTES {
                return (out, Some((tag, at)));
            }
        }
        (out, None)
    }

    /// What stands before a tag's samples: its members, with one more that is open.
    fn put_head(self, view: &SignalView, is_first: bool, out: &mut Vec<u8>) {
        if self.csv {
            return;
        }
        if !is_first {
            out.push(b',');
        }
        // A signal always has JSON, and a member at the least.
        let _ = serde_json::to_writer(&mut *out, view);
        out.pop();
        out.extend_from_slice(b",\"samples\":[");
    }

    fn put(self, view: &SignalView, sample: &Sample, is_first: bool, out: &mut Vec<u8>) {
        if self.csv {
            return out.extend(csv_lines(&view.tag, std::slice::from_ref(sample)));
        }
        if !is_first {
            out.push(b',');
        }
        let _ = serde_json::to_writer(out, &SampleView::from(sample));
    }
}

/// The numbers of one value.
fn binary(samples: &[Sample]) -> Result<Response, Failure> {
    let wrong = |detail| Failure::field(ProblemCode::InvalidRequest, "time", detail);
    let [sample] = samples else { return Err(wrong("one time, where numbers are answered alone")) };
    let value = sample.value.as_ref().ok_or_else(|| Failure::not_found("value at that time"))?;
    let items = match value {
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    };
    let numbers = items.iter().map(|item| item.as_f64().map(f64::to_le_bytes));
    let numbers: Option<Vec<[u8; 8]>> = numbers.collect();
    let numbers = numbers.ok_or_else(|| wrong("the value is no number and no array of numbers"))?;
    Ok(([(header::CONTENT_TYPE, BINARY)], numbers.concat()).into_response())
}
