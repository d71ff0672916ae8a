//! The peers: which are there, and their servers while they run.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use super::answers::Tolerance;
use crate::debian;
use crate::interop::Venv;
use crate::process;

/// How long a server may take to listen.
const READY_MAX: Duration = Duration::from_secs(60);

/// How long a server may take to end once it is asked to.
const STOP_MAX: Duration = Duration::from_secs(60);

/// Python packages of the engines, with their versions.
const REQUIREMENTS: &str = "tests/interop/bench/requirements.txt";

/// What is measured beside ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    DuckDb,
    ClickHouse,
    VictoriaMetrics,
    InfluxDb,
}

impl Peer {
    pub(super) const ALL: [Self; 4] =
        [Self::DuckDb, Self::ClickHouse, Self::VictoriaMetrics, Self::InfluxDb];

    /// As scripts and numbers call it.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::DuckDb => "duckdb",
            Self::ClickHouse => "clickhouse",
            Self::VictoriaMetrics => "victoriametrics",
            Self::InfluxDb => "influxdb",
        }
    }

    /// As people call it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::DuckDb => "DuckDB",
            Self::ClickHouse => "ClickHouse",
            Self::VictoriaMetrics => "VictoriaMetrics",
            Self::InfluxDb => "InfluxDB",
        }
    }

    /// Whether it runs in the process that asks; others are servers.
    pub(super) fn is_engine(self) -> bool {
        matches!(self, Self::DuckDb | Self::ClickHouse)
    }

    /// How far its answers may be off. VictoriaMetrics keeps milliseconds, and of numbers as many digits
    /// as a block of them has room for.
    pub(super) fn tolerance(self) -> Tolerance {
        match self {
            Self::VictoriaMetrics => Tolerance { micros: 1000, numbers: 1e-9 },
            _ => Tolerance { micros: 1, numbers: 0.0 },
        }
    }

    /// Name and version of a server's package; an engine tells its own.
    pub(super) fn version(self) -> Option<String> {
        let (_, package) = self.package()?;
        let mut query = process::command("dpkg-query");
        query.args(["--show", "--showformat", "${Version}", package]);
        let version = process::output(&mut query).unwrap_or_default();
        Some(format!("{} {}", self.label(), version.trim()).trim().to_owned())
    }

    /// Program and Debian package of a server.
    fn package(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::VictoriaMetrics => Some(("victoria-metrics", "victoria-metrics")),
            Self::InfluxDb => Some(("influxd", "influxdb")),
            Self::DuckDb | Self::ClickHouse => None,
        }
    }
}

/// The peers that are there.
pub(super) struct Peers {
    pub(super) found: Vec<Peer>,
    /// A line for each that is not.
    pub(super) missing: Vec<String>,
    /// The Python that has the engines' packages, or any.
    pub(super) python: PathBuf,
}

impl Peers {
    /// None, because nobody wants them.
    pub(super) fn none() -> Self {
        Self { found: Vec::new(), missing: Vec::new(), python: "python3".into() }
    }

    /// Looks for them. Python's packages are fetched where that is wanted; Debian's never are.
    pub(super) fn find(fetch: bool) -> Self {
        let mut peers = Self::none();
        if !process::exists("python3") {
            peers.missing.push("no peers: they are asked by Python 3 (Debian: python3)".to_owned());
            return peers;
        }
        match engines(fetch) {
            Ok(python) => {
                peers.found.extend([Peer::DuckDb, Peer::ClickHouse]);
                peers.python = python;
            }
            Err(why) => peers.missing.push(format!("without DuckDB and ClickHouse: {why:#}")),
        }
        for peer in Peer::ALL {
            let Some((program, package)) = peer.package() else { continue };
            if debian::program(&[program]).is_some() {
                peers.found.push(peer);
            } else {
                let label = peer.label();
                let line = format!("without {label} (Debian: apt-get install {package})");
                peers.missing.push(line);
            }
        }
        peers
    }
}

/// The Python that has DuckDB and ClickHouse.
fn engines(fetch: bool) -> Result<PathBuf> {
    let venv = Venv::of("venv-bench", REQUIREMENTS)?;
    if !(fetch || venv.is_there()) {
        bail!("their Python packages are fetched by `cargo xtask bench historian` without --quick");
    }
    venv.make().map(|folder| Venv::python(&folder))
}

/// A server that runs on loopback, on a port and a folder of its own, until it is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) url: String,
    /// What it stores.
    pub(super) data: PathBuf,
    /// What its client has to know besides.
    pub(super) env: Vec<(&'static str, String)>,
}

impl Server {
    /// Starts a peer below a folder.
    pub(super) fn start(peer: Peer, folder: &Path) -> Result<Self> {
        let data = folder.join("data");
        fs::create_dir_all(&data)?;
        let address = free_address()?;
        let (program, _) = peer.package().context("it is no server")?;
        let found = debian::program(&[program]).context("it is not installed")?;
        let mut command = process::command(&found.to_string_lossy());
        match peer {
            Peer::VictoriaMetrics => {
                command.arg(format!("-httpListenAddr={address}"));
                command.arg(format!("-storageDataPath={}", data.display()));
                command.arg("-retentionPeriod=100y");
            }
            _ => {
                let settings = folder.join("influxdb.toml");
                fs::write(&settings, influx_settings(&data, &address, &free_address()?))?;
                command.arg("run").arg("-config").arg(settings);
            }
        }
        let log = File::create(folder.join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let url = format!("http://{address}");
        let mut server = Self { child, url, data, env: Vec::new() };
        server
            .until_listening(&address)
            .with_context(|| folder.join("log").display().to_string())?;
        Ok(server)
    }

    /// Starts ours.
    pub(super) fn start_weir(program: &Path, folder: &Path) -> Result<Self> {
        let data = folder.join("data");
        fs::create_dir_all(folder)?;
        let settings = folder.join("weir.toml");
        fs::write(&settings, "[historian]\nseries_tags = 2000000\n")?;
        let mut command = process::command(&program.to_string_lossy());
        command.args(["serve", "--listen", "127.0.0.1:0", "--json", "--config"]).arg(settings);
        command.arg("--data").arg(&data).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(folder.join("log"))?);
        let mut child = command.spawn().context("cannot start weir")?;
        let output = child.stdout.take().context("its output was not piped")?;
        let mut server = Self { child, url: String::new(), data, env: Vec::new() };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let ready: Json =
            serde_json::from_str(&line).context("weir did not say that it is ready")?;
        let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
        server.url = text("url").trim_end_matches('/').to_owned();
        server.env = vec![("WEIR_USER", text("user")), ("WEIR_PASSWORD", text("password"))];
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn until_listening(&mut self, address: &str) -> Result<()> {
        let deadline = Instant::now() + READY_MAX;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended ({status})");
            }
            if Instant::now() > deadline {
                bail!("it does not listen after {} s", READY_MAX.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is asked to end, so that it leaves nothing behind; its folder goes anyway.
        let _ = process::command("kill").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + STOP_MAX;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of loopback that was free a moment ago: these servers do not tell which one they took.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Any number of series; synced before each answer, as is its default; files are settled as soon as
/// nothing comes any more. Its own measurements and its log of requests are off.
fn influx_settings(data: &Path, http: &str, internal: &str) -> String {
    let folder = data.display();
    format!(
        "reporting-disabled = true\nbind-address = \"{internal}\"\n\
         [meta]\ndir = \"{folder}/meta\"\n\
         [data]\ndir = \"{folder}/data\"\nwal-dir = \"{folder}/wal\"\nindex-version = \"tsi1\"\n\
         query-log-enabled = false\nmax-series-per-database = 0\nmax-values-per-tag = 0\n\
         cache-snapshot-write-cold-duration = \"1s\"\ncompact-full-write-cold-duration = \"1s\"\n\
         [monitor]\nstore-enabled = false\n\
         [http]\nbind-address = \"{http}\"\nlog-enabled = false\n"
    )
}
