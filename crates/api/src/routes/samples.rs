//! Samples in and out.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use futures::{Stream, stream};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::Action;
use weir_historian::{Historian, HistorianError};
use weir_ingest::TagFacts;
use weir_model::{Identifier, ProblemCode, Sample, TagId, TenantId, Timestamp, Value};

use super::signals::QueryTime;
use super::tags::SampleView;
use super::units::InUnit;
use crate::answers::{self, Room};
use crate::body::{self, Query};
use crate::door::{Id, Route, Visit, needs};
use crate::failure::Failure;
use crate::ingest::{self, Envelope, Format, Lookup, Order, facts, receive};
use crate::state::ApiState;
use crate::unpack::Encoding;

/// Most points that an answer is thinned out to: more than any screen has pixels.
const POINTS_MAX: usize = 100_000;

/// Samples that are read at one time where all are wanted.
pub(super) const PAGE_SAMPLES: usize = 20_000;

/// The range that is answered if none is named: the last hour.
pub(super) const RANGE_NANOS: i64 = 3_600_000_000_000;

/// Bytes after which a piece of an answer is sent.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// The media type of CSV, as it is answered.
pub(super) const CSV: &str = "text/csv; charset=utf-8";

/// Samples written into one chunk of an answer.
const CHUNK_SAMPLES: usize = 1000;

/// Bytes of texts and arrays after which a chunk of an answer ends.
const CHUNK_HEAP_BYTES: usize = 1 << 20;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::SampleRead, routes!(read)),
        needs(Action::SampleWrite, routes!(write)),
        needs(Action::SampleDelete, routes!(delete)),
    ]
}

/// Which samples are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Range {
    /// From this time on; an hour before `to` if not given.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<QueryTime>,
    /// Up to, without, this time; now if not given.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<QueryTime>,
    /// Most samples of the answer; without it, every sample. Where there are more, each stretch of
    /// time keeps its first, last, lowest and highest sample and its gaps. Numbers above 100,000
    /// count as 100,000.
    #[param(minimum = 1)]
    max_points: Option<usize>,
    /// The unit of the values as a UCUM code; as they were measured if not given. Each sample is converted
    /// from the unit that the tag had at its time.
    unit: Option<String>,
}

/// Samples of a tag.
#[derive(Serialize, utoipa::ToSchema)]
struct Samples {
    /// The unit asked for, where one was.
    unit: Option<String>,
    /// By time.
    samples: Vec<SampleView>,
}

/// Read a tag's samples
///
/// As JSON, or as CSV with `Accept: text/csv`.
#[utoipa::path(
    get,
    path = "/api/v1/tags/{id}/samples",
    operation_id = "listSamples",
    tag = "samples",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment"), Range),
    responses((status = 200, description = "Samples by time", content(
        (Samples = "application/json"),
        (String = "text/csv", example = "tag,time,value,quality\n88.100/p,2026-11-23T08:00:00Z,2705,good\n"),
    ))),
)]
async fn read(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    Query(range): Query<Range>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let tag = super::tags::visible(&visit, &id)?;
    let (from, to) = bounds(range.from, range.to, RANGE_NANOS, visit.now())?;
    let (historian, tenant) = (state.historian.clone(), visit.tenant());
    let in_unit =
        range.unit.as_deref().map(|unit| InUnit::of(&visit, &tag, unit, "unit", (from, to)));
    let in_unit = in_unit.transpose()?;
    let samples = match range.max_points {
        Some(0) => {
            let detail = "at least 1";
            return Err(Failure::field(ProblemCode::InvalidRequest, "max_points", detail));
        }
        Some(points) => {
            let points = points.min(POINTS_MAX);
            Pages::of(historian.downsample(tenant, tag.tag, from, to, points).await?)
        }
        None => Pages::all(historian, tenant, tag.tag, from, to).await?,
    };
    let samples = samples.converted(in_unit.clone());
    let room = Room::of(&state, samples.bytes())?;
    if wants_csv(&headers) {
        let head = Bytes::from_static(b"tag,time,value,quality\n");
        let id = tag.id.clone();
        let chunk = move |samples: &[Sample], _| csv_lines(id.as_str(), samples);
        let pieces = pieces(head, samples, Bytes::new(), chunk);
        return answers::answer(&visit, CSV, room, pieces).await;
    }
    let head = match &in_unit {
        None => Bytes::from_static(b"{\"samples\":["),
        Some(in_unit) => {
            let unit = serde_json::Value::from(in_unit.unit().to_string());
            Bytes::from(format!("{{\"unit\":{unit},\"samples\":["))
        }
    };
    let pieces = pieces(head, samples, Bytes::from_static(b"]}"), json);
    answers::answer(&visit, kind_of(false), room, pieces).await
}

/// The span asked for: up to now, and of some length, where nothing else is said.
pub(super) fn bounds(
    from: Option<QueryTime>,
    to: Option<QueryTime>,
    length: i64,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Failure> {
    // What is stored this very moment is part of "now".
    let to = to.map_or(now.saturating_add(1), |time| time.0);
    let from = from.map_or(to.saturating_add(-length), |time| time.0);
    in_order(from, to)?;
    Ok((from, to))
}

pub(super) fn in_order(from: Timestamp, to: Timestamp) -> Result<(), Failure> {
    if from >= to {
        let detail = format!("{from} is not before {to}");
        return Err(Failure::field(ProblemCode::InvalidRequest, "from", detail));
    }
    Ok(())
}

pub(super) fn wants_csv(headers: &HeaderMap) -> bool {
    wants(headers, "text/csv")
}

/// Whether the caller accepts a media type by name.
pub(super) fn wants(headers: &HeaderMap, media_type: &str) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.split(',').any(|kind| kind.trim().starts_with(media_type)))
}

/// The media type of an answer that is one of the two.
pub(super) fn kind_of(csv: bool) -> &'static str {
    if csv { CSV } else { "application/json" }
}

/// Samples by time, page by page: as many as are there never stand in memory together.
struct Pages {
    page: Vec<Sample>,
    in_unit: Option<InUnit>,
    /// Where the next page begins, if there may be one.
    rest: Option<Rest>,
}

struct Rest {
    historian: Historian,
    tenant: TenantId,
    tag: TagId,
    from: Timestamp,
    to: Timestamp,
}

impl Pages {
    /// One page and no more.
    fn of(page: Vec<Sample>) -> Self {
        Self { page, in_unit: None, rest: None }
    }

    /// What a page holds.
    fn bytes(&self) -> usize {
        let heap = |sample: &Sample| sample.value.as_ref().map_or(0, Value::heap_bytes);
        size_of_val(self.page.as_slice()) + self.page.iter().map(heap).sum::<usize>()
    }

    /// The same samples in a unit.
    fn converted(mut self, in_unit: Option<InUnit>) -> Self {
        if let Some(in_unit) = &in_unit {
            let page = self.page.into_iter();
            self.page = page.map(|sample| in_unit.sample(sample)).collect();
        }
        Self { in_unit, ..self }
    }

    /// Every sample of a range. The first page is read at once, so that what cannot be read is
    /// answered as a problem.
    async fn all(
        historian: Historian,
        tenant: TenantId,
        tag: TagId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Self, HistorianError> {
        Rest { historian, tenant, tag, from, to }.read().await
    }
}

impl Rest {
    async fn read(mut self) -> Result<Pages, HistorianError> {
        let Self { tenant, tag, from, to, .. } = self;
        let page = self.historian.page(tenant, tag, (from, to), PAGE_SAMPLES).await?;
        let Some(next) = page.next else { return Ok(Pages::of(page.samples)) };
        self.from = next;
        Ok(Pages { page: page.samples, in_unit: None, rest: Some(self) })
    }
}

/// Samples chunk by chunk, so that their text never stands in memory as a whole.
fn pieces(
    head: Bytes,
    pages: Pages,
    tail: Bytes,
    chunk: impl Fn(&[Sample], bool) -> Vec<u8> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, Failure>> + Send + 'static {
    let start = (pages, 0usize, true);
    let chunks = stream::try_unfold(start, move |(mut pages, mut at, first)| {
        let empty_and_more = at >= pages.page.len() && pages.rest.is_some();
        let next = if empty_and_more { pages.rest.take() } else { None };
        let written = match &next {
            None if at >= pages.page.len() => None,
            None => {
                let end = at + chunk_of(&pages.page[at..]);
                let bytes = Bytes::from(chunk(&pages.page[at..end], first));
                at = end;
                Some(bytes)
            }
            Some(_) => Some(Bytes::new()),
        };
        async move {
            let Some(bytes) = written else { return Ok(None) };
            let Some(rest) = next else { return Ok(Some((bytes, (pages, at, false)))) };
            let pages = rest.read().await?.converted(pages.in_unit);
            Ok::<_, Failure>(Some((bytes, (pages, 0, first))))
        }
    });
    answers::between(head, chunks, tail)
}

/// How many of some samples are written at once: one at the least.
fn chunk_of(samples: &[Sample]) -> usize {
    let mut bytes = 0;
    let few = samples.iter().take(CHUNK_SAMPLES).take_while(|sample| {
        let before = bytes;
        bytes += sample.value.as_ref().map_or(0, Value::heap_bytes);
        before < CHUNK_HEAP_BYTES
    });
    few.count().max(1)
}

fn json(samples: &[Sample], first: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(samples.len() * 64);
    for (at, sample) in samples.iter().enumerate() {
        if at > 0 || !first {
            out.push(b',');
        }
        // A sample always has JSON.
        let _ = serde_json::to_writer(&mut out, &SampleView::from(sample));
    }
    out
}

/// Lines of a tag's samples: `tag,time,value,quality`.
pub(super) fn csv_lines(id: &str, samples: &[Sample]) -> Vec<u8> {
    let mut out = String::with_capacity(samples.len() * 64);
    let id = csv_cell(id);
    for Sample { time, value, quality } in samples {
        let value = csv_value(value.as_ref());
        out.push_str(&format!("{id},{time},{value},{quality}\n"));
    }
    out.into_bytes()
}

/// A value as a cell; nothing where there is none.
pub(super) fn csv_value(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::Text(text)) => csv_text(text),
        Some(value) => match value.to_json() {
            serde_json::Value::String(text) => text,
            json => csv_cell(&json.to_string()),
        },
    }
}

pub(super) fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { csv_text(text) } else { text.to_owned() }
}

fn csv_text(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// How a batch is to be read.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct IngestQuery {
    /// Who sends it; CSV and line protocol only (JSON has it in the document).
    producer: Option<String>,
    /// The number of the batch, counted upwards by the producer; CSV and line protocol only.
    sequence: Option<u64>,
    /// Late data by intent, which raises no live value; CSV and line protocol only.
    backfill: Option<bool>,
    /// What one unit of a line's timestamp is: `ns` (if not given), `us`, `ms`, `s`, `m` or `h`.
    precision: Option<String>,
    /// Whether a series that has no tag gets one; line protocol only. It takes `tag:write`, too.
    create: Option<bool>,
}

/// Samples in.
#[derive(utoipa::ToSchema)]
#[schema(example = json!({
    "producer": "gateway-7", "sequence": 1042,
    "samples": [{"tag": "88.100/reactor-pressure", "time": "2026-11-23T08:00:00.5Z", "value": 2705.0}]
}))]
#[expect(dead_code, reason = "it describes what ingest::json reads as a stream")]
struct Batch {
    /// Who sends it. With it a batch that is sent again is stored once.
    producer: Option<String>,
    /// The number of the batch, counted upwards by the producer.
    sequence: Option<u64>,
    /// Late data by intent, which raises no live value.
    backfill: Option<bool>,
    /// The samples, in any order.
    samples: Vec<SampleInput>,
}

/// One sample in.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes what ingest::json reads as a stream")]
struct SampleInput {
    /// The tag's identifier.
    #[schema(value_type = String)]
    tag: Identifier,
    /// When it was observed, RFC 3339 with up to nine decimals; the time of arrival if not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    time: Option<Timestamp>,
    /// The value in the tag's type; 64-bit integers may be strings; null with bad quality only.
    #[schema(value_type = Option<serde_json::Value>)]
    value: Option<serde_json::Value>,
    /// `good` if not given, `uncertain` or `bad`, or with a code: `bad:0x80310000`.
    quality: Option<String>,
}

/// What was stored.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({"accepted": 1}))]
struct Accepted {
    /// The number of samples. They are on disk.
    accepted: usize,
}

/// Store samples
///
/// All of them or none. As JSON, as CSV with a header (`tag,time,value,quality`), or as InfluxDB line
/// protocol, where the field `value` means the tag whose identifier is the measurement, and any
/// other field the tag with the unique name `measurement.field{key="value"}`, or without its tag set
/// `measurement.field`. With `Content-Encoding: gzip` or
/// `zstd` if wanted. A body has at most 8 MiB, and 64 MiB once unpacked.
#[utoipa::path(
    post,
    path = "/api/v1/samples",
    operation_id = "storeSamples",
    tag = "samples",
    params(IngestQuery),
    request_body(content(
        (Batch = "application/json"),
        (String = "text/csv", example = "tag,time,value\n88.100/p,2026-11-23T08:00:00Z,2705\n"),
        (String = "text/plain", example = "88.100/p value=2705 1795420800000000000\n"),
    )),
    responses((status = 200, description = "Stored", body = Accepted)),
)]
async fn write(
    visit: Visit,
    Query(query): Query<IngestQuery>,
    request: Request,
) -> Result<Json<Accepted>, Failure> {
    let (parts, body) = request.into_parts();
    let precision = ingest::precision(query.precision.as_deref())?;
    let format = Format::of(&body::media_type(&parts.headers), precision)?;
    let producer = ingest::producer(query.producer.as_deref(), query.sequence, "")?;
    let create = query.create.unwrap_or(false);
    if create {
        if !matches!(format, Format::Line(_)) {
            let detail = "only series of line protocol become tags";
            return Err(Failure::field(ProblemCode::InvalidRequest, "create", detail));
        }
        visit.allow(Action::TagWrite)?;
    }
    let order = Order {
        format,
        encoding: Encoding::of(&parts.headers)?,
        envelope: Envelope { producer, backfill: query.backfill.unwrap_or(false) },
        create,
    };
    let accepted = receive(&visit, order, &parts.headers, body).await?;
    Ok(Json(Accepted { accepted }))
}

/// Which samples are deleted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Deleted {
    /// From this time on; must be given.
    #[param(value_type = String, required = true, format = DateTime)]
    from: Option<Timestamp>,
    /// Up to, without, this time; must be given.
    #[param(value_type = String, required = true, format = DateTime)]
    to: Option<Timestamp>,
}

/// Delete a tag's samples
///
/// Those of the span that are stored by now; nothing brings them back. The audit keeps who deleted
/// which span, before it is done. Samples of that time that are sent later are stored as any others:
/// to correct a value, send it again with its time, and the later one counts.
#[utoipa::path(
    delete,
    path = "/api/v1/tags/{id}/samples",
    operation_id = "deleteSamples",
    tag = "samples",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment"), Deleted),
    responses((status = 204, description = "Deleted")),
)]
async fn delete(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    Query(span): Query<Deleted>,
) -> Result<StatusCode, Failure> {
    let tag = super::tags::visible(&visit, &id)?;
    let given = |field, time: Option<Timestamp>| {
        let missing = || Failure::field(ProblemCode::InvalidRequest, field, "must be given");
        time.ok_or_else(missing)
    };
    let (from, to) = (given("from", span.from)?, given("to", span.to)?);
    in_order(from, to)?;
    let text = format!("the samples of {} from {from} to {to} were asked to be deleted", tag.id);
    let event = weir_audit::Event::Note { text };
    let detail = serde_json::json!({"tag": tag.id, "from": from, "to": to});
    let author = visit.author("samples.delete");
    let entry = weir_audit::Entry {
        detail: Some(detail),
        ..weir_audit::Entry::new(visit.now(), author, event)
    };
    state.audit.append(entry.from_remote(visit.remote())).await?;
    state.historian.delete(visit.tenant(), tag.tag, (from, to), visit.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Lookup for Visit {
    fn find(&self, id: &str) -> Result<TagFacts, Failure> {
        self.directory(|view| {
            let tag = view.tag(&id.to_ascii_lowercase());
            let tag = tag.filter(|tag| self.sees(view.grade_of_tag(tag)));
            let facts = tag.map(|tag| facts(tag));
            let unknown = || format!("there is no tag {id}");
            facts.ok_or_else(|| Failure::new(ProblemCode::UnknownTag, unknown()))
        })?
    }
}
