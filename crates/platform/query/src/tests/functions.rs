//! `time_bucket`, `locf`, `interpolate`, `delta`, `rate`, `first` and `last`.

use serde_json::json;

use super::*;

#[test]
fn time_buckets() {
    let bucket = |args: &str| rows(&format!("SELECT time_bucket({args})"))[0][0].clone();
    let asked = [
        ("'5 minutes', timestamp '2026-11-23T08:03:59Z'", "2026-11-23T08:00:00Z"),
        ("interval '15 minutes', timestamp '2026-11-23T08:44:00Z'", "2026-11-23T08:30:00Z"),
        ("'1 day', timestamp '2026-11-23T08:03:59Z'", "2026-11-23T00:00:00Z"),
        // 2026-11-23 is a Monday.
        ("'1 week', timestamp '2026-11-29T23:59:59Z'", "2026-11-23T00:00:00Z"),
        ("'1 month', timestamp '2026-11-23T08:03:59Z'", "2026-11-01T00:00:00Z"),
        ("'1 year', timestamp '2026-11-23T08:03:59Z'", "2026-01-01T00:00:00Z"),
        (
            "'1 day', timestamp '2026-11-23T18:00:00Z', timestamp '2026-01-01T00:00:00+08:00'",
            "2026-11-23T16:00:00Z",
        ),
        // Months of Shanghai, from the midnight that begins them there.
        (
            "'1 month', timestamp '2026-03-01T00:30:00+08:00', timestamp '2026-01-01T00:00:00+08:00'",
            "2026-02-28T16:00:00Z",
        ),
        (
            "'1 month', timestamp '2026-04-30T23:30:00+08:00', timestamp '2026-01-01T00:00:00+08:00'",
            "2026-03-31T16:00:00Z",
        ),
        (
            "'1 day', timestamp '2026-11-23T15:59:59Z', timestamp '2026-01-01T00:00:00+08:00'",
            "2026-11-22T16:00:00Z",
        ),
        ("'1 hour', '2026-11-23T18:20:00Z'", "2026-11-23T18:00:00Z"),
        ("'1 hour', timestamp '1969-12-31T23:20:00Z'", "1969-12-31T23:00:00Z"),
    ];
    for (args, expected) in asked {
        assert_eq!(bucket(args), expected, "{args}");
    }
    for wrong in ["'soon', now()", "5, now()", "'1 hour', 3", "'1 hour'"] {
        assert!(matches!(
            refused(&format!("SELECT time_bucket({wrong})")),
            QueryError::Statement(_)
        ));
    }
}

#[test]
fn aggregates_by_time_bucket() {
    let sql = "SELECT tag, time_bucket('5 seconds', time) AS b, avg(value), min(value), max(value), count(*) \
               FROM samples WHERE tag = '88.100/p' GROUP BY tag, b ORDER BY b";
    assert_eq!(
        rows(sql),
        json!([
            ["88.100/p", "2026-11-23T08:00:00Z", 2.0, 0.0, 4.0, 5],
            ["88.100/p", "2026-11-23T08:00:05Z", 7.0, 5.0, 9.0, 5],
        ])
    );
    let plan = rows(&format!("EXPLAIN {sql}")).to_string();
    assert!(plan.contains("SeriesAggregate"), "{plan}");
}

#[test]
fn the_first_and_the_last_value_by_time() {
    let sql = "SELECT tag, first(value, time), last(value, time) FROM samples \
               WHERE tag IN ('88.100/p', '88.100/t') GROUP BY tag ORDER BY tag";
    assert_eq!(rows(sql), json!([["88.100/p", 0.0, 9.0], ["88.100/t", 20.0, null]]));
    let there = "SELECT last(value, time) FILTER (WHERE value IS NOT NULL) FROM samples \
                 WHERE tag = '88.100/t'";
    assert_eq!(rows(there), json!([[26.0]]));
    assert_eq!(
        rows("SELECT last(text, time) FROM samples WHERE tag = '88.100/state'"),
        json!([[""]])
    );
    assert!(matches!(
        refused("SELECT last(value, time, 3) FROM samples"),
        QueryError::Statement(_)
    ));
}

#[test]
fn series_functions_fill_gaps() {
    let sql = "SELECT locf(value) OVER w, interpolate(value, time) OVER w, delta(value) OVER w, \
               rate(value, time) OVER w FROM samples WHERE tag = '88.100/t' \
               WINDOW w AS (PARTITION BY tag ORDER BY time) ORDER BY time";
    assert_eq!(
        rows(sql),
        json!([
            [20.0, 20.0, null, null],
            [20.0, 22.0, null, null],
            [20.0, 24.0, null, null],
            [26.0, 26.0, 6.0, 2.0],
            [26.0, null, null, null],
        ])
    );
}

#[test]
fn series_functions_by_cases_computed_by_hand() {
    // Times that are not regular, two of them equal, a counter that starts again, nothing at both ends.
    let sql = "WITH s(t, v) AS (VALUES (0, null), (10, 4.0), (11, null), (14, 12.0), (14, 13.0), (20, null), (24, 3.0), \
               (30, null)), w AS (SELECT to_timestamp_seconds(t) AS at, v::double AS v FROM s) \
               SELECT locf(v) OVER o, interpolate(v, at) OVER o, delta(v) OVER o, rate(v, at) OVER o FROM w \
               WINDOW o AS (ORDER BY at, v) ORDER BY at, v";
    assert_eq!(
        rows(sql),
        json!([
            [null, null, null, null],
            [4.0, 4.0, null, null],
            // A quarter of the way from 4 to 12.
            [4.0, 6.0, null, null],
            [12.0, 12.0, 8.0, 2.0],
            // No time has passed.
            [13.0, 13.0, 1.0, null],
            // Six tenths of the way from 13 to 3.
            [13.0, 7.0, null, null],
            [3.0, 3.0, -10.0, -1.0],
            [3.0, null, null, null],
        ])
    );
}

#[test]
fn values_of_bad_quality_can_be_left_out() {
    let sql = "WITH s(t, v, q) AS (VALUES (1, 1.0, 'good'), (2, 99.0, 'bad'), (3, null, 'bad'), (4, 3.0, 'uncertain')) \
               SELECT locf(CASE WHEN q <> 'bad' THEN v END) OVER (ORDER BY t) FROM s ORDER BY t";
    assert_eq!(rows(sql), json!([[1.0], [1.0], [1.0], [3.0]]));
}

#[test]
fn series_functions_keep_series_apart() {
    let sql = "SELECT tag, count(*), sum(delta) FROM (SELECT tag, delta(value) OVER (PARTITION BY tag ORDER BY time) \
               AS delta FROM samples WHERE tag IN ('88.100/p', '88.100/t')) GROUP BY tag ORDER BY tag";
    assert_eq!(rows(sql), json!([["88.100/p", 10, 9.0], ["88.100/t", 5, 6.0]]));
    let texts = "SELECT locf(text) OVER (ORDER BY time) FROM samples WHERE tag = '88.100/state' ORDER BY time";
    assert_eq!(rows(texts), json!([["off"], ["on, loud"], [""]]));
    for wrong in ["delta(text)", "rate(value)", "interpolate(value, 3)", "locf()"] {
        let sql = format!("SELECT {wrong} OVER (ORDER BY time) FROM samples");
        assert!(matches!(refused(&sql), QueryError::Statement(_)), "{wrong}");
    }
}

#[test]
fn gaps_of_a_grid_are_filled() {
    let sql = "WITH grid AS (SELECT value AS at FROM generate_series(timestamp '2026-11-23T08:00:08', \
               timestamp '2026-11-23T08:00:11', interval '1 second')), \
               seen AS (SELECT time_bucket('1 second', time) AS at, avg(value) AS value FROM samples \
               WHERE tag = '88.100/p' GROUP BY 1) \
               SELECT grid.at, locf(seen.value) OVER (ORDER BY grid.at) FROM grid \
               LEFT JOIN seen ON seen.at = grid.at ORDER BY 1";
    assert_eq!(
        rows(sql),
        json!([
            ["2026-11-23T08:00:08Z", 8.0],
            ["2026-11-23T08:00:09Z", 9.0],
            ["2026-11-23T08:00:10Z", 9.0],
            ["2026-11-23T08:00:11Z", 9.0],
        ])
    );
}

#[test]
fn the_value_of_another_tag_at_that_time() {
    // What others call an ASOF join.
    let sql = "WITH both AS (SELECT time, tag, value, locf(CASE WHEN tag = '88.100/t' THEN value END) \
               OVER (ORDER BY time, tag DESC) AS t FROM samples WHERE tag IN ('88.100/p', '88.100/t')) \
               SELECT value, t FROM both WHERE tag = '88.100/p' ORDER BY time LIMIT 5";
    assert_eq!(rows(sql), json!([[0.0, 20.0], [1.0, 20.0], [2.0, 20.0], [3.0, 26.0], [4.0, 26.0]]));
}

#[test]
fn texts_are_joined() {
    assert_eq!(rows("SELECT 'a' || 'b' || 1, 'a' || null"), json!([["ab1", null]]));
    assert_eq!(
        rows("SELECT tag || ':' || quality FROM samples WHERE tag = '88.100/t' LIMIT 1"),
        json!([["88.100/t:good"]])
    );
}

#[test]
fn common_sql_works() {
    for (sql, expected) in [
        ("SELECT extract(hour FROM time) FROM samples LIMIT 1", json!([[8]])),
        ("SELECT substring('abc' FROM 2 FOR 1), position('c' IN 'abc')", json!([["b", 3]])),
        (
            "SELECT date_trunc('hour', timestamp '2026-11-23T08:03:59Z')",
            json!([["2026-11-23T08:00:00Z"]]),
        ),
        ("SELECT upper('a'), round(2.345, 2), coalesce(null, 3)", json!([["A", 2.35, 3]])),
        ("SELECT 1 WHERE 'Pump 7' ~ '^Pump [0-9]+$' AND 'x' LIKE '_'", json!([[1]])),
        (
            "SELECT stddev(value) > 3, approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FROM samples \
          WHERE tag = '88.100/p'",
            json!([[true, 4.5]]),
        ),
        ("SELECT count(DISTINCT tag) FROM samples", json!([[4]])),
        (
            "SELECT value, lag(value) OVER (ORDER BY time), avg(value) OVER (ORDER BY time ROWS 1 PRECEDING) \
          FROM samples WHERE tag = '88.100/p' ORDER BY time LIMIT 2",
            json!([[0.0, null, 0.0], [1.0, 0.0, 0.5]]),
        ),
        ("SELECT to_char(timestamp '2026-11-23T08:00:00Z', '%Y-%m-%d')", json!([["2026-11-23"]])),
        ("VALUES (1), (2)", json!([[1], [2]])),
        ("SELECT 1 UNION ALL SELECT 2 ORDER BY 1", json!([[1], [2]])),
    ] {
        assert_eq!(rows(sql), expected, "{sql}");
    }
}
