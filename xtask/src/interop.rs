//! Interoperability with programs that others wrote: their Python packages go into a virtual
//! environment, their npm packages into a folder, both below the target folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::counts::Counts;
use crate::debian;
use crate::process::{self, root, target};
use crate::rust;
use crate::stamp::Stamp;

/// Test targets whose ignored tests need these peers, those that take longest first. Several crates
/// have one named `conformance`.
pub(crate) const TARGETS: &[&str] = &[
    "conformance",
    "mosquitto",
    "snap7",
    "asyncua",
    "node_opcua",
    "python",
    "postgres",
    "edge_node",
    "pymodbus",
    "agent",
    "paho",
    "scanner",
    "adbc",
    "lake",
    "senders",
    "opcua",
];

/// A test among them that measures memory and must run alone: `cargo xtask bench opcua-server`.
pub(crate) const MEASUREMENT: &str = "what_sessions_and_items_take";

/// Programs of Debian's that are peers, each with its package.
const PROGRAMS: &[(&str, &str)] =
    &[("mosquitto", "mosquitto"), ("pg_ctlcluster", "postgresql"), ("prometheus", "prometheus")];

pub(crate) fn run() -> Result<Counts> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| debian::program(&[program]).is_none())
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        debian::install("independent peers of the drivers", &missing)?;
    }
    let (python, npm) = (python_peers()?, npm_peers()?);
    let env = [("WEIR_VENV", python.as_path()), ("WEIR_NPM_PEERS", npm.as_path())];
    rust::ignored_of(TARGETS, MEASUREMENT, &env)
}

/// Makes the virtual environment of the peers of drivers, broker and servers.
pub(crate) fn python_peers() -> Result<PathBuf> {
    Venv::of("venv", "tests/interop/requirements.txt")?.make()
}

/// A virtual environment below the target folder that has the packages of a list.
pub(crate) struct Venv {
    folder: PathBuf,
    requirements: PathBuf,
    stamp: Stamp,
}

impl Venv {
    /// The environment of this name for a list of packages.
    pub(crate) fn of(name: &str, requirements: &str) -> Result<Self> {
        let (folder, list) = (target().join(name), root().join(requirements));
        ensure!(list.is_file(), "there is no {requirements}");
        let version = process::output(process::command("python3").arg("--version"))?;
        let path = folder.to_string_lossy().into_owned();
        let stamp = Stamp::of(name, &[Path::new(&list)], &[&version, &path], &[])?;
        Ok(Self { folder, requirements: list, stamp })
    }

    /// Whether it was made, and the list did not change since.
    pub(crate) fn is_there(&self) -> bool {
        self.stamp.is_fresh() && Self::python(&self.folder).exists()
    }

    /// Its folder; it is made unless it is there.
    pub(crate) fn make(self) -> Result<PathBuf> {
        if !self.is_there() {
            let venv = ["-m", "venv", "--clear"];
            process::run(process::command("python3").args(venv).arg(&self.folder))?;
            let mut pip = process::command(&Self::python(&self.folder).to_string_lossy());
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            process::run(pip.arg("--requirement").arg(&self.requirements))?;
            self.stamp.set()?;
        }
        Ok(self.folder)
    }

    /// The interpreter of an environment.
    pub(crate) fn python(folder: &Path) -> PathBuf {
        folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
    }
}

/// Installs the npm packages, unless their lock file did not change since.
fn npm_peers() -> Result<PathBuf> {
    let from = root().join("tests/interop");
    let files = ["package.json", "package-lock.json", ".npmrc"];
    let folder = target().join("npm-peers");
    let path = folder.to_string_lossy().into_owned();
    let version = process::output(process::command("node").arg("--version"))?;
    let inputs = files.map(|file| from.join(file));
    let inputs = inputs.each_ref().map(PathBuf::as_path);
    let stamp = Stamp::of("npm-peers", &inputs, &[&version, &path], &[])?;
    if !(stamp.is_fresh() && folder.join("node_modules").is_dir()) {
        fs::create_dir_all(&folder)?;
        for file in files {
            fs::copy(from.join(file), folder.join(file)).context(file)?;
        }
        process::run(&mut process::npm(&path, &["ci"]))?;
        stamp.set()?;
    }
    Ok(folder)
}
