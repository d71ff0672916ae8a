//! The driver against a server made of node-opcua (`tests/interop/opcua/node/server.js`), whose limits are small.
//!
//! `WEIR_NPM_PEERS` names the folder into which `cargo xtask test` installs what `tests/interop/package.json` lists.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use weir_connect::conformance::{Bench, TENANT, device_id, tag};
use weir_connect::{Circumstances, DeviceSpec, Driver, Point, State, SystemClock, WriteLimits};
use weir_model::{DataType, Value};
use weir_opcua::OpcUaDriver;

struct Peer {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    settings: Json,
    driver: Arc<OpcUaDriver>,
    _folders: [TempDir; 2],
}

impl Peer {
    fn start() -> Self {
        let Some(folder) = std::env::var_os("WEIR_NPM_PEERS") else {
            panic!("run `cargo xtask test`: it installs the npm peers and sets WEIR_NPM_PEERS");
        };
        let script =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/interop/opcua/node/server.js");
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut process = Command::new("node")
            .arg(script)
            .args(["--port", "0", "--dir", folders[0].path().to_str().unwrap()])
            .env("NODE_PATH", Path::new(&folder).join("node_modules"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the peer");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        let driver = Arc::new(OpcUaDriver::new(folders[1].path().to_owned()));
        let mut peer =
            Self { process, input, output, settings: Json::Null, driver, _folders: folders };
        let hello = peer.line();
        peer.settings = json!({
            "url": format!("opc.tcp://127.0.0.1:{}/node", hello["port"]),
            "security_policy": "Aes256-Sha256-RsaPss",
            "trusted": [hello["thumbprint"]],
            "publishing_ms": 50,
            "sampling_ms": 20,
            "keep_alive_ms": 300,
        });
        peer
    }

    fn line(&mut self) -> Json {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("the peer speaks JSON lines")
    }

    fn ask(&mut self, command: &Json) -> Json {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        self.line()
    }

    fn write(&mut self, node: &str, value: Json) {
        self.ask(&json!({"do": "write", "node": node, "value": value}));
    }

    fn bench(&self) -> Bench {
        Bench::new(vec![Arc::clone(&self.driver) as Arc<dyn Driver>])
    }

    fn device(&self, n: u32, points: Vec<(Json, DataType)>) -> DeviceSpec {
        let point = |(i, (address, data_type)): (usize, (Json, DataType))| Point {
            tag: tag(n, i),
            id: format!("88.100/d{n}.p{i}").parse().unwrap(),
            name: format!("p{i}"),
            write: address.get("field").is_none().then(WriteLimits::default),
            address,
            data_type,
            scaling: Vec::new(),
            poll_ms: None,
        };
        DeviceSpec {
            tenant: TENANT,
            device: device_id(n),
            name: format!("device {n}"),
            protocol: "opcua".to_owned(),
            settings: self.settings.clone(),
            points: points.into_iter().enumerate().map(point).collect(),
            enabled: true,
            revision: 1,
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn node(name: &str) -> Json {
    json!({"node": format!("nsu=urn:weir:node-peer;s={name}")})
}

fn part(name: &str, key: &str, value: Json) -> Json {
    let mut address = node(name);
    address[key] = value;
    address
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the npm peers: cargo xtask test"]
async fn values_writes_and_index_ranges_agree() {
    use DataType::{Array, Bool, F64, I64, Text, U64};
    let mut peer = Peer::start();
    let bench = peer.bench();
    let points = vec![
        (node("Double"), F64),
        (node("Int32"), I64),
        (node("UInt64"), U64),
        (node("Text"), Text),
        (node("Flag"), Bool),
        (node("Array"), Array),
        (part("Array", "index", json!(1)), I64),
        (part("Array", "index", json!("2:3")), Array),
        (json!({"node": "i=2256", "field": "BuildInfo.ProductName"}), Text),
        (part("Array", "index", json!(9)), I64),
        (node("Missing"), F64),
        (part("Percent", "deadband", json!({"type": "percent", "value": 10})), F64),
        (part("Text", "deadband", json!({"type": "percent", "value": 10})), Text),
    ];
    bench.apply(peer.device(1, points)).await;
    let expected = [
        json!(1.5),
        json!(-7),
        json!(4294967298_u64),
        json!("早班"),
        json!(true),
        json!([1, 2, 3, 4]),
        json!(2),
        json!([3, 4]),
    ];
    for (i, expected) in expected.iter().enumerate() {
        bench.until(&format!("point {i}"), |b| b.value(1, i).as_ref() == Some(expected)).await;
    }
    bench.until("the structure", |b| b.value(1, 8).is_some()).await;
    bench.until("all told", |b| (0..13).all(|i| b.last(1, i).is_some())).await;
    bench.until("three fail", |b| b.status(1).points_bad == 3).await;
    assert_eq!(bench.last(1, 10).unwrap().quality.code(), 0x8034_0000);
    assert_eq!(
        bench.last(1, 12).unwrap().quality.code(),
        0x8044_0000 | 0x1_0000,
        "{}",
        bench.reason(1)
    );

    let text = Value::text("夜班").unwrap();
    let pair = Value::array(vec![Value::I64(30), Value::I64(40)]).unwrap();
    for (i, value) in [
        (0, Value::F64(2.5)),
        (1, Value::I64(9)),
        (2, Value::U64(1 << 40)),
        (3, text),
        (4, Value::Bool(false)),
        (6, Value::I64(20)),
        (7, pair),
    ] {
        let report =
            bench.write(1, i, value.clone()).await.unwrap_or_else(|e| panic!("point {i}: {e}"));
        assert!(report.verified && report.after == Some(value), "{i}: {report:?}");
    }
    assert_eq!(peer.ask(&json!({"do": "read", "node": "Array"}))["value"], json!([1, 20, 30, 40]));
    bench.until("the array", |b| b.value(1, 5) == Some(json!([1, 20, 30, 40]))).await;
    // Ten percent of 0 to 200.
    peer.write("Percent", json!(60));
    peer.write("Percent", json!(100));
    bench.until("the jump", |b| b.value(1, 11) == Some(json!(100.0))).await;
    let seen: Vec<_> =
        bench.samples(1, 11).iter().filter_map(|s| s.value.as_ref()?.as_f64()).collect();
    assert!(!seen.contains(&60.0), "{seen:?}");
    assert_eq!(bench.status(1).counters.reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the npm peers: cargo xtask test"]
async fn small_limits_are_kept() {
    let mut peer = Peer::start();
    let bench = peer.bench();
    let points = (0..60).map(|i| (node(&format!("m{i}")), DataType::F64)).collect();
    bench.apply(peer.device(1, points)).await;
    bench.until("all", |b| (0..60).all(|i| b.value(1, i) == Some(json!(i as f64)))).await;
    assert_eq!(bench.status(1).state, State::Online, "{}", bench.reason(1));

    let root = peer.driver.browse(&peer.settings, None).await.unwrap();
    let folder = root.items.iter().find(|item| item.name == "Weir").unwrap();
    let below = peer.driver.browse(&peer.settings, Some(&folder.at)).await.unwrap();
    let named = |name: &str| below.items.iter().find(|item| item.name == name).unwrap();
    assert_eq!(named("Percent").unit.as_deref(), Some("°C"));
    assert_eq!(named("Array").value, Some([1, 2, 3, 4].map(Value::I64).into_iter().collect()));
    let many = peer.driver.browse(&peer.settings, Some(&named("Many").at)).await.unwrap();
    assert_eq!((many.items.len(), many.next), (60, None));

    let method = named("add").method.clone().unwrap();
    let circumstances = Circumstances::new(Arc::new(SystemClock));
    let device = peer.device(2, vec![]);
    let mut session = peer.driver.connect(Arc::new(device), circumstances).await.unwrap();
    let sum = session.call(&method, &[json!(1), json!([0.5, 2])]).await.unwrap();
    assert_eq!(sum, [json!(3.5)]);
    drop(session);
    let _ = peer.ask(&json!({"do": "read", "node": "Double"}));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the npm peers: cargo xtask test"]
async fn a_gap_is_filled_page_by_page() {
    let mut peer = Peer::start();
    let names = ["First", "Second", "Third", "Double"];
    let spec = peer.device(1, names.iter().map(|name| (node(name), DataType::F64)).collect());
    let since = weir_connect::Clock::now(&SystemClock);
    for value in 1..=250 {
        for name in &names[..3] {
            peer.write(name, json!(value));
        }
    }
    let circumstances =
        Circumstances { since: Some(since), ..Circumstances::new(Arc::new(SystemClock)) };
    let mut session = peer.driver.connect(Arc::new(spec), circumstances).await.unwrap();
    let mut found = vec![Vec::new(); names.len()];
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while found[..3].iter().any(|values: &Vec<f64>| values.len() < 240) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{:?}",
            found.iter().map(Vec::len).collect::<Vec<_>>()
        );
        session.due().await;
        let collected = session.collect().await.unwrap();
        for reading in collected.readings.into_iter().filter(|_| collected.backfill) {
            found[reading.point].extend(reading.outcome.ok().and_then(|value| value.as_f64()));
        }
    }
    for values in &found[..3] {
        assert!(values.is_sorted() && values.last() == Some(&250.0), "{values:?}");
    }
    assert!(found[3].is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the npm peers: cargo xtask test"]
async fn policies_users_and_strangers() {
    let mut peer = Peer::start();
    for policy in ["Basic256Sha256", "Aes128-Sha256-RsaOaep", "Aes256-Sha256-RsaPss"] {
        for mode in ["Sign", "SignAndEncrypt"] {
            for auth in ["anonymous", "user"] {
                let mut device = peer.device(1, vec![(node("Text"), DataType::Text)]);
                device.settings["security_policy"] = json!(policy);
                device.settings["security_mode"] = json!(mode);
                device.settings["auth"] = json!(auth);
                device.settings["user"] = json!("operator");
                device.settings["password"] = json!("s3cret");
                let report = peer.bench().supervisor.test(&device).await;
                let report = report.unwrap_or_else(|e| panic!("{policy} {mode} {auth}: {e}"));
                assert!(report.values[0].value.is_some());
            }
        }
    }
    let mut device = peer.device(1, vec![(node("Text"), DataType::Text)]);
    device.settings["auth"] = json!("user");
    device.settings["user"] = json!("operator");
    device.settings["password"] = json!("wr0ng");
    let error = peer.bench().supervisor.test(&device).await.unwrap_err().to_string();
    assert!(error.contains("check user name, password") && !error.contains("wr0ng"), "{error}");
    // Another node of Weir, with a certificate that the server has never seen.
    peer.ask(&json!({"do": "trust", "on": false}));
    let stranger = tempfile::tempdir().unwrap();
    peer.driver = Arc::new(OpcUaDriver::new(stranger.path().to_owned()));
    let device = peer.device(1, vec![(node("Text"), DataType::Text)]);
    let error = peer.bench().supervisor.test(&device).await.unwrap_err().to_string();
    assert!(error.contains("cert.der") && error.contains("then try again"), "{error}");
}
