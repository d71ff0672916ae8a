//! What holds for every route: names of requests, one shape of failure, bounds, headers.

use std::time::Duration;

use serde_json::json;
use weir_api::Limits;

use crate::bench::Bench;

#[tokio::test]
async fn failures_have_one_shape() {
    let bench = Bench::new().await;
    let admin = bench.admin.as_str();
    bench.get("/api/v1/nothing").send().await.problem("not-found");
    bench.get("/api/v1/nothing").header("accept", "text/html").send().await.problem("not-found");
    bench.get("/nothing").send().await.problem("not-found");
    let wrong_method = bench.call(http::Method::PUT, "/api/v1/tags", None).send().await;
    wrong_method.problem("method-not-allowed");
    assert!(wrong_method.header("allow").contains("GET"));
    let post = |body: &'static str| {
        bench.post("/api/v1/assets", json!({})).bearer(admin).body("application/json", body).send()
    };
    post("{").await.problem("invalid-request");
    assert_eq!(post(r#"{"name":1,"level":"site"}"#).await.problem("invalid-value"), "/name");
    assert_eq!(post(r#"{"name":"a","level":"cellar"}"#).await.problem("invalid-value"), "/level");
    assert_eq!(post(r#"{"name":"a","level":"site","x":1}"#).await.problem("invalid-value"), "/x");
    let text = bench.post("/api/v1/assets", json!({})).bearer(admin).body("text/plain", "x");
    text.send().await.problem("unsupported-media-type");
    let large = vec![b' '; 5 << 20];
    let large =
        bench.post("/api/v1/assets", json!({})).bearer(admin).body("application/json", large);
    let large = large.send().await;
    large.problem("too-large");
    assert_eq!(large.header("connection"), "close", "the rest of the body was not read");
    let refused = bench.post("/api/v1/assets", json!({})).send().await;
    refused.problem("unauthenticated");
    assert_eq!(refused.header("connection"), "close");
    let list = post(r#"["a", "site"]"#).await;
    list.problem("invalid-request");
    assert_eq!(list.header("connection"), "", "the body was read");
    let audit = bench.get("/api/v1/audit?limit=501").bearer(admin).send().await;
    assert_eq!(audit.problem("invalid-request"), "limit");
    let query = bench.get("/api/v1/tags?limit=x").bearer(admin).send().await;
    assert_eq!(query.problem("invalid-request"), "limit");
    let query = bench.get("/api/v1/tags?limit=1001").bearer(admin).send().await;
    assert_eq!(query.problem("invalid-request"), "limit");
    let query = bench.get("/api/v1/tags?colour=red").bearer(admin).send().await;
    assert_eq!(query.problem("invalid-request"), "colour");
    let cursor = bench.get("/api/v1/tags?cursor=x").bearer(admin).send().await;
    assert_eq!(cursor.problem("invalid-request"), "cursor");
    bench.get("/api/v1/tags/no-identifier").bearer(admin).send().await.problem("not-found");
    bench.get("/api/v1/tags/%ff").bearer(admin).send().await.problem("not-found");
}

#[tokio::test]
async fn every_answer_is_named_and_guarded() {
    let bench = Bench::new().await;
    let mut names = std::collections::HashSet::new();
    for uri in ["/healthz", "/api/v1/tags", "/api/v1/openapi.json", "/nothing", "/metrics"] {
        let answer = bench.get(uri).send().await;
        assert!(names.insert(answer.header("x-request-id").to_owned()), "{uri}");
        assert_eq!(answer.header("x-request-id").len(), 32);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("strict-transport-security"), "", "only with TLS");
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_ended() {
    let limits = Limits { request_timeout: Duration::from_millis(50), ..Limits::default() };
    // The bench's own set-up hashes passwords, which takes longer than that; so it is a second
    // router on the same rooms that has the short limit.
    let bench = Bench::new().await;
    let slow = bench.router_with(limits);
    let body = axum::body::Body::from_stream(futures::stream::pending::<
        Result<axum::body::Bytes, std::io::Error>,
    >());
    let call = bench.post("/api/v1/samples", json!({})).bearer(&bench.admin);
    call.body("application/json", body).through(slow).await.problem("timeout");
}

#[tokio::test]
async fn beyond_the_bound_requests_are_shed() {
    let bench = Bench::new().await;
    let full = bench.router_with(Limits { requests_max: 0, ..Limits::default() });
    let answer = bench.get("/healthz").through(full).await;
    answer.problem("unavailable");
    assert_eq!(answer.header("retry-after"), "2");
}

#[tokio::test]
async fn health_readiness_and_metrics() {
    let bench = Bench::new().await;
    assert_eq!(bench.get("/healthz").send().await.expect(200)["status"], "ok");
    assert_eq!(bench.get("/readyz").send().await.expect(200)["status"], "ready");
    let metrics = bench.get("/metrics").bearer(&bench.admin).send().await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().contains("\nweir_samples_total 0\n"), "{}", metrics.text());
    bench.shutdown.cancel();
    bench.get("/readyz").send().await.problem("unavailable");
}

#[tokio::test]
async fn documents_as_a_whole() {
    let bench = Bench::new().await;
    bench.tag(json!({"name": "Pressure", "data_type": "f64"})).await;
    let export = bench.get("/api/v1/export").bearer(&bench.admin).send().await;
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    assert!(export.text().contains("\"Pressure\"") && !export.text().contains("argon2"));
    let other = Bench::new().await;
    let import = other.post("/api/v1/import", json!(null)).bearer(&other.admin);
    let lines: Vec<&str> = export.text().lines().collect();
    let tag = lines.iter().find(|line| line.contains("\"tags\"")).unwrap();
    let end = r#"{"end":true,"lines":1,"position":1}"#;
    let tags = format!("{}\n{tag}\n{end}\n", lines[0]);
    let import = import.body("application/x-ndjson", tags).send().await;
    assert_eq!(import.expect(200)["lines"], 1);
    let found = other.get("/api/v1/tags/88.100%2Fpressure").bearer(&other.admin).send().await;
    assert_eq!(found.expect(200)["name"], "Pressure");
    let backup = bench.post("/api/v1/backup", json!(null)).bearer(&bench.admin).send().await;
    assert!(backup.expect(201)["name"].as_str().unwrap().starts_with("20"));
}
