//! One writer of a log.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::AuditError;

/// The lock of a log's folder: two writers would spoil it. Held until it is dropped; the system gives
/// it up when the process dies, however it dies.
#[derive(Debug)]
pub(crate) struct FolderLock {
    file: File,
}

impl FolderLock {
    pub(crate) fn take(dir: &Path) -> Result<Self, AuditError> {
        let path = dir.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(AuditError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(AuditError::InUse(dir.to_owned())),
            Err(TryLockError::Error(error)) => Err(AuditError::io("lock", &path)(error)),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that this one is just starting has a copy of it
        // until it runs its own program, and with it the lock.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests;
