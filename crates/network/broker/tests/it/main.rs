//! The broker with clients over byte streams and sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod client;
mod delivery;
mod limits;
mod local;
mod quota;
mod rights;
mod shares;
mod slow;
mod sockets;
mod survival;
mod wills;
