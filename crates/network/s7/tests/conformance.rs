//! The conformance suite of drivers, against a CPU made of the server of Snap7.

use std::sync::Arc;

use weir_connect::conformance::{Peer, run};
use weir_s7::S7Driver;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn s7_conforms() {
    let mut peer = Peer::start("s7/device.py", &[]);
    let ran = run(Arc::new(S7Driver::new()), &mut peer).await;
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
        "flood",
        "one of many",
    ];
    assert_eq!(ran, steps);
}
