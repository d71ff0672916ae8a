//! Our own broker in this process: values, receipts, writes, and what a gate refuses.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use weir_broker::{Act, Broker, BrokerOptions, Denied, Gate, Login, Principal};
use weir_connect::conformance::{Bench, TENANT, device_id, tag};
use weir_connect::{
    Circumstances, Clock, DeviceSpec, Driver, ErrorKind, Fields, Point, Settled, State,
    SystemClock, WriteLimits,
};
use weir_model::{DataType, Quality, Value};
use weir_mqtt::{Inside, Link, LinkSettings, MqttDriver, Opening, Qos};

/// Far beyond what an idle machine takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everybody may everything, but for what begins with `secret`.
struct Doorman;

impl Gate for Doorman {
    fn authenticate<'a>(&'a self, _: Login<'a>) -> BoxFuture<'a, Result<Principal, Denied>> {
        ready(Ok(Principal::new(TENANT, "machine"))).boxed()
    }

    fn may(&self, _: &Principal, _: Act, topic: &str) -> bool {
        !topic.starts_with("secret")
    }
}

struct Plant {
    broker: Broker,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Plant {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::open(BrokerOptions::new(dir.path()), Arc::new(Doorman)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = broker.clone();
        tokio::spawn(async move { serving.serve_tcp(listener, CancellationToken::new()).await });
        Self { broker, port, _dir: dir }
    }

    fn driver(&self) -> MqttDriver {
        MqttDriver::with_inside(Inside::new(self.broker.clone()))
    }

    /// A machine in the network.
    async fn machine(&self) -> Box<dyn Link> {
        let json = json!({"host": "127.0.0.1", "port": self.port});
        let mut errors = Vec::new();
        let settings = LinkSettings::read(&mut Fields::of(&json, String::new(), &mut errors));
        settings.open(Opening::probe(Arc::new(SystemClock)), None).await.unwrap()
    }
}

fn device(settings: Json, addresses: &[Json]) -> DeviceSpec {
    let point = |(i, address): (usize, &Json)| Point {
        tag: tag(1, i),
        id: format!("88.100/d1.p{i}").parse().unwrap(),
        name: format!("p{i}"),
        address: address.clone(),
        data_type: DataType::F64,
        scaling: Vec::new(),
        write: address.get("write_topic").map(|_| WriteLimits::default()),
        poll_ms: None,
    };
    DeviceSpec {
        tenant: TENANT,
        device: device_id(1),
        name: "press".to_owned(),
        protocol: "mqtt".to_owned(),
        settings,
        points: addresses.iter().enumerate().map(point).collect(),
        enabled: true,
        revision: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_our_own_broker_has_values_and_takes_writes() {
    let plant = Plant::new().await;
    let local = plant.broker.local(TENANT, "machine");
    local
        .try_publish("温度/1", Bytes::from_static(b"21.5"), weir_broker::Qos::AtMostOnce, true)
        .unwrap();
    let addresses = [json!({"topic": "温度/1"}), json!({"topic": "set", "write_topic": "set"})];
    let spec = device(json!({"broker": "inside"}), &addresses);
    let bench = Bench::new(vec![Arc::new(plant.driver())]);
    let report = bench
        .supervisor
        .test(&{
            let mut s = spec.clone();
            s.points.truncate(1);
            s
        })
        .await;
    assert_eq!(report.unwrap().values[0].value, Some(Value::F64(21.5)));
    bench.apply(spec).await;
    bench.until("the retained value", |b| b.value(1, 0) == Some(json!(21.5))).await;
    let mut machine = plant.machine().await;
    machine.publish("温度/1", Bytes::from_static(b"22"), Qos::AtLeastOnce, false).await.unwrap();
    bench.until("a new value", |b| b.value(1, 0) == Some(json!(22.0))).await;
    let written = bench.write(1, 1, Value::F64(3.5)).await.unwrap();
    assert!(written.verified, "{written:?}");
    // Another tenant's topics are another world.
    let stranger = plant.broker.local(weir_model::TenantId(2), "stranger");
    stranger
        .try_publish("温度/1", Bytes::from_static(b"99"), weir_broker::Qos::AtMostOnce, false)
        .unwrap();
    machine.publish("温度/1", Bytes::from_static(b"23"), Qos::AtLeastOnce, false).await.unwrap();
    bench.until("a new value", |b| b.value(1, 0) == Some(json!(23.0))).await;
    assert!(bench.samples(1, 0).iter().all(|sample| sample.value != Some(Value::F64(99.0))));
    bench.supervisor.shutdown().await;
    let error = plant.driver().browse(&json!({"broker": "inside"}), None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
    // Whoever browses sees the topics of their own tenant.
    let settings = json!({"broker": "inside", "listen_ms": 300});
    for (tenant, seen) in [(weir_connect::conformance::TENANT, 1), (weir_model::TenantId(2), 0)] {
        let driver = plant.driver().within(tenant).unwrap();
        let page = driver.browse(&settings, None).await.unwrap();
        assert_eq!(page.items.len(), seen, "{page:?}");
    }
    // What is no good name for a point is shown all the same, and costs nothing.
    let retained = weir_broker::Qos::AtMostOnce;
    local.try_publish("bell\u{7}", Bytes::from_static(b"\xFF\0"), retained, true).unwrap();
    let driver = plant.driver().within(TENANT).unwrap();
    assert_eq!(driver.browse(&settings, None).await.unwrap().items.len(), 2);
    plant.broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_a_device_is_changed_is_not_acknowledged_to_nobody() {
    let (plant, mut errors) = (Plant::new().await, Vec::new());
    let driver = plant.driver();
    let spec = Arc::new(device(json!({"broker": "inside"}), &[json!({"topic": "t"})]));
    let circumstances = || Circumstances::new(Arc::new(SystemClock) as Arc<dyn Clock>);
    let mut session = driver.connect(Arc::clone(&spec), circumstances()).await.unwrap();
    session.collect().await.unwrap();
    drop(session);
    // Nobody listens, and the publisher waits...
    let json = json!({"host": "127.0.0.1", "port": plant.port});
    let settings = LinkSettings::read(&mut Fields::of(&json, String::new(), &mut errors));
    let mut machine = settings.open(Opening::probe(Arc::new(SystemClock)), None).await.unwrap();
    let mut publishing = tokio::spawn(async move {
        machine.publish("t", Bytes::from_static(b"1"), Qos::AtLeastOnce, false).await
    });
    let answer = tokio::time::timeout(Duration::from_millis(200), &mut publishing).await;
    assert!(answer.is_err(), "acknowledged, and nobody has it: {answer:?}");
    // ...until the device listens again: then the publisher is told to send again.
    let mut session = driver.connect(spec, circumstances()).await.unwrap();
    session.collect().await.unwrap();
    let answer = tokio::time::timeout(PATIENCE, publishing).await.unwrap().unwrap();
    assert!(answer.is_err(), "{answer:?}");
    plant.broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_acknowledged_when_its_sample_is_stored() {
    let plant = Plant::new().await;
    let spec = Arc::new(device(json!({"broker": "inside"}), &[json!({"topic": "t"})]));
    let circumstances = Circumstances::new(Arc::new(SystemClock) as Arc<dyn Clock>);
    let mut session = plant.driver().connect(spec, circumstances).await.unwrap();
    session.collect().await.unwrap();
    let mut machine = plant.machine().await;
    let publishing = tokio::spawn(async move {
        machine.publish("t", Bytes::from_static(b"1"), Qos::AtLeastOnce, false).await
    });
    tokio::time::timeout(PATIENCE, session.due()).await.expect("a message");
    let collected = session.collect().await.unwrap();
    assert_eq!(collected.readings.len(), 1);
    assert!(!publishing.is_finished());
    collected.receipt.unwrap().settle(Settled::Stored);
    tokio::time::timeout(PATIENCE, publishing).await.expect("acknowledged").unwrap().unwrap();
    plant.broker.shutdown().await;
    let error = loop {
        tokio::time::timeout(PATIENCE, session.due()).await.expect("the end");
        if let Err(error) = session.collect().await {
            break error;
        }
    };
    assert_eq!(error.kind, ErrorKind::Disconnected, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_refuses_costs_only_its_points() {
    let plant = Plant::new().await;
    for version in ["3.1.1", "5"] {
        let settings = json!({"host": "127.0.0.1", "port": plant.port, "version": version});
        let addresses = [json!({"topic": "open"}), json!({"topic": "secret/t"})];
        let bench = Bench::new(vec![Arc::new(plant.driver())]);
        bench.apply(device(settings, &addresses)).await;
        bench.until_state(1, State::Degraded).await;
        let reason = bench.reason(1);
        assert!(
            reason.contains("secret/t") && reason.contains("refuses the subscription"),
            "{reason}"
        );
        assert_eq!(bench.last(1, 1).map(|s| s.quality), Some(Quality::CONFIGURATION_ERROR));
        let mut machine = plant.machine().await;
        machine.publish("open", Bytes::from_static(b"7"), Qos::AtLeastOnce, false).await.unwrap();
        bench.until("the open point", |b| b.value(1, 0) == Some(json!(7.0))).await;
        bench.supervisor.shutdown().await;
    }
    plant.broker.shutdown().await;
}
