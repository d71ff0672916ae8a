//! A supervisor with some drivers and a sink that remembers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use weir_model::{Batch, Identifier, Quality, Sample, TagId, TenantId, Timestamp, Value};

use crate::{
    Clock, DeviceSpec, DeviceStatus, Driver, DriverError, Options, Refused, Sink, State,
    Supervisor, SystemClock, WriteReport,
};

/// The tenant of all devices of a bench.
pub const TENANT: TenantId = TenantId(1);

/// How far in the future a time may lie, as the historian has it unless set otherwise.
const FUTURE_MAX: Duration = Duration::from_secs(600);

/// How long a bench waits for what must happen; far beyond what an idle machine takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Memory {
    samples: Vec<(TagId, Sample, bool)>,
    refusing: bool,
}

/// Remembers what it takes, and takes what the historian would.
#[derive(Default)]
struct Remembering(Mutex<Memory>);

#[async_trait]
impl Sink for Remembering {
    async fn deliver(&self, batch: Batch) -> Result<(), Refused> {
        let mut memory = self.0.lock().unwrap();
        if memory.refusing {
            return Err(Refused::Later("the test says so".to_owned()));
        }
        let future = i64::try_from(FUTURE_MAX.as_nanos()).unwrap_or(i64::MAX);
        let latest = SystemClock.now().saturating_add(future);
        if batch.samples.iter().any(|(_, sample)| sample.time > latest) {
            return Err(Refused::Never("a time lies in the future".to_owned()));
        }
        let backfill = batch.backfill;
        memory.samples.extend(batch.samples.iter().map(|(t, s)| (t, s, backfill)));
        Ok(())
    }

    fn newest(&self, _: TenantId, tags: &[TagId]) -> Option<Timestamp> {
        let memory = self.0.lock().unwrap();
        memory.samples.iter().filter(|(t, ..)| tags.contains(t)).map(|(_, s, _)| s.time).max()
    }
}

/// A supervisor with some drivers and a sink that remembers. It dies with this value.
pub struct Bench {
    /// The supervisor.
    pub supervisor: Supervisor,
    sink: Arc<Remembering>,
    _dir: tempfile::TempDir,
}

/// The identifier of a bench's n-th device.
pub fn device_id(n: u32) -> Identifier {
    format!("88.100/d{n}").parse().unwrap()
}

/// The tag of the n-th device's i-th point.
pub fn tag(n: u32, i: usize) -> TagId {
    TagId(n * 10_000 + u32::try_from(i).unwrap())
}

/// A device that is to time out soon. Elsewhere a busy machine must not look like a slow device.
pub fn impatient(mut device: DeviceSpec) -> DeviceSpec {
    device.settings["timeout_ms"] = json!(300);
    device
}

impl Bench {
    /// A bench whose devices connect anew soon after they were lost.
    pub fn new(drivers: Vec<Arc<dyn Driver>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sink = Arc::new(Remembering::default());
        let mut options = Options::new(dir.path());
        options.backoff.base = Duration::from_millis(40);
        options.backoff.cap = Duration::from_millis(200);
        options.backoff.floor = Duration::from_millis(5);
        let taking = Arc::clone(&sink) as Arc<dyn Sink>;
        let supervisor = Supervisor::new(drivers, taking, options).unwrap();
        Self { supervisor, sink, _dir: dir }
    }

    /// Starts or changes a device.
    pub async fn apply(&self, spec: DeviceSpec) {
        self.supervisor.apply(spec).await.unwrap();
    }

    /// Whether the sink refuses from now on.
    pub fn refuse(&self, refusing: bool) {
        self.sink.0.lock().unwrap().refusing = refusing;
    }

    /// What the n-th device is doing.
    pub fn status(&self, n: u32) -> DeviceStatus {
        self.supervisor.status(TENANT, &device_id(n)).unwrap()
    }

    /// Why the n-th device is in its state.
    pub fn reason(&self, n: u32) -> String {
        self.status(n).reason.unwrap_or_default()
    }

    /// Writes, confirmed.
    ///
    /// # Errors
    /// What the supervisor answers.
    pub async fn write(&self, n: u32, i: usize, value: Value) -> Result<WriteReport, DriverError> {
        self.supervisor.write(TENANT, &device_id(n), tag(n, i), value, true).await
    }

    /// All samples of a point in the order of their arrival.
    pub fn samples(&self, n: u32, i: usize) -> Vec<Sample> {
        self.filtered(n, i, |_| true)
    }

    /// The samples of a point that were marked as backfill.
    pub fn backfilled(&self, n: u32, i: usize) -> Vec<Sample> {
        self.filtered(n, i, |backfill| backfill)
    }

    fn filtered(&self, n: u32, i: usize, wanted: impl Fn(bool) -> bool) -> Vec<Sample> {
        let memory = self.sink.0.lock().unwrap();
        let of_point = memory.samples.iter().filter(|(t, _, b)| *t == tag(n, i) && wanted(*b));
        of_point.map(|(_, sample, _)| sample.clone()).collect()
    }

    /// The newest live sample of a point.
    pub fn last(&self, n: u32, i: usize) -> Option<Sample> {
        self.filtered(n, i, |backfill| !backfill).pop()
    }

    /// The newest live value in JSON; none before the first sample and for bad ones.
    pub fn value(&self, n: u32, i: usize) -> Option<Json> {
        self.last(n, i)?.value.map(|value| value.to_json())
    }

    /// The qualities that a point went through, repetitions of good left out.
    pub fn course(&self, n: u32, i: usize) -> Vec<Quality> {
        let mut course: Vec<Quality> = Vec::new();
        for sample in self.samples(n, i) {
            assert_eq!(sample.value.is_none(), sample.quality.is_bad());
            if sample.quality != Quality::GOOD || course.last() != Some(&Quality::GOOD) {
                course.push(sample.quality);
            }
        }
        course
    }

    /// Waits until something is true.
    ///
    /// # Panics
    /// With what all devices are doing, where it does not become true.
    pub async fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !condition(self) {
            if tokio::time::Instant::now() > deadline {
                let statuses = self.supervisor.statuses(TENANT);
                panic!("not in time: {what}; {statuses:#?}");
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Waits until the n-th device is in a state.
    pub async fn until_state(&self, n: u32, state: State) {
        self.until(&format!("device {n} {state:?}"), |b| b.status(n).state == state).await;
    }
}
