//! A running `weir`, ended when it is dropped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value as Json;

use crate::Api;

/// How long a start may take before the test gives up. It is no measure: these machines are noisy.
pub const READY_MAX: Duration = Duration::from_secs(60);

/// A running program.
pub struct Weir {
    child: Child,
    /// What it said when it was ready.
    pub ready: Json,
    /// From the start of the process to its ready line.
    pub ready_after: Duration,
}

impl Weir {
    /// Where the program is: beside the test's own executable, or `WEIR_BIN`.
    ///
    /// # Errors
    /// When it was not built.
    pub fn binary() -> anyhow::Result<PathBuf> {
        if let Some(path) = std::env::var_os("WEIR_BIN") {
            return Ok(path.into());
        }
        let own = std::env::current_exe()?;
        let folder = own.parent().and_then(Path::parent).context("no target folder")?;
        let path = folder.join("weir");
        if !path.exists() {
            bail!("{} is missing: run `cargo build -p weir`", path.display());
        }
        Ok(path)
    }

    /// Starts `weir serve` on a data folder and a free port.
    ///
    /// # Errors
    /// When it is not ready within [`READY_MAX`].
    pub fn serve(data: &Path) -> anyhow::Result<Self> {
        Self::start("serve", data, &[])
    }

    /// Starts `weir demo` on a data folder and free ports.
    ///
    /// # Errors
    /// When it is not ready within [`READY_MAX`].
    pub fn demo(data: &Path) -> anyhow::Result<Self> {
        Self::start("demo", data, &[])
    }

    /// Starts `weir COMMAND --listen 127.0.0.1:0 --data DATA --json MORE…` and waits until ready.
    ///
    /// # Errors
    /// When it is not ready within [`READY_MAX`].
    pub fn start(command: &str, data: &Path, more: &[&str]) -> anyhow::Result<Self> {
        Self::start_at("127.0.0.1:0", command, data, more)
    }

    /// As [`Weir::start`], at another address.
    ///
    /// # Errors
    /// When it is not ready within [`READY_MAX`].
    pub fn start_at(
        listen: &str,
        command: &str,
        data: &Path,
        more: &[&str],
    ) -> anyhow::Result<Self> {
        let started = Instant::now();
        let mut child = Command::new(Self::binary()?)
            .args([command, "--listen", listen, "--json", "--data"])
            .arg(data)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("no standard output")?;
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            let _ = send.send(lines.next());
            for _ in lines {}
        });
        let line = match receive.recv_timeout(READY_MAX) {
            Ok(Some(line)) => line?,
            _ => {
                let _ = child.kill();
                bail!("weir {command} ended or said nothing: {:?}", child.wait());
            }
        };
        let ready = serde_json::from_str(&line).with_context(|| line.clone())?;
        Ok(Self { child, ready, ready_after: started.elapsed() })
    }

    /// A field of the ready line.
    pub fn ready_text(&self, field: &str) -> String {
        self.ready[field].as_str().unwrap_or_default().to_owned()
    }

    /// Where it answers for identifiers over the Handle protocol.
    pub fn handle_address(&self) -> String {
        self.ready["handle"][0].as_str().unwrap_or_default().to_owned()
    }

    /// Its API, as nobody in particular.
    pub fn api(&self) -> Api {
        Api::new(&self.ready_text("url"))
    }

    /// A token of the first administrator's with some scopes; with none, for all that the administrator may.
    ///
    /// # Errors
    /// When it is not given.
    pub fn token(&self, scopes: &[&str]) -> anyhow::Result<String> {
        let (user, password) = (self.ready_text("user"), self.ready_text("password"));
        self.api().sign_in_for_token(&user, &password, scopes)
    }

    /// Its API, as the first administrator.
    ///
    /// # Errors
    /// When there is no token.
    pub fn administrator(&self) -> anyhow::Result<Api> {
        Ok(self.api().with_token(&self.token(&[])?))
    }

    /// Starts `weir serve` with a settings file, in a folder that has both that and the data.
    ///
    /// # Errors
    /// When it is not ready within [`READY_MAX`].
    pub fn serve_set(
        folder: &Path,
        listen: &str,
        settings: &str,
        more: &[&str],
    ) -> anyhow::Result<Self> {
        let config = folder.join("weir.toml");
        std::fs::write(&config, settings)?;
        let config = config.display().to_string();
        let more = [more, &["--config", &config]].concat();
        Self::start_at(listen, "serve", &folder.join("data"), &more)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it without warning (SIGKILL).
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    /// When it does not end, or not with success.
    pub fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        let deadline = Instant::now() + READY_MAX;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("it ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("it did not end")
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// What the system says.
    pub fn running(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
