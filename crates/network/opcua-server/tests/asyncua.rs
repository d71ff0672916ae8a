//! The server against a client made of asyncua, an implementation that nobody here wrote
//! (`tests/interop/opcua-server/client.py`).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

#[path = "it/bench.rs"]
mod bench;
#[path = "it/peer.rs"]
mod peer;
#[path = "it/plant.rs"]
mod plant;

use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};
use weir_model::{Quality, Sample, TagId, Value};

use bench::Bench;
use peer::{Peer, url};
use plant::{MANY, SECRET, at, sample};

fn client() -> Peer {
    let Some(venv) = std::env::var_os("WEIR_VENV") else {
        panic!("run `cargo xtask test`: it makes the Python peers and sets WEIR_VENV");
    };
    let script =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/interop/opcua-server/client.py");
    let mut command = Command::new(Path::new(&venv).join("bin/python"));
    command.arg(script);
    Peer::start(command)
}

fn ids(values: &Json) -> Vec<&str> {
    values.as_array().unwrap().iter().map(|it| it[0].as_str().unwrap()).collect()
}

async fn connected(bench: &Bench) -> Peer {
    let peer = client();
    let operator = json!({
        "do": "connect", "url": url(bench), "user": "operator", "password": "valves 开",
    });
    peer.good(operator).await;
    peer
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn the_whole_tree_is_browsed() {
    let bench = Bench::start(|_| {}).await;
    let peer = connected(&bench).await;
    let namespaces = peer.good(json!({"do": "namespaces"})).await;
    assert_eq!(namespaces["namespaces"][2], "urn:weir");
    let tree = peer.good(json!({"do": "tree"})).await;
    let found = ids(&tree["nodes"]);
    assert!(found.contains(&"ns=2;s=demo.tep/reactor-pressure"));
    assert!(found.contains(&"ns=3;s=EURange:demo.tep/reactor-pressure"));
    let many = found.iter().filter(|id| id.contains("many-")).count();
    assert_eq!(many, MANY as usize, "a large folder comes in pages");
    let standard = peer.good(json!({"do": "standard"})).await;
    assert!(standard["count"].as_u64().unwrap() > 1_000, "{standard}");
    let path = peer.good(json!({"do": "parents", "id": "demo.tep/valve"})).await;
    let up = ["2:Valve", "2:Reactor", "2:Area 1", "2:Demo plant", "2:Weir", "0:Objects", "0:Root"];
    assert_eq!(path["path"], json!(up));
    let path = ["2:Weir", "2:Demo plant", "2:Area 1", "2:Reactor", "2:Pressure", "0:EURange"];
    let range = peer.good(json!({"do": "translate", "path": path})).await;
    assert_eq!(range["id"], "ns=3;s=EURange:demo.tep/reactor-pressure");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn values_and_attributes_are_read() {
    let bench = Bench::start(|_| {}).await;
    let peer = connected(&bench).await;
    let wanted = [
        "demo.tep/reactor-pressure",
        "demo.tep/running",
        "demo.tep/batch",
        "demo.tep/spectrum",
        "demo.tep/mode",
        "demo.tep/flow",
        "demo.tep/silent",
        "demo.tep/count",
        "demo.tep/nothing",
        "ns=3;s=EURange:demo.tep/reactor-pressure",
        "ns=3;s=EngineeringUnits:demo.tep/reactor-pressure",
        "ns=3;s=EnumValues:demo.tep/mode",
        "ns=3;s=ValueAsText:demo.tep/mode",
    ];
    let read = peer.good(json!({"do": "read", "ids": wanted})).await;
    let value = |n: usize| (&read["values"][n]["value"], read["values"][n]["status"].as_u64());
    let kinds: Vec<_> = (0..8).map(|n| read["values"][n]["type"].as_str().unwrap()).collect();
    assert_eq!(value(0), (&json!(999.0), Some(0)));
    assert_eq!(read["values"][0]["time"], "1970-01-01T00:16:39+00:00");
    assert_eq!(value(1).0, &json!(true));
    assert_eq!(value(2).0, &json!("B-7 批"));
    assert_eq!(value(3).0, &json!([1.0, 2.0, 3.0]));
    assert_eq!(value(4).0, &json!(1));
    assert_eq!(value(5), (&json!(8.5), Some(u64::from(Quality::LAST_USABLE.code()))));
    assert_eq!(value(6).1, Some(u64::from(Quality::WAITING.code())));
    assert_eq!(value(7).0, &json!(1_u64 << 60));
    assert_eq!(value(8).1, Some(u64::from(Quality::ADDRESS_UNKNOWN.code())), "BadNodeIdUnknown");
    assert_eq!(value(9).0, &json!([0.0, 3000.0]));
    let kpa = json!(["http://www.opcfoundation.org/UA/units/un/cefact", 4_935_745, "kPa", "kPa"]);
    assert_eq!(value(10).0, &kpa);
    assert_eq!(value(11).0, &json!([[0, "stopped"], [1, "running"]]));
    assert_eq!(value(12).0, &json!("running"));
    assert_eq!(kinds[..6], ["Double", "Boolean", "String", "Double", "Int64", "Double"]);
    for (attribute, expected) in [
        ("DisplayName", json!("Pressure")),
        ("Description", json!("Pressure as measured")),
        ("DataType", json!("i=11")),
        ("ValueRank", json!(-1)),
        ("AccessLevel", json!(5)),
        ("Historizing", json!(true)),
        ("BrowseName", json!("2:Pressure")),
        ("NodeClass", json!(2)),
    ] {
        let read = json!({"do": "read", "ids": [wanted[0]], "attribute": attribute});
        let read = peer.good(read).await;
        assert_eq!(read["values"][0]["value"], expected, "{attribute}");
    }
    let state = peer.good(json!({"do": "read", "ids": ["i=2259", "i=2267", "i=11702"]})).await;
    assert_eq!(state["values"][0]["value"], 0, "Running: {state}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn names_come_in_the_clients_language() {
    let bench = Bench::start(|_| {}).await;
    let peer = client();
    peer.good(json!({"do": "connect", "url": url(&bench), "locales": ["zh-CN"]})).await;
    let read = json!({"do": "read", "ids": ["demo.tep/valve"], "attribute": "DisplayName"});
    assert_eq!(peer.good(read).await["values"][0]["value"], "阀门");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn what_a_user_may_not_see_does_not_exist() {
    let bench = Bench::start(|_| {}).await;
    let peer = client();
    peer.good(json!({"do": "connect", "url": url(&bench)})).await;
    let tree = peer.good(json!({"do": "tree", "start": "ns=2;s=demo.tep/reactor"})).await;
    assert!(!ids(&tree["nodes"]).iter().any(|id| id.contains(SECRET)), "{tree}");
    let read = peer.good(json!({"do": "read", "ids": [SECRET]})).await;
    assert_eq!(read["values"][0]["status"], Quality::ADDRESS_UNKNOWN.code());
    let subscribe = peer.good(json!({"do": "subscribe", "ids": [SECRET]})).await;
    assert!(subscribe["failed"][0].as_str().unwrap().contains("0x80340000"), "{subscribe}");
    let history =
        peer.ask(json!({"do": "history", "id": SECRET, "end": "1970-01-02", "number": 1}));
    assert_eq!(history.await["error"], "BadNodeIdUnknown");
    let write = json!({"do": "write", "id": "demo.tep/valve", "value": 1.0, "type": "Double"});
    assert_eq!(peer.ask(write).await["error"], "BadUserAccessDenied");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn many_items_are_watched() {
    let bench = Bench::start(|_| {}).await;
    let peer = connected(&bench).await;
    let count = 10_000;
    let watched: Vec<String> = (0..count).map(|n| format!("demo.tep/many-{n:05}")).collect();
    let subscribed = peer.good(json!({"do": "subscribe", "ids": watched})).await;
    assert_eq!(subscribed["failed"], json!([]));
    let first = peer.good(json!({"do": "notifications", "count": count})).await;
    assert_eq!(first["values"].as_array().unwrap().len(), count as usize);
    let statistics = bench.running.handle.statistics();
    assert_eq!((statistics.subscriptions, statistics.monitored_items), (1, count as usize));
    let samples = (0..count).map(|n| (TagId(1000 + n), sample(2, f64::from(n) + 0.5))).collect();
    bench.plant.measure(samples);
    let second = peer.good(json!({"do": "notifications", "count": count})).await;
    let second = second["values"].as_array().unwrap();
    assert_eq!(second.len(), count as usize);
    assert!(second.iter().all(|it| it[1]["time"] == "1970-01-01T00:00:02+00:00"));
    peer.good(json!({"do": "unsubscribe"})).await;
    let statistics = bench.running.handle.statistics();
    assert_eq!((statistics.subscriptions, statistics.monitored_items), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn changes_are_told_with_their_own_times_and_quality() {
    let bench = Bench::start(|_| {}).await;
    // Zero is every sample; minus one the publishing interval; both keep source times.
    for sampling in [0.0, -1.0] {
        let peer = connected(&bench).await;
        let watch = json!({"do": "subscribe", "ids": ["demo.tep/flow"], "sampling": sampling});
        peer.good(watch).await;
        peer.good(json!({"do": "notifications", "count": 1})).await;
        let base = if sampling == 0.0 { 100 } else { 200 };
        for n in 0..3 {
            let quality = if n == 1 { Quality::LAST_USABLE } else { Quality::GOOD };
            // The second differs from the first in quality only.
            let value = Some(Value::F64(f64::from(n / 2) + f64::from(base)));
            let time = at(i64::from(base + n)).saturating_add(123_456_700);
            bench.plant.measure(vec![(TagId(8), Sample { time, value, quality })]);
            let told = peer.good(json!({"do": "notifications", "count": 1})).await;
            let told = &told["values"][0][1];
            assert_eq!(told["status"], quality.code(), "{sampling} {n}: {told}");
            let time = told["time"].as_str().unwrap();
            assert!(time.ends_with(&format!("{:02}.123456+00:00", (base + n) % 60)), "{time}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn history_is_read_in_pages() {
    let bench = Bench::start(|options| options.limits.history_values_max = 150).await;
    let peer = connected(&bench).await;
    let id = "demo.tep/reactor-pressure";
    let values = |read: &Json| -> Vec<f64> {
        let values = read["values"].as_array().unwrap().iter();
        values.map(|it| it["value"].as_f64().unwrap_or(f64::NAN)).collect()
    };
    let seconds = |from: i64, to: i64| (from..to).map(|n| n as f64).collect::<Vec<_>>();
    let (start, end) = ("1970-01-01T00:01:40", "1970-01-01T00:11:40");
    let all = json!({"do": "history", "id": id, "start": start, "end": end});
    assert_eq!(values(&peer.good(all).await), seconds(100, 700));
    let backwards = json!({"do": "history", "id": id, "start": end, "end": start});
    let mut expected = seconds(101, 701);
    expected.reverse();
    assert_eq!(values(&peer.good(backwards).await), expected);
    let newest = json!({"do": "history", "id": id, "end": "1970-01-02", "number": 3});
    assert_eq!(values(&peer.good(newest).await), [999.0, 998.0, 997.0]);
    let oldest = json!({"do": "history", "id": id, "start": "1960-01-01", "number": 2});
    assert_eq!(values(&peer.good(oldest).await), [0.0, 1.0]);
    let page = json!({"do": "history_page", "id": id, "start": start, "end": end, "number": 7});
    let page = peer.good(page).await;
    assert_eq!((values(&page), &page["more"]), (seconds(100, 107), &json!(true)));
    let bounded = json!({
        "do": "history_page", "id": id, "start": "1970-01-01T00:16:37.5",
        "end": "1970-01-01T01:00:00", "number": 0, "bounds": true,
    });
    let bounded = peer.good(bounded).await;
    assert_eq!(values(&bounded)[..3], [997.0, 998.0, 999.0]);
    assert_eq!(bounded["values"][3]["status"], 0x80D7_0000_u32, "BadBoundNotFound: {bounded}");
    let none = json!({"do": "history", "id": "demo.tep/silent", "start": start, "end": end});
    assert_eq!(values(&peer.good(none).await), [0.0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn only_what_is_writable_is_written() {
    let bench = Bench::start(|_| {}).await;
    let peer = connected(&bench).await;
    let write = |id: &str, value: Json, kind: &str| {
        peer.ask(json!({"do": "write", "id": id, "value": value, "type": kind}))
    };
    assert_eq!(write("demo.tep/valve", json!(62.5), "Double").await, json!({}));
    let read = peer.good(json!({"do": "read", "ids": ["demo.tep/valve"]})).await;
    assert_eq!(read["values"][0]["value"], 62.5);
    for (id, value, kind, error) in [
        ("demo.tep/valve", json!(1), "Int32", "BadTypeMismatch"),
        ("demo.tep/valve", json!(101.0), "Double", "BadOutOfRange"),
        ("demo.tep/reactor-pressure", json!(1.0), "Double", "BadNotWritable"),
        ("demo.tep/reactor", json!(1.0), "Double", "BadAttributeIdInvalid"),
        ("demo.tep/nothing", json!(1.0), "Double", "BadNodeIdUnknown"),
        ("i=2259", json!(1), "Int32", "BadNotWritable"),
    ] {
        assert_eq!(write(id, value, kind).await["error"], error, "{id} {kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn every_policy_and_mode_is_spoken_by_trusted_clients() {
    let bench = Bench::start(|options| options.allow_none = false).await;
    let peer = client();
    let endpoints = peer.good(json!({"do": "endpoints", "url": url(&bench)})).await;
    let endpoints = endpoints["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 6, "{endpoints:?}");
    assert!(endpoints.iter().all(|it| it[0] == json!(url(&bench)) && it[1] != "None"));
    let plain = json!({"do": "connect", "url": url(&bench)});
    assert!(peer.ask(plain).await["error"].is_string(), "no security is not offered");
    let connect = |policy: &str, mode: &str| {
        json!({
            "do": "connect", "url": url(&bench), "policy": policy, "mode": mode,
            "user": "operator", "password": "valves 开",
        })
    };
    let stranger = peer.ask(connect("Basic256Sha256", "SignAndEncrypt")).await;
    assert!(stranger["error"].is_string(), "{stranger}");
    let handle = &bench.running.handle;
    let rejected = handle.rejected().await.unwrap();
    assert_eq!(rejected.len(), 1);
    assert!(rejected[0].subject.contains("client"), "{:?}", rejected[0].subject);
    handle.trust(&rejected[0].thumbprint).await.unwrap();
    for policy in ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"] {
        for mode in ["Sign", "SignAndEncrypt"] {
            peer.good(connect(policy, mode)).await;
            let read = peer.good(json!({"do": "read", "ids": [SECRET]})).await;
            assert_eq!(read["values"][0]["value"], 7.0, "{policy} {mode}");
            peer.good(json!({"do": "disconnect"})).await;
        }
    }
    peer.good(connect("Basic256Sha256", "SignAndEncrypt")).await;
    let open = handle.sessions();
    assert_eq!(open[0].certificate.as_deref(), Some(rejected[0].thumbprint.as_str()), "{open:?}");
    assert!(open[0].encrypted && open[0].address.ip().is_loopback(), "{open:?}");
    handle.distrust(&rejected[0].thumbprint).await.unwrap();
    assert_eq!(handle.statistics().sessions, 0);
    let gone = peer.ask(json!({"do": "read", "ids": [SECRET]})).await;
    assert!(gone["error"].is_string(), "{gone}");
    let again = peer.ask(connect("Basic256Sha256", "Sign")).await;
    assert!(again["error"].is_string(), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn users_show_passwords_and_certificates() {
    let bench = Bench::start(|options| options.allow_anonymous = false).await;
    let peer = client();
    let connect = |more: Json| {
        let mut command = json!({"do": "connect", "url": url(&bench)});
        command.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        command
    };
    let wrong = connect(json!({"user": "operator", "password": "guess"}));
    assert_eq!(peer.ask(wrong).await["error"], "BadUserAccessDenied");
    let nobody = peer.ask(connect(json!({}))).await;
    assert!(nobody["error"].is_string(), "{nobody}");
    let path = peer.good(json!({"do": "certificate", "name": "person"})).await;
    let der = std::fs::read(path["path"].as_str().unwrap()).unwrap();
    let person = json!({"user_certificate": "person"});
    assert_eq!(peer.ask(connect(person.clone())).await["error"], "BadUserAccessDenied");
    *bench.plant.certificate.lock().unwrap() = Some(der);
    peer.good(connect(person)).await;
    let read = peer.good(json!({"do": "read", "ids": [SECRET]})).await;
    assert_eq!(read["values"][0]["value"], 7.0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn sessions_end_with_the_rights_of_their_users() {
    let bench = Bench::start(|_| {}).await;
    let (peer, other) = (connected(&bench).await, client());
    other.good(json!({"do": "connect", "url": url(&bench)})).await;
    peer.good(json!({"do": "subscribe", "ids": ["demo.tep/flow"]})).await;
    bench.plant.locked.lock().unwrap().push("operator".to_owned());
    assert_eq!(bench.running.handle.end_sessions("operator"), 1);
    let read = json!({"do": "read", "ids": ["demo.tep/flow"]});
    assert!(peer.ask(read.clone()).await["error"].is_string());
    assert_eq!(other.good(read).await["values"][0]["value"], 8.5, "others go on");
    let statistics = bench.running.handle.statistics();
    assert_eq!((statistics.sessions, statistics.monitored_items), (1, 0));
    let again = json!({
        "do": "connect", "url": url(&bench), "user": "operator", "password": "valves 开",
    });
    assert_eq!(client().ask(again).await["error"], "BadUserAccessDenied");
}

/// Kilobytes that this process has in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux system");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: run it alone, with --nocapture"]
async fn what_sessions_and_items_take() {
    let before = resident();
    let bench = Bench::start(|_| {}).await;
    let started = resident();
    let first = connected(&bench).await;
    let one = resident();
    let mut peers = Vec::new();
    for _ in 0..30 {
        peers.push(connected(&bench).await);
    }
    let sessions = resident();
    let watched: Vec<String> = (0..10_000).map(|n| format!("demo.tep/many-{n:05}")).collect();
    // What the first needs once (buffers, tables) is not what the others need.
    let mut marks = vec![sessions];
    for peer in [&first, &peers[0], &peers[1]] {
        peer.good(json!({"do": "subscribe", "ids": watched, "queue": 10})).await;
        peer.good(json!({"do": "notifications", "count": 10_000})).await;
        marks.push(resident());
    }
    let item = |at: usize| (marks[at] as f64 - marks[at - 1] as f64) * 1024.0 / 10_000.0;
    for round in 2..12 {
        let value = Some(Value::F64(f64::from(round)));
        let of = |n| Sample { value: value.clone(), ..sample(i64::from(round), f64::from(n)) };
        bench.plant.measure((0..10_000).map(|n| (TagId(1000 + n), of(n))).collect());
        for peer in [&first, &peers[0], &peers[1]] {
            peer.good(json!({"do": "notifications", "count": 10_000})).await;
        }
    }
    println!(
        "{}",
        json!({
            "server_and_plant_kb": started as i64 - before as i64,
            "first_session_kb": one as i64 - started as i64,
            "session_kb": (sessions as f64 - one as f64) / 30.0,
            "item_bytes_of_the_first_10000": item(1),
            "item_bytes_of_the_second_10000": item(2),
            "item_bytes_of_the_third_10000": item(3),
            "after_300000_notifications_kb": resident() as i64 - marks[3] as i64,
        })
    );
}
