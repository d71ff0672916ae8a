use std::io::Cursor;

use crate::fixtures::{
    Meter, Meters, Notes, ONE, Plain, Recent, Secrets, TWO, at, author, commit_at, long, note,
    open, put, schema,
};
use crate::{Expect, ImportReport, Options, Schema, Store};

fn lines(store: &Store, tenant: Option<weir_model::TenantId>) -> Vec<String> {
    let mut text = Vec::new();
    store.export(tenant, &mut text).unwrap();
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

/// A store with something of everything.
async fn filled(dir: &tempfile::TempDir) -> Store {
    let store = open(dir);
    for number in 1..=3 {
        let mut commit = commit_at(number);
        commit.put::<Notes>("a", &note(&format!("A{number}"), &["x"]), Expect::Any);
        commit.put::<Notes>("gone", &note(&format!("G{number}"), &[]), Expect::Any);
        commit.put::<Notes>(long("a", 300), &note(&format!("L{number}"), &[]), Expect::Any);
        commit.put::<Recent>("a", &note(&format!("A{number}"), &[]), Expect::Any);
        commit.put::<Plain>("a", &note(&format!("A{number}"), &[]), Expect::Any);
        commit.put::<Meters>("m", &Meter { reading: u64::MAX }, Expect::Any);
        commit.put::<Secrets>("s", &note(&format!("S{number}"), &[]), Expect::Any);
        commit.put_in::<Notes>(TWO, "b", &note("B", &[]), Expect::Any);
        store.commit(commit).await.unwrap();
    }
    let mut commit = commit_at(9);
    commit.delete::<Notes>("gone", Expect::Version(3));
    store.commit(commit).await.unwrap();
    store
}

#[tokio::test]
async fn an_export_is_lines_a_person_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.commit(put::<Notes>("a", "A", Expect::Any)).await.unwrap();
    store.commit(put::<Secrets>("s", "S", Expect::Any)).await.unwrap();
    let mut commit = commit_at(9);
    commit.delete::<Notes>("a", Expect::Any);
    commit.put::<Meters>("m", &Meter { reading: 5 }, Expect::Any);
    store.commit(commit).await.unwrap();
    let expected = [
        r#"{"weir":"documents","format":1,"position":3}"#,
        r#"{"tenant":1,"collection":"meters","key":"m","version":1,"time":"2023-11-14T22:13:29Z","record":{"reading":5}}"#,
        r#"{"tenant":1,"collection":"notes","key":"a","version":1,"time":"2023-11-14T22:13:20Z","record":{"labels":[],"title":"A"}}"#,
        r#"{"tenant":1,"collection":"notes","key":"a","version":2,"time":"2023-11-14T22:13:29Z","deleted":true}"#,
        r#"{"end":true,"lines":3,"position":3}"#,
    ];
    assert_eq!(lines(&store, None), expected);
    assert_eq!(lines(&store, Some(TWO)).len(), 2);
}

#[tokio::test]
async fn an_import_gives_back_records_and_versions_and_can_be_repeated() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = filled(&from).await;
    let mut text = Vec::new();
    let report = store.export(None, &mut text).unwrap();
    assert!(report.consistent);
    let copy = open(&to);
    let node = author(weir_model::TenantId::NODE);
    let first = copy.import(node.clone(), at(100), &mut Cursor::new(&text)).await.unwrap();
    assert_eq!((first.lines, first.written), (report.lines, report.lines));
    let body = |store: &Store| {
        let mut lines = lines(store, None);
        lines.pop();
        lines.remove(0);
        lines
    };
    assert_eq!(body(&copy), body(&store));
    assert_eq!(copy.at::<Notes>(ONE, "a", at(2)).unwrap().unwrap().version, 2);
    assert_eq!(copy.count::<Secrets>(ONE).unwrap(), 0);
    let again = copy.import(node, at(101), &mut Cursor::new(&text)).await.unwrap();
    assert_eq!((again.written, again.unchanged, again.commits), (0, report.lines, 0));
    assert_eq!(copy.verify().unwrap().damaged, 0);
}

#[tokio::test]
async fn an_import_undoes_later_changes_with_new_versions() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(&dir).await;
    let mut text = Vec::new();
    store.export(Some(ONE), &mut text).unwrap();
    store.commit(put::<Notes>("a", "edited", Expect::Version(3))).await.unwrap();
    store.commit(put::<Notes>("gone", "back", Expect::Absent)).await.unwrap();
    store.commit(put::<Notes>("later", "kept", Expect::Absent)).await.unwrap();
    let report = store.import(author(ONE), at(200), &mut Cursor::new(&text)).await.unwrap();
    assert_eq!(report.written, 2);
    let found = store.get::<Notes>(ONE, "a").unwrap().unwrap();
    assert_eq!((found.version, found.time, found.record.title.as_str()), (5, at(200), "A3"));
    assert_eq!(store.get::<Notes>(ONE, "gone").unwrap(), None);
    assert!(store.get::<Notes>(ONE, "later").unwrap().is_some());
}

#[tokio::test]
async fn lines_may_be_written_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let text = "\n{\"tenant\":1,\"collection\":\"notes\",\"key\":\"a\",\"record\":{\"title\":\"A\"}}\n  \n\
                {\"tenant\":1,\"collection\":\"notes\",\"key\":\"b\",\"record\":{\"title\":\"B\",\"labels\":[\"x\"]}}";
    let import = || store.import(author(ONE), at(5), Box::leak(Box::new(text.as_bytes())));
    let report = import().await.unwrap();
    assert_eq!(report, ImportReport { lines: 2, written: 2, unchanged: 0, commits: 1 });
    assert_eq!(store.get::<Notes>(ONE, "b").unwrap().unwrap().version, 1);
    assert_eq!(import().await.unwrap().unchanged, 2);
}

#[tokio::test]
async fn a_large_export_takes_many_reads() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for round in 0..4 {
        let mut commit = commit_at(round);
        for number in 0..300 {
            let labels = [&*long(&format!("{round}"), 500)];
            let record = note(&format!("{round}/{number}"), &labels);
            commit.put::<Notes>(format!("k{number}"), &record, Expect::Any);
            let much = note(&format!("much {round}/{number}"), &labels);
            commit.put::<Notes>("much", &much, Expect::Any);
        }
        store.commit(commit).await.unwrap();
    }
    let mut commit = commit_at(9);
    commit.delete::<Notes>("much", Expect::Any);
    commit.put::<Notes>("zz", &note("last", &[]), Expect::Any);
    store.commit(commit).await.unwrap();
    let mut text = Vec::new();
    let report = store.export(None, &mut text).unwrap();
    assert_eq!(report.lines, 4 * 300 * 2 + 2);
    let to = tempfile::tempdir().unwrap();
    let copy = open(&to);
    let report = copy.import(author(ONE), at(1), &mut Cursor::new(&text)).await.unwrap();
    assert_eq!(report.written, report.lines);
    assert!(report.commits > 1);
    let mut again = Vec::new();
    copy.export(None, &mut again).unwrap();
    let body = |text: &[u8]| {
        let text = String::from_utf8(text.to_vec()).unwrap();
        text.lines().skip(1).filter(|line| !line.contains("\"end\"")).collect::<String>()
    };
    assert!(body(&again) == body(&text));
}

#[tokio::test]
async fn collections_that_are_not_served_are_told() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(&dir).await);
    let schema_without = Schema::new().with::<Notes>().with::<Secrets>();
    let store = Store::open(dir.path(), schema_without, Options::default()).unwrap();
    let mut text = Vec::new();
    let report = store.export(Some(ONE), &mut text).unwrap();
    assert_eq!((report.unknown_collections.len(), report.lines), (3, 10));
    drop(store);
    let store = Store::open(dir.path(), schema(), Options::default()).unwrap();
    assert_eq!(store.count::<Meters>(ONE).unwrap(), 1);
}
