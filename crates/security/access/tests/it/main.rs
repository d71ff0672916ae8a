//! Access as its users see it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod earlier;
mod names;
mod permissions;
mod revocation;
mod sessions;
mod support;
