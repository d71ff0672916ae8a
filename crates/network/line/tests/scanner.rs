//! Scanners that connect to Weir and that Weir connects to, made of Python's asyncio (`tests/interop/line`).

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;

use serde_json::{Value as Json, json};
use weir_connect::conformance::{Bench, Peer, device_id};
use weir_connect::{ErrorKind, State, WriteLimits};
use weir_line::LineDriver;
use weir_model::{DataType, Quality, Value};

fn bench() -> Bench {
    Bench::new(vec![Arc::new(LineDriver::new())])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn send(peer: &mut Peer, scanner: Json, bytes: &[u8], piece: usize) -> Json {
    let hex = hex(bytes);
    peer.ask(&json!({"do": "send", "scanner": scanner, "hex": hex, "piece": piece, "pause": 0.001}))
}

fn connect(peer: &mut Peer, port: u16, source: &str) -> u64 {
    let answer = peer.ask(&json!({"do": "connect", "port": port, "source": source}));
    answer["scanner"].as_u64().unwrap()
}

async fn free_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

/// A device of text points that scanners connect to.
fn listening(peer: &Peer, port: u16, addresses: &[Json]) -> weir_connect::DeviceSpec {
    let mut device = peer.spec(1, "line");
    device.settings = json!({
        "mode": "listen", "port": port, "address": "127.0.0.1", "allow": ["127.0.0.0/24"], "encoding": "gbk",
        "line_bytes_max": 65536,
    });
    device.points.truncate(addresses.len());
    for (point, address) in device.points.iter_mut().zip(addresses) {
        point.address = address.clone();
        point.data_type = DataType::Text;
    }
    device
}

fn texts(bench: &Bench, point: usize) -> Vec<String> {
    let samples = bench.samples(1, point).into_iter();
    samples.filter_map(|s| s.value?.to_json().as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn several_scanners_at_once_and_every_scan_is_an_event() {
    let (bench, mut peer) = (bench(), Peer::start("line/scanner.py", &[]));
    let port = free_port().await;
    let addresses = [json!({}), json!({"source": "127.0.0.2"}), json!({"prefix": "ID:"})];
    bench.apply(listening(&peer, port, &addresses)).await;
    bench.until_state(1, State::Online).await;
    let scanners: Vec<u64> = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]
        .iter()
        .map(|source| connect(&mut peer, port, source))
        .collect();
    // The same code, a hundred times in one piece, and in pieces of three bytes from another scanner.
    send(&mut peer, json!(scanners[1]), &b"4006381333931\r\n".repeat(100), 0);
    send(&mut peer, json!(scanners[0]), &b"ID:X7\n".repeat(20), 3);
    bench.until("all scans", |b| b.samples(1, 0).len() == 120).await;
    bench.until("of one scanner", |b| b.samples(1, 1).len() == 100).await;
    bench.until("with a prefix", |b| b.samples(1, 2).len() == 20).await;
    assert_eq!(texts(&bench, 1), vec!["4006381333931"; 100]);
    assert_eq!(texts(&bench, 2), vec!["X7"; 20]);
    let times: Vec<_> = bench.samples(1, 0).iter().map(|s| s.time).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "no two at the same time");

    // Chinese in GBK, control characters, a line of 64 KiB; a scanner that leaves and comes back.
    peer.ask(&json!({"do": "close", "scanner": scanners[2]}));
    let again = connect(&mut peer, port, "127.0.0.2");
    let long = "x".repeat(65_536);
    let mut bytes = vec![0xCE, 0xC2, 0xB6, 0xC8, b'\n'];
    bytes.extend(b"]C10104\x1d10AB\n");
    bytes.extend(long.as_bytes());
    bytes.push(b'\n');
    send(&mut peer, json!(again), &bytes, 0);
    bench.until("all of them", |b| b.samples(1, 1).len() == 103).await;
    assert_eq!(texts(&bench, 1)[100..], ["温度".to_owned(), "]C10104\u{1d}10AB".to_owned(), long]);
    assert_eq!(bench.status(1).counters.reconnects, 0);
    assert_eq!(bench.status(1).state, State::Online);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn strangers_garbage_and_endless_lines_disturb_nobody() {
    let (bench, mut peer) = (bench(), Peer::start("line/scanner.py", &[]));
    let port = free_port().await;
    let mut device =
        listening(&peer, port, &[json!({"source": "127.0.0.2"}), json!({"source": "127.0.0.3"})]);
    device.settings["allow"] = json!(["127.0.0.2", "127.0.0.3"]);
    device.settings["line_bytes_max"] = json!(1000);
    device.settings["connections_max"] = json!(3);
    bench.apply(device).await;
    bench.until_state(1, State::Online).await;
    let good = connect(&mut peer, port, "127.0.0.2");
    send(&mut peer, json!(good), b"one\n", 0);
    bench.until("a scan", |b| b.samples(1, 0).len() == 1).await;

    let stranger = connect(&mut peer, port, "127.0.0.9");
    peer.ask(&json!({"do": "ended", "scanner": stranger}));
    let endless = connect(&mut peer, port, "127.0.0.3");
    send(&mut peer, json!(endless), &[b'y'; 5000], 700);
    peer.ask(&json!({"do": "ended", "scanner": endless}));
    bench.until("told", |b| b.reason(1).contains("a line of more than 1000 bytes")).await;
    assert!(bench.reason(1).contains("from 127.0.0.3"), "{}", bench.reason(1));
    assert_eq!(bench.course(1, 1), [Quality::COMMUNICATION_ERROR]);

    let mut garbage: Vec<u8> = (0..5000_u32).map(|i| (i * 7919 % 256) as u8).collect();
    garbage.push(b'\n');
    let again = connect(&mut peer, port, "127.0.0.3");
    send(&mut peer, json!(again), &garbage, 0);
    bench.until("garbage is text too", |b| b.samples(1, 1).len() > 5).await;
    send(&mut peer, json!(good), b"two\n", 1);
    bench.until("the next scan", |b| b.samples(1, 0).len() == 2).await;
    assert_eq!(
        (bench.course(1, 0), texts(&bench, 0)),
        (vec![Quality::GOOD], vec!["one".into(), "two".into()])
    );
    assert_eq!(bench.status(1).counters.reconnects, 0);

    // More connections than are allowed.
    let third = connect(&mut peer, port, "127.0.0.3");
    let fourth = connect(&mut peer, port, "127.0.0.3");
    peer.ask(&json!({"do": "ended", "scanner": fourth}));
    send(&mut peer, json!(third), b"three\n", 0);
    bench.until("the third", |b| texts(b, 1).last().is_some_and(|t| t == "three")).await;

    // A device that is removed ends all its connections and frees its port.
    bench.supervisor.remove(weir_connect::conformance::TENANT, &device_id(1)).await;
    peer.ask(&json!({"do": "ended", "scanner": good}));
    tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn commands_are_sent_and_slow_lines_are_put_together() {
    let (bench, mut peer) = (bench(), Peer::start("line/scanner.py", &[]));
    let mut device = peer.spec(1, "line");
    device.settings["line_bytes_max"] = json!(100);
    device.points.truncate(3);
    device.points[1].address = json!({"format": "command", "command": "LED {}"});
    device.points[1].write = Some(WriteLimits::default());
    device.points[2].address = json!({});
    device.points[2].data_type = DataType::Text;
    bench.apply(device.clone()).await;
    bench.until("a value", |b| b.value(1, 0) == Some(json!(7))).await;
    let report = bench.write(1, 1, Value::Text("绿".into())).await.unwrap();
    assert!(!report.verified && report.after.is_none(), "nothing confirms a line");
    bench
        .until("it has arrived", |_| {
            peer.ask(&json!({"do": "received"}))["hex"] == hex(b"LED \xC2\xCC\r\n")
        })
        .await;
    let error = bench.write(1, 1, Value::Text("a\r\nRESET".into())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutOfLimits);
    assert!(error.to_string().contains("would be two"), "{error}");
    let error = bench.write(1, 1, Value::Text("😀".into())).await.map(|_| ());
    assert!(error.is_ok() || error.unwrap_err().kind == ErrorKind::OutOfLimits);

    send(&mut peer, Json::Null, b"slow and steady\r\n", 1);
    bench.until("a slow line", |b| b.value(1, 2) == Some(json!("slow and steady"))).await;
    // At once, so that nothing of it goes to the next connection, which comes soon: its reason is in the log.
    send(&mut peer, Json::Null, &[b'z'; 400], 0);
    let told = |b: &Bench| {
        let log = b.supervisor.log(weir_connect::conformance::TENANT, &device_id(1));
        log.is_some_and(|l| l.iter().any(|l| l.text.contains("a line of more than 100 bytes")))
    };
    bench.until("too long", told).await;
    bench.until("lost once", |b| b.course(1, 2).contains(&Quality::COMMUNICATION_ERROR)).await;
    bench.until("connected again", |b| b.status(1).counters.reconnects == 1).await;
    bench.until_state(1, State::Online).await;
    assert_eq!(bench.status(1).counters.reconnects, 1);

    // A test says what is missing, and takes nothing away from the device that runs.
    device.device = device_id(2);
    device.settings["timeout_ms"] = json!(300);
    device.points[2].address = json!({"prefix": "never"});
    let report = bench.supervisor.test(&device).await.unwrap();
    let told = |i: usize| report.values[i].error.clone().unwrap_or_default();
    assert_eq!(report.values[0].value, Some(Value::I64(7)));
    assert!(told(1).contains("sent when it is written"), "{}", told(1));
    assert!(told(2).contains("within 300 ms no line came"), "{}", told(2));
}
