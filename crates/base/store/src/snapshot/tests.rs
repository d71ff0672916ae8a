use proptest::prelude::*;

use crate::fixtures::{
    Meter, Meters, Notes, ONE, Plain, Recent, Secrets, TWO, at, commit_at, long, note, open, put,
};
use crate::{Expect, Revision, StoreError};

#[tokio::test]
async fn lists_are_paged_in_the_order_of_keys_and_by_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut commit = commit_at(0);
    for key in ["tag/3", "tag/1", "asset/1", "tag/2", "tagged", "ü", "zebra"] {
        commit.put::<Notes>(key, &note(key, &["all"]), Expect::Absent);
    }
    commit.put_in::<Notes>(TWO, "tag/other", &note("other", &["all"]), Expect::Absent);
    store.commit(commit).await.unwrap();

    let keys = |prefix: &str, after: Option<&str>, limit| {
        let page = store.list::<Notes>(ONE, prefix, after, limit).unwrap();
        let keys: Vec<String> = page.items.into_iter().map(|item| item.key).collect();
        (keys.join(" "), page.next)
    };
    assert_eq!(keys("", None, 100), ("asset/1 tag/1 tag/2 tag/3 tagged zebra ü".into(), None));
    assert_eq!(keys("tag/", None, 2), ("tag/1 tag/2".into(), Some("tag/2".into())));
    assert_eq!(keys("tag/", Some("tag/2"), 2), ("tag/3".into(), None));
    assert_eq!(keys("tag/", Some("tag/3"), 2), (String::new(), None));
    assert_eq!(keys("tag/", Some("a"), 1), ("tag/1".into(), Some("tag/1".into())));
    assert_eq!(keys("nothing", None, 2), (String::new(), None));
    assert_eq!(store.count::<Notes>(ONE).unwrap(), 7);
    assert_eq!(store.count::<Notes>(TWO).unwrap(), 1);

    let page = store.by_index::<Notes>(ONE, "label", "all", Some("tag/3"), 2).unwrap();
    let found: Vec<String> = page.items.into_iter().map(|item| item.key).collect();
    assert_eq!((found.join(" "), page.next), ("tagged zebra".into(), Some("zebra".into())));
    let mut seen = 0;
    let each = |_| {
        seen += 1;
        Ok(())
    };
    store.read(|snapshot| snapshot.each::<Notes>(ONE, "tag", each)).unwrap();
    assert_eq!(seen, 4);
    let unknown = store.by_index::<Notes>(ONE, "colour", "red", None, 1);
    assert!(matches!(unknown, Err(StoreError::UnknownIndex { .. })));
}

#[tokio::test]
async fn indexes_follow_their_records() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut commit = commit_at(0);
    commit.put::<Notes>("a", &note("A", &["x", "y", "x"]), Expect::Any);
    commit.put::<Notes>("b", &note("B", &["y"]), Expect::Any);
    store.commit(commit).await.unwrap();
    let found = |index: &str, value: &str| {
        let page = store.by_index::<Notes>(ONE, index, value, None, 10).unwrap();
        page.items.into_iter().map(|item| item.key).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((found("label", "x"), found("label", "y")), ("a".into(), "a b".into()));
    let mut commit = commit_at(1);
    commit.put::<Notes>("a", &note("A", &["z"]), Expect::Any);
    commit.delete::<Notes>("b", Expect::Any);
    store.commit(commit).await.unwrap();
    assert_eq!((found("label", "x"), found("label", "y")), (String::new(), String::new()));
    assert_eq!((found("label", "z"), found("title", "B")), ("a".into(), String::new()));
    let report = store.verify().unwrap();
    assert_eq!((report.records, report.index_entries, report.damaged), (1, 2, 0));
}

#[tokio::test]
async fn versions_are_found_by_number_and_by_date() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for seconds in [10, 20, 30] {
        let mut commit = commit_at(seconds);
        commit.put::<Notes>("a", &note(&format!("at {seconds}"), &[]), Expect::Any);
        store.commit(commit).await.unwrap();
    }
    let mut commit = commit_at(40);
    commit.delete::<Notes>("a", Expect::Version(3));
    store.commit(commit).await.unwrap();
    let mut commit = commit_at(50);
    commit.put::<Notes>("a", &note("again", &[]), Expect::Absent);
    assert_eq!(store.commit(commit).await.unwrap().versions, [5]);

    let title = |version| {
        let found = store.version::<Notes>(ONE, "a", version).unwrap();
        found.map(|found| found.record.title)
    };
    let titles: Vec<_> = (0..7).map(title).collect();
    let told = |text: &str| Some(text.to_owned());
    assert_eq!(
        titles,
        [None, told("at 10"), told("at 20"), told("at 30"), None, told("again"), None]
    );
    let then = |seconds| {
        let found = store.at::<Notes>(ONE, "a", at(seconds)).unwrap();
        found.map(|found| (found.version, found.time))
    };
    assert_eq!(then(9), None);
    assert_eq!(then(10), Some((1, at(10))));
    assert_eq!(then(29), Some((2, at(20))));
    assert_eq!(then(45), None);
    assert_eq!(then(50), Some((5, at(50))));

    let all = store.history::<Notes>(ONE, "a", None, 10).unwrap();
    let versions: Vec<u64> = all.iter().map(|revision| revision.version).collect();
    assert_eq!(versions, [5, 4, 3, 2, 1]);
    assert_eq!(all[1], Revision { version: 4, time: at(40), record: None });
    let page = store.history::<Notes>(ONE, "a", Some(4), 2).unwrap();
    let versions: Vec<u64> = page.iter().map(|revision| revision.version).collect();
    assert_eq!(versions, [3, 2]);
}

#[tokio::test]
async fn history_is_kept_as_far_as_its_collection_says() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for number in 0..6 {
        let mut commit = commit_at(number);
        commit.put::<Recent>("a", &note(&number.to_string(), &[]), Expect::Any);
        commit.put::<Plain>("a", &note(&number.to_string(), &[]), Expect::Any);
        store.commit(commit).await.unwrap();
    }
    let kept = |revisions: Vec<Revision<_>>| -> Vec<u64> {
        revisions.into_iter().map(|revision| revision.version).collect()
    };
    assert_eq!(kept(store.history::<Recent>(ONE, "a", None, 10).unwrap()), [6, 5, 4]);
    assert_eq!(kept(store.history::<Plain>(ONE, "a", None, 10).unwrap()), [6]);
    // A key that is made again goes on counting, also where nothing of it was kept.
    let mut commit = commit_at(10);
    commit.delete::<Recent>("a", Expect::Version(6));
    commit.delete::<Plain>("a", Expect::Version(6));
    store.commit(commit).await.unwrap();
    let mut commit = commit_at(11);
    commit.put::<Recent>("a", &note("new", &[]), Expect::Absent);
    commit.put::<Plain>("a", &note("new", &[]), Expect::Absent);
    assert_eq!(store.commit(commit).await.unwrap().versions, [8, 8]);
    assert_eq!(kept(store.history::<Recent>(ONE, "a", None, 10).unwrap()), [8, 7, 6]);
}

#[tokio::test]
async fn a_compact_codec_stores_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut commit = commit_at(0);
    commit.put::<Meters>("m", &Meter { reading: u64::MAX }, Expect::Absent);
    store.commit(commit).await.unwrap();
    assert_eq!(store.get::<Meters>(ONE, "m").unwrap().unwrap().record.reading, u64::MAX);
}

#[tokio::test]
async fn long_keys_and_values_are_found_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let keys = [long("tag/a", 300), long("tag/a", 240), long("tag/a", 2048), "tag/b".to_owned()];
    for key in &keys {
        store.commit(put::<Notes>(key, key, Expect::Absent)).await.unwrap();
        let found = store.by_index::<Notes>(ONE, "title", key, None, 2).unwrap();
        assert_eq!((found.items.len(), &found.items[0].key), (1, key));
        assert_eq!(store.get::<Notes>(ONE, key).unwrap().unwrap().key, *key);
        assert_eq!(store.history::<Notes>(ONE, key, None, 9).unwrap().len(), 1);
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = store.list::<Notes>(ONE, "tag/", after.as_deref(), 1).unwrap();
        listed.extend(page.items.into_iter().map(|item| item.key));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed.len(), 4);
    assert_eq!((&listed[0], &listed[3]), (&keys[1], &keys[3]));
    let deep = store.list::<Notes>(ONE, &keys[0], None, 10).unwrap();
    assert_eq!(deep.items.len(), 2, "the key of 300 bytes and the longer one that begins with it");
    let taken = store.commit(put::<Notes>("tag/c", &keys[2], Expect::Absent)).await;
    assert!(
        matches!(taken, Err(crate::CommitError::Duplicate { holder, .. }) if holder == keys[2])
    );
}

#[tokio::test]
async fn two_keys_with_one_hash_are_told_and_not_mixed_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let (key, other) = (long("a", 300), long("a", 301));
    store.commit(put::<Notes>(&key, "A", Expect::Absent)).await.unwrap();
    // What a collision would look like: the other key's part holds the frame of this one.
    let core = store.core();
    let entry = core.named("notes").unwrap();
    let place = crate::keys::Place { tenant: ONE, collection: entry.id };
    let mut txn = core.env.write_txn().unwrap();
    let records = core.tables.records;
    let (part, other_part) = (crate::keys::part(&key), crate::keys::part(&other));
    let bytes = records.get(&txn, &place.record(&part)).unwrap().unwrap().to_vec();
    let frame = crate::frame::Frame::read(place, &part, &bytes).unwrap();
    let bytes = frame.write(place, &other_part);
    records.put(&mut txn, &place.record(&other_part), &bytes).unwrap();
    txn.commit().unwrap();

    let read = store.get::<Notes>(ONE, &other);
    assert!(matches!(read, Err(StoreError::HashCollision { .. })), "{read:?}");
    let written = store.commit(put::<Notes>(&other, "B", Expect::Any)).await;
    assert!(matches!(written, Err(crate::CommitError::Store(StoreError::HashCollision { .. }))));
}

#[tokio::test]
async fn secrets_lie_sealed_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut commit = commit_at(0);
    commit.put::<Secrets>("s", &note("open sesame", &["cave of wonders"]), Expect::Any);
    commit.put::<Notes>("n", &note("plain to see", &[]), Expect::Any);
    store.commit(commit).await.unwrap();
    store.commit(put::<Secrets>("s", "another word", Expect::Version(1))).await.unwrap();
    let found = store.by_index::<Secrets>(ONE, "title", "another word", None, 9).unwrap();
    assert_eq!(found.items[0].key, "s");
    let before = store.version::<Secrets>(ONE, "s", 1).unwrap().unwrap();
    assert_eq!(before.record.title, "open sesame");
    drop(store);
    let bytes = std::fs::read(dir.path().join("data.mdb")).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("plain to see"));
    assert!(!holds("open sesame") && !holds("another word") && !holds("cave of wonders"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn pages_join_to_the_whole(
        mut keys in prop::collection::btree_set("[abü]{1,3}|[ab]{205,210}|[ab]{239,250}", 1..40),
        limit in 1..5_usize,
        prefix in "[abü]{0,2}|[ab]{206,209}",
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut commit = commit_at(0);
        for key in &keys {
            commit.put::<Plain>(key, &note(key, &["l"]), Expect::Absent);
        }
        runtime.block_on(store.commit(commit)).unwrap();
        let walk = |by_index: bool| {
            let (mut all, mut after) = (std::collections::BTreeSet::new(), None::<String>);
            loop {
                let page = match by_index {
                    true => store.by_index::<Plain>(ONE, "label", "l", after.as_deref(), limit),
                    false => store.list::<Plain>(ONE, &prefix, after.as_deref(), limit),
                }.unwrap();
                for item in page.items {
                    assert!(all.insert(item.key), "a key is listed twice");
                }
                after = page.next;
                if after.is_none() {
                    return all;
                }
            }
        };
        prop_assert_eq!(&walk(true), &keys);
        keys.retain(|key| key.starts_with(&prefix));
        prop_assert_eq!(walk(false), keys);
    }
}
