//! The suite that every driver passes against a peer that nobody here wrote; for tests only.
//!
//! A *peer* is a program in a process of its own (a Python script below `tests/interop/`), which the suite
//! starts, changes, silences, kills and starts again through [`Peer`]. [`run`] drives a driver through all
//! rules of `docs/specs/driver.md` that can be seen from outside, and says which steps ran: a test names
//! the steps that it expects, so that nothing is skipped unnoticed.
//!
//! What a peer's script must do:
//!
//! - `script --port P [more]` serves its protocol on loopback, on port `P` or a free one for 0, and prints one
//!   line of JSON: `{"port", "settings", "points": [{"address", "data_type", "value", "writable"?, "browsed"?}], "modes": […]}`.
//!   `settings` are complete settings of a device for the driver. Ten points are a good number, of as many
//!   types as the protocol has; numbers, truth values and texts can be changed by `set`. A point that browsing
//!   cannot show as it is addressed has `"browsed": false`.
//! - It then reads one command a line from its input, answers each with one line of JSON, and ends with its
//!   input. `{"do": "set", "point": i, "value": v}` changes a value; `{"do": "get", "point": i}` answers
//!   `{"value": v}`; `{"do": "mode", "mode": m}` behaves as said until the next one: `normal`, and of the
//!   following those that `modes` lists: `silent` (takes connections and requests, answers nothing), `lie`
//!   (point 0 has a value of another type), `clock` (its clock is an hour ahead), `flood` (point 0 changes as fast as it
//!   can, until the next mode).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a suite for tests, which fail by a panic"
)]

mod bench;
mod peer;
mod suite;

pub use bench::{Bench, TENANT, device_id, impatient, tag};
pub use peer::Peer;
pub use suite::run;
