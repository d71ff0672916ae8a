use weir_model::{Author, Batch, RequestId, Sample, TagId, Value};
use weir_store::{Commit, Expect, Schema, Store};
use weir_twin::{Organisation, Organisations, Tag, Tags};

use super::*;

const TENANT: TenantId = TenantId(1);

/// A store with one organisation and some tags, each with its grade.
async fn store(dir: &Path, tags: &[(u32, &str)]) -> Store {
    let schema = weir_twin::schema(Schema::new());
    let store = Store::open(dir, schema, Default::default()).unwrap();
    let mut commit = changing(TenantId::NODE);
    let record: Organisation = serde_json::from_value(serde_json::json!({
        "id": "88.100/organisation", "tenant": 1, "prefix": "88.100", "name": "Plant",
    }))
    .unwrap();
    commit.put::<Organisations>("88.100/organisation", &record, Expect::Any);
    store.commit(commit).await.unwrap();
    let mut commit = changing(TENANT);
    for (number, grade) in tags {
        put(&mut commit, *number, grade);
    }
    if !tags.is_empty() {
        store.commit(commit).await.unwrap();
    }
    store
}

fn changing(tenant: TenantId) -> Commit {
    let author = Author {
        tenant,
        principal: "88.100/user.ada".parse().unwrap(),
        cause: "tag.change".to_owned(),
        request: RequestId(1),
    };
    Commit::new(author, Timestamp::from_nanos(0))
}

fn key(number: u32) -> String {
    format!("88.100/t{number}")
}

fn put(commit: &mut Commit, number: u32, grade: &str) {
    let tag: Tag = serde_json::from_value(serde_json::json!({
        "id": key(number), "tag": number, "name": "t", "data_type": "f64", "grade": grade,
    }))
    .unwrap();
    commit.put::<Tags>(&key(number), &tag, Expect::Any);
}

async fn delete(store: &Store, number: u32) {
    let mut commit = changing(TENANT);
    commit.delete::<Tags>(&key(number), Expect::Any);
    store.commit(commit).await.unwrap();
}

async fn regrade(store: &Store, number: u32, grade: &str) {
    let mut commit = changing(TENANT);
    put(&mut commit, number, grade);
    store.commit(commit).await.unwrap();
}

fn settings(url: &str, organisations: &[&str]) -> config::Lake {
    let lake = config::Config::default().lake;
    let organisations = organisations.iter().map(|name| (*name).to_owned()).collect();
    config::Lake { url: url.to_owned(), organisations, ..lake }
}

async fn written(dir: &Path) -> Historian {
    let historian = Historian::open(dir, Default::default()).unwrap();
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let of = |tag, value| (TagId(tag), Sample::good(now, Value::F64(value)));
    let samples = vec![of(7, 21.5), of(9, 0.125)];
    let batch = Batch {
        tenant: TENANT,
        producer: None,
        backfill: false,
        arrival: now,
        samples: samples.into(),
    };
    historian.append(batch).await.unwrap();
    historian.flush().await.unwrap();
    historian
}

fn only(tags: &[u32]) -> Leave {
    Leave::from([(TENANT, WantedTags::Only(tags.into()))])
}

#[tokio::test]
async fn only_named_organisations_leave() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::open(store(dir.path(), &[]).await).unwrap();
    let of = |names: &[&str]| leaving(&directory, &settings("file:///x", names));
    assert!(of(&[]).unwrap_err().contains("lake.organisations"));
    assert!(of(&["88.200"]).is_err());
    assert_eq!(of(&["88.100"]).unwrap(), only(&[]));
    assert_eq!(of(&["*"]).unwrap(), only(&[]));
}

#[tokio::test]
async fn what_may_leave_follows_the_tags() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), &[(9, "public"), (7, "public"), (8, "public")]).await;
    let directory = Directory::open(store.clone()).unwrap();
    let asked: Arc<Leaving> = Arc::new({
        let (lake, known) = (settings("file:///x", &["*"]), Mutex::default());
        move || leaving_of(&directory, &lake, &known)
    });
    let then = asked().unwrap();
    assert_eq!(then, only(&[7, 8, 9]));
    regrade(&store, 10, "public").await;
    assert_eq!(still(&then, &*asked), Ok(()));
    delete(&store, 8).await;
    assert_eq!(asked().unwrap(), only(&[7, 9, 10]));
    assert!(still(&then, &*asked).unwrap_err().contains("deleted"));
    regrade(&store, 7, "core").await;
    assert!(asked().unwrap_err().contains("grade core"));
    assert!(still(&only(&[9]), &*asked).unwrap_err().contains("grade core"));
}

/// How many files of samples there are below a folder, whatever the table says.
fn copied(dir: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let entries = entries.map(|entry| entry.unwrap().path());
    let count = |path: std::path::PathBuf| match path.is_dir() {
        true => copied(&path),
        false => usize::from(path.to_string_lossy().contains("block-")),
    };
    entries.map(count).sum()
}

/// What a round copies: the numbers of tags of each file.
fn round(history: &Exact) -> Vec<(u32, u32, u64)> {
    let state = history.state().unwrap();
    let pieces = state.months.into_iter().flat_map(|month| month.pieces.unwrap());
    let files = pieces.filter_map(|piece| piece.open().unwrap());
    files.map(|file| (file.tags().0, file.tags().1, file.rows())).collect()
}

#[tokio::test]
async fn samples_of_a_deleted_tag_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("store"), &[(7, "public"), (9, "public")]).await;
    let directory = Directory::open(store.clone()).unwrap();
    let historian = written(&crate::historian_dir(dir.path())).await;
    let lake = settings("file:///x", &["*"]);
    let history = Exact {
        blocks: Box::new({
            let historian = historian.clone();
            move || Ok(historian.blocks())
        }),
        overlaps: Mutex::default(),
        scratch: dir.path().join("tmp"),
        leaving: Arc::new(move || leaving_of(&directory, &lake, &Mutex::default())),
    };
    assert_eq!(round(&history), [(7, 9, 2)]);
    // It was core, was deleted, and is only a number in a file now.
    regrade(&store, 9, "core").await;
    assert!(history.state().is_err());
    delete(&store, 9).await;
    assert_eq!(round(&history), [(7, 7, 1)]);
    delete(&store, 7).await;
    assert_eq!(round(&history), []);
    historian.close().await.unwrap();
}

#[tokio::test]
async fn nothing_leaves_where_a_tag_was_graded_higher_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("store"), &[(7, "public"), (9, "public")]).await;
    let directory = Directory::open(store.clone()).unwrap();
    let historian = written(&crate::historian_dir(dir.path())).await;
    let table = dir.path().join("table");
    let mut lake = settings(&format!("file://{}", table.display()), &["*"]);
    lake.every_min = 1;
    let rounds = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let history = Exact {
        blocks: Box::new({
            let historian = historian.clone();
            move || Ok(historian.blocks())
        }),
        overlaps: Mutex::default(),
        scratch: dir.path().join("tmp"),
        leaving: Arc::new({
            let (directory, lake, rounds) = (directory.clone(), lake.clone(), Arc::clone(&rounds));
            let handle = tokio::runtime::Handle::current();
            move || {
                // Between the first look and the second one, somebody grades a tag.
                if rounds.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1 {
                    handle.block_on(regrade(&store, 9, "core"));
                }
                leaving(&directory, &lake)
            }
        }),
    };
    let options = TableOptions::new(weir_lake::identity(dir.path()).unwrap(), retain(&lake));
    let (place, stop) = (place(&lake).unwrap(), CancellationToken::new());
    let history = Arc::new(history);
    let copied_none = weir_lake::export(&place, options, history, &stop, &mut |_| {}).await;
    let refused = copied_none.unwrap_err();
    assert!(matches!(&refused, LakeError::Withheld(why) if why.contains("grade core")));
    assert_eq!(copied(&table), 0);
    historian.close().await.unwrap();
}

#[tokio::test]
async fn a_folder_is_exported_while_a_node_has_it_open() {
    let dir = tempfile::tempdir().unwrap();
    let historian = written(&crate::historian_dir(dir.path())).await;
    let lake = settings(&format!("file://{}/table", dir.path().display()), &[]);
    let stop = CancellationToken::new();
    let (brought, contents) = export(dir.path(), &lake, None, &stop, &mut |_| {}).await.unwrap();
    assert_eq!((brought.added, contents.files, contents.version), (1, 1, Some(0)));
    // Once more, and of a tenant that has nothing: what was there leaves.
    let (again, _) = export(dir.path(), &lake, None, &stop, &mut |_| {}).await.unwrap();
    assert_eq!(again, Brought::default());
    let (other, contents) =
        export(dir.path(), &lake, Some(&[2]), &stop, &mut |_| {}).await.unwrap();
    assert_eq!((other.removed, contents.files), (1, 0));
    historian.close().await.unwrap();
}

#[tokio::test]
async fn a_follower_follows() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("store"), &[(7, "public")]).await;
    let directory = Directory::open(store).unwrap();
    let historian = written(&crate::historian_dir(dir.path())).await;
    let mut config = config::Config::default();
    config.data.dir = dir.path().to_owned();
    config.lake = settings(&format!("file://{}/table", dir.path().display()), &["*"]);
    let stop = CancellationToken::new();
    let lake = start(&config, &historian, &directory, stop.clone()).unwrap().unwrap();
    let now = || Timestamp::from_system(std::time::SystemTime::now());
    while lake.view.status(now()).state != "following" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let status = lake.view.status(now());
    assert_eq!((status.files, status.version, status.error), (1, Some(0), None));
    assert!(status.behind_s.is_some());
    stop.cancel();
    lake.follower.await.unwrap();
    config.lake.url = String::new();
    assert!(start(&config, &historian, &directory, stop).unwrap().is_none());
    historian.close().await.unwrap();
}
