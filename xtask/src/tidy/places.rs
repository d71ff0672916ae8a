//! Every file has its place: the root is a short list, Rust lives in crates, names say what
//! things are.

use serde::Deserialize;

use super::Project;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// Files and folders of the root.
    root: Vec<String>,
    /// Names that say nothing.
    empty_names: Vec<String>,
    /// Largest file in bytes that is no lock file and no recording.
    bytes_max: usize,
}

pub(super) fn check(project: &Project) -> Vec<String> {
    let rules = &project.rules.places;
    let root = crate::process::root();
    let crates: Vec<String> = project
        .metadata
        .members()
        .filter_map(|package| {
            let folder = std::path::Path::new(&package.manifest_path).parent()?;
            Some(format!("{}/", folder.strip_prefix(&root).ok()?.to_string_lossy()))
        })
        .collect();
    let mut wrong = Vec::new();
    for file in &project.files {
        let path = &file.path;
        let first = path.split('/').next().unwrap_or_default();
        if !rules.root.iter().any(|allowed| allowed == first) {
            wrong.push(format!("{path}: {first} is not in [places] of xtask/edges.toml"));
        }
        if file.is(".rs") && !crates.iter().any(|folder| path.starts_with(folder.as_str())) {
            wrong.push(format!("{path}: in no crate"));
        }
        let stem = |part: &str| part.split('.').next().unwrap_or_default().to_owned();
        for part in path.split('/').map(stem) {
            if rules.empty_names.contains(&part) {
                wrong.push(format!("{path}: {part:?} says nothing about what it holds"));
            }
        }
        let bytes = file.text.as_ref().map_or(0, String::len);
        if bytes > rules.bytes_max && !file.is("lock.json") && !file.is(".lock") {
            wrong.push(format!("{path}: {bytes} bytes"));
        }
    }
    for package in project.metadata.members() {
        let linted = std::fs::read_to_string(&package.manifest_path)
            .is_ok_and(|text| text.contains("[lints]\nworkspace = true"));
        if !linted {
            wrong.push(format!("{}: does not take the workspace's lints", package.name));
        }
    }
    wrong
}
