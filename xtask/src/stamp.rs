//! What was done with which inputs: a step whose inputs did not change is not done again.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::target;

/// Deepest folder below an input, so that a loop of links ends.
const DEPTH_MAX: usize = 32;

/// A stamp in the target folder.
pub(crate) struct Stamp {
    file: PathBuf,
    inputs: String,
}

impl Stamp {
    /// The stamp `name` for these inputs: files, folders with all that is in them, and texts.
    /// Folders named in `skip` are left out.
    pub(crate) fn of(name: &str, paths: &[&Path], texts: &[&str], skip: &[&str]) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        texts.hash(&mut hasher);
        for path in paths {
            hash(path, skip, DEPTH_MAX, &mut hasher)
                .with_context(|| format!("cannot read {}", path.display()))?;
        }
        let file = target().join("stamps").join(name);
        Ok(Self { file, inputs: format!("{:016x}", hasher.finish()) })
    }

    /// Whether the step was done with these inputs.
    pub(crate) fn is_fresh(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|inputs| inputs == self.inputs)
    }

    /// Notes that it was.
    pub(crate) fn set(&self) -> Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(&self.file, &self.inputs)?)
    }
}

fn hash(path: &Path, skip: &[&str], depth: usize, hasher: &mut DefaultHasher) -> Result<()> {
    path.file_name().hash(hasher);
    if path.is_dir() {
        let mut entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            if depth > 0 && !skip.iter().any(|skipped| name == *skipped) {
                hash(&entry.path(), skip, depth - 1, hasher)?;
            }
        }
    } else {
        fs::read(path)?.hash(hasher);
    }
    Ok(())
}
