mod crash;
mod damage;
mod full;
mod model;

use std::pin::Pin;

use crate::fixtures::{
    Notes, ONE, Secrets, TWO, author, commit_at, note, open, poll_once, put, schema,
};
use crate::{
    COMMITS_WAITING_MAX, Commit, CommitError, Expect, FeedError, Op, Options, Receipt, Schema,
    Store, StoreError,
};

#[tokio::test]
async fn a_commit_is_read_by_its_author_and_stands_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut head = store.head();
    assert_eq!(*head.borrow(), 0);
    let receipt = store.commit(put::<Notes>("a", "A", Expect::Absent)).await.unwrap();
    assert_eq!((receipt.position, receipt.versions), (1, vec![1]));
    head.changed().await.unwrap();
    assert_eq!(*head.borrow(), 1);
    assert_eq!(store.get::<Notes>(ONE, "a").unwrap().unwrap().record, note("A", &[]));
    assert_eq!(store.get::<Notes>(TWO, "a").unwrap(), None);
    drop(store);
    let store = open(&dir);
    assert_eq!(*store.head().borrow(), 1);
    assert_eq!(store.get::<Notes>(ONE, "a").unwrap().unwrap().version, 1);
    let receipt = store.commit(put::<Notes>("a", "B", Expect::Version(1))).await.unwrap();
    assert_eq!((receipt.position, receipt.versions), (2, vec![2]));
}

#[tokio::test]
async fn refusals_name_what_stands_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.commit(put::<Notes>("a", "A", Expect::Absent)).await.unwrap();
    let stale = store.commit(put::<Notes>("a", "B", Expect::Version(9))).await.unwrap_err();
    assert_eq!(stale.to_string(), "a of notes was changed by someone else and is in version 1");
    let taken = store.commit(put::<Notes>("b", "A", Expect::Any)).await.unwrap_err();
    assert_eq!(taken.to_string(), "the title \"A\" of notes belongs to a");
    assert_eq!(store.stats().refused, 2);
    assert_eq!(*store.head().borrow(), 1, "a refused commit takes no position");
}

#[tokio::test]
async fn every_bound_of_a_commit_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let empty = store.commit(commit_at(0)).await;
    assert!(matches!(empty, Err(CommitError::Empty)));
    let no_key = store.commit(put::<Notes>("", "A", Expect::Any)).await;
    assert!(matches!(no_key, Err(CommitError::Store(StoreError::EmptyKey { .. }))));
    let too_large = [
        put::<Notes>(&"k".repeat(2049), "A", Expect::Any),
        put::<Notes>("k", &"t".repeat(2049), Expect::Any),
        put::<Notes>("k", &"t".repeat((1 << 20) + 1), Expect::Any),
        {
            let labels: Vec<String> = (0..257).map(|n| n.to_string()).collect();
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            let mut commit = commit_at(0);
            commit.put::<Notes>("k", &note("A", &labels), Expect::Any);
            commit
        },
        {
            let mut commit = commit_at(0);
            for number in 0..=crate::COMMIT_OPERATIONS_MAX {
                commit.delete::<Notes>(number.to_string(), Expect::Any);
            }
            commit
        },
        {
            let mut author = author(ONE);
            author.cause = "c".repeat(257);
            let mut commit = Commit::new(author, crate::fixtures::at(0));
            commit.delete::<Notes>("a", Expect::Any);
            commit
        },
    ];
    for commit in too_large {
        let refused = store.commit(commit).await;
        assert!(matches!(refused, Err(CommitError::TooLarge { .. })), "{refused:?}");
    }
    assert_eq!(store.stats().head, 0);
}

#[tokio::test]
async fn a_large_commit_is_written_as_a_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let count = 2 * crate::COMMIT_OPERATIONS_MAX + 1;
    let large = |taken: &str| {
        let mut commit = commit_at(0);
        for number in 1..count {
            let title = number.to_string();
            commit.put::<Notes>(title.as_str(), &note(&title, &[]), Expect::Absent);
        }
        commit.put::<Notes>(taken, &note(taken, &[]), Expect::Absent);
        commit
    };
    store.commit(put::<Notes>("taken", "T", Expect::Any)).await.unwrap();
    let refused = store.commit(large("other")).await;
    assert!(matches!(refused, Err(CommitError::TooLarge { .. })), "{refused:?}");
    // The very last of its operations is refused, in its third part.
    let (refused, beside) = tokio::join!(
        store.commit_in_parts(large("taken")),
        store.commit(put::<Notes>("beside", "B", Expect::Any)),
    );
    assert!(matches!(refused, Err(CommitError::Conflict { .. })), "{refused:?}");
    beside.unwrap();
    assert_eq!(store.get::<Notes>(ONE, "1").unwrap(), None);
    assert_eq!(store.stats().head, 2);

    let receipt = store.commit_in_parts(large("last")).await.unwrap();
    assert_eq!((receipt.position, receipt.versions.len()), (5, count));
    let entries = store.feed(2, 10).unwrap();
    let changes: Vec<_> = entries.iter().map(|entry| entry.changes.len()).collect();
    assert_eq!(changes, [10_000, 10_000, 1]);
    drop(store);
    let store = open(&dir);
    assert!(store.get::<Notes>(ONE, "last").unwrap().is_some());
    assert_eq!(store.stats().head, 5);
}

#[tokio::test]
async fn a_collection_must_be_in_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Schema::new(), Options::default()).unwrap();
    let unknown = store.commit(put::<Notes>("a", "A", Expect::Any)).await;
    assert!(matches!(unknown, Err(CommitError::Store(StoreError::UnknownCollection { .. }))));
    let unknown = store.get::<Notes>(ONE, "a");
    assert!(matches!(unknown, Err(StoreError::UnknownCollection { .. })));
}

#[tokio::test]
async fn the_feed_is_gap_free_resumable_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { feed_entries_max: 5, ..Options::default() };
    let store = Store::open(dir.path(), schema(), options).unwrap();
    assert_eq!(store.feed(0, 10).unwrap(), []);
    let mut commit = commit_at(3);
    commit.put::<Notes>("a", &note("A", &[]), Expect::Any);
    commit.delete::<Notes>("nothing", Expect::Any);
    commit.put_in::<Secrets>(TWO, "s", &note("S", &[]), Expect::Any);
    store.commit(commit).await.unwrap();
    let entries = store.feed(0, 10).unwrap();
    assert_eq!((entries.len(), entries[0].position), (1, 1));
    assert_eq!((&entries[0].author, entries[0].time), (&author(ONE), crate::fixtures::at(3)));
    let changes: Vec<_> = entries[0]
        .changes
        .iter()
        .map(|c| (c.tenant, c.collection.as_str(), c.key.as_str(), c.version, c.op))
        .collect();
    assert_eq!(changes, [(ONE, "notes", "a", 1, Op::Put), (TWO, "secrets", "s", 1, Op::Put)]);
    for number in 0..9 {
        store.commit(put::<Notes>("b", &number.to_string(), Expect::Any)).await.unwrap();
    }
    let positions = |after, limit| -> Vec<u64> {
        store.feed(after, limit).unwrap().iter().map(|entry| entry.position).collect()
    };
    assert_eq!(positions(5, 10), [6, 7, 8, 9, 10]);
    assert_eq!(positions(7, 2), [8, 9]);
    assert!(positions(10, 2).is_empty());
    assert!(matches!(store.feed(4, 10), Err(FeedError::TooOld { oldest: 6 })));
    assert!(matches!(store.feed(11, 10), Err(FeedError::Ahead { head: 10 })));
}

/// Polls a commit once: it then waits in the queue, or has its answer.
fn enqueue<'s>(
    store: &'s Store,
    commit: Commit,
) -> Result<Pin<Box<impl Future<Output = Result<Receipt, CommitError>> + use<'s>>>, CommitError> {
    let mut answer = Box::pin(store.commit(commit));
    match poll_once(answer.as_mut()) {
        None => Ok(answer),
        Some(answer) => Err(answer.unwrap_err()),
    }
}

#[tokio::test]
async fn commits_that_wait_share_a_flush_and_a_conflict_spoils_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    // While the test holds LMDB's write lock, the writer cannot begin.
    let held = store.core().env.write_txn().unwrap();
    let mut futures = Vec::new();
    for number in 0..100 {
        let key = format!("k{}", number % 50);
        futures.push(enqueue(&store, put::<Notes>(&key, &key, Expect::Absent)).unwrap());
    }
    held.abort();
    let mut accepted = Vec::new();
    for (number, future) in futures.into_iter().enumerate() {
        match future.await {
            Ok(receipt) => accepted.push(receipt.position),
            Err(CommitError::Conflict { current: Some(1), .. }) => assert!(number >= 50),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(accepted, (1..=50).collect::<Vec<u64>>());
    let stats = store.stats();
    assert_eq!((stats.commits, stats.refused, stats.waiting), (50, 50, 0));
    assert!(stats.transactions <= 2, "{stats:?}");
    assert!(stats.group_max >= 25, "{stats:?}");
}

#[tokio::test]
async fn a_full_queue_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let held = store.core().env.write_txn().unwrap();
    let mut waiting = Vec::new();
    let mut busy = 0;
    // The writer has taken some from the queue before it found the lock held.
    for number in 0..3 * COMMITS_WAITING_MAX {
        let commit = put::<Notes>("a", &number.to_string(), Expect::Any);
        match enqueue(&store, commit) {
            Ok(future) => waiting.push(future),
            Err(CommitError::Busy) => busy += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(busy >= COMMITS_WAITING_MAX, "{busy}");
    held.abort();
    for future in waiting {
        future.await.unwrap();
    }
    store.commit(put::<Notes>("a", "at last", Expect::Any)).await.unwrap();
    assert_eq!(store.stats().waiting, 0);
}

#[tokio::test]
async fn dropping_the_store_writes_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for number in 0..20 {
        let commit = put::<Notes>(&number.to_string(), &number.to_string(), Expect::Absent);
        drop(enqueue(&store, commit).unwrap());
    }
    drop(store);
    assert_eq!(open(&dir).count::<Notes>(ONE).unwrap(), 20);
}

#[test]
fn a_folder_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let clone = store.clone();
    let again = Store::open(dir.path(), schema(), Options::default()).unwrap_err();
    let pid = std::process::id();
    let text =
        format!("another Weir has this data folder open, pid {pid}: {}", dir.path().display());
    assert_eq!(again.to_string(), text);
    drop(store);
    assert!(Store::open(dir.path(), schema(), Options::default()).is_err());
    drop(clone);
    open(&dir);
}

#[test]
fn a_newer_format_and_a_foreign_file_are_refused_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let core = store.core();
    let mut txn = core.env.write_txn().unwrap();
    let newer = (crate::FORMAT + 1).to_be_bytes();
    crate::meta::put(core.tables.meta, &mut txn, crate::meta::FORMAT, &newer).unwrap();
    txn.commit().unwrap();
    drop(store);
    for _ in 0..2 {
        let newer = Store::open(dir.path(), schema(), Options::default()).unwrap_err();
        assert!(matches!(newer, StoreError::NewerFormat { found: 2, known: 1 }), "{newer:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("data.mdb"), vec![7; 8192]).unwrap();
    let foreign = Store::open(dir.path(), schema(), Options::default()).unwrap_err();
    assert!(matches!(foreign, StoreError::NotAStore { .. }), "{foreign:?}");
}

#[tokio::test]
async fn the_key_of_the_secrets_is_missed_when_the_store_opens() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.commit(put::<Secrets>("s", "S", Expect::Any)).await.unwrap();
    drop(store);
    let key = dir.path().join("secret.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let missing = Store::open(dir.path(), schema(), Options::default()).unwrap_err();
    assert!(matches!(missing, StoreError::SecretKeyMissing { .. }));
    std::fs::write(&key, "00".repeat(32)).unwrap();
    let wrong = Store::open(dir.path(), schema(), Options::default()).unwrap_err();
    assert!(matches!(wrong, StoreError::SecretKeyWrong { .. }));
    std::fs::write(&key, kept).unwrap();
    assert_eq!(open(&dir).get::<Secrets>(ONE, "s").unwrap().unwrap().record.title, "S");
}

#[tokio::test]
async fn reads_nest() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.commit(put::<Notes>("a", "A", Expect::Any)).await.unwrap();
    let both = store.read(|outer| {
        let inner = store.get::<Notes>(ONE, "a")?;
        Ok::<_, StoreError>((outer.get::<Notes>(ONE, "a")?, inner))
    });
    let (outer, inner) = both.unwrap();
    assert_eq!(outer, inner);
}

#[test]
fn commits_and_imports_may_move_between_threads() {
    fn is_send(_: impl Send) {}
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    is_send(store.commit(commit_at(0)));
    is_send(store.import(author(ONE), crate::fixtures::at(0), &mut std::io::empty()));
}
