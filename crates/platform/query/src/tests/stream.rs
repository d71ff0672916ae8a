//! Rows as they come, descriptions, and parameters.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Float64Type, SchemaRef};
use futures::{StreamExt, TryStreamExt};
use proptest::prelude::*;
use weir_model::SqlParameter;

use super::{Plant, START};
use crate::parameters::numbered;
use crate::{Engine, Limits, QueryError, Rows, Source};

fn engine() -> Engine {
    Engine::new(Limits::default()).unwrap()
}

async fn open(engine: &Engine, sql: &str, values: Vec<SqlParameter>) -> Result<Rows, QueryError> {
    engine.open(sql.to_owned(), values, Arc::new(Plant::small())).await
}

/// How many rows there are, and why there are no more.
async fn count(rows: Rows) -> (usize, Option<QueryError>) {
    let (mut seen, mut batches) = (0, rows.batches);
    while let Some(batch) = batches.next().await {
        match batch {
            Ok(batch) => seen += batch.num_rows(),
            Err(error) => return (seen, Some(error)),
        }
    }
    (seen, None)
}

fn types(columns: &SchemaRef) -> Vec<String> {
    columns.fields().iter().map(|field| field.data_type().to_string()).collect()
}

#[tokio::test]
async fn rows_have_the_columns_that_were_described() {
    let engine = engine();
    for sql in [
        "SELECT * FROM samples",
        "SELECT tag, count(*), avg(value), last(value, time) FROM samples GROUP BY tag",
        "SELECT s.*, t.* FROM samples s LEFT JOIN tags t ON t.id = s.tag ORDER BY s.time",
        "SELECT 1 AS a UNION ALL SELECT value FROM samples",
        "SELECT tag, time_bucket('1 hour', time) AS t, array_agg(quality) FROM samples GROUP BY 1, 2",
        "SELECT * FROM assets WHERE false",
        "SELECT a.time, b.value FROM samples a ASOF JOIN samples b \
         MATCH_CONDITION (a.time >= b.time) ON a.tag = b.tag",
        "SELECT arrow_cast('x', 'Dictionary(Int32, Utf8)') AS d",
        "EXPLAIN SELECT value FROM samples",
        "SHOW TABLES",
        "DESCRIBE samples",
    ] {
        let source: Arc<dyn Source> = Arc::new(Plant::small());
        let described = engine.describe(sql.to_owned(), Vec::new(), Arc::clone(&source)).await;
        let described = match described {
            Ok(described) => described,
            // A function that is not on the list.
            Err(QueryError::Function(_) | QueryError::Statement(_))
                if sql.contains("arrow_cast") =>
            {
                continue;
            }
            Err(error) => panic!("{sql}: {error}"),
        };
        let rows = engine.open(sql.to_owned(), Vec::new(), source).await.unwrap();
        assert_eq!(rows.columns, described.columns, "{sql}");
        let batches: Vec<_> = rows.batches.try_collect().await.unwrap();
        for batch in batches {
            assert_eq!(batch.schema(), described.columns, "{sql}");
        }
        let types = types(&described.columns);
        assert!(!types.iter().any(|name| name.contains("View")), "{types:?}");
    }
}

#[tokio::test]
async fn describing_reads_nothing() {
    let plant = Plant::small();
    let (samples, tags) = (Arc::clone(&plant.samples_read), Arc::clone(&plant.tags_read));
    let sql = "SELECT s.value FROM samples s JOIN tags t ON t.id = s.tag WHERE t.unit = 'Cel'";
    let described = engine().describe(sql.to_owned(), Vec::new(), Arc::new(plant)).await.unwrap();
    assert_eq!(types(&described.columns), ["Float64"]);
    assert_eq!((samples.load(Ordering::SeqCst), tags.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test]
async fn parameters_are_values_and_never_text() {
    let engine = engine();
    let values = async |sql: &str, parameters: Vec<SqlParameter>| -> Vec<Option<f64>> {
        let rows = open(&engine, sql, parameters).await.unwrap();
        let batches: Vec<_> = rows.batches.try_collect().await.unwrap();
        let columns = batches.iter().map(|batch| batch.column(0).as_primitive::<Float64Type>());
        columns.flat_map(|column| column.iter()).collect()
    };
    let text = |text: &str| SqlParameter::Text(text.to_owned());
    let by_tag = "SELECT value FROM samples WHERE tag = ? AND value >= ? ORDER BY time";
    let found = values(by_tag, vec![text("88.100/p"), SqlParameter::I64(8)]).await;
    assert_eq!(found, [Some(8.0), Some(9.0)]);
    let found = values(by_tag, vec![text("' OR '1' = '1"), SqlParameter::F64(0.0)]).await;
    assert!(found.is_empty(), "{found:?}");
    let by_time = "SELECT value FROM samples WHERE time > $2 AND tag = $1 AND $3";
    let time = SqlParameter::Time(START + 8_500_000_000);
    let found =
        values(by_time, vec![text("88.100/p"), time.clone(), SqlParameter::Bool(true)]).await;
    assert_eq!(found, [Some(9.0)]);
    let found = values(by_time, vec![text("88.100/p"), time, SqlParameter::Null]).await;
    assert!(found.is_empty(), "{found:?}");

    let described = engine.describe(by_tag.to_owned(), Vec::new(), Arc::new(Plant::small()));
    let parameters = described.await.unwrap().parameters;
    let kinds: Vec<_> = parameters.fields().iter().map(|field| field.data_type()).collect();
    assert_eq!(kinds, [&DataType::Utf8, &DataType::Float64]);
    for (sql, parameters, told) in [
        (by_tag, vec![], "has 2 parameters; bind a value to each"),
        (by_tag, vec![SqlParameter::Null], "has 2 parameters, and 1 values were bound"),
        ("SELECT 1", vec![SqlParameter::Null], "has 0 parameters, and 1 values were bound"),
        ("SELECT value FROM samples WHERE tag = $name", vec![], "has no number"),
        ("SELECT value FROM samples WHERE tag = $2", vec![], "numbered from $1 on"),
        ("SELECT value FROM samples WHERE tag = ? AND value = $1", vec![], "all as $1, $2"),
    ] {
        let error = open(&engine, sql, parameters).await.err().unwrap();
        assert!(error.to_string().contains(told), "{sql}: {error}");
    }
}

#[tokio::test]
async fn limits_hold_while_rows_are_read() {
    let limits = Limits { rows_max: 20_000, at_once: 1, ..Limits::default() };
    let engine = Engine::new(limits).unwrap();
    let rows = open(&engine, "SELECT * FROM generate_series(1, 20000)", Vec::new()).await.unwrap();
    assert!(matches!(count(rows).await, (20_000, None)));
    let rows = open(&engine, "SELECT * FROM generate_series(1, 30000)", Vec::new()).await.unwrap();
    let (seen, error) = count(rows).await;
    assert!(seen <= 20_000 && matches!(error, Some(QueryError::Rows { max: 20_000 })), "{error:?}");
    // Long texts are given in pieces.
    let text = "0123456789".repeat(4000);
    let sql = format!("SELECT '{text}' AS long FROM generate_series(1, 500)");
    let rows = open(&engine, &sql, Vec::new()).await.unwrap();
    let batches: Vec<_> = rows.batches.try_collect().await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 500);
    let bytes = batches.iter().map(|batch| {
        batch.column(0).as_string::<i32>().iter().flatten().map(str::len).sum::<usize>()
    });
    assert!(bytes.clone().all(|bytes| bytes <= 4 << 20), "{:?}", bytes.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_that_leaves_gives_the_turn_back() {
    let engine = Engine::new(Limits { at_once: 1, ..Limits::default() }).unwrap();
    for _ in 0..3 {
        let long =
            "SELECT a.value FROM generate_series(1, 20000) a CROSS JOIN generate_series(1, 50) b";
        let mut rows = open(&engine, long, Vec::new()).await.unwrap();
        assert!(rows.batches.next().await.unwrap().is_ok());
    }
    let rows = open(&engine, "SELECT 1", Vec::new()).await.unwrap();
    assert!(matches!(count(rows).await, (1, None)));
}

#[tokio::test]
async fn time_is_over_for_slow_readers_too() {
    let limits =
        Limits { time: std::time::Duration::from_millis(300), at_once: 1, ..Limits::default() };
    let engine = Engine::new(limits).unwrap();
    let long =
        "SELECT a.value FROM generate_series(1, 20000) a CROSS JOIN generate_series(1, 40) b";
    let unread = open(&engine, long, Vec::new()).await.unwrap();
    // Its turn is over although nobody reads it.
    let rows = open(&engine, "SELECT 1", Vec::new()).await;
    let rows = match rows {
        Ok(rows) => rows,
        Err(QueryError::Busy(1)) => open(&engine, "SELECT 1", Vec::new()).await.unwrap(),
        Err(error) => panic!("{error}"),
    };
    assert!(matches!(count(rows).await, (1, None)));
    assert!(matches!(count(unread).await.1, Some(QueryError::Time { .. })));
}

#[tokio::test]
async fn the_tables_are_told_with_their_keys() {
    let tables = engine().tables(Arc::new(Plant::small())).await.unwrap();
    let key = |name: &str| tables.iter().find(|table| table.name == name).map(|table| table.key);
    assert_eq!(key("samples"), Some(&["tag", "time"][..]));
    assert_eq!(key("tags"), Some(&["id"][..]));
    assert_eq!(key("assets"), Some(&["id"][..]));
    let samples = tables.iter().find(|table| table.name == "samples").unwrap();
    assert_eq!(samples.columns.field(0).data_type(), &DataType::Utf8);
    assert!(!samples.columns.field(0).is_nullable() && samples.columns.field(2).is_nullable());
}

#[test]
fn question_marks_are_numbered_where_they_are_parameters() {
    for (sql, expected) in [
        ("SELECT ?, ?", "SELECT $1, $2"),
        ("SELECT '?', \"?\", ? -- ?\n, ?", "SELECT '?', \"?\", $1 -- ?\n, $2"),
        ("SELECT '水?', ?,\r\n ? /* ? */", "SELECT '水?', $1,\r\n $2 /* ? */"),
        ("SELECT 1", "SELECT 1"),
        ("SELECT 'it''s ?' WHERE ? = 1", "SELECT 'it''s ?' WHERE $1 = 1"),
    ] {
        assert_eq!(numbered(sql).unwrap(), expected);
    }
}

proptest! {
    #[test]
    fn any_text_is_numbered_or_refused(sql in "[?'\"$\n a-z水-]{0,40}") {
        if let Ok(numbered) = numbered(&sql) {
            // Marks that are no parameters stay, and nothing else changes.
            let kept: String = sql.chars().filter(|letter| *letter != '?').collect();
            let digits = |letter: &char| letter.is_ascii_digit();
            let plain: String = numbered.chars().filter(|l| *l != '?' && !digits(l)).collect();
            let without = |text: &str| text.replace('$', "");
            prop_assert_eq!(without(&plain), without(&kept));
        }
    }
}
