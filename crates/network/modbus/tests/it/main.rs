//! Modbus devices under supervision, against a server of the same library and against raw sockets
//! that misbehave. What an independent peer says is in `pymodbus.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod bench;
mod faults;
mod many;
mod server;
mod values;
mod writes;
