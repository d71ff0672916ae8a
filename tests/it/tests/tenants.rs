//! Two organisations in one node: neither sees anything of the other.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read;

use serde_json::{Value as Json, json};
use weir_it::{Api, Weir, encode, from_now};

#[test]
fn a_second_tenant_sees_nothing_of_the_first() {
    let data = tempfile::tempdir().unwrap();
    let weir = Weir::serve(data.path()).unwrap();
    let first = weir.administrator().unwrap();

    let secret = "最高机密-reactor-7";
    let asset = first.post("/api/v1/assets", &json!({ "name": secret, "level": "site" })).unwrap();
    let asset = asset["id"].as_str().unwrap().to_owned();
    let tag =
        first.post("/api/v1/tags", &json!({ "name": secret, "data_type": "f64", "asset": asset }));
    let tag = tag.unwrap()["id"].as_str().unwrap().to_owned();
    let sample = json!({ "samples": [{ "tag": tag, "value": 4711.25 }] });
    first.post("/api/v1/samples", &sample).unwrap();

    first.post("/api/v1/organisations", &json!({ "prefix": "other", "name": "Other" })).unwrap();
    let body = json!({
        "name": "eve", "password": "a long enough secret 1", "roles": ["administrator"],
        "ceiling": "core", "organisation": "other",
    });
    first.post("/api/v1/users", &body).unwrap();
    // A plain name is looked for in the node's first organisation only.
    assert!(weir.api().sign_in_for_token("eve", "a long enough secret 1", &[]).is_err());
    let token = weir.api().sign_in_for_token("eve@other", "a long enough secret 1", &[]).unwrap();
    let second = weir.api().with_token(&token);

    let id = encode(&tag);
    for path in [
        format!("/api/v1/tags/{id}"),
        format!("/api/v1/tags/{id}/samples"),
        format!("/api/v1/identifiers/{id}"),
        format!("/api/v1/identifiers/{}", encode(&asset)),
        format!("/api/v1/assets/{}", encode(&asset)),
        format!("/api/v1/live?tags={id}"),
    ] {
        let answer = second.get(&path).unwrap();
        let expected = if path.contains("/live") { 422 } else { 404 };
        assert_eq!(answer.status, expected, "{path}: {}", answer.text);
        unknown(&answer.text.replace(&tag, ""), secret, &path);
    }
    let write = second.json("POST", "/api/v1/samples", &sample).unwrap();
    assert_eq!((write.status, write.json()["code"].as_str()), (422, Some("unknown-tag")));
    let patch =
        second.json("PATCH", &format!("/api/v1/tags/{id}"), &json!({ "name": "mine" })).unwrap();
    assert_eq!(patch.status, 404, "{}", patch.text);
    let taken =
        second.json("POST", "/api/v1/tags", &json!({ "id": tag, "name": "x", "data_type": "f64" }));
    let taken = taken.unwrap();
    assert!((400..500).contains(&taken.status) && taken.status != 409, "{taken:?}");

    // Every readable list of the interface, as its own document names them.
    for path in readable(&first) {
        let answer = second.get(&path).unwrap();
        if answer.status == 200 && !answer.header("content-type").starts_with("text/event-stream") {
            unknown(&answer.text, secret, &path);
            unknown(&answer.text, &tag, &path);
        }
    }
    // Publicly known: whether an address answers does not depend on who asks.
    let nobody = weir.api();
    assert_eq!(nobody.get(&format!("/api/v1/tags/{id}")).unwrap().status, 401);
    let mut end = String::new();
    if let Ok(mut stream) = nobody.stream(&format!("/api/v1/live?tags={id}"), &[]) {
        stream.read_to_string(&mut end).unwrap();
        panic!("the anonymous visitor got a stream: {end}");
    }
    weir.stop().unwrap();
}

fn unknown(text: &str, secret: &str, path: &str) {
    assert!(!text.contains(secret), "{path} tells {secret}: {text}");
}

/// Every path of the OpenAPI document that is read and takes no parameter.
fn readable(api: &Api) -> Vec<String> {
    let document: Json = api.fetch("/api/v1/openapi.json").unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut found: Vec<String> = paths
        .iter()
        .filter(|(path, methods)| !path.contains('{') && methods.get("get").is_some())
        .map(|(path, _)| path.clone())
        .filter(|path| path != "/api/v1/live" && path != "/api/v1/openapi.json")
        .collect();
    assert!(found.len() > 8, "{found:?}");
    found.sort();
    found
}

#[test]
fn an_export_of_another_organisation_is_refused() {
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let weir = Weir::serve(data.path()).unwrap();
    let api = weir.administrator().unwrap();
    api.post("/api/v1/assets", &json!({ "name": "Boiler", "level": "site" })).unwrap();
    let export = api.get("/api/v1/export").unwrap().text;
    assert!(export.contains("Boiler"));
    let settings = elsewhere.path().join("weir.toml");
    std::fs::write(&settings, "[organisation]\nprefix = \"other\"\n").unwrap();
    let path = settings.to_str().unwrap().to_owned();
    let other = Weir::start("serve", elsewhere.path(), &["--config", &path]).unwrap();
    let there = other.administrator().unwrap();
    let headers = [("content-type", "application/x-ndjson")];
    let refused = there.send("POST", "/api/v1/import", &headers, export.as_bytes()).unwrap();
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(refused.text.contains("local") && refused.text.contains("other"), "{}", refused.text);
    assert_eq!(there.list("/api/v1/assets").unwrap(), Vec::<Json>::new());
    // The same organisation's own export is taken.
    let own = there.get("/api/v1/export").unwrap().text;
    let taken = there.send("POST", "/api/v1/import", &headers, own.as_bytes()).unwrap();
    assert_eq!(taken.status, 200, "{}", taken.text);
}

#[test]
fn nobody_makes_what_they_would_not_see() {
    let data = tempfile::tempdir().unwrap();
    let weir = Weir::serve(data.path()).unwrap();
    let admin = weir.administrator().unwrap();
    let body = json!({
        "name": "li", "password": "a long enough secret 2", "roles": ["engineer"],
        "ceiling": "important",
    });
    admin.post("/api/v1/users", &body).unwrap();
    admin
        .post("/api/v1/assets", &json!({ "name": "Hall", "level": "site", "grade": "general" }))
        .unwrap();
    let scopes = ["tag:write", "tag:read"];
    // An engineer makes no tokens; the administrator makes one for them.
    let expires = from_now(std::time::Duration::from_secs(3600));
    let token = json!({
        "name": "li", "user": "local/user.li", "scopes": scopes, "ceiling": "important",
        "expires": expires,
    });
    let token = admin.post("/api/v1/tokens", &token).unwrap();
    let engineer = weir.api().with_token(token["token"].as_str().unwrap());
    let create = |body: &Json| engineer.json("POST", "/api/v1/tags", body).unwrap();
    // Without a grade it would be core.
    let refused = create(&json!({ "name": "a", "data_type": "f64" }));
    assert_eq!(refused.status, 403, "{}", refused.text);
    let made = create(&json!({ "name": "b", "data_type": "f64", "asset": "local/hall" }));
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/api/v1/tags/{}", encode(made.json()["id"].as_str().unwrap()));
    let raised = engineer.json("PATCH", &path, &json!({ "grade": "core" })).unwrap();
    assert_eq!(raised.status, 403, "{}", raised.text);
    assert_eq!(admin.list("/api/v1/tags").unwrap().len(), 1);
}
