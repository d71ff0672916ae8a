//! `weir id`

mod dig;

use anyhow::Context;
use serde_json::{Value as Json, json};

use crate::args::{Global, Id};
use crate::client::{Client, encode};
use crate::output;

/// Runs a command about identifiers.
pub(crate) fn run(
    command: Id,
    client: impl FnOnce() -> anyhow::Result<Client>,
    global: &Global,
) -> anyhow::Result<()> {
    match command {
        Id::Resolve { id } => {
            let record = client()?.get(&path(&id))?;
            show(&record, global)
        }
        Id::Create { id, values, replace, ttl } => {
            let values: Vec<Json> = values
                .iter()
                .zip(1..)
                .map(|(value, index)| entry(value, index, ttl))
                .collect::<anyhow::Result<_>>()?;
            let body = json!({ "values": values });
            let client = client()?;
            let record = match replace {
                true => client.put(&path(&id), &body)?,
                false => client.put_new(&path(&id), &body)?,
            };
            show(&record, global)
        }
        Id::Withdraw { id } => {
            client()?.delete(&path(&id))?;
            if global.quiet || global.json {
                return Ok(());
            }
            output::line(&format!("{id} is withdrawn."))
        }
        Id::List { starts, limit } => {
            let path = format!("/identifiers?starts={}", encode(&starts));
            let found = client()?.list(&path, limit)?;
            let columns = [("ID", "/id"), ("TYPES", "/types"), ("UPDATED", "/updated")];
            output::table(&found, global.json, &columns)
        }
        Id::Dig { id, server, types, tcp, certified } => {
            dig::run(&dig::Question { id, server, types, tcp, certified }, global)
        }
    }
}

fn path(id: &str) -> String {
    format!("/identifiers/{}", encode(id))
}

/// `URL=https://example.org` as the interface takes it.
fn entry(value: &str, index: usize, ttl: i32) -> anyhow::Result<Json> {
    let (kind, data) =
        value.split_once('=').with_context(|| format!("{value:?} is no value such as URL=…"))?;
    Ok(json!({ "index": index, "type": kind, "data": data, "ttl": ttl }))
}

fn show(record: &Json, global: &Global) -> anyhow::Result<()> {
    if global.json {
        return output::json(record);
    }
    let head = ["id", "kind", "name"].map(|key| output::cell(record, &format!("/{key}")));
    output::line(&head.join("  ").trim_end())?;
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
