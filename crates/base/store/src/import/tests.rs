use std::io::Cursor;

use crate::fixtures::{Notes, ONE, TWO, at, author, open};
use crate::{StoreError, import::IMPORT_LINE_BYTES_MAX};

async fn refusal(text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    match store.import(author(ONE), at(0), &mut Cursor::new(text)).await {
        Err(StoreError::Import { line, reason }) => format!("{line}: {reason}"),
        other => format!("{other:?}"),
    }
}

const GOOD: &str = r#"{"tenant":1,"collection":"notes","key":"a","record":{"title":"A"}}"#;
const HEAD: &str = r#"{"weir":"documents","format":1,"position":1}"#;

#[tokio::test]
async fn a_line_that_cannot_be_taken_is_named() {
    for (text, expected) in [
        ("no json".to_owned(), "1: expected ident"),
        (format!("{GOOD}\n{{\"tenant\":1}}"), "2: missing field `collection`"),
        (GOOD.replace("key", "kee"), "1: unknown field `kee`"),
        (GOOD.replace("notes", "nodes"), "1: the store was opened without a collection nodes"),
        (GOOD.replace("notes", "secrets"), "1: secrets is secret and is not imported"),
        (GOOD.replace("title", "name"), "1: missing field `title`"),
        (GOOD.replace("\"record\":{\"title\":\"A\"}", "\"deleted\":false"), "1: a line has either"),
        (
            GOOD.replace("\"key\"", "\"version\":18446744073709551615,\"key\""),
            "1: a version is at most 9007199254740992",
        ),
        (GOOD.replace(":1", ":2"), "1: tenant 1 may not import for tenant 2"),
        (
            format!("{GOOD}\n{}", GOOD.replace("\"a\"", "\"b\"")),
            "2: what stands up to here was refused: the title \"A\"",
        ),
        (format!("{HEAD}\n{GOOD}\n"), "3: the text is cut short"),
        (format!("{HEAD}\n{GOOD}\n{{\"end\":true,\"lines\":2}}"), "3: 1 lines stand before"),
        (format!("{HEAD}\n{{\"end\":true,\"lines\":0}}\n{GOOD}"), "3: something follows"),
        (" ".repeat(IMPORT_LINE_BYTES_MAX + 2), "1: longer than"),
    ] {
        let told = refusal(&text).await;
        assert!(told.starts_with(expected), "{told}");
    }
    let newer = refusal(&HEAD.replace("\"format\":1", "\"format\":2")).await;
    assert!(newer.contains("NewerFormat { found: 2, known: 1 }"), "{newer}");
}

#[tokio::test]
async fn only_the_node_imports_for_every_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let text = format!("{GOOD}\n{}", GOOD.replace(":1", ":2"));
    let node = author(weir_model::TenantId::NODE);
    store.import(node, at(0), &mut Cursor::new(&text)).await.unwrap();
    assert_eq!(store.count::<Notes>(ONE).unwrap(), 1);
    assert_eq!(store.count::<Notes>(TWO).unwrap(), 1);
}

#[tokio::test]
async fn a_record_of_the_highest_version_can_be_changed_and_made_again() {
    use crate::fixtures::{Plain, put};
    use crate::{Commit, Expect};

    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for collection in ["notes", "plain"] {
        let text = GOOD.replace("notes", collection);
        let text = text.replace("\"key\"", "\"version\":9007199254740992,\"key\"");
        store.import(author(ONE), at(0), &mut Cursor::new(text)).await.unwrap();
    }
    store.commit(put::<Notes>("a", "B", Expect::Version(1 << 53))).await.unwrap();
    let mut delete = Commit::new(author(ONE), at(0));
    delete.delete::<Plain>("a", Expect::Any);
    store.commit(delete).await.unwrap();
    let again = store.commit(put::<Plain>("b", "B", Expect::Absent)).await.unwrap();
    assert_eq!(again.versions, [(1 << 53) + 2]);
}

#[tokio::test]
async fn an_import_waits_while_the_queue_is_full() {
    use crate::fixtures::{long, poll_once, put};
    use crate::{COMMITS_WAITING_MAX, Expect};

    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let held = store.core().env.write_txn().unwrap();
    let mut waiting = Vec::new();
    for number in 0..2 * COMMITS_WAITING_MAX + 1 {
        let commit = put::<Notes>("busy", &long(&number.to_string(), 10), Expect::Any);
        let mut future = Box::pin(store.commit(commit));
        if poll_once(future.as_mut()).is_none() {
            waiting.push(future);
        }
    }
    let mut text = Cursor::new(GOOD);
    let mut import = Box::pin(store.import(author(ONE), at(0), &mut text));
    assert!(poll_once(import.as_mut()).is_none());
    held.abort();
    assert_eq!(import.await.unwrap().written, 1);
}
