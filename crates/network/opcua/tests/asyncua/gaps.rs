//! What happens to values when the connection, the server or its clock is not as it should be.

use serde_json::json;
use weir_connect::State;
use weir_connect::conformance::impatient;
use weir_model::{DataType, Quality};

use crate::plant::{Plant, node, part};

fn now_ns() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_nanos()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_gap_is_filled_from_the_servers_history() {
    let mut plant = Plant::new(&[]);
    let bench = plant.bench();
    let mut device =
        plant.device(1, vec![(node("History"), DataType::F64), (node("Double"), DataType::F64)]);
    device.settings["keep_alive_ms"] = json!(200);
    bench.apply(impatient(device)).await;
    bench.until("values", |b| b.value(1, 0).is_some() && b.value(1, 1).is_some()).await;
    plant.peer.mode("silent");
    bench.until_state(1, State::BackingOff).await;
    // What the server recorded meanwhile: three pages of a hundred values.
    let start = now_ns();
    let times: Vec<i64> = (0..250).map(|i| (start + i * 1_000_000) / 1000 * 1000).collect();
    plant.peer.ask(&json!({"do": "history", "node": "History", "times_ns": times}));
    bench.until("250 ms have gone by", |_| now_ns() > start + 260_000_000).await;
    plant.peer.mode("normal");
    bench.until_state(1, State::Online).await;
    bench.until("the history", |b| b.backfilled(1, 0).len() >= times.len()).await;
    let mut filled: Vec<_> = bench.backfilled(1, 0).iter().map(|s| s.time.nanos()).collect();
    filled.sort_unstable();
    filled.dedup();
    for time in &times {
        assert!(filled.binary_search(time).is_ok(), "{time} is missing");
    }
    assert!(bench.backfilled(1, 1).is_empty(), "it has no history");
    bench.until("the live value besides", |b| b.value(1, 0).is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn what_the_server_does_not_watch_is_read() {
    let mut plant = Plant::new(&[]);
    plant.peer.ask(&json!({"do": "limit", "items": 2}));
    let names = ["Double", "Int32", "UInt64", "String"];
    let types = [DataType::F64, DataType::I64, DataType::U64, DataType::Text];
    let points = names.iter().zip(types).map(|(name, data_type)| (node(name), data_type)).collect();
    let bench = plant.bench();
    bench.apply(plant.device(1, points)).await;
    bench.until("all values", |b| (0..4).all(|i| b.value(1, i).is_some())).await;
    plant.write("UInt64", json!(77));
    plant.write("String", json!("换班"));
    bench
        .until("read", |b| b.value(1, 2) == Some(json!(77)) && b.value(1, 3) == Some(json!("换班")))
        .await;
    plant.write("Double", json!(5.5));
    bench.until("reported", |b| b.value(1, 0) == Some(json!(5.5))).await;
    assert_eq!(bench.status(1).state, State::Online, "{}", bench.reason(1));
    assert_eq!(bench.status(1).counters.reconnects, 0);
}

/// An hour ahead and an hour behind, with security tokens that last two seconds: their age is told by clocks.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn clocks_that_are_an_hour_off_cost_nothing() {
    for mode in ["clock", "slow-clock"] {
        let mut plant = Plant::new(&["--token-ms", "2000"]);
        plant.peer.mode(mode);
        let bench = plant.bench();
        let mut device = plant.device(1, vec![(node("Double"), DataType::F64)]);
        device.settings["keep_alive_ms"] = json!(100);
        bench.apply(device).await;
        bench.until("a value", |b| b.value(1, 0).is_some()).await;
        let mut value = 10.0;
        // Some seven seconds of signs of life, and so several tokens.
        while bench.status(1).counters.reads < 70 {
            value += 1.0;
            plant.write("Double", json!(value));
            bench.until("the change", |b| b.value(1, 0) == Some(json!(value))).await;
            let beats = bench.status(1).counters.reads;
            bench.until("a beat", |b| b.status(1).counters.reads > beats).await;
        }
        let status = bench.status(1);
        assert_eq!(
            (status.counters.reconnects, status.counters.dropped),
            (0, 0),
            "{mode}: {status:?}"
        );
        let samples = bench.samples(1, 0);
        let off = |s: &weir_model::Sample| (now_ns() - s.time.nanos()).abs() > 600_000_000_000;
        assert!(
            !samples.iter().any(off),
            "{mode}: {:?}",
            samples.iter().map(|s| s.time).collect::<Vec<_>>()
        );
        let times: Vec<_> = samples.iter().map(|s| s.time).collect();
        assert!(times.is_sorted(), "{mode}: {times:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_source_in_the_future_costs_only_its_own_time() {
    let mut plant = Plant::new(&[]);
    let bench = plant.bench();
    bench
        .apply(
            plant.device(1, vec![(node("Double"), DataType::F64), (node("Float"), DataType::F64)]),
        )
        .await;
    bench.until("values", |b| b.value(1, 0).is_some() && b.value(1, 1).is_some()).await;
    let future = now_ns() + 86_400_000_000_000;
    plant.peer.ask(&json!({"do": "write", "node": "Double", "value": 8.5, "source_ns": future}));
    let past = now_ns() / 1000 * 1000 - 5_000_000;
    plant.peer.ask(&json!({"do": "write", "node": "Float", "value": 0.5, "source_ns": past}));
    bench
        .until("both", |b| b.value(1, 0) == Some(json!(8.5)) && b.value(1, 1) == Some(json!(0.5)))
        .await;
    assert!(bench.last(1, 0).unwrap().time.nanos() < now_ns() + 1_000_000_000);
    assert_eq!(bench.last(1, 0).unwrap().quality, Quality::GOOD);
    assert_eq!(bench.status(1).counters.dropped, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn deadbands_are_the_servers() {
    let mut plant = Plant::new(&[]);
    let bench = plant.bench();
    let deadband = json!({"deadband": {"type": "absolute", "value": 5.0}});
    let mut device = plant.device(
        1,
        vec![
            (part("Double", deadband), DataType::F64),
            (node("String"), DataType::Text),
            (node("Analog"), DataType::F64),
        ],
    );
    // Of the device, so it holds for numbers only.
    device.settings["deadband"] = json!({"type": "absolute", "value": 50.0});
    bench.apply(device).await;
    bench.until("values", |b| (0..3).all(|i| b.value(1, i).is_some())).await;
    plant.write("Double", json!(3.0));
    plant.write("Analog", json!(60.0));
    plant.write("String", json!("a"));
    bench.until("the text", |b| b.value(1, 1) == Some(json!("a"))).await;
    plant.write("Double", json!(9.0));
    plant.write("Analog", json!(160.0));
    bench
        .until("the jumps", |b| {
            b.value(1, 0) == Some(json!(9.0)) && b.value(1, 2) == Some(json!(160.0))
        })
        .await;
    let values = |i| {
        bench.samples(1, i).iter().filter_map(|s| s.value.as_ref()?.as_f64()).collect::<Vec<_>>()
    };
    assert_eq!(values(0), [1.5, 9.0]);
    assert_eq!(values(2), [50.0, 160.0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn sessions_end_with_their_devices() {
    let mut plant = Plant::new(&[]);
    for _ in 0..3 {
        let session = plant.session(&plant.device(1, vec![(node("Double"), DataType::F64)])).await;
        assert_eq!(plant.sessions(), 1);
        drop(session);
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
        while plant.sessions() > 0 {
            assert!(tokio::time::Instant::now() < deadline, "the session stays at the server");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
