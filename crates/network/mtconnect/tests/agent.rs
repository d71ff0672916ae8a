//! The driver against an agent in Python (`tests/interop/mtconnect/agent.py`), whose documents follow the
//! standard's schemas.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use weir_connect::conformance::{Bench, Peer, impatient, run, tag};
use weir_connect::{
    Circumstances, Clock, DeviceSpec, Driver, DriverError, ErrorKind, Point, Reading, Session,
    State, SystemClock,
};
use weir_model::{DataType, Quality, Timestamp, Value};
use weir_mtconnect::MtconnectDriver;

const SCRIPT: &str = "mtconnect/agent.py";

fn driver() -> Arc<dyn Driver> {
    Arc::new(MtconnectDriver::new())
}

fn bench() -> Bench {
    Bench::new(vec![driver()])
}

/// A device with points at data items, of types.
fn spec(peer: &Peer, n: u32, items: &[(&str, DataType)]) -> DeviceSpec {
    let mut spec = peer.spec(n, "mtconnect");
    spec.points = items
        .iter()
        .enumerate()
        .map(|(i, (item, data_type))| Point {
            tag: tag(n, i),
            id: format!("88.100/d{n}.q{i}").parse().unwrap(),
            name: (*item).to_owned(),
            address: json!({"data_item": item}),
            data_type: *data_type,
            scaling: Vec::new(),
            write: None,
            poll_ms: None,
        })
        .collect();
    spec
}

fn observe(peer: &mut Peer, item: &str, text: &str, ago_s: f64) {
    peer.ask(&json!({"do": "observe", "item": item, "text": text, "ago_s": ago_s}));
}

fn condition(peer: &mut Peer, element: &str, code: &str, text: &str) {
    peer.ask(&json!({"do": "observe", "item": "cn_system", "element": element, "code": code, "text": text}));
}

async fn connect(
    spec: DeviceSpec,
    since: Option<Timestamp>,
) -> Result<Box<dyn Session>, DriverError> {
    let mut circumstances = Circumstances::new(Arc::new(SystemClock));
    circumstances.since = since;
    driver().connect(Arc::new(spec), circumstances).await
}

/// Collects until something holds of all that came.
async fn collect(
    session: &mut dyn Session,
    mut done: impl FnMut(&[(Reading, bool)]) -> bool,
) -> Vec<(Reading, bool)> {
    let mut all = Vec::new();
    let collecting = async {
        while !done(&all) {
            session.due().await;
            let collected = session.collect().await.unwrap();
            let backfill = collected.backfill;
            all.extend(collected.readings.into_iter().map(|reading| (reading, backfill)));
        }
    };
    tokio::time::timeout(Duration::from_secs(60), collecting).await.unwrap();
    all
}

fn numbers(readings: &[(Reading, bool)], backfill: bool) -> Vec<f64> {
    let wanted = readings.iter().filter(|(_, b)| *b == backfill);
    wanted.filter_map(|(r, _)| r.outcome.as_ref().ok()?.as_f64()).collect()
}

fn ago(seconds: i64) -> Timestamp {
    SystemClock.now().saturating_add(-seconds * 1_000_000_000)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn passes_the_suite() {
    let mut peer = Peer::start(SCRIPT, &[]);
    let ran = run(driver(), &mut peer).await;
    let expected = [
        "describe",
        "test",
        "unreachable",
        "browse",
        "subscribe",
        "killed and restarted",
        "store and forward",
        "silent",
        "lies",
        "clock",
        "flood",
        "one of many",
    ];
    assert_eq!(ran, expected);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn passes_the_suite_where_the_agent_only_answers_polls() {
    let mut peer = Peer::start(SCRIPT, &[]);
    for mode in ["poll", "no-streams"] {
        peer.mode(mode);
        let bench = bench();
        bench.apply(peer.spec(1, "mtconnect")).await;
        bench.until_state(1, State::Online).await;
        bench.until("first", |b| b.value(1, 4).is_some()).await;
        for parts in 42..46 {
            peer.set(4, &json!(parts));
            bench.until("a count", |b| b.value(1, 4) == Some(json!(parts))).await;
        }
        // A restart of the agent is noticed by its other instance.
        peer.ask(&json!({"do": "restart"}));
        peer.set(4, &json!(7));
        bench.until("after the restart", |b| b.value(1, 4) == Some(json!(7))).await;
        assert_eq!(bench.status(1).counters.reconnects, 0);
        bench.supervisor.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn conditions_data_sets_and_tables() {
    let mut peer = Peer::start(SCRIPT, &[]);
    let items = [
        ("cn_system", DataType::Text),
        ("cn_system", DataType::Enumeration),
        ("p_vars", DataType::Text),
        ("p_offsets", DataType::Text),
        ("x_filler", DataType::F64),
        ("nothing", DataType::F64),
        ("Xact", DataType::F64),
    ];
    condition(&mut peer, "Fault", "4101", "spindle overload");
    condition(&mut peer, "Warning", "210", "lubrication");
    let bench = bench();
    bench.apply(spec(&peer, 1, &items)).await;
    let is = |b: &Bench, i: usize, text: &str| b.value(1, i) == Some(json!(text));
    let both = "FAULT 4101: spindle overload; WARNING 210: lubrication";
    bench.until("both", |b| is(b, 0, both) && b.value(1, 1) == Some(json!(2))).await;
    bench.until("a set", |b| is(b, 2, r#"{"v100":1.5}"#)).await;
    bench.until("a table", |b| is(b, 3, r#"{"G54":{"X":1,"Y":2}}"#)).await;
    bench.until("a name", |b| b.value(1, 6) == Some(json!(12.5))).await;
    assert_eq!(bench.last(1, 4).map(|s| s.quality), Some(Quality::NO_COMMUNICATION));
    assert_eq!(bench.last(1, 5).map(|s| s.quality), Some(Quality::ADDRESS_UNKNOWN));
    assert_eq!(bench.status(1).state, State::Degraded);
    assert!(bench.reason(1).starts_with("2 of 7 points fail: "), "{}", bench.reason(1));
    condition(&mut peer, "Normal", "4101", "");
    bench.until("one", |b| is(b, 0, "WARNING 210: lubrication")).await;
    bench.until("its state", |b| b.value(1, 1) == Some(json!(1))).await;
    condition(&mut peer, "Normal", "", "");
    bench.until("none", |b| is(b, 0, "NORMAL")).await;
    condition(&mut peer, "Unavailable", "", "");
    bench.until("unavailable", |b| b.last(1, 0).is_some_and(|s| s.quality.is_bad())).await;
    let change =
        json!({"do": "observe", "item": "p_vars", "entries": {"v101": "on", "v100": null}});
    peer.ask(&change);
    bench.until("a change", |b| is(b, 2, r#"{"v101":"on"}"#)).await;
    observe(&mut peer, "x_filler", "21.5", 0.0);
    bench.until("available", |b| b.value(1, 4) == Some(json!(21.5))).await;
    assert_eq!(bench.status(1).counters.reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_cut_stream_is_resumed_without_loss() {
    let mut peer = Peer::start(SCRIPT, &[]);
    let mut session = connect(spec(&peer, 1, &[("x_load", DataType::F64)]), None).await.unwrap();
    let mut all = Vec::new();
    for round in 0..5 {
        for n in 1..=20 {
            observe(&mut peer, "x_load", &format!("{}", round * 20 + n), 0.0);
        }
        peer.ask(&json!({"do": "cut"}));
        let last = f64::from(round * 20 + 20);
        let came = collect(&mut *session, |all| numbers(all, false).last() == Some(&last)).await;
        all.extend(numbers(&came, false));
    }
    // The first reading is what was when it connected.
    let expected: Vec<f64> = (1..=100).map(f64::from).collect();
    assert_eq!(all.split_first().map(|(_, rest)| rest), Some(expected.as_slice()));
    // What the agent kept for a long time is late.
    peer.ask(&json!({"do": "cut"}));
    observe(&mut peer, "x_load", "-1", 300.0);
    observe(&mut peer, "x_load", "-2", 0.0);
    let came = collect(&mut *session, |all| numbers(all, false).last() == Some(&-2.0)).await;
    let late = numbers(&came, true);
    assert!(late.is_empty() || late == [-1.0], "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_gap_is_filled_from_the_buffer() {
    let mut peer = Peer::start(SCRIPT, &[]);
    condition(&mut peer, "Fault", "7", "old");
    // An hour of one observation a second, of which the last ten minutes are missing.
    for second in (0..3600).rev() {
        observe(&mut peer, "x_load", &format!("{second}"), f64::from(second) + 5.0);
    }
    peer.ask(&json!({"do": "fill", "count": 3000}));
    let items = [("x_load", DataType::F64), ("cn_system", DataType::Text)];
    let before = peer.ask(&json!({"do": "counts"}))["sample"].as_u64().unwrap_or(0);
    let mut session = connect(spec(&peer, 1, &items), Some(ago(605))).await.unwrap();
    observe(&mut peer, "x_load", "-5", 0.0);
    let came = collect(&mut *session, |all| numbers(all, false).last() == Some(&-5.0)).await;
    let late: Vec<f64> = numbers(&came, true);
    let mut seen: Vec<i64> = late.iter().map(|x| *x as i64).collect();
    seen.sort_unstable();
    seen.dedup();
    let newest = (0..599).collect::<Vec<_>>();
    assert!(
        seen.len() <= 700 && newest.iter().all(|n| seen.contains(n)),
        "{} of {seen:?}",
        seen.len()
    );
    // Sought by halving: far fewer pages than the buffer has.
    let asked = peer.ask(&json!({"do": "counts"}))["sample"].as_u64().unwrap() - before;
    assert!(asked <= 10, "{asked} questions");
    assert_eq!(numbers(&came, false), [0.0, -5.0]);
    let is_live = |(_, backfill): &(Reading, bool)| !backfill;
    assert!(came.iter().position(is_live).unwrap() >= late.len(), "what was, comes first");
    let fault = came.iter().find(|(r, _)| r.point == 1).unwrap();
    assert_eq!(fault.0.outcome, Ok(Value::text("FAULT 7: old").unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn what_happened_in_silence_is_brought_in() {
    let mut peer = Peer::start(SCRIPT, &[]);
    let bench = bench();
    bench.apply(impatient(spec(&peer, 1, &[("x_load", DataType::F64)]))).await;
    bench.until("a value", |b| b.value(1, 0).is_some()).await;
    peer.mode("silent");
    for n in 1..=20 {
        observe(&mut peer, "x_load", &format!("{n}"), 0.0);
    }
    bench.until_state(1, State::BackingOff).await;
    for n in 21..=40 {
        observe(&mut peer, "x_load", &format!("{n}"), 0.0);
    }
    peer.mode("normal");
    bench.until("what is", |b| b.value(1, 0) == Some(json!(40.0))).await;
    let all = || (1..=40).map(f64::from);
    let came = |b: &Bench| {
        let samples = b.samples(1, 0);
        let values: Vec<_> = samples.iter().filter_map(|s| s.value.as_ref()?.as_f64()).collect();
        all().all(|n| values.contains(&n))
    };
    bench.until("what was", came).await;
    assert!(bench.backfilled(1, 0).len() >= 40);
    // The last one in time is good: what is was told after what was lost.
    let last = bench.samples(1, 0).into_iter().max_by_key(|s| s.time).unwrap();
    assert_eq!(last.value, Some(Value::F64(40.0)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn an_overrun_and_another_instance_begin_anew() {
    let mut peer = Peer::start(SCRIPT, &["--buffer", "200"]);
    let mut session = connect(spec(&peer, 1, &[("x_load", DataType::F64)]), None).await.unwrap();
    collect(&mut *session, |all| !all.is_empty()).await;
    // While nobody reads, more happens than the buffer holds.
    peer.ask(&json!({"do": "cut"}));
    for n in 0..500 {
        observe(&mut peer, "x_load", &format!("{n}"), 0.0);
    }
    let came = collect(&mut *session, |all| numbers(all, false).last() == Some(&499.0)).await;
    observe(&mut peer, "x_load", "1000", 0.0);
    let more = collect(&mut *session, |all| numbers(all, false).last() == Some(&1000.0)).await;
    let mut kept: Vec<i64> = came
        .iter()
        .chain(&more)
        .filter_map(|(r, _)| Some(r.outcome.as_ref().ok()?.as_f64()? as i64))
        .collect();
    kept.sort_unstable();
    kept.dedup();
    assert!((300..500).all(|n| kept.contains(&n)), "the buffer's own are told: {kept:?}");
    assert!(session.peer().contains("ran over 1 times"), "{}", session.peer());

    peer.ask(&json!({"do": "restart"}));
    observe(&mut peer, "x_load", "2000", 0.0);
    let came = collect(&mut *session, |all| numbers(all, false).contains(&2000.0)).await;
    assert!(!numbers(&came, false).contains(&1000.0));
    observe(&mut peer, "x_load", "2001", 0.0);
    collect(&mut *session, |all| numbers(all, false).contains(&2001.0)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn data_items_that_are_taken_away_are_told() {
    let mut peer = Peer::start(SCRIPT, &[]);
    let bench = bench();
    let items = [("x_load", DataType::F64), ("p_exec", DataType::Text)];
    bench.apply(spec(&peer, 1, &items)).await;
    bench.until("values", |b| b.value(1, 0).is_some() && b.value(1, 1).is_some()).await;
    peer.ask(&json!({"do": "remodel", "without": "x_load"}));
    observe(&mut peer, "p_exec", "ACTIVE", 0.0);
    bench
        .until("the loss", |b| b.last(1, 0).is_some_and(|s| s.quality == Quality::ADDRESS_UNKNOWN))
        .await;
    bench.until("the other", |b| b.value(1, 1) == Some(json!("ACTIVE"))).await;
    assert_eq!(bench.status(1).counters.reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_clock_that_is_set_is_noticed_and_corrected() {
    let mut peer = Peer::start(SCRIPT, &[]);
    let mut session = connect(spec(&peer, 1, &[("x_load", DataType::F64)]), None).await.unwrap();
    let mut last = 0.0;
    for mode in ["normal", "clock", "normal", "clock"] {
        peer.mode(mode);
        last += 1.0;
        observe(&mut peer, "x_load", &format!("{last}"), 0.0);
        let came = collect(&mut *session, |all| numbers(all, false).last() == Some(&last)).await;
        let time = came.last().unwrap().0.time;
        assert!(time > ago(60) && time < ago(-60), "{mode}: {time}");
        assert_eq!(session.peer().contains("3600 s ahead"), mode == "clock", "{}", session.peer());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn garbage_half_answers_and_other_servers() {
    let mut peer = Peer::start(SCRIPT, &[]);
    let neighbour = Peer::start(SCRIPT, &[]);
    let bench = bench();
    bench.apply(peer.spec(1, "mtconnect")).await;
    bench.apply(neighbour.spec(2, "mtconnect")).await;
    bench.until_state(2, State::Online).await;
    for mode in ["garbage", "html", "half"] {
        bench.until_state(1, State::Online).await;
        peer.mode(mode);
        peer.ask(&json!({"do": "cut"}));
        bench.until(mode, |b| b.status(1).state == State::BackingOff).await;
        let errors = bench.status(1).counters.errors;
        bench.until("more attempts", |b| b.status(1).counters.errors >= errors + 3).await;
        assert!(!bench.reason(1).is_empty());
        peer.mode("normal");
    }
    bench.until_state(1, State::Online).await;
    bench.until("values again", |b| b.value(1, 0).is_some()).await;
    assert_eq!(bench.status(2).counters.errors, 0, "the neighbour never noticed");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn devices_are_discovered_and_browsed() {
    let peer = Peer::start(SCRIPT, &["--host", "::1"]);
    let mut settings = peer.settings.clone();
    settings["device"] = Json::Null;
    let found = driver().discover(&settings).await.unwrap();
    let names: Vec<_> = found.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["mill", "车床"]);
    assert!(found[0].detail.contains("mill-1, five axes, 16 data items"), "{}", found[0].detail);
    assert_eq!(found[1].settings["device"], "车床");
    let page = driver().browse(&settings, None).await.unwrap();
    let places: Vec<_> = page.items.iter().map(|i| i.at.as_str()).collect();
    assert_eq!(places, ["d1", "d2"]);
    let page = driver().browse(&settings, Some("x")).await.unwrap();
    let position = page.items.iter().find(|i| i.at == "x_pos").unwrap();
    assert_eq!(position.address, Some(json!({"data_item": "x_pos", "device": "mill"})));
    assert_eq!(position.unit.as_deref(), Some("mm"));
    assert_eq!(position.value, Some(Value::F64(12.5)));
    assert_eq!((position.data_type, position.writable), (Some(DataType::F64), Some(false)));
    let page = driver().browse(&found[1].settings, None).await.unwrap();
    assert_eq!(page.items.len(), 2, "the agent of the tests answers probe with all devices");
    let error = driver().browse(&settings, Some("nowhere")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Misconfigured);
    settings["device"] = json!("press");
    let error = driver().discover(&settings).await.unwrap_err();
    assert!(error.to_string().contains("NO_DEVICE"), "{error}");
}

/// An agent with a certificate that is valid until the end of a year.
fn secure_agent(dir: &std::path::Path, until: i32) -> Peer {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["agent.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until, 12, 31);
    let made = params.self_signed(&key).unwrap();
    let (certificate, private) = (dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&certificate, made.pem()).unwrap();
    std::fs::write(&private, key.serialize_pem()).unwrap();
    Peer::start(SCRIPT, &["--tls", certificate.to_str().unwrap(), private.to_str().unwrap()])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_reviewed_certificate_that_has_expired_is_refused_unless_that_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let peer = secure_agent(dir.path(), 2024);
    let mut device = peer.spec(1, "mtconnect");
    let error = connect(device.clone(), None).await.err().unwrap();
    let shown = error.certificate.unwrap();
    device.settings["trusted"] = json!([shown.thumbprint]);
    let error = connect(device.clone(), None).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Untrusted, "{error}");
    assert!(error.to_string().contains("has expired (valid from"), "{error}");
    assert_eq!(error.certificate, Some(shown));
    device.settings["accept_expired"] = json!(true);
    connect(device, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_certificate_is_reviewed() {
    let dir = tempfile::tempdir().unwrap();
    let peer = secure_agent(dir.path(), 4000);
    let mut device = peer.spec(1, "mtconnect");
    let error = connect(device.clone(), None).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Untrusted, "{error}");
    let shown = error.certificate.unwrap();
    assert_eq!(shown.names, ["agent.example"]);
    let error = driver().discover(&device.settings).await.unwrap_err();
    assert_eq!(error.certificate.as_deref(), Some(&*shown));
    device.settings["trusted"] = json!([shown.thumbprint]);
    let bench = bench();
    bench.apply(device.clone()).await;
    bench.until("a value", |b| b.value(1, 0) == Some(json!(12.5))).await;
    // A plain address of an encrypted agent is told as what it is.
    device.settings["url"] = json!(peer.settings["url"].as_str().unwrap().replace("https", "http"));
    let error = connect(device, None).await.err().unwrap();
    assert!(matches!(error.kind, ErrorKind::Protocol | ErrorKind::Disconnected), "{error}");
}
