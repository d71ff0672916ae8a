//! End-to-end tests: the program as it is shipped, started as its users start it, spoken to over
//! its HTTP interface, killed without warning.
//!
//! Nothing here links a room of Weir but `weir-model`'s types; what a test knows of the node, any
//! client could know.

mod api;
mod command;
mod ledger;
mod memory;
mod mqtt;
mod noise;
mod peer;
mod process;

pub use api::{Api, encode, from_now};
pub use command::{command, out, weir};
pub use ledger::{Ledger, kill_cycles};
pub use memory::anonymous_kib;
pub use mqtt::Publisher;
pub use noise::{Noise, throw_noise};
pub use peer::Peer;
pub use process::{READY_MAX, Weir};
