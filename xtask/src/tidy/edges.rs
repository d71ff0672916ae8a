//! Which crate may use which: arrows of the design, crates without I/O, libraries behind doors.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Project;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// Crate of the workspace to the crates of the workspace that it may be built from.
    may_use: BTreeMap<String, Vec<String>>,
    /// Crates without I/O.
    pure: Vec<String>,
    /// What a crate without I/O is never built from.
    impure: Vec<String>,
    /// Library to the crates that may name it.
    doors: BTreeMap<String, Vec<String>>,
}

pub(super) fn arrows(project: &Project) -> Vec<String> {
    let rules = &project.rules.edges;
    let members: Vec<&str> = project.metadata.members().map(|p| p.name.as_str()).collect();
    let mut wrong = Vec::new();
    for package in project.metadata.members() {
        let Some(allowed) = rules.may_use.get(&package.name) else {
            wrong.push(format!("{} is not in [edges.may_use] of xtask/edges.toml", package.name));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.kind.as_deref() != Some("dev")) {
            let ours = members.contains(&dependency.name.as_str());
            if ours && !allowed.contains(&dependency.name) {
                wrong.push(format!("{} must not use {}", package.name, dependency.name));
            }
        }
    }
    let gone = rules.may_use.keys().filter(|name| !members.contains(&name.as_str()));
    wrong.extend(gone.map(|name| format!("{name} is in xtask/edges.toml, but is no crate")));
    wrong
}

pub(super) fn pure(project: &Project) -> Vec<String> {
    let rules = &project.rules.edges;
    let mut wrong = Vec::new();
    for package in project.metadata.members().filter(|p| rules.pure.contains(&p.name)) {
        for name in project.metadata.built_from(package) {
            if rules.impure.iter().any(|impure| impure == name) {
                wrong.push(format!("{} has no I/O, but is built from {name}", package.name));
            }
        }
    }
    wrong
}

pub(super) fn doors(project: &Project) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in project.metadata.members() {
        for dependency in package.dependencies.iter().filter(|d| d.kind.as_deref() != Some("dev")) {
            let keepers = project.rules.edges.doors.get(&dependency.name);
            if keepers.is_some_and(|keepers| !keepers.contains(&package.name)) {
                wrong.push(format!("{} must not name {}", package.name, dependency.name));
            }
        }
    }
    wrong
}
