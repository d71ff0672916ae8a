//! Writing: functions by type, limits, read-back.

use serde_json::{Value as Json, json};
use weir_connect::{ErrorKind, Scaling, State, WriteLimits, WriteReport};
use weir_model::{DataType, Timestamp, Value};

use crate::bench::{Bench, holding, impatient, spec};
use crate::server::{Memory, Reply, good, raw, serve};

fn told(report: &WriteReport) -> (Option<Json>, Option<Json>, bool) {
    let json = |v: &Option<Value>| v.as_ref().map(Value::to_json);
    (json(&report.before), json(&report.after), report.verified)
}

#[tokio::test]
async fn values_of_every_kind_are_written_and_read_back() {
    let (bench, memory) = (Bench::new(), Memory::new());
    let server = serve(&memory, 0).await;
    let bit = json!({"table": "holding", "address": 20, "type": "bool", "bit": 4});
    let little = json!({"table": "holding", "address": 30, "type": "i32", "word_order": "DCBA"});
    let addresses = vec![
        json!({"table": "coil", "address": 1}),
        holding(10, "u16"),
        little,
        holding(40, "f64"),
        bit,
    ];
    let read_only = json!({"table": "input", "address": 1});
    bench.apply(spec(1, server.port, addresses.into_iter().chain([read_only]).collect())).await;
    bench.until_state(1, State::Online).await;
    let write = async |i, value| told(&bench.write(1, i, value).await.unwrap());
    for round in 0..2 {
        if round == 1 {
            // A device that knows neither 05, 06 nor 22 is written with 15, 16 and 06 or not at all.
            memory.unknown_functions.lock().unwrap().extend([0x05, 0x16]);
        }
        let on = round == 0;
        assert_eq!(write(0, Value::Bool(on)).await, (Some(json!(!on)), Some(json!(on)), true));
        assert_eq!(write(4, Value::Bool(!on)).await.1, Some(json!(!on)));
    }
    memory.unknown_functions.lock().unwrap().insert(0x06);
    assert_eq!(write(1, Value::U64(500)).await, (Some(json!(10)), Some(json!(500)), true));
    assert_eq!(write(2, Value::I64(-2)).await.1, Some(json!(-2)));
    assert_eq!(memory.registers.lock().unwrap()[30..32], [0xFEFF, 0xFFFF]);
    assert_eq!(write(3, Value::F64(1e-300)).await.1, Some(json!(1e-300)));
    assert_eq!(memory.registers.lock().unwrap()[20] & !16, 20 & !16, "other bits stay");
    bench.until("the new value", |b| b.value(1, 1) == Some(json!(500))).await;

    let kind = async |i, value| bench.write(1, i, value).await.unwrap_err().kind;
    assert_eq!(kind(1, Value::U64(65536)).await, ErrorKind::OutOfLimits);
    assert_eq!(kind(0, Value::U64(2)).await, ErrorKind::OutOfLimits);
    assert_eq!(kind(5, Value::U64(2)).await, ErrorKind::NotWritable);
    memory.missing.lock().unwrap().insert(10);
    let error = bench.write(1, 1, Value::U64(1)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    let text = error.to_string();
    assert!(text.starts_with("device 1 (88.100/d1): 127.0.0.1:"), "{text}");
    assert!(text.contains("unit 1, holding 10: illegal data address (exception 02)"), "{text}");
    assert_eq!(bench.status(1).counters.reconnects, 0);
}

#[tokio::test]
async fn rounding_does_not_lead_beyond_the_limits() {
    let (bench, memory) = (Bench::new(), Memory::new());
    let server = serve(&memory, 0).await;
    let mut device = spec(1, server.port, vec![holding(10, "u16"), holding(20, "u16")]);
    for (point, factor) in device.points.iter_mut().zip([10.0, 0.1]) {
        point.data_type = DataType::F64;
        let (effective, unit) = (Timestamp::MIN, None);
        point.scaling = vec![Scaling { effective, factor, offset: 0.0, unit }];
        point.write = Some(WriteLimits { min: Some(0.3), max: Some(95.0), confirm: false });
    }
    bench.apply(device).await;
    bench.until_state(1, State::Online).await;
    let write = async |i, value| bench.write(1, i, Value::F64(value)).await;
    let error = write(0, 95.0).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutOfLimits, "{error}");
    assert!(error.to_string().contains("100 is above the highest allowed value 95"), "{error}");
    assert_eq!(write(0, 4.0).await.unwrap_err().kind, ErrorKind::OutOfLimits);
    assert_eq!(memory.registers.lock().unwrap()[10], 10);
    assert_eq!(told(&write(0, 94.0).await.unwrap()).1, Some(json!(90.0)));
    // 0.3 by 0.1 is not quite 3, which is no rounding.
    assert_eq!(told(&write(1, 0.3).await.unwrap()).1, Some(json!(0.3)));
}

#[tokio::test]
async fn a_device_that_keeps_its_own_value_is_told() {
    let bench = Bench::new();
    // It confirms every write and changes nothing.
    let server = raw(|request| match request[7] {
        0x03 => Reply::Send(good(request)),
        _ => Reply::Send(request.to_vec()),
    })
    .await;
    bench.apply(spec(1, server.port, vec![holding(10, "u16")])).await;
    bench.until_state(1, State::Online).await;
    let report = bench.write(1, 0, Value::U64(77)).await.unwrap();
    assert_eq!(told(&report), (Some(json!(10)), Some(json!(10)), false));
}

#[tokio::test]
async fn a_write_without_an_answer_is_not_repeated_and_says_that_nobody_knows() {
    let bench = Bench::new();
    let writes = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = std::sync::Arc::clone(&writes);
    let server = raw(move |request| match request[7] {
        0x03 => Reply::Send(good(request)),
        _ => {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Reply::Silence
        }
    })
    .await;
    bench.apply(impatient(spec(1, server.port, vec![holding(10, "u16")]))).await;
    bench.until_state(1, State::Online).await;
    let error = bench.write(1, 0, Value::U64(77)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.to_string().ends_with("whether the write was carried out is not known"));
    bench.until("connected anew", |b| b.status(1).counters.reconnects == 1).await;
    bench.until_state(1, State::Online).await;
    assert_eq!(writes.load(std::sync::atomic::Ordering::Relaxed), 1);
}
