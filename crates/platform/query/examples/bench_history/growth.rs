//! What a raw hour of one tag takes as history grows.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value as Json, json};
use weir_historian::Historian;
use weir_model::{TagId, Timestamp};

use super::measure::{bytes_below, cpu_seconds, peak_rss_mb, timed};
use super::ours::options;
use super::plant::{Plant, SECOND, START, mix};
use super::{Outcome, TENANT, batch};

const TAGS: u32 = 2000;

/// The first measurement, after which each has ten times as many points.
const FIRST: u64 = 10_000_000;

/// Tags that are asked for one after another when nothing is open yet.
const COLD: u32 = 50;

/// Prints one JSON object: a row for each power of ten up to so many points.
pub(super) async fn run(folder: &Path, up_to: u64) -> Outcome<()> {
    let mut plant = Plant::new(&mix(TAGS));
    let (mut moment, mut stored, mut samples) = (0, 0, Vec::new());
    let mut rows = Vec::new();
    let mut mark = FIRST;
    while mark <= up_to {
        let historian = Historian::open(folder, options())?;
        let cpu = cpu_seconds();
        while stored < mark {
            for _ in 0..5 {
                plant.read(moment, &mut samples);
                moment += 1;
            }
            stored += samples.len() as u64;
            historian.append(batch(std::mem::take(&mut samples))).await?;
        }
        historian.compact().await?;
        historian.close().await?;
        let filled_cpu_s = cpu_seconds() - cpu;
        drop(historian);
        let row = hour(folder, moment).await?;
        let row = json!({
            "points": stored,
            "filled_cpu_s": filled_cpu_s,
            "bytes": bytes_below(&folder.join("blocks")),
            "peak_rss_mb": peak_rss_mb(),
            "warm": row.0,
            "cold_ms": row.1,
        });
        eprintln!("  {row}");
        rows.push(row);
        mark *= 10;
    }
    println!("{}", json!({ "growth": rows }));
    Ok(())
}

/// An hour in the middle: of one tag again and again, and at first, of tags that nobody asked for yet in a
/// historian that was just opened (the system may still have its files in memory).
async fn hour(folder: &Path, moments: i64) -> Outcome<(Json, f64)> {
    let historian = Historian::open(folder, options())?;
    let from = START + (moments - 3600) / 2 * SECOND;
    let (from, to) = (Timestamp::from_nanos(from), Timestamp::from_nanos(from + 3600 * SECOND));
    let ask = async |tag| Outcome::Ok(historian.range(TENANT, tag, from, to, 100_000).await?.len());
    let mut waits = Vec::new();
    for index in 0..COLD {
        let asked = Instant::now();
        ask(TagId(index * TAGS / COLD)).await?;
        waits.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    waits.sort_unstable_by(f64::total_cmp);
    let warm = timed(1.0, async || ask(TagId(1030)).await).await?;
    historian.close().await?;
    Ok((warm, waits[waits.len() / 2]))
}
