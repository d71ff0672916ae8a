//! The conformance suite of drivers, against a server made of asyncua.

use std::sync::Arc;

use weir_connect::conformance::{Peer, run};
use weir_opcua::OpcUaDriver;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn opcua_conforms() {
    let (pki, server) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = server.path().to_str().unwrap();
    let mut peer = Peer::start("opcua/server.py", &["--dir", folder]);
    let ran = run(Arc::new(OpcUaDriver::new(pki.path().to_owned())), &mut peer).await;
    let steps = [
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
        "certificate",
    ];
    assert_eq!(ran, steps);
}
