//! A server over the plant in memory, for the time of a test.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use weir_opcua_server::{Limits, Listen, OpcUaServer, Options, Policy, Running};

use crate::plant::Memory;

pub(crate) struct Bench {
    pub(crate) plant: Arc<Memory>,
    pub(crate) running: Running,
    pub(crate) stop: CancellationToken,
    _dir: tempfile::TempDir,
}

pub(crate) fn options(dir: &Path, listen: &str) -> Options {
    Options {
        listen: vec![Listen::Address(listen.parse::<SocketAddr>().unwrap())],
        pki_dir: dir.to_owned(),
        host_names: vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
        application_uri: "urn:weir:test:opcua".to_owned(),
        application_name: "Weir test".to_owned(),
        policies: Policy::ALL.to_vec(),
        allow_none: true,
        allow_anonymous: true,
        allow_user_certificates: true,
        limits: Limits { session_timeout_max: Duration::from_secs(60), ..Limits::default() },
    }
}

impl Bench {
    pub(crate) async fn start(change: impl FnOnce(&mut Options)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = options(dir.path(), "127.0.0.1:0");
        change(&mut options);
        let (plant, stop) = (Memory::new(), CancellationToken::new());
        let running = OpcUaServer::start(options, plant.clone(), stop.clone()).await.unwrap();
        Self { plant, running, stop, _dir: dir }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
