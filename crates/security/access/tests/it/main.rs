//! Access as its users see it.

mod permissions;
mod revocation;
mod sessions;
mod support;
