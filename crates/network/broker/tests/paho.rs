//! The broker with clients that nobody here wrote: paho-mqtt (`tests/interop/broker/client.py`),
//! mosquitto's programs where they are installed, and Paho's interoperability suite where
//! `WEIR_PAHO_SUITE` names the folder `interoperability` of its checkout.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt, ready};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use weir_broker::{Act, Broker, BrokerOptions, Denied, Gate, Login, Principal};
use weir_model::TenantId;

struct Everybody;

impl Gate for Everybody {
    fn authenticate<'a>(&'a self, _: Login<'a>) -> BoxFuture<'a, Result<Principal, Denied>> {
        ready(Ok(Principal::new(TenantId(1), "anonymous"))).boxed()
    }

    fn may(&self, _: &Principal, act: Act, topic: &str) -> bool {
        act == Act::Publish || topic != "test/nosubscribe"
    }
}

/// A broker that serves on a runtime of its own.
struct Served {
    _runtime: Runtime,
    _dir: TempDir,
    port: u16,
    websocket_port: u16,
}

impl Served {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut options = BrokerOptions::new(dir.path());
        options.limits.keep_alive_seconds_max = 60; // the suite asks for 120 and expects to get this
        let broker = Broker::open(options, Arc::new(Everybody)).unwrap();
        let (port, websocket_port) = runtime.block_on(async {
            let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let ports = (plain.local_addr().unwrap().port(), web.local_addr().unwrap().port());
            let (one, two) = (broker.clone(), broker.clone());
            tokio::spawn(async move { one.serve_tcp(plain, CancellationToken::new()).await });
            tokio::spawn(
                async move { two.serve_websocket(web, None, CancellationToken::new()).await },
            );
            ports
        });
        Self { _runtime: runtime, _dir: dir, port, websocket_port }
    }
}

fn python() -> PathBuf {
    let Some(venv) = std::env::var_os("WEIR_VENV") else {
        panic!("run `cargo xtask test`: it makes the Python peers and sets WEIR_VENV");
    };
    Path::new(&venv).join("bin/python")
}

fn script(name: &str) -> String {
    format!("{}/../../../tests/interop/broker/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Runs a peer and reads its JSON lines.
fn run(command: &mut Command) -> Vec<Json> {
    let mut peer = command.stdout(Stdio::piped()).spawn().expect("start the peer");
    let lines = BufReader::new(peer.stdout.take().unwrap()).lines();
    let lines = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    peer.wait().unwrap();
    lines
}

#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn paho_mqtt_plays_its_scenes() {
    let served = Served::new();
    let results = run(Command::new(python()).arg(script("client.py")).args([
        "--port",
        &served.port.to_string(),
        "--websocket-port",
        &served.websocket_port.to_string(),
    ]));
    let failed: Vec<_> = results.iter().filter(|r| r["ok"] != true).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(results.len(), 12);
}

#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn mosquitto_pub_reaches_mosquitto_sub() {
    let served = Served::new();
    let port = served.port.to_string();
    let Ok(mut subscriber) = Command::new("mosquitto_sub")
        .args(["-V", "5", "-p", &port, "-t", "温度/#", "-q", "2", "-C", "3", "-F", "%t %q %p"])
        .stdout(Stdio::piped())
        .spawn()
    else {
        return; // mosquitto is not installed here
    };
    // A retained message is there whenever the subscriber comes.
    for (n, version) in ["mqttv31", "mqttv311", "mqttv5"].into_iter().enumerate() {
        let topic = format!("温度/{n}");
        let published = Command::new("mosquitto_pub")
            .args(["-V", version, "-p", &port, "-t", &topic, "-q", &n.to_string(), "-r", "-s"])
            .stdin(Stdio::piped())
            .spawn()
            .and_then(|mut publisher| {
                publisher.stdin.take().unwrap().write_all(b"21.5")?;
                publisher.wait()
            });
        assert!(published.unwrap().success());
    }
    let lines = BufReader::new(subscriber.stdout.take().unwrap()).lines();
    let mut lines: Vec<String> = lines.map(Result::unwrap).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["温度/0 0 21.5", "温度/1 1 21.5", "温度/2 2 21.5"]);
    assert!(subscriber.wait().unwrap().success());
}

/// What of Paho's suite is not passed, and why, is in docs/decisions/0011-mqtt-broker.md.
#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn paho_suite() {
    let Some(folder) = std::env::var_os("WEIR_PAHO_SUITE") else { return };
    for (module, count, may_fail) in
        [("client_test", 10, &[][..]), ("client_test5", 27, &["test_subscribe_failure"][..])]
    {
        let served = Served::new();
        let mut command = Command::new(python());
        command.arg(script("suite.py")).arg(&folder).args([module, &served.port.to_string()]);
        let results = run(command.stderr(Stdio::null()));
        assert_eq!(results.len(), count, "{module}");
        let failed: Vec<_> = results
            .iter()
            .filter(|r| r["ok"] != true && !may_fail.contains(&r["test"].as_str().unwrap()))
            .collect();
        assert!(failed.is_empty(), "{module}: {failed:#?}");
    }
}
