//! Durable batches of a whole plant, of ten thousand tags and of a million.

use std::collections::HashMap;
use std::time::Instant;

use serde_json::{Value as Json, json};
use weir_historian::Historian;
use weir_model::{Batch, Sample, SampleColumns, TagId, Timestamp};

use super::plant::{Plant, mix};
use super::{Outcome, TENANT, batch, options, status};

/// Samples of one batch.
const BATCH: usize = 10_000;

/// Batches that are made before the clock runs, so that making them is not measured.
const AHEAD: usize = 20;

/// The thread that writes blocks.
const KEEPER: &str = "weir-keeper";

/// Points a processor second and the wait for the answer, by number of tags.
pub(crate) async fn bench_ingest(quick: bool) -> Outcome<Json> {
    println!(
        "durable batches of {BATCH} (points a processor second; with blocks; median and 99th percentile)"
    );
    let all: &[u32] = if quick { &[10_000, 100_000] } else { &[10_000, 100_000, 1_000_000] };
    let points = if quick { 2_000_000 } else { 10_000_000 };
    let mut rows = Vec::new();
    for tags in all {
        rows.push(track(*tags, points).await?);
    }
    Ok(rows.into())
}

/// Processor seconds, of the keeper and of all others.
#[derive(Debug, Default, Clone, Copy)]
struct Cpu {
    keeper: f64,
    others: f64,
}

async fn track(tags: u32, points: usize) -> Outcome<Json> {
    let dir = tempfile::tempdir()?;
    let historian = Historian::open(dir.path(), options())?;
    let mut plant = Plant::new(&mix(tags));
    // Every tag once: that is not steady.
    let samples = plant.first();
    let mut source = Source { moment: 0, samples, at: 0, plant: &mut plant };
    for _ in 0..(tags as usize).div_ceil(BATCH) {
        historian.append(source.next()).await?;
    }
    let (mut cpu, mut seconds, mut stored, mut waits) = (0.0, 0.0, 0, Vec::new());
    let before = cpu_now();
    while stored < points {
        let ahead: Vec<Batch> = (0..AHEAD).map(|_| source.next()).collect();
        let (started, then) = (Instant::now(), cpu_now());
        for batch in ahead {
            stored += batch.samples.len();
            let asked = Instant::now();
            historian.append(batch).await?;
            waits.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        seconds += started.elapsed().as_secs_f64();
        cpu += cpu_now().others - then.others;
    }
    historian.flush().await?;
    let blocks = cpu_now().keeper - before.keeper;
    waits.sort_unstable_by(f64::total_cmp);
    let wait = |percent: usize| waits[waits.len() * percent / 100];
    let last_all_ms = {
        let all: Vec<TagId> = (0..tags).map(TagId).collect();
        let started = Instant::now();
        let columns = SampleColumns { times: true, numbers: true, qualities: true, texts: true };
        let found = historian.last_page(TENANT, &all, (Timestamp::MIN, Timestamp::MAX), columns);
        let took = started.elapsed().as_secs_f64() * 1e3;
        super::check(found.rows() > tags as usize / 2)?;
        took
    };
    historian.close().await?;
    let per_s = |seconds: f64| (stored as f64 / seconds.max(1e-3)).round();
    println!(
        "  {tags:9} tags: {:>11.0} {:>11.0} {:>8.2} ms {:>8.2} ms; all last values {last_all_ms:.1} ms",
        per_s(cpu),
        per_s(cpu + blocks),
        wait(50),
        wait(99),
    );
    Ok(json!({
        "tags": tags,
        "durable_points_per_cpu_s": per_s(cpu),
        "durable_points_per_cpu_s_with_blocks": per_s(cpu + blocks),
        "points_per_s": per_s(seconds),
        "ack_p50_ms": wait(50),
        "ack_p99_ms": wait(99),
        "last_all_ms": last_all_ms,
        "peak_rss_mb": status("VmHWM:").map(|kib| kib / 1024),
    }))
}

/// Batches of a plant, moment after moment.
struct Source<'p> {
    moment: i64,
    samples: Vec<(TagId, Sample)>,
    /// Where the next batch begins.
    at: usize,
    plant: &'p mut Plant,
}

impl Source<'_> {
    fn next(&mut self) -> Batch {
        if self.samples.len() - self.at < BATCH {
            self.samples.drain(..self.at);
            self.at = 0;
        }
        while self.samples.len() - self.at < BATCH {
            self.plant.read(self.moment, &mut self.samples);
            self.moment += 1;
        }
        let from = self.at;
        self.at += BATCH;
        batch(self.samples[from..self.at].to_vec())
    }
}

/// Processor time of all threads so far, to the nanosecond; nothing where the system does not tell.
fn cpu_now() -> Cpu {
    let mut cpu = Cpu::default();
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().filter_map(Result::ok);
    let mut by_name: HashMap<String, f64> = HashMap::new();
    for thread in threads {
        let read =
            |name: &str| std::fs::read_to_string(thread.path().join(name)).unwrap_or_default();
        let nanos = read("schedstat").split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
        *by_name.entry(read("comm").trim().to_owned()).or_default() += nanos.unwrap_or(0.0) / 1e9;
    }
    for (name, seconds) in by_name {
        if name == KEEPER { cpu.keeper += seconds } else { cpu.others += seconds }
    }
    cpu
}
