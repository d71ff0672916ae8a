//! How fast and how small the historian is, on the machine it runs on.
//!
//! `--quick` ends within a minute, `--storage` looks at bytes a point only, `--ingest` at durable batches
//! of many tags, `--rollups` at aggregates, `--recording FILE` at bytes a value of a recording, `--json` prints one JSON object as the last line. Folders are
//! made where the system keeps temporary files (`TMPDIR`); numbers of `fdatasync` are that disk's.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use weir_historian::{Historian, Options};
use weir_model::{Batch, Sample, TagId, TenantId, Timestamp, Value};

#[path = "bench_historian/ingest.rs"]
mod ingest;
#[path = "bench_historian/plant.rs"]
mod plant;
#[path = "bench_historian/rollups.rs"]
mod rollups;
#[path = "bench_historian/storage.rs"]
mod storage;

use plant::{Random, SECOND, START};

const TENANT: TenantId = TenantId(1);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut quick, mut as_json, mut only_storage, mut only_ingest) = (false, false, false, false);
    let mut only_rollups = false;
    let mut recording = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--recording" => recording = arguments.next().map(Path::new),
            "--quick" => quick = true,
            "--json" => as_json = true,
            "--storage" => only_storage = true,
            "--ingest" => only_ingest = true,
            "--rollups" => only_rollups = true,
            // What `cargo bench` adds.
            "--bench" => {}
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    let result = match recording {
        Some(path) => runtime.block_on(storage::bench_recording(path))?,
        None if only_ingest => runtime.block_on(ingest::bench_ingest(quick))?,
        None if only_rollups => {
            runtime.block_on(rollups::bench_rollups(if quick { 1000 } else { 10_000 }))?
        }
        None if only_storage => {
            runtime.block_on(storage::bench_storage(if quick { 1000 } else { 10_000 }))?
        }
        None => runtime.block_on(run(quick))?,
    };
    if as_json {
        println!("{result}");
    }
    Ok(())
}

async fn run(quick: bool) -> Outcome<Json> {
    let empty = {
        let dir = tempfile::tempdir()?;
        let _historian = Historian::open(dir.path(), options())?;
        status("RssAnon:")
    };
    println!("anonymous memory with an empty historian: {} KiB", empty.unwrap_or(0));
    let append = bench_append(quick).await?;
    let ingest = ingest::bench_ingest(quick).await?;
    let storage = storage::bench_storage(if quick { 1000 } else { 10_000 }).await?;
    let rollups = rollups::bench_rollups(if quick { 1000 } else { 10_000 }).await?;
    let reads = bench_reads(quick).await?;
    let open = bench_open().await?;
    let peak = status("VmHWM:").map(|kib| kib / 1024);
    println!("peak resident memory of this run: {} MB", peak.unwrap_or(0));
    Ok(json!({
        "bench": "historian",
        "durable_points_per_cpu_s": ingest[0]["durable_points_per_cpu_s"],
        "bytes_per_point": storage["bytes_per_point"],
        "raw_hour_ms": reads["raw_hour_ms"],
        "last_all_ms": ingest[0]["last_all_ms"],
        "append": append,
        "ingest": ingest,
        "storage": storage,
        "rollups": rollups,
        "reads": reads,
        "open": open,
        "empty_anonymous_kib": empty,
        "peak_rss_mb": peak,
    }))
}

fn options() -> Options {
    Options { queue_wait_max: Duration::from_secs(60), ..Options::default() }
}

fn batch(samples: Vec<(TagId, Sample)>) -> Batch {
    let arrival = Timestamp::from_nanos(START + 400 * 86_400 * SECOND);
    Batch { tenant: TENANT, producer: None, backfill: false, arrival, samples: samples.into() }
}

/// Samples a second, with so many writers of batches of one size, each waiting for its answer.
async fn bench_append(quick: bool) -> Outcome<Json> {
    println!("durable appends (samples/s; batches/s; 99th percentile of the wait)");
    let lasting = Duration::from_millis(if quick { 800 } else { 4000 });
    let mut rows = Vec::new();
    for grouped in [true, false] {
        for size in [1usize, 100, 10_000] {
            for writers in [1usize, 8, 64] {
                let row = append_track(grouped, size, writers, lasting).await?;
                rows.push(row);
            }
        }
    }
    Ok(rows.into())
}

async fn append_track(
    grouped: bool,
    size: usize,
    writers: usize,
    lasting: Duration,
) -> Outcome<Json> {
    let dir = tempfile::tempdir()?;
    let group_batches_max = if grouped { options().group_batches_max } else { 1 };
    let options = Options { group_batches_max, ..options() };
    let historian = Historian::open(dir.path(), options)?;
    let started = Instant::now();
    let cpu_before = cpu_seconds();
    let batches = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for writer in 0..writers {
        let (historian, batches) = (historian.clone(), Arc::clone(&batches));
        tasks.push(tokio::spawn(async move {
            let mut waits = Vec::new();
            let mut round = 0i64;
            while started.elapsed() < lasting {
                let batch = ingest_batch(writer, size, round);
                let asked = Instant::now();
                historian.append(batch).await?;
                waits.push(asked.elapsed());
                batches.fetch_add(1, Ordering::Relaxed);
                round += 1;
            }
            Outcome::Ok(waits)
        }));
    }
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    let seconds = started.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu_before;
    let batches = batches.load(Ordering::Relaxed) as f64;
    let samples = batches * size as f64;
    waits.sort_unstable();
    let p99_ms = waits.get(waits.len() * 99 / 100).map_or(0.0, |wait| wait.as_secs_f64() * 1e3);
    let how = if grouped { "group commit" } else { "one fsync each" };
    println!(
        "  {how:14} {size:6} a batch, {writers:2} writers: {:>12.0} {:>10.0} {p99_ms:>9.2} ms",
        samples / seconds,
        batches / seconds,
    );
    historian.close().await?;
    Ok(json!({
        "grouped": grouped,
        "batch": size,
        "writers": writers,
        "samples_per_s": (samples / seconds).round(),
        "samples_per_cpu_s": (samples / cpu.max(1e-3)).round(),
        "batches_per_s": (batches / seconds).round(),
        "p99_ms": p99_ms,
    }))
}

/// What a gateway sends: all its tags, a few moments of each.
fn ingest_batch(writer: usize, size: usize, round: i64) -> Batch {
    let samples = (0..size).map(|index| {
        let tag = TagId((writer * 1000 + index % 1000) as u32);
        let time = START + round * SECOND * 10 + (index / 1000) as i64 * SECOND;
        let value = (index as i64 + round) as f64 * 0.25;
        (tag, Sample::good(Timestamp::from_nanos(time), Value::F64(value)))
    });
    batch(samples.collect())
}

async fn bench_reads(quick: bool) -> Outcome<Json> {
    const TAGS: u32 = 20;
    const POINTS: i64 = 1_000_000;
    let dir = tempfile::tempdir()?;
    let historian = Historian::open(dir.path(), options())?;
    let mut random = Random(9);
    // One tag of a million points, 20 Hz for 14 hours, beside others of one a second.
    for part in 0..100 {
        let samples = (part * POINTS / 100..(part + 1) * POINTS / 100).map(|index| {
            let time = Timestamp::from_nanos(START + index * SECOND / 20);
            let value = Value::F64(((index as f64 / 5000.0).sin() * 1e4).round() / 100.0);
            (TagId(0), Sample::good(time, value))
        });
        historian.append(batch(samples.collect())).await?;
        let seconds = part * 500..(part + 1) * 500;
        let others = (1..TAGS).flat_map(|tag| seconds.clone().map(move |second| (tag, second)));
        let others = others.map(|(tag, second)| {
            let time = Timestamp::from_nanos(START + second * SECOND);
            (TagId(tag), Sample::good(time, Value::F64((random.unit() * 1000.0).round() / 10.0)))
        });
        historian.append(batch(others.collect())).await?;
    }
    historian.flush().await?;
    let rounds = if quick { 20 } else { 200 };
    let at = |seconds: i64| Timestamp::from_nanos(START + seconds * SECOND);
    let hour_ms = measure(rounds, async || {
        let (from, to) = (at(7200), at(10_800));
        let samples = historian.range(TENANT, TagId(7), from, to, 100_000).await?;
        check(samples.len() == 3600)
    })
    .await?;
    let fast_hour_ms = measure(rounds, async || {
        let (from, to) = (at(7200), at(10_800));
        let samples = historian.range(TENANT, TagId(0), from, to, 100_000).await?;
        check(samples.len() == 72_000)
    })
    .await?;
    let downsample_ms = measure(rounds.div_ceil(5), async || {
        let (from, to) = (at(0), at(50_000));
        let points = historian.downsample(TENANT, TagId(0), from, to, 1000).await?;
        check((400..=1000).contains(&points.len()))
    })
    .await?;
    let last_us = {
        let started = Instant::now();
        for index in 0..100_000u32 {
            check(historian.last(TENANT, TagId(index % TAGS)).is_some())?;
        }
        started.elapsed().as_secs_f64() * 10.0
    };
    println!(
        "reads: raw hour of 3,600 samples {hour_ms:.2} ms, of 72,000 {fast_hour_ms:.2} ms; \
         1,000,000 samples to 1,000 points {downsample_ms:.1} ms; last value {last_us:.2} us"
    );
    historian.close().await?;
    Ok(json!({
        "raw_hour_ms": hour_ms,
        "raw_hour_20hz_ms": fast_hour_ms,
        "downsample_1m_ms": downsample_ms,
        "last_one_us": last_us,
    }))
}

/// Opening a folder whose log is as full as it gets.
async fn bench_open() -> Outcome<Json> {
    let dir = tempfile::tempdir()?;
    let historian = Historian::open(dir.path(), options())?;
    let mut round = 0;
    while historian.stats().memory_bytes < Options::default().memory_bytes_max * 9 / 10 {
        historian.append(ingest_batch(0, 10_000, round)).await?;
        round += 1;
    }
    let log_bytes = historian.stats().wal_bytes;
    drop(historian);
    let before = status("RssAnon:").unwrap_or(0);
    let (historian, open_ms) = open_timed(dir.path())?;
    let memory = status("RssAnon:").unwrap_or(0).saturating_sub(before);
    println!("open: log of {:.1} MB in {open_ms:.1} ms", log_bytes as f64 / 1e6);
    drop(historian);
    Ok(json!({ "log_bytes": log_bytes, "open_ms": open_ms, "anonymous_kib": memory }))
}

fn open_timed(dir: &Path) -> Outcome<(Historian, f64)> {
    let started = Instant::now();
    let historian = Historian::open(dir, options())?;
    Ok((historian, started.elapsed().as_secs_f64() * 1e3))
}

/// The median of so many rounds in milliseconds.
async fn measure(rounds: usize, round: impl AsyncFn() -> Outcome<()>) -> Outcome<f64> {
    round().await?;
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let started = Instant::now();
        round().await?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_unstable_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn check(holds: bool) -> Outcome<()> {
    if holds { Ok(()) } else { Err("a read gave another answer than expected".into()) }
}

/// A line of the process's status, in KiB; none where the system has no such file.
fn status(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Processor seconds of this process so far; 0 where the system does not tell. The system counts
/// in hundredths.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = text.rsplit(") ").next().unwrap_or_default();
    let fields = behind_name.split(' ').skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}
