//! What the numbers were measured on.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Value as Json, json};

use crate::process;

/// Writes of which each is synced, for the disk's own time.
const SYNCS: usize = 200;

/// Processor, memory, system, disk, compiler, commit and date.
pub(super) fn facts(folder: &Path) -> Result<Json> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let told = |program: &str, args: &[&str]| {
        let text = process::output(process::command(program).args(args)).unwrap_or_default();
        text.trim().to_owned()
    };
    Ok(json!({
        "processor": line("/proc/cpuinfo", "model name"),
        "cores": cores,
        "memory_gib": line("/proc/meminfo", "MemTotal")
            .and_then(|text| text.trim_end_matches(" kB").parse::<f64>().ok())
            .map(|kib| (kib / 1024.0 / 1024.0).round()),
        "system": told("uname", &["-sr"]),
        "fdatasync_ms": sync_ms(folder)?,
        "rustc": told("rustc", &["--version"]),
        "commit": told("git", &["rev-parse", "--short=12", "HEAD"]),
        "date": told("date", &["-u", "+%F"]),
    }))
}

/// What stands behind the colon of the first line that begins so.
fn line(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The median of writing 4 KiB and having the disk say that it has them.
fn sync_ms(folder: &Path) -> Result<f64> {
    let path = folder.join("sync");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(path)?;
    times.sort_unstable_by(f64::total_cmp);
    Ok(times[SYNCS / 2])
}
