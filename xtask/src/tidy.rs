//! `cargo xtask tidy`: what the compiler does not check. What is allowed stands in `edges.toml`
//! beside this crate; the checks are files of their own.

mod edges;
mod files;
mod ignored;
mod languages;
mod licences;
mod links;
mod places;
mod source;
mod words;

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::counts::Counts;
use crate::metadata::{self, Metadata};
use crate::process::{self, cargo, root};
use files::File;

/// `xtask/edges.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    edges: edges::Rules,
    licences: licences::Rules,
    duplicates: licences::Duplicates,
    places: places::Rules,
    words: words::Rules,
}

/// What a check reads.
struct Project {
    rules: Rules,
    metadata: Metadata,
    files: Vec<File>,
}

/// A check: one line for each thing that is wrong.
type Check = fn(&Project) -> Vec<String>;

const CHECKS: &[(&str, Check)] = &[
    ("crates depend only on what stands below them", edges::arrows),
    ("crates without I/O have none", edges::pure),
    ("a library behind a door is named by its own crate only", edges::doors),
    ("licences are on the list", licences::allowed),
    ("no crate comes in two versions", licences::duplicates),
    ("lock files name the public registries", licences::registries),
    ("every file has its place", places::check),
    ("files are short, without mod.rs and left-overs", source::shape),
    ("`unsafe` stands only in files named for it", source::unsafety),
    ("every ignored test is run by a chore", ignored::check),
    ("links in documents lead somewhere", links::check),
    ("no word that does not belong", words::check),
    ("the console says everything in both languages", languages::check),
];

/// Runs the chore.
pub(crate) fn run() -> Result<()> {
    let counts = check()?;
    ensure!(
        counts.failed == 0,
        "{} of {} checks failed",
        counts.failed,
        counts.passed + counts.failed
    );
    Ok(())
}

/// Runs every check and prints what is wrong.
pub(crate) fn check() -> Result<Counts> {
    let mut counts = Counts::default();
    let mut note = |name: &str, wrong: &[String]| {
        println!("{:<8}{name}", if wrong.is_empty() { "ok" } else { "WRONG" });
        for line in wrong {
            println!("        {line}");
        }
        counts += Counts::one(wrong.is_empty());
    };
    let format = process::run(&mut cargo(&["fmt", "--all", "--check", "--", "-l"]));
    note(
        "the code is formatted",
        &format.err().map(|e| e.to_string()).into_iter().collect::<Vec<_>>(),
    );
    let project = Project {
        rules: toml::from_str(&std::fs::read_to_string(root().join("xtask/edges.toml"))?)?,
        metadata: metadata::load()?,
        files: files::all(&root())?,
    };
    for (name, check) in CHECKS {
        note(name, &check(&project));
    }
    Ok(counts)
}
