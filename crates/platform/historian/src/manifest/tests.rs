use super::*;
use crate::disk::LocalDisk;

#[test]
fn a_manifest_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Manifest::load(dir.path()).unwrap(), None);
    let mut manifest = Manifest { covered: 7, samples: u64::MAX, ..Manifest::default() };
    manifest.checkpoint = Some(CheckpointEntry { file: "checkpoint-1".into(), crc32c: 5 });
    manifest.save(&LocalDisk, dir.path()).unwrap();
    assert_eq!(Manifest::load(dir.path()).unwrap(), Some(manifest));
    assert!(!dir.path().join("manifest.tmp").exists());
}
