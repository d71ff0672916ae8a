//! Cargo's part: building the program, running the workspace's tests.
//!
//! Everything is built with `--workspace`, whatever is wanted of it: cargo then gives every
//! dependency one set of features, and no command compiles again what another has compiled.

use std::path::Path;

use anyhow::Result;

use crate::counts::Counts;
use crate::ignored::Binaries;
use crate::process::{self, built, cargo};
use crate::{console, metadata};

/// Builds `target/debug/weir`.
pub(crate) fn build_program() -> Result<()> {
    process::run(&mut cargo(&["build", "--workspace", "--bin", "weir"]))
}

/// Builds the program and all tests.
pub(crate) fn build() -> Result<Counts> {
    build_program()?;
    process::run(&mut cargo(&["test", "--workspace", "--no-run"]))?;
    Ok(Counts::one(true))
}

/// Clippy's findings are errors.
pub(crate) fn clippy() -> Result<Counts> {
    process::run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "--deny",
        "warnings",
    ]))?;
    Ok(Counts::one(true))
}

/// All tests of the workspace, documentation included.
pub(crate) fn test(filter: Option<&str>) -> Result<Counts> {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    // End-to-end tests start the program that was built before.
    command.env("WEIR_BIN", built("weir"));
    if let Some(filter) = filter {
        command.args(["--", filter]);
    }
    console::counted(&mut command)
}

/// One ignored test of a test target.
pub(crate) fn ignored(target: &str, name: &str, env: &[(&str, &str)]) -> Result<Counts> {
    has_tests(&[target])?;
    let mut command = cargo(&["test", "--workspace", "--test", target, "--"]);
    command.args(["--ignored", "--nocapture", "--exact", name]);
    command.env("WEIR_BIN", built("weir")).envs(env.iter().copied());
    console::counted(&mut command)
}

/// One ignored test of whatever library has it.
pub(crate) fn ignored_of_libraries(name: &str, env: &[(&str, String)]) -> Result<Counts> {
    let mut command = cargo(&["test", "--workspace", "--lib", "--"]);
    command.args(["--ignored", "--nocapture", "--exact", name]).envs(env.iter().cloned());
    console::counted(&mut command)
}

/// All ignored tests of some test targets but one, several programs at a time: most of their time
/// is waiting for peers.
pub(crate) fn ignored_of(targets: &[&str], skip: &str, env: &[(&str, &Path)]) -> Result<Counts> {
    has_tests(targets)?;
    Binaries::build(targets)?.run(skip, env)
}

fn has_tests(targets: &[&str]) -> Result<()> {
    let metadata = metadata::load()?;
    for target in targets {
        let there = metadata.has_test(target);
        anyhow::ensure!(there, "no crate of the workspace has a test target {target:?}");
    }
    Ok(())
}
