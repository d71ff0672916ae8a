//! The walk: every route of the document, as nobody, as a viewer, and as another organisation.

use http::Method;
use serde_json::{Value as Json, json};
use weir_model::Grade;

use crate::bench::{Answer, Bench, segment};

/// An operation of the document.
struct Operation {
    method: Method,
    path: String,
    permission: String,
}

fn operations() -> Vec<Operation> {
    let document: Json = serde_json::from_str(&weir_api::openapi_json()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                permission: operation["x-weir-permission"].as_str().unwrap().to_owned(),
            });
        }
    }
    assert!(found.len() > 50, "the walk found only {} routes", found.len());
    found
}

/// Something of each kind in the first organisation.
struct Plant {
    tag: String,
    asset: String,
    device: String,
    user: String,
    token: String,
}

impl Plant {
    async fn build(bench: &Bench) -> Self {
        let send = async |uri: &str, body: Json| {
            bench.post(uri, body).bearer(&bench.admin).send().await.expect(201)
        };
        let asset = json!({"name": "Secret site", "level": "site"});
        let asset = send("/api/v1/assets", asset).await;
        let device = json!({
            "name": "Secret machine", "protocol": "fake", "settings": {}, "asset": asset["id"],
            "points": [{"name": "Secret signal", "data_type": "f64", "address": "a"}],
        });
        let device = send("/api/v1/devices", device).await;
        let user = json!({"name": "secret", "roles": ["viewer"], "ceiling": "core"});
        let user = send("/api/v1/users", user).await;
        let token = json!({
            "name": "secret token", "scopes": ["tag:read"], "expires": crate::bench::in_a_day(),
        });
        let token = send("/api/v1/tokens", token).await;
        let text = "permit (principal, action, resource) when { false };";
        let policy =
            bench.call(Method::PUT, "/api/v1/policies/secret-policy", Some(json!({"text": text})));
        policy.bearer(&bench.admin).send().await.expect(200);
        let template = json!({"description": "Secret", "protocol": "fake", "settings": {}});
        let template = bench.put("/api/v1/templates/secret-policy", template);
        template.bearer(&bench.admin).send().await.expect(200);
        let id = |json: &Json| json["id"].as_str().unwrap().to_owned();
        let plant = Self {
            tag: id(&device["points"][0]),
            asset: id(&asset),
            device: id(&device),
            user: id(&user),
            token: id(&token),
        };
        bench.store_samples(json!([{"tag": plant.tag, "value": 4711.5}])).await;
        plant
    }

    /// The path with something of this plant in its place.
    fn fill(&self, path: &str) -> String {
        let id = match path {
            path if path.contains("/assets/") => &self.asset,
            path if path.contains("/devices/") => &self.device,
            path if path.contains("/users/") => &self.user,
            path if path.contains("/tokens/") => &self.token,
            _ => &self.tag,
        };
        let path = path.replace("{id}", &segment(id));
        let path = path.replace("{prefix}", "88.100").replace("{name}", "secret-policy");
        let path = path.replace("{client}", "secret-007");
        let path = path.replace("{thumbprint}", &crate::fake::thumbprint("secret"));
        if path == "/api/v1/live" { format!("{path}?tags={}", segment(&self.tag)) } else { path }
    }
}

async fn send(bench: &Bench, operation: &Operation, plant: &Plant, token: Option<&str>) -> Answer {
    let body = match operation.method {
        Method::GET | Method::DELETE => None,
        Method::PATCH => Some(json!({})),
        _ if operation.path.ends_with("/write") => Some(json!({"value": 1})),
        _ if operation.path.ends_with("/call") => Some(json!({"method": 1, "confirm": true})),
        _ if operation.path.contains("/policies/") => Some(json!({"text": ""})),
        Method::PUT if operation.path.contains("/devices/") => {
            Some(json!({"name": "Mine", "protocol": "fake", "settings": {}}))
        }
        _ => Some(json!({})),
    };
    let call = bench.call(operation.method.clone(), &plant.fill(&operation.path), body);
    match token {
        Some(token) => call.bearer(token).send().await,
        None => call.send().await,
    }
}

#[tokio::test]
async fn without_credentials_nothing_but_what_is_public_answers() {
    let bench = Bench::new().await;
    let plant = Plant::build(&bench).await;
    for operation in operations() {
        let answer = send(&bench, &operation, &plant, None).await;
        let (method, path) = (&operation.method, &operation.path);
        if operation.permission == "public" {
            assert!(!matches!(answer.status.as_u16(), 401 | 403 | 500..), "{method} {path}");
        } else {
            assert_eq!(answer.status, 401, "{method} {path}");
            answer.problem("unauthenticated");
        }
    }
    let public: Vec<_> =
        operations().into_iter().filter(|o| o.permission == "public").map(|o| o.path).collect();
    let want =
        ["/api/v1/openapi.json", "/api/v1/session", "/health", "/healthz", "/ping", "/readyz"];
    assert_eq!(public, want, "what everybody may call is written down here as well");
}

#[tokio::test]
async fn a_viewer_changes_nothing() {
    let bench = Bench::new().await;
    let plant = Plant::build(&bench).await;
    let viewer = bench.token_of("vera", "viewer", Grade::Core).await;
    let session = bench.get("/api/v1/session").bearer(&viewer).send().await.expect(200);
    let permissions = session["permissions"].as_array().unwrap();
    let before = *bench.store.head().borrow();
    for operation in operations() {
        let (method, path) = (&operation.method, &operation.path);
        if operation.permission == "public" || operation.permission == "session:own" {
            continue;
        }
        let may = permissions.contains(&json!(operation.permission));
        // A statement is too long for a query string, and reads all the same.
        let reads = *method == Method::GET || path == "/api/v1/query";
        assert!(!may || reads, "a viewer may {method} {path}");
        if !may {
            let answer = send(&bench, &operation, &plant, Some(&viewer)).await;
            assert_eq!(answer.status, 403, "{method} {path}");
            answer.problem("forbidden");
        }
    }
    assert_eq!(*bench.store.head().borrow(), before);
}

#[tokio::test]
async fn another_organisation_sees_nothing() {
    let bench = Bench::new().await;
    let plant = Plant::build(&bench).await;
    let second = bench.second_organisation().await;
    let before = *bench.store.head().borrow();
    for operation in operations().into_iter().filter(|o| o.path.contains('{')) {
        let (method, path) = (&operation.method, &operation.path);
        if *method == Method::PUT && path.ends_with("/{name}") {
            // A name of one's own choice, in one's own organisation.
            continue;
        }
        if *method == Method::PUT && path == "/api/v1/identifiers/{id}" {
            // Refused under another's prefix, whether there is one or not: see `identifiers`.
            continue;
        }
        let answer = send(&bench, &operation, &plant, Some(&second)).await;
        if operation.permission.ends_with(" at the node") {
            // Nobody's in particular, and not an organisation's to see.
            answer.problem("forbidden");
            continue;
        }
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
        answer.problem("not-found");
    }
    for operation in operations().into_iter().filter(|o| !o.path.contains('{')) {
        if operation.method != Method::GET || operation.path == "/api/v1/live" {
            continue;
        }
        let answer = send(&bench, &operation, &plant, Some(&second)).await;
        let text = String::from_utf8_lossy(&answer.body);
        let path = &operation.path;
        // Neither tells of anybody: they say what the program can do.
        if !["/api/v1/openapi.json", "/api/v1/protocols"].contains(&path.as_str()) {
            for word in ["88.100", "Secret", "secret", "4711", "First"] {
                assert!(!text.contains(word), "{path} tells of {word}: {text}");
            }
        }
    }
    let live = format!("/api/v1/live?tags={}", segment(&plant.tag));
    bench.get(&live).bearer(&second).send().await.problem("unknown-tag");
    let sample = json!({"samples": [{"tag": plant.tag, "value": 1}]});
    bench.post("/api/v1/samples", sample).bearer(&second).send().await.problem("unknown-tag");
    // Names of the first organisation cannot be taken or referred to either.
    let asset = json!({"name": "x", "level": "area", "parent": plant.asset});
    let asset = bench.post("/api/v1/assets", asset).bearer(&second).send().await;
    assert_eq!(asset.problem("invalid-value"), "/parent");
    let tag = json!({"name": "x", "data_type": "f64", "id": "88.100/x"});
    let tag = bench.post("/api/v1/tags", tag).bearer(&second).send().await;
    assert_eq!(tag.problem("invalid-value"), "/id");
    let source = json!({"name": "x", "data_type": "f64", "source": {"device": plant.device, "address": "a"}});
    let source = bench.post("/api/v1/tags", source).bearer(&second).send().await;
    assert_eq!(source.problem("invalid-value"), "/source/device");
    let user =
        json!({"name": "spy", "roles": ["viewer"], "ceiling": "core", "organisation": "88.100"});
    let there = bench.post("/api/v1/users", user.clone()).bearer(&second).send().await;
    let nowhere =
        json!({"name": "spy", "roles": ["viewer"], "ceiling": "core", "organisation": "99"});
    let nowhere = bench.post("/api/v1/users", nowhere).bearer(&second).send().await;
    assert_eq!(there.json()["detail"], nowhere.json()["detail"]);
    assert_eq!(there.status, 403);
    assert_eq!(*bench.store.head().borrow(), before, "nothing was changed");
}

#[tokio::test]
async fn a_cursor_of_another_organisation_leads_nowhere() {
    let bench = Bench::new().await;
    for number in 0..3 {
        bench.tag(json!({"name": format!("Secret {number}"), "data_type": "f64"})).await;
    }
    let second = bench.second_organisation().await;
    for sort in ["", "&sort=name", "&sort=-name", "&sort=time"] {
        let uri = format!("/api/v1/tags?limit=1{sort}");
        let page = bench.get(&uri).bearer(&bench.admin).send().await.expect(200);
        let uri = format!("{uri}&cursor={}", page["next"].as_str().unwrap());
        let page = bench.get(&uri).bearer(&second).send().await.expect(200);
        assert_eq!(page, json!({"items": [], "next": null}));
    }
}

#[test]
fn the_document_is_complete() {
    let document: Json = serde_json::from_str(&weir_api::openapi_json()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let tags: Vec<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut names = std::collections::HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap_or_default();
            assert!(
                !name.is_empty() && names.insert(name),
                "{method} {path} has no name of its own"
            );
            assert!(
                !operation["summary"].as_str().unwrap_or_default().is_empty(),
                "{method} {path}"
            );
            let tag = &operation["tags"][0];
            assert!(tags.contains(&tag), "{method} {path} is in no part");
            assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{method} {path}");
            assert!(operation["security"].is_array(), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            for (status, response) in responses {
                let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(
                    problem.is_string(),
                    status.as_str() >= "400",
                    "{method} {path} {status}"
                );
            }
        }
    }
    references(&document, &document);
}

/// Every reference leads somewhere.
fn references(part: &Json, document: &Json) {
    match part {
        Json::Object(fields) => {
            if let Some(Json::String(reference)) = fields.get("$ref") {
                let pointer = reference.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            fields.values().for_each(|part| references(part, document));
        }
        Json::Array(items) => items.iter().for_each(|part| references(part, document)),
        _ => {}
    }
}
