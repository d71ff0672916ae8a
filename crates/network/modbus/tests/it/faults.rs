//! Peers that are away, slow, broken or hostile. A healthy neighbour must never notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::json;
use weir_connect::{Circumstances, Driver, ErrorKind, State, SystemClock};
use weir_model::{Quality, Value};

use crate::bench::{Bench, holding, impatient, spec};
use crate::server::{Memory, Reply, Running, frame, good, raw, serve};

const NEIGHBOUR: u32 = 9;

/// A bench on which a healthy device runs beside the one under test.
async fn with_neighbour() -> (Bench, Running) {
    let bench = Bench::new();
    let server = serve(&Memory::new(), 0).await;
    bench.apply(spec(NEIGHBOUR, server.port, vec![holding(1, "u16")])).await;
    bench.until_state(NEIGHBOUR, State::Online).await;
    (bench, server)
}

async fn assert_neighbour_is_well(bench: &Bench) {
    let before = bench.status(NEIGHBOUR).counters;
    bench
        .until("the neighbour goes on", |b| {
            b.status(NEIGHBOUR).counters.samples > before.samples + 2
        })
        .await;
    let after = bench.status(NEIGHBOUR).counters;
    assert_eq!((after.errors, after.reconnects), (0, 0));
    assert_eq!(bench.course(NEIGHBOUR, 0), [Quality::GOOD]);
}

/// A device whose every answer is made by a function; it must be lost with this reason.
async fn assert_lost(
    answer: impl Fn(&[u8]) -> Reply + Send + Sync + 'static,
    reason: &str,
    quality: Quality,
) {
    let (bench, _neighbour) = with_neighbour().await;
    let server = raw(answer).await;
    let points = vec![holding(40, "u16"), holding(43, "f32")];
    bench.apply(impatient(spec(1, server.port, points))).await;
    bench.until(reason, |b| b.reason(1).contains(reason)).await;
    assert_eq!(bench.status(1).state, State::BackingOff);
    let place = format!("127.0.0.1:{}, unit 1, holding 40 to 44: ", server.port);
    assert!(bench.reason(1).starts_with(&place), "{}", bench.reason(1));
    bench.until("several attempts", |b| b.status(1).counters.errors >= 3).await;
    for point in [0, 1] {
        assert_eq!(bench.course(1, point), [quality], "told once");
    }
    assert_neighbour_is_well(&bench).await;
}

#[tokio::test]
async fn another_function() {
    let answer = |request: &[u8]| {
        let mut bytes = good(request);
        bytes[7] = 0x04;
        Reply::Send(bytes)
    };
    assert_lost(answer, "another function", Quality::COMMUNICATION_ERROR).await;
}

#[tokio::test]
async fn another_transaction_and_another_unit() {
    let other_transaction = |request: &[u8]| {
        let mut bytes = good(request);
        bytes[1] ^= 0x55;
        Reply::Send(bytes)
    };
    let reason = "another transaction or unit";
    assert_lost(other_transaction, reason, Quality::COMMUNICATION_ERROR).await;
    let other_unit = |request: &[u8]| {
        let mut bytes = good(request);
        bytes[6] = 7;
        Reply::Send(bytes)
    };
    assert_lost(other_unit, reason, Quality::COMMUNICATION_ERROR).await;
}

#[tokio::test]
async fn another_length() {
    for registers in [0_u8, 4, 6, 125] {
        let answer = move |request: &[u8]| {
            let mut pdu = vec![0x03, registers * 2];
            pdu.resize(2 + usize::from(registers) * 2, 0xAB);
            Reply::Send(frame(request, &pdu))
        };
        assert_lost(answer, "another length", Quality::COMMUNICATION_ERROR).await;
    }
}

#[tokio::test]
async fn half_a_frame_and_then_nothing() {
    let answer = |request: &[u8]| Reply::Send(good(request)[..11].to_vec());
    assert_lost(answer, "no answer within 300 ms", Quality::TIMEOUT).await;
}

#[tokio::test]
async fn half_a_frame_and_then_the_end() {
    let answer = |request: &[u8]| Reply::SendAndClose(good(request)[..11].to_vec());
    assert_lost(answer, "the device ended the connection", Quality::NO_COMMUNICATION).await;
}

#[tokio::test]
async fn garbage() {
    let http = |_: &[u8]| Reply::SendAndClose(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    assert_lost(http, "ended the connection", Quality::NO_COMMUNICATION).await;
    let not_modbus = |request: &[u8]| {
        let mut bytes = good(request);
        bytes[2] = 0x33;
        Reply::Send(bytes)
    };
    let reason = "something that is not Modbus";
    assert_lost(not_modbus, reason, Quality::COMMUNICATION_ERROR).await;
    let zero_length = |request: &[u8]| {
        let mut bytes = good(request);
        bytes[4..6].fill(0);
        Reply::Send(bytes)
    };
    assert_lost(zero_length, reason, Quality::COMMUNICATION_ERROR).await;
}

#[tokio::test]
async fn oversized_frames_and_floods() {
    let oversized = |request: &[u8]| {
        let mut bytes = request[..4].to_vec();
        bytes.extend([0xFF, 0xFF]);
        bytes.resize(6 + 0xFFFF, 0x03);
        bytes[6] = request[6];
        Reply::Send(bytes)
    };
    // Its length says 65,535 bytes and it is read to its end, but no longer.
    let reason = "something that is not Modbus";
    assert_lost(oversized, reason, Quality::COMMUNICATION_ERROR).await;
    let flood = |_: &[u8]| Reply::Flood;
    assert_lost(flood, reason, Quality::COMMUNICATION_ERROR).await;
}

#[tokio::test]
async fn slow() {
    let (bench, _neighbour) = with_neighbour().await;
    // Every third answer comes one request late: it must never be taken for the next one.
    let late = Arc::new(std::sync::Mutex::new(None::<Vec<u8>>));
    let count = AtomicU64::new(0);
    let server = raw(move |request| {
        let now = good(request);
        let mut late = late.lock().unwrap();
        if let Some(mut waiting) = late.take() {
            waiting.extend(now);
            return Reply::Send(waiting);
        }
        if count.fetch_add(1, Relaxed) % 3 == 2 {
            *late = Some(now);
            return Reply::Silence;
        }
        Reply::Send(now)
    })
    .await;
    let mut device = spec(1, server.port, vec![holding(1, "u16"), holding(1000, "u16")]);
    device.settings["timeout_ms"] = json!(50);
    bench.apply(device).await;
    bench
        .until("time-outs", |b| {
            b.course(1, 0).iter().filter(|q| **q == Quality::TIMEOUT).count() >= 3
        })
        .await;
    for (point, right) in [(0, 1_u64), (1, 1000)] {
        for sample in bench.samples(1, point) {
            if let Some(value) = sample.value {
                assert!(matches!(value, Value::U64(x) if x == right), "{value:?}");
            }
        }
    }
    assert_neighbour_is_well(&bench).await;
}

#[tokio::test]
async fn slower_than_the_interval_is_degraded_not_drifting() {
    let (bench, _neighbour) = with_neighbour().await;
    let server = raw(|request| {
        std::thread::sleep(std::time::Duration::from_millis(30));
        Reply::Send(good(request))
    })
    .await;
    let mut device = spec(1, server.port, vec![holding(1, "u16")]);
    device.settings["poll_ms"] = json!(10);
    bench.apply(device).await;
    bench.until("degraded", |b| b.reason(1).contains("slower than its interval")).await;
    assert_eq!(bench.status(1).state, State::Degraded);
    assert!(bench.status(1).counters.missed > 0);
    assert!(bench.status(1).counters.last_latency_ms >= 30.0);
}

#[tokio::test]
async fn refused_and_unresolvable() {
    let (bench, _neighbour) = with_neighbour().await;
    let port = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    bench.apply(spec(1, port, vec![holding(1, "u16")])).await;
    let mut nowhere = spec(2, port, vec![holding(1, "u16")]);
    nowhere.settings["host"] = json!("no-such-host.invalid");
    bench.apply(nowhere).await;
    bench.until("refused", |b| b.reason(1).contains("connection refused")).await;
    assert!(bench.reason(1).starts_with(&format!("127.0.0.1:{port}: ")));
    bench.until_state(2, State::BackingOff).await;
    assert!(bench.reason(2).starts_with(&format!("no-such-host.invalid:{port}: ")));
    bench.until("three attempts", |b| b.status(1).counters.errors >= 3).await;
    assert_eq!(bench.course(1, 0), [Quality::NO_COMMUNICATION]);
    assert!(bench.status(1).next_attempt.is_some());
    let error = bench.supervisor.test(&spec(3, port, vec![])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    let text = error.to_string();
    let expected = format!("device 3 (88.100/d3): 127.0.0.1:{port}: connection refused");
    assert!(text.starts_with(&expected), "{text}");
    assert_neighbour_is_well(&bench).await;
}

#[tokio::test]
async fn killed_and_restarted() {
    let (bench, _neighbour) = with_neighbour().await;
    let memory = Memory::new();
    let server = serve(&memory, 0).await;
    let port = server.port;
    bench.apply(spec(1, port, vec![holding(5, "u16")])).await;
    bench.until_state(1, State::Online).await;
    bench.until("a value", |b| b.value(1, 0) == Some(json!(5))).await;
    drop(server);
    bench.until_state(1, State::BackingOff).await;
    bench.until("told", |b| b.last(1, 0).is_some_and(|s| s.value.is_none())).await;
    memory.registers.lock().unwrap()[5] = 55;
    let server = serve(&memory, port).await;
    bench.until_state(1, State::Online).await;
    bench.until("the new value", |b| b.value(1, 0) == Some(json!(55))).await;
    assert_eq!(bench.course(1, 0), [Quality::GOOD, Quality::NO_COMMUNICATION, Quality::GOOD]);
    assert_eq!(bench.status(1).counters.reconnects, 1);
    drop(server);
    assert_neighbour_is_well(&bench).await;
}

#[tokio::test]
async fn every_exception_is_named_with_what_to_do() {
    let bench = Bench::new();
    let code = Arc::new(AtomicU64::new(0));
    let answered = Arc::clone(&code);
    let server = raw(move |request| {
        let code = answered.load(Relaxed) as u8;
        Reply::Send(frame(request, &[request[7] | 0x80, code]))
    })
    .await;
    for (n, name) in [
        (0x01, "illegal function"),
        (0x02, "illegal data address"),
        (0x03, "illegal data value"),
        (0x04, "server device failure"),
        (0x05, "acknowledge"),
        (0x06, "server device busy"),
        (0x07, "negative acknowledge"),
        (0x08, "memory parity error"),
        (0x09, "does not define"),
        (0x0A, "gateway path unavailable"),
        (0x0B, "gateway target device failed to respond"),
        (0xFF, "does not define"),
    ] {
        code.store(u64::from(n), Relaxed);
        bench.apply(spec(n, server.port, vec![holding(7, "u16")])).await;
        bench.until_state(n, State::Degraded).await;
        let reason = bench.reason(n);
        assert!(reason.contains(name), "{reason}");
        assert!(reason.contains(&format!("(exception {n:02X}): ")), "{reason}");
        assert!(reason.contains("unit 1, holding 7: "), "{reason}");
        bench.until("told", |b| b.last(n, 0).is_some()).await;
        let quality = bench.last(n, 0).unwrap().quality;
        assert!(quality.is_bad());
        assert_eq!(bench.status(n).counters.reconnects, 0, "an exception keeps the connection");
        bench.supervisor.remove(crate::bench::TENANT, &crate::bench::id(n)).await;
    }
}

/// Answers that are right, cut, mixed up or random, and then the end of the connection: whatever
/// comes, there is a reading or an error.
#[tokio::test]
async fn random_answers_never_panic() {
    let state = AtomicU64::new(0x9e37_79b9_7f4a_7c15);
    let random = move || {
        let mut x = state.load(Relaxed);
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.store(x, Relaxed);
        x >> 16
    };
    let server = raw(move |request| {
        let mut bytes = if request[7] <= 4 { good(request) } else { request.to_vec() };
        match random() % 4 {
            0 => bytes.truncate(random() as usize % bytes.len()),
            1 => bytes = (0..random() % 300).map(|_| random() as u8).collect(),
            _ => {
                for _ in 0..=random() % 3 {
                    let at = random() as usize % bytes.len();
                    bytes[at] = random() as u8;
                }
            }
        }
        Reply::SendAndClose(bytes)
    })
    .await;
    let driver = weir_modbus::ModbusDriver::new();
    let addresses = vec![
        holding(7, "u16"),
        holding(8, "f64"),
        json!({"table": "coil", "address": 5}),
        json!({"table": "discrete", "address": 5}),
        json!({"table": "input", "address": 5, "type": "i64", "word_order": "DCBA"}),
    ];
    let device = Arc::new(spec(1, server.port, addresses));
    let (mut good, mut bad) = (0, 0);
    for round in 0..2000_usize {
        let circumstances = Circumstances::new(Arc::new(SystemClock));
        let mut session = driver.connect(Arc::clone(&device), circumstances).await.unwrap();
        let point = round % 5;
        let result = if round % 10 == 9 {
            session.write(2 * (round % 2), &Value::Bool(true)).await.map(|_| Vec::new())
        } else {
            session.read(&[point]).await
        };
        match result {
            Ok(readings) => {
                assert!(readings.iter().all(|r| r.point == point));
                good += 1;
            }
            Err(error) => {
                assert!(!error.cause.is_empty());
                bad += 1;
            }
        }
    }
    assert!(good > 20 && bad > 1000, "{good} good, {bad} bad");
}
