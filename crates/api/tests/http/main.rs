//! The HTTP surface on real rooms: store, historian, access, audit and supervisor in a folder of
//! their own. Nothing of ours is replaced; the one stand-in is the machine behind a device.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod access;
mod aggregates;
mod answers;
mod bench;
mod console;
mod devices;
mod documents;
mod edge;
mod extract;
mod fake;
mod flight;
mod frames;
mod identifiers;
mod ingest;
mod live;
mod mqtt;
mod opcua;
mod query;
mod resolution;
mod retention;
mod series;
mod table;
mod templates;
mod walk;
