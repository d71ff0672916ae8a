//! Writes and calls.

use serde_json::json;
use weir_connect::{ErrorKind, State, WriteLimits};
use weir_model::{DataType, Value};

use crate::plant::{Plant, node, part};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn writes_arrive_in_the_nodes_own_type_and_are_read_back() {
    use DataType::{Array, Enumeration, F64, I64, Text, U64};
    let mut plant = Plant::new(&[]);
    let text = |text: &str| Value::text(text).unwrap();
    let numbers =
        |numbers: &[i64]| Value::array(numbers.iter().map(|n| Value::I64(*n)).collect()).unwrap();
    let cases = vec![
        ("SByte", node("SByte"), I64, Value::I64(-7), "-7"),
        ("Byte", node("Byte"), U64, Value::U64(7), "7"),
        ("UInt32", node("UInt32"), U64, Value::U64(4_000_000_000), "4000000000"),
        ("UInt64Max", node("UInt64Max"), U64, Value::U64(1 << 63), "9223372036854775808"),
        ("Float", node("Float"), F64, Value::F64(0.25), "0.25"),
        (
            "DateTime",
            node("DateTime"),
            Text,
            text("2026-01-02T03:04:05.678901Z"),
            "2026-01-02 03:04:05.678901+00:00",
        ),
        ("ByteString", node("ByteString"), Text, text("aGk="), "b'hi'"),
        ("String", node("String"), Text, text("夜班"), "夜班"),
        ("State", node("State"), Enumeration, Value::Enumeration(2), "2"),
        ("Array", node("Array"), Array, numbers(&[9, 8]), "[9, 8]"),
    ];
    let points =
        cases.iter().map(|(_, address, data_type, ..)| (address.clone(), *data_type)).collect();
    let bench = plant.bench();
    bench.apply(plant.device(1, points)).await;
    bench.until_state(1, State::Online).await;
    for (i, (name, address, _, value, held)) in cases.iter().enumerate() {
        let report =
            bench.write(1, i, value.clone()).await.unwrap_or_else(|e| panic!("{address}: {e}"));
        assert!(report.verified && report.before.is_some(), "{address}: {report:?}");
        assert_eq!(report.after.as_ref(), Some(value), "{address}");
        let there = plant.peer.ask(&json!({"do": "read", "node": name}));
        assert_eq!(there["value"], *held, "{address}");
    }
    assert_eq!(bench.status(1).counters.reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn writes_that_cannot_be_are_refused_and_cost_nothing() {
    use DataType::{F64, I64, Text, U64};
    let mut plant = Plant::new(&[]);
    let points = vec![
        (node("Byte"), U64),
        (node("ReadOnly"), F64),
        (node("Missing"), F64),
        (node("Guid"), Text),
        (part("Array", json!({"index": 9})), I64),
        (node("Int16"), I64),
        (json!({"node": "nsu=urn:gone;s=x"}), F64),
    ];
    let mut device = plant.device(1, points);
    device.points[5].scaling = vec![
        serde_json::from_value(
            json!({"effective": "2000-01-01T00:00:00Z", "factor": 0.5, "offset": 0.0}),
        )
        .unwrap(),
    ];
    device.points[5].write = Some(WriteLimits { max: Some(4.9), ..WriteLimits::default() });
    device.points[5].data_type = F64;
    let bench = plant.bench();
    bench.apply(device).await;
    bench.until("values", |b| b.value(1, 0).is_some() && b.value(1, 5).is_some()).await;
    let text = |text: &str| Value::text(text).unwrap();
    let cases = [
        (0, Value::U64(256), ErrorKind::OutOfLimits, "256 does not fit the node's type Byte"),
        (1, Value::F64(1.0), ErrorKind::NotWritable, "Bad"),
        (2, Value::F64(1.0), ErrorKind::NotWritable, "BadUserAccessDenied"),
        (3, text("x"), ErrorKind::OutOfLimits, "a GUID is expected"),
        (4, Value::I64(1), ErrorKind::Unsupported, "ignores index ranges"),
        (5, Value::F64(4.89), ErrorKind::OutOfLimits, "it would be rounded"),
        (6, Value::F64(1.0), ErrorKind::Misconfigured, "urn:gone"),
    ];
    for (point, value, kind, told) in cases {
        let error = bench.write(1, point, value).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(told), "{error}");
    }
    assert_eq!(bench.status(1).counters.reconnects, 0);
    // A server that falls silent before the write got nothing of it.
    let mut impatient = plant.device(2, vec![(node("Double"), F64)]);
    impatient.settings["timeout_ms"] = json!(300);
    impatient.settings["keep_alive_ms"] = json!(600_000);
    bench.apply(impatient).await;
    bench.until("a value", |b| b.value(2, 0).is_some()).await;
    plant.peer.mode("silent");
    let error = bench.write(2, 0, Value::F64(99.0)).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Timeout | ErrorKind::NotConnected), "{error}");
    assert!(!error.to_string().contains("not known"), "{error}");
    plant.peer.mode("normal");
    let there = plant.peer.ask(&json!({"do": "read", "node": "Double"}));
    assert_eq!(there["value"], "1.5");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn methods_are_called_with_what_they_take() {
    let plant = Plant::new(&[]);
    let mut session = plant.session(&plant.device(1, vec![])).await;
    let method = |name: &str| json!({"object": node("Weir")["node"], "method": node(name)["node"]});
    let answer = session.call(&method("multiply"), &[json!(2.5), json!(4)]).await.unwrap();
    assert_eq!(answer, [json!(10.0), json!("×")]);
    assert_eq!(
        session.call(&method("multiply"), &[json!("NaN"), json!("3")]).await.unwrap()[0],
        json!("NaN")
    );
    let few = session.call(&method("multiply"), &[json!(1)]).await.unwrap_err();
    assert_eq!(few.kind, ErrorKind::Misconfigured);
    assert!(few.to_string().contains("takes 2 (a, b)"), "{few}");
    let large = session.call(&method("multiply"), &[json!(1), json!(40000)]).await.unwrap_err();
    assert!(large.to_string().contains("argument b: 40000 does not fit"), "{large}");
    let refused = session.call(&method("refuse"), &[]).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Rejected);
    assert!(refused.to_string().contains("BadNotExecutable"), "{refused}");
    let missing = session.call(&method("missing"), &[]).await.unwrap_err();
    assert!(!missing.kind.ends_session(), "{missing}");
    let wrong = session.call(&json!({"method": "i=1"}), &[]).await.unwrap_err();
    assert!(wrong.to_string().contains("/object"), "{wrong}");
}
