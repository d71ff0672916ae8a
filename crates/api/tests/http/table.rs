//! Devices with their points as a table.

use http::Method;
use serde_json::{Value as Json, json};

use crate::bench::Bench;

pub(crate) async fn import(bench: &Bench, token: &str, table: &str, dry_run: bool) -> Json {
    let uri = format!("/api/v1/devices/import?dry_run={dry_run}");
    let call = bench.call(Method::POST, &uri, None).body("text/csv", table.to_owned());
    call.bearer(token).send().await.expect(200)
}

/// A device with two points, whose texts are what tables stumble over.
fn machine() -> Json {
    json!({
        "name": "=A1+K2", "protocol": "fake", "settings": {"host": "here"}, "grade": "general",
        "names": {"zh-CN": "泵，一号", "en": "Pump \"1\""},
        "points": [
            {"name": "-K1", "unit": "{rpm}", "data_type": "f64", "address": "speed", "poll_ms": 500,
             "description": " two\nlines, with a blank before\tand behind ",
             "write": {"min": 0.0, "max": 100.0, "confirm": true}, "grade": "general",
             "range": {"low": -0.5, "high": 1e9},
             "scaling": [{"effective": "2020-01-01T00:00:00Z", "factor": 0.5, "offset": 0.0}]},
            {"name": "'quoted'", "names": {"zh-CN": "状态"}, "data_type": "enumeration",
             "address": "state", "labels": {"-1": "故障", "0": "off"}, "domain": "production"},
        ],
    })
}

#[tokio::test]
async fn devices_travel_as_a_table() {
    let bench = Bench::new().await;
    let mut body = machine();
    body["settings"]["password"] = json!("open sesame");
    let made = bench.post("/api/v1/devices", body).bearer(&bench.admin).send().await.expect(201);
    let id = made["id"].as_str().unwrap();
    let exported = bench.get("/api/v1/devices/export").bearer(&bench.admin).send().await;
    let table = exported.text().to_owned();
    assert!(!table.contains("sesame"));

    // As it came it changes nothing, and keeps the secret.
    let report = import(&bench, &bench.admin, &table, false).await;
    assert_eq!(report["errors"], json!([]));
    assert_eq!((&report["devices_changed"], &report["points_changed"]), (&json!(1), &json!(2)));
    let path = format!("/api/v1/devices/{}", id.replace('/', "%2F"));
    let after = bench.get(&path).bearer(&bench.admin).send().await.expect(200);
    assert_eq!(after["points"], made["points"]);
    assert_eq!(after["settings"], made["settings"]);

    // A column alone changes what it names, and points that are not in the table stay.
    let speed = made["points"][0]["id"].as_str().unwrap();
    let small = format!("device,point,unit\n{id},{speed},m/s\n");
    import(&bench, &bench.admin, &small, false).await;
    let after = bench.get(&path).bearer(&bench.admin).send().await.expect(200);
    assert_eq!(after["points"].as_array().unwrap().len(), 2);
    assert_eq!(after["points"][0]["unit"], "m/s");
    assert_eq!(after["points"][0]["scaling"], made["points"][0]["scaling"]);

    // Many new devices at a time; first only looked at.
    let mut new = "device_name,protocol,settings,name,data_type,address\n".to_owned();
    for n in 0..3 {
        for point in ["a", "b"] {
            new += &format!("泵 {n},fake,{{}},{point},f64,\"\"\"{point}\"\"\"\n");
        }
    }
    let dry = import(&bench, &bench.admin, &new, true).await;
    assert_eq!((&dry["devices_created"], &dry["points_created"]), (&json!(3), &json!(6)));
    let devices = || async {
        let list = bench.get("/api/v1/devices?protocol=fake").bearer(&bench.admin).send().await;
        list.expect(200)["items"].as_array().unwrap().len()
    };
    assert_eq!(devices().await, 1);
    import(&bench, &bench.admin, &new, false).await;
    assert_eq!(devices().await, 4);

    // What is wrong is told by line and column, and nothing is stored.
    let wrong = "device_name,protocol,settings,name,data_type,address\n\
        P,fake,{},x,f64,\"\"\"x\"\"\"\nP,fake,{},y,f64,17\nQ,fake,{nonsense,z,f64,\"\"\"z\"\"\"\n";
    let report = import(&bench, &bench.admin, wrong, false).await;
    assert_eq!(report["errors"][0]["line"], 3, "{report}");
    assert_eq!(report["errors"][0]["field"], "address");
    assert_eq!(report["errors"][1]["line"], 4);
    assert_eq!(
        (&report["errors"][1]["field"], &report["errors_total"]),
        (&json!("settings"), &json!(2))
    );
    assert_eq!(devices().await, 4);
    let unknown = bench.call(Method::POST, "/api/v1/devices/import", None);
    let unknown = unknown.body("text/csv", "device,colour\nx,red\n".to_owned());
    unknown.bearer(&bench.admin).send().await.problem("invalid-value");
}

/// Devices as they are answered, without what moves by itself.
async fn devices(bench: &Bench) -> Vec<Json> {
    let list = bench.get("/api/v1/devices?limit=1000").bearer(&bench.admin).send().await;
    let list = list.expect(200);
    let mut all = Vec::new();
    for device in list["items"].as_array().unwrap() {
        let uri =
            format!("/api/v1/devices/{}", crate::bench::segment(device["id"].as_str().unwrap()));
        let mut device = bench.get(&uri).bearer(&bench.admin).send().await.expect(200);
        for gone in ["version", "status"] {
            device.as_object_mut().unwrap().remove(gone);
        }
        for point in device["points"].as_array_mut().unwrap() {
            point.as_object_mut().unwrap().remove("version");
        }
        all.push(device);
    }
    all
}

#[tokio::test]
async fn what_was_exported_is_imported_as_the_same() {
    let bench = Bench::new().await;
    let mut bare = machine();
    bare["name"] = json!("@bare");
    bare["points"] = json!([]);
    bare["settings"] = json!({});
    for body in [machine(), bare] {
        bench.post("/api/v1/devices", body).bearer(&bench.admin).send().await.expect(201);
    }
    let before = devices(&bench).await;
    let exported = bench.get("/api/v1/devices/export").bearer(&bench.admin).send().await;
    let table = exported.text().to_owned();
    assert!(!table.contains(",=") && !table.contains(",-K"), "{table}");
    for device in &before {
        let id = crate::bench::segment(device["id"].as_str().unwrap());
        let uri = format!("/api/v1/devices/{id}?tags=delete");
        bench.delete(&uri).bearer(&bench.admin).send().await.expect(204);
    }
    let report = import(&bench, &bench.admin, &table, false).await;
    assert_eq!(report["errors"], json!([]));
    assert_eq!((&report["devices_created"], &report["points_created"]), (&json!(2), &json!(2)));
    assert_eq!(devices(&bench).await, before);
    let again = bench.get("/api/v1/devices/export").bearer(&bench.admin).send().await;
    assert_eq!(again.text(), table);
}

#[tokio::test]
async fn a_table_is_stored_as_a_whole_or_not_at_all() {
    let bench = Bench::new().await;
    let line = |n: usize, address: &str| {
        format!("88.100/d{n},D {n},fake,{{}},x,f64,\"\"\"{address}\"\"\"\n")
    };
    let head = "device,device_name,protocol,settings,name,data_type,address\n".to_owned();
    let good: String = (0..3000).map(|n| line(n, "x")).collect();
    let before = *bench.store.head().borrow();
    // Only the very last line is wrong, and only in what the store knows: its identifier is taken.
    let tag = bench.tag(json!({"id": "88.100/taken", "name": "T", "data_type": "f64"})).await;
    let taken = format!("{tag},Taken,fake,{{}},x,f64,\"\"\"x\"\"\"\n");
    let report = import(&bench, &bench.admin, &format!("{head}{good}{taken}"), false).await;
    let error = &report["errors"][0];
    assert_eq!((&error["line"], &error["field"]), (&json!(3002), &json!("device")), "{report}");
    assert_eq!(*bench.store.head().borrow(), before + 1);

    // All lines that are wrong are counted, and the first ones told, each by line and column.
    let wrong: String = (0..500).map(|n| line(n, &"x".repeat(5000))).collect();
    let report = import(&bench, &bench.admin, &format!("{head}{wrong}"), true).await;
    assert_eq!(report["errors_total"], 500);
    let errors = report["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 200);
    assert!(errors.iter().zip(2..).all(|(e, n)| e["line"] == n && e["field"] == "address"));

    // What fits is one change, whatever the number of its commits.
    let report = import(&bench, &bench.admin, &format!("{head}{good}"), false).await;
    assert_eq!((&report["devices_created"], &report["errors_total"]), (&json!(3000), &json!(0)));
    assert_eq!(*bench.store.head().borrow(), before + 3, "12,001 operations are two entries");
    let found = bench.get("/api/v1/devices/88.100%2Fd2999").bearer(&bench.admin).send().await;
    assert_eq!(found.expect(200)["points"][0]["address"], "x");
}

#[tokio::test]
async fn lines_that_cannot_all_be_meant_are_told() {
    let bench = Bench::new().await;
    let head = "device,device_name,protocol,settings,point,name,data_type,address\n";
    for (lines, wrong) in [
        // Settings that differ within one device.
        (
            "88.100/d,D,fake,{},,x,f64,\"\"\"x\"\"\"\n88.100/D,D,fake,\"{\"\"a\"\":1}\",,y,f64,\"\"\"y\"\"\"\n",
            vec![(3, "settings")],
        ),
        // A point twice, an identifier that is none, and what is missing.
        (
            "88.100/d,D,fake,{},88.100/p,x,f64,\"\"\"x\"\"\"\n88.100/d,,,,88.100/p,y,f64,\"\"\"y\"\"\"\n",
            vec![(3, "point")],
        ),
        (
            "88.100/d,D,fake,{},no identifier,x,f64,\"\"\"x\"\"\"\n88.100/e,E,fake,{},,y,float,\"\"\"y\"\"\"\n",
            vec![(2, "point"), (3, "data_type")],
        ),
        (
            "nonsense,D,fake,{},,,,\n88.100/e,,fake,{},,,,\n88.100/f,F,fake,,,,,\n99/g,G,fake,{},,,,\n",
            vec![(2, "device"), (3, "device_name"), (4, "settings"), (5, "device")],
        ),
        // Lines of one device may stand apart.
        (
            "88.100/d,D,fake,{},,x,f64,\"\"\"x\"\"\"\n88.100/e,E,fake,{},,x,f64,\"\"\"x\"\"\"\n88.100/d,,,,,y,f64,\"\"\"y\"\"\"\n",
            vec![],
        ),
    ] {
        let report = import(&bench, &bench.admin, &format!("{head}{lines}"), true).await;
        let told: Vec<_> = report["errors"].as_array().unwrap().iter().collect();
        let told: Vec<_> = told
            .iter()
            .map(|e| (e["line"].as_u64().unwrap(), e["field"].as_str().unwrap()))
            .collect();
        assert_eq!(told, wrong, "{report}");
    }
    let empty = import(&bench, &bench.admin, head, false).await;
    assert_eq!((&empty["devices_created"], &empty["errors"]), (&json!(0), &json!([])));
    let long = format!("name\n{}", "x\n".repeat(50_001));
    let long = bench.call(Method::POST, "/api/v1/devices/import", None).body("text/csv", long);
    long.bearer(&bench.admin).send().await.problem("too-large");
    let large = format!("name\n{}\n", "x".repeat(16 << 20));
    let large = bench.call(Method::POST, "/api/v1/devices/import", None).body("text/csv", large);
    large.bearer(&bench.admin).send().await.problem("too-large");
}
