//! How long samples are kept: read, put, refused, audited.

use http::Method;
use serde_json::json;
use weir_model::Grade;

use crate::bench::Bench;

const URI: &str = "/api/v1/retention";

#[tokio::test]
async fn rules_are_put_whole_and_by_version() {
    let bench = Bench::new().await;
    let admin = bench.admin.as_str();
    let none = bench.get(URI).bearer(admin).send().await;
    assert_eq!(none.header("etag"), "\"0\"");
    assert_eq!(none.expect(200), json!({"rules": [], "version": 0}));
    let rules =
        json!([{"after_days": 90, "keep": "minute"}, {"after_days": 3650, "keep": "nothing"}]);
    let put = |rules, tag: &'static str| {
        bench.put(URI, json!({ "rules": rules })).bearer(admin).header("if-match", tag)
    };
    let made = put(rules.clone(), "\"0\"").send().await.expect(200);
    assert_eq!(made, json!({"rules": rules, "version": 1}));
    put(rules.clone(), "\"0\"").send().await.problem("version-conflict");
    put(json!([]), "\"1\"").send().await.expect(200);
    let found = bench.get(URI).bearer(admin).send().await.expect(200);
    assert_eq!(found, json!({"rules": [], "version": 2}));
    let other = bench.second_organisation().await;
    let of_other = bench.get(URI).bearer(&other).send().await.expect(200);
    assert_eq!(of_other["version"], 0);
}

#[tokio::test]
async fn rules_that_do_not_follow_one_another_are_refused_where_they_do_not() {
    let bench = Bench::new().await;
    let refused = async |rules| {
        let call = bench.put(URI, json!({ "rules": rules })).bearer(&bench.admin);
        call.send().await.problem("invalid-value")
    };
    let rule = |after_days: u32, keep: &str| json!({"after_days": after_days, "keep": keep});
    assert_eq!(refused(json!([rule(0, "hour")])).await, "/rules/0/after_days");
    assert_eq!(refused(json!([rule(1, "hour"), rule(2, "minute")])).await, "/rules/1");
    assert_eq!(refused(json!([rule(1, "all")])).await, "/rules/0");
    assert_eq!(refused(json!(vec![rule(1, "hour"); 5])).await, "/rules");
    let unknown = json!({"rules": [rule(1, "week")]});
    let unknown = bench.put(URI, unknown).bearer(&bench.admin).send().await;
    assert!(unknown.status.is_client_error());
}

#[tokio::test]
async fn only_administrators_change_rules() {
    let bench = Bench::new().await;
    let viewer = bench.token_of("vera", "viewer", Grade::Core).await;
    let engineer = bench.token_of("enno", "engineer", Grade::Core).await;
    for (token, method, status) in
        [(&viewer, Method::GET, 403), (&engineer, Method::PUT, 403), (&engineer, Method::GET, 200)]
    {
        let body = (method == Method::PUT).then(|| json!({"rules": []}));
        let answer = bench.call(method, URI, body).bearer(token).send().await;
        assert_eq!(answer.status.as_u16(), status);
    }
}
