use crate::fixtures::{Notes, ONE, Secrets, open, put, schema};
use crate::{Expect, Options, Store, StoreError};

#[tokio::test]
async fn a_backup_is_a_folder_that_opens() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&dir);
    for number in 0..200 {
        let text = number.to_string();
        store.commit(put::<Notes>(&text, &text, Expect::Absent)).await.unwrap();
    }
    store.commit(put::<Secrets>("s", "S", Expect::Absent)).await.unwrap();
    let to = elsewhere.path().join("backups/today");
    let report = store.backup(&to).unwrap();
    assert_eq!(report.position, 201);
    store.commit(put::<Notes>("later", "later", Expect::Absent)).await.unwrap();
    let again = store.backup(&to).unwrap_err();
    assert!(matches!(again, StoreError::BackupExists { .. }));

    let restored = Store::open(&to, schema(), Options::default()).unwrap();
    assert_eq!(restored.count::<Notes>(ONE).unwrap(), 200);
    assert_eq!(restored.get::<Secrets>(ONE, "s").unwrap().unwrap().record.title, "S");
    assert_eq!(restored.feed(200, 10).unwrap().len(), 1);
    assert_eq!(restored.verify().unwrap().damaged, 0);
    let receipt = restored.commit(put::<Notes>("new", "new", Expect::Absent)).await.unwrap();
    assert_eq!(receipt.position, 202);
    #[cfg(unix)]
    for file in ["data.mdb", "secret.key"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(to.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_backup_is_taken_while_commits_go_on() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&dir);
    let to = elsewhere.path().join("copy");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    std::thread::scope(|scope| {
        let (told, begun) = std::sync::mpsc::channel();
        let writer = scope.spawn({
            let (store, runtime) = (&store, &runtime);
            move || {
                for number in 0..300 {
                    let text = number.to_string();
                    runtime
                        .block_on(store.commit(put::<Notes>(&text, &text, Expect::Any)))
                        .unwrap();
                    let _ = told.send(());
                }
            }
        });
        begun.iter().take(20).for_each(drop);
        store.backup(&to).unwrap();
        writer.join().unwrap();
    });
    let restored = Store::open(&to, schema(), Options::default()).unwrap();
    let head = *restored.head().borrow();
    assert!(head >= 20);
    assert_eq!(restored.count::<Notes>(ONE).unwrap(), head);
    assert_eq!(restored.verify().unwrap().damaged, 0);
}
