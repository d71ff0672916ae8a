//! The files of the project: what git knows, and what it would take in.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::process;

/// One file.
pub(super) struct File {
    /// Relative to the root, with slashes.
    pub(super) path: String,
    /// Its content; none where it is not text.
    pub(super) text: Option<String>,
}

impl File {
    /// Whether its name ends so.
    pub(super) fn is(&self, ending: &str) -> bool {
        self.path.ends_with(ending)
    }

    /// Its name without folders.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Every file that is not ignored. Where there is no git (an unpacked archive), every file that
/// lies outside of what is built and installed.
pub(super) fn all(root: &Path) -> Result<Vec<File>> {
    let mut git = process::command("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let paths = match process::output(&mut git) {
        Ok(listed) => listed.split_terminator('\0').map(str::to_owned).collect(),
        Err(_) => walked(root)?,
    };
    let mut files = Vec::new();
    for path in paths {
        // A file that was deleted is still listed until the next commit.
        if let Ok(bytes) = std::fs::read(root.join(&path)) {
            files.push(File { path, text: String::from_utf8(bytes).ok() });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walked(root: &Path) -> Result<Vec<String>> {
    let built = ["target", "node_modules", "dist", ".git"];
    let mut paths = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name();
            let path = folder.join(&name);
            if entry.file_type()?.is_dir() {
                if !built.iter().any(|skipped| name == *skipped) {
                    open.push(path);
                }
            } else {
                paths.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(paths)
}
