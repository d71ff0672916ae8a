//! The audit log as its users see it.

mod crash;
mod format;
mod log;
mod support;
mod tampering;
