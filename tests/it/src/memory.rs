//! Memory as the system counts it.

use anyhow::Context;

/// Anonymous resident memory of a process in KiB: what it holds beyond the files it maps.
///
/// # Errors
/// When the process is gone or the system has no such count.
pub fn anonymous_kib(pid: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
