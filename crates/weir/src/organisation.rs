//! `weir org`

use serde_json::json;

use crate::args::{Global, Org};
use crate::client::Client;
use crate::output;

const COLUMNS: &[(&str, &str)] =
    &[("PREFIX", "/prefix"), ("NAME", "/name"), ("IDENTIFIER", "/id"), ("GRADE", "/grade")];

/// Runs a command about organisations.
pub(crate) fn run(command: Org, client: &Client, global: &Global) -> anyhow::Result<()> {
    match command {
        Org::List => {
            output::table(&client.list("/organisations", usize::MAX)?, global.json, COLUMNS)
        }
        Org::Create { prefix, name } => {
            let made = client.post("/organisations", &json!({ "prefix": prefix, "name": name }))?;
            if global.json { output::json(&made) } else { output::table(&[made], false, COLUMNS) }
        }
    }
}
