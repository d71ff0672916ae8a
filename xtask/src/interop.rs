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

/// Makes the virtual environment, unless the list of packages did not change since.
pub(crate) fn python_peers() -> Result<PathBuf> {
    let requirements = root().join("tests/interop/requirements.txt");
    ensure!(requirements.is_file(), "there is no tests/interop/requirements.txt");
    let venv = target().join("venv");
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let version = process::output(process::command("python3").arg("--version"))?;
    let path = venv.to_string_lossy().into_owned();
    let stamp = Stamp::of("venv", &[Path::new(&requirements)], &[&version, &path], &[])?;
    if !(stamp.is_fresh() && python.exists()) {
        process::run(process::command("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut pip = process::command(&python.to_string_lossy());
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        process::run(pip.arg("--requirement").arg(&requirements))?;
        stamp.set()?;
    }
    Ok(venv)
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
