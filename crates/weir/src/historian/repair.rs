//! `weir historian repair`

use std::io::{BufRead, IsTerminal};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use serde_json::json;
use weir_historian::{HistorianError, Seen, Step};

use super::check::lost;
use super::progress::{Progress, bytes, interrupted};
use crate::args::Global;
use crate::output;

/// Repairs the files of a node that is stopped, after it was said what will be done.
pub(super) fn run(dry_run: bool, yes: bool, global: &Global) -> anyhow::Result<()> {
    let Some(dir) = super::folder(global)? else {
        bail!(
            "a repair works on the files of a stopped node: leave --url away and name its --data"
        );
    };
    let ended = interrupted()?;
    let steps = repair(&dir, true, &ended, global)?;
    if steps.is_empty() {
        return if global.quiet { Ok(()) } else { output::line(&"Nothing is to be repaired.") };
    }
    say(&steps, global)?;
    if dry_run {
        return Ok(());
    }
    if !yes && !confirmed()? {
        bail!("nothing was changed; add --yes to do it without being asked");
    }
    let done = repair(&dir, false, &ended, global)?;
    if global.json || global.quiet {
        return Ok(());
    }
    let place = dir.join("quarantine");
    output::line(&format!("{} repaired. What was damaged is in {}.", done.len(), place.display()))
}

fn repair(
    dir: &Path,
    dry_run: bool,
    ended: &AtomicBool,
    global: &Global,
) -> anyhow::Result<Vec<Step>> {
    let mut progress = Progress::new(global);
    let repaired = weir_historian::repair(dir, dry_run, &mut |seen| {
        if let Seen::Progress { bytes: done, bytes_total } = seen {
            progress
                .show(done, bytes_total, |_| format!("{} of {}", bytes(done), bytes(bytes_total)));
        }
        match ended.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    progress.clear();
    match repaired {
        Err(HistorianError::AlreadyOpen { .. }) => {
            bail!("a node runs on this folder: stop it first, a repair needs the files for itself")
        }
        Err(HistorianError::Closed) => bail!("interrupted; what was done is whole, run it again"),
        repaired => repaired.context("the samples could not be repaired"),
    }
}

fn say(steps: &[Step], global: &Global) -> anyhow::Result<()> {
    for step in steps {
        if global.json {
            output::line(&json!({ "step": step }))?;
            continue;
        }
        output::line(&format!("{}: {}", step.file.display(), step.deed))?;
        lost(&json!(step.lost))?;
    }
    Ok(())
}

fn confirmed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("Do this? Nothing is deleted. [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
