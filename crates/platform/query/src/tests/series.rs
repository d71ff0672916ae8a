//! Aggregates of each tag: the way that knows series gives what the general way gives.

use serde_json::json;

use super::*;

/// Doubles of every sort, gaps, and texts.
fn mixed() -> Plant {
    // No NaN: which the engine takes for the greatest depends on where it stands.
    let doubles = [Some(1.5), None, Some(-0.0), Some(3e300), Some(0.0), Some(-7.25), None];
    let doubles = doubles.map(|x| x.map(Value::F64));
    let gaps = vec![None; 5];
    let mut long: Vec<Option<Value>> = (0..2500).map(|i| Some(Value::I64(i * 37 % 1001))).collect();
    long[1700] = None;
    Plant::small()
        .with("88.100/mixed", "", doubles.into())
        .with("88.100/gaps", "", gaps)
        .with("88.100/none", "", Vec::new())
        .with("88.100/long", "", long)
}

/// Answers of a statement and of one that says the same in another way.
fn same(sql: &str, other: &str) {
    let (found, expected) = (json(mixed(), sql), json(mixed(), other));
    assert_eq!(found["rows"], expected["rows"], "{sql}");
    assert!(!found["rows"].as_array().unwrap().is_empty(), "{sql}");
    let plan = |sql: &str| json(mixed(), &format!("EXPLAIN {sql}")).to_string();
    assert!(plan(sql).contains("SeriesAggregate"), "{}", plan(sql));
    assert!(!plan(other).contains("SeriesAggregate"), "{}", plan(other));
}

const MEASURES: &str = "count(*), count(value), min(value), max(value), sum(value), avg(value)";
const MEASURES_AS_ANY: &str = "count(*), count(v), min(v), max(v), sum(v), avg(v)";

/// The samples in a way that nothing is known of.
fn any(keys: &str, condition: &str) -> String {
    format!(
        "SELECT {keys}, {MEASURES_AS_ANY} FROM (SELECT tag, time, CASE WHEN random() >= 0 THEN value END AS v \
         FROM samples WHERE {condition}) GROUP BY {keys} ORDER BY {keys}"
    )
}

#[test]
fn by_tag() {
    for condition in [
        "true",
        "value > 0",
        "value BETWEEN -1 AND 500 AND quality = 'good'",
        "time > '2026-11-23T08:00:02Z'",
    ] {
        let sql = format!(
            "SELECT tag, {MEASURES} FROM samples WHERE {condition} GROUP BY tag ORDER BY tag"
        );
        same(&sql, &any("tag", condition));
    }
}

#[test]
fn by_tag_and_time() {
    for width in ["'7 seconds'", "'1 minute'", "'1 hour'", "'1 day'"] {
        let bucket = format!("time_bucket({width}, time, timestamp '2026-01-01T00:00:00+08:00')");
        let sql =
            format!("SELECT tag, {bucket}, {MEASURES} FROM samples GROUP BY 1, 2 ORDER BY 1, 2");
        same(&sql, &any(&format!("tag, {bucket}"), "true"));
    }
    let one = "SELECT time_bucket('1 minute', time) AS t, avg(value), count(*) FROM samples \
               WHERE tag = '88.100/long' GROUP BY t ORDER BY t";
    let other = "SELECT time_bucket('1 minute', time) AS t, avg(v), count(*) FROM (SELECT time, CASE WHEN random() >= 0 \
                 THEN value END AS v FROM samples WHERE tag = '88.100/long') GROUP BY t ORDER BY t";
    same(one, other);
}

#[test]
fn the_first_and_the_last_of_each_tag() {
    let sql =
        "SELECT tag, first(value, time), last(value, time) FROM samples GROUP BY tag ORDER BY tag";
    let other = "SELECT tag, first(v, time), last(v, time) FROM (SELECT tag, time, CASE WHEN random() >= 0 THEN value END \
                 AS v FROM samples) GROUP BY tag ORDER BY tag";
    same(sql, other);
}

#[test]
fn of_all_tags_together() {
    let general = |keys: &str, measures: &str, tail: &str| {
        format!(
            "SELECT {keys}{measures} FROM (SELECT tag, time, quality, CASE WHEN random() >= 0 THEN value END AS v \
             FROM samples) {tail}"
        )
    };
    let measures = format!("{MEASURES}, min(time), max(time)");
    let as_any = format!("{MEASURES_AS_ANY}, min(time), max(time)");
    same(&format!("SELECT {measures} FROM samples"), &general("", &as_any, ""));
    for key in
        ["time_bucket('1 minute', time)", "date_trunc('minute', time)", "quality", "quality, tag"]
    {
        let tail = format!("GROUP BY {key} ORDER BY {key}");
        let sql = format!(
            "SELECT {key}, count(*), count(value), min(value), max(value) FROM samples {tail}"
        );
        same(&sql, &general(&format!("{key}, "), "count(*), count(v), min(v), max(v)", &tail));
    }
    assert_eq!(
        rows(
            "SELECT count(*), sum(value), min(value), avg(value), max(time) FROM samples WHERE tag = 'none'"
        ),
        json!([[0, null, null, null, null]])
    );
    assert_eq!(
        rows("SELECT quality, count(*) FROM samples WHERE value > 1e300 GROUP BY quality"),
        json!([])
    );
    assert_eq!(rows("SELECT count(DISTINCT tag), count(value) FROM samples"), json!([[4, 14]]));
    assert_eq!(
        rows(
            "SELECT tag, max(value) AS top FROM samples WHERE value IS NOT NULL GROUP BY tag ORDER BY top DESC LIMIT 2"
        ),
        json!([["88.100/big", 9007199254740992.0], ["88.100/t", 26.0]])
    );
}

#[test]
fn how_far_values_are_from_their_mean() {
    let measures = ["stddev", "stddev_pop", "var_samp", "var_pop"];
    for (plant, keys) in [("p", ""), ("p", "tag, "), ("t", ""), ("t", "tag, ")] {
        let of = |value: &str| measures.map(|name| format!("{name}({value})")).join(", ");
        let tail = if keys.is_empty() { "" } else { "GROUP BY tag" };
        let sql = format!(
            "SELECT {keys}{} FROM samples WHERE tag = '88.100/{plant}' {tail}",
            of("value")
        );
        let other = format!(
            "SELECT {keys}{} FROM (SELECT tag, CASE WHEN random() >= 0 THEN value END AS v FROM samples WHERE \
             tag = '88.100/{plant}') {tail}",
            of("v")
        );
        let numbers = |sql: &str| -> Vec<f64> {
            let rows = rows(sql);
            rows[0].as_array().unwrap().iter().filter_map(Json::as_f64).collect()
        };
        let (found, expected) = (numbers(&sql), numbers(&other));
        assert_eq!((found.len(), expected.len()), (4, 4), "{sql}");
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * b.abs();
        assert!(found.iter().zip(&expected).all(near), "{found:?} {expected:?}");
        assert!(rows(&format!("EXPLAIN {sql}")).to_string().contains("SeriesAggregate"), "{sql}");
    }
}

#[test]
fn what_is_not_recognised_goes_the_general_way() {
    for sql in [
        "SELECT tag, count(DISTINCT value) FROM samples GROUP BY tag",
        "SELECT tag, sum(value) FILTER (WHERE value > 1) FROM samples GROUP BY tag",
        "SELECT time_bucket('1 month', time), tag, count(*) FROM samples GROUP BY 1, 2",
        "SELECT first(value, time) FROM samples",
        "SELECT text, count(*) FROM samples GROUP BY text",
        "SELECT tag, quality, count(*) FROM samples GROUP BY ROLLUP(tag, quality)",
        "SELECT tag, avg(s.value) FROM samples s JOIN tags t ON s.tag = t.id GROUP BY tag",
    ] {
        let plan = json(mixed(), &format!("EXPLAIN {sql}")).to_string();
        assert!(!plan.contains("SeriesAggregate"), "{plan}");
    }
}

#[test]
fn a_group_ends_with_its_time_and_not_with_its_page() {
    // Pages of a hundred samples, stretches of seventy.
    let sql = "SELECT tag, time_bucket('70 seconds', time, '2026-11-23T08:00:00Z') AS t, count(*) FROM samples \
               WHERE tag = '88.100/tag-00000' GROUP BY tag, t ORDER BY t LIMIT 4";
    let rows = json(Plant::large(1, 250), sql)["rows"].take();
    let counts: Vec<&Json> = rows.as_array().unwrap().iter().map(|row| &row[2]).collect();
    assert_eq!(counts, [&json!(70), &json!(70), &json!(70), &json!(40)]);
}

#[test]
fn many_tags_come_in_the_order_that_is_asked_for() {
    // Identifiers in another order than numbers.
    let plant = || {
        (0..100).fold(Plant::default(), |plant, tag| {
            plant.with(&format!("88.100/{:03}", tag * 37 % 100), "", vec![Some(Value::I64(tag)); 3])
        })
    };
    let ids = |sql: &str| -> Vec<String> {
        let rows = json(plant(), sql)["rows"].take();
        rows.as_array().unwrap().iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
    };
    for sql in [
        "SELECT tag, time FROM samples ORDER BY tag, time",
        "SELECT tag, count(*) FROM samples GROUP BY tag ORDER BY tag",
        "SELECT tag, delta(value) OVER (PARTITION BY tag ORDER BY time) FROM samples ORDER BY tag",
        "SELECT tag FROM last_values ORDER BY tag",
    ] {
        let ids = ids(sql);
        assert!(ids.is_sorted() && ids.len() >= 100, "{sql}: {ids:?}");
    }
    let plan =
        json(plant(), "EXPLAIN SELECT tag, time FROM samples ORDER BY tag, time").to_string();
    assert!(!plan.contains("SortExec"), "{plan}");
}

#[test]
fn last_values_are_a_table() {
    assert_eq!(
        rows("SELECT tag, time, value, quality, text FROM last_values ORDER BY tag"),
        json!([
            ["88.100/big", "2026-11-23T08:00:01Z", -7.0, "good", null],
            ["88.100/p", "2026-11-23T08:00:09Z", 9.0, "good", null],
            ["88.100/state", "2026-11-23T08:00:02Z", null, "good", ""],
            ["88.100/t", "2026-11-23T08:00:04Z", null, "bad", null],
        ])
    );
    assert_eq!(
        rows("SELECT tag FROM last_values WHERE value > 0 AND time > '2026-11-23T08:00:05Z'"),
        json!([["88.100/p"]])
    );
    assert_eq!(rows("SELECT value FROM last_values WHERE tag = '88.100/big'"), json!([[-7.0]]));
    let plant = Plant::small();
    let read = Arc::clone(&plant.samples_read);
    json(plant, "SELECT count(*) FROM last_values");
    assert_eq!(read.load(Ordering::Relaxed), 0);
}

#[test]
fn rollups_are_tables() {
    assert_eq!(
        rows(
            "SELECT tag, time, samples, count, numbers, min, max, sum, avg, first, last, good_seconds, bad_seconds \
              FROM rollup_1m WHERE tag IN ('88.100/p', '88.100/t') ORDER BY tag"
        ),
        json!([
            [
                "88.100/p",
                "2026-11-23T08:00:00Z",
                10,
                10,
                10,
                0.0,
                9.0,
                45.0,
                4.5,
                0.0,
                9.0,
                59.0,
                1.0
            ],
            [
                "88.100/t",
                "2026-11-23T08:00:00Z",
                5,
                2,
                2,
                20.0,
                26.0,
                46.0,
                23.0,
                20.0,
                26.0,
                59.0,
                1.0
            ],
        ])
    );
    let large = |sql: &str| json(Plant::large(2, 7300), sql)["rows"].take();
    assert_eq!(large("SELECT count(*), sum(samples) FROM rollup_1m"), json!([[244, 14600]]));
    assert_eq!(large("SELECT count(*), sum(samples) FROM rollup_1h"), json!([[6, 14600]]));
    assert_eq!(large("SELECT count(*), max(max) FROM rollup_1d"), json!([[2, 7299.0]]));
    let within = "SELECT samples FROM rollup_1h WHERE tag = '88.100/tag-00001' AND time BETWEEN '2026-11-23T09:00:00Z' \
                  AND '2026-11-23T10:00:00Z' ORDER BY time";
    assert_eq!(large(within), json!([[3600], [100]]));
    let plan = rows("EXPLAIN SELECT tag, time, avg FROM rollup_1h ORDER BY tag, time").to_string();
    assert!(!plan.contains("SortExec"), "{plan}");
}
