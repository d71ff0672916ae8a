//! Logs that any released version wrote are read for ever.

use std::fs;
use std::path::{Path, PathBuf};

use weir_audit::{Audit, Options};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.path().is_dir() {
            copy(&file.path(), &target);
        } else {
            fs::copy(file.path(), target).unwrap();
        }
    }
}

/// Written by 0.1: 45 entries of every kind. Its signing key was thrown away.
#[tokio::test]
async fn format_1() {
    let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
    let report = Audit::verify(&fixture).unwrap();
    assert_eq!((report.entries, report.feed_position, report.checkpoints), (45, 31, 2));
    assert_eq!(report.root.to_string(), "tE1eOGt0gScWwu15EuFUtqVaev3EFnulWFOxGtodzqQ=");
    // Without its key it is not written to, and the key is what the message names.
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture, dir.path());
    let error = Audit::open(dir.path(), Options::default()).unwrap_err().to_string();
    assert!(error.contains("log.key"), "{error}");
    Audit::verify(dir.path()).unwrap();
}
