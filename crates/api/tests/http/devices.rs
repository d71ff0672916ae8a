//! Devices with their points, tests of them, and writes to them.

use http::Method;
use serde_json::{Value as Json, json};
use weir_connect::{DeviceSpec, Point};
use weir_model::TenantId;
use weir_twin::Tags;

use crate::bench::{Bench, PATIENCE};

fn machine() -> Json {
    json!({
        "name": "Machine 1", "protocol": "fake", "settings": {"host": "here"}, "grade": "general",
        "points": [
            {"name": "Speed", "unit": "{rpm}", "data_type": "f64", "address": "speed",
             "write": {"min": 0, "max": 100, "confirm": true}, "grade": "general",
             "scaling": [{"effective": "2020-01-01T00:00:00Z", "factor": 0.5, "offset": 0.0}]},
            {"name": "Torque", "data_type": "f64", "address": "torque"},
            {"name": "Broken", "data_type": "f64", "address": "broken", "write": {}},
        ],
    })
}

/// Runs the device as the node's follower would.
async fn start(bench: &Bench, device: &str) {
    let key = device.to_lowercase();
    let document = bench.store.get::<weir_connect::Devices>(TenantId(1), &key).unwrap().unwrap();
    let tags = bench.store.by_index::<Tags>(TenantId(1), Tags::DEVICE, &key, None, 1000).unwrap();
    let points = tags.items.into_iter().map(|found| {
        let source = found.record.source.unwrap();
        Point {
            tag: found.record.tag,
            id: found.record.id,
            name: found.record.name,
            address: source.address,
            data_type: found.record.data_type,
            scaling: serde_json::from_value(Json::Array(source.scaling)).unwrap(),
            write: source.write.map(|write| serde_json::from_value(write).unwrap()),
            poll_ms: source.poll_ms,
        }
    });
    let weir_connect::Device { id, name, protocol, settings, enabled, .. } = document.record;
    let spec = DeviceSpec {
        tenant: TenantId(1),
        device: id,
        name,
        protocol,
        settings,
        points: points.collect(),
        enabled,
        revision: document.version,
    };
    bench.supervisor.apply(spec).await.unwrap();
}

async fn wait_for(bench: &Bench, uri: &str, done: impl Fn(&Json) -> bool) -> Json {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let found = bench.get(uri).bearer(&bench.admin).send().await.expect(200);
        if done(&found) {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "{found}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_device_is_made_with_its_points_in_one_change() {
    let bench = Bench::new().await;
    let before = *bench.store.head().borrow();
    let made =
        bench.post("/api/v1/devices", machine()).bearer(&bench.admin).send().await.expect(201);
    assert_eq!(*bench.store.head().borrow(), before + 1);
    assert_eq!(made["id"], "88.100/machine-1");
    let points = made["points"].as_array().unwrap();
    assert_eq!(points.len(), 3);
    let speed = points.iter().find(|point| point["name"] == "Speed").unwrap();
    assert_eq!((&speed["address"], &speed["grade"]), (&json!("speed"), &json!("general")));
    let list = bench.get("/api/v1/tags?protocol=fake&device=88.100/machine-1").bearer(&bench.admin);
    assert_eq!(list.send().await.expect(200)["items"].as_array().unwrap().len(), 3);
    let list = bench.get("/api/v1/devices?q=machine").bearer(&bench.admin).send().await.expect(200);
    assert_eq!(list["items"][0]["id"], "88.100/machine-1");
    let record = bench.get("/api/v1/identifiers/88.100%2Fmachine-1").bearer(&bench.admin);
    assert_eq!(record.send().await.expect(200)["kind"], "device");

    for (at, value, field) in [
        ("/protocol", json!("smoke"), "/protocol"),
        ("/points/1/address", json!(7), "/points/1/address"),
        ("/points/1/asset", json!("88.100/none"), "/points/1/asset"),
        ("/points/1/name", json!(""), "/points/1/name"),
        ("/points/1/id", json!("99/x"), "/points/1/id"),
        ("/name", json!(""), "/name"),
    ] {
        let mut wrong = machine();
        match wrong.pointer_mut(at) {
            Some(place) => *place = value,
            None => wrong["points"][1][at.rsplit('/').next().unwrap()] = value,
        }
        let answer = bench.post("/api/v1/devices", wrong).bearer(&bench.admin).send().await;
        assert_eq!(answer.problem("invalid-value"), field);
    }
    assert_eq!(*bench.store.head().borrow(), before + 1, "nothing was half made");
}

#[tokio::test]
async fn a_device_is_tested_without_being_stored() {
    let bench = Bench::new().await;
    bench.registers.lock().unwrap().insert("speed".into(), 50.0);
    let before = *bench.store.head().borrow();
    let test = bench.post("/api/v1/devices/test", machine()).bearer(&bench.admin).send().await;
    let test = test.expect(200);
    assert_eq!(test["values"][0]["value"], 25.0, "{test}");
    assert_eq!(test["values"][0]["name"], "Speed");
    let mut nowhere = machine();
    nowhere["settings"]["host"] = json!("nowhere");
    let failed = bench.post("/api/v1/devices/test", nowhere).bearer(&bench.admin).send().await;
    failed.problem("device-failed");
    assert!(failed.json()["detail"].as_str().unwrap().contains("nowhere"));
    assert_eq!(*bench.store.head().borrow(), before);
    let protocols = bench.get("/api/v1/protocols").bearer(&bench.admin).send().await.expect(200);
    assert_eq!(protocols[0]["protocol"], "fake");
}

#[tokio::test]
async fn a_device_runs_and_is_written_within_its_limits() {
    let bench = Bench::new().await;
    bench.registers.lock().unwrap().insert("speed".into(), 50.0);
    bench.post("/api/v1/devices", machine()).bearer(&bench.admin).send().await.expect(201);
    start(&bench, "88.100/machine-1").await;
    let uri = "/api/v1/devices/88.100%2Fmachine-1";
    let device = wait_for(&bench, uri, |device| device["status"]["state"] == "online").await;
    assert_eq!(device["status"]["points"], 3);
    let tag = "/api/v1/tags/88.100%2Fspeed";
    wait_for(&bench, tag, |tag| tag["last"]["value"] == 25.0).await;

    let write = async |tag: &str, body: Json| {
        bench.post(&format!("{tag}/write"), body).bearer(&bench.admin).send().await
    };
    write(tag, json!({"value": 40})).await.problem("precondition-required");
    write(tag, json!({"value": 101, "confirm": true})).await.problem("invalid-value");
    let wrong = write(tag, json!({"value": "fast", "confirm": true})).await;
    assert_eq!(wrong.problem("invalid-value"), "/value");
    write("/api/v1/tags/88.100%2Ftorque", json!({"value": 1})).await.problem("invalid-value");
    let written = write(tag, json!({"value": 40, "confirm": true})).await.expect(200);
    assert_eq!(
        (&written["before"], &written["requested"], &written["after"]),
        (&json!(25.0), &json!(40.0), &json!(40.0))
    );
    assert_eq!(bench.registers.lock().unwrap()["speed"], 80.0);
    write("/api/v1/tags/88.100%2Fbroken", json!({"value": 1})).await.problem("device-failed");

    let page = bench.store.list::<weir_api::Commands>(TenantId(1), "", None, 100).unwrap();
    let commands: Vec<_> = page.items.into_iter().map(|found| found.record).collect();
    let done = commands.iter().find(|c| c.outcome.as_ref().is_some_and(|o| o.verified)).unwrap();
    let outcome = done.outcome.as_ref().unwrap();
    assert_eq!((&done.requested, outcome.before.as_ref()), (&json!(40.0), Some(&json!(25.0))));
    let failed = commands.iter().find(|c| c.tag.suffix() == "broken").unwrap();
    assert!(failed.outcome.as_ref().unwrap().error.as_ref().unwrap().contains("it said no"));
    assert!(commands.iter().all(|command| command.outcome.is_some()));
    let restart = bench.post(&format!("{uri}/restart"), json!(null)).bearer(&bench.admin);
    restart.send().await.expect(202);
}

#[tokio::test]
async fn points_are_changed_added_and_let_go() {
    let bench = Bench::new().await;
    let made =
        bench.post("/api/v1/devices", machine()).bearer(&bench.admin).send().await.expect(201);
    let uri = "/api/v1/devices/88.100%2Fmachine-1";
    let renamed =
        bench.patch(uri, json!({"name": "Machine one", "settings": {"host": null, "port": 1}}));
    let renamed = renamed.bearer(&bench.admin).send().await.expect(200);
    assert_eq!((&renamed["id"], &renamed["settings"]), (&made["id"], &json!({"port": 1})));
    assert_eq!(renamed["points"].as_array().unwrap().len(), 3);
    let points = json!({"points": [
        {"id": "88.100/speed", "name": "Speed", "data_type": "f64", "address": "speed2", "grade": "general"},
        {"name": "Heat", "data_type": "f64", "address": "heat"},
    ]});
    let changed = bench.patch(uri, points).bearer(&bench.admin).send().await.expect(200);
    let names: Vec<_> = changed["points"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["Heat", "Speed"]);
    let torque = bench.get("/api/v1/tags/88.100%2Ftorque").bearer(&bench.admin).send().await;
    assert_eq!(torque.expect(200)["source"], Json::Null);
    let protocol =
        bench.patch(uri, json!({"protocol": "modbus"})).bearer(&bench.admin).send().await;
    assert_eq!(protocol.problem("invalid-value"), "/protocol");
    let stale = bench.patch(uri, json!({})).bearer(&bench.admin).header("if-match", "\"1\"");
    stale.send().await.problem("version-conflict");
    bench.delete(uri).bearer(&bench.admin).send().await.expect(204);
    bench.get(uri).bearer(&bench.admin).send().await.problem("not-found");
    let speed =
        bench.get("/api/v1/tags/88.100%2Fspeed").bearer(&bench.admin).send().await.expect(200);
    assert_eq!(speed["protocol"], "http", "the tag stays with its history");
}

#[tokio::test]
async fn secrets_are_kept_and_never_told() {
    let bench = Bench::new().await;
    let mut body = machine();
    body["settings"]["password"] = json!("open sesame");
    let made = bench.post("/api/v1/devices", body).bearer(&bench.admin).send().await;
    assert!(!made.text().contains("sesame"));
    let made = made.expect(201);
    let marker = json!({"secret": "set"});
    assert_eq!(made["settings"]["password"], marker);
    let id = made["id"].as_str().unwrap();
    let path = format!("/api/v1/devices/{}", id.replace('/', "%2F"));
    let kept = || {
        let key = id.to_lowercase();
        let found = bench.store.get::<weir_connect::DeviceSecrets>(TenantId(1), &key).unwrap();
        found.map(|found| {
            let mut settings = json!({"password": marker});
            found.record.give(&mut settings);
            settings["password"].as_str().unwrap().to_owned()
        })
    };
    assert_eq!(kept().as_deref(), Some("open sesame"));
    // What was answered can be sent back, and what is not mentioned stays.
    for patch in [json!({"settings": {"password": marker}}), json!({"name": "Machine 2"})] {
        bench.call(Method::PATCH, &path, Some(patch)).bearer(&bench.admin).send().await.expect(200);
        assert_eq!(kept().as_deref(), Some("open sesame"));
    }
    // A test of the device that is there may use what is kept of it; another may not.
    let mut test = machine();
    test["settings"]["password"] = marker.clone();
    let strange = bench.post("/api/v1/devices/test", test.clone()).bearer(&bench.admin);
    assert_eq!(strange.send().await.problem("invalid-value"), "/settings/password");
    test["id"] = json!(id);
    let known = bench.post("/api/v1/devices/test", test.clone()).bearer(&bench.admin);
    assert!(!known.send().await.text().contains("sesame"));
    let second = bench.second_organisation().await;
    let foreign = bench.post("/api/v1/devices/test", test).bearer(&second).send().await;
    assert_eq!(foreign.problem("invalid-value"), "/settings/password");
    let export = bench.get("/api/v1/export").bearer(&bench.admin).send().await;
    assert!(!export.text().contains("sesame"));
    let none = json!({"settings": {"password": null}});
    bench.call(Method::PATCH, &path, Some(none)).bearer(&bench.admin).send().await.expect(200);
    assert_eq!(kept(), None);
}

#[tokio::test]
async fn devices_are_browsed_in_pages_and_what_a_protocol_lacks_is_told() {
    let bench = Bench::new().await;
    let mut at = json!({"protocol": "fake", "settings": {}});
    let first = bench.post("/api/v1/devices/browse", at.clone()).bearer(&bench.admin);
    let first = first.send().await.expect(200);
    assert_eq!((&first["items"][0]["name"], &first["next"]), (&json!("first"), &json!("second")));
    at["at"] = first["next"].clone();
    let second = bench.post("/api/v1/devices/browse", at).bearer(&bench.admin);
    assert_eq!(second.send().await.expect(200)["next"], Json::Null);
    let nothing = json!({"protocol": "fake", "settings": {}});
    let nothing = bench.post("/api/v1/devices/discover", nothing).bearer(&bench.admin);
    nothing.send().await.problem("invalid-value");
}

/// What is answered, without what moves by itself.
fn settled(mut device: Json) -> Json {
    for gone in ["version", "status"] {
        device.as_object_mut().unwrap().remove(gone);
    }
    for point in device["points"].as_array_mut().unwrap() {
        for gone in ["version", "last"] {
            point.as_object_mut().unwrap().remove(gone);
        }
    }
    device
}

#[tokio::test]
async fn what_is_read_is_written_again() {
    let bench = Bench::new().await;
    let mut body = machine();
    body["settings"]["password"] = json!("open sesame");
    body["names"] = json!({"zh-CN": "机器一"});
    body["points"][1]["labels"] = json!({"0": "off", "1": "on"});
    body["points"][1]["data_type"] = json!("enumeration");
    bench.post("/api/v1/devices", body).bearer(&bench.admin).send().await.expect(201);
    let uri = "/api/v1/devices/88.100%2Fmachine-1";
    let read = bench.get(uri).bearer(&bench.admin).send().await;
    let tag = read.header("etag").to_owned();
    let read = read.expect(200);

    // Put and patched as it is, it stays what it is, its secret and inherited grades among it.
    for method in [Method::PUT, Method::PATCH] {
        let same = bench.call(method, uri, Some(read.clone())).bearer(&bench.admin).send().await;
        assert_eq!(settled(same.expect(200)), settled(read.clone()));
    }
    // A test takes it as well, with what is kept of it.
    let test = bench.post("/api/v1/devices/test", read.clone()).bearer(&bench.admin).send().await;
    assert_eq!(test.expect(200)["values"].as_array().unwrap().len(), 3);

    // A field is changed upon the version that was read, and not upon an older one.
    let mut changed = bench.get(uri).bearer(&bench.admin).send().await.expect(200);
    let torque = changed["points"].as_array().unwrap().iter().position(|p| p["name"] == "Torque");
    changed["points"][torque.unwrap()]["own_grade"] = json!("important");
    changed["settings"] = json!({"port": 7});
    let stale = bench.put(uri, changed.clone()).bearer(&bench.admin).header("if-match", &tag);
    stale.send().await.problem("version-conflict");
    let now = format!("\"{}\"", changed["version"]);
    let put = bench.put(uri, changed.clone()).bearer(&bench.admin).header("if-match", &now);
    let put = put.send().await.expect(200);
    assert_eq!(put["settings"], json!({"port": 7}), "what was left out is gone, the secret too");
    assert_eq!(put["points"][torque.unwrap()]["grade"], "important");

    // A point that someone changed since is a conflict with `If-Match`, and none without.
    let mut late = put.clone();
    late["points"][torque.unwrap()]["description"] = json!("At the shaft");
    let other = json!({"description": "of someone else"});
    bench
        .patch("/api/v1/tags/88.100%2Ftorque", other)
        .bearer(&bench.admin)
        .send()
        .await
        .expect(200);
    let now = format!("\"{}\"", put["version"]);
    let refused = bench.put(uri, late.clone()).bearer(&bench.admin).header("if-match", &now);
    refused.send().await.problem("version-conflict");
    let forced = bench.put(uri, late).bearer(&bench.admin).send().await.expect(200);
    assert_eq!(forced["points"][torque.unwrap()]["description"], "At the shaft");

    // Deleted, it is made again of what was read.
    let read = bench.get(uri).bearer(&bench.admin).send().await.expect(200);
    let gone = bench.delete(&format!("{uri}?tags=delete")).bearer(&bench.admin).send().await;
    gone.expect(204);
    let again = bench.post("/api/v1/devices", read.clone()).bearer(&bench.admin).send().await;
    assert_eq!(settled(again.expect(201)), settled(read));
    let unknown = bench.put("/api/v1/devices/88.100%2Fnone", machine()).bearer(&bench.admin);
    unknown.send().await.problem("not-found");
}

#[tokio::test]
async fn whoever_does_not_see_an_asset_does_not_take_it_away() {
    let bench = Bench::new().await;
    let asset = json!({"name": "Vault", "level": "site", "grade": "core"});
    bench.post("/api/v1/assets", asset).bearer(&bench.admin).send().await.expect(201);
    let mut body = machine();
    body["asset"] = json!("88.100/vault");
    body["points"] =
        json!([{"name": "Speed", "data_type": "f64", "address": "speed", "grade": "general"}]);
    bench.post("/api/v1/devices", body).bearer(&bench.admin).send().await.expect(201);
    let engineer = bench.token_of("emil", "engineer", weir_model::Grade::General).await;
    let uri = "/api/v1/devices/88.100%2Fmachine-1";
    let mut shown = bench.get(uri).bearer(&engineer).send().await.expect(200);
    assert_eq!((&shown["asset"], &shown["points"][0]["asset"]), (&Json::Null, &Json::Null));
    shown["points"][0]["description"] = json!("changed");
    bench.put(uri, shown).bearer(&engineer).send().await.expect(200);
    let table = bench.get("/api/v1/devices/export").bearer(&engineer).send().await;
    assert!(!table.text().contains("vault"), "{}", table.text());
    let report = crate::table::import(&bench, &engineer, table.text(), false).await;
    assert_eq!(report["errors"], json!([]));
    let kept = bench.get(uri).bearer(&bench.admin).send().await.expect(200);
    assert_eq!(kept["asset"], "88.100/vault");
    assert_eq!(kept["points"][0]["asset"], "88.100/vault");
    assert_eq!(kept["points"][0]["description"], "changed");
}

/// Devices that are refused, each with the field that is wrong.
fn refused() -> Vec<(Json, &'static str)> {
    let with = |at: &str, value: Json| {
        let mut body = machine();
        let (parent, name) = at.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value;
        body
    };
    vec![
        (with("/points/1/address", json!("a".repeat(5000))), "/points/1/address"),
        (with("/points/1/description", json!("x".repeat(5000))), "/points/1/description"),
        (with("/points/1/name", json!("\u{7}bell")), "/points/1/name"),
        (with("/points/1/name", json!("x".repeat(65_536))), "/points/1/name"),
        (with("/points/1/names", json!({"zh-CN": "\u{202e}pmup"})), "/points/1/names"),
        (with("/points/1/poll_ms", json!(1)), "/points/1/poll_ms"),
        (with("/points/1/range", json!({"low": 1.0, "high": 1.0})), "/points/1/range"),
        (with("/points/1/labels", json!({"0": "off"})), "/points/1/labels"),
        (with("/points/1/asset", json!("88.100/none")), "/points/1/asset"),
        (with("/name", json!("\u{0}")), "/name"),
        (with("/settings/text", json!("x".repeat(70_000))), "/settings"),
        (with("/asset", json!("88.100/none")), "/asset"),
    ]
}

#[tokio::test]
async fn a_test_refuses_what_a_creation_refuses() {
    let bench = Bench::new().await;
    bench.post("/api/v1/devices", machine()).bearer(&bench.admin).send().await.expect(201);
    let there = "/api/v1/devices/88.100%2Fmachine-1";
    for (body, field) in refused() {
        for uri in ["/api/v1/devices", "/api/v1/devices/test"] {
            let answer = bench.post(uri, body.clone()).bearer(&bench.admin).send().await;
            assert_eq!(answer.problem("invalid-value"), field, "{uri}");
        }
        let answer = bench.put(there, body).bearer(&bench.admin).send().await;
        assert_eq!(answer.problem("invalid-value"), field, "{there}");
    }
    let mut largest = machine();
    largest["points"][1]["address"] = json!("a".repeat(4094));
    for uri in ["/api/v1/devices/test", "/api/v1/devices"] {
        let answer = bench.post(uri, largest.clone()).bearer(&bench.admin).send().await;
        assert!(answer.status.is_success(), "{}", answer.text());
    }
}
