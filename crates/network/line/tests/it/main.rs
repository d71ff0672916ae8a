//! Devices under supervision that send lines, made of plain sockets. What a program of another language says is
//! in `scanner.rs` and `conformance.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weir_connect::conformance::{Bench, TENANT, device_id, tag};
use weir_connect::{Circumstances, DeviceSpec, Driver, ErrorKind, Point, State, SystemClock};
use weir_line::LineDriver;
use weir_model::{DataType, Quality};

fn bench() -> Bench {
    Bench::new(vec![Arc::new(LineDriver::new())])
}

fn spec(n: u32, settings: Json, points: &[(Json, DataType)]) -> DeviceSpec {
    let point = |(i, (address, data_type)): (usize, &(Json, DataType))| Point {
        tag: tag(n, i),
        id: format!("88.100/d{n}.p{i}").parse().unwrap(),
        name: format!("p{i}"),
        address: address.clone(),
        data_type: *data_type,
        scaling: Vec::new(),
        write: None,
        poll_ms: None,
    };
    DeviceSpec {
        tenant: TENANT,
        device: device_id(n),
        name: format!("device {n}"),
        protocol: "line".to_owned(),
        settings,
        points: points.iter().enumerate().map(point).collect(),
        enabled: true,
        revision: 1,
    }
}

fn text() -> (Json, DataType) {
    (json!({}), DataType::Text)
}

async fn listener(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn free_port() -> u16 {
    listener("127.0.0.1").await.1
}

#[tokio::test]
async fn a_silent_scanner_is_online_and_one_that_leaves_is_lost() {
    let bench = bench();
    let (scanner, port) = listener("::1").await;
    bench.apply(spec(1, json!({"host": "::1", "port": port}), &[text()])).await;
    let (mut stream, _) = scanner.accept().await.unwrap();
    bench.until_state(1, State::Online).await;
    assert!(bench.samples(1, 0).is_empty(), "nothing was scanned");
    stream.write_all(b"A\nA\nhalf").await.unwrap();
    drop(stream);
    bench.until("lost", |b| b.course(1, 0) == [Quality::GOOD, Quality::NO_COMMUNICATION]).await;
    bench.until("why", |b| b.reason(1).contains("within a line; its 4 bytes are dropped")).await;
    assert!(bench.reason(1).starts_with(&format!("[::1]:{port}: ")), "{}", bench.reason(1));
    let (mut stream, _) = scanner.accept().await.unwrap();
    stream.write_all(b"B\n").await.unwrap();
    bench.until("the next scan", |b| b.value(1, 0) == Some(json!("B"))).await;
    let values: Vec<_> =
        bench.samples(1, 0).into_iter().filter_map(|s| Some(s.value?.to_json())).collect();
    assert_eq!(values, [json!("A"), json!("A"), json!("B")], "equal scans are two events");
}

#[tokio::test]
async fn an_idle_connection_is_dropped_where_settings_say_so() {
    let bench = bench();
    let (_scanner, port) = listener("127.0.0.1").await;
    let settings = json!({"host": "127.0.0.1", "port": port, "idle_seconds": 1});
    bench.apply(spec(1, settings, &[text()])).await;
    bench.until("idle", |b| b.reason(1).contains("nothing came for 1 s (idle_seconds)")).await;
    assert_eq!(bench.course(1, 0), [Quality::TIMEOUT]);
}

#[tokio::test]
async fn a_line_that_is_no_number_costs_others_nothing() {
    let bench = bench();
    let (scanner, port) = listener("127.0.0.1").await;
    let points = [
        (json!({"format": "fields", "field": 1}), DataType::I64),
        (json!({"format": "fields", "field": 2}), DataType::Text),
    ];
    bench.apply(spec(1, json!({"host": "127.0.0.1", "port": port}), &points)).await;
    let (mut stream, _) = scanner.accept().await.unwrap();
    stream.write_all(b"1,a\nx,b\n").await.unwrap();
    bench.until("both", |b| b.value(1, 1) == Some(json!("b"))).await;
    bench.until_state(1, State::Degraded).await;
    assert_eq!(bench.course(1, 0), [Quality::GOOD, Quality::OUT_OF_RANGE]);
    let told = "p0: 127.0.0.1:";
    assert!(bench.reason(1).contains(told), "{}", bench.reason(1));
    assert!(bench.reason(1).ends_with("from 127.0.0.1: \"x\" is not of type i64"));
    stream.write_all(b"2,c\n").await.unwrap();
    bench.until_state(1, State::Online).await;
    assert_eq!(bench.status(1).counters.reconnects, 0);
}

#[tokio::test]
async fn a_port_that_is_taken_says_so() {
    let bench = bench();
    let (_other, port) = listener("127.0.0.1").await;
    let settings =
        json!({"mode": "listen", "port": port, "address": "127.0.0.1", "allow": ["::1"]});
    bench.apply(spec(1, settings.clone(), &[text()])).await;
    bench.until("taken", |b| b.reason(1).contains("something listens at port")).await;
    let error = bench.supervisor.test(&spec(2, settings, &[text()])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
}

#[tokio::test]
async fn everywhere_means_both_families_and_allow_is_the_only_way_in() {
    let bench = bench();
    let port = free_port().await;
    let settings = json!({"mode": "listen", "port": port, "allow": ["127.0.0.1", "::1"]});
    bench.apply(spec(1, settings.clone(), &[text()])).await;
    bench.until_state(1, State::Online).await;
    for (host, line) in [("127.0.0.1", "four"), ("::1", "six")] {
        let mut stream = TcpStream::connect((host, port)).await.unwrap();
        stream.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        bench.until(line, |b| b.value(1, 0) == Some(json!(line))).await;
    }
    // A change takes the port over without a gap.
    let mut changed = spec(1, settings.clone(), &[text()]);
    for revision in 2..10 {
        changed.settings["line_bytes_max"] = json!(100 + revision);
        bench.apply(changed.clone()).await;
        bench.until_state(1, State::Online).await;
    }
    assert_eq!(bench.course(1, 0), [Quality::GOOD]);
    assert_eq!(bench.status(1).counters.errors, 0);
    let mut closed = settings;
    closed["allow"] = json!(["10.0.0.1"]);
    bench.apply(spec(1, closed, &[text()])).await;
    bench.until("changed", |b| b.status(1).state == State::Online).await;
    let refused = async {
        loop {
            // The listener before may have taken one more connection.
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
            let _ = stream.write_all(b"no\n").await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            return rest;
        }
    };
    assert_eq!(refused.await, b"", "the connection is ended without a word");
    let told: Vec<_> =
        bench.samples(1, 0).into_iter().filter_map(|s| Some(s.value?.to_json())).collect();
    assert_eq!(told, [json!("four"), json!("six")]);
}

#[tokio::test]
async fn a_flood_is_slowed_down_and_not_lost() {
    const LINES: usize = 50_000;
    let bench = bench();
    let (scanner, port) = listener("127.0.0.1").await;
    let points = [(json!({}), DataType::I64)];
    bench.apply(spec(1, json!({"host": "127.0.0.1", "port": port}), &points)).await;
    let (mut stream, _) = scanner.accept().await.unwrap();
    let mut lines = String::new();
    for number in 0..LINES {
        lines.push_str(&format!("{number}\r\n"));
    }
    stream.write_all(lines.as_bytes()).await.unwrap();
    bench.until("all lines", |b| b.samples(1, 0).len() == LINES).await;
    let samples = bench.samples(1, 0);
    for (number, sample) in samples.iter().enumerate() {
        assert_eq!(sample.value.as_ref().map(|v| v.to_json()), Some(json!(number)));
    }
    assert!(samples.windows(2).all(|pair| pair[0].time < pair[1].time));
    assert_eq!(bench.status(1).counters.dropped, 0);
}

#[tokio::test]
async fn random_bytes_never_panic() {
    let state = AtomicU64::new(0x9e37_79b9_7f4a_7c15);
    let random = move || {
        let mut x = state.load(Relaxed);
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.store(x, Relaxed);
        x >> 16
    };
    let (scanner, port) = listener("127.0.0.1").await;
    let points = [
        text(),
        (json!({"format": "json", "path": "/a"}), DataType::F64),
        (json!({"format": "fields", "field": 2}), DataType::U64),
        (json!({"format": "fields", "field": "a"}), DataType::Bool),
        (json!({"pattern": "([a-z]+)[0-9]"}), DataType::Text),
    ];
    let driver = LineDriver::new();
    let mut readings = 0;
    for round in 0..300_usize {
        let encoding = ["utf-8", "gbk", "latin1"][round % 3];
        let delimiter = ["lf", "cr", "crlf", "etx"][round % 4];
        let settings = json!({
            "host": "127.0.0.1", "port": port, "encoding": encoding, "delimiter": delimiter, "line_bytes_max": 50,
        });
        let device = Arc::new(spec(1, settings, &points));
        let circumstances = Circumstances::new(Arc::new(SystemClock));
        let (session, accepted) =
            tokio::join!(driver.connect(device, circumstances), scanner.accept());
        let (mut session, (mut stream, _)) = (session.unwrap(), accepted.unwrap());
        let bytes: Vec<u8> =
            (0..random() % 2000)
                .map(|_| {
                    if random() % 9 == 0 { [b'\r', b'\n', 2, 3][round % 4] } else { random() as u8 }
                })
                .collect();
        let _ = stream.write_all(&bytes).await;
        drop(stream);
        loop {
            session.due().await;
            match session.collect().await {
                Ok(collected) => readings += collected.readings.len(),
                Err(error) => {
                    assert!(!error.cause.is_empty());
                    break;
                }
            }
        }
    }
    assert!(readings > 1000, "{readings} readings");
}
