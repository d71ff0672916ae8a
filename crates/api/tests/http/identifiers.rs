//! Identifiers that stand for themselves: put, read, listed and withdrawn, each in its own organisation.

use serde_json::json;

use crate::bench::Bench;

const URI: &str = "/api/v1/identifiers/88.100%2Fp-101";

#[tokio::test]
async fn a_record_is_put_read_listed_and_withdrawn() {
    let bench = Bench::new().await;
    let admin = bench.admin.as_str();
    let body = json!({"values": [
        {"index": 1, "type": "URL", "data": "https://example.org/p-101"},
        {"index": 2, "type": "KEY", "data": {"base64": "AAH/"}, "permissions": "1100", "ttl": 60,
         "references": ["1:88.100/other"]},
    ]});
    let made = bench.put(URI, body.clone()).bearer(admin).header("if-none-match", "*").send().await;
    assert_eq!(made.header("etag"), "\"1\"");
    let made = made.expect(200);
    assert_eq!((&made["kind"], &made["published"]), (&json!("handle"), &json!(true)));
    let read: Vec<_> = made["values"].as_array().unwrap().iter().map(|v| &v["read"]).collect();
    assert_eq!(read, ["public", "private"]);
    assert_eq!(made["values"][1]["data"], json!({"base64": "AAH/"}));
    assert_eq!(made["values"][1]["references"], json!(["1:88.100/other"]));

    let again = bench.put(URI, body.clone()).bearer(admin).header("if-none-match", "*");
    again.send().await.problem("conflict");
    let stale = bench.put(URI, body.clone()).bearer(admin).header("if-match", "\"9\"");
    stale.send().await.problem("version-conflict");
    let changed = bench.put(URI, json!({"values": []})).bearer(admin).header("if-match", "\"1\"");
    assert_eq!(changed.send().await.expect(200)["version"], 2);

    bench.tag(json!({"name": "Pressure", "id": "88.100/pressure", "data_type": "f64"})).await;
    let list = "/api/v1/identifiers?starts=88.100/";
    let listed = bench.get(list).bearer(admin).send().await.expect(200);
    let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
    assert_eq!(ids, ["88.100/p-101"]);

    assert_eq!(bench.delete(URI).bearer(admin).send().await.status, 204);
    bench.get(URI).bearer(admin).send().await.problem("not-found");
    bench.delete(URI).bearer(admin).send().await.problem("not-found");
    let back = bench.put(URI, body).bearer(admin).header("if-none-match", "*");
    assert_eq!(back.send().await.expect(200)["version"], 4);
}

#[tokio::test]
async fn what_is_no_record_or_another_s_is_refused() {
    let bench = Bench::new().await;
    let admin = bench.admin.as_str();
    let value = |more: serde_json::Value| {
        let mut value = json!({"index": 1, "type": "URL", "data": "x"});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"values": [value]})
    };
    for wrong in [
        value(json!({"index": 0})),
        value(json!({"permissions": "11"})),
        value(json!({"data": {"base64": "?"}})),
        json!({"values": [{"index": 1, "type": "A", "data": "x"}, {"index": 1, "type": "B", "data": "y"}]}),
    ] {
        bench.put(URI, wrong).bearer(admin).send().await.problem("invalid-value");
    }
    let second = bench.second_organisation().await;
    let other = bench.put(URI, value(json!({}))).bearer(&second).send().await;
    other.problem("invalid-value");
    let own = "/api/v1/identifiers/88.200%2Fp-1";
    bench.put(own, value(json!({}))).bearer(&second).send().await.expect(200);
    bench.get(own).bearer(admin).send().await.problem("not-found");
    bench.tag(json!({"name": "Pressure", "id": "88.100/pressure", "data_type": "f64"})).await;
    let tag = bench.put("/api/v1/identifiers/88.100%2Fpressure", value(json!({})));
    tag.bearer(admin).send().await.problem("conflict");
}

#[tokio::test]
async fn a_secret_key_is_never_told_again() {
    let bench = Bench::new().await;
    let admin = bench.admin.as_str();
    let body = json!({"values": [
        {"index": 301, "type": "HS_SECKEY", "data": "a very secret key", "permissions": "1100"},
    ]});
    let made = bench.put(URI, body).bearer(admin).send().await.expect(200);
    assert_eq!(made["values"][0]["data"], "");
    let file = std::fs::read(bench.store.dir().join("data.mdb")).unwrap();
    let key = b"a very secret key";
    assert!(!file.windows(key.len()).any(|bytes| bytes == key), "it lies in the file as it is");
}
