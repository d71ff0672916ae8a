//! `weir retention`

use anyhow::{Context, bail};
use serde_json::{Value as Json, json};

use crate::args::{Global, Retention};
use crate::client::Client;
use crate::output;

const COLUMNS: &[(&str, &str)] = &[("AFTER DAYS", "/after_days"), ("KEEP", "/keep")];

/// Runs a command about how long samples are kept.
pub(crate) fn run(command: Retention, client: &Client, global: &Global) -> anyhow::Result<()> {
    let found = match command {
        Retention::Show => client.get("/retention")?,
        Retention::Set { rules, all, confirm } => {
            if rules.is_empty() != all {
                bail!("name rules such as 90d=minute 3650d=nothing, or --all to keep everything");
            }
            if !rules.is_empty() && !confirm {
                bail!("what is not kept is removed for ever: add --confirm to do it");
            }
            let rules: Vec<Json> =
                rules.iter().map(|rule| parse(rule)).collect::<Result<_, _>>()?;
            client.put("/retention", &json!({ "rules": rules }))?
        }
    };
    if global.json {
        return output::json(&found);
    }
    match found["rules"].as_array() {
        Some(rules) if !rules.is_empty() => output::table(rules, false, COLUMNS),
        _ => output::line(&"Every sample is kept."),
    }
}

/// `90d=minute` as the interface takes it; what there is to keep is the node's to know.
fn parse(rule: &str) -> anyhow::Result<Json> {
    let parts = rule.split_once('=').and_then(|(days, keep)| {
        let days: u32 = days.strip_suffix('d').unwrap_or(days).parse().ok()?;
        Some((days, keep))
    });
    let (after_days, keep) =
        parts.with_context(|| format!("{rule:?} is no rule such as 90d=minute"))?;
    Ok(json!({ "after_days": after_days, "keep": keep }))
}
