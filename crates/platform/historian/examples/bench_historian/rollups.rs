//! Aggregates of the plant of `plant.rs`: all tags by hour, and each tag over all time.
//!
//! With one sample in a hundred late, the first question after a flush meets hours whose samples
//! interleave between files and reads them; later ones, and all questions once a day is merged, are
//! answered from rollups. Every answer has to be of all samples.

use std::time::Instant;

use serde_json::{Value as Json, json};
use weir_historian::{Aggregate, AggregateQuery, Historian, Options};
use weir_model::{TagId, Timestamp};

use super::plant::{Plant, SECOND, START, mix};
use super::{Outcome, TENANT, batch, check, cpu_seconds, options};

const TAGS: u32 = 2000;

const HOUR: i64 = 3600 * SECOND;

/// Milliseconds of processor time of each question, first and then again, after the flush and
/// after everything was merged.
pub(crate) async fn bench_rollups(moments: i64) -> Outcome<Json> {
    let dir = tempfile::tempdir()?;
    let options = || Options {
        memory_bytes_max: 512 << 20,
        log_bytes_max: 1 << 30,
        flush_age_max: std::time::Duration::from_secs(3600),
        day_blocks_max: 1000,
        ..options()
    };
    let mut historian = Historian::open(dir.path(), options())?;
    let mut plant = Plant::new(&mix(TAGS));
    let mut samples = Vec::new();
    for moment in 0..moments {
        plant.read(moment, &mut samples);
        if samples.len() >= 10_000 || moment + 1 == moments {
            historian.append(batch(std::mem::take(&mut samples))).await?;
        }
        if (moment + 1) % (moments / 4 + 1) == 0 {
            historian.flush().await?;
        }
    }
    historian.close().await?;
    let (raw_ms, count) = raw(&historian, moments).await?;
    println!("aggregates of {} points of {TAGS} tags, processor time:", moments * i64::from(TAGS));
    println!("  all samples, tag by tag: {raw_ms:.0} ms");
    let mut states = serde_json::Map::new();
    for state in ["flushed", "merged"] {
        if state == "merged" {
            historian.compact().await?;
        }
        // Nothing is remembered.
        historian.close().await?;
        drop(historian);
        historian = Historian::open(dir.path(), options())?;
        let mut tracks = serde_json::Map::new();
        for (name, width_ns, weighted) in [
            ("by_hour", HOUR, false),
            ("by_hour_weighted", HOUR, true),
            ("per_tag", 0, false),
            ("per_tag_weighted", 0, true),
        ] {
            let query = AggregateQuery {
                from: Timestamp::from_nanos(START),
                to: Timestamp::from_nanos(START + moments * SECOND),
                width_ns: width_ns.unsigned_abs(),
                offset_ns: 0,
                until: Timestamp::from_nanos(START + moments * SECOND),
                weighted,
                with_empty: false,
            };
            let first = timed(&historian, query, count, 1).await?;
            let again = timed(&historian, query, count, 20).await?;
            println!("  {state}, {name}: {first:.1} ms at first, {again:.2} ms again");
            tracks.insert(name.to_owned(), json!([first, again]));
        }
        states.insert(state.to_owned(), tracks.into());
    }
    Ok(json!({ "raw_ms": raw_ms, "states": states }))
}

fn tags() -> Vec<TagId> {
    (0..TAGS).map(TagId).collect()
}

/// Milliseconds of processor time a question.
async fn timed(
    historian: &Historian,
    query: AggregateQuery,
    count: u64,
    rounds: u32,
) -> Outcome<f64> {
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let mut rows: Vec<Aggregate> = Vec::new();
    for _ in 0..rounds {
        rows = historian.aggregate(TENANT, tags(), query).await?;
    }
    // The system counts processor time in hundredths of a second.
    let wall_ms = wall.elapsed().as_secs_f64() * 1e3;
    let cpu_ms = (cpu_seconds() - cpu) * 1e3;
    check(rows.iter().map(|row| row.samples).sum::<u64>() == count)?;
    let ms = if cpu_ms < 200.0 { wall_ms } else { cpu_ms };
    Ok(ms / f64::from(rounds))
}

/// The same from all samples, in one thread: their number and the sum of the numbers by hour.
async fn raw(historian: &Historian, moments: i64) -> Outcome<(f64, u64)> {
    let cpu = cpu_seconds();
    let mut count = 0;
    for tag in tags() {
        let (from, to) =
            (Timestamp::from_nanos(START), Timestamp::from_nanos(START + moments * SECOND));
        let samples = historian.range(TENANT, tag, from, to, 1_000_000).await?;
        count += samples.len() as u64;
        let numbers = samples.iter().filter_map(|sample| sample.value.as_ref()?.as_f64());
        std::hint::black_box(numbers.sum::<f64>());
    }
    check(count > 0)?;
    Ok(((cpu_seconds() - cpu) * 1e3, count))
}
