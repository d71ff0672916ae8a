//! SQL at the door: who may ask, what an engine gets to see, and how it answers.

use serde_json::{Value as Json, json};
use weir_model::Grade;

use crate::bench::{Answer, Bench};

const QUERY: &str = "/api/v1/query";

async fn ask(bench: &Bench, token: &str, sql: &str) -> Answer {
    bench.post(QUERY, json!({ "sql": sql })).bearer(token).send().await
}

/// A public tag with two samples, and a core tag on a core asset.
async fn plant(bench: &Bench) -> (String, String) {
    let asset = json!({"name": "Vault", "level": "site", "grade": "core"});
    let asset = bench.post("/api/v1/assets", asset).bearer(&bench.admin).send().await.expect(201);
    let open = json!({
        "name": "Open", "data_type": "f64", "unit": "kPa", "grade": "public", "asset": asset["id"],
        "description": "For all",
    });
    let open = bench.tag(open).await;
    let secret = bench.tag(json!({"name": "Secret", "data_type": "f64", "grade": "core"})).await;
    let samples = json!([
        {"tag": open, "time": "2026-01-01T00:00:00Z", "value": 1.5},
        {"tag": secret, "time": "2026-01-01T00:00:00Z", "value": 2.5},
        {"tag": open, "time": "2026-01-01T00:00:01Z", "value": 3.5},
    ]);
    bench.store_samples(samples).await;
    (open, secret)
}

#[tokio::test]
async fn an_engine_sees_what_the_caller_sees() {
    let bench = Bench::new().await;
    let (open, secret) = plant(&bench).await;
    let viewer = bench.token_of("vera", "viewer", Grade::General).await;
    let second = bench.second_organisation().await;

    let all = ask(&bench, &bench.admin, "numbers").await;
    assert!(all.text().contains(&open) && all.text().contains(&secret), "{all:?}");
    let samples = ask(&bench, &bench.admin, "samples").await;
    assert!(samples.text().starts_with("[2, 1]"), "{samples:?}");

    for sql in ["numbers".to_owned(), "tags".to_owned(), format!("numbers {open} {secret}")] {
        let some = ask(&bench, &viewer, &sql).await;
        assert!(some.text().contains(&open) && !some.text().contains(&secret), "{some:?}");
        let none = ask(&bench, &second, &sql).await;
        assert_eq!((none.status.as_u16(), none.text()), (200, "[]"), "{sql}");
    }
    let samples = ask(&bench, &viewer, "samples").await;
    assert!(samples.text().starts_with("[2]"), "{samples:?}");
    assert_eq!(ask(&bench, &second, "samples").await.text(), "[] None");
    let samples = ask(&bench, &viewer, &format!("samples {secret}")).await;
    assert_eq!(samples.text(), "[] None");

    let tags = ask(&bench, &viewer, "tags").await;
    let told = ["name: \"Open\"", "unit: Some(\"kPa\")", "description: \"For all\"", "asset: None"];
    assert!(told.iter().all(|told| tags.text().contains(told)), "{tags:?}");
    assert_eq!(ask(&bench, &viewer, "assets").await.text(), "[]");
    assert!(ask(&bench, &bench.admin, "assets").await.text().contains("level: \"site\""));
}

#[tokio::test]
async fn tables_of_documents_ask_for_their_own_permissions() {
    let bench = Bench::new().await;
    let (open, _) = plant(&bench).await;
    let token = json!({
        "name": "samples only", "scopes": ["sample:read"], "expires": crate::bench::in_a_day(),
    });
    let token = bench.post("/api/v1/tokens", token).bearer(&bench.admin).send().await.expect(201);
    let token = token["token"].as_str().unwrap();
    assert!(ask(&bench, token, "numbers").await.text().contains(&open));
    for sql in ["tags", "assets"] {
        let refused = ask(&bench, token, sql).await;
        assert_eq!(refused.status, 403);
        refused.problem("forbidden");
    }
    let token = json!({
        "name": "tags only", "scopes": ["tag:read"], "expires": crate::bench::in_a_day(),
    });
    let token = bench.post("/api/v1/tokens", token).bearer(&bench.admin).send().await.expect(201);
    ask(&bench, token["token"].as_str().unwrap(), "numbers").await.problem("forbidden");
}

#[tokio::test]
async fn the_caller_chooses_how_rows_are_written() {
    let bench = Bench::new().await;
    for (accept, format, kind) in [
        ("*/*", "Json", "application/json"),
        ("application/json", "Json", "application/json"),
        ("text/csv", "Csv", "text/csv; charset=utf-8"),
        ("text/html, text/csv;q=0.8, application/json", "Csv", "text/csv; charset=utf-8"),
        ("application/vnd.apache.arrow.stream", "Arrow", "application/vnd.apache.arrow.stream"),
    ] {
        let call = bench.post(QUERY, json!({"sql": "format"})).bearer(&bench.admin);
        let answer = call.header("accept", accept).send().await;
        assert_eq!((answer.text(), answer.header("content-type")), (format, kind), "{accept}");
    }
}

#[tokio::test]
async fn failures_are_problems() {
    let bench = Bench::new().await;
    let asked = [
        ("nonsense", 422, "invalid-value", "/sql: what is nonsense?"),
        ("limit", 422, "query-limit", "The answer has too many rows."),
        ("time", 504, "timeout", "It took long."),
        ("busy", 503, "unavailable", "Too many run."),
        ("fail", 500, "internal", ""),
    ];
    for (sql, status, code, detail) in asked {
        let answer = ask(&bench, &bench.admin, sql).await;
        assert_eq!(answer.status, status, "{sql}");
        answer.problem(code);
        let told = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(told.starts_with(detail) && !told.contains("disk"), "{told}");
    }
    for body in [json!({}), json!({"sql": 1}), json!({"sql": "x", "tenant": 1}), Json::Null] {
        let answer = bench.post(QUERY, body).bearer(&bench.admin).send().await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{answer:?}");
    }
}

#[tokio::test]
async fn a_program_without_an_engine_says_so() {
    let bench = Bench::new().await;
    let call = bench.post(QUERY, json!({"sql": "SELECT 1"})).bearer(&bench.admin);
    let answer = call.through(bench.router_without_query()).await;
    assert_eq!(answer.status, 501);
    answer.problem("not-implemented");
}
