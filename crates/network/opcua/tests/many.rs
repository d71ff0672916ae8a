//! Fifty thousand monitored items of one server, with what they cost.
//!
//! `WEIR_VENV=... cargo test -p weir-opcua --test many -- --ignored --nocapture` prints the numbers.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use weir_connect::conformance::{Peer, tag};
use weir_connect::{Circumstances, Driver, Point, Session, SystemClock};
use weir_model::{DataType, Value};
use weir_opcua::OpcUaDriver;

const ITEMS: usize = 50_000;

/// Resident memory of this process in MB, where the system tells.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Collects until every point has the value; says how many readings and how many pieces of work it took, and the
/// longest of them in milliseconds.
async fn until_all(session: &mut dyn Session, value: f64) -> (usize, usize, u128) {
    let (mut held, mut left) = (vec![false; ITEMS], ITEMS);
    let (mut readings, mut pieces, mut longest) = (0, 0, 0);
    while left > 0 {
        session.due().await;
        let started = Instant::now();
        let collected = session.collect().await.unwrap();
        longest = longest.max(started.elapsed().as_millis());
        pieces += 1;
        readings += collected.readings.len();
        assert!(collected.readings.len() <= 1000);
        for reading in collected.readings {
            let is_it = reading.outcome == Ok(Value::F64(value));
            if is_it && !std::mem::replace(&mut held[reading.point], true) {
                left -= 1;
            }
        }
    }
    (readings, pieces, longest)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn fifty_thousand_items_of_one_server() {
    let (pki, server) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut peer = Peer::start("opcua/server.py", &["--dir", server.path().to_str().unwrap()]);
    peer.ask(&json!({"do": "many", "count": ITEMS}));
    let driver = OpcUaDriver::new(pki.path().to_owned());
    let mut spec = peer.spec(1, "opcua");
    spec.settings["timeout_ms"] = json!(30_000);
    spec.settings["keep_alive_ms"] = json!(10_000);
    spec.settings["publishing_ms"] = json!(500);
    spec.settings["sampling_ms"] = json!(500);
    let point = |i: usize| Point {
        tag: tag(1, i),
        id: format!("88.100/d1.p{i}").parse().unwrap(),
        name: format!("p{i}"),
        address: json!({"node": format!("nsu=urn:weir:peer;s=m{i}")}),
        data_type: DataType::F64,
        scaling: Vec::new(),
        write: None,
        poll_ms: None,
    };
    spec.points = (0..ITEMS).map(point).collect();
    let spec = Arc::new(spec);
    let (before, started) = (resident_mb(), Instant::now());
    let circumstances = Circumstances::new(Arc::new(SystemClock));
    let mut session = driver.connect(Arc::clone(&spec), circumstances).await.unwrap();
    let connected = started.elapsed();
    let (readings, pieces, longest) = until_all(&mut *session, 0.0).await;
    eprintln!(
        "{ITEMS} items: connected in {connected:.1?}, all values after {:.1?} ({readings} readings, {pieces} pieces of work, the longest {longest} ms), {} MB on top of {before} MB",
        started.elapsed(),
        resident_mb() - before,
    );
    for value in [1.0, 2.0] {
        let started = Instant::now();
        let cpu = cpu_ms();
        peer.ask(&json!({"do": "sweep", "count": ITEMS, "value": value}));
        let swept = started.elapsed();
        let (readings, pieces, longest) = until_all(&mut *session, value).await;
        eprintln!(
            "all changed: the server took {swept:.1?}, all values after {:.1?} ({readings} readings, {pieces} pieces of work, the longest {longest} ms), {} ms of our processor, {} MB",
            started.elapsed(),
            cpu_ms() - cpu,
            resident_mb() - before,
        );
    }
}

/// Processor time of this process in milliseconds, where the system tells.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = stat.rsplit(") ").next().unwrap_or_default();
    // Behind the name stand the state and ten numbers, then user and system time in hundredths.
    let field = |at: usize| behind.split_whitespace().nth(at).and_then(|f| f.parse::<u64>().ok());
    field(11).zip(field(12)).map_or(0, |(user, system)| (user + system) * 10)
}
