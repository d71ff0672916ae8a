//! The conformance suite of drivers, against a scanner made of Python's asyncio.

use std::sync::Arc;

use weir_connect::conformance::{Peer, run};
use weir_line::LineDriver;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn line_conforms() {
    let mut peer = Peer::start("line/scanner.py", &[]);
    let ran = run(Arc::new(LineDriver::new()), &mut peer).await;
    // Lines cannot be browsed, nothing confirms a line that is sent, and silence is the rule.
    let steps = [
        "describe",
        "test",
        "unreachable",
        "subscribe",
        "killed and restarted",
        "store and forward",
        "lies",
        "flood",
        "one of many",
    ];
    assert_eq!(ran, steps);
}
