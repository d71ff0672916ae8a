//! No room: named, reads go on, and so do commits once there is room.

use std::process::Command;

use crate::fixtures::{Notes, ONE, Plain, commit_at, long, note, open, put, schema};
use crate::{CommitError, Expect, Options, Store};

#[tokio::test]
async fn a_full_map_is_named_and_survived() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { map_bytes: 1 << 20, feed_entries_max: 10 };
    let store = Store::open(dir.path(), schema(), options).unwrap();
    let mut written = 0;
    let filler = |number: u32| {
        let mut commit = commit_at(0);
        let labels = [&*long(&number.to_string(), 2000)];
        commit.put::<Plain>(number.to_string(), &note(&number.to_string(), &labels), Expect::Any);
        commit
    };
    let refused = loop {
        match store.commit(filler(written)).await {
            Ok(_) => written += 1,
            Err(refused) => break refused,
        }
        assert!(written < 1000, "the map never fills");
    };
    assert!(matches!(refused, CommitError::DiskFull), "{refused:?}");
    assert!(store.stats().failing);
    assert_eq!(store.count::<Plain>(ONE).unwrap(), u64::from(written));
    assert_eq!(store.verify().unwrap().damaged, 0);
    for number in 0..written / 2 {
        let mut commit = commit_at(1);
        commit.delete::<Plain>(number.to_string(), Expect::Version(1));
        store.commit(commit).await.unwrap();
    }
    store.commit(put::<Notes>("a", "room again", Expect::Absent)).await.unwrap();
    assert!(!store.stats().failing);
    drop(store);
    let store = open(&dir);
    assert_eq!(store.get::<Notes>(ONE, "a").unwrap().unwrap().record.title, "room again");
    assert_eq!(store.verify().unwrap().damaged, 0);
}

const FOLDER: &str = "WEIR_STORE_TEST_FULL_DIR";

/// The child of the test below: it runs where no file may grow beyond a limit, as on a full disk.
#[tokio::test]
async fn child_on_a_full_disk() {
    let Some(dir) = std::env::var_os(FOLDER) else { return };
    let store = Store::open(dir.as_ref(), schema(), Options::default()).unwrap();
    let mut written = 0;
    let refused = loop {
        let title = long(&written.to_string(), 2000);
        match store.commit(put::<Notes>(&written.to_string(), &title, Expect::Absent)).await {
            Ok(_) => written += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, CommitError::DiskFull), "{refused:?}");
    assert!(written > 10);
    assert_eq!(store.count::<Notes>(ONE).unwrap(), written);
    assert_eq!(store.list::<Notes>(ONE, "", None, 1000).unwrap().items.len() as u64, written);
    assert_eq!(store.feed(written - 1, 10).unwrap().len(), 1);
}

#[test]
#[cfg(unix)]
fn a_full_disk_is_named_and_survived() {
    let dir = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    // The limit is 2 MiB in blocks of 512 bytes. Passing it raises a signal that would end the
    // child, unless it is told to ignore it.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$@\"", "sh"])
        .arg(program)
        .args(["--exact", "store::tests::full::child_on_a_full_disk"])
        .env(FOLDER, dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let store = open(&dir);
    let before = store.count::<Notes>(ONE).unwrap();
    assert!(before > 10 && store.verify().unwrap().damaged == 0);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.commit(put::<Notes>("new", "new", Expect::Absent))).unwrap();
    assert_eq!(store.count::<Notes>(ONE).unwrap(), before + 1);
}
