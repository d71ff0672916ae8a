//! `weir historian`: looking after the files of samples, and samples out and in.

mod check;
mod export;
mod import;
mod progress;
mod repair;
mod stats;

use std::path::PathBuf;

use anyhow::bail;

use crate::args::{Global, HistorianCommand};
use crate::client::Client;
use crate::config;

/// Runs a command about the historian.
pub(crate) fn run(
    command: HistorianCommand,
    client: impl Fn() -> anyhow::Result<Client>,
    global: &Global,
) -> anyhow::Result<()> {
    match command {
        HistorianCommand::Check => check::run(client, global),
        HistorianCommand::Repair { dry_run, yes } => repair::run(dry_run, yes, global),
        HistorianCommand::Stats { sort } => stats::run(&sort, client, global),
        HistorianCommand::Export(args) => export::run(&args, &client()?, global),
        HistorianCommand::Import(args) => import::run(&args, &client()?, global),
    }
}

/// The folder of the historian on this machine; none where a node elsewhere is meant.
fn folder(global: &Global) -> anyhow::Result<Option<PathBuf>> {
    if global.connection.url.is_some() {
        return Ok(None);
    }
    let data = config::load(global, &[])?.config.data.dir;
    let folder = weir_node::historian_dir(&data);
    if !folder.is_dir() {
        bail!("{} holds no samples: there is no folder {}", data.display(), folder.display());
    }
    Ok(Some(folder))
}
