//! `weir query`, and the engine that a node gets.

#[cfg(feature = "query")]
mod engine;
#[cfg(feature = "query")]
mod flight;

use std::io::Write;
#[cfg(not(feature = "query"))]
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::args::Global;
use crate::client::Client;
use crate::output;

#[cfg(feature = "query")]
pub(crate) use engine::engine;

/// A program without SQL has no engine.
#[cfg(not(feature = "query"))]
pub(crate) fn engine(
    _: &weir_node::config::Config,
) -> anyhow::Result<Option<Arc<dyn weir_node::query::QueryEngine>>> {
    Ok(None)
}

/// Asks a node and prints the rows.
pub(crate) fn run(sql: &str, csv: bool, client: &Client, global: &Global) -> anyhow::Result<()> {
    let sql = if sql == "-" { std::io::read_to_string(std::io::stdin())? } else { sql.to_owned() };
    let body = json!({ "sql": sql });
    if csv {
        let text = client.post_for("/query", &body, "text/csv")?;
        return Ok(std::io::stdout().lock().write_all(text.as_bytes())?);
    }
    let answer = client.post("/query", &body)?;
    if global.json {
        return output::json(&answer);
    }
    let names = answer["columns"].as_array().cloned().unwrap_or_default();
    let heads: Vec<(String, String)> = names
        .iter()
        .zip(0..)
        .map(|(column, place)| (output::cell(column, "/name").to_uppercase(), format!("/{place}")))
        .collect();
    let columns: Vec<(&str, &str)> = heads.iter().map(|(h, p)| (h.as_str(), p.as_str())).collect();
    let rows: Vec<Json> = answer["rows"].as_array().cloned().unwrap_or_default();
    output::table(&rows, false, &columns)
}
