//! Tests of the whole historian.

mod aggregates;
mod crash;
mod damage;
mod deeds;
mod dice;
mod faults;
mod flipped;
mod flow;
mod format;
mod jobs;
mod model;
mod points;
mod power;
mod repair;
mod room;
mod seeds;
mod sizes;
mod upkeep;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use weir_model::{Batch, Producer, Sample, Samples, TagId, TenantId, Timestamp, Value};

use crate::{Clock, Historian, Options};

/// The time that tests count from: 2026-11-23T08:00:00Z.
pub(crate) const START: i64 = 1_795_420_800_000_000_000;

pub(crate) const SECOND: i64 = 1_000_000_000;

pub(crate) const DAY: i64 = 86_400 * SECOND;

pub(crate) const TENANT: TenantId = TenantId(1);

pub(crate) fn at(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(START + nanos)
}

pub(crate) fn number(nanos: i64, value: f64) -> Sample {
    Sample::good(at(nanos), Value::F64(value))
}

/// A batch of tenant 1 that arrives long after its samples.
pub(crate) fn batch(samples: Vec<(TagId, Sample)>) -> Batch {
    let arrival = at(1000 * DAY);
    Batch { tenant: TENANT, producer: None, backfill: false, arrival, samples: samples.into() }
}

pub(crate) fn produced(name: &str, sequence: u64, samples: impl Into<Samples>) -> Batch {
    let producer = Some(Producer::new(name, sequence).unwrap());
    Batch { producer, samples: samples.into(), ..batch(vec![]) }
}

/// Options under which nothing is flushed by itself.
pub(crate) fn options() -> Options {
    Options { flush_age_max: Duration::from_secs(3600), ..Options::default() }
}

/// A clock that stands still until it is set; it begins at [`START`].
#[derive(Debug, Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START)))
    }

    pub(crate) fn clock(&self) -> Clock {
        let time = Arc::clone(&self.0);
        Clock::new(move || Timestamp::from_nanos(time.load(Ordering::SeqCst)))
    }

    pub(crate) fn pass(&self, nanos: i64) {
        self.0.fetch_add(nanos, Ordering::SeqCst);
    }
}

pub(crate) fn open(dir: &Path) -> Historian {
    Historian::open(dir, options()).unwrap()
}

pub(crate) async fn all(historian: &Historian, tag: u32) -> Vec<Sample> {
    let (from, to) = (Timestamp::MIN, Timestamp::MAX);
    historian.range(TENANT, TagId(tag), from, to, 1_000_000).await.unwrap()
}

/// The only file below a folder whose name ends so.
pub(crate) fn only_file(dir: &Path, suffix: &str) -> std::path::PathBuf {
    let mut files = files(dir, suffix);
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// The files below a folder whose names end so.
pub(crate) fn files(dir: &Path, suffix: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, suffix));
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    found.sort();
    found
}
