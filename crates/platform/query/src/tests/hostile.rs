//! Statements that mean no good, or cost more than they may.

use super::*;

#[test]
fn only_reading_statements_are_run() {
    for sql in [
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE TABLE x AS SELECT 1",
        "CREATE VIEW x AS SELECT 1",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "COPY samples TO '/tmp/weir-query-test.csv'",
        "COPY (SELECT 1) TO 's3://bucket/x.parquet'",
        "INSERT INTO samples VALUES ('a', now(), 1, 'good', null, 0)",
        "UPDATE samples SET value = 1",
        "DELETE FROM samples",
        "TRUNCATE TABLE samples",
        "DROP TABLE samples",
        "ALTER TABLE samples ADD COLUMN x INT",
        "SET datafusion.execution.enable_recursive_ctes = true",
        "RESET datafusion.runtime.memory_limit",
        "SHOW datafusion.runtime.memory_limit",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "BEGIN",
        "EXPLAIN CREATE TABLE x AS SELECT 1",
        "EXPLAIN ANALYZE COPY samples TO '/tmp/weir-query-test.csv'",
        "EXPLAIN ANALYZE INSERT INTO samples VALUES ('a', now(), 1, 'good', null, 0)",
        "CALL f()",
        "USE x",
    ] {
        let error = refused(sql);
        let told = matches!(error, QueryError::NotReading(_) | QueryError::Statement(_));
        assert!(told, "{sql}: {error:?}");
    }
    assert!(!std::path::Path::new("/tmp/weir-query-test.csv").exists());
}

#[test]
fn no_file_and_no_other_catalog_is_a_table() {
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 'file:///etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT * FROM other.public.samples",
        "SELECT * FROM pg_catalog.pg_tables",
        "SELECT @@version",
    ] {
        let error = refused(sql);
        assert!(matches!(error, QueryError::Statement(_)), "{sql}: {error:?}");
    }
}

#[test]
fn the_catalog_tells_of_these_tables_alone() {
    let tables = "SELECT table_name FROM information_schema.tables \
                  WHERE table_schema <> 'information_schema' ORDER BY 1";
    assert_eq!(
        rows(tables),
        serde_json::json!([
            ["assets"],
            ["last_values"],
            ["rollup_1d"],
            ["rollup_1h"],
            ["rollup_1m"],
            ["samples"],
            ["tags"]
        ])
    );
}

#[test]
fn functions_that_make_too_much_are_not_there() {
    for sql in [
        "SELECT repeat('x', 2000000000)",
        "SELECT lpad('x', 2000000000)",
        "SELECT replace('aaaa', 'a', 'bbbb')",
        "SELECT regexp_replace('aaaa', 'a', 'bbbb', 'g')",
        "SELECT overlay('aaaa' PLACING 'b' FROM 2)",
        "SELECT version()",
        "SELECT range(1, 100000000000)",
        "SELECT named_struct('a', 1)",
        "SELECT encode('a', 'hex')",
    ] {
        let error = refused(sql);
        let told = matches!(error, QueryError::Statement(_) | QueryError::Function(_));
        assert!(told, "{sql}: {error:?}");
    }
}

#[test]
fn texts_do_not_grow_without_bound() {
    // 40 times as long as before, 40 times over.
    let mut sql = "SELECT 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' AS s".to_owned();
    for _ in 0..40 {
        sql = format!("SELECT s || s || s || s AS s FROM ({sql}) AS t");
    }
    let error = refused(&format!("SELECT length(s) FROM ({sql}) AS t"));
    assert!(matches!(error, QueryError::Statement(_) | QueryError::Function(_)), "{error:?}");
    let mut sql = "SELECT tag AS s FROM samples".to_owned();
    for _ in 0..20 {
        sql = format!("SELECT concat(s, s, s, s) AS s FROM ({sql}) AS t");
    }
    let error = refused(&format!("SELECT max(s) FROM ({sql}) AS t"));
    assert!(matches!(error, QueryError::Statement(_)), "{error:?}");
}

#[test]
fn a_deep_statement_does_no_harm() {
    let sum = format!("SELECT {}1", "1+".repeat(30_000));
    let not = format!("SELECT {}true", "NOT ".repeat(15_000));
    let nested = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    let ors = format!("SELECT 1 WHERE {} false", "value = 1 OR ".repeat(4_000));
    let queries = format!("{}SELECT 1{}", "SELECT * FROM (".repeat(3_000), ")".repeat(3_000));
    let minus = format!("SELECT {}1", "- ".repeat(20_000));
    let cases = format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(2_000), " END".repeat(2_000));
    let union = format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(3_000));
    for sql in [sum, not, nested, ors, queries, minus, cases, union] {
        assert!(sql.len() <= crate::statement::STATEMENT_BYTES_MAX, "{}", sql.len());
        let error = refused(&sql);
        assert!(matches!(error, QueryError::TooComplex { .. }), "{error:?}");
    }
    // As deep as can be: answered or refused, and the process lives.
    let max = crate::statement::OPERATORS_MAX - 10;
    for (left, middle, right) in [
        ("1+", "1", ""),
        ("NOT ", "true", ""),
        ("(", "1", ")"),
        ("- ", "1", ""),
        ("1 = 1 OR ", "false", ""),
        ("CASE WHEN true THEN ", "1", " END"),
        ("abs(", "1", ")"),
        ("'a' || ", "'b'", ""),
        ("coalesce(null, ", "1", ")"),
        ("(SELECT ", "1", ")"),
    ] {
        let each = format!("{left}{right}").split_whitespace().count().max(2);
        let times = max / each;
        let sql = format!("SELECT {}{middle}{}", left.repeat(times), right.repeat(times));
        let _ = ask_with(limits(), Plant::small(), &sql, Format::Json);
    }
    for (repeated, times) in [(" UNION ALL SELECT 1", max / 3), (" UNION SELECT 1", max / 2)] {
        let sql = format!("SELECT 1{}", repeated.repeat(times));
        let _ = ask_with(limits(), Plant::small(), &sql, Format::Json);
    }
    let long = format!("SELECT '{}'", "x".repeat(70_000));
    assert!(matches!(refused(&long), QueryError::TooLong { .. }));
}

#[test]
fn names_of_names_do_not_multiply() {
    let mut sql = "WITH q0 AS (SELECT 1 AS x)".to_owned();
    for level in 1..40 {
        let below = level - 1;
        sql.push_str(&format!(", q{level} AS (SELECT a.x FROM q{below} a CROSS JOIN q{below} b)"));
    }
    let error = refused(&format!("{sql} SELECT count(*) FROM q39"));
    assert!(matches!(error, QueryError::TooComplex { .. }), "{error:?}");
    let inside = "WITH a AS (WITH a1 AS (WITH a2 AS (SELECT 1 AS x) SELECT m.x FROM a2 m, a2 n, a2 o, a2 p) \
                  SELECT m.x FROM a1 m, a1 n, a1 o, a1 p) SELECT m.x FROM a m, a n, a o, a p, a q";
    assert!(matches!(refused(inside), QueryError::TooComplex { .. }));
    let joins = (0..70).map(|n| format!("tags t{n}")).collect::<Vec<_>>().join(", ");
    assert!(matches!(refused(&format!("SELECT 1 FROM {joins}")), QueryError::TooComplex { .. }));
}

#[test]
fn recursion_is_not_there() {
    let sql =
        "WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    assert!(matches!(refused(sql), QueryError::Statement(_)));
}

#[test]
fn statements_end_when_their_time_is_over() {
    let short = || Limits { time: Duration::from_millis(300), ..limits() };
    for sql in [
        "SELECT count(*) FROM generate_series(1, 100000000000000)",
        "SELECT sum(a.value * b.value) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b",
        "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b WHERE a.value % 7 = b.value % 11",
        "SELECT max(value) FROM generate_series(1, 100000000000000) WHERE value < 0",
    ] {
        let error = ask_with(short(), Plant::small(), sql, Format::Json).unwrap_err();
        let ended = matches!(error, QueryError::Time { .. } | QueryError::Memory { .. });
        assert!(ended, "{sql}: {error:?}");
    }
    let plant = Plant { endless: true, ..Plant::small() };
    let error = ask_with(short(), plant, "SELECT count(*) FROM samples", Format::Json);
    assert!(matches!(error, Err(QueryError::Time { .. })));
}

#[test]
fn a_join_that_is_too_large_gives_its_turn_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let short = Limits { time: Duration::from_millis(500), at_once: 1, ..limits() };
    for sql in [
        "SELECT count(*) FROM generate_series(1, 200000) a, generate_series(1, 1000000000) b",
        "SELECT count(*) FROM generate_series(1, 10000) a, generate_series(1, 1000000000) b \
         WHERE a.value + b.value < 0",
        "SELECT count(*) FROM generate_series(1, 200000) a JOIN generate_series(1, 1000000000) b \
         ON a.value % 3 = b.value % 3",
    ] {
        let engine = Engine::new(short.clone()).unwrap();
        let run = |sql: &str| {
            let plant = Arc::new(Plant::small());
            runtime.block_on(engine.run(sql.to_owned(), Format::Json, plant))
        };
        assert!(matches!(run(sql), Err(QueryError::Time { .. })), "{sql}");
        // It may take a moment to notice, and not until it is done.
        let given_back = (0..120).any(|_| run("SELECT 1").is_ok());
        assert!(given_back, "{sql}");
    }
}

#[test]
fn a_join_without_an_equality_keeps_few_rows() {
    let sql = "SELECT count(*) FROM generate_series(1, 200000) a, generate_series(1, 1000000000) b \
               WHERE a.value + b.value < 0";
    assert!(matches!(refused(sql), QueryError::TooComplex { .. }));
}

#[test]
fn memory_is_bounded() {
    let small = || Limits { memory_bytes_max: 4 << 20, ..limits() };
    for sql in [
        "SELECT tag, time, value FROM samples ORDER BY value DESC, time",
        "SELECT count(*) FROM samples GROUP BY time, value, tag || 'x'",
        "SELECT count(*) FROM samples a JOIN samples b ON a.time = b.time AND a.value = b.value",
        "SELECT array_agg(time), array_agg(value) FROM samples",
        "SELECT string_agg(tag, ',') FROM samples",
        "SELECT max(x) FROM (SELECT sum(value) OVER () AS x FROM samples)",
        "SELECT max(x) FROM (SELECT interpolate(value, time) OVER (PARTITION BY tag ORDER BY time) AS x FROM samples)",
        "SELECT count(*) FROM (SELECT DISTINCT value * random() FROM samples)",
    ] {
        let answer = ask_with(small(), Plant::large(20, 40_000), sql, Format::Json);
        let answer = answer.map(|bytes| bytes.len());
        assert!(matches!(answer, Err(QueryError::Memory { .. })), "{sql}: {answer:?}");
    }
}

#[test]
fn answers_are_bounded() {
    let few = Limits { rows_max: 100, ..limits() };
    let error = ask_with(few, Plant::large(1, 1000), "SELECT * FROM samples", Format::Json);
    assert!(matches!(error, Err(QueryError::Rows { max: 100 })));
    let long = Some(Value::Text("x".repeat(60_000).into()));
    for format in [Format::Json, Format::Csv, Format::Arrow] {
        let short = Limits { answer_bytes_max: 1 << 20, ..limits() };
        let plant = Plant::default().with("x", "", vec![long.clone(); 100]);
        let error = ask_with(short, plant, "SELECT text FROM samples", format);
        assert!(matches!(error, Err(QueryError::Bytes { .. })), "{format:?}");
    }
}

#[test]
fn patterns_are_bounded() {
    let error = refused("SELECT text FROM samples WHERE text ~ '((a{1000}){1000}){1000}'");
    assert!(matches!(error, QueryError::Statement(_)), "{error:?}");
    let backtracking = "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' ~ '^(a+)+$'";
    assert_eq!(rows(backtracking), serde_json::json!([[false]]));
}

#[test]
fn mistakes_are_told() {
    for (sql, word) in [
        ("SELEC 1", "SELEC"),
        ("SELECT * FROM nothing", "nothing"),
        ("SELECT nothing FROM samples", "nothing"),
        ("SELECT nothing(1)", "nothing"),
        ("SELECT 1/0", "ivide by zero"),
        ("SELECT CAST('x' AS DOUBLE)", "x"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("", "no statement"),
        ("SELECT time > 'yesterday' FROM samples", "yesterday"),
    ] {
        let error = refused(sql);
        let told = matches!(&error, QueryError::Statement(text) if text.contains(word));
        assert!(told, "{sql}: {error:?}");
    }
}

#[test]
fn statements_wait_for_their_turn_and_no_longer() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let limits = Limits { at_once: 1, time: Duration::from_millis(500), ..limits() };
    let engine = Arc::new(Engine::new(limits).unwrap());
    let run = |plant: Plant| {
        let engine = Arc::clone(&engine);
        let sql = "SELECT count(*) FROM samples".to_owned();
        runtime.spawn(async move { engine.run(sql, Format::Json, Arc::new(plant)).await })
    };
    let errors: Vec<QueryError> = runtime.block_on(async {
        let both = [
            run(Plant { endless: true, ..Plant::small() }),
            run(Plant { endless: true, ..Plant::small() }),
        ];
        let mut errors = Vec::new();
        for one in both {
            errors.push(one.await.unwrap().unwrap_err());
        }
        errors
    });
    assert!(errors.iter().any(|error| matches!(error, QueryError::Time { .. })), "{errors:?}");
}

#[test]
fn a_dropped_statement_stops_reading_and_gives_its_turn_back() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let engine = Engine::new(Limits { at_once: 1, ..limits() }).unwrap();
    let plant = Arc::new(Plant { endless: true, ..Plant::small() });
    let source: Arc<dyn Source> = plant.clone();
    runtime.block_on(async {
        let sql = "SELECT count(*) FROM samples".to_owned();
        let waiting = engine.run(sql.clone(), Format::Json, source);
        assert!(tokio::time::timeout(Duration::from_millis(300), waiting).await.is_err());
        // The next one gets the turn, and nobody holds the source any more.
        let answer = engine.run(sql, Format::Json, Arc::new(Plant::small())).await.unwrap();
        assert_eq!(answer.rows, 1);
        while Arc::strong_count(&plant) > 1 {
            tokio::task::yield_now().await;
        }
    });
}
