//! `weir id`

use crate::args::{Global, Id};
use crate::client::{Client, encode};
use crate::output;

/// Runs a command about identifiers.
pub(crate) fn run(command: Id, client: &Client, global: &Global) -> anyhow::Result<()> {
    let Id::Resolve { id } = command;
    let record = client.get(&format!("/identifiers/{}", encode(&id)))?;
    if global.json {
        return output::json(&record);
    }
    let head = ["id", "kind", "name"].map(|key| output::cell(&record, &format!("/{key}")));
    output::line(&format!("{}  {}  {}", head[0], head[1], head[2]))?;
    let values = record["values"].as_array().cloned().unwrap_or_default();
    output::table(
        &values,
        false,
        &[
            ("INDEX", "/index"),
            ("TYPE", "/type"),
            ("DATA", "/data"),
            ("TTL", "/ttl"),
            ("READ", "/read"),
        ],
    )
}
