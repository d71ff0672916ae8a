//! Processor time of statements over a historian's blocks.
//!
//! `--dir FOLDER` keeps the blocks there, or takes those that are there; `--moments N` is how many
//! seconds of the 2,000 tags there are (10,000: 2*10^7 points), `--rounds N` how often each statement
//! is run, `--only WORD` those whose name has the word. Each line has the median of processor and wall time.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use weir_historian::{Historian, Options};
use weir_model::{
    AssetRow, Batch, RollupsWanted, Sample, SampleColumns, SamplePage, SamplesWanted, TagId,
    TagRow, TenantId, Timestamp,
};
use weir_query::{Engine, Format, Limits, Pages, RollupPages, Source, SourceError, Wanted};

#[path = "../../historian/examples/bench_historian/plant.rs"]
#[expect(dead_code, reason = "the plant is measured in other ways as well")]
mod plant;

use plant::{Plant, SECOND, START};

const TENANT: TenantId = TenantId(1);
const TAGS: u32 = 2000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Statements by name; times are counted from the first sample.
const STATEMENTS: &[(&str, &str)] = &[
    ("last one", "SELECT time, value FROM last_values WHERE tag = 'bench/tag-01230'"),
    ("last all", "SELECT tag, time, value FROM last_values"),
    (
        "raw hour",
        "SELECT time, value FROM samples WHERE tag = 'bench/tag-01230' AND time >= '2026-11-23T01:00:00Z' \
         AND time < '2026-11-23T02:00:00Z' ORDER BY time",
    ),
    (
        "downsample one",
        "SELECT time_bucket('1 minute', time) AS t, avg(value), min(value), max(value) FROM samples \
         WHERE tag = 'bench/tag-01230' GROUP BY t ORDER BY t",
    ),
    (
        "downsample ten",
        "SELECT tag, time_bucket('1 minute', time) AS t, avg(value), min(value), max(value) FROM samples \
         WHERE tag IN ('bench/tag-00010', 'bench/tag-00210', 'bench/tag-00410', 'bench/tag-00610', 'bench/tag-00810', \
         'bench/tag-01010', 'bench/tag-01210', 'bench/tag-01410', 'bench/tag-01610', 'bench/tag-01810') \
         GROUP BY tag, t ORDER BY tag, t",
    ),
    (
        "downsample all",
        "SELECT tag, time_bucket('1 hour', time) AS t, avg(value), min(value), max(value) FROM samples \
         GROUP BY tag, t ORDER BY tag, t",
    ),
    (
        "aggregate by tag",
        "SELECT tag, count(*), avg(value), min(value), max(value) FROM samples GROUP BY tag ORDER BY tag",
    ),
    ("count", "SELECT count(*) FROM samples"),
    ("count filtered", "SELECT count(*) FROM samples WHERE value > 1e9"),
    ("count half", "SELECT count(*) FROM samples WHERE value > 50"),
    ("count bad", "SELECT count(*) FROM samples WHERE quality = 'bad'"),
    ("filter few", "SELECT tag, time, value FROM samples WHERE value > 15970"),
    (
        "filter some",
        "SELECT tag, time, value FROM samples WHERE value BETWEEN 49.9 AND 50 LIMIT 1000000",
    ),
    ("average of all", "SELECT avg(value), min(value), max(value), count(value) FROM samples"),
    (
        "hourly of all",
        "SELECT time_bucket('1 hour', time) AS t, avg(value), count(*) FROM samples GROUP BY t ORDER BY t",
    ),
    (
        "filter by tag",
        "SELECT tag, count(*) FROM samples WHERE value > 50 GROUP BY tag ORDER BY tag",
    ),
    ("count late half", "SELECT count(*) FROM samples WHERE time >= '2026-11-23T01:23:20Z'"),
    (
        "late half by tag",
        "SELECT tag, avg(value), max(value) FROM samples WHERE time >= '2026-11-23T01:23:20Z' GROUP BY tag ORDER BY tag",
    ),
    (
        "an hour by tag",
        "SELECT tag, avg(value), max(value) FROM samples WHERE time >= '2026-11-23T01:00:00Z' AND \
         time < '2026-11-23T02:00:00Z' GROUP BY tag ORDER BY tag",
    ),
    (
        "ends by tag",
        "SELECT tag, first(value, time), last(value, time) FROM samples GROUP BY tag ORDER BY tag",
    ),
    ("spread by tag", "SELECT tag, stddev(value) FROM samples GROUP BY tag ORDER BY tag"),
    ("qualities", "SELECT quality, count(*) FROM samples GROUP BY quality ORDER BY quality"),
    (
        "good by tag",
        "SELECT tag, avg(value) FROM samples WHERE quality = 'good' GROUP BY tag ORDER BY tag",
    ),
    ("distinct tags", "SELECT count(DISTINCT tag) FROM samples"),
    ("times of all", "SELECT min(time), max(time) FROM samples"),
    (
        "top ten",
        "SELECT tag, max(value) AS top FROM samples GROUP BY tag ORDER BY top DESC LIMIT 10",
    ),
    ("newest ten", "SELECT tag, time, value FROM samples ORDER BY time DESC LIMIT 10"),
    (
        "by minute of all",
        "SELECT time_bucket('1 minute', time) AS t, avg(value), count(*) FROM samples GROUP BY t ORDER BY t",
    ),
];

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut dir, mut moments, mut rounds, mut only) = (None, 10_000, 5, String::new());
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} takes a value"));
        match argument.as_str() {
            "--dir" => dir = Some(PathBuf::from(value()?)),
            "--moments" => moments = value()?.parse()?,
            "--rounds" => rounds = value()?.parse::<usize>()?.max(1),
            "--only" => only = value()?,
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let temporary = tempfile::tempdir()?;
    let dir = dir.unwrap_or_else(|| temporary.path().to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    runtime.block_on(run(&dir, moments, rounds, &only))
}

async fn run(dir: &Path, moments: i64, rounds: usize, only: &str) -> Outcome<()> {
    let historian = filled(dir, moments).await?;
    println!("{} points, {} blocks", historian.stats().samples, historian.stats().blocks);
    let limits =
        Limits { time: Duration::from_secs(600), rows_max: 10_000_000, ..Limits::default() };
    let engine = Engine::new(Limits { answer_bytes_max: 1 << 30, ..limits })?;
    let source: Arc<dyn Source> = Arc::new(Bench { historian: historian.clone() });
    for (name, sql) in STATEMENTS.iter().filter(|(name, _)| name.contains(only)) {
        let (mut cpu, mut wall, mut rows) = (Vec::new(), Vec::new(), 0);
        for round in 0..=rounds {
            let started = (Instant::now(), cpu_seconds());
            let answer = engine.run((*sql).to_owned(), Format::Arrow, Arc::clone(&source)).await?;
            // The first opens the blocks.
            if round > 0 {
                cpu.push(cpu_seconds() - started.1);
                wall.push(started.0.elapsed().as_secs_f64());
            }
            rows = answer.rows;
        }
        let median = |mut times: Vec<f64>| {
            times.sort_unstable_by(f64::total_cmp);
            times[times.len() / 2] * 1e3
        };
        println!(
            "{name:18} {:9.2} ms of processor {:9.2} ms {rows:8} rows",
            median(cpu),
            median(wall)
        );
    }
    historian.close().await?;
    Ok(())
}

/// A historian whose blocks are merged.
async fn filled(dir: &Path, moments: i64) -> Outcome<Historian> {
    let options = |day_blocks_max| Options {
        memory_bytes_max: 512 << 20,
        log_bytes_max: 1 << 30,
        flush_age_max: Duration::from_secs(3600),
        queue_wait_max: Duration::from_secs(60),
        day_blocks_max,
        ..Options::default()
    };
    if dir.join("manifest").exists() {
        return Ok(Historian::open(dir, options(1))?);
    }
    let historian = Historian::open(dir, options(1000))?;
    let mut plant = Plant::new(&plant::mix(TAGS));
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
    drop(historian);
    // One more, and they are too many.
    let historian = Historian::open(dir, options(1))?;
    plant.read(moments, &mut samples);
    historian.append(batch(samples)).await?;
    historian.close().await?;
    drop(historian);
    Ok(Historian::open(dir, options(1))?)
}

fn batch(samples: Vec<(TagId, Sample)>) -> Batch {
    let arrival = Timestamp::from_nanos(START + 400 * 86_400 * SECOND);
    Batch { tenant: TENANT, producer: None, backfill: false, arrival, samples: samples.into() }
}

/// All tags of the plant.
struct Bench {
    historian: Historian,
}

impl Source for Bench {
    fn numbers(&self, wanted: Wanted<'_>) -> Result<Vec<(TagId, String)>, SourceError> {
        let id = |tag: u32| format!("bench/tag-{tag:05}");
        let is_wanted = |id: &String, wanted: &BTreeSet<String>| wanted.contains(id);
        let all = (0..TAGS).map(|tag| (TagId(tag), id(tag)));
        Ok(all.filter(|(_, id)| wanted.is_none_or(|ids| is_wanted(id, ids))).collect())
    }

    fn tags(&self, _: Wanted<'_>) -> Result<Vec<TagRow>, SourceError> {
        Ok(Vec::new())
    }

    fn assets(&self) -> Result<Vec<AssetRow>, SourceError> {
        Ok(Vec::new())
    }

    fn last(
        &self,
        tags: &[TagId],
        span: (Timestamp, Timestamp),
        columns: SampleColumns,
    ) -> Result<SamplePage, SourceError> {
        Ok(self.historian.last_page(TENANT, tags, span, columns))
    }

    fn rollups(&self, _: RollupsWanted) -> RollupPages {
        stream::empty().boxed()
    }

    fn samples(&self, wanted: SamplesWanted) -> Pages {
        let reading = self.historian.bulk(TENANT, wanted);
        let pages = stream::try_unfold(reading, |mut reading| async move {
            let page = reading.next().await?;
            Ok::<_, SourceError>(page.map(|page| (page, reading)))
        });
        pages.boxed()
    }
}

/// Processor seconds of this process so far, of all its threads; 0 where the system does not tell.
fn cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e9
}
