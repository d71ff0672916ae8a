//! The driver against a server made of asyncua, an implementation that nobody here wrote
//! (`tests/interop/opcua/server.py`).

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "asyncua/plant.rs"]
mod plant;

#[path = "asyncua/access.rs"]
mod access;
#[path = "asyncua/gaps.rs"]
mod gaps;
#[path = "asyncua/orders.rs"]
mod orders;
#[path = "asyncua/values.rs"]
mod values;
