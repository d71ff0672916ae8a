//! The log as a whole: appending, paging, floods, tenants, proofs, opening again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crate::support::{author, change, note, refusal};
use weir_audit::{
    Audit, AuditError, Entry, Event, Filter, Options, Refused, SignedCheckpoint, leaf_hash,
};
use weir_model::{TenantId, Timestamp};

const ONE: TenantId = TenantId(1);
const TWO: TenantId = TenantId(2);

fn open(dir: &tempfile::TempDir) -> Audit {
    Audit::open(dir.path(), Options::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_appended_is_there_again_after_opening() {
    let dir = tempfile::tempdir().unwrap();
    let mut appended = Vec::new();
    for run in 0..3u64 {
        let audit = open(&dir);
        assert_eq!(audit.size(), run * 700);
        assert_eq!(audit.feed_position(), run * 700);
        let tasks: Vec<_> = (0..7)
            .map(|_| {
                let audit = audit.clone();
                tokio::spawn(async move {
                    let mut leaves = Vec::new();
                    for n in 0..99 {
                        let leaf = audit.append(note(1, &format!("entry {n}"))).await.unwrap();
                        leaves.push(leaf.unwrap());
                    }
                    leaves
                })
            })
            .collect();
        for task in tasks {
            appended.extend(task.await.unwrap());
        }
        for n in 0..7 {
            let leaf = audit.append(change(1, (run + 1) * 700 - 6 + n)).await.unwrap().unwrap();
            appended.push(leaf);
        }
        audit.close().await;
        assert!(matches!(audit.append(note(1, "x")).await, Err(AuditError::Closed { .. })));
    }
    appended.sort_by_key(|leaf| leaf.index);
    assert!(appended.iter().zip(0..).all(|(leaf, index)| leaf.index == index));

    let audit = open(&dir);
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = audit.page(before, 97, Filter::of(ONE)).await.unwrap();
        seen.extend(page.items);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    seen.reverse();
    assert_eq!(seen.len(), appended.len());
    for (item, leaf) in seen.iter().zip(&appended) {
        assert_eq!((item.index, item.leaf_hash), (leaf.index, leaf.hash));
        assert_eq!(leaf_hash(&serde_json::to_vec(&item.entry).unwrap()), leaf.hash);
    }
    let report = Audit::verify(dir.path()).unwrap();
    assert_eq!((report.entries, report.feed_position), (2100, 2100));
}

#[tokio::test]
async fn one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let audit = open(&dir);
    assert!(matches!(Audit::open(dir.path(), Options::default()), Err(AuditError::InUse(_))));
    audit.close().await;
    open(&dir);
}

#[tokio::test]
async fn a_change_is_recorded_once() {
    let dir = tempfile::tempdir().unwrap();
    let audit = open(&dir);
    assert!(audit.append(change(1, 5)).await.unwrap().is_some());
    assert!(audit.append(change(1, 5)).await.unwrap().is_none());
    assert!(audit.append(change(1, 3)).await.unwrap().is_none());
    assert!(audit.append(change(1, 6)).await.unwrap().is_some());
    audit.append(note(1, "between")).await.unwrap();
    assert_eq!((audit.size(), audit.feed_position()), (3, 6));
    audit.close().await;
    let audit = open(&dir);
    assert_eq!(audit.feed_position(), 6);
    assert!(audit.append(change(1, 6)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_second_tenant_sees_nothing_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let audit = open(&dir);
    for n in 0..600 {
        audit.append(note(1, &format!("first's {n}"))).await.unwrap();
        if n % 100 == 0 {
            audit.append(note(2, &format!("second's {n}"))).await.unwrap();
        }
    }
    let mut both = change(1, 1);
    let Event::Change { changes, .. } = &mut both.event else { unreachable!() };
    let mut of_second = changes[0].clone();
    of_second.tenant = TWO;
    of_second.key = "second's key".to_owned();
    changes.push(of_second);
    audit.append(both).await.unwrap();

    let page = audit.page(None, 100, Filter::of(TWO)).await.unwrap();
    assert_eq!(page.items.len(), 7);
    let text = serde_json::to_string(&page.items).unwrap();
    assert!(!text.contains("first's"), "{text}");
    assert!(text.contains("second's key"));
    // Nor can it find out by searching.
    let search = |text: &str| Filter::of(TWO).with_text(text);
    assert!(audit.page(None, 100, search("first's")).await.unwrap().items.is_empty());
    assert_eq!(audit.page(None, 100, search("SECOND'S 100")).await.unwrap().items.len(), 1);
    assert_eq!(audit.page(None, 10, Filter::of(TenantId(3))).await.unwrap().items.len(), 0);
    let all = audit.page(None, 500, Filter::of_all_tenants()).await.unwrap();
    assert_eq!(all.items.len(), 500);
}

#[tokio::test]
async fn filters_and_bounded_searches() {
    let dir = tempfile::tempdir().unwrap();
    let audit = open(&dir);
    audit.append(note(1, "the needle")).await.unwrap();
    let hay: Vec<_> = (0..9000)
        .map(|_| {
            let audit = audit.clone();
            tokio::spawn(async move { audit.append(note(1, "hay")).await.unwrap() })
        })
        .collect();
    for stalk in hay {
        stalk.await.unwrap();
    }
    let first = audit.page(None, 10, Filter::of(ONE).with_text("needle")).await.unwrap();
    assert!(first.items.is_empty());
    assert!(first.next.is_some(), "the search goes on where it stopped");
    let second = audit.page(first.next, 10, Filter::of(ONE).with_text("needle")).await.unwrap();
    assert_eq!((second.items.len(), second.next), (1, None));

    let kinds = |kind| audit.page(None, 10, Filter::of(ONE).with_kind(kind));
    assert_eq!(kinds("refusal").await.unwrap().items.len(), 0);
    assert_eq!(kinds("note").await.unwrap().items.len(), 10);
    let nobody = Filter::of(ONE).with_principal("88.100/user.nobody".parse().unwrap());
    assert!(audit.page(None, 10, nobody).await.unwrap().items.is_empty());
    let later = Filter::of(ONE).between(Some(Timestamp::from_nanos(1)), None);
    assert!(audit.page(None, 10, later).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_flood_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&now);
    let clock = Arc::new(move || Timestamp::from_nanos(clock.load(Ordering::Relaxed)));
    let audit = Audit::open(dir.path(), Options { clock, ..Options::default() }).unwrap();
    let mut copied = 0;
    for _ in 0..5000 {
        copied += u32::from(matches!(
            audit.refuse(refusal(1, "tag:write")).await.unwrap(),
            Refused::Copied(_)
        ));
    }
    assert_eq!((copied, audit.size()), (10, 10));
    now.store(61_000_000_000, Ordering::Relaxed);
    let deadline = Instant::now() + Duration::from_secs(10);
    while audit.size() < 11 {
        assert!(Instant::now() < deadline, "the minute is over and nothing is written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let page = audit.page(None, 1, Filter::of(ONE)).await.unwrap();
    assert!(matches!(page.items[0].entry.event, Event::Flood { count: 4990, .. }));
    // What is still being counted when the log closes is written then.
    for _ in 0..12 {
        let mut entry = refusal(1, "tag:write");
        entry.time = Timestamp::from_nanos(62_000_000_000);
        audit.refuse(entry).await.unwrap();
    }
    audit.close().await;
    let report = Audit::verify(dir.path()).unwrap();
    assert_eq!(report.entries, 22);
}

#[tokio::test]
async fn proofs_lead_to_signed_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let audit = open(&dir);
    let mut leaves = Vec::new();
    for n in 0..300 {
        leaves.push(audit.append(note(1, &n.to_string())).await.unwrap().unwrap());
    }
    let early = audit.checkpoint().await.unwrap();
    for n in 0..300 {
        leaves.push(audit.append(note(1, &n.to_string())).await.unwrap().unwrap());
    }
    let late = audit.checkpoint().await.unwrap();
    let read = SignedCheckpoint::parse(late.as_str(), audit.public_key()).unwrap();
    assert_eq!(read.checkpoint().size, 600);
    for leaf in leaves.iter().step_by(37) {
        let proof = audit.prove_inclusion(leaf.index, None).await.unwrap();
        proof.verify(&leaf.hash, &late.checkpoint().root).unwrap();
    }
    let old = early.checkpoint();
    let proof = audit.prove_consistency(old.size, Some(600)).await.unwrap();
    proof.verify(&old.root, &late.checkpoint().root).unwrap();
    assert!(matches!(audit.prove_inclusion(600, None).await, Err(AuditError::Proof(_))));
    assert!(matches!(audit.prove_inclusion(0, Some(601)).await, Err(AuditError::Proof(_))));
    assert!(matches!(audit.prove_consistency(601, None).await, Err(AuditError::Proof(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_follow_one_another_and_can_be_verified_while_written() {
    let dir = tempfile::tempdir().unwrap();
    let audit = open(&dir);
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let audit = audit.clone();
            tokio::spawn(async move {
                for n in 0..300 {
                    audit.append(note(1, &format!("{writer} {n}"))).await.unwrap();
                }
            })
        })
        .collect();
    let path = dir.path().to_owned();
    let verifying = tokio::task::spawn_blocking(move || {
        let mut last = 0;
        while last < 19_200 {
            let report = Audit::verify(&path).unwrap();
            assert!(report.entries >= last);
            last = report.entries;
        }
    });
    for writer in writers {
        writer.await.unwrap();
    }
    verifying.await.unwrap();
    let page = audit.page(Some(16_390), 20, Filter::of(ONE)).await.unwrap();
    assert_eq!(page.items.len(), 20);
    assert!(page.items.iter().zip(16_370..16_390).rev().all(|(item, _)| item.index < 16_390));
    let last = audit.prove_inclusion(100, None).await.unwrap();
    let root = audit.checkpoint().await.unwrap().checkpoint().root;
    let of_100 = audit.page(Some(101), 1, Filter::of(ONE)).await.unwrap().items[0].leaf_hash;
    last.verify(&of_100, &root).unwrap();
    audit.close().await;
    let audit = open(&dir);
    assert_eq!(audit.size(), 19_200);
    let large = Entry::new(
        Timestamp::from_nanos(0),
        author(1),
        Event::Note { text: "x".repeat(weir_audit::ENTRY_BYTES_MAX) },
    );
    assert!(matches!(audit.append(large).await, Err(AuditError::TooLarge { .. })));
}
