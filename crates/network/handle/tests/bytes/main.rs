//! Whatever bytes arrive, reading them ends; and what is written is read as it was.
//!
//! This is the fuzz target of the crate: `PROPTEST_CASES=1000000 cargo test -p weir-handle --test
//! bytes` runs it for as long as one likes.

#![allow(clippy::unwrap_used)]

#[path = "../recorded/capture.rs"]
#[allow(dead_code, reason = "shared with the recorded exchanges, which use more of it")]
mod capture;
mod round;
mod strangers;
