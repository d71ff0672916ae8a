//! The conformance suite of drivers, against Mosquitto and a plant that publishes by paho-mqtt.

use std::sync::Arc;

use weir_connect::conformance::{Peer, run};
use weir_mqtt::MqttDriver;

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
    let mut peer = Peer::start("mqtt/plant.py", arguments);
    run(Arc::new(MqttDriver::new()), &mut peer).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn mqtt_3_conforms() {
    assert_eq!(conforms(&[]).await, STEPS);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn mqtt_5_conforms() {
    assert_eq!(conforms(&["--version", "5"]).await, STEPS);
}
