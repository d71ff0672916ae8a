//! Long answers: what they hold is bounded, and they end with their caller.

use http_body_util::BodyExt;
use serde_json::json;
use weir_api::Limits;
use weir_model::{Batch, Grade, Quality, Sample, TagId, TenantId, Timestamp, Value};

use crate::bench::{Bench, PATIENCE};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000_000_000;

const SPAN: &str = "from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z";

/// Each answers some megabytes of samples of the tag that [`plant`] makes.
fn long() -> [String; 4] {
    [
        format!("/api/v1/tags/88.100%2Fp/samples?{SPAN}"),
        format!("/api/v1/samples?{SPAN}"),
        format!("/api/v1/frames?tags=88.100/p&step=10ms&{SPAN}"),
        format!("/api/v1/aggregates?tags=88.100/p&width=100ms&{SPAN}"),
    ]
}

async fn store(bench: &Bench, samples: Vec<(TagId, Sample)>) {
    let batch = Batch {
        tenant: TenantId(1),
        producer: None,
        backfill: false,
        arrival: Timestamp::from_nanos(START + 3_600_000_000_000),
        samples: samples.into(),
    };
    bench.historian.append(batch).await.unwrap();
}

fn sample(at: i64, value: Value) -> Sample {
    let time = Timestamp::from_nanos(START + at);
    Sample { time, value: Some(value), quality: Quality::GOOD }
}

/// A tag with 60,000 samples.
async fn plant(bench: &Bench) {
    bench.tag(json!({"id": "88.100/p", "name": "p", "data_type": "f64", "grade": "public"})).await;
    let samples = (0..60_000).map(|n| (TagId(1), sample(n * 10_000_000, Value::F64(n as f64))));
    let samples: Vec<_> = samples.collect();
    for some in samples.chunks(10_000) {
        store(bench, some.to_vec()).await;
    }
}

#[tokio::test]
async fn a_long_answer_is_cut_when_its_token_is_revoked() {
    let bench = Bench::new().await;
    plant(&bench).await;
    for (at, uri) in long().iter().enumerate() {
        let name = format!("reader-{at}");
        let token = bench.token_of(&name, "viewer", Grade::Public).await;
        let open = bench.get(uri).bearer(&token).open().await;
        assert_eq!(open.status(), 200, "{uri}");
        let list = bench.get("/api/v1/tokens").bearer(&bench.admin).send().await.expect(200);
        let list = list["items"].as_array().unwrap();
        let id = &list.iter().find(|token| token["name"] == name.as_str()).unwrap()["id"];
        let gone = format!("/api/v1/tokens/{}", id.as_str().unwrap());
        bench.delete(&gone).bearer(&bench.admin).send().await.expect(204);
        assert!(open.into_body().collect().await.is_err(), "{uri}");
    }
}

#[tokio::test]
async fn a_long_answer_is_cut_when_the_node_stops() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let mut bodies = Vec::new();
    for uri in long() {
        bodies.push(bench.get(&uri).bearer(&bench.admin).open().await.into_body());
    }
    bench.shutdown.cancel();
    for body in bodies {
        assert!(body.collect().await.is_err());
    }
}

#[tokio::test]
async fn long_answers_share_a_bound_and_short_ones_need_none() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let none = bench.router_with(Limits { answers_bytes_max: 0, ..Limits::default() });
    let one = bench.router_with(Limits { answers_bytes_max: 8 << 20, ..Limits::default() });
    for uri in long() {
        let call = || bench.get(&uri).bearer(&bench.admin);
        call().through(none.clone()).await.problem("unavailable");
        let short = uri.replace("T01:00:00Z", "T00:00:01Z");
        let short = bench.get(&short).bearer(&bench.admin).through(none.clone()).await;
        assert_eq!(short.status, 200, "{uri}");
        // Two at most go into the bound; a third does once one is gone.
        let mut open = Vec::new();
        loop {
            let next = call().open_through(one.clone()).await;
            if next.status() == 503 {
                break;
            }
            open.push(next);
        }
        assert!((1..=2).contains(&open.len()), "{uri}: {}", open.len());
        drop(open);
        let again = async {
            while call().open_through(one.clone()).await.status() == 503 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, again).await.unwrap();
        // That one is let go before the next address is asked.
        let whole = async {
            loop {
                let answer = call().through(one.clone()).await;
                if answer.status == 200 {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        };
        let whole = tokio::time::timeout(PATIENCE, whole).await.unwrap();
        assert!(whole.body.len() > 1 << 20, "{uri}: {}", whole.body.len());
    }
}

#[tokio::test]
async fn values_at_times_are_bounded_over_all_tags() {
    let bench = Bench::new().await;
    let ids = ["88.100/a", "88.100/b", "88.100/c"];
    for id in ids {
        bench.tag(json!({"id": id, "name": id, "data_type": "array", "grade": "public"})).await;
    }
    let wave: Value = Value::Array(vec![Value::F64(1.0); 65_536].into());
    for tag in 1..=3 {
        store(&bench, vec![(TagId(tag), sample(0, wave.clone()))]).await;
    }
    let uri = |tags: &str, times: usize| {
        let times: Vec<String> =
            (0..times).map(|second| format!("2026-01-01T00:00:{second:02}Z")).collect();
        format!("/api/v1/at?tags={tags}&time={}", times.join(","))
    };
    // Forty of one tag are within 64 MiB, of three they are not.
    let call = bench.get(&uri(&ids.join(","), 40)).bearer(&bench.admin);
    let refused = call.send().await;
    assert_eq!(refused.status, 400);
    refused.problem("invalid-request");
    let found = bench.get(&uri(&ids.join(","), 2)).bearer(&bench.admin).send().await.expect(200);
    let items = found["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    for (item, id) in items.iter().zip(ids) {
        let samples = item["samples"].as_array().unwrap();
        assert_eq!((item["tag"].as_str(), samples.len()), (Some(id), 2));
        assert!(samples.iter().all(|s| s["value"].as_array().unwrap().len() == 65_536));
    }
    let csv = bench.get(&uri("88.100/a,88.100/b", 3)).bearer(&bench.admin);
    let csv = csv.header("accept", "text/csv").send().await;
    assert_eq!(csv.text().lines().count(), 7);
}
