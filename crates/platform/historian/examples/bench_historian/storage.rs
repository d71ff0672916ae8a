//! Bytes a point of what a factory measures.
//!
//! A hundred tags are 50 sensors of one to three decimals (a fifth of them singles, as controllers
//! send them), 10 setpoints, 10 counters, 8 integers, 8 states, 8 switches, 3 computed doubles with
//! all their digits, and 3 texts. Every tag is read each second: half of them on the spot, four in
//! ten up to 4 ms late, one in ten up to 100 us late. One sample in a hundred arrives up to 100 s
//! after its turn, one in a thousand has no value.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value as Json, json};
use weir_historian::{Historian, Options};
use weir_model::{Quality, Sample, TagId, Timestamp, Value};

use super::{Outcome, Random, SECOND, START, batch, cpu_seconds, options};

const TAGS: u32 = 2000;

/// Classes of tags, and of how many in a hundred.
const CLASSES: [(Class, u32); 8] = [
    (Class::Sensor, 50),
    (Class::Setpoint, 10),
    (Class::Counter, 10),
    (Class::Integer, 8),
    (Class::State, 8),
    (Class::Switch, 8),
    (Class::Double, 3),
    (Class::Text, 3),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Sensor,
    Setpoint,
    Counter,
    Integer,
    State,
    Switch,
    Double,
    Text,
}

/// Bytes a point of the mix and of every class, and points a processor second.
pub(crate) async fn bench_storage(moments: i64) -> Outcome<Json> {
    let all: Vec<Class> = (0..TAGS).map(|tag| class(tag * 37 % 100)).collect();
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

fn class(percent: u32) -> Class {
    let mut below = 0;
    let found = CLASSES.iter().find(|(_, share)| {
        below += share;
        percent < below
    });
    found.map_or(Class::Text, |(class, _)| *class)
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

/// All tags, as they are read moment by moment.
struct Plant {
    tags: Vec<Tag>,
    random: Random,
    /// Samples that arrive after their turn, by the moment they do.
    late: std::collections::VecDeque<Vec<(TagId, Sample)>>,
}

struct Tag {
    class: Class,
    /// Where in the second its device is read, in nanoseconds.
    phase: i64,
    jitter: Jitter,
    level: f64,
    held: i64,
}

#[derive(Clone, Copy)]
enum Jitter {
    None,
    Milliseconds,
    Microseconds,
}

/// Seconds by which a sample may be late.
const LATE_MAX: u64 = 100;

impl Plant {
    fn new(classes: &[Class]) -> Self {
        let mut random = Random(7);
        let tags = classes.iter().enumerate().map(|(index, class)| Tag {
            class: *class,
            phase: (random.next() % 900) as i64 * 1_000_000,
            jitter: match index % 10 {
                0..=4 => Jitter::None,
                5..=8 => Jitter::Milliseconds,
                _ => Jitter::Microseconds,
            },
            level: random.unit() * 100.0,
            held: (random.next() % 1000) as i64,
        });
        let tags = tags.collect();
        Self { tags, random, late: (0..=LATE_MAX).map(|_| Vec::new()).collect() }
    }

    fn read(&mut self, moment: i64, samples: &mut Vec<(TagId, Sample)>) {
        samples.extend(self.late.pop_front().unwrap_or_default());
        self.late.push_back(Vec::new());
        for (index, tag) in self.tags.iter_mut().enumerate() {
            let random = &mut self.random;
            let jitter = match tag.jitter {
                Jitter::None => 0,
                Jitter::Milliseconds => (random.next() % 5) as i64 * 1_000_000,
                Jitter::Microseconds => (random.next() % 100) as i64 * 1000,
            };
            let time = Timestamp::from_nanos(START + moment * SECOND + tag.phase + jitter);
            let value = tag.value(index, moment, random);
            let sample = match random.next() % 1000 {
                0 => Sample::without_value(time, Quality::TIMEOUT),
                _ => Sample::good(time, value),
            };
            let sample = (TagId(index as u32), sample);
            match random.next() % 100 {
                0 => self.late[(random.next() % LATE_MAX) as usize].push(sample),
                _ => samples.push(sample),
            }
        }
    }
}

impl Tag {
    fn value(&mut self, index: usize, moment: i64, random: &mut Random) -> Value {
        match self.class {
            Class::Sensor => {
                // Decimals, how far it wanders in a second, and its noise: in last digits.
                let (decimals, wander, noise) = match index % 5 {
                    0 | 1 => (10.0, 0.3, 0.5),
                    2 | 3 => (100.0, 1.0, 2.0),
                    _ => (1000.0, 3.0, 5.0),
                };
                // It wanders around a level that it comes back to.
                let back = (50.0 - self.level) * 1e-4;
                self.level += random.normal() * wander / decimals + back;
                let read = self.level + random.normal() * noise / decimals;
                let value = (read * decimals).round() / decimals;
                let single = (index / 5).is_multiple_of(5);
                Value::F64(if single { f64::from(value as f32) } else { value })
            }
            Class::Setpoint => {
                if random.next().is_multiple_of(1500) {
                    self.level = (random.unit() * 400.0).round() / 2.0;
                }
                Value::F64(self.level.round())
            }
            Class::Counter => {
                self.held += (random.next() % 4) as i64;
                Value::U64(self.held as u64)
            }
            Class::Integer => Value::I64(1480 + (random.normal() * 3.0).round() as i64),
            Class::State => {
                if random.next().is_multiple_of(200) {
                    self.held = (random.next() % 6) as i64;
                }
                Value::Enumeration(self.held % 6)
            }
            Class::Switch => Value::Bool((moment + self.held) / (60 + self.held % 300) % 2 == 0),
            Class::Double => {
                self.level += random.normal() * 0.05;
                Value::F64(self.level)
            }
            Class::Text => {
                let order = (moment + self.held) / 700;
                Value::Text(format!("order {} of line {}", 48_000 + order, index % 7).into())
            }
        }
    }
}
