//! The conformance suite of drivers, against an edge node whose payloads pysparkplug encodes, through Mosquitto.

use std::sync::Arc;

use weir_connect::conformance::{Peer, run};
use weir_sparkplug::SparkplugDriver;

const STEPS: [&str; 13] = [
    "describe",
    "test",
    "unreachable",
    "browse",
    "subscribe",
    "killed and restarted",
    "store and forward",
    "write",
    "silent",
    "lies",
    "clock",
    "flood",
    "one of many",
];

async fn conforms(arguments: &[&str]) -> Vec<&'static str> {
    let mut peer = Peer::start("sparkplug/edge.py", arguments);
    run(Arc::new(SparkplugDriver::new()), &mut peer).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn sparkplug_conforms_by_name() {
    assert_eq!(conforms(&[]).await, STEPS);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn sparkplug_conforms_by_alias() {
    assert_eq!(conforms(&["--aliases"]).await, STEPS);
}
