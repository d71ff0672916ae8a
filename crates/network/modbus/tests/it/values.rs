//! Reading: tables, types, orders, intervals, and what is asked in one request.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::json;
use weir_connect::{Driver, Scaling, State};
use weir_model::{DataType, Quality, Timestamp};

use crate::bench::{Bench, TENANT, holding, impatient, spec};
use crate::server::{Memory, serve};

#[tokio::test]
async fn all_tables_and_types_are_read_in_one_request_each() {
    let (bench, memory) = (Bench::new(), Memory::new());
    let server = serve(&memory, 0).await;
    memory.registers.lock().unwrap()[10..14].copy_from_slice(&[0x4049, 0x0FDB, 0xFFFF, 0xFFFE]);
    let addresses = vec![
        json!({"table": "coil", "address": 3}),
        json!({"table": "coil", "address": 4}),
        json!({"table": "discrete", "address": 6}),
        json!({"table": "input", "address": 100, "type": "u16"}),
        holding(10, "f32"),
        holding(12, "i32"),
        holding(13, "i16"),
        json!({"table": "holding", "address": 10, "type": "bool", "bit": 14}),
        json!({"table": "holding", "address": 10, "type": "bool", "bit": 15}),
        json!({"table": "holding", "address": 10, "type": "f32", "word_order": "CDAB"}),
    ];
    let mut device = spec(1, server.port, addresses);
    device.settings["poll_ms"] = json!(60_000);
    bench.apply(device).await;
    bench.until("all values", |b| (0..10).all(|i| b.value(1, i).is_some())).await;
    let values: Vec<_> = (0..9).map(|i| bench.value(1, i).unwrap()).collect();
    let expected = json!([true, false, true, 100, 3.1415927410125732_f64, -2, -2, true, false]);
    assert_eq!(json!(values), expected);
    assert_eq!(bench.status(1).state, State::Online);
    assert_eq!(memory.requests.load(Relaxed), 4, "one a table");
    assert_eq!(bench.status(1).counters.reads, 4);
}

#[tokio::test]
async fn scaling_with_a_date_and_points_of_several_intervals() {
    let (bench, memory) = (Bench::new(), Memory::new());
    let server = serve(&memory, 0).await;
    let mut device = spec(1, server.port, vec![holding(650, "u16"), holding(7, "u16")]);
    device.settings["gap_registers"] = json!(0);
    device.points[0].data_type = DataType::F64;
    let scaling = |effective: &str, factor, offset| Scaling {
        effective: Timestamp::parse(effective).unwrap(),
        factor,
        offset,
        unit: None,
    };
    device.points[0].scaling = vec![
        scaling("2020-01-01T00:00:00Z", 0.1, -40.0),
        scaling("2200-01-01T00:00:00Z", 9.0, 9.0),
    ];
    device.points[1].poll_ms = Some(60_000);
    bench.apply(device).await;
    bench.until("twenty polls", |b| b.samples(1, 0).len() >= 20).await;
    assert_eq!(bench.value(1, 0), Some(json!(25.0)));
    assert_eq!(bench.value(1, 1), Some(json!(7)), "unscaled integers stay integers");
    assert_eq!(bench.samples(1, 1).len(), 1);
    // Without drift: twenty intervals of 20 ms take 400 ms, whatever each read takes.
    let samples = bench.samples(1, 0);
    let span = samples[19].time.nanos() - samples[0].time.nanos();
    let missed = bench.status(1).counters.missed as i64;
    assert!(span < (19 + missed + 2) * 20_000_000, "{span} ns, {missed} missed");
}

#[tokio::test]
async fn one_missing_address_degrades_only_its_point() {
    let (bench, memory) = (Bench::new(), Memory::new());
    let server = serve(&memory, 0).await;
    memory.missing.lock().unwrap().insert(37);
    bench.apply(spec(1, server.port, (0..100).map(|a| holding(a, "u16")).collect())).await;
    bench.until_state(1, State::Degraded).await;
    bench
        .until("the others", |b| {
            (0..100).filter(|i| *i != 37).all(|i| b.value(1, i) == Some(json!(i)))
        })
        .await;
    bench.until("the bad one", |b| b.last(1, 37).is_some()).await;
    assert_eq!(bench.course(1, 37), [Quality::ADDRESS_UNKNOWN]);
    let reason = bench.reason(1);
    assert!(reason.starts_with("1 of 100 points fail: p37: "), "{reason}");
    let place = format!("127.0.0.1:{}, unit 1, holding 37", server.port);
    assert!(reason.contains(&place) && reason.contains("illegal data address (exception 02)"));
    assert_eq!(bench.status(1).counters.reconnects, 0);
    // Found once: from then on there are few requests a poll, and none for the missing one.
    let polls = |b: &weir_connect::conformance::Bench| b.samples(1, 0).len() as u64;
    let (polls_before, requests_before) = (polls(&bench), memory.requests.load(Relaxed));
    bench.until("ten polls", |b| polls(b) >= polls_before + 10).await;
    let requests = memory.requests.load(Relaxed) - requests_before;
    let polls = polls(&bench) - polls_before;
    assert!(requests <= (polls + 2) * 8, "{requests} requests for {polls} polls");
}

#[tokio::test]
async fn a_silent_unit_behind_a_gateway_does_not_silence_the_others() {
    let (bench, memory) = (Bench::new(), Memory::with_units([1, 3]));
    let server = serve(&memory, 0).await;
    let at = |unit: u8| json!({"table": "holding", "address": 5, "type": "u16", "unit": unit});
    bench.apply(impatient(spec(1, server.port, vec![at(1), at(2), at(3)]))).await;
    bench.until("both that answer", |b| b.value(1, 0).is_some() && b.value(1, 2).is_some()).await;
    bench.until_state(1, State::Degraded).await;
    assert_eq!(bench.course(1, 1), [Quality::TIMEOUT]);
    assert!(bench.reason(1).contains("unit 2") && bench.reason(1).contains("no answer within"));
    let before = bench.samples(1, 2).len();
    bench.until("they go on", |b| b.samples(1, 2).len() > before + 5).await;
    assert_eq!(bench.course(1, 0), [Quality::GOOD]);
    assert_eq!(bench.course(1, 2), [Quality::GOOD]);
}

#[tokio::test]
async fn a_device_without_points_is_online_while_it_answers() {
    let (bench, memory) = (Bench::new(), Memory::new());
    let server = serve(&memory, 0).await;
    memory.missing.lock().unwrap().insert(0);
    bench.apply(spec(1, server.port, Vec::new())).await;
    bench.until_state(1, State::Online).await;
    drop(server);
    bench.until_state(1, State::BackingOff).await;
}

#[tokio::test]
async fn tests_and_browses_say_what_is_there() {
    let (bench, memory) = (Bench::new(), Memory::new());
    let server = serve(&memory, 0).await;
    memory.missing.lock().unwrap().extend([2, 65]);
    let device = spec(1, server.port, (0..4).map(|a| holding(a, "u16")).collect());
    let report = bench.supervisor.test(&device).await.unwrap();
    assert_eq!(
        report.message,
        format!("connected to 127.0.0.1:{}; 3 of 4 points answered", server.port)
    );
    assert_eq!(report.values[3].value.as_ref().map(|v| v.to_json()), Some(json!(3)));
    assert!(report.values[2].error.as_ref().unwrap().contains("holding 2: illegal data address"));
    assert!(report.latency_ms > 0.0);

    let browse =
        async |at| bench.supervisor.browse(TENANT, "modbus", &device.settings, at).await.unwrap();
    let tables = browse(None).await;
    assert_eq!(
        tables.items.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(),
        ["coil", "discrete", "input", "holding"]
    );
    let first = browse(Some("holding:0")).await;
    assert_eq!(first.items.len(), 63, "one of 64 is missing");
    assert_eq!(
        first.items[2].address,
        Some(json!({"table": "holding", "address": 3, "type": "u16"}))
    );
    assert_eq!(first.next.as_deref(), Some("holding:64"));
    let wrong = bench.supervisor.browse(TENANT, "modbus", &device.settings, Some("attic")).await;
    assert!(wrong.unwrap_err().to_string().contains("attic"));
    let last = browse(Some("coil:65535")).await;
    assert_eq!((last.items.len(), last.next), (1, None));
}

#[tokio::test]
async fn ipv6_works_as_ipv4_does() {
    let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else {
        eprintln!("this machine has no IPv6 loopback; nothing tested");
        return;
    };
    let (port, driver) = (listener.local_addr().unwrap().port(), weir_modbus::ModbusDriver::new());
    let mut device = spec(1, port, vec![]);
    device.settings["host"] = json!("::1");
    driver.check(&device).unwrap();
    let clock = std::sync::Arc::new(weir_connect::SystemClock);
    let circumstances = weir_connect::Circumstances::new(clock);
    let session = driver.connect(std::sync::Arc::new(device), circumstances).await.unwrap();
    assert_eq!(session.peer(), format!("[::1]:{port}"));
    tokio::time::timeout(Duration::from_secs(5), listener.accept()).await.unwrap().unwrap();
}
