use object_store::memory::InMemory;

use super::*;

fn log() -> (Arc<InMemory>, Log) {
    let store = Arc::new(InMemory::new());
    let log = Log::new(store.clone(), &Path::from("lake"), Duration::ZERO);
    (store, log)
}

fn author(commit: &str) -> Author {
    Author { node: "n".to_owned(), process: "p".to_owned(), commit: commit.to_owned() }
}

fn lines(author: &Author) -> Vec<Line> {
    let info = json!({
        "weirNode": author.node, "weirProcess": author.process, "weirCommit": author.commit,
    });
    vec![Line { commit_info: Some(info), ..Line::default() }]
}

#[tokio::test]
async fn a_version_is_given_once() {
    let (_, log) = log();
    let (a, b) = (author("a"), author("b"));
    assert_eq!(log.commit(0, &lines(&a), &a).await.unwrap(), Committed::Done);
    assert_eq!(log.commit(0, &lines(&b), &b).await.unwrap(), Committed::Taken);
    // The answer was lost: asking again finds it.
    assert_eq!(log.commit(0, &lines(&a), &a).await.unwrap(), Committed::Done);
    let mut snapshot = log.load().await.unwrap();
    assert_eq!((snapshot.version, snapshot.author.clone()), (Some(0), Some(a)));
    log.commit(1, &lines(&b), &b).await.unwrap();
    assert_eq!(log.update(&mut snapshot).await.unwrap(), [b]);
    assert_eq!(log.load().await.unwrap(), snapshot);
}

#[tokio::test]
async fn a_log_with_a_gap_is_refused() {
    let (store, log) = log();
    for version in 0..4 {
        let by = author(&version.to_string());
        log.commit(version, &lines(&by), &by).await.unwrap();
    }
    store.delete(&log.commit_path(2)).await.unwrap();
    assert!(matches!(log.load().await, Err(LakeError::Log { .. })));
    store.put(&log.commit_path(2), PutPayload::from_static(b"{\"add\":")).await.unwrap();
    assert!(matches!(log.load().await, Err(LakeError::Log { .. })));
}

#[tokio::test]
async fn a_newer_table_is_refused() {
    let (_, log) = log();
    let protocol = crate::action::Protocol { min_reader_version: 3, min_writer_version: 7 };
    let by = author("a");
    let mut lines = lines(&by);
    lines.push(Line { protocol: Some(protocol), ..Line::default() });
    log.commit(0, &lines, &by).await.unwrap();
    assert!(matches!(log.load().await, Err(LakeError::Protocol { reader: 3, writer: 7 })));
}

#[tokio::test]
async fn old_entries_go_and_the_log_still_reads() {
    let (_, log) = log();
    let mut snapshot = Snapshot::default();
    for version in 0..30 {
        let by = author(&version.to_string());
        log.commit(version, &lines(&by), &by).await.unwrap();
        log.update(&mut snapshot).await.unwrap();
        if version % 10 == 9 {
            log.checkpoint(&snapshot, 0).await.unwrap();
        }
    }
    assert_eq!(log.clean(0).await.unwrap(), 0);
    // Up to the newest checkpoint but one, which is that of version 19.
    assert_eq!(log.clean(i64::MAX).await.unwrap(), 19 + 1);
    let listed = log.list().await.unwrap();
    assert_eq!((listed.commits.len(), listed.checkpoints.len()), (11, 2));
    assert_eq!(log.load().await.unwrap().version, Some(29));
    let told = log.get(&log.dir.clone().join(LAST_CHECKPOINT)).await.unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&told).unwrap()["version"], 29);
    // An older one does not replace it.
    log.tell_checkpoint(9, 1).await.unwrap();
    assert_eq!(log.get(&log.dir.clone().join(LAST_CHECKPOINT)).await.unwrap().unwrap(), told);
}
