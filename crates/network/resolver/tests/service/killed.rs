//! What was registered stays, though the program is killed in the midst of it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use weir_handle::Value;
use weir_model::{Identifier, Prefix, TenantId, Timestamp};
use weir_resolver::{HomedPrefix, Identifiers, Prefixes, Registry, Values};
use weir_store::{Commit, Expect, Options, Schema, Store};

use crate::server::{TENANT, author};

/// Where the process that is killed shall register.
const DIR: &str = "WEIR_TEST_REGISTER_IN";
const BATCH: u64 = 500;
/// Batches that are told of before it is killed.
const TOLD: usize = 12;
const PREFIX: &str = "99.5000";

fn open(dir: &Path) -> Store {
    Store::open(dir, weir_resolver::schema(Schema::new()), Options::default()).unwrap()
}

fn commit() -> Commit {
    Commit::new(author(), Timestamp::parse("2026-11-20T00:00:00Z").unwrap())
}

async fn register(dir: &Path) {
    let store = open(dir);
    let mut homing = commit();
    let homed = HomedPrefix::new(Prefix::parse(PREFIX).unwrap(), TENANT);
    homing.put_in::<Prefixes>(TenantId::NODE, PREFIX, &homed, Expect::Absent);
    store.commit(homing).await.unwrap();
    let registry = Registry::open(store).unwrap();
    let values = Values::of(&[Value::new(1, b"URL", &[b'x'; 270], 0)]);
    for batch in 0.. {
        let mut commit = commit();
        let put = registry.store().read(|snap| {
            (0..BATCH).try_for_each(|number| {
                let id = Identifier::parse(&format!("{PREFIX}/{batch}-{number}")).unwrap();
                registry.put(snap, &mut commit, &id, values.clone())
            })
        });
        put.unwrap();
        registry.store().commit(commit).await.unwrap();
        // The name of the test stands in front of the first line.
        println!("\nregistered {batch}");
    }
}

#[tokio::test]
async fn what_was_told_to_be_registered_is_there_after_a_kill() {
    if let Some(dir) = std::env::var_os(DIR) {
        return register(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::what_was_told_to_be_registered_is_there_after_a_kill"])
        .arg("--nocapture")
        .env(DIR, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.filter_map(|line| line.strip_prefix("registered ")?.parse::<u64>().ok());
    let last = told.take(TOLD).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let store = open(dir.path());
    let count = store.count::<Identifiers>(TENANT).unwrap();
    assert!(count >= (last + 1) * BATCH, "{count} records of {last} batches");
    assert_eq!(count % BATCH, 0, "a part of a batch");
    for batch in 0..=last {
        for number in 0..BATCH {
            let key = format!("{PREFIX}/{batch}-{number}");
            let found = store.get::<Identifiers>(TENANT, &key).unwrap().unwrap();
            assert_eq!(found.record.values.len(), 1);
        }
    }
}
