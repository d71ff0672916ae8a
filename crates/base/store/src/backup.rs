//! Online backup: the data folder again, somewhere else.

use std::fs::OpenOptions;
use std::path::Path;

use heed::CompactionOption;

use crate::core::Core;
use crate::error::StoreError;
use crate::vault::{self, KEY_FILE};

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupReport {
    /// Every commit up to this position is in it.
    pub position: u64,
    /// Bytes of its data file.
    pub bytes: u64,
}

pub(crate) fn backup(core: &Core, dir: &Path) -> Result<BackupReport, StoreError> {
    let data = dir.join("data.mdb");
    if data.exists() {
        return Err(StoreError::BackupExists { dir: dir.into() });
    }
    crate::core::create_private_dir(dir)?;
    let position = *core.head.borrow();
    let draft = dir.join("data.mdb.new");
    let bytes = copy(core, &draft).inspect_err(|_| {
        // Half a copy is of no use, and may fill the disk that was too small for it.
        let _ = std::fs::remove_file(&draft);
    })?;
    let key = core.dir().join(KEY_FILE);
    let secret = std::fs::read(&key).map_err(StoreError::io("read", key))?;
    vault::write_private(&dir.join(KEY_FILE), &secret)?;
    // The name comes last: a folder with a data file is a whole backup.
    std::fs::rename(&draft, &data).map_err(StoreError::io("name", data))?;
    vault::sync_dir(dir)?;
    Ok(BackupReport { position, bytes })
}

fn copy(core: &Core, path: &Path) -> Result<u64, StoreError> {
    let compact = copy_as(core, path, CompactionOption::Enabled);
    match compact {
        // LMDB does not compact a file that lost track of a free page; it can still be copied.
        Err(StoreError::Storage { .. }) => copy_as(core, path, CompactionOption::Disabled),
        other => other,
    }
}

fn copy_as(core: &Core, path: &Path, option: CompactionOption) -> Result<u64, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(StoreError::io("create", path))?;
    core.env.copy_to_file(&mut file, option).map_err(StoreError::storage("copy"))?;
    file.sync_all().map_err(StoreError::io("flush", path))?;
    Ok(file.metadata().map_err(StoreError::io("measure", path))?.len())
}

#[cfg(test)]
mod tests;
