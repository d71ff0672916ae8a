//! The folder for damaged files: `quarantine/`, with the folders that they came from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::HistorianError;
use crate::disk::{self, Disk, LocalDisk};

/// The folder's name.
pub(crate) const NAME: &str = "quarantine";

/// Gives a file a second name in quarantine, durably, beside others of its name that are there.
pub(super) fn copy(dir: &Path, file: &Path) -> Result<PathBuf, HistorianError> {
    let failed = HistorianError::io("move to quarantine", file);
    let relative = file.strip_prefix(dir).unwrap_or(file);
    let first = dir.join(NAME).join(relative);
    let copied = || -> io::Result<PathBuf> {
        let folder = first.parent().unwrap_or(dir);
        disk::create_dir_all(&LocalDisk, folder)?;
        let mut number = 1;
        let place = loop {
            let place = match number {
                1 => first.clone(),
                _ => PathBuf::from(format!("{}.{number}", first.display())),
            };
            match fs::hard_link(file, &place) {
                Ok(()) => break place,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                // A file system without links.
                Err(_) => {
                    fs::copy(file, &place)?;
                    fs::File::open(&place)?.sync_all()?;
                    break place;
                }
            }
        };
        LocalDisk.sync_dir(folder)?;
        Ok(place)
    };
    copied().map_err(failed)
}

/// Takes the file's first name away, once nothing needs it there.
pub(super) fn forget(file: &Path) -> Result<(), HistorianError> {
    let removed = fs::remove_file(file)
        .and_then(|()| file.parent().map_or(Ok(()), |folder| LocalDisk.sync_dir(folder)));
    removed.map_err(HistorianError::io("move to quarantine", file))
}
