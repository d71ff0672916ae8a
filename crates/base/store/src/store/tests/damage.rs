//! Damage on the disk is noticed, named and never served.

use std::path::Path;

use crate::fixtures::{Notes, ONE, open, put};
use crate::{CommitError, Expect, FeedError, StoreError};

/// Flips one bit of the last letter of every place in the data file where a text stands.
fn damage(dir: &Path, text: &str) {
    let path = dir.join("data.mdb");
    let mut bytes = std::fs::read(&path).unwrap();
    let mut found = 0;
    for start in 0..bytes.len() - text.len() {
        if &bytes[start..start + text.len()] == text.as_bytes() {
            bytes[start + text.len() - 1] ^= 1;
            found += 1;
        }
    }
    assert!(found > 0, "{text} is not in the file");
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_flipped_bit_in_a_record_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.commit(put::<Notes>("a", "healthy", Expect::Any)).await.unwrap();
    store.commit(put::<Notes>("b", "wounded", Expect::Any)).await.unwrap();
    drop(store);
    damage(dir.path(), "{\"title\":\"wounded");
    let store = open(&dir);
    assert_eq!(store.get::<Notes>(ONE, "a").unwrap().unwrap().record.title, "healthy");
    let read = store.get::<Notes>(ONE, "b").unwrap_err();
    assert_eq!(read.to_string(), "a stored value is damaged (checksum): b of notes, tenant 1");
    for failed in [
        store.list::<Notes>(ONE, "", None, 10),
        store.by_index::<Notes>(ONE, "title", "wounded", None, 10),
    ] {
        assert!(matches!(failed, Err(StoreError::Corrupt { .. })), "{failed:?}");
    }
    let over = store.commit(put::<Notes>("b", "new", Expect::Any)).await;
    assert!(matches!(over, Err(CommitError::Store(StoreError::Corrupt { .. }))));
    store.commit(put::<Notes>("a", "still", Expect::Version(1))).await.unwrap();
    let report = store.verify().unwrap();
    assert_eq!(report.damaged, 2, "{report:?}");
    assert_eq!(report.names[0], "b of notes, tenant 1");
}

#[tokio::test]
async fn a_flipped_bit_in_the_feed_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.commit(put::<Notes>("first", "A", Expect::Any)).await.unwrap();
    store.commit(put::<Notes>("second", "B", Expect::Any)).await.unwrap();
    drop(store);
    damage(dir.path(), "\"key\":\"second\"");
    let store = open(&dir);
    assert_eq!(store.feed(0, 1).unwrap().len(), 1);
    let read = store.feed(1, 1);
    assert!(
        matches!(&read, Err(FeedError::Store(StoreError::Corrupt { what, .. }))
        if what == "position 2 of the change feed"),
        "{read:?}"
    );
    assert_eq!(store.verify().unwrap().damaged, 1);
}

#[tokio::test]
async fn a_flipped_bit_in_an_old_version_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.commit(put::<Notes>("a", "former", Expect::Any)).await.unwrap();
    store.commit(put::<Notes>("a", "present", Expect::Any)).await.unwrap();
    drop(store);
    damage(dir.path(), "{\"title\":\"former");
    let store = open(&dir);
    assert_eq!(store.get::<Notes>(ONE, "a").unwrap().unwrap().version, 2);
    let read = store.version::<Notes>(ONE, "a", 1);
    assert!(matches!(read, Err(StoreError::Corrupt { .. })));
    let report = store.verify().unwrap();
    assert_eq!((report.damaged, report.versions), (1, 1), "{report:?}");
}
