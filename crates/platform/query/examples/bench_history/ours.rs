//! The points in a historian of ours: batches in process, its own calls, SQL.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};
use weir_historian::{Aggregate, AggregateQuery, Historian, Options};
use weir_model::{Sample, TagId, Timestamp, Value};
use weir_query::{Engine, Format, Limits, Source};

use super::measure::{
    Row, bytes_below, cpu_seconds, peak_rss_mb, thread_cpu_seconds, timed, write_answer,
};
use super::plant::SECOND;
use super::set::Set;
use super::source::{AllTags, identifier, number};
use super::{Arguments, Outcome, Points, TENANT, batch};

/// Stores the points, settles, asks where answers are wanted, and prints what it took.
pub(super) async fn run(arguments: &Arguments) -> Outcome<()> {
    let historian = Historian::open(&arguments.folder, options())?;
    let ingest = ingest(&historian, arguments.points()?).await?;
    let cpu = cpu_seconds();
    historian.flush().await?;
    let flush_cpu_s = cpu_seconds() - cpu;
    let blocks = arguments.folder.join("blocks");
    let as_loaded = bytes_below(&blocks);
    historian.compact().await?;
    let mut numbers = json!({
        "version": concat!("Weir ", env!("CARGO_PKG_VERSION")),
        "ingest": ingest,
        "flush_cpu_s": flush_cpu_s,
        "settle_cpu_s": cpu_seconds() - cpu,
        "bytes_as_loaded": as_loaded,
        "bytes": bytes_below(&blocks),
    });
    if !arguments.answers.as_os_str().is_empty() {
        let (set, seconds) = (arguments.set, arguments.seconds);
        let calls = calls(&historian, set, seconds, &arguments.answers.join("call")).await?;
        let sql = sql(&historian, set, seconds, &arguments.answers.join("sql")).await?;
        numbers["calls"] = calls;
        numbers["queries"] = sql;
    }
    numbers["peak_rss_mb"] = json!(peak_rss_mb());
    historian.close().await?;
    println!("{numbers}");
    Ok(())
}

pub(super) fn options() -> Options {
    Options { queue_wait_max: Duration::from_secs(60), ..Options::default() }
}

/// Each batch, and what it took until it was durable; making it is not counted.
async fn ingest(historian: &Historian, mut points: Points) -> Outcome<Json> {
    let (mut count, mut making, mut waits) = (0, 0.0, Vec::new());
    let began = cpu_seconds();
    loop {
        let before = thread_cpu_seconds();
        let Some(samples) = points.next() else { break };
        count += samples.len();
        let batch = batch(samples);
        making += thread_cpu_seconds() - before;
        let asked = Instant::now();
        historian.append(batch).await?;
        waits.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    let cpu = cpu_seconds() - began - making;
    waits.sort_unstable_by(f64::total_cmp);
    Ok(json!({
        "points": count,
        "cpu_s": cpu,
        "p50_ms": waits[waits.len() / 2],
        "p99_ms": waits[waits.len() * 99 / 100],
    }))
}

/// The historian's own calls. There is none that looks for samples by their value.
async fn calls(historian: &Historian, set: Set, seconds: f64, folder: &Path) -> Outcome<Json> {
    std::fs::create_dir_all(folder)?;
    let (one, ten, all) = (set.one(), set.ten().to_vec(), all(set));
    let mut taken = Map::new();
    let mut done = |name: &str, rows: Vec<Row>, took: Json| -> Outcome<()> {
        write_answer(&folder.join(format!("{name}.csv")), &rows)?;
        taken.insert(name.to_owned(), took);
        Ok(())
    };
    let last = || historian.last(TENANT, one).into_iter().map(|sample| (one, sample));
    let took = timed(seconds, async || Ok(last().count())).await?;
    done("last_one", last().map(sample_row).collect(), took)?;

    let last = || historian.last_of(TENANT, &all);
    let took = timed(seconds, async || Ok(last().len())).await?;
    done("last_all", last().into_iter().map(sample_row).collect(), took)?;

    let (from, to) = set.hour();
    let (from, to) = (Timestamp::from_nanos(from), Timestamp::from_nanos(to));
    let hour = async || Ok(historian.range(TENANT, one, from, to, 100_000).await?);
    let took = timed(seconds, async || Outcome::Ok(hour().await?.len())).await?;
    let samples: Outcome<Vec<Sample>> = hour().await;
    done("raw_hour", samples?.into_iter().map(|s| sample_row((one, s))).collect(), took)?;

    for (name, tags, width_s) in [
        ("down_one", vec![one], 60),
        ("down_ten", ten, 60),
        ("down_all", all.clone(), 3600),
        ("per_tag", all.clone(), 0),
    ] {
        let query = aggregate(set, width_s);
        let ask = async || Outcome::Ok(historian.aggregate(TENANT, tags.clone(), query).await?);
        let took = timed(seconds, async || Ok(ask().await?.len())).await?;
        let rows = ask().await?;
        let rows = rows.iter().filter_map(|row| aggregate_row(row, width_s > 0));
        done(name, rows.collect(), took)?;
    }
    Ok(taken.into())
}

fn all(set: Set) -> Vec<TagId> {
    (0..set.tags).map(TagId).collect()
}

fn aggregate(set: Set, width_s: i64) -> AggregateQuery {
    let (from, to) = set.span();
    let (from, to) = (Timestamp::from_nanos(from), Timestamp::from_nanos(to));
    let width_ns = (width_s * SECOND).unsigned_abs();
    AggregateQuery {
        from,
        to,
        width_ns,
        offset_ns: 0,
        until: to,
        weighted: false,
        with_empty: false,
    }
}

fn sample_row((tag, sample): (TagId, Sample)) -> Row {
    let number = sample.value.as_ref().and_then(Value::as_f64);
    (tag.0, sample.time.nanos() / 1000, vec![number])
}

/// Average, least, greatest of a stretch of time; of all time, first of all how many.
fn aggregate_row(row: &Aggregate, timed: bool) -> Option<Row> {
    let numbers = row.numbers?;
    let mut cells = vec![row.mean(), Some(numbers.min), Some(numbers.max)];
    if timed {
        return Some((row.tag.0, row.start.nanos() / 1000, cells));
    }
    cells.insert(0, Some(numbers.count as f64));
    Some((row.tag.0, 0, cells))
}

/// The same in SQL, as an Arrow stream.
async fn sql(historian: &Historian, set: Set, seconds: f64, folder: &Path) -> Outcome<Json> {
    std::fs::create_dir_all(folder)?;
    let limits =
        Limits { time: Duration::from_secs(600), rows_max: 10_000_000, ..Limits::default() };
    let engine = Engine::new(Limits { answer_bytes_max: 1 << 30, ..limits })?;
    let source: Arc<dyn Source> =
        Arc::new(AllTags { historian: historian.clone(), tags: set.tags });
    let mut taken = Map::new();
    for (name, text) in statements(set) {
        let ask = async |format| engine.run(text.clone(), format, Arc::clone(&source)).await;
        let took = timed(seconds, async || Ok(ask(Format::Arrow).await?.rows)).await?;
        let answer = ask(Format::Json).await?;
        write_answer(&folder.join(format!("{name}.csv")), &rows(&answer.bytes)?)?;
        taken.insert(name.to_owned(), took);
    }
    Ok(taken.into())
}

/// The questions as the guide has them.
fn statements(set: Set) -> Vec<(&'static str, String)> {
    let one = format!("tag = '{}'", identifier(set.one()));
    let ten = set.ten().map(|tag| format!("'{}'", identifier(tag))).join(", ");
    let (from, to) = set.hour();
    let [from, to] = [from, to].map(|nanos| Timestamp::from_nanos(nanos).to_string());
    let sums = "avg(value), min(value), max(value)";
    let by = |width: &str, of: String| {
        format!(
            "SELECT tag, time_bucket('{width}', time) AS t, {sums} FROM samples {of}\
             GROUP BY tag, t ORDER BY tag, t"
        )
    };
    vec![
        ("last_one", format!("SELECT tag, time, value FROM last_values WHERE {one}")),
        ("last_all", "SELECT tag, time, value FROM last_values".to_owned()),
        (
            "raw_hour",
            format!(
                "SELECT tag, time, value FROM samples WHERE {one} AND time >= '{from}' \
                 AND time < '{to}' ORDER BY time"
            ),
        ),
        ("down_one", by("1 minute", format!("WHERE {one} "))),
        ("down_ten", by("1 minute", format!("WHERE tag IN ({ten}) "))),
        ("down_all", by("1 hour", String::new())),
        (
            "filter_rows",
            format!("SELECT tag, time, value FROM samples WHERE value > {:?}", set.few_above()),
        ),
        (
            "filter_count",
            format!("SELECT NULL, NULL, count(*) FROM samples WHERE value > {:?}", Set::HALF_ABOVE),
        ),
        (
            "per_tag",
            format!(
                "SELECT tag, NULL, count(value), {sums} FROM samples GROUP BY tag ORDER BY tag"
            ),
        ),
    ]
}

/// The rows of an answer in JSON.
fn rows(answer: &[u8]) -> Outcome<Vec<Row>> {
    let answer: Json = serde_json::from_slice(answer)?;
    let rows = answer["rows"].as_array().ok_or("an answer without rows")?;
    rows.iter().map(row).collect()
}

fn row(row: &Json) -> Outcome<Row> {
    let cells = row.as_array().ok_or("a row that is no array")?;
    let tag = cells.first().and_then(Json::as_str).and_then(number).map_or(0, |tag| tag.0);
    let micros = match cells.get(1).and_then(Json::as_str) {
        Some(time) => Timestamp::parse(time)?.nanos() / 1000,
        None => 0,
    };
    Ok((tag, micros, cells.iter().skip(2).map(Json::as_f64).collect()))
}
