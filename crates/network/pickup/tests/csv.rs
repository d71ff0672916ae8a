//! Folders of CSV files under supervision, with a sink that remembers.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use weir_connect::conformance::{Bench, TENANT, device_id, tag};
use weir_connect::{
    Circumstances, Clock, DeviceSpec, Driver, ErrorKind, Point, Session, Settled, State,
    SystemClock,
};
use weir_model::{DataType, Quality, Timestamp, Value};
use weir_pickup::CsvPickup;

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn driver(&self) -> Arc<dyn Driver> {
        let root = fs::canonicalize(self.dir.path()).unwrap();
        Arc::new(CsvPickup::new(vec![root], self.path("state")))
    }

    fn bench(&self) -> Bench {
        Bench::new(vec![self.driver()])
    }

    fn write(&self, name: &str, text: &str) {
        // Renamed into its place, as a careful writer does.
        let half = self.path("half");
        fs::write(&half, text).unwrap();
        fs::rename(half, self.path(name)).unwrap();
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn spec(&self, settings: Json, points: &[(Json, DataType)]) -> DeviceSpec {
        let root = fs::canonicalize(self.dir.path()).unwrap();
        let folder = root.join("in");
        let mut all = json!({
            "folder": folder.to_str().unwrap(), "time_column": "time", "poll_s": 1, "stable_s": 0,
        });
        for (key, value) in settings.as_object().unwrap() {
            all[key] = value.clone();
        }
        let point = |(i, (address, data_type)): (usize, &(Json, DataType))| Point {
            tag: tag(1, i),
            id: format!("88.100/d1.p{i}").parse().unwrap(),
            name: format!("p{i}"),
            address: address.clone(),
            data_type: *data_type,
            scaling: Vec::new(),
            write: None,
            poll_ms: None,
        };
        DeviceSpec {
            tenant: TENANT,
            device: device_id(1),
            name: "bench 1".to_owned(),
            protocol: "csv".to_owned(),
            settings: all,
            points: points.iter().enumerate().map(point).collect(),
            enabled: true,
            revision: 1,
        }
    }

    async fn session(&self, spec: &DeviceSpec) -> Box<dyn Session> {
        let circumstances = Circumstances::new(Arc::new(SystemClock));
        self.driver().connect(Arc::new(spec.clone()), circumstances).await.unwrap()
    }
}

fn value() -> Vec<(Json, DataType)> {
    vec![(json!({"column": "value"}), DataType::F64)]
}

fn ago(seconds: i64) -> Timestamp {
    SystemClock.now().saturating_add(-seconds * 1_000_000_000)
}

/// Collects until a number of readings has come, and says of each piece what became of it.
async fn collect(session: &mut dyn Session, wanted: usize, settled: Settled) -> Vec<f64> {
    let mut numbers = Vec::new();
    let collecting = async {
        while numbers.len() < wanted {
            session.due().await;
            let collected = session.collect().await.unwrap();
            numbers.extend(
                collected.readings.iter().filter_map(|r| r.outcome.as_ref().ok()?.as_f64()),
            );
            if let Some(receipt) = collected.receipt {
                receipt.settle(settled);
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), collecting).await.unwrap();
    numbers
}

/// Collects until what was handed over is dealt with and nothing more is there.
async fn settle(session: &mut dyn Session) {
    loop {
        session.due().await;
        let collected = session.collect().await.unwrap();
        assert_eq!(collected.readings, []);
        // Looking at the folder is one request, and then there was nothing left.
        if collected.requests == 1 {
            return;
        }
    }
}

#[test]
fn describes_itself_and_names_what_is_not_allowed() {
    let place = Place::new();
    let driver = place.driver();
    for part in ["settings", "address"] {
        let properties = driver.describe()[part]["properties"].as_object().unwrap().clone();
        for (name, field) in properties {
            for text in ["x-title", "x-description"] {
                assert!(field[text]["zh-CN"].is_string(), "{name}");
            }
        }
    }
    let good = place.spec(json!({}), &value());
    assert_eq!(driver.check(&good), Ok(()));
    let outside = place.spec(json!({"folder": "/etc"}), &value());
    let errors = driver.check(&outside).unwrap_err();
    assert_eq!(errors[0].field, "/settings/folder");
    assert!(errors[0].detail.contains("connect.pickup_dirs"), "{errors:?}");
    let done = place.spec(json!({"after": "move", "done_folder": "/tmp/../etc"}), &value());
    assert_eq!(driver.check(&done).unwrap_err()[0].field, "/settings/done_folder");
    let closed = CsvPickup::new(Vec::new(), place.path("state"));
    assert_eq!(closed.check(&good).unwrap_err()[0].field, "/settings/folder");
    let nameless = place.spec(json!({"header": false, "time_column": 1}), &value());
    assert_eq!(driver.check(&nameless).unwrap_err()[0].field, "/points/0/address");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_once_and_moved_away() {
    let (place, now) = (Place::new(), ago(5));
    let bench = place.bench();
    let done = fs::canonicalize(place.dir.path()).unwrap().join("done");
    let settings = json!({"after": "move", "done_folder": done.to_str().unwrap()});
    place.write("in/1.csv", &format!("time,value,state\n{now},1.5,on\n{},2.5,off\n", ago(7200)));
    place.write("in/notes.txt", "not a table");
    let points = [
        (json!({"column": "value"}), DataType::F64),
        (json!({"column": "state"}), DataType::Bool),
        (json!({"column": "pressure"}), DataType::F64),
    ];
    bench.apply(place.spec(settings, &points)).await;
    bench.until("the value", |b| b.value(1, 0) == Some(json!(1.5))).await;
    bench.until("the old one", |b| b.backfilled(1, 0).len() == 1).await;
    bench.until("the state", |b| b.value(1, 1) == Some(json!(true))).await;
    assert_eq!(bench.last(1, 0).map(|s| s.time), Some(now));
    bench.until("told", |b| b.status(1).state == State::Degraded).await;
    assert_eq!(bench.last(1, 2).map(|s| s.quality), Some(Quality::CONFIGURATION_ERROR));
    assert!(bench.reason(1).contains("1.csv has no column pressure"), "{}", bench.reason(1));
    bench.until("moved", |_| place.path("done/1.csv").exists()).await;
    assert!(!place.path("in/1.csv").exists());
    // Another one of the same name is another one.
    place.write("in/1.csv", &format!("time,value,state\n{},3.5,on\n", ago(3)));
    bench.until("the next", |b| b.value(1, 0) == Some(json!(3.5))).await;
    bench.until("moved too", |_| place.path("done/1.csv.1").exists()).await;
    assert!(place.path("in/notes.txt").exists());
    let report = bench.supervisor.test(&place.spec(json!({}), &points)).await.unwrap();
    assert!(report.values[0].error.as_ref().unwrap().contains("no row"), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_line_by_line() {
    let place = Place::new();
    let bench = place.bench();
    place.append("in/log.csv", "time,value\n");
    bench.apply(place.spec(json!({"mode": "follow"}), &value())).await;
    bench.until_state(1, State::Online).await;
    for n in 0..3 {
        place.append("in/log.csv", &format!("{},{n}\n", ago(2)));
        bench.until("the line", |b| b.value(1, 0) == Some(json!(f64::from(n)))).await;
    }
    // Half a line is none yet.
    place.append("in/log.csv", &format!("{},7", ago(1)));
    let polls = bench.status(1).counters.reads;
    bench.until("two looks", |b| b.status(1).counters.reads >= polls + 3).await;
    assert_eq!(bench.value(1, 0), Some(json!(2.0)));
    place.append("in/log.csv", ".25\nyesterday,8\n");
    bench.until("the whole line", |b| b.value(1, 0) == Some(json!(7.25))).await;
    // Rotated: the name is of another file now.
    fs::rename(place.path("in/log.csv"), place.path("in/log.1")).unwrap();
    place.append("in/log.csv", &format!("time,value\n{},9\n", ago(0)));
    bench.until("the new log", |b| b.value(1, 0) == Some(json!(9.0))).await;
    assert_eq!(bench.samples(1, 0).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_passed_over_before_it_is_stored() {
    let place = Place::new();
    let spec = place.spec(json!({"time_format": "epoch_s", "after": "delete"}), &value());
    let rows: String = (0..5000).map(|n| format!("{},{n}\n", 1_795_000_000 + n)).collect();
    place.write("in/a.csv", &format!("time,value\n{rows}"));
    let mut session = place.session(&spec).await;
    // Dropped: the same rows come again.
    assert_eq!(collect(&mut *session, 2000, Settled::Dropped).await.len(), 2000);
    let again = collect(&mut *session, 2000, Settled::Stored).await;
    assert_eq!((again[0], again.len()), (0.0, 2000));
    let next = collect(&mut *session, 2000, Settled::Stored).await;
    assert_eq!(next[0], 2000.0);
    // Killed with a receipt that never came: what was handed over last comes again, and no more.
    session.due().await;
    session.collect().await.unwrap();
    drop(session);
    let mut session = place.session(&spec).await;
    let again = collect(&mut *session, 1000, Settled::Stored).await;
    assert!([0.0, 2000.0, 4000.0].contains(&again[0]), "{}", again[0]);
    let rest = 5000 - again[0] as usize - again.len();
    if rest > 0 {
        collect(&mut *session, rest, Settled::Stored).await;
    }
    settle(&mut *session).await;
    assert!(!place.path("in/a.csv").exists(), "it is deleted once all of it is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    let place = Place::new();
    let spec = place.spec(json!({}), &value());
    place.write("in/a.csv", &format!("time,value\n{},1\n{},2\n", ago(9), ago(8)));
    let mut session = place.session(&spec).await;
    assert_eq!(collect(&mut *session, 2, Settled::Stored).await, [1.0, 2.0]);
    settle(&mut *session).await;
    drop(session);
    place.write("in/b.csv", &format!("time,value\n{},3\n", ago(7)));
    let mut session = place.session(&spec).await;
    assert_eq!(collect(&mut *session, 1, Settled::Stored).await, [3.0]);
    settle(&mut *session).await;
    // One that is refused for ever does not hold up the others.
    place.write("in/c.csv", &format!("time,value\n{},4\n", ago(6)));
    assert_eq!(collect(&mut *session, 1, Settled::Refused).await, [4.0]);
    settle(&mut *session).await;
    drop(session);
    // A file that is written again is read again.
    place.write("in/a.csv", &format!("time,value\n{},5\n", ago(5)));
    let mut session = place.session(&spec).await;
    assert_eq!(collect(&mut *session, 1, Settled::Stored).await, [5.0]);
    settle(&mut *session).await;
    // What was kept and cannot be understood is as good as nothing, and costs only reading anew.
    drop(session);
    let state = fs::read_dir(place.path("state")).unwrap().next().unwrap().unwrap().path();
    fs::write(state, b"{\"version\":").unwrap();
    let mut session = place.session(&spec).await;
    let mut all = collect(&mut *session, 3, Settled::Stored).await;
    all.sort_by(f64::total_cmp);
    assert_eq!(all, [3.0, 4.0, 5.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_still_written_is_left_alone() {
    let place = Place::new();
    let spec = place.spec(json!({"stable_s": 1}), &value());
    let mut session = place.session(&spec).await;
    place.append("in/a.csv", &format!("time,value\n{},1\n", ago(1)));
    session.due().await;
    let first = session.collect().await.unwrap();
    assert_eq!((first.requests, first.readings.len()), (1, 0), "seen, and not read");
    place.append("in/a.csv", &format!("{},2\n", ago(1)));
    assert_eq!(collect(&mut *session, 2, Settled::Stored).await, [1.0, 2.0]);
    settle(&mut *session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_gone_is_told_and_found_again() {
    let place = Place::new();
    let bench = place.bench();
    let spec = place.spec(json!({}), &value());
    fs::remove_dir(place.path("in")).unwrap();
    bench.apply(spec.clone()).await;
    bench.until_state(1, State::BackingOff).await;
    assert!(bench.reason(1).contains("is it there"), "{}", bench.reason(1));
    fs::create_dir(place.path("in")).unwrap();
    place.write("in/a.csv", &format!("time,value\n{},1\n", ago(1)));
    bench.until("the value", |b| b.value(1, 0) == Some(json!(1.0))).await;
    let error = bench.write(1, 0, Value::F64(1.0)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotWritable);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_discovered_and_columns_browsed() {
    let place = Place::new();
    place.write("in/a.csv", "time,温度,state\n2026-01-01 00:00:00,21.5,on\n");
    let driver = place.driver();
    let found = driver.discover(&json!({})).await.unwrap();
    assert!(found[0].name.ends_with("/in"), "{found:?}");
    assert_eq!(found[0].detail, "1 files match *.csv");
    let page = driver.browse(&found[0].settings, None).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["time", "温度", "state"]);
    assert_eq!(page.items[1].address, Some(json!({"column": "温度"})));
    assert_eq!(page.items[1].value, Some(Value::F64(21.5)));
    let closed = CsvPickup::new(Vec::new(), place.path("state"));
    let error = closed.discover(&json!({})).await.unwrap_err();
    assert!(error.to_string().contains("connect.pickup_dirs"), "{error}");
}
