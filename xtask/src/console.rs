//! The web console: packages, checks, build, compressed copies.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

use crate::counts::Counts;
use crate::process::{self, npm, root};
use crate::stamp::Stamp;

const FOLDER: &str = "console";

/// Folders whose content no build reads.
const SKIPPED: &[&str] = &["node_modules", "dist", "embed"];

/// Whether there is a console to build.
pub(crate) fn is_there() -> bool {
    root().join(FOLDER).join("package.json").is_file()
}

/// Builds `console/dist` with its compressed copies, unless nothing changed since the last build.
pub(crate) fn build() -> Result<()> {
    install(FOLDER)?;
    let stamp = Stamp::of("console-build", &[&folder(), &script()], &[&node()?], SKIPPED)?;
    // Whoever builds by hand leaves no compressed copies.
    if stamp.is_fresh() && folder().join("dist/index.html.br").is_file() {
        println!("console: nothing changed since the last build");
        return Ok(());
    }
    process::run(&mut npm(FOLDER, &["run", "build"]))?;
    let mut compress = process::command("node");
    process::run(compress.arg(script()).arg(folder().join("dist")))?;
    stamp.set()
}

/// Every check of the console, then its build.
pub(crate) fn check() -> Result<Counts> {
    ensure!(is_there(), "there is no {FOLDER}/package.json");
    install(FOLDER)?;
    let package = std::fs::read_to_string(folder().join("package.json"))?;
    let package: Json = serde_json::from_str(&package).context("console/package.json")?;
    let mut counts = Counts::default();
    // `size` builds too, so the build that is embedded comes last.
    for script in ["typecheck", "lint", "test", "size"] {
        if package["scripts"][script].is_string() {
            counts += watched(FOLDER, script)?;
        }
    }
    let built = build();
    if let Err(error) = &built {
        println!("error: {error:#}");
    }
    counts += Counts::one(built.is_ok());
    Ok(counts)
}

/// `npm ci` in a folder, unless its lock file did not change since.
pub(crate) fn install(folder: &str) -> Result<()> {
    let lock = root().join(folder).join("package-lock.json");
    let package = root().join(folder).join("package.json");
    let name = format!("npm-{}", folder.replace('/', "-"));
    let stamp = Stamp::of(&name, &[&lock, &package], &[&node()?], &[])?;
    if stamp.is_fresh() && root().join(folder).join("node_modules").is_dir() {
        return Ok(());
    }
    process::run(&mut npm(folder, &["ci"]))?;
    stamp.set()
}

/// Runs an npm script and counts its tests; a script that states no counts is one check.
pub(crate) fn watched(folder: &str, script: &str) -> Result<Counts> {
    counted(&mut npm(folder, &["run", "--silent", script]))
}

/// Runs a command and counts the tests it states; one that states none is one check.
pub(crate) fn counted(command: &mut std::process::Command) -> Result<Counts> {
    let mut stated = Counts::default();
    let succeeded = process::watch(command, |line| {
        if let Some(counts) = Counts::read(line) {
            stated += counts;
        }
    })?;
    // A runner that fails without a failed test has broken down, which is a failure too.
    if stated == Counts::default() || (!succeeded && stated.failed == 0) {
        stated += Counts::one(succeeded);
    }
    Ok(stated)
}

fn folder() -> PathBuf {
    root().join(FOLDER)
}

fn script() -> PathBuf {
    root().join(Path::new("xtask/scripts/precompress.mjs"))
}

fn node() -> Result<String> {
    process::output(process::command("node").arg("--version"))
}
