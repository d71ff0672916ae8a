//! `weir audit`

use anyhow::Context;
use serde_json::Value as Json;

use crate::args::{Audit, Global};
use crate::client::{Client, encode};
use crate::{config, output};

/// Runs a command about the audit log.
pub(crate) fn run(
    command: Audit,
    client: impl FnOnce() -> anyhow::Result<Client>,
    global: &Global,
) -> anyhow::Result<()> {
    match command {
        Audit::Verify => verify(global),
        Audit::List { search, limit } => {
            let query = search.map(|text| format!("?q={}", encode(&text))).unwrap_or_default();
            let mut items = client()?.list(&format!("/audit{query}"), limit)?;
            if global.json {
                return output::table(&items, true, &[]);
            }
            for item in &mut items {
                item["what"] = what(item).into();
            }
            let columns = [
                ("INDEX", "/index"),
                ("TIME", "/time"),
                ("PRINCIPAL", "/principal"),
                ("CAUSE", "/cause"),
                ("WHAT", "/what"),
                ("REQUEST", "/request"),
            ];
            output::table(&items, false, &columns)
        }
    }
}

/// What happened, in a few words; `--json` has all of it.
fn what(item: &Json) -> String {
    let event = &item["event"];
    let Some(changes) = event["changes"].as_array() else {
        let fields = ["/text", "/user", "/action", "/reason", "/count"];
        let said = fields.iter().filter(|at| event.pointer(at).is_some());
        let said: Vec<String> = said.map(|at| output::cell(event, at)).collect();
        return format!("{} {}", output::cell(item, "/kind"), said.join(" "));
    };
    // The first record is the identifier's own or the thing itself; both have its name as key.
    let first = changes.first().map_or_else(String::new, |change| output::cell(change, "/key"));
    match changes.len() {
        0 | 1 => first,
        count => format!("{first} and {} more", count - 1),
    }
}

fn verify(global: &Global) -> anyhow::Result<()> {
    let data = config::load(global, &[])?.config.data.dir;
    let report = weir_audit::Audit::verify(&weir_node::audit_dir(&data))
        .with_context(|| format!("the audit log of {} is NOT intact", data.display()))?;
    if global.json {
        return output::json(&serde_json::to_value(&report)?);
    }
    output::line(&format!(
        "The audit log is intact.\n  entries      {}\n  root         {}\n  checkpoints  {}, all signed by {}\n  changes      up to position {} of the change feed",
        report.entries, report.root, report.checkpoints, report.public_key, report.feed_position
    ))
}
