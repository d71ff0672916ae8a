//! The server against a client made of node-opcua (`tests/interop/opcua-server/node/client.js`).
//!
//! `WEIR_NPM_PEERS` names the folder into which `cargo xtask test` installs what `tests/interop/package.json` lists.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

#[path = "it/bench.rs"]
mod bench;
#[path = "it/peer.rs"]
mod peer;
#[path = "it/plant.rs"]
mod plant;

use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};
use weir_model::{Quality, Sample, TagId, Value};

use bench::Bench;
use peer::{Peer, url};
use plant::{MANY, at, sample};

fn client() -> Peer {
    let Some(folder) = std::env::var_os("WEIR_NPM_PEERS") else {
        panic!("run `cargo xtask test`: it installs the npm peers and sets WEIR_NPM_PEERS");
    };
    let script =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/interop/opcua-server/node/client.js");
    let mut command = Command::new("node");
    command.arg(script).env("NODE_PATH", Path::new(&folder).join("node_modules"));
    Peer::start(command)
}

fn operator(bench: &Bench) -> Json {
    json!({"do": "connect", "url": url(bench), "user": "operator", "password": "valves 开"})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the npm peers: cargo xtask test"]
async fn the_plant_is_browsed_read_and_written() {
    let bench = Bench::start(|_| {}).await;
    let peer = client();
    let connected = peer.good(operator(&bench)).await;
    assert_eq!(connected["namespaces"][3], "urn:weir:properties");
    let tree = peer.good(json!({"do": "crawl"})).await;
    let many = tree["nodes"].as_array().unwrap().iter();
    let many = many.filter(|it| it[0].as_str().unwrap().contains("many-")).count();
    assert_eq!(many, MANY as usize);
    let path = "/2:Weir/2:Demo plant/2:Area 1/2:Reactor/2:Valve.EngineeringUnits";
    let unit = peer.good(json!({"do": "translate", "path": path})).await;
    assert_eq!(unit["ids"], json!(["ns=3;s=EngineeringUnits:demo.tep/valve"]));
    let nowhere = peer.ask(json!({"do": "translate", "path": "/2:Weir/2:Nothing"})).await;
    assert_eq!(nowhere["error"], "BadNoMatch");
    let wanted = ["demo.tep/valve", "demo.tep/spectrum", "demo.tep/batch", "demo.tep/nothing"];
    let read = peer.good(json!({"do": "read", "ids": wanted})).await;
    assert_eq!(read["values"][0]["value"], 40.0);
    assert_eq!(read["values"][1]["value"], json!([1, 2, 3]));
    assert_eq!(read["values"][2]["value"], "B-7 批");
    assert_eq!(read["values"][3]["status"], Quality::ADDRESS_UNKNOWN.code());
    let write = json!({"do": "write", "id": "demo.tep/valve", "value": 12.5, "type": "Double"});
    peer.good(write).await;
    let read = peer.good(json!({"do": "read", "ids": ["demo.tep/valve"]})).await;
    assert_eq!(read["values"][0]["value"], 12.5);
    let wrong = json!({"do": "write", "id": "demo.tep/valve", "value": 1, "type": "Int32"});
    assert_eq!(peer.ask(wrong).await["error"], "BadTypeMismatch");
    assert!(peer.ask(json!({"do": "call"})).await["error"].is_string(), "there are no methods");
    let history = json!({
        "do": "history", "id": "demo.tep/reactor-pressure",
        "start": "1970-01-01T00:00:10Z", "end": "1970-01-01T00:00:20Z",
    });
    let history = peer.good(history).await;
    assert_eq!(history["values"].as_array().unwrap().len(), 10, "{history}");
    assert_eq!(history["values"][9]["value"], 19.0);
    peer.good(json!({"do": "disconnect"})).await;
    assert_eq!(bench.running.handle.statistics().sessions, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the npm peers: cargo xtask test"]
async fn values_are_watched_with_filters() {
    let bench = Bench::start(|_| {}).await;
    let peer = client();
    peer.good(operator(&bench)).await;
    let watch = json!({
        "do": "subscribe", "ids": ["demo.tep/reactor-pressure"], "filter": ["Percent", 10.0],
    });
    let watched = peer.good(watch).await;
    assert_eq!(watched["failed"], json!([]));
    let first = peer.good(json!({"do": "notifications", "count": 1})).await;
    assert_eq!(first["values"][0][1]["value"], 999.0);
    // Ten percent of 0 to 3000 is 300.
    for (second, pressure) in [(2_000, 1200.0), (2_001, 1298.0), (2_002, 1300.0)] {
        let time = at(second).saturating_add(123_456_789);
        let value = Some(Value::F64(pressure));
        let quality = Quality::GOOD;
        bench.plant.measure(vec![(TagId(1), Sample { time, value, quality })]);
    }
    let second = peer.good(json!({"do": "notifications", "count": 1})).await;
    let second = second["values"].as_array().unwrap();
    assert_eq!(second.len(), 1, "{second:?}");
    assert_eq!(second[0][1]["value"], 1300.0);
    assert_eq!(second[0][1]["time"], "1970-01-01T00:33:22.123Z");
    let server = peer.good(json!({"do": "subscribe", "ids": ["i=2258", "i=2259"]})).await;
    assert_eq!(server["failed"], json!([]));
    let clock = peer.good(json!({"do": "notifications", "count": 4})).await;
    assert!(clock["values"].as_array().unwrap().len() >= 4, "the clock is watched: {clock}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the npm peers: cargo xtask test"]
async fn a_subscription_is_taken_over_by_its_user_only() {
    let bench = Bench::start(|_| {}).await;
    let first = client();
    first.good(operator(&bench)).await;
    let watched = first.good(json!({"do": "subscribe", "ids": ["demo.tep/valve"]})).await;
    first.good(json!({"do": "notifications", "count": 1})).await;
    first.good(json!({"do": "disconnect", "keep": true})).await;
    bench.plant.measure(vec![(TagId(2), sample(50, 77.0))]);
    let statistics = bench.running.handle.statistics();
    assert_eq!((statistics.sessions, statistics.subscriptions), (0, 1));
    let take = json!({"do": "transfer", "id": watched["id"]});
    let viewer = client();
    viewer.good(json!({"do": "connect", "url": url(&bench)})).await;
    assert_eq!(viewer.good(take.clone()).await["status"], "BadUserAccessDenied");
    let second = client();
    second.good(operator(&bench)).await;
    assert_eq!(second.good(take).await["status"], "Good");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the npm peers: cargo xtask test"]
async fn every_policy_and_mode_is_spoken() {
    let bench = Bench::start(|options| options.allow_none = false).await;
    let peer = client();
    let connect = |policy: &str, mode: &str| {
        json!({
            "do": "connect", "url": url(&bench), "policy": policy, "mode": mode,
            "user": "operator", "password": "valves 开",
        })
    };
    assert!(peer.ask(connect("Basic256Sha256", "SignAndEncrypt")).await["error"].is_string());
    let handle = &bench.running.handle;
    let rejected = handle.rejected().await.unwrap();
    handle.trust(&rejected[0].thumbprint).await.unwrap();
    for policy in ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] {
        for mode in ["Sign", "SignAndEncrypt"] {
            peer.good(connect(policy, mode)).await;
            let read = peer.good(json!({"do": "read", "ids": ["demo.tep/recipe"]})).await;
            assert_eq!(read["values"][0]["value"], 7.0, "{policy} {mode}");
            peer.good(json!({"do": "disconnect"})).await;
        }
    }
    let wrong = json!({
        "do": "connect", "url": url(&bench), "policy": "Basic256Sha256", "mode": "Sign",
        "user": "operator", "password": "guess",
    });
    let wrong = peer.ask(wrong).await["error"].as_str().unwrap().to_owned();
    assert!(wrong.contains("BadUserAccessDenied"), "{wrong}");
}
