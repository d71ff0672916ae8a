//! A peer with its folders, and devices that speak to it.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use weir_connect::conformance::{Bench, Peer, tag};
use weir_connect::{Circumstances, DeviceSpec, Driver, Point, Session, SystemClock, WriteLimits};
use weir_model::DataType;
use weir_opcua::OpcUaDriver;

/// A server, the driver's folder and the server's.
pub(crate) struct Plant {
    pub(crate) peer: Peer,
    pub(crate) driver: Arc<OpcUaDriver>,
    pub(crate) server: TempDir,
    _pki: TempDir,
}

impl Plant {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self::with(tempfile::tempdir().unwrap(), arguments)
    }

    /// A server whose folder has something in it.
    pub(crate) fn with(server: TempDir, arguments: &[&str]) -> Self {
        let pki = tempfile::tempdir().unwrap();
        let folder = server.path().to_str().unwrap();
        let arguments = [&["--dir", folder], arguments].concat();
        let peer = Peer::start("opcua/server.py", &arguments);
        // Relative, as the data folder that people give mostly is.
        let here = std::env::current_dir().unwrap();
        let up = here.components().skip(1).map(|_| "..").collect::<PathBuf>();
        let relative = up.join(pki.path().strip_prefix("/").unwrap());
        let driver = Arc::new(OpcUaDriver::new(relative));
        Self { peer, driver, server, _pki: pki }
    }

    pub(crate) fn bench(&self) -> Bench {
        Bench::new(vec![Arc::clone(&self.driver) as Arc<dyn Driver>])
    }

    /// The n-th device of a bench, with points of its own.
    pub(crate) fn device(&self, n: u32, points: Vec<(Json, DataType)>) -> DeviceSpec {
        let mut spec = self.peer.spec(n, "opcua");
        let point = |(i, (address, data_type)): (usize, (Json, DataType))| Point {
            tag: tag(n, i),
            id: format!("88.100/d{n}.p{i}").parse().unwrap(),
            name: format!("p{i}"),
            write: (address.get("field").is_none() && address.get("attribute").is_none())
                .then(WriteLimits::default),
            address,
            data_type,
            scaling: Vec::new(),
            poll_ms: None,
        };
        spec.points = points.into_iter().enumerate().map(point).collect();
        spec
    }

    pub(crate) async fn session(&self, spec: &DeviceSpec) -> Box<dyn Session> {
        self.driver.check(spec).unwrap();
        let circumstances = Circumstances::new(Arc::new(SystemClock));
        self.driver.connect(Arc::new(spec.clone()), circumstances).await.unwrap()
    }

    pub(crate) fn sessions(&mut self) -> u64 {
        self.peer.ask(&json!({"do": "sessions"}))["sessions"].as_u64().unwrap()
    }

    pub(crate) fn own_certificate(&self) -> PathBuf {
        self.driver.certificate_path()
    }

    pub(crate) fn write(&mut self, node: &str, value: Json) {
        self.peer.ask(&json!({"do": "write", "node": node, "value": value}));
    }
}

pub(crate) fn node(name: &str) -> Json {
    json!({"node": format!("nsu=urn:weir:peer;s={name}")})
}

/// An address with more than its node.
pub(crate) fn part(name: &str, more: Json) -> Json {
    let mut address = node(name);
    for (key, value) in more.as_object().unwrap() {
        address[key] = value.clone();
    }
    address
}
