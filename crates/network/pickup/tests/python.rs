//! CSV files of many kinds that Python's csv module wrote (`tests/interop/pickup/writer.py`), and the suite
//! that every driver passes, against PostgreSQL (`tests/interop/pickup/server.py`).

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use weir_connect::conformance::{Peer, run, tag};
use weir_connect::{Circumstances, DeviceSpec, Driver, Point, Settled, SystemClock};
use weir_model::{DataType, Value};
use weir_pickup::{CsvPickup, SqlPickup};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/interop/pickup").join(name)
}

fn spec(settings: &Json) -> DeviceSpec {
    let column = |name: &str, at: u64| {
        let has_header = settings["header"].as_bool().unwrap();
        if has_header { json!({"column": name}) } else { json!({"column": at}) }
    };
    let points = [(column("value", 2), DataType::F64), (column("note", 3), DataType::Text)];
    let point = |(i, (address, data_type)): (usize, (Json, DataType))| Point {
        tag: tag(1, i),
        id: format!("88.100/d1.p{i}").parse().unwrap(),
        name: format!("p{i}"),
        address,
        data_type,
        scaling: Vec::new(),
        write: None,
        poll_ms: None,
    };
    serde_json::from_value(json!({
        "tenant": 1, "device": "88.100/d1", "name": "bench", "protocol": "csv", "settings": settings,
        "points": points.into_iter().enumerate().map(point).collect::<Vec<_>>(), "enabled": true, "revision": 1,
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn files_of_each_kind_are_read_as_they_were_meant() {
    let Some(venv) = std::env::var_os("WEIR_VENV") else {
        panic!("run `cargo xtask test`: it makes the Python peers and sets WEIR_VENV");
    };
    let dir = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(dir.path()).unwrap();
    let output = Command::new(Path::new(&venv).join("bin/python"))
        .arg(script("writer.py"))
        .arg(&root)
        .arg("2026")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let driver = CsvPickup::new(vec![root.clone()], root.join("state"));
    let mut kinds = 0;
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let kind: Json = serde_json::from_str(line).unwrap();
        let settings = &kind["settings"];
        // Each device has its own file of how far it came; here all have one name.
        let _ = std::fs::remove_dir_all(root.join("state"));
        let circumstances = Circumstances::new(Arc::new(SystemClock));
        let mut session = driver.connect(Arc::new(spec(settings)), circumstances).await.unwrap();
        let (mut readings, mut looks) = (Vec::new(), 0);
        while looks < 2 {
            if looks == 1 && !readings.is_empty() {
                break;
            }
            session.due().await;
            let collected = session.collect().await.unwrap();
            looks += u32::from(collected.requests > 0 && collected.readings.is_empty());
            readings.extend(collected.readings);
            if let Some(receipt) = collected.receipt {
                receipt.settle(Settled::Stored);
            }
        }
        let mut expected = Vec::new();
        for row in kind["rows"].as_array().unwrap() {
            let time = row[0].as_i64().unwrap() * 1_000_000;
            if let Some(number) = row[1].as_f64() {
                expected.push((time, Value::F64(number)));
            }
            let note = row[2].as_str().unwrap().trim();
            if !note.is_empty() {
                expected.push((time, Value::text(note).unwrap()));
            }
        }
        let got: Vec<_> =
            readings.iter().map(|r| (r.time.nanos(), r.outcome.clone().unwrap())).collect();
        assert_eq!(got, expected, "{settings}");
        assert!(!session.peer().contains("bad"), "{settings}: {}", session.peer());
        kinds += 1;
    }
    assert!(kinds > 150, "{kinds} kinds");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL (apt-get install postgresql) and the Python peers: cargo xtask test"]
async fn postgres_passes_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    // The server runs as another user.
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let driver = Arc::new(SqlPickup::new(dir.path().join("state")));
    let mut peer = Peer::start("pickup/server.py", &["--folder", dir.path().to_str().unwrap()]);
    let ran = run(driver, &mut peer).await;
    let expected = [
        "describe",
        "test",
        "unreachable",
        "browse",
        "subscribe",
        "killed and restarted",
        "store and forward",
        "silent",
        "lies",
        "flood",
        "one of many",
    ];
    assert_eq!(ran, expected);
}
