//! Aggregates of tags over buckets of time.

mod converted;

use std::fmt::Write;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use futures::stream;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa_axum::routes;
use weir_access::Action;
use weir_historian::{AGGREGATE_ROWS_MAX, Aggregate, AggregateQuery};
use weir_model::{Conversion, Identifier, ProblemCode, TagId, Timestamp, Unit};
use weir_twin::TagEntry;

use super::samples::{bounds, csv_cell, kind_of, wants_csv};
use super::signals::{self, QueryTime};
use super::units::InUnit;
use crate::answers::{self, Room};
use crate::body::Query;
use crate::door::{Id, Route, Visit, needs};
use crate::failure::Failure;
use crate::state::ApiState;

/// Most tags of one answer where those of an asset are asked for.
const ASSET_TAGS_MAX: usize = 10_000;

/// The range that is answered if none is named: the last day.
const RANGE_NANOS: i64 = 86_400_000_000_000;

/// Farthest that a clock is from UTC: more than any zone is.
const OFFSET_MAX: i64 = 86_400_000_000_000;

/// Rows written into one chunk of an answer.
const CHUNK_ROWS: usize = 1000;

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::SampleRead, routes!(of_tag)), needs(Action::SampleRead, routes!(of_tags))]
}

/// Which buckets are wanted, and what of them.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Buckets {
    /// From this time on; a day before `to` if not given.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<QueryTime>,
    /// Up to, without, this time; now if not given.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<QueryTime>,
    /// Length of a bucket: `1m`, `90m`, `1h`, `1d`; one bucket of the whole range if not given.
    width: Option<String>,
    /// Buckets begin at multiples of `width` on a clock that is so far from UTC: `8h` or `+08:00` for
    /// Shanghai, `-5h` for a clock that is behind. UTC if not given.
    offset: Option<String>,
    /// Comma separated: `avg`, `time_avg`, `total`, `min`, `max`, `sum`, `count`, `samples`, `first`,
    /// `last`, `good_time`, `uncertain_time`, `bad_time`, `percent_good`. `avg,min,max,count` if not
    /// given.
    functions: Option<String>,
    /// The unit of the numbers as a UCUM code; as they were measured if not given. A range in which the
    /// tag's own unit changed is answered without it only.
    unit: Option<String>,
}

/// The same of several tags.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BucketsOfTags {
    /// Identifiers of tags, comma separated, each percent-encoded. A comma within an identifier is
    /// `%2C`.
    tags: Option<String>,
    /// Instead of `tags`: all tags of this asset and of what hangs below it.
    #[param(value_type = Option<String>)]
    asset: Option<Identifier>,
    /// From this time on; a day before `to` if not given.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<QueryTime>,
    /// Up to, without, this time; now if not given.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<QueryTime>,
    /// Length of a bucket: `1m`, `90m`, `1h`, `1d`; one bucket of the whole range if not given.
    width: Option<String>,
    /// As for one tag.
    offset: Option<String>,
    /// As for one tag.
    functions: Option<String>,
}

/// Aggregates of tags.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({"aggregates": [
    {"tag": "88.100/p", "time": "2026-11-23T08:00:00Z", "avg": 2705.0, "min": 2699.5, "max": 2711.0, "count": 3600}
]}))]
struct Aggregates {
    /// The unit asked for, where one was.
    unit: Option<String>,
    /// By tag, in the order asked for, and by time: every bucket of the range.
    aggregates: Vec<AggregateView>,
}

/// A bucket: of the functions, those that were asked for.
#[derive(Serialize, utoipa::ToSchema)]
struct AggregateView {
    /// The tag's identifier.
    tag: String,
    /// When the bucket begins.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// The mean of the samples' numbers; bad samples are in none of these.
    avg: Option<f64>,
    /// The mean of the numbers by the time that each held, until the next sample.
    time_avg: Option<f64>,
    /// The sum of number times seconds that it held.
    total: Option<f64>,
    /// The least number.
    min: Option<f64>,
    /// The greatest number.
    max: Option<f64>,
    /// The sum of the numbers.
    sum: Option<f64>,
    /// How many samples are not bad.
    count: Option<u64>,
    /// How many samples there are.
    samples: Option<u64>,
    /// The first number.
    first: Option<f64>,
    /// The last number.
    last: Option<f64>,
    /// Seconds of good quality.
    good_time: Option<f64>,
    /// Seconds of uncertain quality.
    uncertain_time: Option<f64>,
    /// Seconds of bad quality, those before the first sample of the tag among them.
    bad_time: Option<f64>,
    /// The share of `good_time` in percent.
    percent_good: Option<f64>,
}

/// Read a tag's aggregates
///
/// One row for each bucket of time, with what was asked for of its samples, or null where it cannot be
/// told. A sample holds until the next one, the last one until now. Truth values count as 0 and 1,
/// enumerations as their codes; texts and arrays have counts and times only. At most 200,000 rows, as JSON
/// or, with `Accept: text/csv`, as CSV.
#[utoipa::path(
    get,
    path = "/api/v1/tags/{id}/aggregates",
    operation_id = "readTagAggregates",
    tag = "samples",
    params(("id" = String, Path, description = "The identifier, percent-encoded as one segment"), Buckets),
    responses((status = 200, description = "Rows by time", content(
        (Aggregates = "application/json"),
        (String = "text/csv", example = "tag,time,avg,min,max\n88.100/p,2026-11-23T08:00:00Z,2705,2699.5,2711\n"),
    ))),
)]
async fn of_tag(
    State(state): State<ApiState>,
    visit: Visit,
    Id(id): Id,
    Query(query): Query<Buckets>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let tags = vec![super::tags::visible(&visit, &id)?];
    answer(&state, &visit, tags, &query, &headers).await
}

/// Read aggregates of several tags
///
/// As for one tag, of the tags named or of all tags of an asset, one tag after the other.
#[utoipa::path(
    get,
    path = "/api/v1/aggregates",
    operation_id = "readAggregates",
    tag = "samples",
    params(BucketsOfTags),
    responses((status = 200, description = "Rows by tag and time", content(
        (Aggregates = "application/json"),
        (String = "text/csv", example = "tag,time,avg\n88.100/p,2026-11-23T08:00:00Z,2705\n"),
    ))),
)]
async fn of_tags(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<BucketsOfTags>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let tags = match (&query.tags, &query.asset) {
        (Some(tags), None) => signals::named(&visit, raw.as_deref(), tags)?,
        (None, Some(asset)) => tags_of(&visit, asset)?,
        _ => {
            let detail = "name tags, or else an asset";
            return Err(Failure::field(ProblemCode::InvalidRequest, "tags", detail));
        }
    };
    let BucketsOfTags { from, to, width, offset, functions, .. } = query;
    let query = Buckets { from, to, width, offset, functions, unit: None };
    answer(&state, &visit, tags, &query, &headers).await
}

/// The tags of an asset and of what hangs below it that the caller may see.
fn tags_of(visit: &Visit, asset: &Identifier) -> Result<Vec<Arc<TagEntry>>, Failure> {
    super::assets::visible_asset(visit, Some(asset), "asset")?;
    let tags: Vec<_> = visit.directory(|view| {
        let key = asset.folded();
        let tree = view.subtree(&key);
        let is_below = |tag: &TagEntry| tag.asset.as_deref().is_some_and(|a| tree.contains(a));
        let tags = view.tags_after(None).map(|(_, tag)| tag);
        let tags = tags.filter(|tag| is_below(tag) && visit.sees(view.grade_of_tag(tag)));
        tags.take(ASSET_TAGS_MAX + 1).cloned().collect()
    })?;
    if tags.len() > ASSET_TAGS_MAX {
        let detail = format!("has more than {ASSET_TAGS_MAX} tags; name one below it");
        return Err(Failure::field(ProblemCode::InvalidRequest, "asset", detail));
    }
    Ok(tags)
}

async fn answer(
    state: &ApiState,
    visit: &Visit,
    tags: Vec<Arc<TagEntry>>,
    query: &Buckets,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let functions = functions(query.functions.as_deref())?;
    let asked = asked(query, visit.now(), &functions)?;
    // All rows stand in memory until the last is read.
    let room = Room::of(state, rows_of(&asked, tags.len()) * size_of::<Aggregate>())?;
    let numbers: Vec<TagId> = tags.iter().map(|tag| tag.tag).collect();
    let in_unit = match (&query.unit, tags.as_slice()) {
        (Some(unit), [tag]) => Some(in_unit(visit, tag, unit, &asked)?),
        _ => None,
    };
    let mut rows = state.historian.aggregate(visit.tenant(), numbers, asked).await?;
    if let Some((_, conversion)) = &in_unit {
        rows = rows.into_iter().map(|row| converted::converted(row, conversion)).collect();
    }
    let unit = in_unit.map(|(unit, _)| unit);
    let ids = tags.iter().map(|tag| (tag.tag, tag.id.to_string())).collect();
    let written = Written { ids, functions, unit, rows, csv: wants_csv(headers) };
    answers::answer(visit, kind_of(written.csv), room, stream::iter(written.pieces())).await
}

/// The unit that a tag's numbers are wanted in, and how they come into it.
fn in_unit(
    visit: &Visit,
    tag: &TagEntry,
    unit: &str,
    asked: &AggregateQuery,
) -> Result<(Unit, Conversion), Failure> {
    let range = (asked.from, asked.to);
    let in_unit = InUnit::of(visit, tag, unit, "unit", range)?;
    // What held at the beginning may have been measured long before.
    let since = if asked.weighted { Timestamp::MIN } else { asked.from };
    let conversion = in_unit.one((since, asked.to)).ok_or_else(|| {
        let detail = format!("{}'s own unit changed in this time; ask without a unit", tag.id);
        Failure::field(ProblemCode::InvalidRequest, "unit", detail)
    })?;
    Ok((in_unit.unit().clone(), conversion))
}

/// How many rows there are at most. A question for more than are answered has none.
fn rows_of(asked: &AggregateQuery, tags: usize) -> usize {
    let span = asked.to.nanos().abs_diff(asked.from.nanos());
    // One more, as the first and the last may be cut.
    let of_tag = span.checked_div(asked.width_ns).map_or(1, |buckets| buckets.saturating_add(2));
    let rows = usize::try_from(of_tag).unwrap_or(usize::MAX).saturating_mul(tags);
    rows.min(AGGREGATE_ROWS_MAX)
}

fn asked(
    query: &Buckets,
    now: Timestamp,
    functions: &[Function],
) -> Result<AggregateQuery, Failure> {
    let (from, to) = bounds(query.from, query.to, RANGE_NANOS, now)?;
    let width = query.width.as_deref().map(|text| signals::span(text, "width")).transpose()?;
    Ok(AggregateQuery {
        from,
        to,
        width_ns: width.unwrap_or_default().unsigned_abs(),
        offset_ns: query.offset.as_deref().map(offset).transpose()?.unwrap_or_default(),
        until: now,
        weighted: functions.iter().any(|function| function.is_weighted()),
        with_empty: true,
    })
}

/// How far a clock is from UTC: `8h`, `-5h`, `+05:30`. A `+` may have come as a blank.
fn offset(text: &str) -> Result<i64, Failure> {
    let wrong = || {
        let detail = "a span such as 8h or -5h, or +08:00, of at most a day";
        Failure::field(ProblemCode::InvalidRequest, "offset", detail)
    };
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("-", rest)) => (-1, rest),
        Some(("+" | " ", rest)) => (1, rest),
        _ => (1, text),
    };
    let nanos = match rest.split_once(':') {
        Some((hours, minutes)) => {
            let two = |text: &str| text.parse::<i64>().ok().filter(|_| text.len() == 2);
            let (hours, minutes) = two(hours).zip(two(minutes)).ok_or_else(wrong)?;
            (hours * 60 + minutes) * 60_000_000_000
        }
        None if matches!(rest, "0" | "Z") => 0,
        None => signals::span(rest, "offset").map_err(|_| wrong())?,
    };
    if (0..=OFFSET_MAX).contains(&nanos) { Ok(sign * nanos) } else { Err(wrong()) }
}

/// What of a bucket is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Avg,
    TimeAvg,
    Total,
    Min,
    Max,
    Sum,
    Count,
    Samples,
    First,
    Last,
    GoodTime,
    UncertainTime,
    BadTime,
    PercentGood,
}

impl Function {
    const ALL: [(&'static str, Self); 14] = [
        ("avg", Self::Avg),
        ("time_avg", Self::TimeAvg),
        ("total", Self::Total),
        ("min", Self::Min),
        ("max", Self::Max),
        ("sum", Self::Sum),
        ("count", Self::Count),
        ("samples", Self::Samples),
        ("first", Self::First),
        ("last", Self::Last),
        ("good_time", Self::GoodTime),
        ("uncertain_time", Self::UncertainTime),
        ("bad_time", Self::BadTime),
        ("percent_good", Self::PercentGood),
    ];

    fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, function)| *function == self);
        found.map_or("", |(name, _)| name)
    }

    /// Whether it is of the time between samples.
    fn is_weighted(self) -> bool {
        matches!(
            self,
            Self::TimeAvg
                | Self::Total
                | Self::GoodTime
                | Self::UncertainTime
                | Self::BadTime
                | Self::PercentGood
        )
    }

    /// What it gives; null where there is none.
    fn of(self, row: &Aggregate) -> Json {
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        let (numbers, weighted) = (row.numbers, row.weighted);
        let value = match self {
            Self::Count => return row.count.into(),
            Self::Samples => return row.samples.into(),
            Self::Avg => row.mean(),
            Self::Min => numbers.map(|numbers| numbers.min),
            Self::Max => numbers.map(|numbers| numbers.max),
            Self::Sum => numbers.map(|numbers| numbers.sum),
            Self::First => numbers.map(|numbers| numbers.first.1),
            Self::Last => numbers.map(|numbers| numbers.last.1),
            Self::TimeAvg => weighted.and_then(|weighted| weighted.mean),
            Self::Total => weighted.and_then(|weighted| weighted.total),
            Self::GoodTime => weighted.map(|weighted| seconds(weighted.good_ns)),
            Self::UncertainTime => weighted.map(|weighted| seconds(weighted.uncertain_ns)),
            Self::BadTime => weighted.map(|weighted| seconds(weighted.bad_ns)),
            Self::PercentGood => weighted.and_then(|weighted| weighted.percent_good()),
        };
        // What is beyond the range of doubles has no JSON.
        value.map_or(Json::Null, Json::from)
    }
}

fn functions(names: Option<&str>) -> Result<Vec<Function>, Failure> {
    let names = names.unwrap_or("avg,min,max,count");
    let find = |name: &str| Function::ALL.iter().find(|(known, _)| *known == name);
    let mut found = Vec::new();
    for name in names.split(',') {
        let Some((_, function)) = find(name.trim()) else {
            let known: Vec<&str> = Function::ALL.iter().map(|(name, _)| *name).collect();
            let detail = format!("{name} is none of {}", known.join(", "));
            return Err(Failure::field(ProblemCode::InvalidRequest, "functions", detail));
        };
        if !found.contains(function) {
            found.push(*function);
        }
    }
    Ok(found)
}

/// Rows on their way out.
struct Written {
    ids: std::collections::HashMap<TagId, String>,
    functions: Vec<Function>,
    unit: Option<Unit>,
    rows: Vec<Aggregate>,
    csv: bool,
}

impl Written {
    fn pieces(self) -> impl Iterator<Item = Result<Bytes, Failure>> + Send {
        let (head, tail) = match self.csv {
            true => (self.csv_head(), ""),
            false => (self.json_head(), "]}"),
        };
        let chunks = (0..self.rows.len().div_ceil(CHUNK_ROWS)).map(move |chunk| {
            let from = chunk * CHUNK_ROWS;
            let rows = &self.rows[from..self.rows.len().min(from + CHUNK_ROWS)];
            if self.csv { self.csv(rows) } else { self.json(rows, chunk == 0) }
        });
        let all = std::iter::once(head).chain(chunks).chain([tail.to_owned()]);
        all.map(|text| Ok(Bytes::from(text)))
    }

    fn id(&self, row: &Aggregate) -> &str {
        self.ids.get(&row.tag).map_or("", String::as_str)
    }

    fn json_head(&self) -> String {
        let unit = self.unit.as_ref().map(|unit| Json::from(unit.to_string()));
        let unit = unit.map(|unit| format!("\"unit\":{unit},")).unwrap_or_default();
        format!("{{{unit}\"aggregates\":[")
    }

    fn csv_head(&self) -> String {
        let names = self.functions.iter().map(|function| function.name());
        let names: Vec<&str> = ["tag", "time"].into_iter().chain(names).collect();
        names.join(",") + "\n"
    }

    fn csv(&self, rows: &[Aggregate]) -> String {
        let mut out = String::with_capacity(rows.len() * 64);
        for row in rows {
            // A text takes what is written to it.
            let _ = write!(out, "{},{}", csv_cell(self.id(row)), row.start);
            for function in &self.functions {
                let _ = match function.of(row) {
                    Json::Null => write!(out, ","),
                    value => write!(out, ",{value}"),
                };
            }
            out.push('\n');
        }
        out
    }

    fn json(&self, rows: &[Aggregate], is_first: bool) -> String {
        let rows = rows.iter().map(|row| {
            let mut object = Map::new();
            object.insert("tag".to_owned(), self.id(row).into());
            object.insert("time".to_owned(), row.start.to_string().into());
            for function in &self.functions {
                object.insert(function.name().to_owned(), function.of(row));
            }
            Json::Object(object).to_string()
        });
        let rows = rows.collect::<Vec<_>>().join(",");
        if is_first { rows } else { format!(",{rows}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_spans_with_a_sign() {
        let hour = 3_600_000_000_000;
        for (text, nanos) in [
            ("8h", 8 * hour),
            ("-5h", -5 * hour),
            ("+05:30", hour * 11 / 2),
            (" 08:00", 8 * hour),
            ("-00:30", -hour / 2),
            ("0", 0),
            ("Z", 0),
            ("90m", hour * 3 / 2),
        ] {
            assert_eq!(offset(text).unwrap(), nanos, "{text}");
        }
        for text in ["", "+", "8", "25h", "--1h", "1:00", "+-1:-1", "99:99", "é"] {
            assert!(offset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn functions_are_known_by_name() {
        let all: Vec<&str> = Function::ALL.iter().map(|(name, _)| *name).collect();
        assert_eq!(functions(Some(&all.join(","))).unwrap().len(), all.len());
        assert_eq!(functions(None).unwrap().len(), 4);
        assert_eq!(functions(Some("min,min")).unwrap(), [Function::Min]);
        assert!(functions(Some("median")).is_err() && functions(Some("")).is_err());
    }
}
