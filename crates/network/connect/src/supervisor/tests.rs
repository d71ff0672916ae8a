use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use weir_model::{Batch, DataType, Sample, Timestamp};

use super::*;
use crate::{
    Collected, Fault, Point, RawWrite, Reading, Receipt, Refused, Session, Settled, WriteLimits,
};

/// What a fake device does at its next calls; without a script it answers well.
#[derive(Debug, Clone)]
enum Act {
    RefuseConnect,
    FailCollect(ErrorKind),
    FaultAt(usize),
    Panic,
    Missed,
    /// Brings so many readings of the first point, with one receipt for all.
    Owed(usize, UnboundedSender<Settled>),
}

#[derive(Default)]
struct Fake {
    script: Mutex<HashMap<String, VecDeque<Act>>>,
    connects: AtomicU64,
}

struct FakeSession {
    fake: Arc<Fake>,
    spec: Arc<DeviceSpec>,
    clock: Arc<dyn Clock>,
    held: Value,
}

struct FakeDriver(Arc<Fake>);

impl Fake {
    fn act(&self, device: &Identifier) -> Option<Act> {
        self.script.lock().unwrap().get_mut(device.as_str())?.pop_front()
    }

    fn peek(&self, device: &Identifier) -> Option<Act> {
        self.script.lock().unwrap().get(device.as_str())?.front().cloned()
    }

    fn plan(&self, device: &str, acts: impl IntoIterator<Item = Act>) {
        self.script.lock().unwrap().insert(device.to_owned(), acts.into_iter().collect());
    }
}

#[async_trait]
impl Driver for FakeDriver {
    fn protocol(&self) -> &'static str {
        "fake"
    }

    fn describe(&self) -> Json {
        json!({"settings": {}, "address": {}})
    }

    fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>> {
        if spec.settings["wrong"].is_null() {
            return Ok(());
        }
        let detail = "wrong is wrong".to_owned();
        Err(vec![FieldError { field: "/settings/wrong".to_owned(), detail }])
    }

    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        if let Some(Act::RefuseConnect) = self.0.peek(&spec.device) {
            self.0.act(&spec.device);
            let label = spec.label();
            return Err(DriverError::new(ErrorKind::Unreachable, label, "h:1", "refused"));
        }
        self.0.connects.fetch_add(1, Relaxed);
        let held = Value::F64(1.5);
        let clock = circumstances.clock;
        Ok(Box::new(FakeSession { fake: Arc::clone(&self.0), spec, clock, held }))
    }
}

#[async_trait]
impl Session for FakeSession {
    fn peer(&self) -> String {
        "h:1".to_owned()
    }

    async fn due(&mut self) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        let indexes: Vec<usize> = (0..self.spec.points.len()).collect();
        let mut readings = self.read(&indexes).await?;
        let (mut missed, mut receipt) = (0, None);
        match self.fake.act(&self.spec.device) {
            Some(Act::FailCollect(kind)) => {
                return Err(DriverError::new(kind, self.spec.label(), "h:1", "gone"));
            }
            Some(Act::FaultAt(point)) => {
                let quality = Quality::ADDRESS_UNKNOWN;
                let cause = "no such address".to_owned();
                readings[point].outcome = Err(Fault { quality, cause });
            }
            Some(Act::Panic) => panic!("a mistake in a driver (expected in this test)"),
            Some(Act::Missed) => missed = 3,
            Some(Act::Owed(count, told)) => {
                readings = self.read(&vec![0; count]).await?;
                receipt = Some(Receipt::new(move |settled| {
                    let _ = told.send(settled);
                }));
            }
            Some(Act::RefuseConnect) | None => {}
        }
        Ok(Collected { readings, requests: 1, missed, receipt, ..Collected::default() })
    }

    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let now = self.clock.now();
        Ok(points.iter().map(|p| Reading::good(*p, now, self.held.clone())).collect())
    }

    async fn write(&mut self, _: usize, raw: &Value) -> Result<RawWrite, DriverError> {
        if raw.as_f64() == Some(13.0) {
            let label = self.spec.label();
            return Err(DriverError::new(ErrorKind::Rejected, label, "h:1", "not that number"));
        }
        let before = Some(std::mem::replace(&mut self.held, raw.clone()));
        let after = Some(raw.clone());
        Ok(RawWrite { before, after, read_back: true, verified: true, requests: 3 })
    }
}

#[derive(Default)]
struct Store(Mutex<Vec<(TagId, Sample)>>);

#[async_trait]
impl Sink for Store {
    async fn deliver(&self, batch: Batch) -> Result<(), Refused> {
        self.0.lock().unwrap().extend(batch.samples.iter());
        Ok(())
    }
}

impl Store {
    /// The qualities that one tag went through, repetitions of good left out.
    fn course(&self, tag: u32) -> Vec<Quality> {
        let samples = self.0.lock().unwrap();
        let mut course: Vec<Quality> = Vec::new();
        for (_, sample) in samples.iter().filter(|(t, _)| *t == TagId(tag)) {
            assert_eq!(sample.value.is_none(), sample.quality.is_bad());
            if sample.quality != Quality::GOOD || course.last() != Some(&Quality::GOOD) {
                course.push(sample.quality);
            }
        }
        course
    }
}

struct Bench {
    fake: Arc<Fake>,
    store: Arc<Store>,
    supervisor: Supervisor,
    _dir: tempfile::TempDir,
}

const TENANT: TenantId = TenantId(1);

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let (fake, store) = (Arc::new(Fake::default()), Arc::new(Store::default()));
    let mut options = Options::new(dir.path());
    options.backoff.base = Duration::from_millis(20);
    options.backoff.floor = Duration::from_millis(1);
    let drivers: Vec<Arc<dyn Driver>> = vec![Arc::new(FakeDriver(Arc::clone(&fake)))];
    let sink = Arc::clone(&store) as Arc<dyn Sink>;
    let supervisor = Supervisor::new(drivers, sink, options).unwrap();
    Bench { fake, store, supervisor, _dir: dir }
}

fn id(n: u32) -> Identifier {
    format!("88.100/d{n}").parse().unwrap()
}

fn spec(n: u32, points: u32) -> DeviceSpec {
    let point = |p: u32| Point {
        tag: TagId(n * 100 + p),
        id: format!("88.100/d{n}.p{p}").parse().unwrap(),
        name: format!("p{p}"),
        address: json!(p),
        data_type: DataType::F64,
        scaling: Vec::new(),
        write: Some(WriteLimits { min: Some(0.0), max: Some(100.0), confirm: p == 1 }),
        poll_ms: None,
    };
    DeviceSpec {
        tenant: TENANT,
        device: id(n),
        name: format!("device {n}"),
        protocol: "fake".to_owned(),
        settings: json!({}),
        points: (0..points).map(point).collect(),
        enabled: true,
        revision: 1,
    }
}

impl Bench {
    fn status(&self, n: u32) -> DeviceStatus {
        self.supervisor.status(TENANT, &id(n)).unwrap()
    }

    async fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while !condition(self) {
            assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

#[tokio::test]
async fn states_have_reasons_and_points_are_told_once_of_a_loss() {
    let bench = bench();
    let down = std::iter::repeat_n(Act::RefuseConnect, 4);
    bench.fake.plan("88.100/d1", down.chain([Act::FailCollect(ErrorKind::Timeout)]));
    assert_eq!(bench.supervisor.apply(spec(1, 2)).await.unwrap(), Applied::Started);
    bench.until("back-off", |b| b.status(1).state == State::BackingOff).await;
    let status = bench.status(1);
    assert_eq!(status.reason.as_deref(), Some("h:1: refused"));
    assert!(status.next_attempt.is_some() && status.points_bad == 2);
    bench.until("online", |b| b.status(1).state == State::Online).await;
    bench.until("samples", |b| b.store.course(101).last() == Some(&Quality::GOOD)).await;
    // Lost at the start, told once in spite of four attempts; the first session died at its first
    // collect, which was no transition either.
    assert_eq!(bench.store.course(100), [Quality::NO_COMMUNICATION, Quality::GOOD]);
    bench.fake.plan("88.100/d1", [Act::FailCollect(ErrorKind::Timeout), Act::RefuseConnect]);
    bench.until("lost and back", |b| b.store.course(100).len() == 4).await;
    assert_eq!(bench.store.course(100)[2..], [Quality::TIMEOUT, Quality::GOOD]);
    bench.until("online again", |b| b.status(1).state == State::Online).await;
    let counters = bench.status(1).counters;
    assert_eq!((counters.reconnects, counters.errors), (2, 7));
    assert!(counters.samples > 0 && counters.reads > 0);
    bench.supervisor.shutdown().await;
    assert_eq!(bench.status(1).state, State::Stopped);
    assert!(matches!(bench.supervisor.apply(spec(2, 1)).await, Err(ConnectError::Stopped)));
}

#[tokio::test]
async fn a_faulty_point_degrades_and_leaves_the_others_alone() {
    let bench = bench();
    bench.fake.plan("88.100/d1", std::iter::repeat_n(Act::FaultAt(1), 2000));
    bench.supervisor.apply(spec(1, 3)).await.unwrap();
    bench.until("degraded", |b| b.status(1).state == State::Degraded).await;
    let status = bench.status(1);
    assert_eq!(status.reason.as_deref(), Some("1 of 3 points fail: p1: no such address"));
    assert_eq!(status.points_bad, 1);
    bench.until("other points", |b| b.store.course(102) == [Quality::GOOD]).await;
    bench.fake.plan("88.100/d1", []);
    bench.until("online", |b| b.status(1).state == State::Online).await;
    bench.until("back", |b| b.store.course(101).len() == 2).await;
    assert_eq!(bench.store.course(101), [Quality::ADDRESS_UNKNOWN, Quality::GOOD]);
    bench.fake.plan("88.100/d1", [Act::Missed]);
    bench.until("one hiccup", |b| b.status(1).counters.missed == 3).await;
    assert_eq!(bench.status(1).state, State::Online);
    bench.fake.plan("88.100/d1", std::iter::repeat_n(Act::Missed, 20));
    bench.until("too slow", |b| b.status(1).state == State::Degraded).await;
    assert!(bench.status(1).reason.unwrap().contains("slower than its interval"));
    bench.until("fast enough", |b| b.status(1).state == State::Online).await;
}

#[tokio::test]
async fn samples_that_were_dropped_are_not_acknowledged() {
    let bench = bench();
    let (told, mut receipts) = unbounded_channel();
    // More at once than may wait in memory, and then a little.
    bench.fake.plan("88.100/d1", [Act::Owed(30_000, told.clone()), Act::Owed(1, told)]);
    bench.supervisor.apply(spec(1, 1)).await.unwrap();
    assert_eq!(receipts.recv().await, Some(Settled::Dropped));
    assert_eq!(receipts.recv().await, Some(Settled::Stored));
}

#[tokio::test]
async fn a_panic_in_a_driver_costs_one_session() {
    let bench = bench();
    bench.fake.plan("88.100/d1", [Act::Panic]);
    bench.supervisor.apply(spec(1, 1)).await.unwrap();
    bench.supervisor.apply(spec(2, 1)).await.unwrap();
    bench
        .until("both online", |b| {
            b.status(1).state == State::Online && b.status(2).state == State::Online
        })
        .await;
    assert_eq!(bench.status(1).counters.errors, 1);
    assert_eq!(bench.status(2).counters.errors, 0);
}

#[tokio::test]
async fn one_of_many_is_changed_and_removed_and_the_rest_is_untouched() {
    let bench = bench();
    for n in 0..200 {
        bench.supervisor.apply(spec(n, 1)).await.unwrap();
    }
    bench
        .until("all online", |b| {
            b.supervisor.statuses(TENANT).iter().all(|s| s.state == State::Online)
        })
        .await;
    let connects = bench.fake.connects.load(Relaxed);
    let mut changed = spec(7, 2);
    changed.revision = 2;
    assert_eq!(bench.supervisor.apply(changed.clone()).await.unwrap(), Applied::Restarted);
    assert_eq!(bench.supervisor.apply(changed).await.unwrap(), Applied::Unchanged);
    let mut untouched = spec(8, 1);
    untouched.revision = 99;
    assert_eq!(bench.supervisor.apply(untouched).await.unwrap(), Applied::Unchanged);
    assert!(bench.supervisor.remove(TENANT, &id(9)).await);
    assert!(!bench.supervisor.remove(TENANT, &id(9)).await);
    assert!(bench.supervisor.status(TENANT, &id(9)).is_none());
    bench
        .until("changed", |b| {
            let s = b.status(7);
            s.points == 2 && s.state == State::Online && s.revision == 2
        })
        .await;
    assert_eq!(bench.fake.connects.load(Relaxed), connects + 1);
    for status in bench.supervisor.statuses(TENANT) {
        assert_eq!((status.state, status.counters.errors), (State::Online, 0));
        let own = u64::from(status.device == id(7));
        assert_eq!(status.counters.reconnects, own, "{}", status.device);
    }
    assert!(bench.supervisor.statuses(TenantId(2)).is_empty());
    assert!(bench.supervisor.status(TenantId(2), &id(1)).is_none());
    bench.supervisor.restart(TENANT, &id(3)).unwrap();
    bench.until("restarted", |b| b.status(3).counters.reconnects == 1).await;
}

#[tokio::test]
async fn wrong_or_disabled_devices_rest_and_say_why() {
    let bench = bench();
    let mut wrong = spec(1, 1);
    wrong.settings = json!({"wrong": true});
    let mut foreign = spec(2, 1);
    foreign.protocol = "telepathy".to_owned();
    let mut off = spec(3, 1);
    off.enabled = false;
    for spec in [wrong.clone(), foreign, off] {
        bench.supervisor.apply(spec).await.unwrap();
    }
    bench.until("told", |b| (1..=3).all(|n| !b.store.course(n * 100).is_empty())).await;
    let told = [1, 2, 3].map(|n| (bench.status(n).state, bench.status(n).reason.unwrap()));
    assert_eq!(told[0], (State::Misconfigured, "/settings/wrong: wrong is wrong".to_owned()));
    assert_eq!(told[1].0, State::Misconfigured);
    assert!(told[1].1.contains("telepathy"));
    assert_eq!(told[2], (State::Disabled, "switched off".to_owned()));
    assert_eq!(bench.store.course(100), [Quality::CONFIGURATION_ERROR]);
    assert_eq!(bench.store.course(300), [Quality::OUT_OF_SERVICE]);
    let refused = bench.supervisor.write(TENANT, &id(3), TagId(300), Value::F64(1.0), true).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::NotConnected);
    assert_eq!(bench.supervisor.test(&wrong).await.unwrap_err().kind, ErrorKind::Misconfigured);
    let fields = bench.supervisor.check(&wrong).unwrap_err();
    assert_eq!(fields[0].field, "/settings/wrong");
    let mut scaled = spec(4, 1);
    let effective = Timestamp::MIN;
    scaled.points[0].scaling =
        vec![crate::Scaling { effective, factor: 0.0, offset: f64::NAN, unit: None }];
    scaled.points[0].poll_ms = Some(1);
    let fields: Vec<_> =
        bench.supervisor.check(&scaled).unwrap_err().into_iter().map(|e| e.field).collect();
    let expected = ["poll_ms", "scaling/0/factor", "scaling/0/offset"];
    assert_eq!(fields, expected.map(|f| format!("/points/0/{f}")));
}

#[tokio::test]
async fn writes_are_checked_confirmed_and_read_back() {
    let bench = bench();
    bench.supervisor.apply(spec(1, 2)).await.unwrap();
    bench.until("online", |b| b.status(1).state == State::Online).await;
    let write = |tag, value, confirmed| {
        let supervisor = bench.supervisor.clone();
        async move { supervisor.write(TENANT, &id(1), TagId(tag), value, confirmed).await }
    };
    let report = write(100, Value::F64(42.0), false).await.unwrap();
    let numbers = [&report.before, &report.after].map(|v| v.as_ref().unwrap().as_f64().unwrap());
    assert_eq!((numbers, report.verified), ([1.5, 42.0], true));
    assert_eq!(serde_json::to_value(&report).unwrap()["requested"], json!(42.0));
    let kind = |result: Result<_, DriverError>| result.map(|_: WriteReport| ()).unwrap_err().kind;
    assert_eq!(kind(write(100, Value::F64(100.5), false).await), ErrorKind::OutOfLimits);
    assert_eq!(kind(write(101, Value::F64(5.0), false).await), ErrorKind::Unconfirmed);
    assert!(write(101, Value::F64(5.0), true).await.is_ok());
    assert_eq!(kind(write(999, Value::F64(5.0), true).await), ErrorKind::Unknown);
    // A refusal of the device leaves the session as it is.
    assert_eq!(kind(write(100, Value::F64(13.0), false).await), ErrorKind::Rejected);
    let status = bench.status(1);
    assert_eq!((status.counters.writes, status.counters.reconnects), (2, 0));
    // One that nobody waits for any more is not carried out behind everybody's back.
    let abandoned = Box::pin(write(100, Value::F64(77.0), false));
    assert!(futures::FutureExt::now_or_never(abandoned).is_none());
    let report = write(100, Value::F64(43.0), false).await.unwrap();
    assert_eq!(report.before.unwrap().as_f64(), Some(5.0));
    let unknown = bench.supervisor.write(TENANT, &id(2), TagId(1), Value::F64(1.0), true).await;
    assert_eq!(unknown.unwrap_err().kind, ErrorKind::Unknown);
}

#[tokio::test]
async fn a_test_reads_once_and_stores_nothing() {
    let bench = bench();
    let report = bench.supervisor.test(&spec(1, 3)).await.unwrap();
    assert_eq!(report.message, "connected to h:1; 3 of 3 points answered");
    let json = serde_json::to_value(&report).unwrap();
    let expected = json!({"index": 1, "id": "88.100/d1.p1", "name": "p1", "value": 1.5, "quality": "good", "error": null});
    assert_eq!(json["values"][1], expected);
    assert!(bench.store.0.lock().unwrap().is_empty());
    assert!(bench.supervisor.statuses(TENANT).is_empty());
    bench.fake.plan("88.100/d1", [Act::RefuseConnect]);
    let error = bench.supervisor.test(&spec(1, 3)).await.unwrap_err();
    assert_eq!(error.to_string(), "device 1 (88.100/d1): h:1: refused");
}
