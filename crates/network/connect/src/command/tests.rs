use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use weir_model::{Batch, DataType, FieldError, RequestId, TenantId};
use weir_store::Schema;

use super::*;
use crate::{
    Circumstances, Collected, DeviceSpec, Driver, ErrorKind, Options, Point, RawWrite, Reading,
    Refused, Session, Sink, WriteLimits,
};

const TENANT: TenantId = TenantId(1);

/// Elements of an array whose record fits and whose outcome does not: it holds the array twice.
const LARGE: usize = 60_000;

/// A machine that holds one array. It takes what it is sent but for an empty one, which it refuses at
/// length; a pair it takes and tells something else.
#[derive(Clone, Default)]
struct Machine(Arc<Mutex<Option<Value>>>);

#[async_trait]
impl Driver for Machine {
    fn protocol(&self) -> &'static str {
        "fake"
    }

    fn describe(&self) -> Json {
        json!({"settings": {}, "address": {}})
    }

    fn check(&self, _: &DeviceSpec) -> Result<(), Vec<FieldError>> {
        Ok(())
    }

    async fn connect(
        &self,
        _: Arc<DeviceSpec>,
        _: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Session for Machine {
    fn peer(&self) -> String {
        "memory".to_owned()
    }

    async fn due(&mut self) {
        std::future::pending().await
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        Ok(Collected::default())
    }

    async fn read(&mut self, _: &[usize]) -> Result<Vec<Reading>, DriverError> {
        Ok(Vec::new())
    }

    async fn write(&mut self, _: usize, raw: &Value) -> Result<RawWrite, DriverError> {
        if matches!(raw, Value::Array(items) if items.is_empty()) {
            let cause = "no ".repeat(weir_store::RECORD_BYTES_MAX);
            let error = DriverError::new(ErrorKind::Rejected, "device", "memory", "");
            return Err(DriverError { cause, ..error });
        }
        let before = self.0.lock().unwrap().replace(raw.clone());
        if matches!(raw, Value::Array(items) if items.len() == 2) {
            let after = Some(Value::text("a pair").unwrap());
            return Ok(RawWrite { before, after, read_back: true, verified: false, requests: 3 });
        }
        let after = Some(raw.clone());
        Ok(RawWrite { before, after, read_back: true, verified: true, requests: 3 })
    }
}

struct Nowhere;

#[async_trait]
impl Sink for Nowhere {
    async fn deliver(&self, _: Batch) -> Result<(), Refused> {
        Ok(())
    }
}

fn array(length: usize) -> Value {
    Value::array(vec![Value::F64(0.123_456_789); length]).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}

fn order(value: Value) -> Order {
    let author = Author {
        tenant: TENANT,
        principal: "1.a/user".parse().unwrap(),
        cause: "test".to_owned(),
        request: RequestId(7),
    };
    let (device, tag) = ("1.a/device".parse().unwrap(), "1.a/tag".parse().unwrap());
    Order { author, time: now(), device, tag, number: TagId(1), value, confirmed: false }
}

fn spec() -> DeviceSpec {
    DeviceSpec {
        tenant: TENANT,
        device: "1.a/device".parse().unwrap(),
        name: "device".to_owned(),
        protocol: "fake".to_owned(),
        settings: json!({}),
        points: vec![Point {
            tag: TagId(1),
            id: "1.a/tag".parse().unwrap(),
            name: "spectrum".to_owned(),
            address: json!(1),
            data_type: DataType::Array,
            scaling: Vec::new(),
            write: Some(WriteLimits { min: None, max: None, confirm: false }),
            poll_ms: None,
        }],
        enabled: true,
        revision: 1,
    }
}

#[tokio::test]
async fn it_is_told_apart_whether_the_device_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    let schema = crate::schema(Schema::new()).with::<Commands>();
    let store = Store::open(&dir.path().join("store"), schema, Default::default()).unwrap();
    let machine = Machine::default();
    let (sink, options) = (Arc::new(Nowhere), Options::new(dir.path().join("spool")));
    let supervisor = Supervisor::new(vec![Arc::new(machine.clone())], sink, options).unwrap();
    supervisor.apply(spec()).await.unwrap();
    let held = || machine.0.lock().unwrap().clone();
    let write = async |value: Value| supervisor.carry_out(&store, order(value), now).await;
    // It connects within a moment.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while let Err(error) = write(array(1)).await {
        assert!(
            matches!(&error, OrderError::Device(error) if error.kind == ErrorKind::NotConnected)
        );
        assert!(tokio::time::Instant::now() < deadline, "{error}");
    }
    assert_eq!(held(), Some(array(1)));

    // What is none of the tag's type is not told as if nothing could be read back.
    let report = write(array(2)).await.unwrap();
    assert_eq!((report.after, report.read_back, report.verified), (None, true, false));
    write(array(1)).await.unwrap();

    // What cannot be written down is not done.
    let texts = Value::array(vec![Value::text(&"x".repeat(1_000)).unwrap(); 2_000]).unwrap();
    let refused = write(texts).await.unwrap_err();
    assert!(matches!(refused, OrderError::Record(_)), "{refused:?}");
    assert_eq!(held(), Some(array(1)));

    // What was done is told even if it cannot be written down.
    match write(array(LARGE)).await.unwrap_err() {
        OrderError::Unrecorded { outcome, .. } => assert!(outcome.unwrap().verified),
        other => panic!("{other:?}"),
    }
    assert_eq!(held(), Some(array(LARGE)));
    match write(array(0)).await.unwrap_err() {
        OrderError::Unrecorded { outcome, .. } => {
            assert_eq!(outcome.unwrap_err().kind, ErrorKind::Rejected);
        }
        other => panic!("{other:?}"),
    }
    let orders = store.list::<Commands>(TENANT, "", None, 100).unwrap().items;
    let open = orders.iter().filter(|order| order.record.outcome.is_none()).count();
    assert_eq!(open, 2, "an order whose outcome is not written down stays open");
    supervisor.shutdown().await;
}
