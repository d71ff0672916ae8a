//! Other programs: started from the root of the workspace, echoed, and never with the variables
//! that cargo set for xtask itself.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    // xtask is only ever built in its workspace, so its manifest has a parent folder.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// The folder of everything that is built.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// A program of the dev profile.
pub(crate) fn built(name: &str) -> PathBuf {
    target().join("debug").join(name).with_extension(env::consts::EXE_EXTENSION)
}

/// A command in the root of the workspace.
///
/// Cargo tells a program that it runs about its package (`CARGO_PKG_NAME` and so on). Build
/// scripts that watch these variables would run again, and all that depends on them compile
/// again, with every change between `cargo` and `cargo xtask`; so they are taken away.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    let ours = |name: &str| {
        name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_BIN_")
            || name.starts_with("CARGO_MANIFEST_")
            || matches!(name, "CARGO" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR")
            || matches!(name, "LD_LIBRARY_PATH" | "DYLD_FALLBACK_LIBRARY_PATH")
    };
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    command
}

/// A `cargo` command.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut cargo = command("cargo");
    cargo.args(args);
    cargo
}

/// An `npm` command in a folder below the root.
pub(crate) fn npm(folder: &str, args: &[&str]) -> Command {
    let mut npm = command(if cfg!(windows) { "npm.cmd" } else { "npm" });
    // No colours, so that counts can be read; no advertisements.
    npm.current_dir(root().join(folder)).args(args).env("NO_COLOR", "1").env("CI", "1");
    npm.env("npm_config_fund", "false").env("npm_config_audit", "false");
    npm.env("npm_config_update_notifier", "false");
    npm
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs a command with the terminal as its own; an error when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    println!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs a command, shows its standard output line by line and hands each line to `see`. Whether
/// it succeeded is the answer.
pub(crate) fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool> {
    let line = shown(command);
    println!("$ {line}");
    command.stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start `{line}`"))?;
    let output = child.stdout.take().context("the output was not piped")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        see(&line);
    }
    Ok(child.wait()?.success())
}

/// What a command writes to its standard output; an error when it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed ({}): {}", output.status, reason.trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The JSON object that a command writes as its last line; the lines before it are shown as they come. An
/// error when it fails.
pub(crate) fn json(command: &mut Command) -> Result<serde_json::Value> {
    let line = shown(command);
    println!("$ {line}");
    command.stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start `{line}`"))?;
    let output = child.stdout.take().context("the output was not piped")?;
    let mut found = None;
    for text in BufReader::new(output).lines() {
        let text = text?;
        match text.starts_with('{') {
            true => found = Some(text),
            false => println!("{text}"),
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    let found = found.with_context(|| format!("`{line}` wrote no JSON"))?;
    serde_json::from_str(&found).with_context(|| format!("`{line}` wrote {found}"))
}

/// Whether a program can be started from the search path.
pub(crate) fn exists(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| {
        env::split_paths(&path).any(|folder| {
            let file = folder.join(program);
            file.is_file() || file.with_extension(env::consts::EXE_EXTENSION).is_file()
        })
    })
}
