//! A log whose process is killed at any moment holds every entry that was acknowledged.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::change;
use weir_audit::{Audit, Filter, Options};
use weir_model::TenantId;

const CHILD: &str = "WEIR_AUDIT_CRASH_DIR";
const ROUNDS: u64 = 20;

/// Run by the test below in a process of its own; does nothing otherwise.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let audit = Audit::open(dir.as_ref(), Options::default()).unwrap();
        println!("opened {}", audit.feed_position());
        let mut position = audit.feed_position();
        loop {
            let group: Vec<_> = (0..8)
                .map(|n| {
                    let audit = audit.clone();
                    let entry = change(1, position + 1 + n);
                    tokio::spawn(async move { audit.append(entry).await.unwrap() })
                })
                .collect();
            for task in group {
                if let Some(leaf) = task.await.unwrap() {
                    println!("acknowledged {} {}", leaf.index, leaf.hash);
                }
            }
            position = audit.feed_position();
        }
    });
}

#[tokio::test]
async fn killed_twenty_times() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let opened = lines.find(|line| line.as_ref().unwrap().contains("opened ")).unwrap();
        drop(opened);
        // The moment of death differs from round to round: after some acknowledgements, and some
        // microseconds more.
        for _ in 0..round * 7 % 50 {
            let line = lines.next().unwrap().unwrap();
            acknowledged.push(line);
        }
        std::thread::sleep(Duration::from_micros(round * 337 % 3000));
        child.kill().unwrap();
        child.wait().unwrap();
        // The last line may be cut off by the kill.
        acknowledged.extend(lines.map_while(Result::ok).filter(|line| line.len() > 50));
    }
    let audit = Audit::open(dir.path(), Options::default()).unwrap();
    let mut hashes = Vec::new();
    let mut before = None;
    loop {
        let page = audit.page(before, 500, Filter::of(TenantId(1))).await.unwrap();
        hashes.extend(page.items.iter().map(|item| (item.index, item.leaf_hash.to_string())));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    hashes.reverse();
    assert!(acknowledged.len() > 100);
    for line in &acknowledged {
        let mut words = line.split(' ').skip(1);
        let index: usize = words.next().unwrap().parse().unwrap();
        let hash = words.next().unwrap();
        assert_eq!(hashes.get(index).map(|(_, h)| h.as_str()), Some(hash), "{line}");
    }
    audit.close().await;
    let report = Audit::verify(dir.path()).unwrap();
    assert_eq!(report.entries as usize, hashes.len());
    assert!(report.feed_position >= report.entries);
}
