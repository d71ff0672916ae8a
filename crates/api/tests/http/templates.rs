//! Templates of devices.

use serde_json::{Value as Json, json};
use weir_model::Grade;

use crate::bench::Bench;

fn pump() -> Json {
    json!({
        "description": "Feed pump", "protocol": "fake", "settings": {"poll_ms": 500}, "grade": "general",
        "points": [
            {"name": "Speed", "names": {"zh-CN": "转速"}, "unit": "{rpm}", "data_type": "f64",
             "address": "speed", "write": {"min": 0, "max": 100, "confirm": true},
             "range": {"low": 0.0, "high": 3000.0},
             "scaling": [{"effective": "2020-01-01T00:00:00Z", "factor": 0.5, "offset": 0.0}]},
            {"name": "Torque", "data_type": "f64", "address": "torque"},
        ],
    })
}

async fn names(bench: &Bench, token: &str, query: &str) -> Vec<String> {
    let list = bench.get(&format!("/api/v1/templates{query}")).bearer(token).send().await;
    let list = list.expect(200);
    let items = list["items"].as_array().unwrap();
    items.iter().map(|template| template["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_template_is_put_found_changed_and_deleted() {
    let bench = Bench::new().await;
    // A name is a name: with a blank, a slash and characters of any language.
    let uri = "/api/v1/templates/%E6%B3%B5%20P1%2F2";
    let made = bench.put(uri, pump()).bearer(&bench.admin).send().await;
    let tag = made.header("etag").to_owned();
    let made = made.expect(200);
    assert_eq!(made["name"], "泵 P1/2");
    assert_eq!(made["points"][0]["range"]["high"], 3000.0);
    let found = bench.get(uri).bearer(&bench.admin).send().await.expect(200);
    assert_eq!(found, made);
    // What is read is put again as it is, and with a field changed.
    let mut same = bench.put(uri, found).bearer(&bench.admin).header("if-match", &tag).send().await;
    let tag = same.header("etag").to_owned();
    let mut again = same.expect(200);
    again["points"][0]["range"]["high"] = json!(1500.0);
    same = bench.put(uri, again.clone()).bearer(&bench.admin).header("if-match", &tag).send().await;
    let tag = same.header("etag").to_owned();
    let changed = same.expect(200);
    assert_eq!((&changed["points"], &changed["settings"]), (&again["points"], &made["settings"]));
    let list = bench.get("/api/v1/templates?q=feed").bearer(&bench.admin).send().await.expect(200);
    assert_eq!((&list["items"][0]["points"], &list["next"]), (&json!(2), &Json::Null));
    assert_eq!(names(&bench, &bench.admin, "?protocol=modbus").await, [""; 0]);

    // The same in other letters is the same.
    let renamed = uri.replace("P1", "p1");
    let mut changed = pump();
    changed["points"] = json!([]);
    let changed = bench.put(&renamed, changed).bearer(&bench.admin).header("if-match", &tag);
    assert_eq!(changed.send().await.expect(200)["name"], "泵 p1/2");
    let stale = bench.put(uri, pump()).bearer(&bench.admin).header("if-match", &tag);
    stale.send().await.problem("version-conflict");
    assert_eq!(names(&bench, &bench.admin, "").await, ["泵 p1/2"]);
    bench.delete(uri).bearer(&bench.admin).send().await.expect(204);
    bench.get(uri).bearer(&bench.admin).send().await.problem("not-found");
}

#[tokio::test]
async fn a_device_is_made_of_what_a_template_holds() {
    let bench = Bench::new().await;
    let template = bench.put("/api/v1/templates/Pump", pump()).bearer(&bench.admin).send().await;
    let template = template.expect(200);
    let device = json!({
        "name": "Pump 1", "protocol": template["protocol"], "settings": template["settings"],
        "grade": template["grade"], "points": template["points"],
    });
    let device =
        bench.post("/api/v1/devices", device).bearer(&bench.admin).send().await.expect(201);
    let speed = device["points"].as_array().unwrap().iter().find(|p| p["name"] == "Speed").unwrap();
    assert_eq!(speed["names"]["zh-CN"], "转速");
    assert_eq!(speed["scaling"], template["points"][0]["scaling"]);
}

#[tokio::test]
async fn what_makes_no_template_is_told_by_field() {
    let bench = Bench::new().await;
    for (at, value, field) in [
        ("protocol", json!("smoke"), "/protocol"),
        ("settings", json!({"password": "geheim"}), "/settings/password"),
        ("settings", json!({"password": {"secret": "set"}}), "/settings/password"),
        ("settings", json!([]), "/settings"),
        ("points", json!([{"name": "", "data_type": "f64", "address": "a"}]), "/points/0/name"),
        ("points", json!([{"name": "a", "data_type": "f64", "address": 7}]), "/points/0/address"),
        (
            "points",
            json!([{"name": "a", "data_type": "f64", "address": "a".repeat(5000)}]),
            "/points/0/address",
        ),
        (
            "points",
            json!([{"name": "a", "data_type": "f64", "address": "a", "range": {"low": 1.0, "high": 1.0}}]),
            "/points/0/range",
        ),
        ("name", json!("another"), "/name"),
        ("description", json!("x".repeat(2001)), "/description"),
        ("colour", json!("red"), "/colour"),
    ] {
        let mut wrong = pump();
        wrong[at] = value;
        let answer = bench.put("/api/v1/templates/x", wrong).bearer(&bench.admin).send().await;
        assert_eq!(answer.problem("invalid-value"), field);
        assert!(!answer.text().contains("geheim"));
    }
    let same = json!({"name": "X"}).as_object().cloned().unwrap().into_iter();
    let body: Json = pump().as_object().cloned().unwrap().into_iter().chain(same).collect();
    let same = bench.put("/api/v1/templates/x", body).bearer(&bench.admin).send().await;
    assert_eq!(same.expect(200)["name"], "x");
    bench.delete("/api/v1/templates/x").bearer(&bench.admin).send().await.expect(204);
    let blank = bench.put("/api/v1/templates/%20x", pump()).bearer(&bench.admin).send().await;
    assert_eq!(blank.problem("invalid-value"), "/name");
    assert_eq!(names(&bench, &bench.admin, "").await, [""; 0]);
}

#[tokio::test]
async fn a_template_above_the_ceiling_is_not_there() {
    let bench = Bench::new().await;
    let mut secret = pump();
    secret["points"][1]["grade"] = json!("core");
    for (name, body) in [("Secret", secret.clone()), ("Known", pump())] {
        let uri = format!("/api/v1/templates/{name}");
        bench.put(&uri, body).bearer(&bench.admin).send().await.expect(200);
    }
    let engineer = bench.token_of("emil", "engineer", Grade::General).await;
    assert_eq!(names(&bench, &engineer, "").await, ["Known"]);
    assert_eq!(names(&bench, &bench.admin, "?limit=1").await, ["Known"]);
    bench.get("/api/v1/templates/secret").bearer(&engineer).send().await.problem("not-found");
    bench.delete("/api/v1/templates/secret").bearer(&engineer).send().await.problem("not-found");
    let over = bench.put("/api/v1/templates/secret", pump()).bearer(&engineer).send().await;
    over.problem("conflict");
    let above = bench.put("/api/v1/templates/mine", secret).bearer(&engineer).send().await;
    above.problem("forbidden");
    bench.put("/api/v1/templates/mine", pump()).bearer(&engineer).send().await.expect(200);
}
