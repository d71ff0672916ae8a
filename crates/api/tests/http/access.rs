//! The door: who gets in, what is refused, and that it is written down.

use serde_json::json;
use weir_audit::{Change, Entry, Event, Operation};
use weir_model::{Author, Grade, RequestId, TenantId, Timestamp};

use crate::bench::Bench;

#[tokio::test]
async fn a_session_from_sign_in_to_sign_out() {
    let bench = Bench::new().await;
    bench.get("/api/v1/session").send().await.problem("unauthenticated");
    let wrong = json!({"user": "admin", "password": "wrong"});
    let wrong = bench.post("/api/v1/session", wrong).send().await;
    wrong.problem("unauthenticated");
    assert!(wrong.header("set-cookie").is_empty());
    let right = json!({"user": "admin", "password": bench.password});
    let answer = bench.post("/api/v1/session", right).send().await;
    let set = answer.header("set-cookie").to_owned();
    for part in ["weir_session=", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    let cookie = set.split(';').next().unwrap();
    let session = answer.expect(200);
    assert_eq!(session["tenant"]["prefix"], "88.100");
    let csrf = session["csrf"].as_str().unwrap();
    let again = bench.get("/api/v1/session").cookie(cookie).send().await.expect(200);
    assert_eq!(again["principal"], "88.100/user.admin");
    assert!(again["permissions"].as_array().unwrap().contains(&json!("node:read")));

    let asset = json!({"name": "Site", "level": "site"});
    let forged = bench.post("/api/v1/assets", asset.clone()).cookie(cookie).send().await;
    forged.problem("csrf-missing");
    let forged = bench.post("/api/v1/assets", asset.clone()).cookie(cookie);
    forged.header("x-weir-csrf", "0").send().await.problem("csrf-missing");
    let real = bench.post("/api/v1/assets", asset).cookie(cookie).header("x-weir-csrf", csrf);
    real.send().await.expect(201);

    let out = bench.delete("/api/v1/session").cookie(cookie).header("x-weir-csrf", csrf);
    let out = out.send().await;
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    out.expect(204);
    bench.get("/api/v1/session").cookie(cookie).send().await.problem("unauthenticated");
}

#[tokio::test]
async fn behind_tls_cookies_and_answers_insist_on_it() {
    let bench = Bench::new().await;
    let right = json!({"user": "admin", "password": bench.password});
    let answer = bench.post("/api/v1/session", right).through(bench.router_with_tls()).await;
    assert!(answer.header("set-cookie").contains("; Secure"));
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
}

#[tokio::test]
async fn an_idle_session_ends() {
    let bench = Bench::new().await;
    let (cookie, _) = bench.sign_in("admin", &bench.password).await;
    bench.get("/api/v1/session").cookie(&cookie).send().await.expect(200);
    bench.pass(std::time::Duration::from_secs(8 * 3600));
    bench.get("/api/v1/session").cookie(&cookie).send().await.problem("unauthenticated");
}

#[tokio::test]
async fn tokens_are_scoped_listed_and_revoked() {
    let bench = Bench::new().await;
    let body = json!({
        "name": "gateway", "scopes": ["sample:write"], "expires": crate::bench::in_a_day(),
    });
    let made = bench.post("/api/v1/tokens", body).bearer(&bench.admin).send().await.expect(201);
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    let samples = bench.post("/api/v1/samples", json!({"samples": []})).bearer(token);
    assert_eq!(samples.send().await.expect(200)["accepted"], 0);
    bench.get("/api/v1/tags").bearer(token).send().await.problem("forbidden");
    let list = bench.get("/api/v1/tokens").bearer(&bench.admin).send().await.expect(200);
    assert!(list["items"].as_array().unwrap().iter().any(|item| item["id"] == id));
    assert!(!list.to_string().contains(token));
    bench.delete(&format!("/api/v1/tokens/{id}")).bearer(&bench.admin).send().await.expect(204);
    let samples = bench.post("/api/v1/samples", json!({"samples": []})).bearer(token);
    samples.send().await.problem("unauthenticated");
    for wrong in ["Basic YTpi", "Bearer", "Bearer weir_nothing", "x"] {
        let answer = bench.get("/api/v1/tags").header("authorization", wrong).send().await;
        answer.problem("unauthenticated");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
}

#[tokio::test]
async fn refusals_and_sign_ins_are_in_the_audit() {
    let bench = Bench::new().await;
    let viewer = bench.token_of("vera", "viewer", Grade::Core).await;
    let refused = bench.post("/api/v1/assets", json!({})).bearer(&viewer).send().await;
    refused.problem("forbidden");
    bench.get("/api/v1/audit").bearer(&viewer).send().await.problem("forbidden");
    bench.get("/api/v1/audit").send().await.problem("unauthenticated");
    let wrong = json!({"user": "vera", "password": "wrong"});
    bench.post("/api/v1/session", wrong).send().await.problem("unauthenticated");
    let audit = bench.get("/api/v1/audit?limit=500").bearer(&bench.admin).send().await.expect(200);
    let items = audit["items"].as_array().unwrap();
    let found = |kind: &str, field: &str, value: &str| {
        items.iter().any(|item| item["kind"] == kind && item["event"][field] == value)
    };
    assert!(found("refusal", "action", "asset:write"), "{audit}");
    assert!(found("refusal", "action", "audit:read"), "{audit}");
    assert!(found("sign_in", "user", "vera"), "{audit}");
    let one = items.iter().find(|item| item["event"]["action"] == "asset:write").unwrap();
    assert_eq!(one["principal"], "88.100/user.vera");
    assert_eq!(one["request"], refused.header("x-request-id"));
    assert_eq!(one["remote"], "127.0.0.1");
    assert_eq!(one["event"]["status"], 403);
    let checkpoint = bench.get("/api/v1/audit/checkpoint").bearer(&bench.admin).send().await;
    assert!(checkpoint.expect(200)["size"].as_u64().unwrap() >= items.len() as u64);
}

#[tokio::test]
async fn above_the_ceiling_there_is_nothing() {
    let bench = Bench::new().await;
    bench.tag(json!({"name": "Open", "data_type": "f64", "grade": "general"})).await;
    bench.tag(json!({"name": "Hidden", "data_type": "f64", "grade": "important"})).await;
    bench.tag(json!({"name": "Ungraded", "data_type": "f64"})).await;
    let low = bench.token_of("low", "engineer", Grade::General).await;
    let list = bench.get("/api/v1/tags").bearer(&low).send().await.expect(200);
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|t| &t["name"]).collect();
    assert_eq!(names, ["Open"]);
    for id in ["88.100%2Fhidden", "88.100%2Fungraded"] {
        let known = bench.get(&format!("/api/v1/tags/{id}")).bearer(&low).send().await;
        known.problem("not-found");
        let unknown = bench.get("/api/v1/tags/88.100%2Fnothing").bearer(&low).send().await;
        assert_eq!(known.json()["title"], unknown.json()["title"]);
        for path in ["tags/{}/samples", "tags/{}/versions", "identifiers/{}"] {
            let uri = format!("/api/v1/{}", path.replace("{}", id));
            bench.get(&uri).bearer(&low).send().await.problem("not-found");
        }
        let uri = format!("/api/v1/tags/{id}");
        bench
            .patch(&uri, json!({"grade": "public"}))
            .bearer(&low)
            .send()
            .await
            .problem("not-found");
        bench.delete(&uri).bearer(&low).send().await.problem("not-found");
        let write = bench.post(&format!("{uri}/write"), json!({"value": 1})).bearer(&low);
        write.send().await.problem("not-found");
    }
    let sample = json!({"samples": [{"tag": "88.100/hidden", "value": 1}]});
    let answer = bench.post("/api/v1/samples", sample).bearer(&low).send().await;
    assert_eq!(answer.problem("unknown-tag"), "/samples/0/tag");
    let live = bench.get("/api/v1/live?tags=88.100/hidden").bearer(&low).send().await;
    live.problem("unknown-tag");
    let overview = bench.get("/api/v1/overview").bearer(&low).send().await.expect(200);
    assert_eq!(overview["tags"], 1);
}

#[tokio::test]
async fn users_are_made_changed_and_deleted() {
    let bench = Bench::new().await;
    let user = json!({
        "name": "ada", "roles": ["viewer"], "ceiling": "general",
        "password": "a long enough password",
    });
    let made = bench.post("/api/v1/users", user).bearer(&bench.admin).send().await;
    assert_eq!(made.header("location"), "/api/v1/users/88%2E100%2Fuser%2Eada");
    made.expect(201);
    let record = bench.get("/api/v1/identifiers/88.100%2Fuser.ada").bearer(&bench.admin);
    assert_eq!(record.send().await.expect(200)["kind"], "user");
    let uri = "/api/v1/users/88.100%2Fuser.ada";
    let change = json!({"roles": ["operator"], "full_name": "Ada"});
    let changed = bench.patch(uri, change).bearer(&bench.admin).send().await.expect(200);
    assert_eq!((&changed["roles"], &changed["full_name"]), (&json!(["operator"]), &json!("Ada")));
    let stale = bench.patch(uri, json!({})).bearer(&bench.admin).header("if-match", "\"99\"");
    stale.send().await.problem("version-conflict");
    let (cookie, csrf) = bench.sign_in("ada", "a long enough password").await;
    let change = json!({"current": "a long enough password", "new": "another long password"});
    let changed = bench.post("/api/v1/session/password", change).cookie(&cookie);
    changed.header("x-weir-csrf", &csrf).send().await.expect(204);
    bench.sign_in("ada", "another long password").await;
    bench.delete(uri).bearer(&bench.admin).send().await.expect(204);
    bench.get(uri).bearer(&bench.admin).send().await.problem("not-found");
    let record = bench.get("/api/v1/identifiers/88.100%2Fuser.ada").bearer(&bench.admin);
    record.send().await.problem("not-found");
}

#[tokio::test]
async fn a_name_that_another_organisation_has_is_free() {
    let bench = Bench::new().await;
    let second = bench.second_organisation().await;
    let password = "a long enough password";
    let create = async |by: &str, name: &str| {
        let user = json!({
            "name": name, "roles": ["viewer"], "ceiling": "general", "password": password,
        });
        bench.post("/api/v1/users", user).bearer(by).send().await
    };
    let here = create(&bench.admin, "li").await.expect(201);
    assert_eq!((&here["name"], &here["sign_in"]), (&json!("li"), &json!("li")));
    let there = create(&second, "li").await.expect(201);
    assert_eq!((&there["name"], &there["sign_in"]), (&json!("li"), &json!("li@88.200")));
    create(&second, "LI").await.problem("conflict");
    let wrong = create(&second, "li@88.200").await;
    wrong.problem("invalid-value");
    assert!(wrong.json()["detail"].as_str().unwrap().contains('@'));
    let list = bench.get("/api/v1/users").bearer(&second).send().await.expect(200);
    let names: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|user| &user["sign_in"]).collect();
    assert_eq!(names, ["li@88.200", "second@88.200"]);
    let uri = "/api/v1/users/88.200%2Fuser.li";
    let full = json!({"full_name": "Li"});
    let changed = bench.patch(uri, full).bearer(&second).send().await.expect(200);
    assert_eq!(changed["sign_in"], "li@88.200");

    for (user, principal) in
        [("li", "88.100/user.li"), ("Li@88.100", "88.100/user.li"), ("LI@88.200", "88.200/user.li")]
    {
        let (cookie, _) = bench.sign_in(user, password).await;
        let session = bench.get("/api/v1/session").cookie(&cookie).send().await.expect(200);
        assert_eq!(session["principal"], principal);
    }
    // A plain name is one of the first organisation, and what is not known looks like what is.
    let wrong = async |user: &str| {
        let body = json!({"user": user, "password": "another long password"});
        let mut answer = bench.post("/api/v1/session", body).send().await.json();
        answer["request"].take();
        answer
    };
    let known = wrong("li").await;
    assert_eq!(known["status"], 401);
    for user in
        ["second", "li@88.200", "nobody@88.200", "li@99", "li@", "@88.200", "", "88.100/user.li"]
    {
        assert_eq!(wrong(user).await, known, "{user}");
    }
    // An organisation whose users could not be told from others' is not founded.
    let body = json!({"prefix": "88@300", "name": "x"});
    let founded = bench.post("/api/v1/organisations", body).bearer(&bench.admin).send().await;
    assert_eq!(founded.problem("invalid-value"), "/prefix");
}

#[tokio::test]
async fn policies_take_effect_at_once() {
    let bench = Bench::new().await;
    let viewer = bench.token_of("vera", "viewer", Grade::Core).await;
    bench.get("/api/v1/tags").bearer(&viewer).send().await.expect(200);
    let uri = "/api/v1/policies/no-tags";
    let wrong = bench.call(http::Method::PUT, uri, Some(json!({"text": "permit all;"})));
    assert_eq!(wrong.bearer(&bench.admin).send().await.problem("invalid-value"), "/text");
    let text = r#"forbid (principal in Weir::Role::"viewer", action == Weir::Action::"tag:read", resource);"#;
    let put = bench.call(http::Method::PUT, uri, Some(json!({"text": text})));
    let put = put.bearer(&bench.admin).send().await;
    assert_eq!(put.header("etag"), "\"1\"");
    put.expect(200);
    bench.get("/api/v1/tags").bearer(&viewer).send().await.problem("forbidden");
    let list = bench.get("/api/v1/policies").bearer(&bench.admin).send().await.expect(200);
    assert_eq!(list["items"][0]["text"], text);
    bench.delete(uri).bearer(&bench.admin).send().await.expect(204);
    bench.get("/api/v1/tags").bearer(&viewer).send().await.expect(200);
}

#[tokio::test]
async fn another_organisation_learns_that_its_records_were_changed_but_not_by_whom() {
    let bench = Bench::new().await;
    let second = bench.second_organisation().await;
    // As the node records the commit that made the second organisation.
    let author = Author {
        tenant: TenantId(1),
        principal: "88.100/user.admin".parse().unwrap(),
        cause: "organisation.create".into(),
        request: RequestId(7),
    };
    let change = |tenant, key: &str| Change {
        tenant: TenantId(tenant),
        collection: "identifiers".into(),
        key: key.into(),
        version: 1,
        op: Operation::Put,
    };
    let changes = vec![change(1, "88.100/secret"), change(2, "88.200/organisation")];
    let event = Event::Change { position: 9_000, changes };
    bench.audit.append(Entry::new(Timestamp::from_nanos(0), author, event)).await.unwrap();
    let audit = bench.get("/api/v1/audit?kind=change").bearer(&second).send().await;
    assert!(!audit.text().contains("88.100"), "{}", audit.text());
    let audit = audit.expect(200);
    assert_eq!(audit["items"][0]["principal"], "weir/node-administrator");
    assert_eq!(audit["items"][0]["event"]["changes"][0]["key"], "88.200/organisation");
    let whole =
        bench.get("/api/v1/audit?kind=change").bearer(&bench.admin).send().await.expect(200);
    assert_eq!(whole["items"][0]["principal"], "88.100/user.admin");
}

#[tokio::test]
async fn what_is_hidden_is_not_told_of_by_what_is_not() {
    let bench = Bench::new().await;
    let asset = json!({"name": "Vault", "level": "site", "grade": "core"});
    bench.post("/api/v1/assets", asset).bearer(&bench.admin).send().await.expect(201);
    let asset =
        json!({"name": "Hall", "level": "area", "parent": "88.100/vault", "grade": "public"});
    bench.post("/api/v1/assets", asset).bearer(&bench.admin).send().await.expect(201);
    let device = json!({
        "name": "Machine", "protocol": "fake", "settings": {}, "asset": "88.100/vault",
        "points": [{"name": "Shown", "data_type": "f64", "address": "a", "grade": "public"}],
    });
    bench.post("/api/v1/devices", device).bearer(&bench.admin).send().await.expect(201);
    let low = bench.token_of("low", "engineer", Grade::General).await;
    for uri in [
        "/api/v1/tags",
        "/api/v1/tags/88.100%2Fshown",
        "/api/v1/tags/88.100%2Fshown/versions",
        "/api/v1/assets",
        "/api/v1/assets/88.100%2Fhall",
        "/api/v1/devices",
        "/api/v1/overview",
    ] {
        let answer = bench.get(uri).bearer(&low).send().await;
        let text = answer.text().to_lowercase();
        assert!(!text.contains("vault") && !text.contains("machine"), "{uri}: {text}");
        answer.expect(200);
    }
    for query in ["asset=88.100/vault", "device=88.100/machine"] {
        let list = bench.get(&format!("/api/v1/tags?{query}")).bearer(&low).send().await;
        assert_eq!(list.expect(200)["items"], json!([]), "{query}");
    }
    // What the caller cannot see stays as it is when the caller changes the rest.
    let uri = "/api/v1/tags/88.100%2Fshown";
    let renamed =
        bench.patch(uri, json!({"name": "Renamed"})).bearer(&low).send().await.expect(200);
    assert_eq!((&renamed["name"], &renamed["asset"]), (&json!("Renamed"), &json!(null)));
    let whole = bench.get(uri).bearer(&bench.admin).send().await.expect(200);
    assert_eq!(whole["asset"], "88.100/vault");
    assert_eq!(whole["source"]["device"], "88.100/machine");
}

#[tokio::test]
async fn a_look_above_the_ceiling_is_in_the_audit() {
    let bench = Bench::new().await;
    bench.tag(json!({"name": "Hidden", "data_type": "f64"})).await;
    let low = bench.token_of("low", "viewer", Grade::General).await;
    let hidden = bench.get("/api/v1/tags/88.100%2Fhidden").bearer(&low).send().await;
    hidden.problem("not-found");
    let deadline = std::time::Instant::now() + crate::bench::PATIENCE;
    loop {
        let audit = bench.get("/api/v1/audit?kind=refusal").bearer(&bench.admin).send().await;
        let audit = audit.expect(200);
        let found = audit["items"].as_array().unwrap().iter().any(|item| {
            item["event"]["reason"] == "above-ceiling"
                && item["request"] == hidden.header("x-request-id")
        });
        if found {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{audit}");
        tokio::task::yield_now().await;
    }
}
