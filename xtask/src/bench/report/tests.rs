use serde_json::{Value as Json, json};

use super::files;
use super::tables::Table;

fn results() -> Json {
    let asked = json!({
        "raw_hour": { "cpu_ms": 0.4567, "wall_ms": 0.5, "rows": 3600, "off": 0.0 },
        "down_all": { "cpu_ms": 687.0, "wall_ms": 400.0, "rows": 6000, "off": 3e-13 },
    });
    let ingest = json!({ "points": 20_000_000, "cpu_s": 2.5, "p50_ms": 1.2, "p99_ms": 3.4 });
    json!({
        "machine": { "processor": "a processor", "cores": 2, "memory_gib": 24.0, "system": "Linux",
            "fdatasync_ms": 0.5, "rustc": "rustc 1.95.0", "commit": "0123456789ab", "date": "2026-11-27" },
        "profile": "release",
        "command": "cargo xtask bench historian --write",
        "missing": ["without InfluxDB (Debian: apt-get install influxdb)"],
        "set": { "tags": 2000, "moments": 10_000, "systems": {
            "weir": { "version": "Weir 0.1.0", "ingest": ingest, "bytes": 22_000_000, "settle_cpu_s": 5.0,
                "peak_rss_mb": 200, "calls": asked, "queries": asked },
            "duckdb": { "version": "DuckDB 2.0.1", "ingest": ingest, "bytes": 80_000_000, "settle_cpu_s": 4.0,
                "peak_rss_mb": 500, "queries": asked },
            "victoriametrics": { "ingest": ingest, "bytes": 20_000_000, "peak_rss_mb": 300, "queries": asked },
        }},
        "tracks": [{ "tags": 10_000, "systems": { "weir": { "ingest": ingest, "peak_rss_mb": 90 } } }],
        "recordings": [{ "name": "skab", "systems": { "weir": { "ingest": ingest, "bytes": 34_000_000 } } }],
        "growth": [{ "points": 10_000_000, "bytes": 12_000_000, "peak_rss_mb": 300, "cold_ms": 2.0,
            "warm": { "cpu_ms": 1.0, "wall_ms": 0.9 } }],
        "own": {},
    })
}

fn page() -> String {
    files(&results()).remove(0).1
}

#[test]
fn the_page_names_machine_command_and_what_is_missing() {
    let page = page();
    for expected in [
        "2026-11-27, commit 0123456789ab, profile release, rustc 1.95.0. 2 cores of a processor, 24 GiB",
        "`cargo xtask bench historian --write`",
        "Not measured: without InfluxDB",
        "DuckDB 2.0.1 | 8 M | 1.2 ms | 3.4 ms | 4 | 4 | 500 |",
        "| all tags by hour | 687 / 400 | 687 / 400 | 687 / 400 | 687 / 400 |",
        "| raw hour of one tag | 0.457 / 0.5 |",
        "within 1e-9, the worst here 3.0e-13",
        "| SKAB | 20 M | 1.7 |",
        "| 10 M | 1 ms | 0.9 ms | 2 ms | 1.2 | 300 |",
    ] {
        assert!(page.contains(expected), "{expected:?} is not in\n{page}");
    }
}

#[test]
fn every_plot_that_the_page_shows_is_written() {
    let (files, page) = (files(&results()), page());
    let shown: Vec<&str> =
        page.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let written: Vec<&str> = files.iter().skip(1).map(|(name, _)| name.as_str()).collect();
    assert_eq!(shown, written);
    assert!(files.iter().skip(1).all(|(_, svg)| svg.starts_with("<svg")));
}

#[test]
fn what_was_not_measured_leaves_no_trace() {
    let mut results = results();
    for name in ["tracks", "recordings", "growth"] {
        results[name] = json!([]);
    }
    let files = files(&results);
    assert!(!files[0].1.contains("history grows") && !files[0].1.contains("Recorded"));
    assert!(files.iter().all(|(name, _)| name != "historian-growth.svg"));
}

#[test]
fn a_row_has_as_many_cells_as_the_table() {
    let mut table = Table::new(&["a", "b", "c"]);
    table.row(vec!["one|two".into(), "3".into()]);
    assert_eq!(table.text(), "| a | b | c |\n| --- | ---: | ---: |\n| one\\|two | 3 |  |\n");
}
