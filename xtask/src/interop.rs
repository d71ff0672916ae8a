//! Interoperability with programs that others wrote: their Python packages go into a virtual
//! environment below the target folder.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::counts::Counts;
use crate::debian;
use crate::process::{self, root, target};
use crate::rust;
use crate::stamp::Stamp;

/// Test targets whose ignored tests need the environment. Several crates have one named `conformance`.
const TARGETS: &[&str] = &[
    "conformance",
    "pymodbus",
    "asyncua",
    "mosquitto",
    "edge_node",
    "paho",
    "snap7",
    "scanner",
    "agent",
    "postgres",
    "python",
];

/// Programs of Debian's that are peers, each with its package.
const PROGRAMS: &[(&str, &str)] = &[("mosquitto", "mosquitto"), ("pg_ctlcluster", "postgresql")];

pub(crate) fn run() -> Result<Counts> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| debian::program(&[program]).is_none())
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        debian::install("independent peers of the drivers", &missing)?;
    }
    let venv = environment()?;
    let mut counts = Counts::default();
    for target in TARGETS {
        counts += rust::ignored(target, "", &[("WEIR_VENV", &venv.to_string_lossy())])?;
    }
    Ok(counts)
}

/// Makes the environment, unless the list of packages did not change since.
fn environment() -> Result<PathBuf> {
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
