//! `weir export`, `weir import`, `weir backup`

use std::io::Read;
use std::path::Path;

use anyhow::Context;
use serde_json::json;

use crate::args::Global;
use crate::client::Client;
use crate::output;

/// Prints every record of the organisation, a JSON object a line.
pub(crate) fn export(client: &Client) -> anyhow::Result<()> {
    client.lines("/export", "application/x-ndjson", |line| output::line(&line))
}

/// Sends a file that `weir export` wrote.
pub(crate) fn import(client: &Client, file: &Path, global: &Global) -> anyhow::Result<()> {
    let mut text = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut text)?;
    } else {
        text = std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
    }
    let answer = client.post_text("/import", "application/x-ndjson", text)?;
    if global.json {
        return output::json(&answer);
    }
    output::line(&format!("{} lines read", output::cell(&answer, "/lines")))
}

/// Has the node copy its records; prints the copy's place in the node's data folder.
pub(crate) fn backup(client: &Client, global: &Global) -> anyhow::Result<()> {
    let answer = client.post("/backup", &json!({}))?;
    if global.json {
        return output::json(&answer);
    }
    output::line(&format!("backups/{}", output::cell(&answer, "/name")))
}
