//! Peers that are away, slow, broken or hostile. A healthy neighbour must never notice.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::json;
use weir_connect::conformance::{Bench, impatient};
use weir_connect::{Circumstances, Driver, ErrorKind, State, SystemClock};
use weir_model::{Quality, Value};
use weir_s7::S7Driver;

use crate::server::{
    Reply, Request, Running, bench, confirm, good, serve, serve_all, serve_at, spec,
};

const NEIGHBOUR: u32 = 9;

async fn with_neighbour() -> (Bench, Running) {
    let bench = bench();
    let server = serve(|request| Reply::Send(good(request))).await;
    bench.apply(spec(NEIGHBOUR, server.port, &["MB1"])).await;
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
    answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    reason: &str,
    quality: Quality,
) {
    let (bench, _neighbour) = with_neighbour().await;
    let server = serve(answer).await;
    bench.apply(impatient(spec(1, server.port, &["DB1.DBB40", "DB1.DBW43"]))).await;
    bench.until(reason, |b| b.reason(1).contains(reason)).await;
    let place = format!("127.0.0.1:{}, rack 0, slot 1, DB1 byte 40 to 44: ", server.port);
    assert!(bench.reason(1).starts_with(&place), "{}", bench.reason(1));
    bench.until("several attempts", |b| b.status(1).counters.errors >= 3).await;
    for point in [0, 1] {
        assert_eq!(bench.course(1, point), [quality], "told once");
    }
    assert_neighbour_is_well(&bench).await;
}

#[tokio::test]
async fn another_reference_function_or_length() {
    let wrong = Quality::COMMUNICATION_ERROR;
    let reference = |request: &Request| {
        let mut bytes = good(request);
        bytes[12] ^= 0x55;
        Reply::Send(bytes)
    };
    assert_lost(reference, "an answer to another request (reference", wrong).await;
    let function = |request: &Request| Reply::Send(request.answer(0, &[5, 1], &[0xFF]));
    assert_lost(function, "an answer to another function", wrong).await;
    let longer = |request: &Request| {
        Reply::Send(request.answer(0, &[4, 1], &[0xFF, 4, 0, 48, 1, 2, 3, 4, 5, 6]))
    };
    assert_lost(longer, "of another length than asked for", wrong).await;
    let lie = |request: &Request| Reply::Send(request.answer(0, &[4, 1], &[0xFF, 4, 0, 40, 1]));
    assert_lost(lie, "a message that ends too early", wrong).await;
    let count = |request: &Request| Reply::Send(request.answer(0, &[4, 2], &[0xFF, 4, 0, 40, 1]));
    assert_lost(count, "of another length than asked for", wrong).await;
    let nothing = |request: &Request| Reply::Send(request.answer(0, &[], &[]));
    assert_lost(nothing, "a message that ends too early", wrong).await;
}

#[tokio::test]
async fn half_a_frame() {
    let silent = |request: &Request| Reply::Send(good(request)[..11].to_vec());
    assert_lost(silent, "no answer within 300 ms", Quality::TIMEOUT).await;
    let closed = |request: &Request| Reply::SendAndClose(good(request)[..11].to_vec());
    assert_lost(closed, "the device ended the connection", Quality::NO_COMMUNICATION).await;
    let never = |_: &Request| Reply::Silence;
    assert_lost(never, "no answer within 300 ms", Quality::TIMEOUT).await;
}

#[tokio::test]
async fn garbage_and_floods() {
    let wrong = Quality::COMMUNICATION_ERROR;
    let http = |_: &Request| Reply::SendAndClose(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    assert_lost(http, "something that is not ISO-on-TCP", wrong).await;
    let not_s7 = |request: &Request| {
        let mut bytes = good(request);
        bytes[7] = 0x33;
        Reply::Send(bytes)
    };
    assert_lost(not_s7, "a message that is not S7comm", wrong).await;
    let oversized = |_: &Request| {
        let mut bytes = vec![3, 0, 0xFF, 0xFF];
        bytes.resize(0xFFFF, 0x32);
        Reply::Send(bytes)
    };
    assert_lost(oversized, "a frame of 65535 bytes", wrong).await;
    assert_lost(|_: &Request| Reply::Flood, "something that is not ISO-on-TCP", wrong).await;
    let endless = |_: &Request| {
        // Parts of a message that never ends.
        let part = [3, 0, 0, 8, 2, 0xF0, 0, 0x32];
        Reply::Send(part.repeat(100))
    };
    assert_lost(endless, "a frame of", wrong).await;
}

#[tokio::test]
async fn messages_in_parts_are_put_together() {
    let bench = bench();
    let server = serve(|request| {
        let whole = good(request)[7..].to_vec();
        let (a, b) = whole.split_at(13);
        let part = |bytes: &[u8], last: u8| {
            let mut part = vec![3, 0, 0, bytes.len() as u8 + 7, 2, 0xF0, last];
            part.extend(bytes);
            part
        };
        Reply::Send([part(a, 0), part(b, 0x80)].concat())
    })
    .await;
    bench.apply(spec(1, server.port, &["DB1.DBB40"])).await;
    bench.until("the value", |b| b.value(1, 0) == Some(json!(40))).await;
    bench.until_state(1, State::Online).await;
}

#[tokio::test]
async fn late_answers_are_never_taken_for_others() {
    let (bench, _neighbour) = with_neighbour().await;
    // Every third answer comes one request late.
    let late = Mutex::new(None::<Vec<u8>>);
    let count = AtomicU64::new(0);
    let server = serve(move |request| {
        let now = good(request);
        if request.kind == 7 {
            return Reply::Send(now);
        }
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
    let mut device = spec(1, server.port, &["DB1.DBB1", "DB1.DBB200"]);
    device.settings["timeout_ms"] = json!(50);
    bench.apply(device).await;
    bench
        .until("time-outs", |b| {
            b.course(1, 0).iter().filter(|q| **q == Quality::TIMEOUT).count() >= 3
        })
        .await;
    for (point, right) in [(0, 1_u64), (1, 200)] {
        for sample in bench.samples(1, point) {
            let fits = sample.value.is_none_or(|v| matches!(v, Value::U64(x) if x == right));
            assert!(fits, "an answer was taken for another");
        }
    }
    assert_neighbour_is_well(&bench).await;
}

#[tokio::test]
async fn refused_connections_say_what_to_do() {
    let (bench, _neighbour) = with_neighbour().await;
    let answer = |request: &Request| Reply::Send(good(request));
    let disconnect = |_: &[u8]| Reply::Send(vec![3, 0, 0, 11, 6, 0x80, 0, 0, 0, 1, 3]);
    let refusing = serve_all(disconnect, answer).await;
    let closing = serve_all(|_: &[u8]| Reply::SendAndClose(Vec::new()), answer).await;
    let silent = serve_all(|_: &[u8]| Reply::Silence, answer).await;
    let ssh = serve_all(|_: &[u8]| Reply::Send(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), answer).await;
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    for (n, port, reason) in [
        (1, refusing.port, "refused the connection (unknown address); check rack and slot"),
        (2, closing.port, "ended the connection when it was asked for; check rack and slot"),
        (3, silent.port, "does not answer the connection request within 300 ms"),
        (4, ssh.port, "something that is not ISO-on-TCP (RFC 1006); is it an S7 CPU?"),
        (5, nobody, "connection refused: nothing listens there"),
    ] {
        bench.apply(impatient(spec(n, port, &["MB1"]))).await;
        bench.until(reason, |b| b.reason(n).contains(reason)).await;
        let place = format!("127.0.0.1:{port}, rack 0, slot 1: ");
        assert!(bench.reason(n).starts_with(&place), "{}", bench.reason(n));
    }
    let error = bench.supervisor.test(&spec(6, nobody, &[])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.to_string().starts_with("device 6 (88.100/d6): 127.0.0.1:"), "{error}");
    assert_neighbour_is_well(&bench).await;
}

#[tokio::test]
async fn speaks_over_ipv6_as_over_ipv4() {
    let bench = bench();
    let answer = |request: &Request| Reply::Send(good(request));
    let server = serve_at("::1", confirm, answer).await;
    let mut device = spec(1, server.port, &["MB1"]);
    for (n, host) in [(1, "::1"), (2, "[::1]")] {
        device.device = weir_connect::conformance::device_id(n);
        device.settings["host"] = json!(host);
        bench.apply(device.clone()).await;
        bench.until_state(n, State::Online).await;
    }
    drop(server);
    bench.until("lost", |b| b.reason(1).starts_with("[::1]:")).await;
}

#[tokio::test]
async fn slower_than_the_interval_is_degraded_not_drifting() {
    let (bench, _neighbour) = with_neighbour().await;
    let server = serve(|request| {
        std::thread::sleep(std::time::Duration::from_millis(30));
        Reply::Send(good(request))
    })
    .await;
    let mut device = spec(1, server.port, &["MB1"]);
    device.settings["poll_ms"] = json!(10);
    bench.apply(device).await;
    bench.until("degraded", |b| b.reason(1).contains("slower than its interval")).await;
    assert!(bench.status(1).counters.missed > 0);
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
    let server = serve(move |request| {
        let mut bytes = good(request);
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
    let driver = S7Driver::new();
    let addresses = ["DB1.DBB7", "DB1.DBX7.1", "MW4", "DB1,DWORD100", "DB1,LWORD200"];
    let device = Arc::new(spec(1, server.port, &addresses));
    let (mut good, mut bad) = (0, 0);
    for round in 0..1000_usize {
        let circumstances = Circumstances::new(Arc::new(SystemClock));
        let mut session = driver.connect(Arc::clone(&device), circumstances).await.unwrap();
        let point = round % 5;
        let result = if round % 10 == 9 {
            session.write(point, &Value::Bool(true)).await.map(|_| Vec::new())
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
    assert!(good > 20 && bad > 500, "{good} good, {bad} bad");
}
