//! Every recorded exchange of the reference server, read, written again and computed again.

#![allow(clippy::unwrap_used)]

mod capture;
mod codec;
mod compare;
mod crypto;
mod json;
mod sessions;
