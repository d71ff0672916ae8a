use weir_model::{Author, Batch, RequestId, Sample, TagId, Value};
use weir_store::{Commit, Expect, Schema, Store};
use weir_twin::{Organisation, Organisations};

use super::*;

const TENANT: TenantId = TenantId(1);

async fn directory(dir: &Path) -> Directory {
    let schema = weir_twin::schema(Schema::new());
    let store = Store::open(dir, schema, Default::default()).unwrap();
    let author = Author {
        tenant: TenantId::NODE,
        principal: "88.100/user.ada".parse().unwrap(),
        cause: "organisation.create".to_owned(),
        request: RequestId(1),
    };
    let mut commit = Commit::new(author, Timestamp::from_nanos(0));
    let record: Organisation = serde_json::from_value(serde_json::json!({
        "id": "88.100/organisation", "tenant": 1, "prefix": "88.100", "name": "Plant",
    }))
    .unwrap();
    commit.put::<Organisations>("88.100/organisation", &record, Expect::Any);
    store.commit(commit).await.unwrap();
    Directory::open(store).unwrap()
}

fn settings(url: &str, organisations: &[&str]) -> config::Lake {
    let lake = config::Config::default().lake;
    let organisations = organisations.iter().map(|name| (*name).to_owned()).collect();
    config::Lake { url: url.to_owned(), organisations, ..lake }
}

async fn written(dir: &Path) -> Historian {
    let historian = Historian::open(dir, Default::default()).unwrap();
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let samples = vec![(TagId(7), Sample::good(now, Value::F64(21.5)))];
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

#[tokio::test]
async fn only_named_organisations_leave() {
    let dir = tempfile::tempdir().unwrap();
    let directory = directory(dir.path()).await;
    let of = |names: &[&str]| leaving(&directory, &settings("file:///x", names));
    assert!(of(&[]).unwrap_err().contains("lake.organisations"));
    assert!(of(&["88.200"]).is_err());
    assert_eq!(of(&["88.100"]).unwrap(), HashSet::from([TENANT]));
    assert_eq!(of(&["*"]).unwrap(), HashSet::from([TENANT]));
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
    let directory = directory(&dir.path().join("store")).await;
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
