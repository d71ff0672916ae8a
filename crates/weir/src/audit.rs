//! `weir audit`

use anyhow::Context;

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
            let items = client()?.list(&format!("/audit{query}"), limit)?;
            let columns = [
                ("INDEX", "/index"),
                ("TIME", "/time"),
                ("PRINCIPAL", "/principal"),
                ("CAUSE", "/cause"),
                ("EVENT", "/event"),
                ("REQUEST", "/request"),
            ];
            output::table(&items, global.json, &columns)
        }
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
