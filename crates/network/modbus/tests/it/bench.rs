//! A supervisor with the Modbus driver and a sink that remembers.
#![allow(dead_code, reason = "two test crates share it, and each uses a part")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use weir_connect::{
    DeviceSpec, DeviceStatus, Driver, DriverError, Options, Point, Refused, Sink, State,
    Supervisor, WriteLimits, WriteReport,
};
use weir_modbus::ModbusDriver;
use weir_model::{Batch, DataType, Identifier, Quality, Sample, TagId, TenantId, Value};

pub(crate) const TENANT: TenantId = TenantId(1);

#[derive(Default)]
struct Store(Mutex<Vec<(TagId, Sample)>>);

#[async_trait]
impl Sink for Store {
    async fn deliver(&self, batch: Batch) -> Result<(), Refused> {
        self.0.lock().unwrap().extend(batch.samples);
        Ok(())
    }
}

pub(crate) struct Bench {
    pub(crate) supervisor: Supervisor,
    store: Arc<Store>,
    _dir: tempfile::TempDir,
}

pub(crate) fn id(n: u32) -> Identifier {
    format!("88.100/d{n}").parse().unwrap()
}

/// A tag of the n-th device's i-th point.
pub(crate) fn tag(n: u32, i: usize) -> TagId {
    TagId(n * 1000 + i as u32)
}

/// A device at a port with points at addresses, whose values keep the type they are read as.
pub(crate) fn spec(n: u32, port: u16, addresses: Vec<Json>) -> DeviceSpec {
    let point = |(i, address): (usize, Json)| {
        let table = address["table"].as_str().unwrap_or_default();
        let raw_type = address["type"].as_str().unwrap_or("u16");
        let data_type = match (table, raw_type) {
            ("coil" | "discrete", _) | (_, "bool") => DataType::Bool,
            (_, "f32" | "f64") => DataType::F64,
            (_, "i16" | "i32" | "i64") => DataType::I64,
            _ => DataType::U64,
        };
        let writable = matches!(table, "coil" | "holding");
        Point {
            tag: tag(n, i),
            id: format!("88.100/d{n}.p{i}").parse().unwrap(),
            name: format!("p{i}"),
            address,
            data_type,
            scaling: Vec::new(),
            write: writable.then(WriteLimits::default),
            poll_ms: None,
        }
    };
    DeviceSpec {
        tenant: TENANT,
        device: id(n),
        name: format!("device {n}"),
        protocol: "modbus".to_owned(),
        settings: json!({"host": "127.0.0.1", "port": port, "poll_ms": 20, "timeout_ms": 3000}),
        points: addresses.into_iter().enumerate().map(point).collect(),
        enabled: true,
        revision: 1,
    }
}

/// A device that is to time out soon. Elsewhere a busy machine must not look like a slow device.
pub(crate) fn impatient(mut device: DeviceSpec) -> DeviceSpec {
    device.settings["timeout_ms"] = json!(300);
    device
}

pub(crate) fn holding(address: u16, raw_type: &str) -> Json {
    json!({"table": "holding", "address": address, "type": raw_type})
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::default());
        let mut options = Options::new(dir.path());
        options.backoff.base = Duration::from_millis(40);
        options.backoff.cap = Duration::from_millis(200);
        options.backoff.floor = Duration::from_millis(5);
        let drivers: Vec<Arc<dyn Driver>> = vec![Arc::new(ModbusDriver::new())];
        let sink = Arc::clone(&store) as Arc<dyn Sink>;
        let supervisor = Supervisor::new(drivers, sink, options).unwrap();
        Self { supervisor, store, _dir: dir }
    }

    pub(crate) async fn apply(&self, spec: DeviceSpec) {
        self.supervisor.apply(spec).await.unwrap();
    }

    pub(crate) fn status(&self, n: u32) -> DeviceStatus {
        self.supervisor.status(TENANT, &id(n)).unwrap()
    }

    pub(crate) fn reason(&self, n: u32) -> String {
        self.status(n).reason.unwrap_or_default()
    }

    pub(crate) async fn write(
        &self,
        n: u32,
        i: usize,
        v: Value,
    ) -> Result<WriteReport, DriverError> {
        self.supervisor.write(TENANT, &id(n), tag(n, i), v, true).await
    }

    pub(crate) fn samples(&self, n: u32, i: usize) -> Vec<Sample> {
        let all = self.store.0.lock().unwrap();
        all.iter().filter(|(t, _)| *t == tag(n, i)).map(|(_, s)| s.clone()).collect()
    }

    pub(crate) fn last(&self, n: u32, i: usize) -> Option<Sample> {
        self.samples(n, i).pop()
    }

    /// The newest value in JSON; none before the first sample and for bad ones.
    pub(crate) fn value(&self, n: u32, i: usize) -> Option<Json> {
        self.last(n, i)?.value.map(|v| v.to_json())
    }

    /// The qualities that a point went through, repetitions of good left out.
    pub(crate) fn course(&self, n: u32, i: usize) -> Vec<Quality> {
        let mut course: Vec<Quality> = Vec::new();
        for sample in self.samples(n, i) {
            assert_eq!(sample.value.is_none(), sample.quality.is_bad());
            if sample.quality != Quality::GOOD || course.last() != Some(&Quality::GOOD) {
                course.push(sample.quality);
            }
        }
        course
    }

    pub(crate) async fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while !condition(self) {
            if tokio::time::Instant::now() > deadline {
                let statuses = self.supervisor.statuses(TENANT);
                panic!("not in time: {what}; {statuses:#?}");
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    pub(crate) async fn until_state(&self, n: u32, state: State) {
        self.until(&format!("device {n} {state:?}"), |b| b.status(n).state == state).await;
    }
}
