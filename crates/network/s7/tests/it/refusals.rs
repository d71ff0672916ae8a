//! What a CPU refuses: items, requests, services and writes.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use serde_json::json;
use weir_connect::conformance::{TENANT, device_id, impatient};
use weir_connect::{Driver, ErrorKind, State};
use weir_model::{Quality, Value};
use weir_s7::S7Driver;

use crate::server::{Item, Reply, bench, good, good_except, serve, spec};

#[tokio::test]
async fn every_return_code_is_named_with_what_to_do() {
    let bench = bench();
    let code = Arc::new(AtomicU32::new(0));
    let answered = Arc::clone(&code);
    let server = serve(move |request| {
        let code = answered.load(Relaxed) as u8;
        Reply::Send(good_except(request, |item| (item.db == 7).then_some(code)))
    })
    .await;
    for (n, name) in [
        (0x01, "hardware fault"),
        (0x03, "access denied: in TIA Portal, switch off \"Optimized block access\""),
        (0x05, "address out of range"),
        (0x06, "data type not supported"),
        (0x07, "data type inconsistent"),
        (0x0A, "object does not exist"),
        (0x7F, "does not define"),
    ] {
        code.store(n, Relaxed);
        bench.apply(spec(n, server.port, &["DB7.DBB3", "MB9"])).await;
        bench.until_state(n, State::Degraded).await;
        let reason = bench.reason(n);
        assert!(reason.contains(name) && reason.contains("DB7,BYTE3: "), "{reason}");
        assert!(reason.ends_with(&format!("(return code {n:02X})")), "{reason}");
        bench.until("told", |b| b.last(n, 0).is_some() && b.value(n, 1).is_some()).await;
        assert!(bench.last(n, 0).unwrap().quality.is_bad());
        assert_eq!(bench.value(n, 1), Some(json!(9)), "the other item has its value");
        assert_eq!(bench.status(n).counters.reconnects, 0, "a refusal keeps the connection");
        bench.supervisor.remove(TENANT, &device_id(n)).await;
    }
}

#[tokio::test]
async fn put_get_that_is_not_permitted_is_said_once() {
    let bench = bench();
    let requests = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&requests);
    let server = serve(move |request| {
        counted.fetch_add((request.kind == 1).into(), Relaxed);
        Reply::Send(request.answer(0x8104, &[], &[]))
    })
    .await;
    bench.apply(spec(1, server.port, &["DB7.DBB3", "DB7.DBB5", "MB9"])).await;
    bench.until("all fail", |b| b.status(1).points_bad == 3).await;
    let reason = bench.reason(1);
    assert!(reason.contains("Permit access with PUT/GET"), "{reason}");
    assert!(reason.ends_with("(error 8104)"), "{reason}");
    assert_eq!(bench.course(1, 0), [Quality::CONFIGURATION_ERROR]);
    assert_eq!((bench.status(1).counters.reconnects, requests.load(Relaxed)), (0, 1));
}

#[tokio::test]
async fn a_request_that_is_refused_for_one_item_is_asked_for_apart() {
    let bench = bench();
    let server = serve(|request| {
        let items = if request.kind == 1 { request.items() } else { Vec::new() };
        let bad = |item: &Item| {
            let first = item.address / 8;
            item.db == 7 && (first..first + u32::from(item.count)).contains(&4)
        };
        if items.iter().any(bad) {
            return Reply::Send(request.answer(0x8500, &[], &[]));
        }
        Reply::Send(good(request))
    })
    .await;
    bench.apply(spec(1, server.port, &["DB7.DBB3", "DB7.DBB4", "DB7.DBB5", "MB9"])).await;
    bench.until("all told", |b| (0..4).all(|i| b.last(1, i).is_some())).await;
    for (i, value) in [(0, Some(json!(3))), (1, None), (2, Some(json!(5))), (3, Some(json!(9)))] {
        assert_eq!(bench.value(1, i), value, "point {i}");
    }
    bench.until_state(1, State::Degraded).await;
    assert!(bench.reason(1).contains("(error 8500)"), "{}", bench.reason(1));
}

#[tokio::test]
async fn one_missing_byte_among_many_is_found() {
    let bench = bench();
    let server = serve(|request| {
        let is_missing = |item: &Item| {
            let first = item.address / 8;
            (first..first + u32::from(item.count)).contains(&500).then_some(0x05)
        };
        Reply::Send(good_except(request, is_missing))
    })
    .await;
    let addresses: Vec<_> = (0..1000).map(|i| format!("DB1.DBB{i}")).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    bench.apply(spec(1, server.port, &addresses)).await;
    bench.until("one fails", |b| b.status(1).points_bad == 1).await;
    bench.until("all told", |b| (0..1000).all(|i| b.last(1, i).is_some())).await;
    for i in 0..1000 {
        let expected = (i != 500).then(|| json!(i as u8));
        assert_eq!(bench.value(1, i), expected, "byte {i}");
    }
    assert!(bench.reason(1).contains("DB1,BYTE500: address out of range"), "{}", bench.reason(1));
}

#[tokio::test]
async fn a_bit_is_written_as_a_bit_and_never_twice() {
    let bench = bench();
    let written = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&written);
    let server = serve(move |request| {
        if request.is_write() {
            seen.lock().unwrap().push((request.items(), request.data.clone()));
            if request.items()[0].db == 2 {
                return Reply::Silence;
            }
        }
        Reply::Send(good(request))
    })
    .await;
    bench.apply(impatient(spec(1, server.port, &["DB1.DBX9.1", "DB2.DBW9", "MW20"]))).await;
    bench.until_state(1, State::Online).await;
    // The device confirms and keeps its own value: byte 9 is 9, whose bit 1 is not set.
    let report = bench.write(1, 0, Value::Bool(true)).await.unwrap();
    let told = (report.before, report.after, report.verified);
    assert_eq!(told, (Some(Value::Bool(false)), Some(Value::Bool(false)), false));
    let item = Item { unit: 1, count: 1, db: 1, area: 0x84, address: 9 * 8 + 1 };
    assert_eq!(written.lock().unwrap()[0], (vec![item], vec![0, 3, 0, 1, 1]));
    bench.write(1, 2, Value::U64(0x1415)).await.unwrap();
    assert_eq!(written.lock().unwrap()[1].1, [0, 4, 0, 16, 0x14, 0x15]);

    let error = bench.write(1, 1, Value::U64(77)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(
        error.to_string().ends_with("whether the write was carried out is not known"),
        "{error}"
    );
    bench.until("connected anew", |b| b.status(1).counters.reconnects == 1).await;
    bench.until_state(1, State::Online).await;
    assert_eq!(written.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn refused_writes_keep_the_connection() {
    let bench = bench();
    let server = serve(|request| {
        if request.is_write() {
            return Reply::Send(good_except(request, |_| Some(0x03)));
        }
        Reply::Send(good(request))
    })
    .await;
    bench.apply(spec(1, server.port, &["DB1.DBW2"])).await;
    bench.until_state(1, State::Online).await;
    let error = bench.write(1, 0, Value::U64(7)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.to_string().contains("DB1,WORD2: access denied"), "{error}");
    assert_eq!(server.connections.load(Relaxed), 1);
}

#[tokio::test]
async fn lists_of_blocks_come_in_parts_or_not_at_all() {
    let server = serve(|request| {
        if request.kind != 7 {
            return Reply::Send(good(request));
        }
        let is_first = request.parameters[4] == 0x11;
        match request.parameters[6] {
            2 if is_first => Reply::Send(request.part(true, 0, &[0, 1, 0x22, 5, 0, 2, 0x22, 5])),
            2 => Reply::Send(request.part(false, 0, &[0, 9, 0x22, 5])),
            _ => Reply::Send(request.part(false, 0x8104, &[])),
        }
    })
    .await;
    let driver = S7Driver::new();
    let settings = json!({"host": "127.0.0.1", "port": server.port});
    let page = driver.browse(&settings, Some("db")).await.unwrap();
    let names: Vec<_> =
        page.items.iter().map(|i| (i.name.as_str(), i.description.as_str())).collect();
    assert_eq!(names, [("DB1", ""), ("DB2", ""), ("DB9", "")], "lengths are not told");

    let server = serve(|request| match request.kind {
        7 => Reply::Send(request.answer(0x8104, &[], &[])),
        _ => Reply::Send(good(request)),
    })
    .await;
    let settings = json!({"host": "127.0.0.1", "port": server.port});
    let error = driver.browse(&settings, Some("db")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.to_string().contains("browse \"db:5\" for data block 5"), "{error}");
    let page = driver.browse(&settings, Some("db:5")).await.unwrap();
    assert_eq!(page.items.len(), 96);
    // A CPU that says nothing of itself is found all the same.
    let found = driver.discover(&settings).await.unwrap();
    assert_eq!((found.len(), found[0].name.as_str()), (1, "rack 0, slot 1"));

    // A list that never ends is cut.
    let server = serve(|request| match request.kind {
        7 => Reply::Send(request.part(true, 0, &[0; 4])),
        _ => Reply::Send(good(request)),
    })
    .await;
    let settings = json!({"host": "127.0.0.1", "port": server.port});
    let error = driver.browse(&settings, Some("db")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn a_device_without_points_is_asked_something_harmless() {
    let bench = bench();
    let server = serve(|request| Reply::Send(good_except(request, |_| Some(0x0A)))).await;
    bench.apply(spec(1, server.port, &[])).await;
    bench.until_state(1, State::Online).await;
    bench.until("asked", |b| b.status(1).counters.reads >= 3).await;
}
