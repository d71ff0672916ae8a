//! Births, deaths, order, history and STATE, against an edge node whose payloads pysparkplug encodes.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;

use serde_json::{Value as Json, json};
use weir_connect::conformance::{Bench, Peer};
use weir_connect::{Driver, ErrorKind, State};
use weir_model::{Quality, Value};
use weir_sparkplug::SparkplugDriver;

async fn running(peer: &Peer) -> Bench {
    let bench = Bench::new(vec![Arc::new(SparkplugDriver::new())]);
    bench.apply(peer.spec(1, "sparkplug")).await;
    bench.until_state(1, State::Online).await;
    let points = peer.points.len();
    bench.until("all values", |b| (0..points).all(|i| b.value(1, i).is_some())).await;
    bench
}

fn point(peer: &Peer, metric: &str) -> usize {
    peer.points.iter().position(|p| p["address"]["metric"] == metric).unwrap()
}

fn heard(peer: &mut Peer) -> (u64, Vec<Json>) {
    let heard = peer.ask(&json!({"do": "heard"}));
    (heard["rebirths"].as_u64().unwrap(), heard["states"].as_array().unwrap().clone())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn deaths_take_values_away_and_births_bring_them_back() {
    let mut peer = Peer::start("sparkplug/edge.py", &[]);
    let bench = running(&peer).await;
    let points = peer.points.len();
    peer.ask(&json!({"do": "die"}));
    bench.until("all points lost", |b| (0..points).all(|i| b.value(1, i).is_none())).await;
    assert!((0..points).all(|i| bench.last(1, i).unwrap().quality == Quality::NO_COMMUNICATION));
    assert!(bench.reason(1).contains("NDEATH"), "{}", bench.reason(1));
    peer.ask(&json!({"do": "live"}));
    bench.until("all values again", |b| (0..points).all(|i| b.value(1, i).is_some())).await;
    bench.until_state(1, State::Online).await;
    assert_eq!(bench.status(1).counters.reconnects, 0, "the connection to the broker stood");

    // The will of the session before comes late.
    let before = bench.samples(1, 0).len();
    peer.ask(&json!({"do": "stale death"}));
    let changed = json!(33.5);
    peer.set(0, &changed);
    bench.until("the change", |b| b.value(1, 0) == Some(changed.clone())).await;
    assert!(bench.samples(1, 0).iter().skip(before).all(|sample| !sample.quality.is_bad()));
    for i in 0..points {
        let lost = bench.course(1, i).iter().filter(|quality| quality.is_bad()).count();
        assert_eq!(lost, 1, "a loss is told once");
    }

    peer.ask(&json!({"do": "device death", "device": "炉"}));
    let of_oven = point(&peer, "T");
    bench.until("the oven lost", |b| b.value(1, of_oven).is_none()).await;
    assert!(bench.reason(1).contains("DDEATH"), "{}", bench.reason(1));
    assert!(bench.value(1, 0).is_some() && bench.value(1, point(&peer, "Name")).is_some());
    peer.ask(&json!({"do": "device birth", "device": "炉"}));
    bench.until("the oven again", |b| b.value(1, of_oven).is_some()).await;
    bench.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_missing_number_asks_for_births() {
    let mut peer = Peer::start("sparkplug/edge.py", &["--aliases"]);
    let bench = running(&peer).await;
    let (before, _) = heard(&mut peer);
    assert_eq!(before, 1, "a host that has connected asks once");
    peer.ask(&json!({"do": "skip"}));
    peer.set(0, &json!(44.5));
    bench.until("the value behind the gap", |b| b.value(1, 0) == Some(json!(44.5))).await;
    bench.until("a request for births", |_| heard(&mut peer).0 > before).await;
    peer.set(0, &json!(45.5));
    bench.until("the value behind the births", |b| b.value(1, 0) == Some(json!(45.5))).await;
    assert!(bench.course(1, 0).iter().all(|quality| !quality.is_bad()), "a rebirth is no loss");
    bench.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn history_null_and_quality_are_what_they_say() {
    let mut peer = Peer::start("sparkplug/edge.py", &[]);
    let bench = running(&peer).await;
    peer.ask(&json!({"do": "tell", "point": 0, "value": 5.5, "ago_s": 7200, "historical": true}));
    bench.until("history", |b| !b.backfilled(1, 0).is_empty()).await;
    let old = bench.backfilled(1, 0).remove(0);
    assert_eq!(old.value, Some(Value::F64(5.5)));
    let now = weir_connect::Clock::now(&weir_connect::SystemClock);
    assert!((now.nanos() - old.time.nanos() - 7_200_000_000_000).abs() < 60_000_000_000);
    assert_eq!(bench.value(1, 0), Some(json!(21.5)), "history is not live");
    peer.ask(&json!({"do": "tell", "point": 0, "value": 6.5, "quality": 500}));
    bench.until("a stale value", |b| b.last(1, 0).unwrap().quality == Quality::LAST_USABLE).await;
    assert_eq!(bench.value(1, 0), Some(json!(6.5)));
    peer.ask(&json!({"do": "tell", "point": 0, "value": 0, "null": true}));
    bench.until("no value", |b| b.value(1, 0).is_none()).await;
    bench.until_state(1, State::Degraded).await;
    bench.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_primary_host_says_that_it_is_there() {
    let mut peer = Peer::start("sparkplug/edge.py", &["--primary", "weir 1"]);
    let bench = Bench::new(vec![Arc::new(SparkplugDriver::new())]);
    // A test speaks for nobody.
    let mut quick = peer.spec(1, "sparkplug");
    quick.settings["birth_ms"] = json!(300);
    let report = bench.supervisor.test(&quick).await.unwrap();
    assert!(report.values.iter().all(|value| value.value.is_none()));
    assert_eq!(heard(&mut peer).1, [] as [Json; 0]);

    bench.apply(peer.spec(1, "sparkplug")).await;
    bench.until("a value", |b| b.value(1, 0) == Some(json!(21.5))).await;
    bench.supervisor.shutdown().await;
    bench.until("the will", |_| heard(&mut peer).1.len() >= 2).await;
    let (_, states) = heard(&mut peer);
    assert_eq!((&states[0]["online"], &states[1]["online"]), (&json!(true), &json!(false)));
    assert_eq!(states[0]["timestamp"], states[1]["timestamp"]);

    // What happens while no host is there comes later, as history.
    peer.set(0, &json!(50.5));
    peer.set(0, &json!(51.5));
    let bench = Bench::new(vec![Arc::new(SparkplugDriver::new())]);
    bench.apply(peer.spec(1, "sparkplug")).await;
    bench.until("history", |b| b.backfilled(1, 0).len() == 2).await;
    bench.until("the present", |b| b.value(1, 0) == Some(json!(51.5))).await;
    bench.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn two_devices_of_one_host_do_not_silence_each_other() {
    let mut peer = Peer::start("sparkplug/edge.py", &["--primary", "weir 1"]);
    let bench = Bench::new(vec![Arc::new(SparkplugDriver::new())]);
    bench.apply(peer.spec(1, "sparkplug")).await;
    bench.apply(peer.spec(2, "sparkplug")).await;
    bench.until("values", |b| b.value(1, 0).is_some() && b.value(2, 0).is_some()).await;
    let device = weir_connect::conformance::device_id(2);
    assert!(bench.supervisor.remove(weir_connect::conformance::TENANT, &device).await);
    // Its will says offline, and the other one says that the host is still there.
    bench
        .until("online again", |_| {
            let (_, states) = heard(&mut peer);
            let offline = states.iter().position(|state| state["online"] == json!(false));
            offline
                .is_some_and(|at| states[at..].iter().any(|state| state["online"] == json!(true)))
        })
        .await;
    peer.set(0, &json!(60.5));
    bench.until("a change", |b| b.value(1, 0) == Some(json!(60.5))).await;
    bench.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn edge_nodes_are_found_and_browsed() {
    let mut peer = Peer::start("sparkplug/edge.py", &[]);
    let mut given = peer.settings.clone();
    for name in ["group", "edge_node"] {
        given.as_object_mut().unwrap().remove(name);
    }
    peer.mode("flood");
    let found = SparkplugDriver::new().discover(&given).await.unwrap();
    peer.mode("normal");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].settings["group"], peer.settings["group"]);
    assert_eq!(found[0].settings["edge_node"], peer.settings["edge_node"]);
    let root = SparkplugDriver::new().browse(&peer.settings, None).await.unwrap();
    let temperature = root.items.iter().find(|item| item.name == "Temperature").unwrap();
    assert_eq!(temperature.unit.as_deref(), Some("°C"));
    assert_eq!(temperature.value, Some(Value::F64(21.5)));
    assert!(root.items.iter().any(|item| item.name == "press" && item.expandable));
    let mut nobody = peer.settings.clone();
    nobody["edge_node"] = json!("nobody");
    nobody["birth_ms"] = json!(300);
    let error = SparkplugDriver::new().browse(&nobody, None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn refused_writes_and_wrong_names_say_why() {
    let mut peer = Peer::start("sparkplug/edge.py", &[]);
    for name in ["Motor/rpm", "Offset"] {
        let index = point(&peer, name);
        peer.points[index]["writable"] = json!(true);
    }
    peer.points[0]["address"]["metric"] = json!("Temprature");
    let bench = Bench::new(vec![Arc::new(SparkplugDriver::new())]);
    bench.apply(peer.spec(1, "sparkplug")).await;
    bench.until_state(1, State::Degraded).await;
    assert!(
        bench.reason(1).contains("Temprature: the birth names no such metric"),
        "{}",
        bench.reason(1)
    );
    assert_eq!(bench.last(1, 0).unwrap().quality, Quality::ADDRESS_UNKNOWN);
    let error = bench.write(1, point(&peer, "Motor/rpm"), Value::I64(1)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotWritable, "{error}");
    let error = bench.write(1, point(&peer, "Offset"), Value::I64(200)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutOfLimits, "{error}");
    let report = bench.write(1, point(&peer, "Offset"), Value::I64(-128)).await.unwrap();
    assert!(report.verified);
    assert_eq!(bench.status(1).counters.reconnects, 0);
    bench.supervisor.shutdown().await;
}
