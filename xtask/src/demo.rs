//! `cargo xtask demo`: the console, the program, the demo plant.

use anyhow::{Result, bail};

use crate::prerequisites::{self, Need};
use crate::{console, process, rust};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to `weir demo`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed_on: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let missing = prerequisites::missing(&[Need::Node, Need::Cc]);
    if !missing.is_empty() {
        bail!("{}", missing.join("\n       "));
    }
    console::build()?;
    rust::build_program()?;
    let mut weir = process::command(&process::built("weir").to_string_lossy());
    weir.arg("demo").args(&args.passed_on);
    become_it(weir)
}

/// The program takes the place of xtask, so that it gets the interrupt and its exit code counts.
#[cfg(unix)]
fn become_it(mut weir: std::process::Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let line = process::shown(&weir);
    Err(anyhow::Error::new(weir.exec()).context(format!("cannot start `{line}`")))
}

#[cfg(not(unix))]
fn become_it(mut weir: std::process::Command) -> Result<()> {
    process::run(&mut weir)
}
