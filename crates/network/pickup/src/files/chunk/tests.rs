use super::*;

use std::path::PathBuf;
use std::sync::Arc;

use encoding_rs::GB18030;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use weir_model::{DataType, Value};

use crate::files::settings::Settings;
use crate::table::PointAddress;

struct Folder {
    dir: tempfile::TempDir,
}

const NOW: &str = "2026-11-26T06:30:00Z";

impl Folder {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn write(&self, bytes: &[u8]) {
        std::fs::write(self.dir.path().join("a.csv"), bytes).unwrap();
    }

    fn plan(&self, settings: Json, points: &[(Json, DataType)]) -> Plan {
        let mut all = json!({"folder": self.dir.path().to_str().unwrap(), "time_column": "time"});
        for (key, value) in settings.as_object().unwrap() {
            all[key] = value.clone();
        }
        let address =
            |(json, _): &(Json, DataType)| PointAddress::parse(json, "", &mut Vec::new()).unwrap();
        Plan {
            settings: Settings::parse(&all).unwrap(),
            allowed: Arc::new(vec![PathBuf::from(self.dir.path())]),
            addresses: points.iter().map(address).collect(),
            types: points.iter().map(|(_, to)| *to).collect(),
        }
    }
}

fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

/// Everything in a file, piece by piece.
fn all(plan: &Plan) -> (Vec<Reading>, Bad) {
    let mut place = Place::default();
    let (mut readings, mut bad) = (Vec::new(), Bad::default());
    loop {
        let chunk = read(plan, "a.csv", &place, now()).unwrap();
        readings.extend(chunk.late);
        readings.extend(chunk.live);
        bad.count += chunk.bad.count;
        bad.told.extend(chunk.bad.told);
        place = chunk.next;
        if chunk.is_end {
            return (readings, bad);
        }
    }
}

fn value() -> Vec<(Json, DataType)> {
    vec![(json!({"column": "value"}), DataType::F64)]
}

#[test]
fn reads_each_encoding() {
    let folder = Folder::new();
    let text = "time,设备,value\r\n2026-11-26 14:29:30,\"主轴, 左\",1.5\r\n";
    let points =
        [(json!({"column": "设备"}), DataType::Text), (json!({"column": 3}), DataType::F64)];
    let utf16 = |is_big: bool| {
        let mark = if is_big { [0xFE, 0xFF] } else { [0xFF, 0xFE] };
        let units = text.encode_utf16();
        let bytes = units.flat_map(|u| if is_big { u.to_be_bytes() } else { u.to_le_bytes() });
        mark.into_iter().chain(bytes).collect::<Vec<_>>()
    };
    let files = [
        ("utf-8", text.as_bytes().to_vec()),
        ("gbk", GB18030.encode(text).0.into_owned()),
        ("utf-16", utf16(false)),
        ("utf-16", utf16(false)[2..].to_vec()),
        ("utf-8", utf16(true)),
        ("gbk", format!("\u{feff}{text}").into_bytes()),
    ];
    for (encoding, bytes) in files {
        folder.write(&bytes);
        let settings = json!({"encoding": encoding, "time_zone": "Asia/Shanghai"});
        let (readings, bad) = all(&folder.plan(settings, &points));
        assert_eq!(bad, Bad::default(), "{encoding}");
        let time = Timestamp::parse("2026-11-26T06:29:30Z").unwrap();
        let expected = [
            Reading::good(0, time, Value::text("主轴, 左").unwrap()),
            Reading::good(1, time, Value::F64(1.5)),
        ];
        assert_eq!(readings, expected, "{encoding}");
    }
}

#[test]
fn bad_rows_are_counted_and_cost_no_other() {
    let folder = Folder::new();
    let mut text = b"a machine of 1998\ntime;value;other\n".to_vec();
    text.extend(b"26.11.2026 06:29:50;1,5;x\n");
    text.extend(b"yesterday;1,5;x\n");
    text.extend(b"26.11.2026 06:29:51\n");
    text.extend(b"\n");
    text.extend(b"26.11.2026 06:29:52;1.5;x\n");
    text.extend(b"26.11.2027 06:29:53;1,5;x\n");
    text.extend(b"26.11.2026 06:29:54;\xff;x\n");
    text.extend(b"26.11.2026 06:29:55;;x\n");
    text.extend(b"26.11.2026 06:29:56;2,5;x");
    folder.write(&text);
    let settings = json!({
        "separator": "semicolon", "decimal": "comma", "time_format": "%d.%m.%Y %H:%M:%S", "skip_lines": 1,
    });
    let (readings, bad) = all(&folder.plan(settings, &value()));
    let values: Vec<_> = readings.iter().map(|r| r.outcome.clone().ok()).collect();
    assert_eq!(values, [Some(Value::F64(1.5)), None, Some(Value::F64(2.5))]);
    assert_eq!(bad.count, 5);
    let expected = [
        "a.csv line 4: \"yesterday\" is not a time as %d.%m.%Y %H:%M:%S",
        "a.csv line 5: it has only 1 columns",
        "a.csv line 7: column 2: \"1.5\" is not of type f64",
        "a.csv line 8: its time 2027-11-26T06:29:53Z lies in the future; is the time zone right?",
        "a.csv line 9: it is not UTF-8",
    ];
    assert_eq!(bad.told, expected);
}

#[test]
fn long_tables_and_missing_columns() {
    let folder = Folder::new();
    folder.write(b"time,sensor,value\n2026-11-26T06:29:50Z,T1,1\n2026-11-26T06:00:00Z,T2,2\n2026-11-26T06:29:51Z,T3,3\n");
    let points = [
        (json!({"column": "value", "where": {"sensor": "T2"}}), DataType::F64),
        (json!({"column": "value", "where": {"sensor": "T1"}}), DataType::I64),
        (json!({"column": "pressure"}), DataType::F64),
    ];
    let chunk = read(&folder.plan(json!({}), &points), "a.csv", &Place::default(), now()).unwrap();
    assert_eq!(chunk.late.len(), 1);
    assert_eq!(chunk.late[0].point, 0);
    assert_eq!(chunk.live[0].outcome, Ok(Value::I64(1)));
    assert_eq!(chunk.missing, [(2, Column::Name("pressure".into()))]);
    let plan = folder.plan(json!({"time_column": "when"}), &value());
    let chunk = read(&plan, "a.csv", &Place::default(), now()).unwrap();
    assert_eq!(chunk.bad.told, ["a.csv: its header has no column when"]);
    assert_eq!(chunk.next.offset, chunk.found.size, "and is not read for ever");
}

#[test]
fn followed_files_grow_rotate_and_are_cut() {
    let folder = Folder::new();
    let plan = folder.plan(json!({"mode": "follow"}), &value());
    let mut place = Place::default();
    let mut step = |text: &str| {
        folder.write(text.as_bytes());
        let chunk = read(&plan, "a.csv", &place, now()).unwrap();
        place = chunk.next.clone();
        let values = chunk.live.iter().filter_map(|r| r.outcome.as_ref().ok()?.as_f64());
        (values.collect::<Vec<_>>(), chunk.is_anew, place.line)
    };
    let row = |n: u32| format!("2026-11-26T06:29:{n:02}Z,{n}\n");
    assert_eq!(step("time,va"), (vec![], false, 0), "not even the header is whole");
    let one = format!("time,value\n{}", row(1));
    assert_eq!(step(&one), (vec![1.0], false, 2));
    assert_eq!(step(&format!("{one}2026-11-26T06:29:02Z,")), (vec![], false, 2));
    assert_eq!(step(&format!("{one}{}{}", row(2), row(3))), (vec![2.0, 3.0], false, 4));
    // Another file under the same name, shorter, and then one that is longer at once.
    assert_eq!(step(&format!("time,value\n{}", row(7))), (vec![7.0], true, 2));
    let longer = format!("time,value\n{}{}{}", row(8), row(9), row(10));
    assert_eq!(step(&longer), (vec![8.0, 9.0, 10.0], true, 4));
}

#[test]
fn pieces_are_bounded_and_go_on_where_they_ended() {
    let folder = Folder::new();
    let rows: String = (0..12_000).map(|n| format!("{},{n}\n", 1_795_674_000 + n / 100)).collect();
    folder.write(format!("time,value\n{rows}").as_bytes());
    let plan = folder.plan(json!({"time_format": "epoch_s"}), &value());
    let chunk = read(&plan, "a.csv", &Place::default(), now()).unwrap();
    assert_eq!(chunk.late.len(), READINGS_MAX);
    assert!(!chunk.is_end);
    let (readings, bad) = all(&plan);
    let numbers: Vec<_> =
        readings.iter().map(|r| r.outcome.as_ref().unwrap().as_f64().unwrap()).collect();
    assert_eq!(numbers, (0..12_000).map(f64::from).collect::<Vec<_>>());
    assert_eq!(bad.count, 0);
    // A line without an end costs itself.
    let long = "x".repeat(3 * RECORD_BYTES_MAX);
    folder.write(format!("time,value\n{long}\n1795674000,7\n").as_bytes());
    let (readings, bad) = all(&plan);
    assert_eq!((readings.len(), bad.count), (1, 1));
    assert!(bad.told[0].starts_with("a.csv line 2: a line of more than"), "{bad:?}");
}

#[test]
fn the_tail_has_the_newest_row() {
    let folder = Folder::new();
    let rows: String = (0..60_000).map(|n| format!("{},{n}\n", 1_795_600_000 + n)).collect();
    folder.write(format!("time,value\n{rows}").as_bytes());
    let plan = folder.plan(json!({"time_format": "epoch_s"}), &value());
    let (chunk, last) = tail(&plan, "a.csv", now()).unwrap();
    let newest = chunk.late.last().unwrap();
    assert_eq!(newest.outcome, Ok(Value::F64(59_999.0)));
    assert!(chunk.late.len() < 60_000 && chunk.bad.count == 0);
    assert_eq!(last, Some(vec!["1795659999".to_owned(), "59999".to_owned()]));
    assert_eq!(header(&plan, "a.csv").unwrap().unwrap(), ["time", "value"]);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let (folder, other) = (Folder::new(), tempfile::tempdir().unwrap());
    std::fs::write(other.path().join("secret.csv"), b"time,value\n").unwrap();
    std::os::unix::fs::symlink(other.path().join("secret.csv"), folder.dir.path().join("a.csv"))
        .unwrap();
    let plan = folder.plan(json!({}), &value());
    assert!(read(&plan, "a.csv", &Place::default(), now()).is_err());
    assert_eq!(crate::files::folder::scan(&plan).unwrap(), []);
    // A folder that is a link to one outside is refused too, and told as what it is.
    let link = folder.dir.path().join("in");
    std::os::unix::fs::symlink(other.path(), &link).unwrap();
    let mut plan = folder.plan(json!({}), &value());
    plan.settings.folder = link;
    let (_, cause) = crate::files::folder::scan(&plan).unwrap_err();
    assert!(cause.contains("is in truth") && cause.contains("connect.pickup_dirs"), "{cause}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..400), encoding in 0usize..3, mode in 0usize..2, header in any::<bool>()) {
        let folder = Folder::new();
        folder.write(&bytes);
        let encoding = ["utf-8", "gbk", "utf-16"][encoding];
        let mode = ["whole", "follow"][mode];
        let settings = json!({
            "encoding": encoding, "mode": mode, "header": header, "time_column": 1, "time_format": "epoch_s",
        });
        let points = [(json!({"column": 1}), DataType::F64), (json!({"column": 2}), DataType::Text)];
        let plan = folder.plan(settings, &points);
        let _ = all(&plan);
        let _ = tail(&plan, "a.csv", now());
        let _ = header_of(&plan);
    }
}

fn header_of(plan: &Plan) -> Option<Vec<String>> {
    super::header(plan, "a.csv").unwrap()
}
