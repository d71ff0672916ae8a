//! `weir lake`

use anyhow::{Context, bail};
use serde_json::json;
use weir_node::LakeError;
use weir_node::config::Config;

use crate::args::{Global, LakeCommand};
use crate::client::Client;
use crate::{config, output, run};

/// How often an export begins anew because the node merged files under it.
const ROUNDS_MAX: usize = 5;

/// Runs a command about the lake.
pub(crate) fn run(
    command: LakeCommand,
    client: impl Fn() -> anyhow::Result<Client>,
    global: &Global,
) -> anyhow::Result<()> {
    match command {
        LakeCommand::Status => status(&client()?, global),
        LakeCommand::Export { to, tenants } => export(to, &tenants, global),
    }
}

fn status(client: &Client, global: &Global) -> anyhow::Result<()> {
    let status = client.get("/lake")?;
    if global.json {
        return output::json(&status);
    }
    let text = |name: &str| status[name].as_str().unwrap_or("never").to_owned();
    let number = |name: &str| status[name].as_u64().unwrap_or(0);
    let behind = match status["behind_s"].as_f64() {
        Some(seconds) => format!("{seconds:.0} s ago"),
        None => "not yet since the start".to_owned(),
    };
    output::line(&format!(
        "{}: {}\nhas all that was in files at {} ({behind})\nlast commit {}, version {}, {} files, {} bytes\n\
         since the start: {} commits, {} files uploaded with {} bytes, {} failed rounds",
        text("url"),
        text("state"),
        text("as_of"),
        text("committed"),
        status["version"].as_u64().map_or("none".to_owned(), |version| version.to_string()),
        number("files"),
        number("bytes"),
        number("commits"),
        number("uploaded_files"),
        number("uploaded_bytes"),
        number("failures"),
    ))?;
    for month in status["waiting"].as_array().into_iter().flatten() {
        output::line(&format!("waiting: {}", month.as_str().unwrap_or_default()))?;
    }
    if let Some(error) = status["error"].as_str() {
        output::line(&format!("error: {error}\n{}", text("advice")))?;
    }
    Ok(())
}

fn export(to: String, tenants: &[u32], global: &Global) -> anyhow::Result<()> {
    let Config { data, mut lake, .. } = config::load(global, &[])?.config;
    if !weir_node::historian_dir(&data.dir).is_dir() {
        bail!("{} holds no samples", data.dir.display());
    }
    let is_followed = lake.url.trim_end_matches('/') == to.trim_end_matches('/');
    if is_followed && weir_node::control_path(&data.dir).exists() {
        bail!("a node on this folder follows that table by itself: see `weir lake status`");
    }
    lake.url = to;
    let tenants = (!tenants.is_empty()).then_some(tenants);
    let (brought, contents) = run::runtime()?.block_on(async {
        let stop = run::stop_signal()?;
        for round in 1.. {
            let mut watch = |brought: &weir_node::LakeBrought| {
                if !global.quiet && !global.json {
                    let (files, bytes) = brought.uploaded;
                    eprint!("\r{files} files, {bytes} bytes copied");
                }
            };
            let exported =
                weir_node::export_lake(&data.dir, &lake, tenants, &stop, &mut watch).await;
            if !global.quiet && !global.json {
                eprintln!();
            }
            match exported {
                Ok((brought, contents)) if brought.waiting.is_empty() => {
                    return Ok((brought, contents));
                }
                // The node merged files while they were copied: what is new is looked for.
                Ok(_) if round < ROUNDS_MAX => {}
                Ok((brought, _)) => bail!("not all was copied: {}", brought.waiting.join("; ")),
                Err(LakeError::Interrupted) => bail!("interrupted; run it again to go on"),
                Err(error) => {
                    let advice = error.advice();
                    return Err(error)
                        .with_context(|| format!("the samples could not be copied. {advice}"));
                }
            }
        }
        bail!("the node merges files faster than they can be copied")
    })?;
    if global.json {
        return output::json(&json!({
            "version": contents.version, "files": contents.files, "bytes": contents.bytes,
            "added": brought.added, "removed": brought.removed, "uploaded_bytes": brought.uploaded.1,
        }));
    }
    if global.quiet {
        return Ok(());
    }
    output::line(&format!(
        "The table has {} files with {} bytes: {} came, {} left. Weir does not check who reads it.",
        contents.files, contents.bytes, brought.added, brought.removed,
    ))
}
