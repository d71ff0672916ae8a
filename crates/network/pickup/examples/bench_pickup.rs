//! Measures how fast rows of CSV files become stored samples, through the supervisor and with receipts:
//! `cargo run --release -p weir-pickup --example bench_pickup [ROWS]`.

#![expect(clippy::unwrap_used, reason = "a measurement fails by a panic")]

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use weir_connect::conformance::{Bench, TENANT, device_id, tag};
use weir_connect::{Clock, DeviceSpec, Point, SystemClock};
use weir_model::DataType;
use weir_pickup::CsvPickup;

const COLUMNS: usize = 5;

#[tokio::main]
async fn main() {
    let rows: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(200_000);
    let dir = std::env::temp_dir().join(format!("weir-bench-pickup-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("in")).unwrap();
    let root = std::fs::canonicalize(&dir).unwrap();
    let mut text = "time".to_owned();
    (0..COLUMNS).for_each(|c| write!(text, ",c{c}").unwrap());
    let now = SystemClock.now().nanos() / 1_000_000;
    for row in 0..rows {
        // The last row is from now, and so is live; all others are history.
        let millis = if row + 1 == rows { now } else { now - 100_000_000 + (row as i64) };
        write!(text, "\n{millis}").unwrap();
        (0..COLUMNS).for_each(|c| write!(text, ",{}.{c}", row % 1000).unwrap());
    }
    let bytes = text.len();
    std::fs::write(root.join("in/a.csv"), text).unwrap();
    let point = |i: usize| Point {
        tag: tag(1, i),
        id: format!("88.100/d1.p{i}").parse().unwrap(),
        name: format!("p{i}"),
        address: json!({"column": format!("c{i}")}),
        data_type: DataType::F64,
        scaling: Vec::new(),
        write: None,
        poll_ms: None,
    };
    let spec = DeviceSpec {
        tenant: TENANT,
        device: device_id(1),
        name: "bench".to_owned(),
        protocol: "csv".to_owned(),
        settings: json!({
            "folder": root.join("in").to_str().unwrap(), "time_column": "time",
            "time_format": "epoch_ms", "poll_s": 1, "stable_s": 0,
        }),
        points: (0..COLUMNS).map(point).collect(),
        enabled: true,
        revision: 1,
    };
    let bench = Bench::new(vec![Arc::new(CsvPickup::new(vec![root.clone()], root.join("state")))]);
    let since = Instant::now();
    bench.apply(spec).await;
    bench.until("the last row", |b| b.last(1, COLUMNS - 1).is_some()).await;
    let seconds = since.elapsed().as_secs_f64();
    let samples: usize = (0..COLUMNS).map(|i| bench.samples(1, i).len()).sum();
    println!(
        "{}",
        json!({
            "rows": rows, "samples": samples, "seconds": seconds,
            "rows_per_s": (rows as f64 / seconds).round(),
            "samples_per_s": (samples as f64 / seconds).round(),
            "mb_per_s": (bytes as f64 / seconds / 1e6 * 10.0).round() / 10.0,
            "dropped": bench.status(1).counters.dropped,
        })
    );
    let _ = std::fs::remove_dir_all(root);
}
