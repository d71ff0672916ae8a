//! What others wrote sends to the running node: the Python clients of InfluxDB, and Prometheus.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};
use weir_it::{Api, Weir, encode};

/// How long a peer may take until its samples are there.
const PATIENCE: Duration = Duration::from_secs(60);

fn start(data: &Path) -> (Weir, Api, String) {
    let weir = Weir::serve(data).unwrap();
    let admin = weir.administrator().unwrap();
    let token = weir.token(&["sample:write", "tag:write"]).unwrap();
    (weir, admin, token)
}

/// The values of the tag of a name, by time.
fn values(api: &Api, name: &str) -> Vec<Json> {
    let tags = api.list("/api/v1/tags").unwrap();
    let tag = tags.iter().find(|tag| tag["name"] == name);
    let id = tag.unwrap_or_else(|| panic!("no {name} in {tags:#?}"))["id"].as_str().unwrap();
    let uri = format!("/api/v1/tags/{}/samples?from=2026-01-01T00:00:00Z", encode(id));
    let samples = api.fetch(&uri).unwrap();
    samples["samples"].as_array().unwrap().iter().map(|sample| sample["value"].clone()).collect()
}

#[test]
#[ignore = "needs the Python clients of InfluxDB, which `cargo xtask test` installs"]
fn clients_of_influxdb_write() {
    let Some(venv) = std::env::var_os("WEIR_VENV") else {
        panic!("run `cargo xtask test`: it makes the Python peers and sets WEIR_VENV");
    };
    let data = tempfile::tempdir().unwrap();
    let (weir, admin, token) = start(data.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop/influx/send.py");
    let mut python = Command::new(PathBuf::from(venv).join("bin/python"));
    let ran = python.arg(script).args([&weir.ready_text("url"), &token]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let name = |field: &str| format!(r#"press 4.{field}{{line="a,b=c \"d\""}}"#);
    let force = values(&admin, &name("force"));
    assert_eq!((force.len(), &force[0], &force[19]), (20, &json!(812.5), &json!(821.5)));
    assert_eq!(values(&admin, &name("strokes"))[9], 9);
    assert_eq!(values(&admin, &name("open"))[1], false);
    assert_eq!(values(&admin, &name("order"))[0], "say \"hi\", 订单\nplease");
    let heat = values(&admin, r#"oven.heat{zone="1"}"#);
    assert_eq!((heat.len(), &heat[10]), (20, &json!(700.25)));
    weir.stop().unwrap();
}

/// Ended with the test.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs Prometheus, which `cargo xtask test` installs"]
fn prometheus_sends_on_what_it_scrapes() {
    let data = tempfile::tempdir().unwrap();
    let (weir, admin, token) = start(&data.path().join("weir"));
    let (url, address) = (weir.ready_text("url"), weir.ready_text("url").replace("http://", ""));
    let metrics = weir.token(&["node:read"]);
    // It scrapes the node, and sends on to the same node what it found.
    let config = json!({
        "global": {"scrape_interval": "1s", "external_labels": {"plant": "成都"}},
        "scrape_configs": [{
            "job_name": "weir",
            "authorization": {"credentials": metrics.unwrap()},
            "static_configs": [{"targets": [address.trim_end_matches('/')]}],
        }],
        "remote_write": [{
            "url": format!("{}/api/v1/write", url.trim_end_matches('/')),
            "authorization": {"credentials": token},
            "queue_config": {"batch_send_deadline": "1s"},
        }],
    });
    let file = data.path().join("prometheus.yml");
    std::fs::write(&file, config.to_string()).unwrap();
    let mut prometheus = Command::new("prometheus");
    prometheus
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", data.path().join("prometheus").display()))
        .arg("--web.listen-address=127.0.0.1:0")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _peer = Peer(prometheus.spawn().unwrap());
    let target = address.trim_end_matches('/');
    let up = format!(r#"up{{instance="{target}",job="weir",plant="成都"}}"#);
    let named = |found: &Json| {
        let items = found["items"].as_array();
        items.is_some_and(|items| items.iter().any(|tag| tag["name"] == up))
    };
    admin.until("/api/v1/tags?limit=1000", PATIENCE, named).unwrap();
    let of_node = format!(r#"weir_samples_total{{instance="{target}",job="weir",plant="成都"}}"#);
    let grows = |_: &Json| {
        let counted = values(&admin, &of_node);
        counted.last().and_then(Json::as_f64).is_some_and(|samples| samples > 10.0)
    };
    admin.until("/api/v1/tags?limit=1", PATIENCE, grows).unwrap();
    assert_eq!(values(&admin, &up)[0], 1.0);
    weir.stop().unwrap();
}
