//! A process beside this one, and what it takes.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{ChildStdout, Command, Stdio};

use crate::Result;

/// This program, started again. It ends with this one: it reads its input until that closes.
pub(crate) struct Child {
    child: std::process::Child,
    output: BufReader<ChildStdout>,
}

/// Processor time, in microseconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) user_us: f64,
    pub(crate) system_us: f64,
}

impl Used {
    pub(crate) fn since(&self, before: &Self) -> Self {
        let user_us = self.user_us - before.user_us;
        Self { user_us, system_us: self.system_us - before.system_us }
    }

    pub(crate) fn all_us(&self) -> f64 {
        self.user_us + self.system_us
    }
}

impl Child {
    pub(crate) fn start(words: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("a process without output")?);
        Ok(Self { child, output })
    }

    /// The addresses that it prints in its first line.
    pub(crate) fn addresses<const N: usize>(&mut self) -> Result<[SocketAddr; N]> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let addresses = line
            .split_whitespace()
            .map(str::parse)
            .collect::<std::result::Result<Vec<SocketAddr>, _>>()?;
        addresses.try_into().map_err(|_| "a process that does not say where it listens".into())
    }

    /// What its threads of a name have used; all of them without one.
    pub(crate) fn used(&self, name: &str) -> Result<Used> {
        of_threads(self.child.id(), name)
    }

    /// Memory that is no mapped file.
    pub(crate) fn anonymous_mb(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
        Ok(kilobytes.ok_or("no RssAnon")?.trim().parse::<f64>()? * 1024.0 / 1e6)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// What threads of a name have used in a process.
pub(crate) fn of_threads(process: u32, name: &str) -> Result<Used> {
    /// Linux tells processor time in hundredths of a second.
    const TICK_US: f64 = 10_000.0;
    let mut used = Used::default();
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end between the listing and the reading.
        let Ok(stat) = std::fs::read_to_string(thread?.path().join("stat")) else { continue };
        let (head, rest) = stat.rsplit_once(')').ok_or("an unknown form of stat")?;
        if !name.is_empty() && !head.ends_with(name) {
            continue;
        }
        let mut fields = rest.split_whitespace().skip(11);
        let mut ticks = || fields.next().and_then(|field| field.parse::<f64>().ok());
        used.user_us += ticks().ok_or("no user time")? * TICK_US;
        used.system_us += ticks().ok_or("no system time")? * TICK_US;
    }
    Ok(used)
}
