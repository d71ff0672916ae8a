//! What is read, and how it is written.

use datafusion::arrow::ipc::reader::StreamReader;
use serde_json::json;

use super::*;

#[test]
fn the_columns_of_samples_are_those_that_are_documented() {
    let answer = json(Plant::small(), "SELECT * FROM samples WHERE tag = '88.100/t' ORDER BY time");
    assert_eq!(
        answer["columns"],
        json!([
            {"name": "tag", "type": "text"},
            {"name": "time", "type": "time"},
            {"name": "value", "type": "f64"},
            {"name": "quality", "type": "text"},
            {"name": "text", "type": "text"},
            {"name": "quality_code", "type": "u64"},
        ])
    );
    let rows = &answer["rows"];
    assert_eq!(rows[0], json!(["88.100/t", "2026-11-23T08:00:00Z", 20.0, "good", null, 0]));
    assert_eq!(
        rows[1],
        json!(["88.100/t", "2026-11-23T08:00:01Z", null, "bad", null, 0x800A_0000_u32])
    );
    assert_eq!(rows.as_array().unwrap().len(), 5);
}

#[test]
fn values_that_are_no_numbers_are_texts() {
    let texts = "SELECT value, text FROM samples WHERE tag = '88.100/state' ORDER BY time";
    assert_eq!(rows(texts), json!([[null, "off"], [null, "on, loud"], [null, ""]]));
    let big = "SELECT value, text FROM samples WHERE tag = '88.100/big' ORDER BY time";
    assert_eq!(rows(big), json!([[9007199254740992.0, "9007199254740993"], [-7.0, null]]));
    let array: Value = [Value::I64(1), Value::Text("a".into())].into_iter().collect();
    let plant = Plant::default().with("x", "", vec![Some(array)]);
    assert_eq!(
        json(plant, "SELECT value, text FROM samples")["rows"],
        json!([[null, "[1,\"a\"]"]])
    );
}

#[test]
fn only_the_tags_and_times_that_are_asked_for_are_read() {
    let asked = [
        ("tag = '88.100/p'", 10),
        ("'88.100/p' = tag AND time >= '2026-11-23T08:00:08Z'", 2),
        ("tag IN ('88.100/p', '88.100/t') AND time < timestamp '2026-11-23T08:00:01Z'", 2),
        ("tag = '88.100/p' AND time BETWEEN '2026-11-23T08:00:02Z' AND '2026-11-23T08:00:04Z'", 3),
        ("tag = '88.100/p' AND time = '2026-11-23T08:00:02Z'", 1),
        ("(tag = '88.100/p' OR tag = '88.100/t') AND time > '2026-11-23T08:00:03Z'", 7),
        ("tag = '88.100/p' AND tag = '88.100/t'", 0),
        ("tag IN ('a','b','c','d','e','88.100/big')", 2),
    ];
    for (condition, count) in asked {
        let plant = Plant::small();
        let read = Arc::clone(&plant.samples_read);
        let answer = json(plant, &format!("SELECT count(*) FROM samples WHERE {condition}"));
        assert_eq!(answer["rows"], json!([[count]]), "{condition}");
        assert_eq!(read.load(Ordering::Relaxed), count, "{condition}");
    }
}

#[test]
fn conditions_that_are_not_understood_hold_all_the_same() {
    let asked = [
        ("value > 7", 5),
        ("value > 7 AND tag = '88.100/p'", 2),
        ("tag = '88.100/p' OR value = 26", 11),
        ("tag LIKE '88.100/p%'", 10),
        ("tag <> '88.100/p'", 10),
        ("NOT (tag = '88.100/p')", 10),
        ("tag NOT IN ('88.100/p', '88.100/t')", 5),
        ("quality = 'bad'", 3),
        ("tag = '88.100/P'", 0),
        ("time > now()", 0),
    ];
    for (condition, count) in asked {
        let answer = rows(&format!("SELECT count(*) FROM samples WHERE {condition}"));
        assert_eq!(answer, json!([[count]]), "{condition}");
    }
}

#[test]
fn a_join_with_tags_reads_only_the_tags_that_it_lets_through() {
    for join in ["samples s JOIN tags t ON t.id = s.tag", "tags t JOIN samples s ON t.id = s.tag"] {
        let plant = Plant::small();
        let (samples, tags) = (Arc::clone(&plant.samples_read), Arc::clone(&plant.tags_read));
        let sql =
            format!("SELECT t.name, avg(s.value) FROM {join} WHERE t.unit = 'kPa' GROUP BY t.name");
        assert_eq!(json(plant, &sql)["rows"], json!([["name of 88.100/p", 4.5]]));
        assert_eq!(tags.load(Ordering::Relaxed), 1, "{join}");
        assert_eq!(samples.load(Ordering::Relaxed), 10, "{join}");
    }
}

#[test]
fn a_limit_ends_the_reading() {
    let plant = Plant::large(10, 1000);
    let read = Arc::clone(&plant.samples_read);
    let answer = json(plant, "SELECT tag FROM samples LIMIT 150");
    assert_eq!(answer["rows"].as_array().unwrap().len(), 150);
    assert!(read.load(Ordering::Relaxed) <= 400, "{read:?}");
}

#[test]
fn rows_come_by_tag_and_time_without_sorting() {
    let plan = |sql: &str| rows(&format!("EXPLAIN {sql}")).to_string();
    assert!(!plan("SELECT tag, time FROM samples ORDER BY tag, time").contains("SortExec"));
    let one = "SELECT time, value FROM samples WHERE tag = '88.100/p' ORDER BY time";
    assert!(!plan(one).contains("SortExec"), "{}", plan(one));
    assert!(plan("SELECT time FROM samples ORDER BY time").contains("SortExec"));
}

#[test]
fn tags_and_assets_are_tables() {
    let sql = "SELECT t.id, t.unit, a.name FROM tags t LEFT JOIN assets a ON a.id = t.asset \
               WHERE t.id IN ('88.100/t', '88.100/p') ORDER BY t.id";
    assert_eq!(rows(sql), json!([["88.100/p", "kPa", "Reactor"], ["88.100/t", "Cel", "Reactor"]]));
    assert_eq!(rows("SELECT count(*) FROM tags"), json!([[4]]));
    let shown = rows("SHOW TABLES").to_string();
    assert!(["samples", "tags", "assets"].iter().all(|table| shown.contains(table)), "{shown}");
    assert!(rows("DESCRIBE samples").to_string().contains("quality_code"));
}

#[test]
fn an_answer_is_written_as_json() {
    let sql = "SELECT 1 AS whole, 9007199254740993 AS big, 1.5 AS half, true AS yes, 'a\"b' AS text, \
               null AS nothing, 'nan'::double AS nan, timestamp '2026-01-02T03:04:05.5' AS at, \
               interval '1 day' AS day";
    let answer = json(Plant::small(), sql);
    let row = &answer["rows"][0];
    let expected =
        json!([1, "9007199254740993", 1.5, true, "a\"b", null, null, "2026-01-02T03:04:05.5Z"]);
    assert_eq!(row.as_array().unwrap()[..8], expected.as_array().unwrap()[..]);
    assert_eq!(answer["columns"][7], json!({"name": "at", "type": "time"}));
    let empty = json(Plant::small(), "SELECT tag FROM samples WHERE tag = 'none'");
    assert_eq!(empty, json!({"columns": [{"name": "tag", "type": "text"}], "rows": []}));
}

#[test]
fn an_answer_is_written_as_csv() {
    let sql =
        "SELECT text AS \"a,b\", value, time FROM samples WHERE tag = '88.100/state' ORDER BY time";
    let bytes = ask_with(limits(), Plant::small(), sql, Format::Csv).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "\"a,b\",value,time\noff,,2026-11-23T08:00:00Z\n\"on, loud\",,2026-11-23T08:00:01Z\n\"\",,2026-11-23T08:00:02Z\n"
    );
}

#[test]
fn an_answer_is_written_as_an_arrow_stream() {
    let sql = "SELECT tag, time, value FROM samples WHERE tag = '88.100/p' ORDER BY time";
    let bytes = ask_with(limits(), Plant::small(), sql, Format::Arrow).unwrap();
    let reader = StreamReader::try_new(bytes.as_slice(), None).unwrap();
    let kinds: Vec<String> =
        reader.schema().fields().iter().map(|f| f.data_type().to_string()).collect();
    assert_eq!(kinds, ["Utf8", "Timestamp(ns, \"UTC\")", "Float64"]);
    let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 10);
    let empty = ask_with(limits(), Plant::small(), "SELECT 1 WHERE false", Format::Arrow).unwrap();
    assert_eq!(StreamReader::try_new(empty.as_slice(), None).unwrap().count(), 0);
}

#[test]
fn a_source_that_cannot_be_read_is_told_as_such() {
    let plant = Plant { broken: true, ..Plant::small() };
    let error = ask_with(limits(), plant, "SELECT sum(value) FROM samples", Format::Json);
    let QueryError::Source(source) = error.unwrap_err() else { panic!("another error") };
    assert_eq!(source.to_string(), "the disk is gone");
}
