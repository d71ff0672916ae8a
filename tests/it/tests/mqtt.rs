//! Machines that publish to Weir's own broker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};
use weir_it::{Api, Publisher, Weir, from_now};

/// Kills on every run; `WEIR_KILLS` says how many otherwise.
const KILLS: u32 = 5;

const TOPIC: &str = "车间/压机 1/压力";

/// Messages between two looks at the clock.
const BURST: usize = 50;

fn start(data: &Path) -> (Weir, SocketAddr) {
    let weir = Weir::start("serve", data, &["--mqtt", "127.0.0.1:0"]).unwrap();
    let address = weir.ready_text("mqtt").parse().unwrap();
    (weir, address)
}

fn connected_line(api: &Api) -> String {
    let device = json!({
        "name": "Press 1", "protocol": "mqtt", "settings": {"broker": "inside"},
        "points": [{"name": "Pressure", "data_type": "i64",
                    "address": {"topic": TOPIC, "format": "json", "path": "/n", "time": "/t", "time_format": "ms"}}],
    });
    let made = api.post("/api/v1/devices", &device).unwrap();
    made["points"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_was_acknowledged_over_mqtt_survives_the_kill() {
    let kills = std::env::var("WEIR_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let data = tempfile::tempdir().unwrap();
    let (weir, _) = start(data.path());
    let token = weir.token(&[]).unwrap();
    let tag = connected_line(&weir.api().with_token(&token));
    weir.kill();
    // A message's number is its value and its time, so each is one sample.
    let begin = 1_700_000_000_000_u64;
    let (mut number, mut acknowledged) = (0_u64, Vec::new());
    for kill in 0..kills {
        // At once, as a machine does: that its device listens first is the broker's business.
        let (weir, address) = start(data.path());
        let pid = weir.pid();
        let mut machine = Publisher::connect(address, "press-1", &token).unwrap();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(u64::from(40 + 30 * (kill % 7))));
            weir.kill();
        });
        loop {
            let numbers: Vec<u64> = (number..number + BURST as u64).collect();
            let payloads: Vec<String> =
                numbers.iter().map(|n| format!("{{\"n\":{n},\"t\":{}}}", begin + n)).collect();
            let count = machine.publish_all(TOPIC, &payloads).unwrap();
            acknowledged.extend(&numbers[..count]);
            number += BURST as u64;
            if count < BURST {
                break;
            }
        }
        killer.join().unwrap();
        println!("kill {kill} of {pid}: {} messages acknowledged so far", acknowledged.len());
    }
    assert!(!acknowledged.is_empty());
    let (weir, _) = start(data.path());
    let api = weir.api().with_token(&token);
    let mut found = std::collections::HashSet::new();
    for from in (0..number).step_by(10_000) {
        let time = |n: u64| weir_model::Timestamp::from_nanos((begin + n) as i64 * 1_000_000);
        let path = format!(
            "/api/v1/tags/{}/samples?from={}&to={}&max_points=100000",
            weir_it::encode(&tag),
            time(from),
            time(from + 10_000)
        );
        let samples = api.fetch(&path).unwrap();
        found.extend(
            samples["samples"].as_array().unwrap().iter().filter_map(|s| s["value"].as_u64()),
        );
    }
    let lost: Vec<_> = acknowledged.iter().filter(|n| !found.contains(n)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());
    weir.stop().unwrap();
}

#[test]
fn rights_decide_who_publishes_and_end_with_the_token() {
    let data = tempfile::tempdir().unwrap();
    let (weir, address) = start(data.path());
    let all = weir.token(&[]).unwrap();
    let api = weir.api().with_token(&all);
    let error = Publisher::connect(address, "x", "weir_nothing").err().unwrap().to_string();
    assert!(error.contains("04"), "{error}");
    let token = |scope: &str| {
        let expires = from_now(Duration::from_secs(3600));
        let body = json!({"name": scope, "scopes": [scope], "expires": expires});
        api.post("/api/v1/tokens", &body).unwrap()
    };
    let none = token("asset:read");
    let refused = Publisher::connect(address, "x", none["token"].as_str().unwrap());
    assert!(refused.err().unwrap().to_string().contains("05"));
    let machine = token("sample:write");
    let mut publisher =
        Publisher::connect(address, "press", machine["token"].as_str().unwrap()).unwrap();
    assert_eq!(publisher.publish_all("t", &["1".to_owned()]).unwrap(), 1);
    let path = format!("/api/v1/tokens/{}", machine["id"].as_str().unwrap());
    assert_eq!(api.send("DELETE", &path, &[], &[]).unwrap().status, 204);
    publisher.until_closed().unwrap();

    // A token that ends by itself takes its connections along.
    let soon = from_now(Duration::from_secs(3));
    let body = json!({"name": "short", "scopes": ["sample:write"], "expires": soon});
    let short = api.post("/api/v1/tokens", &body).unwrap();
    let mut publisher =
        Publisher::connect(address, "press", short["token"].as_str().unwrap()).unwrap();
    publisher.until_closed().unwrap();
    weir.stop().unwrap();
}

#[test]
fn whoever_may_less_than_before_is_sent_away() {
    let data = tempfile::tempdir().unwrap();
    let (weir, address) = start(data.path());
    let all = weir.token(&[]).unwrap();
    let api = weir.api().with_token(&all);
    let machine = json!({"name": "press", "password": "correct horse battery staple",
                         "roles": ["engineer"], "ceiling": "core"});
    let id = api.post("/api/v1/users", &machine).unwrap()["id"].as_str().unwrap().to_owned();
    let expires = from_now(Duration::from_secs(3600));
    let scopes = ["sample:read", "sample:write"];
    let body = json!({"name": "press", "user": id, "scopes": scopes, "expires": expires});
    let token = api.post("/api/v1/tokens", &body).unwrap();
    let token = token["token"].as_str().unwrap();
    let mut publisher = Publisher::connect(address, "press", token).unwrap();
    // It may publish as before, and no longer subscribe.
    let path = format!("/api/v1/users/{}", id.replace('/', "%2F"));
    let lower = json!({"ceiling": "general"});
    assert_eq!(api.json("PATCH", &path, &lower).unwrap().status, 200);
    publisher.until_closed().unwrap();
    let mut publisher = Publisher::connect(address, "press", token).unwrap();
    assert_eq!(publisher.publish_all("t", &["1".to_owned()]).unwrap(), 1);
    weir.stop().unwrap();
}

#[test]
fn ipv6_alone_is_enough() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6 loopback; nothing tested");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let weir = Weir::start_at("[::1]:0", "serve", data.path(), &["--mqtt", "[::1]:0"]).unwrap();
    assert!(weir.ready_text("url").starts_with("http://[::1]:"), "{}", weir.ready);
    let address: SocketAddr = weir.ready_text("mqtt").parse().unwrap();
    assert!(address.is_ipv6());
    let token = weir.token(&[]).unwrap();
    let api = weir.api().with_token(&token);
    let tag = connected_line(&api);
    let online = |list: &Json| list["items"][0]["status"]["state"] == "online";
    api.until("/api/v1/devices", Duration::from_secs(30), online).unwrap();
    let mut machine = Publisher::connect(address, "press-1", &token).unwrap();
    let payload = "{\"n\":7,\"t\":1700000000000}".to_owned();
    assert_eq!(machine.publish_all(TOPIC, &[payload]).unwrap(), 1);
    let last = api.fetch(&format!("/api/v1/tags/{}", weir_it::encode(&tag))).unwrap();
    assert_eq!(last["last"]["value"], 7);
    weir.stop().unwrap();
}
