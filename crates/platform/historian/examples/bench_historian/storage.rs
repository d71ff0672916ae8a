//! Bytes a point of what a factory measures.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value as Json, json};
use weir_historian::{Historian, Options};
use weir_model::{Sample, TagId, Timestamp, Value};

use super::plant::{CLASSES, Class, Plant, mix};
use super::{Outcome, batch, cpu_seconds, options};

const TAGS: u32 = 2000;

/// Bytes a point of the mix and of every class, and points a processor second.
pub(crate) async fn bench_storage(moments: i64) -> Outcome<Json> {
    let all = mix(TAGS);
    let mix = measure(&all, moments).await?;
    println!(
        "storage: {} points of {TAGS} tags, {:.3} bytes a point after the flush, {:.3} merged",
        mix.points, mix.flushed, mix.merged
    );
    println!(
        "  {:.0} points a processor second from append to blocks, {:.0} merged",
        mix.points as f64 / mix.flush_cpu_s,
        mix.points as f64 / mix.merge_cpu_s,
    );
    let mut classes = serde_json::Map::new();
    for (of, _) in CLASSES {
        let found = measure(&[of; 40], moments.max(4000)).await?;
        println!("  {of:?}: {:.3} bytes a point, {:.3} merged", found.flushed, found.merged);
        classes.insert(format!("{of:?}").to_lowercase(), json!([found.flushed, found.merged]));
    }
    Ok(json!({
        "points": mix.points,
        "bytes_per_point": mix.flushed,
        "bytes_per_point_merged": mix.merged,
        "bytes_per_point_by_class": classes,
        "log_bytes_per_point": mix.log,
        "points_per_cpu_s_to_blocks": (mix.points as f64 / mix.flush_cpu_s).round(),
        "points_per_cpu_s_merged": (mix.points as f64 / mix.merge_cpu_s).round(),
    }))
}

/// Bytes a value of a recording: lines of `2020-03-09 10:14:33;1.5;2.25`, a tag for each column.
pub(crate) async fn bench_recording(path: &Path) -> Outcome<Json> {
    let text = std::fs::read_to_string(path)?;
    let dir = tempfile::tempdir()?;
    let historian = Historian::open(dir.path(), options())?;
    let mut values = 0;
    let mut samples = Vec::new();
    for line in text.lines() {
        let mut cells = line.split(';');
        let time = cells.next().unwrap_or_default().replace(' ', "T") + "Z";
        // Not so: the line of names.
        let Ok(time) = Timestamp::parse(&time) else { continue };
        for (tag, cell) in cells.enumerate() {
            samples.push((TagId(tag as u32), Sample::good(time, Value::F64(cell.parse()?))));
            values += 1;
        }
        if samples.len() >= 10_000 {
            historian.append(batch(std::mem::take(&mut samples))).await?;
        }
    }
    if !samples.is_empty() {
        historian.append(batch(samples)).await?;
    }
    historian.close().await?;
    let bytes_per_value = bytes_below(&dir.path().join("blocks")) as f64 / f64::from(values);
    println!("recording: {values} values, {bytes_per_value:.3} bytes a value");
    Ok(json!({ "values": values, "bytes_per_value": bytes_per_value }))
}

struct Found {
    points: usize,
    flushed: f64,
    merged: f64,
    log: f64,
    flush_cpu_s: f64,
    merge_cpu_s: f64,
}

async fn measure(classes: &[Class], moments: i64) -> Outcome<Found> {
    let dir = tempfile::tempdir()?;
    let points = classes.len() * moments as usize;
    let size = |dir: &Path| bytes_below(&dir.join("blocks")) as f64 / points as f64;
    let large = |day_blocks_max| Options {
        memory_bytes_max: 512 << 20,
        log_bytes_max: 1 << 30,
        flush_age_max: std::time::Duration::from_secs(3600),
        day_blocks_max,
        ..options()
    };
    let historian = Historian::open(dir.path(), large(1000))?;
    let mut plant = Plant::new(classes);
    let mut samples = Vec::new();
    let mut log = 0.0;
    let (mut cpu, parts) = (0.0, 4);
    for moment in 0..moments {
        plant.read(moment, &mut samples);
        if samples.len() >= 10_000 || moment + 1 == moments {
            let count = samples.len() as f64;
            let batch = batch(std::mem::take(&mut samples));
            let before = (cpu_seconds(), historian.stats().wal_bytes);
            historian.append(batch).await?;
            cpu += cpu_seconds() - before.0;
            let after = historian.stats().wal_bytes;
            log = if after > before.1 { (after - before.1) as f64 / count } else { log };
        }
        if (moment + 1) % (moments / parts + 1) == 0 {
            let before = cpu_seconds();
            historian.flush().await?;
            cpu += cpu_seconds() - before;
        }
    }
    historian.close().await?;
    drop(historian);
    let flushed = size(dir.path());
    // One more block, and they are too many.
    let historian = Historian::open(dir.path(), large(1))?;
    let started = (Instant::now(), cpu_seconds());
    plant.read(moments, &mut samples);
    historian.append(batch(samples)).await?;
    historian.close().await?;
    let merge_cpu_s = (cpu_seconds() - started.1).max(1e-2);
    let merged = size(dir.path());
    Ok(Found { points, flushed, merged, log, flush_cpu_s: cpu.max(1e-2), merge_cpu_s })
}

fn bytes_below(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return std::fs::metadata(path).map_or(0, |file| file.len());
    };
    entries.filter_map(Result::ok).map(|entry| bytes_below(&entry.path())).sum()
}
