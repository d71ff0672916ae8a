//! Samples of many tags in one answer, and what the historian tells of its files.

use serde_json::{Value as Json, json};
use weir_model::Grade;

use crate::bench::Bench;

const CSV: &str = "tag,time,value,quality\n\
    88.100/p,2026-01-01T00:00:00Z,1.5,good\n\
    88.100/p,2026-01-01T00:00:01Z,2.5,good\n\
    88.100/s,2026-01-01T00:00:00Z,\"a, b\",good\n";

async fn plant(bench: &Bench) {
    for (id, data_type, grade) in [("88.100/p", "f64", "public"), ("88.100/s", "text", "core")] {
        let tag = json!({"id": id, "name": id, "data_type": data_type, "grade": grade});
        bench.tag(tag).await;
    }
    let sample = |tag: &str, second: u32, value: Json| json!({"tag": tag, "time": format!("2026-01-01T00:00:0{second}Z"), "value": value});
    bench
        .store_samples(json!([
            sample("88.100/p", 1, json!(2.5)),
            sample("88.100/s", 0, json!("a, b")),
            sample("88.100/p", 0, json!(1.5)),
        ]))
        .await;
}

#[tokio::test]
async fn samples_of_many_tags_are_one_file() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let get = async |uri: &str, accept: &str, token: &str| {
        bench.get(uri).header("accept", accept).bearer(token).send().await
    };
    let all = get("/api/v1/samples", "text/csv", &bench.admin).await;
    assert_eq!(all.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(all.text(), CSV);
    let some = "/api/v1/samples?tags=88.100%2Fs,88.100%2Fp&from=2026-01-01T00:00:01Z";
    let some = get(some, "text/csv", &bench.admin).await;
    assert_eq!(
        some.text().lines().skip(1).collect::<Vec<_>>(),
        ["88.100/p,2026-01-01T00:00:01Z,2.5,good"]
    );
    // What is above the caller's ceiling is left out of all, and not there when it is named.
    let viewer = bench.token_of("viewer", "viewer", Grade::Public).await;
    let seen = get("/api/v1/samples", "text/csv", &viewer).await;
    assert_eq!(seen.text().lines().count(), 3);
    let hidden = get("/api/v1/samples?tags=88.100%2Fs", "text/csv", &viewer).await;
    hidden.problem("not-found");
    let backwards = "/api/v1/samples?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z";
    get(backwards, "text/csv", &bench.admin).await.problem("invalid-request");
}

#[tokio::test]
async fn the_same_as_parquet() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let call = bench.get("/api/v1/samples").header("accept", "application/vnd.apache.parquet");
    let answer = call.bearer(&bench.admin).send().await;
    assert_eq!(answer.header("content-type"), "application/vnd.apache.parquet");
    assert!(answer.body.starts_with(b"PAR1") && answer.body.ends_with(b"PAR1"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.parquet");
    std::fs::write(&path, &answer.body).unwrap();
    let mut file = weir_historian::ParquetImport::open(std::fs::File::open(path).unwrap()).unwrap();
    let rows = file.next_rows().unwrap().unwrap();
    let rows: Vec<_> = rows.into_iter().map(|row| (row.tag, row.value.unwrap())).collect();
    let expected = [("88.100/p", "1.5"), ("88.100/p", "2.5"), ("88.100/s", "a, b")];
    assert_eq!(rows, expected.map(|(tag, value)| (tag.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn the_historian_tells_what_it_holds_and_whether_it_is_sound() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let held = bench.get("/api/v1/historian").bearer(&bench.admin).send().await.expect(200);
    assert_eq!((&held["samples"], &held["position"]), (&json!(3), &json!(1)));
    let check = bench.post("/api/v1/historian/check", json!({})).bearer(&bench.admin).send().await;
    let last: Json = serde_json::from_str(check.text().lines().last().unwrap()).unwrap();
    assert_eq!(last["checked"]["faults"], 0);
    let viewer = bench.token_of("viewer", "viewer", Grade::Core).await;
    bench.get("/api/v1/historian").bearer(&viewer).send().await.problem("forbidden");
}
