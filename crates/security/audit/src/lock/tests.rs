use super::FolderLock;
use crate::error::AuditError;

#[test]
fn a_copy_of_the_file_does_not_keep_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let lock = FolderLock::take(dir.path()).unwrap();
    assert!(matches!(FolderLock::take(dir.path()), Err(AuditError::InUse(_))));
    // As a process has it that is started meanwhile.
    let copy = lock.file.try_clone().unwrap();
    drop(lock);
    FolderLock::take(dir.path()).unwrap();
    drop(copy);
}
