//! Every released format opens for ever: `fixtures/format-N` holds a data folder and an export of
//! each.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use super::FORMAT;
use crate::fixtures::{
    Meter, Meters, Notes, ONE, Plain, Recent, Secrets, TWO, at, author, commit_at, long, note,
    open, schema,
};
use crate::{Expect, Options, Store};

fn fixture(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/format-{format}"))
}

#[tokio::test]
#[ignore = "writes the fixture of a format, once, before it is released"]
async fn write_the_fixture() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { feed_entries_max: 2, ..Options::default() };
    let store = Store::open(dir.path(), schema(), options).unwrap();
    for number in 1..=3 {
        let mut commit = commit_at(number);
        let titled = |title: &str| note(&format!("{title}{number}"), &["label"]);
        commit.put::<Notes>("a", &titled("A"), Expect::Any);
        commit.put::<Notes>("gone", &titled("G"), Expect::Any);
        commit.put::<Notes>(long("a", 300), &titled("L"), Expect::Any);
        commit.put::<Recent>("a", &titled("A"), Expect::Any);
        commit.put::<Plain>("ü", &titled("A"), Expect::Any);
        commit.put::<Meters>("m", &Meter { reading: u64::MAX }, Expect::Any);
        commit.put::<Secrets>("s", &titled("S"), Expect::Any);
        commit.put_in::<Notes>(TWO, "b", &titled("A"), Expect::Any);
        store.commit(commit).await.unwrap();
    }
    let mut commit = commit_at(4);
    commit.delete::<Notes>("gone", Expect::Version(3));
    commit.delete::<Plain>("ü", Expect::Version(3));
    store.commit(commit).await.unwrap();
    store.backup(&fixture(FORMAT)).unwrap();
    let mut text = std::fs::File::create(fixture(FORMAT).join("export.jsonl")).unwrap();
    store.export(None, &mut text).unwrap();
}

async fn check(store: &Store) {
    let title = |version| {
        store.version::<Notes>(ONE, "a", version).unwrap().map(|found| found.record.title)
    };
    assert_eq!([title(1), title(3)], [Some("A1".into()), Some("A3".into())]);
    assert_eq!(store.at::<Notes>(ONE, "gone", at(2)).unwrap().unwrap().record.title, "G2");
    assert_eq!(store.get::<Notes>(ONE, "gone").unwrap(), None);
    assert_eq!(store.get::<Notes>(TWO, "b").unwrap().unwrap().version, 3);
    assert_eq!(store.get::<Meters>(ONE, "m").unwrap().unwrap().record.reading, u64::MAX);
    assert_eq!(store.history::<Recent>(ONE, "a", None, 9).unwrap().len(), 3);
    let found = store.by_index::<Notes>(ONE, "label", "label", None, 9).unwrap().items;
    let keys: Vec<&str> = found.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys, ["a", &long("a", 300)]);
    let report = store.verify().unwrap();
    assert_eq!(report.damaged, 0, "{report:?}");
}

#[tokio::test]
async fn data_folders_of_every_released_format_open() {
    for format in 1..=FORMAT {
        let dir = tempfile::tempdir().unwrap();
        for file in ["data.mdb", "secret.key"] {
            std::fs::copy(fixture(format).join(file), dir.path().join(file)).unwrap();
        }
        let store = open(&dir);
        check(&store).await;
        let secret = store.by_index::<Secrets>(ONE, "title", "S3", None, 9).unwrap().items;
        assert_eq!(secret[0].record.title, "S3");
        assert_eq!(store.get::<Plain>(ONE, "ü").unwrap(), None);
        let entries = store.feed(2, 9).unwrap();
        assert_eq!((entries.len(), entries[1].changes.len()), (2, 2));
        assert!(store.feed(1, 9).is_err());
        // Counting goes on where it stood, also for what is deleted and not remembered.
        let mut commit = commit_at(5);
        commit.put::<Plain>("ü", &note("again", &[]), Expect::Absent);
        commit.put::<Notes>("gone", &note("again", &[]), Expect::Absent);
        let receipt = store.commit(commit).await.unwrap();
        assert_eq!((receipt.position, receipt.versions), (5, vec![5, 5]));
    }
}

#[tokio::test]
async fn exports_of_every_released_format_are_imported() {
    for format in 1..=FORMAT {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let text = std::fs::read(fixture(format).join("export.jsonl")).unwrap();
        let node = author(weir_model::TenantId::NODE);
        store.import(node, at(9), &mut Cursor::new(text)).await.unwrap();
        check(&store).await;
    }
}
