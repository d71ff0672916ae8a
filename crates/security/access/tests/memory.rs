//! Checking passwords takes much memory for a moment, a bounded number of times at once, and gives
//! it back. Alone in its file, so that nothing else changes the memory that it measures.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "it/support.rs"]
mod support;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use support::{Node, PASSWORD, REQUEST, now};
use weir_access::{HASHING_MAX, HASHING_WAITING_MAX, SignInError, SignInName};

const SIGN_INS: u32 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashing_is_bounded_and_leaves_no_memory_behind() {
    let empty = resident_kib();
    let node = Node::new().await;
    let before = resident_kib();
    let all: Vec<_> = (0..SIGN_INS)
        .map(|n| {
            let access = node.access.clone();
            let remote = IpAddr::from(n.to_be_bytes());
            tokio::spawn(async move {
                let name = SignInName::parse(&format!("user{n}"));
                access.sign_in(&name, |_| Ok(None), PASSWORD, remote, REQUEST, now()).await
            })
        })
        .collect();
    let (mut wrong, mut busy) = (0, 0);
    for one in all {
        match one.await.unwrap() {
            Err(SignInError::Wrong) => wrong += 1,
            Err(SignInError::Busy) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(wrong >= HASHING_MAX + HASHING_WAITING_MAX, "{wrong}");
    assert!(busy > 0);
    // One hash takes 19 MiB. The thread that did the last one may still be giving it back.
    let deadline = Instant::now() + Duration::from_secs(5);
    while resident_kib() > before + 4 * 1024 {
        assert!(Instant::now() < deadline, "{before} KiB before, {} after", resident_kib());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("resident: {empty} KiB empty, {before} KiB open, {} KiB after", resident_kib());
}

/// Resident memory, where the system tells it; else nothing.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
