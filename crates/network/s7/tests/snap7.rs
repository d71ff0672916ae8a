//! What the conformance suite does not ask, against the server of Snap7 (`tests/interop/s7/device.py`).

use std::sync::Arc;

use serde_json::{Value as Json, json};
use weir_connect::conformance::{Bench, Peer, impatient};
use weir_connect::{Driver, ErrorKind, State};
use weir_model::{DataType, Quality, Value};
use weir_s7::S7Driver;

fn bench() -> Bench {
    Bench::new(vec![Arc::new(S7Driver::new())])
}

fn is_same(a: &Json, b: &Json) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// The n-th device at a peer, with points at these addresses.
fn spec(peer: &Peer, n: u32, points: &[(&str, DataType)]) -> weir_connect::DeviceSpec {
    let mut device = peer.spec(n, "s7");
    device.points.truncate(points.len());
    for (point, (address, data_type)) in device.points.iter_mut().zip(points) {
        point.address = json!({"address": address});
        point.data_type = *data_type;
        point.write = Some(weir_connect::WriteLimits::default());
    }
    device
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn all_types_agree_coalesced_and_alone() {
    let peer = Peer::start("s7/device.py", &["--types"]);
    let bench = bench();
    let mut together = peer.spec(1, "s7");
    together.settings["poll_ms"] = json!(60_000);
    // The smallest messages, and no two points in one item: neither must change anything.
    let mut apart = peer.spec(2, "s7");
    apart.settings["poll_ms"] = json!(60_000);
    apart.settings["gap_bytes"] = json!(0);
    apart.settings["pdu_bytes_max"] = json!(240);
    bench.apply(together).await;
    bench.apply(apart).await;
    let count = peer.points.len();
    assert!(count > 60, "{count} points");
    for n in [1, 2] {
        bench.until("all values", |b| (0..count).all(|i| b.last(n, i).is_some())).await;
        for (i, point) in peer.points.iter().enumerate() {
            let got = bench.value(n, i).unwrap_or_default();
            let reason = bench.reason(n);
            assert!(is_same(&got, &point["value"]), "{point}: {got}; {reason}");
        }
        assert_eq!(bench.status(n).state, State::Online);
    }
    let requests = [1, 2].map(|n| bench.status(n).counters.reads);
    assert!(requests[0] <= 5 && requests[1] > 8, "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn missing_blocks_and_bytes_degrade_only_their_points() {
    let mut peer = Peer::start("s7/device.py", &[]);
    let bench = bench();
    let points = [
        ("DB1.DBW2", DataType::U64),
        ("DB1.DBW510", DataType::U64),
        ("DB1.DBW512", DataType::U64),
        ("DB77.DBW0", DataType::U64),
        ("MB255", DataType::U64),
        ("MB256", DataType::U64),
        ("DB1,STRING300.20", DataType::Text),
    ];
    bench.apply(spec(&peer, 1, &points)).await;
    bench.until("all told", |b| (0..7).all(|i| b.last(1, i).is_some())).await;
    bench.until("three fail", |b| b.status(1).points_bad == 3).await;
    for (i, quality) in [
        (0, Quality::GOOD),
        (1, Quality::GOOD),
        (2, Quality::ADDRESS_UNKNOWN),
        (3, Quality::ADDRESS_UNKNOWN),
        (4, Quality::GOOD),
        (5, Quality::ADDRESS_UNKNOWN),
        (6, Quality::GOOD),
    ] {
        assert_eq!(bench.course(1, i), [quality], "{:?}", points[i]);
    }
    assert_eq!(bench.status(1).state, State::Degraded);
    assert_eq!(bench.status(1).counters.reconnects, 0);
    let report = bench.supervisor.test(&spec(&peer, 2, &points)).await.unwrap();
    let told = |i: usize| report.values[i].error.clone().unwrap();
    let place =
        format!("127.0.0.1:{}, rack 0, slot 1, DB1,WORD512: address out of range", peer.port);
    assert!(told(2).starts_with(&place), "{}", told(2));
    assert!(
        told(2).contains("\"Optimized block access\"") && told(2).ends_with("(return code 05)")
    );
    assert!(told(3).contains("object does not exist") && told(3).ends_with("(return code 0A)"));

    // A block that is loaded again, and one that goes, cost nobody else a value.
    peer.ask(&json!({"do": "missing", "db": 1}));
    bench.until("the block is gone", |b| b.status(1).points_bad == 6).await;
    assert_eq!(bench.course(1, 4), [Quality::GOOD]);
    peer.ask(&json!({"do": "there", "db": 1}));
    bench.until("the block is back", |b| b.status(1).points_bad == 3).await;
    assert_eq!(bench.course(1, 0), [Quality::GOOD, Quality::ADDRESS_UNKNOWN, Quality::GOOD]);
    assert_eq!(bench.status(1).counters.reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn writes_leave_their_neighbours_alone() {
    let mut peer = Peer::start("s7/device.py", &[]);
    let bench = bench();
    let points = [
        ("DB1.DBX200.3", DataType::Bool),
        ("DB1.DBW202:INT", DataType::I64),
        ("DB1,LREAL204", DataType::F64),
        ("DB1,DT212", DataType::Text),
        ("DB1,DTL220", DataType::Text),
        ("DB1,S5TIME232", DataType::U64),
        ("DB1,STRING24.254", DataType::Text),
        ("DB1.DBW512", DataType::U64),
        ("DB1,CHAR234", DataType::Text),
        ("DB1,TOD236", DataType::Text),
        ("DB1,DATE240", DataType::Text),
    ];
    bench.apply(spec(&peer, 1, &points)).await;
    bench.until("a value", |b| b.value(1, 0).is_some()).await;
    let text = |text: &str| Value::Text(text.into());
    for (i, value) in [
        (0, Value::Bool(true)),
        (1, Value::I64(-2)),
        (2, Value::F64(1e-300)),
        (3, text("2026-11-26T06:30:59.987")),
        (4, text("2026-11-26T06:30:59.987654321")),
        (5, Value::U64(123_000)),
        (6, text("换班")),
        (8, text("W")),
        (9, text("06:30:00.123")),
        (10, text("2026-11-26")),
    ] {
        let report = bench.write(1, i, value.clone()).await.unwrap();
        assert!(report.verified, "{:?}: {report:?}", points[i]);
        assert_eq!(report.after, Some(value), "{:?}", points[i]);
    }
    let mut bytes = |start: usize, count: usize| {
        let ask = json!({"do": "bytes", "area": "db", "db": 1, "start": start, "count": count});
        peer.ask(&ask)["bytes"].as_str().unwrap().to_owned()
    };
    assert_eq!(bytes(200, 4), "0800fffe");
    assert_eq!(bytes(212, 8), "2611260630599875");
    assert_eq!(bytes(220, 14), "07ea0b1a05061e3b3ade68b12123");
    // The device's own capacity stays, and the rest of the old text behind the new one too.
    assert_eq!(bytes(24, 10), "1404bbbbb0e020cbae00");
    let kind = async |i, value| {
        let error = bench.write(1, i, value).await.unwrap_err();
        (error.kind, error.to_string())
    };
    // The address has room for 254 characters and the device for 20.
    let (long, told) = kind(6, text(&"x".repeat(21))).await;
    assert_eq!(long, ErrorKind::OutOfLimits);
    assert!(told.contains("has 21 characters, and there is room for 20"), "{told}");
    assert_eq!(kind(1, Value::I64(40_000)).await.0, ErrorKind::OutOfLimits);
    assert_eq!(kind(3, text("soon")).await.0, ErrorKind::OutOfLimits);
    let (rejected, told) = kind(7, Value::U64(1)).await;
    assert_eq!(rejected, ErrorKind::Rejected);
    assert!(told.contains("DB1,WORD512: address out of range"), "{told}");
    assert_eq!(bytes(24, 10), "1404bbbbb0e020cbae00");
    assert_eq!(bench.status(1).counters.reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_test_says_which_cpu_it_is() {
    let peer = Peer::start("s7/device.py", &[]);
    let report = bench().supervisor.test(&peer.spec(1, "s7")).await.unwrap();
    let cpu = format!(
        "127.0.0.1:{}, rack 0, slot 1, CPU 315-2 PN/DP, 6ES7 315-2EH14-0AB0, V3.2.6, ",
        peer.port
    );
    assert!(report.message.contains(&cpu), "{}", report.message);
    assert!(report.message.contains("state RUN, 960 bytes a message"), "{}", report.message);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn finds_the_cpu_and_browses_many_blocks() {
    let peer = Peer::start("s7/device.py", &["--blocks", "120"]);
    let driver = S7Driver::new();
    let found = driver.discover(&json!({"host": "127.0.0.1", "port": peer.port})).await.unwrap();
    // Snap7 answers for every slot, always as the same CPU.
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].name, "CPU 315-2 PN/DP, 6ES7 315-2EH14-0AB0, V3.2.6 (rack 0, slot 1)");
    assert!(found[0].detail.contains("serial number S C-C2UR28922012"), "{}", found[0].detail);
    assert!(found[0].detail.ends_with("state RUN"), "{}", found[0].detail);
    assert_eq!(found[0].settings["slot"], 1);
    // In the smallest messages its lists come in parts.
    let settings = json!({"host": "127.0.0.1", "port": peer.port, "pdu_bytes_max": 240});
    let in_parts = driver.discover(&settings).await.unwrap();
    assert_eq!((&in_parts[0].name, &in_parts[0].detail), (&found[0].name, &found[0].detail));
    let nobody = driver.discover(&json!({"host": "127.0.0.1", "port": 1})).await.unwrap_err();
    assert_eq!(nobody.kind, ErrorKind::Unreachable);

    let mut at = Some("db".to_owned());
    let (mut names, mut pages) = (Vec::new(), 0);
    while let Some(place) = at {
        let page = driver.browse(&peer.settings, Some(&place)).await.unwrap();
        names.extend(page.items.iter().map(|i| (i.name.clone(), i.description.clone())));
        at = page.next;
        pages += 1;
    }
    assert_eq!((names.len(), pages), (122, 3));
    assert_eq!(names[0], ("DB1".to_owned(), "512 bytes".to_owned()));
    assert_eq!(names[121], ("DB219".to_owned(), "16 bytes".to_owned()));
    let page = driver.browse(&peer.settings, Some("db:100")).await.unwrap();
    assert_eq!((page.items.len(), page.next), (24, None), "a block of 16 bytes");
    let page = driver.browse(&peer.settings, Some("db:1:448")).await.unwrap();
    assert_eq!(page.items[0].name, "DB1.DBW448");
    assert_eq!(page.next.as_deref(), Some("db:1:512"));
    let page = driver.browse(&peer.settings, Some("db:1:512")).await;
    assert_eq!(page.unwrap_err().kind, ErrorKind::Rejected);
    let error = driver.browse(&peer.settings, Some("db:4711")).await.unwrap_err();
    assert!(error.to_string().contains("object does not exist"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn slow_half_garbage_and_wrong_reference() {
    let mut peer = Peer::start("s7/device.py", &[]);
    let neighbour = Peer::start("s7/device.py", &[]);
    let bench = bench();
    let points = [("DB1.DBW2", DataType::U64), ("MW10", DataType::U64)];
    bench.apply(impatient(spec(&peer, 1, &points))).await;
    bench.apply(spec(&neighbour, 2, &points)).await;
    bench.until_state(2, State::Online).await;
    for (mode, reasons) in [
        ("slow", vec!["within 300 ms"]),
        ("half", vec!["within 300 ms"]),
        ("reference", vec!["an answer to another request"]),
        ("garbage", vec!["not ISO-on-TCP", "a frame of", "within 300 ms"]),
        ("silent", vec!["within 300 ms"]),
    ] {
        bench.until_state(1, State::Online).await;
        peer.mode(mode);
        bench.until(mode, |b| reasons.iter().any(|r| b.reason(1).contains(r))).await;
        let errors = bench.status(1).counters.errors;
        bench.until("more attempts", |b| b.status(1).counters.errors >= errors + 2).await;
        peer.mode("normal");
    }
    bench.until_state(1, State::Online).await;
    for (i, right) in [(0, 0xABCD), (1, 1000_u64)] {
        for sample in bench.samples(1, i) {
            let fits = sample.value.is_none_or(|v| matches!(v, Value::U64(x) if x == right));
            assert!(fits, "an answer was taken for another");
        }
        let losses = bench.course(1, i).iter().filter(|q| q.is_bad()).count();
        assert_eq!(losses, 5, "each loss is told once");
    }
    assert_eq!(bench.course(2, 0), [Quality::GOOD], "the neighbour never noticed");
    assert_eq!(bench.status(2).counters.errors, 0);
}
