//! ASOF joins, by cases that were computed by hand; DuckDB gives the same for `ASOF LEFT JOIN`.

use datafusion::arrow::array::{Int64Array, RecordBatch};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Two series over `VALUES`, with a gap, a key of the left side alone and times that are equal.
const SERIES: &str = "WITH l(k, t, x) AS (VALUES ('a', 1, 10), ('a', 5, 50), ('b', 2, 20), ('a', 9, 90), \
    ('c', 3, 30), (null, 4, 40)), r(k, t, y) AS (VALUES ('b', 2, 200), ('a', 5, 500), ('a', 0, 100), \
    ('a', 7, 700), (null, 4, 999), ('d', 1, 1))";

fn joined(sign: &str) -> Json {
    rows(&format!(
        "{SERIES} SELECT l.k, l.t, x, r.t, y FROM l ASOF JOIN r MATCH_CONDITION (l.t {sign} r.t) ON l.k = r.k \
         ORDER BY x"
    ))
}

#[test]
fn the_nearest_row_is_joined() {
    let table = |nearest: [Json; 6]| -> Json {
        let left =
            [("a", 1, 10), ("b", 2, 20), ("c", 3, 30), ("", 4, 40), ("a", 5, 50), ("a", 9, 90)];
        let row = |((k, t, x), right): (&(&str, i32, i32), Json)| {
            let k = if k.is_empty() { Json::Null } else { json!(k) };
            json!([k, t, x, right[0], right[1]])
        };
        left.iter().zip(nearest).map(row).collect()
    };
    let none = || json!([null, null]);
    let up_to =
        [json!([0, 100]), json!([2, 200]), none(), none(), json!([5, 500]), json!([7, 700])];
    assert_eq!(joined(">="), table(up_to));
    let before = [json!([0, 100]), none(), none(), none(), json!([0, 100]), json!([7, 700])];
    assert_eq!(joined(">"), table(before));
    let from = [json!([5, 500]), json!([2, 200]), none(), none(), json!([5, 500]), none()];
    assert_eq!(joined("<="), table(from));
    let after = [json!([5, 500]), none(), none(), none(), json!([7, 700]), none()];
    assert_eq!(joined("<"), table(after));
}

#[test]
fn the_sides_of_the_condition_may_be_exchanged_and_the_equality_left_out() {
    let sql = format!(
        "{SERIES} SELECT x, y FROM l ASOF JOIN r MATCH_CONDITION (r.t <= l.t) ON r.k = l.k ORDER BY x"
    );
    assert_eq!(rows(&sql)[4], json!([50, 500]));
    let sql =
        format!("{SERIES} SELECT x, y FROM l ASOF JOIN r MATCH_CONDITION (l.t >= r.t) ORDER BY x");
    assert_eq!(rows(&sql), json!([[10, 1], [20, 200], [30, 200], [40, 999], [50, 500], [90, 700]]));
}

#[test]
fn samples_are_joined_in_the_order_that_they_are_read() {
    let sql = "SELECT l.time, l.value, r.value FROM samples l ASOF JOIN (SELECT time, value FROM samples \
               WHERE tag = '88.100/t' AND value IS NOT NULL) r MATCH_CONDITION (l.time >= r.time) \
               WHERE l.tag = '88.100/p' AND l.time < '2026-11-23T08:00:05Z' ORDER BY l.time";
    let got = rows(sql);
    let values: Vec<Json> = got.as_array().unwrap().iter().map(|r| json!([r[1], r[2]])).collect();
    assert_eq!(
        Json::from(values),
        json!([[0.0, 20.0], [1.0, 20.0], [2.0, 20.0], [3.0, 26.0], [4.0, 26.0]])
    );
    let plan = rows(&format!("EXPLAIN {sql}")).to_string();
    assert!(plan.contains("AsofJoinExec") && !plan.contains("SortExec"), "{plan}");
}

#[test]
fn conditions_on_the_left_side_bound_what_is_read_of_both() {
    let sql = "SELECT count(*), count(r.value) FROM samples l ASOF JOIN samples r MATCH_CONDITION (l.time > r.time) \
               ON l.tag = r.tag WHERE l.tag = '88.100/p' AND l.time BETWEEN '2026-11-23T08:00:02Z' AND \
               '2026-11-23T08:00:04Z'";
    let plant = Plant::small();
    let read = Arc::clone(&plant.samples_read);
    assert_eq!(json(plant, sql)["rows"], json!([[3, 3]]));
    // Three on the left side, five up to the last of them on the right.
    assert_eq!(read.load(Ordering::Relaxed), 8);
}

#[test]
fn a_condition_on_the_right_side_is_looked_at_afterwards() {
    let sql = format!(
        "{SERIES} SELECT x FROM l ASOF JOIN r MATCH_CONDITION (l.t >= r.t) ON l.k = r.k WHERE y > 100 \
         ORDER BY x"
    );
    // Of ('a', 1) the row before is (0, 100): it is not replaced by another.
    assert_eq!(rows(&sql), json!([[20], [50], [90]]));
}

#[test]
fn joins_may_stand_in_each_other() {
    let sql = format!(
        "{SERIES} SELECT x, r.y, s.y FROM l ASOF JOIN r MATCH_CONDITION (l.t >= r.t) ON l.k = r.k \
         ASOF JOIN r s MATCH_CONDITION (l.t < s.t) ON l.k = s.k WHERE l.k = 'a' ORDER BY x"
    );
    assert_eq!(rows(&sql), json!([[10, 100, 500], [50, 500, 700], [90, 700, null]]));
}

#[test]
fn what_is_no_asof_join_is_told() {
    for (join, word) in [
        ("MATCH_CONDITION (l.t = r.t) ON l.k = r.k", "MATCH_CONDITION"),
        ("MATCH_CONDITION (l.t >= l.x) ON l.k = r.k", "MATCH_CONDITION"),
        ("MATCH_CONDITION (l.t >= r.t) USING (k)", "ON"),
        ("MATCH_CONDITION (l.t >= r.t) ON l.k > r.k", "equalities"),
    ] {
        let error = refused(&format!("{SERIES} SELECT 1 FROM l ASOF JOIN r {join}"));
        let told = matches!(&error, QueryError::Statement(text) if text.contains(word));
        assert!(told, "{join}: {error:?}");
    }
    let error = refused("SELECT \"asof join\"(1, 2, '>=')");
    assert!(matches!(error, QueryError::Statement(_)), "{error:?}");
}

/// Rows in pages, as a table.
fn table(rows: &[(i64, i64, i64)], page: usize) -> datafusion::datasource::MemTable {
    use datafusion::arrow::datatypes::{DataType as Type, Field, Schema};
    let fields = ["k", "t", "v"].map(|name| Field::new(name, Type::Int64, true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let pages = rows.chunks(page).map(|rows| {
        let column = |of: fn(&(i64, i64, i64)) -> i64| {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(of))) as _
        };
        let columns = vec![column(|row| row.0), column(|row| row.1), column(|row| row.2)];
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    });
    let pages = pages.collect();
    datafusion::datasource::MemTable::try_new(schema, vec![pages]).unwrap()
}

type Rows = Vec<(i64, i64, i64)>;

fn series() -> impl Strategy<Value = Rows> {
    let row = (0..4i64, 0..40i64);
    proptest::collection::btree_set(row, 0..60)
        .prop_map(|set| set.into_iter().enumerate().map(|(v, (k, t))| (k, t, v as i64)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_join_is_what_looking_at_all_pairs_gives(
        left in series(), right in series(), how in 0..4usize, page in 1..9usize, on in any::<bool>(),
    ) {
        let sign = [">=", ">", "<=", "<"][how];
        let matches = |l: i64, r: i64| [l >= r, l > r, l <= r, l < r][how];
        let expected: Vec<(i64, Option<i64>)> = left.iter().map(|l| {
            let of_row = right.iter().filter(|r| (!on || l.0 == r.0) && matches(l.1, r.1));
            let nearest = of_row.min_by_key(|r| (l.1 - r.1).abs());
            (l.2, nearest.map(|r| r.1))
        }).collect();
        let on = if on { "ON l.k = r.k" } else { "" };
        let sql = format!("SELECT l.v, r.t FROM l ASOF JOIN r MATCH_CONDITION (l.t {sign} r.t) {on} ORDER BY l.v");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let got = runtime.block_on(async {
            let source: Arc<dyn Source> = Arc::new(Plant::small());
            let builder = datafusion::execution::runtime_env::RuntimeEnvBuilder::new();
            let session = crate::session::open(source, 64 << 20, builder).unwrap();
            session.register_table("l", Arc::new(table(&left, page))).unwrap();
            session.register_table("r", Arc::new(table(&right, page))).unwrap();
            let state = session.state();
            let plan = state.statement_to_plan(crate::statement::parse(&sql).unwrap()).await.unwrap();
            session.execute_logical_plan(plan).await.unwrap().collect().await.unwrap()
        });
        let mut rows = Vec::new();
        for batch in &got {
            use datafusion::arrow::array::{Array, AsArray};
            use datafusion::arrow::datatypes::Int64Type;
            let (v, t) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
            rows.extend((0..batch.num_rows()).map(|row| (v.value(row), t.is_valid(row).then(|| t.value(row)))));
        }
        prop_assert_eq!(rows, expected);
    }
}
