//! The lake in an S3 server that others wrote, read by delta-rs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use weir_it::{Api, Peer, Weir};

/// How long a round of the lake may take.
const ROUND_MAX: Duration = Duration::from_secs(60);

const URL: &str = "s3://lake/plant";

/// The store and the reader.
struct Store {
    peer: Peer,
    endpoint: String,
}

impl Store {
    fn start() -> Self {
        let mut peer = Peer::start("lake/peer.py", &[]).unwrap();
        let endpoint = peer.line().unwrap()["endpoint"].as_str().unwrap().to_owned();
        Self { peer, endpoint }
    }

    fn read(&mut self) -> Json {
        self.peer.ask(&json!({ "read": URL })).unwrap()
    }
}

fn serve(dir: &Path, settings: &str) -> Weir {
    Weir::serve_set(dir, "127.0.0.1:0", settings, &[]).unwrap()
}

fn settings(endpoint: &str, grade: &str) -> String {
    format!(
        "[lake]\nurl = \"{URL}\"\norganisations = [\"*\"]\ngrade = \"{grade}\"\nendpoint = \"{endpoint}\"\n\
         access_key = \"weir\"\nsecret_key = \"a secret of the lake\"\nevery_min = 1\n"
    )
}

/// Writes a sample of every tag for some seconds from one on.
fn write(api: &Api, from: u32, count: u32, add: f64) {
    let samples: Vec<Json> = (from..from + count)
        .flat_map(|second| {
            let time = format!("2026-01-02T00:{:02}:{:02}.123456789Z", second / 60, second % 60);
            [
                json!({"tag": "local/real", "time": time, "value": f64::from(second) / 10.0 + add}),
                json!({"tag": "local/whole", "time": time, "value": second}),
            ]
        })
        .collect();
    api.post("/api/v1/samples", &json!({ "samples": samples })).unwrap();
}

/// Waits until the lake has what was in files when the node started.
fn followed(api: &Api) -> Json {
    let until = Instant::now() + ROUND_MAX;
    loop {
        let status = api.fetch("/api/v1/lake").unwrap();
        if status["as_of"].is_string() {
            return status;
        }
        assert!(Instant::now() < until, "{status}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the node itself answers: tag, value as text, in order of tag and time.
fn answers(api: &Api) -> Vec<Json> {
    let sql = "SELECT value FROM samples ORDER BY tag, time";
    let answer = api.post("/api/v1/query", &json!({ "sql": sql })).unwrap();
    answer["rows"].as_array().unwrap().iter().map(|row| row[0].clone()).collect()
}

fn same(table: &Json, answers: &[Json]) {
    let rows = table["rows"].as_array().unwrap_or_else(|| panic!("{table}"));
    let values: Vec<f64> = rows.iter().map(|row| row[2].as_f64().unwrap()).collect();
    let answers: Vec<f64> = answers.iter().map(|value| value.as_f64().unwrap()).collect();
    assert_eq!(values, answers);
    assert!(rows.iter().all(|row| row[1].as_i64().unwrap() % 1_000_000_000 == 123_456_789));
}

#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn another_engine_reads_what_the_node_answers() {
    let mut store = Store::start();
    let dir = tempfile::tempdir().unwrap();
    let weir = serve(dir.path(), "");
    let token = weir.token(&[]).unwrap();
    let admin = weir.api().with_token(&token);
    for (id, kind) in [("local/real", "f64"), ("local/whole", "i64")] {
        let tag = json!({"id": id, "name": id, "data_type": kind, "grade": "general"});
        admin.post("/api/v1/tags", &tag).unwrap();
    }
    write(&admin, 0, 600, 0.0);
    weir.stop().unwrap();

    // What is of a higher grade does not leave.
    let weir = serve(dir.path(), &settings(&store.endpoint, "public"));
    let admin = weir.api().with_token(&token);
    let until = Instant::now() + ROUND_MAX;
    while admin.fetch("/api/v1/lake").unwrap()["error"].is_null() {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(weir.api().fetch("/readyz").unwrap()["status"], "ready");
    weir.stop().unwrap();

    // Everything, then late samples that replace some of it, and a kill amid a round.
    let lake = settings(&store.endpoint, "general");
    let weir = serve(dir.path(), &lake);
    let admin = weir.api().with_token(&token);
    let status = followed(&admin);
    assert!(!status.to_string().contains("a secret of the lake"));
    let table = store.read();
    assert_eq!(table["rows"].as_array().map(Vec::len), Some(1200), "{table}");
    same(&table, &answers(&admin));
    write(&admin, 300, 600, 0.5);
    weir.stop().unwrap();
    for _ in 0..4 {
        // Killed wherever it is, which no version of the table shows.
        serve(dir.path(), &lake).kill();
        let table = store.read();
        assert!(matches!(table["rows"].as_array().map(Vec::len), Some(1200 | 1800)), "{table}");
    }
    let weir = serve(dir.path(), &lake);
    let admin = weir.api().with_token(&token);
    followed(&admin);
    let table = store.read();
    assert_eq!(table["rows"].as_array().map(Vec::len), Some(1800), "{table}");
    same(&table, &answers(&admin));
    weir.stop().unwrap();
}
