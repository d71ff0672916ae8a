//! The conformance suite of drivers, against a device made of pymodbus.

use std::sync::Arc;

use weir_connect::conformance::{Peer, run};
use weir_modbus::ModbusDriver;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn modbus_conforms() {
    let mut peer = Peer::start("modbus/conformance.py", &[]);
    let ran = run(Arc::new(ModbusDriver::new()), &mut peer).await;
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
