//! `docs/openapi.json`: written by the program, committed, compared in every test run.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use crate::process::{self, built, root};
use crate::rust;

const FILE: &str = "docs/openapi.json";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only compare.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    rust::build_program()?;
    if args.check { check() } else { write() }
}

fn write() -> Result<()> {
    fs::write(root().join(FILE), document()?)?;
    println!("wrote {FILE}");
    Ok(())
}

/// Compares with what the built program says.
pub(crate) fn check() -> Result<()> {
    let committed = fs::read_to_string(root().join(FILE))
        .with_context(|| format!("there is no {FILE}: run `cargo xtask openapi`"))?;
    let now = document()?;
    if committed == now {
        println!("{FILE} is up to date");
        return Ok(());
    }
    let line = committed.lines().zip(now.lines()).take_while(|(a, b)| a == b).count() + 1;
    bail!("{FILE} is not what the program says (line {line}): run `cargo xtask openapi`");
}

fn document() -> Result<String> {
    let text = process::output(process::command(&built("weir").to_string_lossy()).arg("openapi"))?;
    let json: Json = serde_json::from_str(&text).context("`weir openapi` printed no JSON")?;
    Ok(format!("{json:#}\n"))
}
