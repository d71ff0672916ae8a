//! `weir historian check`

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use serde_json::{Value as Json, json};
use weir_historian::{HistorianError, Seen};

use super::progress::{Progress, bytes, count, interrupted};
use crate::args::Global;
use crate::client::Client;
use crate::output;

/// Looks for damage: in the files of a node that is stopped, else through the running node.
pub(super) fn run(
    client: impl Fn() -> anyhow::Result<Client>,
    global: &Global,
) -> anyhow::Result<()> {
    let ended = interrupted()?;
    let mut progress = Progress::new(global);
    let mut told = Told { global, progress: &mut progress };
    let folder = super::folder(global)?;
    let stopped = folder.map(|dir| {
        weir_historian::check(&dir, &mut |seen| {
            match seen {
                Seen::Progress { bytes, bytes_total } => told.progress(bytes, bytes_total),
                Seen::Fault(fault) => {
                    if told.fault(&json!(fault)).is_err() {
                        return ControlFlow::Break(());
                    }
                }
            }
            going(&ended)
        })
    });
    let checked = match stopped {
        Some(Ok(checked)) => json!(checked),
        None | Some(Err(HistorianError::AlreadyOpen { .. })) => {
            running(&client()?, &ended, &mut told)?
        }
        Some(Err(error)) => return Err(error).context("the samples could not be looked at"),
    };
    progress.clear();
    finish(&checked, global)
}

fn going(ended: &AtomicBool) -> ControlFlow<()> {
    if ended.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

fn running(client: &Client, ended: &AtomicBool, told: &mut Told<'_>) -> anyhow::Result<Json> {
    let mut checked = None;
    let read = client.post_lines("/historian/check", &json!({}), |line| {
        let line: Json = serde_json::from_str(line)?;
        if let Some(progress) = line.get("progress") {
            let number = |name: &str| progress[name].as_u64().unwrap_or(0);
            told.progress(number("bytes"), number("bytes_total"));
        } else if let Some(fault) = line.get("fault") {
            told.fault(fault)?;
        } else if let Some(failed) = line.get("failed") {
            bail!(
                "the node could not look at its samples: {}",
                failed.as_str().unwrap_or_default()
            );
        } else {
            checked = line.get("checked").cloned();
        }
        if going(ended).is_break() { Err(Ended.into()) } else { Ok(()) }
    });
    match (read, checked) {
        (Err(error), _) if error.is::<Ended>() => Ok(json!({ "ended": true })),
        (Err(error), _) => Err(error),
        (Ok(()), Some(checked)) => Ok(checked),
        (Ok(()), None) => bail!("the node stopped before everything was looked at"),
    }
}

/// The one at the terminal has had enough.
#[derive(Debug)]
struct Ended;

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Ended {}

/// What is said while it goes on.
struct Told<'a> {
    global: &'a Global,
    progress: &'a mut Progress,
}

impl Told<'_> {
    fn progress(&mut self, done: u64, total: u64) {
        self.progress.show(done, total, |seconds| {
            let rate = bytes((done as f64 / seconds) as u64);
            format!("{} of {}, {rate}/s", bytes(done), bytes(total))
        });
    }

    fn fault(&mut self, fault: &Json) -> anyhow::Result<()> {
        self.progress.clear();
        if self.global.json {
            return output::line(&json!({ "fault": fault }));
        }
        let harmless = fault["harmless"] == true;
        if harmless && self.global.quiet {
            return Ok(());
        }
        let mark = if harmless { "harmless" } else { "DAMAGED" };
        let (file, offset) = (output::cell(fault, "/file"), output::cell(fault, "/offset"));
        output::line(&format!(
            "{mark}  {file}, offset {offset}: {}",
            output::cell(fault, "/cause")
        ))?;
        lost(&fault["lost"])
    }
}

/// Prints which samples are lost.
pub(super) fn lost(lost: &Json) -> anyhow::Result<()> {
    for one in lost.as_array().into_iter().flatten() {
        let at = |pointer| output::cell(one, pointer);
        output::line(&format!(
            "    lost: {} samples of tenant {}, tags {} to {}, from {} to {}",
            at("/rows"),
            at("/tenant"),
            at("/tags/0"),
            at("/tags/1"),
            at("/from"),
            at("/to")
        ))?;
    }
    Ok(())
}

fn finish(checked: &Json, global: &Global) -> anyhow::Result<()> {
    if global.json {
        output::line(&json!({ "checked": checked }))?;
    }
    let number = |name: &str| checked[name].as_u64().unwrap_or(0);
    if checked["ended"] == true {
        bail!("interrupted before everything was looked at");
    }
    let looked_at = format!(
        "{} files, {}, {} samples",
        count(number("files")),
        bytes(number("bytes")),
        count(number("rows"))
    );
    match number("faults") {
        0 if global.json || global.quiet => Ok(()),
        0 => output::line(&format!("Everything is sound: {looked_at}.")),
        faults => {
            let hint = match std::io::stdout().is_terminal() {
                true => "; stop the node and see `weir historian repair --dry-run`",
                false => "",
            };
            bail!("{faults} faults were found in {looked_at}{hint}")
        }
    }
}
