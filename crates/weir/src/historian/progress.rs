//! How far something is, for whoever watches a terminal; and that an interrupt ends it.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::args::Global;

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// Characters of the bar.
const BAR: usize = 24;

/// A line on standard error, where that is a terminal.
pub(super) struct Progress {
    shown: bool,
    started: Instant,
    written: Option<Instant>,
}

impl Progress {
    /// Nothing is shown to programs, and to those who asked for quiet.
    pub(super) fn new(global: &Global) -> Self {
        let shown = !global.quiet && !global.json && std::io::stderr().is_terminal();
        Self { shown, started: Instant::now(), written: None }
    }

    /// Shows how much of how much is done, with some words about it; not more often than one can read.
    pub(super) fn show(&mut self, done: u64, total: u64, words: impl FnOnce(f64) -> String) {
        if !self.shown || self.written.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.written = Some(Instant::now());
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let share = if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) };
        let filled = (share * BAR as f64) as usize;
        let bar = format!("{}{}", "#".repeat(filled), "-".repeat(BAR - filled));
        let left = match share > 0.02 {
            true => format!(", {} left", span(seconds / share - seconds)),
            false => String::new(),
        };
        let line = format!("[{bar}] {:3.0} %  {}{left}", share * 100.0, words(seconds));
        // A terminal that went away is nobody's trouble.
        let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if self.written.take().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    /// Seconds since it began.
    pub(super) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64().max(0.001)
    }
}

/// A span of time in words.
fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A number of bytes in words.
pub(super) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// A number with commas.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Set by the first interrupt; the second ends the program at once.
pub(super) fn interrupted() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("could not listen for signals")?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let Ok(stop) = crate::run::stop_signal() else { return };
                stop.cancelled().await;
                set.store(true, Ordering::Relaxed);
                // The second one is waited for elsewhere, as long as this runs.
                std::future::pending::<()>().await;
            });
        })
        .context("could not listen for signals")?;
    Ok(flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([12, 1536, 3 << 20].map(bytes), ["12 B", "1.5 KiB", "3.0 MiB"]);
        assert_eq!([9.9, 61.0, 7_260.0].map(span), ["9 s", "1 min 1 s", "2 h 1 min"]);
    }
}
