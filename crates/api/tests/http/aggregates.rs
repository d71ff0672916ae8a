//! Aggregates of tags over buckets of time.

use serde_json::{Value as Json, json};
use weir_model::Timestamp;

use crate::bench::{Bench, segment};

const P: &str = "88.100/p";
const D: &str = "88.100/d";
const S: &str = "88.100/s";

/// A pressure, a door, and a secret text.
async fn plant(bench: &Bench) {
    for (id, data_type, grade) in [(P, "f64", "public"), (D, "bool", "public"), (S, "text", "core")]
    {
        bench.tag(json!({"id": id, "name": id, "data_type": data_type, "grade": grade})).await;
    }
    let sample = |tag: &str, time: &str, value: Json| json!({"tag": tag, "time": format!("2026-01-01T{time}Z"), "value": value});
    let mut bad = sample(P, "00:45:00", Json::Null);
    bad["quality"] = "bad".into();
    bench
        .store_samples(json!([
            sample(P, "00:00:00", json!(10)),
            sample(P, "00:30:00", json!(40)),
            bad,
            sample(P, "02:00:00", json!(1)),
            sample(D, "00:15:00", json!(true)),
            sample(D, "00:45:00", json!(false)),
            sample(S, "00:10:00", json!("runs")),
        ]))
        .await;
}

const SPAN: &str = "from=2026-01-01T00:00:00Z&to=2026-01-01T03:00:00Z&width=1h";

async fn get(bench: &Bench, uri: &str) -> Json {
    let found = bench.get(uri).bearer(&bench.admin).send().await.expect(200);
    found["aggregates"].clone()
}

#[tokio::test]
async fn buckets_are_weighted_by_samples_and_by_time() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let functions =
        "avg,time_avg,total,min,max,sum,count,samples,first,last,good_time,bad_time,percent_good";
    let uri = format!("/api/v1/tags/{}/aggregates?{SPAN}&functions={functions}", segment(P));
    let rows = get(&bench, &uri).await;
    let first = json!({
        "tag": P, "time": "2026-01-01T00:00:00Z", "avg": 25.0, "time_avg": 20.0, "total": 54_000.0,
        "min": 10.0, "max": 40.0, "sum": 50.0, "count": 2, "samples": 3, "first": 10.0, "last": 40.0,
        "good_time": 2700.0, "bad_time": 900.0, "percent_good": 75.0,
    });
    assert_eq!(rows[0], first);
    let second = json!({
        "tag": P, "time": "2026-01-01T01:00:00Z", "avg": null, "time_avg": null, "total": null,
        "min": null, "max": null, "sum": null, "count": 0, "samples": 0, "first": null, "last": null,
        "good_time": 0.0, "bad_time": 3600.0, "percent_good": 0.0,
    });
    assert_eq!(rows[1], second);
    assert_eq!((&rows[2]["avg"], &rows[2]["good_time"]), (&json!(1.0), &json!(3600.0)));
    assert_eq!(rows.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn tags_are_asked_for_together_and_as_csv() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let span = "from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z";
    let uri = format!("/api/v1/aggregates?tags={D},{P}&{span}&functions=time_avg,count");
    let rows = get(&bench, &uri).await;
    // On for half an hour of the three quarters that are known.
    let on = json!({"tag": D, "time": "2026-01-01T00:00:00Z", "time_avg": 30.0 / 45.0, "count": 2});
    assert_eq!((&rows[0], &rows[1]["tag"]), (&on, &json!(P)));
    let request = bench.get(&uri).bearer(&bench.admin).header("accept", "text/csv");
    let answer = request.send().await;
    let expected = format!(
        "tag,time,time_avg,count\n{D},2026-01-01T00:00:00Z,{},2\n{P},2026-01-01T00:00:00Z,20.0,2\n",
        30.0 / 45.0
    );
    assert_eq!(answer.text(), expected);
}

#[tokio::test]
async fn wrong_questions_are_told_which_field_is_wrong() {
    let bench = Bench::new().await;
    plant(&bench).await;
    for (query, field) in [
        (format!("tags={P}&width=1x"), "width"),
        (format!("tags={P}&width=1ns"), "width"),
        (format!("tags={P}&functions=median"), "functions"),
        (format!("tags={P}&offset=soon"), "offset"),
        ("width=1h".to_owned(), "tags"),
        (format!("tags={P}&asset=88.100/a"), "tags"),
        ("asset=88.100/a".to_owned(), "asset"),
    ] {
        let refused = bench.get(&format!("/api/v1/aggregates?{query}")).bearer(&bench.admin);
        let refused = refused.send().await;
        assert!(refused.status.is_client_error(), "{query}");
        assert_eq!(refused.json()["errors"][0]["field"], field, "{query}");
    }
}

#[tokio::test]
async fn aggregates_are_read_in_other_units() {
    let bench = Bench::new().await;
    let id = bench.tag(json!({"id": P, "name": "p", "data_type": "f64", "unit": "kPa"})).await;
    let sample = |time: &str, value: f64| json!({"tag": id, "time": format!("2026-01-01T{time}Z"), "value": value});
    bench.store_samples(json!([sample("00:00:00", 100.0), sample("00:30:00", 300.0)])).await;
    let uri = |unit: &str| {
        let functions = "avg,time_avg,total,min,max,sum,count,good_time";
        format!("/api/v1/tags/{}/aggregates?{SPAN}&functions={functions}&unit={unit}", segment(P))
    };
    let found = bench.get(&uri("bar")).bearer(&bench.admin).send().await.expect(200);
    assert_eq!(found["unit"], "bar");
    let first = json!({
        "tag": P, "time": "2026-01-01T00:00:00Z", "avg": 2.0, "time_avg": 2.0, "total": 7200.0,
        "min": 1.0, "max": 3.0, "sum": 4.0, "count": 2, "good_time": 3600.0,
    });
    assert_eq!(found["aggregates"][0], first);
    let wrong = bench.get(&uri("Cel")).bearer(&bench.admin).send().await;
    assert_eq!(wrong.problem("invalid-request"), "unit");
    // No number stands for a time in which the unit changed.
    let now = Timestamp::from_system(std::time::SystemTime::now());
    bench.pass(std::time::Duration::from_secs(60));
    let tag = format!("/api/v1/tags/{}", segment(P));
    bench.patch(&tag, json!({"unit": "bar"})).bearer(&bench.admin).send().await.expect(200);
    let to = now.saturating_add(120_000_000_000);
    let changed = format!("{tag}/aggregates?from={now}&to={to}&unit=kPa");
    let wrong = bench.get(&changed).bearer(&bench.admin).send().await;
    assert_eq!(wrong.problem("invalid-request"), "unit");
}
