//! The clients of the MQTT broker.

use serde_json::{Value as Json, json};
use weir_model::Grade;

use crate::bench::Bench;

async fn list(bench: &Bench, query: &str) -> Json {
    let uri = format!("/api/v1/mqtt/clients{query}");
    bench.get(&uri).bearer(&bench.admin).send().await.expect(200)
}

#[tokio::test]
async fn clients_are_listed_in_pages_and_searched() {
    let bench = Bench::new().await;
    let first = list(&bench, "?limit=150").await;
    let broker = json!({"address": "127.0.0.1:8883", "tls": true, "sessions": 200, "retained": 7});
    assert_eq!(first["broker"], broker);
    assert_eq!(first["items"].as_array().unwrap().len(), 150);
    assert_eq!(first["items"][0]["connection"]["messages_in"], 4711);
    let next = first["next"].as_str().unwrap();
    let second = list(&bench, &format!("?limit=150&cursor={next}")).await;
    assert_eq!(second["items"].as_array().unwrap().len(), 50);
    assert_eq!(second["next"], Json::Null);
    let found = list(&bench, "?q=SECRET-01%2010.0.0.7&limit=10").await;
    assert_eq!(found["items"].as_array().unwrap().len(), 10);
    assert_eq!(found["next"], Json::Null);
    assert_eq!(list(&bench, "?connected=false").await["items"], json!([]));
}

#[tokio::test]
async fn a_client_is_disconnected_and_the_audit_says_so() {
    let bench = Bench::new().await;
    let uri = "/api/v1/mqtt/clients/secret-007/disconnect";
    bench.post(uri, json!({})).bearer(&bench.admin).send().await.expect(204);
    bench.post(uri, json!({})).bearer(&bench.admin).send().await.problem("not-found");
    let kept = list(&bench, "?connected=false").await;
    assert_eq!(kept["items"][0]["client_id"], "secret-007");
    assert_eq!(kept["items"][0]["connection"], Json::Null);
    let audit = bench.get("/api/v1/audit?q=mqtt.disconnect").bearer(&bench.admin).send().await;
    let audit = audit.expect(200);
    let entry = &audit["items"][0];
    assert!(entry.to_string().contains("secret-007"), "{audit}");
}

#[tokio::test]
async fn clients_are_core() {
    let bench = Bench::new().await;
    let engineer = bench.token_of("emil", "engineer", Grade::Important).await;
    let list = bench.get("/api/v1/mqtt/clients").bearer(&engineer).send().await;
    list.problem("forbidden");
    let uri = "/api/v1/mqtt/clients/secret-007/disconnect";
    bench.post(uri, json!({})).bearer(&engineer).send().await.problem("forbidden");
}
