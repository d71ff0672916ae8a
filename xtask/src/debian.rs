//! Debian's packages, for the tests that need a program which neither cargo, npm nor pip brings.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::process;

/// Folders of programs that are in nobody's search path but root's.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Installs packages where this is root on Debian; else says in one line what is missing.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    ensure!(is_root() && is_debian(), "missing: {what} (Debian: apt-get install {names})");
    let apt = |args: &[&str]| {
        process::run(
            process::command("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive"),
        )
    };
    apt(&["update", "--quiet"])?;
    let mut install = vec!["install", "--quiet", "--yes", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)
}

/// Where one of some programs is.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from)).collect();
    names
        .iter()
        .find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

fn is_root() -> bool {
    process::output(process::command("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn is_debian() -> bool {
    Path::new("/etc/debian_version").is_file() && process::exists("apt-get")
}
