//! CPUs under supervision that misbehave: a server of our own that breaks what it is told to break. What an
//! independent peer says is in `snap7.rs` and `conformance.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod faults;
mod refusals;
mod server;
