//! The browser tests: Chromium against the demo, as a person would use it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::console;
use crate::counts::Counts;
use crate::debian;
use crate::process::{self, built, npm, root, target};

const FOLDER: &str = "tests/browser";

/// How the system's packages name the program.
const NAMES: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The demo is ready within a second; a busy machine gets this long.
const READY_MAX: Duration = Duration::from_secs(30);

/// How long the demo may take to end when it is interrupted.
const STOP_MAX: Duration = Duration::from_secs(10);

/// What `weir demo --json` prints when it is ready.
#[derive(Deserialize)]
struct Ready {
    url: String,
    user: String,
    password: String,
    token: String,
}

/// Builds what is not built yet and runs the tests with this Chromium.
pub(crate) fn run(chromium: &Path) -> Result<Counts> {
    ensure!(
        root().join(FOLDER).join("package.json").is_file(),
        "there is no {FOLDER}/package.json"
    );
    console::build()?;
    // Whatever changed in the console is in the program only after another build.
    crate::rust::build_program()?;
    console::install(FOLDER)?;
    let data = target().join("tmp").join(format!("browser-{}", std::process::id()));
    fs::create_dir_all(&data)?;
    let counts = against_demo(&data, chromium);
    // The data folder holds nothing that anyone needs, whatever came out.
    let _ = fs::remove_dir_all(&data);
    counts
}

fn against_demo(data: &Path, chromium: &Path) -> Result<Counts> {
    let mut demo = Demo::start(data)?;
    let ready = demo.ready()?;
    let shots = target().join("shots");
    fs::create_dir_all(&shots)?;
    let mut test = npm(FOLDER, &["test", "--silent"]);
    test.env("WEIR_URL", ready.url)
        .env("WEIR_USER", ready.user)
        .env("WEIR_PASSWORD", ready.password)
        .env("WEIR_TOKEN", ready.token)
        .env("WEIR_SHOTS", shots)
        .env("CHROMIUM", chromium);
    let mut counts = console::counted(&mut test)?;
    if !demo.is_running() {
        println!("error: the demo ended while the tests ran");
        counts += Counts::one(false);
    }
    demo.stop()?;
    Ok(counts)
}

/// `$CHROMIUM`, the system's, or Debian's package where it may be installed.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(chosen) = env::var_os("CHROMIUM").filter(|chosen| !chosen.is_empty()) {
        let chosen = PathBuf::from(chosen);
        ensure!(chosen.is_file(), "CHROMIUM names {}, which is no file", chosen.display());
        return Ok(chosen);
    }
    if let Some(found) = installed() {
        return Ok(found);
    }
    // A small font with Chinese characters, since the console's first language is Chinese.
    let or_else = "Chromium; else set CHROMIUM to its path";
    debian::install(or_else, &["chromium", "fonts-wqy-microhei"])?;
    installed().context("Debian's package chromium was installed, but there is no such program")
}

fn installed() -> Option<PathBuf> {
    debian::program(NAMES)
}

/// The demo that the tests run against; it does not outlive this.
struct Demo {
    child: Child,
}

impl Demo {
    fn start(data: &Path) -> Result<Self> {
        let mut weir = process::command(&built("weir").to_string_lossy());
        let free = "127.0.0.1:0";
        weir.args(["demo", "--listen", free, "--opcua", free, "--json", "--data"]).arg(data);
        let line = process::shown(&weir);
        println!("$ {line}");
        let child = weir.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Self { child: child.with_context(|| format!("cannot start `{line}`"))? })
    }

    /// Waits for the line that says where it listens.
    fn ready(&mut self) -> Result<Ready> {
        let output = self.child.stdout.take().context("the demo's output was not piped")?;
        let (lines, arrived) = mpsc::channel();
        // The thread goes on reading, so that the demo never waits for a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let deadline = Instant::now() + READY_MAX;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match arrived.recv_timeout(left) {
                Ok(line) => {
                    if let Ok(ready) = serde_json::from_str(&line) {
                        return Ok(ready);
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    bail!("the demo was not ready within {} s", READY_MAX.as_secs())
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    bail!("the demo ended before it was ready ({})", self.child.wait()?)
                }
            }
        }
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Interrupts it as a person would, and waits.
    fn stop(&mut self) -> Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        interrupt(&mut self.child);
        let deadline = Instant::now() + STOP_MAX;
        while self.is_running() {
            if Instant::now() > deadline {
                bail!("the demo did not end within {} s of its interrupt", STOP_MAX.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already, and nothing else can be done here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
fn interrupt(child: &mut Child) {
    let id = child.id().to_string();
    let _ = process::command("kill").args(["-INT", &id]).status();
}

#[cfg(not(unix))]
fn interrupt(child: &mut Child) {
    let _ = child.kill();
}
