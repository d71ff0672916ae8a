//! The service from outside: its answers, and its sockets.

#![allow(clippy::unwrap_used)]

mod killed;
mod meaning;
mod recorded;
mod server;
mod sessions;
mod sockets;
