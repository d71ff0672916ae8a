//! The spine: one command, and a plant's signals arrive.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use weir_it::{Weir, anonymous_kib, encode};
use weir_model::Timestamp;

const SOON: Duration = Duration::from_secs(30);

/// What the demo's devices speak.
const PROTOCOLS: [&str; 4] = ["modbus", "mtconnect", "opcua", "sparkplug"];

/// Tags of the process and its utilities; the least that the fleet and the machine tool add.
const TAGS_MIN: usize = 52 + 200;

fn items(list: &Json) -> &[Json] {
    list["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn has_values(list: &Json) -> bool {
    items(list).iter().any(|tag| !tag["last"]["value"].is_null())
}

#[test]
fn the_demo_shows_a_plants_signals() {
    let data = tempfile::tempdir().unwrap();
    let weir = Weir::demo(data.path()).unwrap();
    let ready = Instant::now();
    for field in ["url", "user", "password", "token"] {
        assert!(!weir.ready_text(field).is_empty(), "the ready line lacks {field}: {}", weir.ready);
    }
    let api = weir.api().with_token(&weir.ready_text("token"));

    println!("ready after {:?}", weir.ready_after);
    let mut waiting = PROTOCOLS.to_vec();
    while !waiting.is_empty() {
        let list = api.fetch("/api/v1/tags?limit=1000").unwrap();
        let came = |protocol: &str| {
            let of = |tag: &&Json| tag["protocol"] == protocol && !tag["last"]["value"].is_null();
            items(&list).iter().any(|tag| of(&tag))
        };
        waiting.retain(|protocol| {
            if came(protocol) {
                println!("first sample of {protocol} {:?} after the ready line", ready.elapsed());
            }
            !came(protocol)
        });
        assert!(ready.elapsed() < SOON, "nothing of {waiting:?}");
    }
    let all_good = |list: &Json| {
        let tags = items(list);
        tags.len() >= TAGS_MIN && tags.iter().all(|tag| tag["last"]["quality"] == "good")
    };
    let tags = api.until("/api/v1/tags?limit=1000", SOON, all_good).unwrap();
    println!("{} tags are good {:?} after the ready line", items(&tags).len(), ready.elapsed());
    let tags = items(&tags);

    // What other programs rely on.
    for tag in tags {
        for field in ["id", "name", "unit", "protocol", "last"] {
            assert!(!tag[field].is_null() || field == "unit", "{field} is missing in {tag}");
        }
        assert!(PROTOCOLS.contains(&tag["protocol"].as_str().unwrap()), "{tag}");
        tag["last"]["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    }
    let tag = tags.iter().find(|tag| tag["protocol"] == "modbus").unwrap();
    let id = tag["id"].as_str().unwrap();
    let one = api.fetch(&format!("/api/v1/tags/{}", encode(id))).unwrap();
    assert_eq!(one["id"], tag["id"]);

    // History: more than one sample, in order, thinned out on demand.
    let path = format!("/api/v1/tags/{}/samples", encode(id));
    let several = |answer: &Json| answer["samples"].as_array().is_some_and(|s| s.len() >= 3);
    let history = api.until(&path, SOON, several).unwrap();
    let times: Vec<Timestamp> = history["samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sample| sample["time"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(times.is_sorted());
    let thin = api.fetch(&format!("{path}?max_points=2")).unwrap();
    assert!(thin["samples"].as_array().unwrap().len() <= 2);
    let csv = api.send("GET", &path, &[("accept", "text/csv")], &[]).unwrap();
    assert!(csv.header("content-type").starts_with("text/csv"), "{csv:?}");
    assert!(csv.text.starts_with("tag,time,value,quality"), "{}", csv.text);

    // Any asset can be looked up by its identifier.
    let assets = api.list("/api/v1/assets").unwrap();
    assert!(!assets.is_empty());
    for thing in assets.iter().chain([tag]) {
        let id = thing["id"].as_str().unwrap();
        let record = api.fetch(&format!("/api/v1/identifiers/{}", encode(id))).unwrap();
        assert_eq!(record["id"], thing["id"]);
    }

    // The live stream, and its resumption.
    let live = format!("/api/v1/live?tags={}", encode(id));
    let first = next_sample(&mut BufReader::new(api.stream(&live, &[]).unwrap()));
    assert_eq!(first.1["tag"], tag["id"]);
    let stream = api.stream(&live, &[("last-event-id", &first.0)]).unwrap();
    let second = next_sample(&mut BufReader::new(stream));
    assert!(second.1["time"].as_str() > first.1["time"].as_str(), "{first:?} {second:?}");

    println!("anonymous memory: {} KiB", anonymous_kib(weir.pid()).unwrap());
    weir.stop().unwrap();
}

#[test]
fn a_fault_of_the_process_is_switched_on_by_a_write() {
    let data = tempfile::tempdir().unwrap();
    // Held, so that a value is the recorded one whenever it is looked at.
    let weir = Weir::start("demo", data.path(), &["--speed", "0"]).unwrap();
    let api = weir.api().with_token(&weir.ready_text("token"));
    let path = |tag: &str| format!("/api/v1/tags/{}", encode(&format!("demo.tep/{tag}")));
    let shows = |tag: &str, value: Json| {
        api.until(&path(tag), SOON, |tag| tag["last"]["value"] == value).unwrap()
    };
    // The first row of the normal run.
    let switch = shows("replay-fault", json!(0));
    assert_eq!(switch["data_type"], "enumeration");
    assert!(switch["labels"]["6"].as_str().unwrap().contains("A 进料中断"), "{switch}");
    shows("reactor-pressure", json!(2705.2));

    // A write that nobody has confirmed changes nothing.
    let write =
        |tag: &str, body: Json| api.json("POST", &format!("{}/write", path(tag)), &body).unwrap();
    let unconfirmed = write("replay-fault", json!({ "value": 6 }));
    assert!(unconfirmed.status >= 400, "{unconfirmed:?}");
    let wrong = write("replay-fault", json!({ "value": 11, "confirm": true }));
    assert!(wrong.status >= 400, "{wrong:?}");
    let written = write("replay-fault", json!({ "value": 6, "confirm": true }));
    assert_eq!(written.status, 200, "{written:?}");
    assert_eq!(written.json()["after"], 6, "read back: {written:?}");

    // Row 151 of the recording of fault 6, over OPC UA and over Modbus.
    shows("replay-fault", json!(6));
    shows("reactor-pressure", json!(2705.0));
    shows("replay-row", json!(150));

    // The machine tool and the fleet have switches of their own.
    for (switch, value) in [("replay-mill-failure", 1), ("replay-engine-wear", 1)] {
        let written = write(switch, json!({ "value": value, "confirm": true }));
        assert_eq!(written.status, 200, "{written:?}");
        shows(switch, json!(value));
    }
    shows("mill-part-count", json!(68));
    shows("engine-01-cycle", json!(133));
    weir.stop().unwrap();
}

/// The id and the data of the next `sample` event.
fn next_sample(stream: &mut impl BufRead) -> (String, Json) {
    let (mut id, mut event) = (String::new(), String::new());
    for line in stream.lines() {
        let line = line.unwrap();
        if let Some(text) = line.strip_prefix("id:") {
            text.trim().clone_into(&mut id);
        } else if let Some(text) = line.strip_prefix("event:") {
            text.trim().clone_into(&mut event);
        } else if let Some(data) = line.strip_prefix("data:")
            && event == "sample"
            && !id.is_empty()
        {
            return (id, serde_json::from_str(data.trim()).unwrap());
        }
    }
    panic!("the stream ended");
}

#[test]
fn the_demo_starts_again_on_its_own_data() {
    let data = tempfile::tempdir().unwrap();
    let first = Weir::demo(data.path()).unwrap();
    let token = first.ready_text("token");
    first.api().with_token(&token).until("/api/v1/tags", SOON, has_values).unwrap();
    let tags = first.api().with_token(&token).list("/api/v1/tags?limit=500").unwrap().len();
    first.kill();
    let second = Weir::demo(data.path()).unwrap();
    let api = second.api().with_token(&second.ready_text("token"));
    assert_eq!(api.list("/api/v1/tags?limit=500").unwrap().len(), tags);
    // Each device was told where its peer is this time, and goes on.
    for protocol in PROTOCOLS {
        let path = "/api/v1/tags?limit=1000";
        let newest = |list: &Json| {
            let of = |tag: &&Json| tag["protocol"] == protocol;
            let times = items(list).iter().filter(of).map(|tag| tag["last"]["time"].as_str());
            times.flatten().max().unwrap_or_default().to_owned()
        };
        let then = newest(&api.fetch(path).unwrap());
        api.until(path, SOON, |list| newest(list) > then).unwrap();
    }
    second.stop().unwrap();
}

#[test]
fn samples_from_programs_are_stored_all_or_nothing() {
    let data = tempfile::tempdir().unwrap();
    let weir = Weir::serve(data.path()).unwrap();
    let scopes = ["tag:read", "tag:write", "sample:read", "sample:write"];
    let token = weir.token(&scopes).unwrap();
    let api = weir.api().with_token(&token);
    let made =
        api.post("/api/v1/tags", &json!({ "name": "炉温", "data_type": "f64", "unit": "Cel" }));
    let id = made.unwrap()["id"].as_str().unwrap().to_owned();
    let counter =
        api.post("/api/v1/tags", &json!({ "name": "counter", "data_type": "u64" })).unwrap();
    let counter = counter["id"].as_str().unwrap().to_owned();
    let path = format!(
        "/api/v1/tags/{}/samples?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z",
        encode(&id)
    );

    let body = json!({ "producer": "line 1", "sequence": 1, "samples": [
        { "tag": id, "time": "2026-01-01T00:00:00.000000001Z", "value": 20.5 },
        { "tag": id, "time": "2026-01-01T08:00:01+08:00", "value": null, "quality": "bad:0x80310000" },
        { "tag": counter, "time": "2026-01-01T00:00:00Z", "value": "18446744073709551615" },
    ]});
    assert_eq!(api.post("/api/v1/samples", &body).unwrap(), json!({ "accepted": 3 }));
    let again = api.post("/api/v1/samples", &body).unwrap();
    println!("a batch sent again: {again}");
    assert_eq!(
        api.fetch(&path).unwrap()["samples"],
        json!([
            { "time": "2026-01-01T00:00:00.000000001Z", "value": 20.5, "quality": "good" },
            { "time": "2026-01-01T00:00:01Z", "value": null, "quality": "bad:0x80310000" },
        ])
    );
    let counted = api.fetch(&path.replace(&encode(&id), &encode(&counter))).unwrap();
    assert_eq!(counted["samples"][0]["value"], "18446744073709551615");

    let unknown = json!({ "samples": [
        { "tag": id, "time": "2026-01-01T00:00:02Z", "value": 1 },
        { "tag": "local/nobody", "time": "2026-01-01T00:00:02Z", "value": 1 },
    ]});
    let refused = api.json("POST", "/api/v1/samples", &unknown).unwrap();
    assert_eq!((refused.status, refused.json()["code"].as_str()), (422, Some("unknown-tag")));
    assert!(refused.text.contains("local/nobody"), "{}", refused.text);
    assert_eq!(api.fetch(&path).unwrap()["samples"].as_array().unwrap().len(), 2);

    // CSV and line protocol, packed.
    let csv = format!("tag,time,value,quality\n{id},2026-01-01T00:00:03Z,21.5,uncertain\n");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, csv.as_bytes()).unwrap();
    let headers = [("content-type", "text/csv"), ("content-encoding", "gzip")];
    let answer = api.send("POST", "/api/v1/samples", &headers, &gzip.finish().unwrap()).unwrap();
    assert_eq!((answer.status, answer.json()), (200, json!({ "accepted": 1 })), "{}", answer.text);
    let line = format!("{} value=22.5 1767225604000000000\n", id.replace(' ', "\\ "));
    let answer =
        api.send("POST", "/api/v1/samples", &[("content-type", "text/plain")], line.as_bytes());
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.json()), (200, json!({ "accepted": 1 })), "{}", answer.text);
    let samples = api.fetch(&path).unwrap();
    let samples = samples["samples"].as_array().unwrap().clone();
    assert_eq!(samples.len(), 4, "{samples:?}");
    assert_eq!(samples[2]["quality"], "uncertain");
    assert_eq!(samples[3]["value"], 22.5);
    weir.stop().unwrap();
}
