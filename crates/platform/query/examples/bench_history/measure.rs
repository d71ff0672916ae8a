//! How long a question takes, and its answer as others write theirs.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value as Json, json};

use super::Outcome;

/// As in `tests/interop/bench/measure.py`.
const ROUNDS_MIN: usize = 3;

/// Rounds of a question that takes next to nothing: what is kept of each is 8 bytes.
const ROUNDS_MAX: usize = 100_000;

/// A row of an answer: the tag, microseconds since 1970, numbers.
pub(super) type Row = (u32, i64, Vec<Option<f64>>);

/// Asks for so many seconds: milliseconds of processor time and the median of wall time.
pub(super) async fn timed(seconds: f64, ask: impl AsyncFn() -> Outcome<usize>) -> Outcome<Json> {
    // The first opens files.
    let rows = ask().await?;
    let (cpu, started) = (cpu_seconds(), Instant::now());
    let mut walls = Vec::new();
    while walls.len() < ROUNDS_MIN
        || (walls.len() < ROUNDS_MAX && started.elapsed().as_secs_f64() < seconds)
    {
        let asked = Instant::now();
        ask().await?;
        walls.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    let cpu_ms = (cpu_seconds() - cpu) / walls.len() as f64 * 1e3;
    walls.sort_unstable_by(f64::total_cmp);
    Ok(json!({ "cpu_ms": cpu_ms, "wall_ms": walls[walls.len() / 2], "rows": rows }))
}

/// Writes an answer, one row a line; nothing between commas is null.
pub(super) fn write_answer(path: &Path, rows: &[Row]) -> Outcome<()> {
    let mut text = String::new();
    for (tag, micros, numbers) in rows {
        // Writing into a string does not fail.
        let _ = write!(text, "{tag},{micros}");
        for number in numbers {
            let _ = match number {
                Some(number) => write!(text, ",{number}"),
                None => write!(text, ","),
            };
        }
        text.push('\n');
    }
    Ok(std::fs::write(path, text)?)
}

/// Processor seconds of this process so far, of threads that have ended, too, in hundredths; 0 where the
/// system does not tell.
pub(super) fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = text.rsplit(") ").next().unwrap_or_default();
    let fields = behind_name.split(' ').skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Processor seconds of the calling thread so far; 0 where the system does not tell.
pub(super) fn thread_cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// The most memory that this process had, in MiB; none where the system does not tell.
pub(super) fn peak_rss_mb() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024)
}

/// Bytes of all files below a folder.
pub(super) fn bytes_below(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return std::fs::metadata(path).map_or(0, |file| file.len());
    };
    entries.filter_map(Result::ok).map(|entry| bytes_below(&entry.path())).sum()
}
