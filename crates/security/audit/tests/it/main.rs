//! The audit log as its users see it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crash;
mod format;
mod log;
mod support;
mod tampering;
