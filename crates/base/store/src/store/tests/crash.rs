//! Killed at any moment: what was acknowledged is there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fixtures::{Notes, ONE, Plain, commit_at, note, open, schema};
use crate::{Expect, Options, Store};

const FOLDER: &str = "WEIR_STORE_TEST_CRASH_DIR";
const ROUNDS: u64 = 20;
const WRITERS: usize = 8;

/// The child: it commits until it is killed, and prints each position after it is acknowledged.
#[test]
fn child_that_is_killed() {
    let Some(dir) = std::env::var_os(FOLDER) else { return };
    let store = Store::open(dir.as_ref(), schema(), Options::default()).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(commit_for_ever(store, writer));
            });
        }
    });
}

async fn commit_for_ever(store: &Store, writer: usize) {
    let pid = std::process::id();
    for number in 0_u64.. {
        let mut commit = commit_at(0);
        let title = format!("{pid}/{writer}/{number}");
        commit.put::<Notes>(format!("{writer}"), &note(&title, &[]), Expect::Any);
        commit.put::<Plain>(title.clone(), &note(&title, &["all"]), Expect::Absent);
        if number > 20 {
            commit.delete::<Plain>(format!("{pid}/{writer}/{}", number - 20), Expect::Any);
        }
        let receipt = store.commit(commit).await.unwrap();
        let line = format!("{} {writer} {} {title}\n", receipt.position, receipt.versions[0]);
        // One write a line, past what the test harness captures.
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}

/// What the child was told: position, key, version and title.
struct Acknowledged {
    position: u64,
    key: String,
    version: u64,
    title: String,
}

fn parse(line: &str) -> Option<Acknowledged> {
    let mut words = line.split(' ');
    let position = words.next()?.parse().ok()?;
    let key = words.next()?.to_owned();
    let version = words.next()?.parse().ok()?;
    Some(Acknowledged { position, key, version, title: words.next()?.to_owned() })
}

#[test]
fn every_acknowledged_commit_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        // Some different number of acknowledgements every round; the last line may be cut.
        let wanted = (round * 7919 + u64::from(std::process::id())) % 97;
        acknowledged.extend(run_and_kill(dir.path(), wanted as usize));
        check(&open(&dir), &acknowledged);
    }
    assert!(acknowledged.len() > 100);
}

fn run_and_kill(dir: &Path, wanted: usize) -> Vec<Acknowledged> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::crash::child_that_is_killed", "--nocapture"])
        .env(FOLDER, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut read = Vec::new();
    let mut line = String::new();
    while read.len() < wanted {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "the child ended by itself");
        read.extend(parse(line.trim_end()));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it printed before it died was acknowledged as well.
    read.extend(output.lines().map_while(Result::ok).filter_map(|line| parse(&line)));
    read
}

fn check(store: &Store, acknowledged: &[Acknowledged]) {
    let head = *store.head().borrow();
    let mut titles = std::collections::HashMap::new();
    for told in acknowledged {
        assert!(told.position <= head, "position {} of {head} is lost", told.position);
        let found = store.version::<Notes>(ONE, &told.key, told.version).unwrap();
        assert_eq!(found.unwrap().record.title, told.title, "position {}", told.position);
        assert!(titles.insert(told.position, &told.title).is_none(), "a position was given twice");
    }
    let mut after = 0;
    while after < head {
        for entry in store.feed(after, 1000).unwrap() {
            assert_eq!(entry.position, after + 1);
            assert!(entry.changes.len() >= 2, "a commit is whole");
            if let Some(title) = titles.get(&entry.position) {
                assert_eq!(&entry.changes[1].key, *title);
            }
            after = entry.position;
        }
    }
    let report = store.verify().unwrap();
    assert_eq!((report.damaged, report.feed_entries), (0, head), "{report:?}");
}
