use super::FolderLock;
use crate::StoreError;

#[test]
fn a_lock_that_is_given_up_is_free_though_a_copy_of_its_file_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let lock = FolderLock::take(dir.path()).unwrap();
    // What a process has that is being started at this moment.
    let copy = lock.file.try_clone().unwrap();
    let taken = FolderLock::take(dir.path()).unwrap_err();
    let own = std::process::id();
    assert!(matches!(taken, StoreError::AlreadyOpen { pid: Some(pid), .. } if pid == own));
    drop(lock);
    FolderLock::take(dir.path()).unwrap();
    drop(copy);
}
