//! Aggregates of a historian's samples, which gives sums in their place: the same as the general way,
//! which adds every sample.

use futures::stream;
use proptest::prelude::*;
use weir_historian::{Historian, Options};
use weir_model::{Batch, RollupsWanted, TenantId};

use super::*;

const TENANT: TenantId = TenantId(1);

/// Four tags of a historian.
#[derive(Clone)]
struct Stored(Historian);

impl Source for Stored {
    fn numbers(&self, wanted: Wanted<'_>) -> Result<Vec<(TagId, String)>, SourceError> {
        let all = (0..4).map(|tag| (TagId(tag), format!("88.100/{tag}")));
        Ok(all.filter(|(_, id)| wanted.is_none_or(|ids| ids.contains(id))).collect())
    }

    fn tags(&self, _: Wanted<'_>) -> Result<Vec<TagRow>, SourceError> {
        Ok(Vec::new())
    }

    fn assets(&self) -> Result<Vec<AssetRow>, SourceError> {
        Ok(Vec::new())
    }

    fn last(
        &self,
        tags: &[TagId],
        span: (Timestamp, Timestamp),
        columns: SampleColumns,
    ) -> Result<SamplePage, SourceError> {
        Ok(self.0.last_page(TENANT, tags, span, columns))
    }

    fn rollups(&self, _: RollupsWanted) -> RollupPages {
        stream::empty().boxed()
    }

    fn samples(&self, wanted: SamplesWanted) -> Pages {
        let reading = self.0.bulk(TENANT, wanted);
        let pages = stream::try_unfold(reading, |mut reading| async move {
            let page = reading.next().await?;
            Ok::<_, SourceError>(page.map(|page| (page, reading)))
        });
        pages.boxed()
    }
}

/// What the keys are, what is measured, and a condition.
const STATEMENTS: &[(&str, &str)] = &[
    (
        "",
        "count(*), count(VALUE), sum(VALUE), avg(VALUE), min(VALUE), max(VALUE), min(time), max(time)",
    ),
    ("tag", "count(*), count(VALUE), sum(VALUE), avg(VALUE), stddev(VALUE), var_pop(VALUE)"),
    ("tag", "first(VALUE, time), last(VALUE, time), min(VALUE), max(time)"),
    ("tag, time_bucket('1 hour', time)", "avg(VALUE), min(VALUE), max(VALUE), count(*)"),
    ("time_bucket('1 day', time)", "count(*), sum(VALUE), max(VALUE)"),
    ("date_trunc('hour', time)", "count(VALUE), avg(VALUE)"),
    ("quality", "count(*)"),
    ("quality", "count(*), avg(VALUE)"),
    ("tag, quality", "count(*)"),
];

const CONDITIONS: &[&str] = &[
    "true",
    "value > 0",
    "value BETWEEN -10 AND 60",
    "value IS NOT NULL",
    "quality = 'good'",
    "quality <> 'good' AND value > 2",
    "time >= '2026-11-23T09:30:00Z'",
    "time < '2026-11-23T10:00:00Z' AND tag IN ('88.100/0', '88.100/3')",
];

fn value(tag: u32, serial: i64) -> Option<Value> {
    match (tag, serial % 501) {
        (_, 0) => None,
        (0, _) => Some(Value::F64((serial as f64 / 700.0).sin() * 50.0)),
        // Of greater ones, digits of a variance would differ: the general way loses some of them.
        (1, _) => Some(Value::I64(1_000_000 - serial)),
        (2, n) if n % 2 == 0 => Some(Value::Text("on".into())),
        (2, n) => Some(Value::Bool(n % 3 == 0)),
        _ => Some(Value::F64(3.25)),
    }
}

async fn stored(dir: &std::path::Path, rows: i64, late: &[(u32, i64)], merged: bool) -> Historian {
    let historian = Historian::open(dir, Options::default()).unwrap();
    let mut serial = 0;
    let mut sample = |tag: u32, second: i64| {
        serial += 1;
        let quality = match serial % 601 {
            0 => Quality::BAD,
            1 => Quality::TIMEOUT,
            _ => Quality::GOOD,
        };
        let time = Timestamp::from_nanos(START + second * SECOND);
        (TagId(tag), Sample { time, value: value(tag, serial), quality })
    };
    let mut batches =
        vec![(0..4).flat_map(|tag| (0..rows).map(move |at| (tag, at))).collect::<Vec<_>>()];
    batches.extend(late.iter().map(|(tag, at)| (*at..at + 20).map(|at| (*tag, at)).collect()));
    for keys in batches {
        let samples: Vec<_> = keys.into_iter().map(|(tag, at)| sample(tag, at)).collect();
        let arrival = Timestamp::from_nanos(START + 100 * 86_400 * SECOND);
        let batch = Batch {
            tenant: TENANT,
            producer: None,
            backfill: false,
            arrival,
            samples: samples.into(),
        };
        historian.append(batch).await.unwrap();
        historian.flush().await.unwrap();
    }
    if merged {
        historian.compact().await.unwrap();
    }
    historian
}

/// Whether two cells are the same, or doubles that adding in another order makes of the same.
fn is_near(a: &Json, b: &Json) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3),
        _ => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn sums_answer_what_samples_answer(
        rows in 1100..9000i64,
        late in proptest::collection::vec((0..4u32, 0..9000i64), 0..3),
        merged in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let historian = runtime.block_on(stored(dir.path(), rows, &late, merged));
        let engine = Engine::new(limits()).unwrap();
        let source: Arc<dyn Source> = Arc::new(Stored(historian));
        let ask = |sql: &str| -> Vec<Vec<Json>> {
            let answer = engine.run(sql.to_owned(), Format::Json, Arc::clone(&source));
            let answer = runtime.block_on(answer).unwrap_or_else(|error| panic!("{sql}: {error}"));
            let mut rows: Json = serde_json::from_slice(&answer.bytes).unwrap();
            serde_json::from_value(rows["rows"].take()).unwrap()
        };
        for (keys, measures) in STATEMENTS {
            for condition in CONDITIONS {
                let tail = if keys.is_empty() { String::new() } else { format!(" GROUP BY {keys} ORDER BY {keys}") };
                let lead = if keys.is_empty() { String::new() } else { format!("{keys}, ") };
                let sql = format!(
                    "SELECT {lead}{} FROM samples WHERE {condition}{tail}",
                    measures.replace("VALUE", "value")
                );
                let other = format!(
                    "SELECT {lead}{} FROM (SELECT tag, time, quality, CASE WHEN random() >= 0 THEN value END AS v \
                     FROM samples WHERE {condition}){tail}",
                    measures.replace("VALUE", "v")
                );
                let (found, expected) = (ask(&sql), ask(&other));
                let same = found.len() == expected.len()
                    && found.iter().flatten().zip(expected.iter().flatten()).all(|(a, b)| is_near(a, b));
                prop_assert!(same, "{sql}\n{found:?}\n{expected:?}");
                let plan = format!("{:?}", ask(&format!("EXPLAIN {sql}")));
                prop_assert!(plan.contains("SeriesAggregate"), "{plan}");
            }
        }
    }
}
