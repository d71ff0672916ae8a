//! What the dependencies are allowed to be: their licences, their versions, their origin.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Project;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// SPDX identifiers, exceptions included (`Apache-2.0 WITH LLVM-exception`).
    allowed: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Duplicates {
    /// Crates that may come in several versions, since others pull them in.
    allowed: Vec<String>,
}

pub(super) fn allowed(project: &Project) -> Vec<String> {
    let list = &project.rules.licences.allowed;
    let mut wrong = Vec::new();
    for package in &project.metadata.packages {
        let fits = package.license.as_deref().is_some_and(|licence| satisfied(licence, list));
        if !fits {
            let licence = package.license.as_deref().unwrap_or("none stated");
            wrong.push(format!("{} {}: {licence}", package.name, package.version));
        }
    }
    wrong
}

pub(super) fn duplicates(project: &Project) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &project.metadata.packages {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    let allowed = &project.rules.duplicates.allowed;
    let twice = |name: &str| versions.get(name).is_some_and(|found| found.len() > 1);
    let mut wrong: Vec<String> = versions
        .iter()
        .filter(|(name, found)| found.len() > 1 && !allowed.iter().any(|a| a == **name))
        .map(|(name, found)| {
            format!("{name}: {}", Vec::from_iter(found.iter().copied()).join(", "))
        })
        .collect();
    let idle = allowed.iter().filter(|name| !twice(name));
    wrong.extend(idle.map(|name| format!("{name} comes once: take it off the list")));
    wrong
}

/// A lock file made behind a mirror would send everyone to that mirror.
pub(super) fn registries(project: &Project) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in &project.metadata.packages {
        let public = "registry+https://github.com/rust-lang/crates.io-index";
        if package.source.as_deref().is_some_and(|source| source != public) {
            wrong.push(format!("{} comes from elsewhere", package.name));
        }
    }
    for file in project.files.iter().filter(|f| f.name() == "package-lock.json") {
        for line in file.text.iter().flat_map(|text| text.lines()) {
            let elsewhere = line
                .trim()
                .strip_prefix("\"resolved\": \"")
                .is_some_and(|url| !url.starts_with("https://registry.npmjs.org/"));
            if elsewhere {
                wrong.push(format!("{}: {}", file.path, line.trim()));
            }
        }
    }
    wrong
}

/// Whether an SPDX expression can be met with the licences of a list. `/` is the old way to
/// write OR. AND binds tighter than OR.
fn satisfied(expression: &str, list: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let met = any(&mut rest, list);
    met && rest.is_empty()
}

fn any(words: &mut &[&str], list: &[String]) -> bool {
    let mut met = every(words, list);
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        met |= every(words, list);
    }
    met
}

fn every(words: &mut &[&str], list: &[String]) -> bool {
    let mut met = one(words, list);
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        met &= one(words, list);
    }
    met
}

fn one(words: &mut &[&str], list: &[String]) -> bool {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let met = any(words, list);
            if let [")", rest @ ..] = *words {
                *words = rest;
            }
            met
        }
        [licence, "WITH", exception, rest @ ..] => {
            *words = rest;
            list.iter().any(|allowed| *allowed == format!("{licence} WITH {exception}"))
        }
        [licence, rest @ ..] => {
            *words = rest;
            list.iter().any(|allowed| allowed == licence)
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    #[test]
    fn expressions_are_met_or_not() {
        let list = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC"];
        let list = list.map(str::to_owned);
        for (expression, expected) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only", false),
            ("GPL-3.0-only OR MIT", true),
            ("GPL-3.0-only AND MIT", false),
            ("MIT AND ISC", true),
            ("(MIT OR GPL-2.0) AND Unicode-3.0", false),
            ("(MIT OR GPL-2.0) AND ISC", true),
            ("GPL-2.0 OR MIT AND ISC", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0 WITH Other-exception", false),
            ("", false),
        ] {
            assert_eq!(satisfied(expression, &list), expected, "{expression}");
        }
    }
}
