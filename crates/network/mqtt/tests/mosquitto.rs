//! Against Mosquitto and paho-mqtt: acknowledgements, what was published while we were away, transports, refusals.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use weir_connect::conformance::{Bench, Peer, run};
use weir_connect::{
    Circumstances, Collected, DeviceSpec, Driver, DriverError, ErrorKind, Session, Settled, State,
    SystemClock,
};
use weir_model::{Quality, Timestamp, Value};
use weir_mqtt::MqttDriver;

/// Far beyond what an idle machine takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn peer(arguments: &[&str]) -> Peer {
    Peer::start("mqtt/plant.py", arguments)
}

/// A device with one point, whose messages nobody retains.
fn one_point(peer: &Peer, address: Json) -> DeviceSpec {
    let mut spec = peer.spec(1, "mqtt");
    spec.points.truncate(1);
    spec.points[0].address = address;
    spec
}

async fn connect(spec: &DeviceSpec) -> Result<Box<dyn Session>, DriverError> {
    MqttDriver::new().check(spec).unwrap();
    let circumstances = Circumstances::new(Arc::new(SystemClock));
    MqttDriver::new().connect(Arc::new(spec.clone()), circumstances).await
}

/// Connects, and collects what the broker says of the subscriptions.
async fn subscribed(spec: &DeviceSpec) -> (Box<dyn Session>, Collected) {
    let mut session = connect(spec).await.unwrap();
    session.due().await;
    let first = session.collect().await.unwrap();
    (session, first)
}

async fn collect(session: &mut dyn Session) -> Result<Collected, DriverError> {
    tokio::time::timeout(PATIENCE, session.due()).await.expect("something is due");
    session.collect().await
}

/// Collects until so many readings have come, with whether they are history.
async fn collect_values(session: &mut dyn Session, count: usize) -> (Vec<Json>, Vec<Collected>) {
    let (mut values, mut all) = (Vec::new(), Vec::new());
    while values.len() < count {
        let collected = collect(session).await.unwrap();
        values.extend(collected.readings.iter().map(|r| r.outcome.as_ref().unwrap().to_json()));
        all.push(collected);
    }
    (values, all)
}

fn publish(peer: &mut Peer, topic: &str, payload: &str) {
    peer.ask(&json!({"do": "publish", "topic": topic, "payload": payload, "qos": 1}));
}

fn acknowledged(peer: &mut Peer) -> u64 {
    peer.ask(&json!({"do": "received"}))["acknowledged"].as_u64().unwrap()
}

fn numbers(range: std::ops::Range<i64>) -> Vec<Json> {
    range.map(Json::from).collect()
}

async fn nothing_is_lost(version: &str) {
    let mut peer = peer(&["--version", version]);
    let mut spec = one_point(&peer, json!({"topic": "counter", "write_topic": "counter/set"}));
    spec.settings["timeout_ms"] = json!(1000);
    let (mut session, _) = subscribed(&spec).await;
    let before = acknowledged(&mut peer);
    for n in 0..15 {
        publish(&mut peer, "counter", &n.to_string());
    }
    let (values, collected) = collect_values(&mut *session, 15).await;
    assert_eq!(values, numbers(0..15));
    assert_eq!(acknowledged(&mut peer), before, "acknowledged before it is stored");

    // What is not stored ends the session, and comes again to the next one.
    for collected in collected {
        collected.receipt.unwrap().settle(Settled::Dropped);
    }
    let error = collect(&mut *session).await.unwrap_err();
    assert!(error.cause.contains("could not be stored"), "{error}");
    drop(session);
    let (mut session, _) = subscribed(&spec).await;
    let (values, collected) = collect_values(&mut *session, 15).await;
    assert_eq!(values, numbers(0..15));
    assert_eq!(acknowledged(&mut peer), before);

    // The broker is killed with receipts under way; it had saved what it was not acknowledged.
    peer.ask(&json!({"do": "restart broker"}));
    while collect(&mut *session).await.is_ok() {}
    drop((session, collected));
    let (mut session, _) = subscribed(&spec).await;
    let (values, collected) = collect_values(&mut *session, 15).await;
    assert_eq!(values, numbers(0..15));
    for collected in collected {
        collected.receipt.unwrap().settle(Settled::Stored);
    }
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while acknowledged(&mut peer) < before + 15 {
        assert!(tokio::time::Instant::now() < deadline, "acknowledged when it is stored");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Mosquitto reads one packet at a time: it has read them when it answers the next one.
    session.write(0, &Value::I64(1)).await.unwrap();
    drop(session);

    // What was acknowledged does not come again.
    let (mut session, _) = subscribed(&spec).await;
    publish(&mut peer, "counter", "99");
    assert_eq!(collect_values(&mut *session, 1).await.0, numbers(99..100));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn nothing_is_acknowledged_before_it_is_stored_3() {
    nothing_is_lost("3.1.1").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn nothing_is_acknowledged_before_it_is_stored_5() {
    nothing_is_lost("5").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn what_was_published_while_we_were_away_is_history() {
    let mut peer = peer(&[]);
    let address = json!({"topic": "counter", "path": "/n", "time": "/ts", "time_format": "ms"});
    let spec = one_point(&peer, address);
    drop(subscribed(&spec).await);
    let hour_ago = (weir_connect::Clock::now(&SystemClock).nanos() / 1_000_000) - 3_600_000;
    for n in 0..5 {
        publish(&mut peer, "counter", &format!(r#"{{"n":{n},"ts":{}}}"#, hour_ago + n));
    }
    let (mut session, _) = subscribed(&spec).await;
    let (values, collected) = collect_values(&mut *session, 5).await;
    assert_eq!(values, numbers(0..5));
    assert!(collected.iter().filter(|c| !c.readings.is_empty()).all(|c| c.backfill));
    let first = &collected.iter().find(|c| !c.readings.is_empty()).unwrap().readings[0];
    assert_eq!(Some(first.time), Timestamp::from_millis(hour_ago));
    publish(&mut peer, "counter", &format!(r#"{{"n":7,"ts":{}}}"#, hour_ago + 3_600_000));
    let (values, collected) = collect_values(&mut *session, 1).await;
    assert_eq!(values, numbers(7..8));
    assert!(!collected.last().unwrap().backfill);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_test_does_not_disturb_the_running_device() {
    let peer = peer(&[]);
    let bench = Bench::new(vec![Arc::new(MqttDriver::new())]);
    bench.apply(peer.spec(1, "mqtt")).await;
    bench.until_state(1, State::Online).await;
    let report = bench.supervisor.test(&peer.spec(1, "mqtt")).await.unwrap();
    assert!(report.values.iter().all(|value| value.value.is_some()), "{report:?}");
    let page = bench
        .supervisor
        .browse(weir_connect::conformance::TENANT, "mqtt", &peer.settings, None)
        .await
        .unwrap();
    assert!(!page.items.is_empty());
    let mut again = peer;
    let changed = json!(77.5);
    again.set(0, &changed);
    bench.until("the change", |b| b.value(1, 0) == Some(changed.clone())).await;
    assert_eq!(bench.status(1).counters.reconnects, 0);
    bench.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn certificates_are_reviewed() {
    let mut peer = peer(&["--tls"]);
    let ran = run(Arc::new(MqttDriver::new()), &mut peer).await;
    assert!(ran.contains(&"certificate") && ran.contains(&"killed and restarted"), "{ran:?}");
}

async fn values_come(arguments: &[&str]) {
    let peer = peer(arguments);
    let bench = Bench::new(vec![Arc::new(MqttDriver::new())]);
    bench.apply(peer.spec(1, "mqtt")).await;
    bench.until_state(1, State::Online).await;
    bench.until("a value", |b| b.value(1, 0) == Some(json!(21.5))).await;
    let report = bench.write(1, 7, Value::U64(55)).await.unwrap();
    assert!(report.verified, "{report:?}");
    bench.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn every_transport_carries_values() {
    values_come(&["--websocket"]).await;
    values_come(&["--websocket", "--version", "5"]).await;
    values_come(&["--websocket", "--tls"]).await;
    values_come(&["--tls", "--mutual"]).await;
    values_come(&["--tls", "--mutual", "--version", "5"]).await;
    values_come(&["--ipv6"]).await;
    values_come(&["--ipv6", "--tls", "--mutual"]).await;
    values_come(&["--ipv6", "--websocket", "--tls"]).await;
    values_come(&["--password"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn an_authority_that_did_not_sign_is_not_enough() {
    let peer = peer(&["--tls", "--mutual"]);
    let other = self::peer(&["--tls", "--mutual", "--authority", "2"]);
    let mut spec = peer.spec(1, "mqtt");
    spec.settings["ca"] = other.settings["ca"].clone();
    let error = connect(&spec).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Untrusted, "{error}");
    assert_eq!(error.certificate.unwrap().subject, "CN=broker");
    // Without our certificate the broker ends the handshake.
    let mut spec = peer.spec(1, "mqtt");
    for name in ["client_certificate", "client_key"] {
        spec.settings.as_object_mut().unwrap().remove(name);
    }
    let error = connect(&spec).await.err().unwrap();
    assert_ne!(error.kind, ErrorKind::Untrusted, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn refusals_say_why() {
    for version in ["3.1.1", "5"] {
        let peer = peer(&["--password", "--version", version]);
        let mut spec = peer.spec(1, "mqtt");
        spec.settings["password"] = json!("wrong");
        let error = connect(&spec).await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
        assert!(
            error.to_string().contains("password") && !error.to_string().contains("wrong"),
            "{error}"
        );
    }
    // What MQTT 5 refuses it says; 3.1.1 has no words for it.
    let peer = peer(&["--password", "--version", "5"]);
    let address = json!({"topic": "t", "write_topic": "secret/t"});
    let mut spec = one_point(&peer, address);
    spec.points[0].write = Some(weir_connect::WriteLimits::default());
    let (mut session, _) = subscribed(&spec).await;
    let error = session.write(0, &Value::F64(1.0)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.to_string().contains("not authorized"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn faults_name_topic_and_payload() {
    let mut peer = peer(&[]);
    let mut spec = one_point(&peer, json!({"topic": "温度/🏭", "path": "/t"}));
    spec.settings["timeout_ms"] = json!(500);
    // A test waits for messages, and says that none came.
    let mut session = connect(&spec).await.unwrap();
    let readings = session.read(&[0]).await.unwrap();
    let fault = readings[0].outcome.as_ref().unwrap_err();
    assert!(
        fault.cause.contains("温度/🏭") && fault.cause.contains("no message within 500 ms"),
        "{fault:?}"
    );
    let (mut session, _) = subscribed(&spec).await;
    for (payload, expected) in [("", "nothing"), ("{\"x\":1}", "{\"x\":1}"), ("warm", "warm")] {
        publish(&mut peer, "温度/🏭", payload);
        let collected = collect(&mut *session).await.unwrap();
        let fault = collected.readings[0].outcome.as_ref().unwrap_err();
        assert!(fault.cause.contains("温度/🏭") && fault.cause.contains(expected), "{fault:?}");
        assert!(fault.quality.is_bad() && fault.quality != Quality::NO_COMMUNICATION);
        collected.receipt.unwrap().settle(Settled::Stored);
    }
    // Bytes that are no text, and a message at the edge of what a broker takes.
    peer.ask(&json!({"do": "publish", "topic": "温度/🏭", "payload": "ff00fe", "hex": true}));
    let collected = collect(&mut *session).await.unwrap();
    assert!(collected.readings[0].outcome.is_err());
    drop(collected.receipt);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_wildcard_subscription_feeds_exact_points() {
    let mut peer = peer(&[]);
    let mut spec = one_point(&peer, json!({"topic": "hall/3/t"}));
    spec.settings["topics"] = json!(["$share/weir/hall/+/t"]);
    let (mut session, _) = subscribed(&spec).await;
    for n in 0..4 {
        publish(&mut peer, &format!("hall/{n}/t"), &n.to_string());
    }
    let (values, _) = collect_values(&mut *session, 1).await;
    assert_eq!(values, numbers(3..4));
    spec.settings["topics"] = json!(["hall/+/x"]);
    let errors = MqttDriver::new().check(&spec).unwrap_err();
    assert_eq!(errors[0].field, "/points/0/address/topic");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn discovery_completes_the_settings() {
    let plain = peer(&[]);
    let given = json!({"host": "127.0.0.1", "port": plain.port, "timeout_ms": 2000});
    let found = MqttDriver::new().discover(&given).await.unwrap();
    let spoken: Vec<_> =
        found.iter().map(|f| (&f.settings["transport"], &f.settings["version"])).collect();
    assert_eq!(spoken, [(&json!("tcp"), &json!("5")), (&json!("tcp"), &json!("3.1.1"))]);
    let secure = peer(&["--tls"]);
    let given = json!({"host": "127.0.0.1", "port": secure.port, "timeout_ms": 2000});
    let found = MqttDriver::new().discover(&given).await.unwrap();
    let tls = found.iter().find(|f| f.settings["transport"] == "tls").unwrap();
    let thumbprint = &tls.certificate.as_ref().unwrap().thumbprint;
    assert_eq!(json!([thumbprint]), secure.settings["trusted"]);
    drop(plain);
    let nobody = json!({"host": "127.0.0.1", "port": 1, "timeout_ms": 2000});
    let error = MqttDriver::new().discover(&nobody).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn one_name_for_two_devices_is_told() {
    let peer = peer(&["--version", "5"]);
    let mut spec = peer.spec(1, "mqtt");
    spec.settings["client_id"] = json!("twin");
    let (mut first, _) = subscribed(&spec).await;
    let second = subscribed(&spec).await;
    let error = loop {
        match collect(&mut *first).await {
            Ok(collected) => {
                if let Some(receipt) = collected.receipt {
                    receipt.settle(Settled::Stored);
                }
            }
            Err(error) => break error,
        }
    };
    assert!(error.cause.contains("same client identifier"), "{error}");
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn topics_of_all_kinds_are_taken_or_refused() {
    for version in ["3.1.1", "5"] {
        let mut peer = peer(&["--version", version]);
        let longest = "长".repeat(21_845);
        for topic in ["温度/一号炉", "🏭/🌡", "/", "a//b", " a b ", "a\"\\b", longest.as_str()]
        {
            let spec = one_point(&peer, json!({"topic": topic}));
            let (mut session, first) = subscribed(&spec).await;
            assert!(first.readings.is_empty(), "{topic:.20}: {first:?}");
            publish(&mut peer, topic, "5");
            let (values, collected) = collect_values(&mut *session, 1).await;
            assert_eq!(values, numbers(5..6), "{topic:.20}");
            collected.into_iter().filter_map(|c| c.receipt).for_each(|r| r.settle(Settled::Stored));
        }
        for topic in ["", "a/+", "#", "a\0b", "a\u{1b}b", &"x".repeat(65_536)] {
            let errors = MqttDriver::new().check(&one_point(&peer, json!({"topic": topic})));
            assert_eq!(errors.unwrap_err()[0].field, "/points/0/address/topic", "{topic:.20}");
        }
    }
}
