//! A program of others that a test asks things.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value as Json;

/// A Python program below `tests/interop` in a process of its own, driven by JSON lines; it ends with
/// this value.
pub struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _dir: tempfile::TempDir,
}

impl Peer {
    /// Starts a script with arguments, of which `DIR` stands for a folder of its own.
    ///
    /// # Errors
    /// When the Python peers are not there, or it does not start.
    pub fn start(script: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let venv = std::env::var_os("WEIR_VENV")
            .context("run `cargo xtask test`: it makes the Python peers and sets WEIR_VENV")?;
        let dir = tempfile::tempdir()?;
        let folder = dir.path().display().to_string();
        let arguments = arguments.iter().map(|one| if *one == "DIR" { &folder } else { *one });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop").join(script);
        let mut process = Command::new(Path::new(&venv).join("bin/python"))
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = process.stdin.take().context("no standard input")?;
        let output = BufReader::new(process.stdout.take().context("no standard output")?);
        Ok(Self { process, input, output, _dir: dir })
    }

    /// The next line that it says.
    ///
    /// # Errors
    /// When it says no JSON.
    pub fn line(&mut self) -> anyhow::Result<Json> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("it said {line:?}"))
    }

    /// The answer to a command.
    ///
    /// # Errors
    /// When it has none.
    pub fn ask(&mut self, command: &Json) -> anyhow::Result<Json> {
        writeln!(self.input, "{command}")?;
        self.line()
    }

    /// The answer to a command that must not fail.
    ///
    /// # Errors
    /// When it has none, or one that has an `error`.
    pub fn good(&mut self, command: &Json) -> anyhow::Result<Json> {
        let answer = self.ask(command)?;
        ensure!(answer.get("error").is_none(), "{command}: {answer}");
        Ok(answer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
