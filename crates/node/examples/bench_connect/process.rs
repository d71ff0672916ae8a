//! Other processes, and what this one takes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::Outcome;

/// A program at the other end of the wire, spoken to in lines of JSON; it ends with this value.
pub(crate) struct Peer {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it and reads its first line.
    pub(crate) fn start(command: &mut Command) -> Outcome<(Self, Json)> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn()?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().ok_or("its output was not piped")?);
        let mut peer = Self { process, input, output };
        let hello = peer.line()?;
        Ok((peer, hello))
    }

    /// Sends a command and waits for the answer.
    pub(crate) fn ask(&mut self, command: &Json) -> Outcome<Json> {
        writeln!(self.input.as_mut().ok_or("its input was not piped")?, "{command}")?;
        self.line()
    }

    fn line(&mut self) -> Outcome<Json> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.input.take());
        // It may have ended already, and nothing else can be done here.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What this process has taken so far.
pub(crate) struct Usage {
    at: Instant,
    cpu: Duration,
    /// Anonymous resident memory in KiB.
    pub(crate) memory_kib: u64,
}

impl Usage {
    pub(crate) fn now() -> Outcome<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        // Behind the name stand the state and ten numbers, then user and system time in hundredths.
        let behind = stat.rsplit(") ").next().ok_or("no name in stat")?;
        let fields: Vec<&str> = behind.split_whitespace().collect();
        let ticks =
            |at: usize| -> Outcome<u64> { Ok(fields.get(at).ok_or("stat is too short")?.parse()?) };
        let status = std::fs::read_to_string("/proc/self/status")?;
        let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let memory = anonymous.ok_or("no RssAnon")?.trim().trim_end_matches(" kB");
        Ok(Self {
            at: Instant::now(),
            cpu: Duration::from_millis((ticks(11)? + ticks(12)?) * 10),
            memory_kib: memory.parse()?,
        })
    }

    /// Seconds and CPU seconds from another to this.
    pub(crate) fn since(&self, before: &Self) -> (f64, f64) {
        ((self.at - before.at).as_secs_f64(), (self.cpu - before.cpu).as_secs_f64())
    }
}
