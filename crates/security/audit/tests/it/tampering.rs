//! Whatever is done to the files behind the log's back is found, with the leaf it begins at.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::note;
use weir_audit::{Audit, AuditError, Options, VerifyOptions};

const ENTRIES: u64 = 700;
/// Bytes before the first frame, and of a frame's header.
const START: usize = 28;
const HEADER: usize = 36;

async fn log() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(dir.path(), Options::default()).unwrap();
    for n in 0..ENTRIES {
        audit.append(note(1, &format!("entry {n:05}"))).await.unwrap();
    }
    audit.close().await;
    dir
}

/// A crash within the writing of a kept checkpoint is nobody's doing, and stops nothing.
#[tokio::test]
async fn a_torn_kept_checkpoint_is_cut() {
    let dir = log().await;
    let path = dir.path().join("checkpoints");
    let kept = fs::read(&path).unwrap();
    for torn in 1..kept.len() {
        // Every length within the last note, half a letter of its signature among them.
        let cut = kept.len() - torn;
        if kept[..cut].ends_with(b"\n\n") {
            break;
        }
        fs::write(&path, [&kept[..], &kept[..cut]].concat()).unwrap();
        Audit::verify(dir.path()).unwrap();
    }
    fs::write(&path, [&kept[..], "weir.audit\n70\u{2014}".as_bytes().split_at(15).0].concat())
        .unwrap();
    let before = Audit::verify(dir.path()).unwrap().checkpoints;
    let audit = Audit::open(dir.path(), Options::default()).unwrap();
    audit.append(note(1, "behind it")).await.unwrap();
    audit.close().await;
    assert_eq!(Audit::verify(dir.path()).unwrap().checkpoints, before + 1);
    Audit::open(dir.path(), Options::default()).unwrap().close().await;
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("entries/0000000000000000.log")
}

/// The frames of the first segment.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut frames, mut rest) = (Vec::new(), &bytes[START..]);
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        let (frame, behind) = rest.split_at(HEADER + length);
        frames.push(frame.to_vec());
        rest = behind;
    }
    frames
}

/// Writes frames back with indexes, groups and checksums as a careful forger would.
fn forge(dir: &Path, frames: &mut [Vec<u8>]) {
    let path = segment(dir);
    let mut bytes = fs::read(&path).unwrap()[..START].to_vec();
    for (index, frame) in (0u64..).zip(frames) {
        frame[8..16].copy_from_slice(&index.to_le_bytes());
        frame[16..24].copy_from_slice(&index.to_le_bytes());
        let sum = crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..]);
        frame[4..8].copy_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(frame);
    }
    fs::write(path, bytes).unwrap();
}

fn divergence(dir: &Path) -> (u64, String) {
    match Audit::verify(dir) {
        Err(AuditError::Diverged { divergence, .. }) => (divergence.leaf, divergence.reason),
        other => panic!("it should be found: {other:?}"),
    }
}

#[track_caller]
fn assert_refused_by_open(dir: &Path) {
    let opened = Audit::open(dir, Options::default());
    assert!(matches!(opened, Err(AuditError::Diverged { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_changed_byte() {
    let dir = log().await;
    for leaf in [0, 300, 699] {
        let intact = fs::read(segment(dir.path())).unwrap();
        let mut frames = frames(&intact);
        let last = frames[leaf].len() - 1;
        frames[leaf][last - 3] ^= 1;
        let mut bytes = intact[..START].to_vec();
        frames.iter().for_each(|frame| bytes.extend_from_slice(frame));
        fs::write(segment(dir.path()), bytes).unwrap();
        assert_eq!(divergence(dir.path()).0, leaf as u64);
        assert_refused_by_open(dir.path());
        fs::write(segment(dir.path()), intact).unwrap();
    }
    Audit::verify(dir.path()).unwrap();
}

#[tokio::test]
async fn a_changed_entry_with_a_fitting_checksum() {
    let dir = log().await;
    for leaf in [3usize, 600, 690] {
        let intact = fs::read(segment(dir.path())).unwrap();
        let mut frames = frames(&intact);
        let text = String::from_utf8(frames[leaf][HEADER..].to_vec()).unwrap();
        let text = text.replace(&format!("entry {leaf:05}"), "entry 99999");
        frames[leaf].splice(HEADER.., text.into_bytes());
        forge(dir.path(), &mut frames);
        assert_eq!(divergence(dir.path()).0, leaf as u64);
        assert_refused_by_open(dir.path());
        fs::write(segment(dir.path()), intact).unwrap();
    }
}

#[tokio::test]
async fn a_removed_entry() {
    let dir = log().await;
    let mut frames = frames(&fs::read(segment(dir.path())).unwrap());
    frames.remove(400);
    // Crudely: the next one stands in its place with its own index.
    let mut bytes = fs::read(segment(dir.path())).unwrap()[..START].to_vec();
    frames.iter().for_each(|frame| bytes.extend_from_slice(frame));
    fs::write(segment(dir.path()), bytes).unwrap();
    assert_eq!(divergence(dir.path()).0, 400);
    assert_refused_by_open(dir.path());
    // Carefully: everything behind it is renumbered.
    forge(dir.path(), &mut frames);
    assert_eq!(divergence(dir.path()).0, 400);
    assert_refused_by_open(dir.path());
}

#[tokio::test]
async fn reordered_entries() {
    let dir = log().await;
    let mut frames = frames(&fs::read(segment(dir.path())).unwrap());
    frames.swap(120, 121);
    forge(dir.path(), &mut frames);
    assert_eq!(divergence(dir.path()).0, 120);
    assert_refused_by_open(dir.path());
}

#[tokio::test]
async fn an_end_that_was_cut_off() {
    let dir = log().await;
    let mut frames = frames(&fs::read(segment(dir.path())).unwrap());
    frames.truncate(650);
    forge(dir.path(), &mut frames);
    let (leaf, reason) = divergence(dir.path());
    assert_eq!(leaf, 650, "{reason}");
    assert_refused_by_open(dir.path());
    // With the tiles and the whole segment gone as well.
    fs::remove_dir_all(dir.path().join("tile")).unwrap();
    fs::remove_dir_all(dir.path().join("entries")).unwrap();
    assert_eq!(divergence(dir.path()).0, 0);
    assert_refused_by_open(dir.path());
}

#[tokio::test]
async fn a_careful_forger_without_the_key() {
    // A log of the same size with another entry, complete with tiles and checkpoints, of which the
    // forger keeps everything but cannot sign with the right key.
    let (dir, other) = (log().await, log().await);
    for name in ["entries", "tile"] {
        fs::remove_dir_all(dir.path().join(name)).unwrap();
        fs::rename(other.path().join(name), dir.path().join(name)).unwrap();
    }
    // It is the very same log, so far.
    Audit::verify(dir.path()).unwrap();
    let checkpoint = fs::read(dir.path().join("checkpoint")).unwrap();
    fs::copy(other.path().join("checkpoint"), dir.path().join("checkpoint")).unwrap();
    let (_, reason) = divergence(dir.path());
    assert!(reason.contains("not genuine"), "{reason}");
    assert_refused_by_open(dir.path());
    // A checkpoint with another size under the old signature.
    let forged = String::from_utf8(checkpoint.clone()).unwrap().replace("\n700\n", "\n600\n");
    fs::write(dir.path().join("checkpoint"), forged).unwrap();
    assert!(divergence(dir.path()).1.contains("not genuine"));
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    assert!(divergence(dir.path()).1.contains("missing"));
    assert_refused_by_open(dir.path());
    fs::write(dir.path().join("checkpoint"), checkpoint).unwrap();
    Audit::verify(dir.path()).unwrap();
}

#[tokio::test]
async fn a_forger_with_the_key_is_found_by_what_was_kept_elsewhere() {
    let (dir, other) = (log().await, log().await);
    let kept = fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    let key = fs::read_to_string(dir.path().join("log.pub")).unwrap();
    // The whole log is replaced by one that is intact in itself.
    let verify = |dir: &Path| {
        let public_key = Some(key.trim_end().parse().unwrap());
        Audit::verify_with(dir, &VerifyOptions { public_key, checkpoints: vec![kept.clone()] })
    };
    verify(dir.path()).unwrap();
    Audit::verify(other.path()).unwrap();
    assert!(verify(other.path()).is_err());
    // Or cut back to an earlier state and signed anew: the same key, fewer entries.
    let shorter = tempfile::tempdir().unwrap();
    for name in ["log.key", "log.pub"] {
        fs::copy(dir.path().join(name), shorter.path().join(name)).unwrap();
    }
    let audit = Audit::open(shorter.path(), Options::default()).unwrap();
    for n in 0..650 {
        audit.append(note(1, &format!("entry {n:05}"))).await.unwrap();
    }
    audit.close().await;
    Audit::verify(shorter.path()).unwrap();
    match verify(shorter.path()) {
        Err(AuditError::Diverged { divergence, .. }) => assert_eq!(divergence.leaf, 650),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_changed_tile() {
    let dir = log().await;
    let path = dir.path().join("tile/0/001");
    let mut bytes = fs::read(&path).unwrap();
    bytes[32 * 5] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(divergence(dir.path()).0, 256 + 5);
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_nothing_else() {
    let dir = log().await;
    let intact = fs::read(segment(dir.path())).unwrap();
    let frames = frames(&intact);
    let path = segment(dir.path());
    // Half a frame, a header, garbage and zeros, as an interrupted write leaves them.
    let next = &frames[10];
    for tail in [&next[..next.len() / 2], &next[..7], &[0xa5; 5000], &[0; 5000]] {
        fs::write(&path, [&intact[..], tail].concat()).unwrap();
        let report = Audit::verify(dir.path()).unwrap();
        assert_eq!((report.entries, report.unfinished_bytes), (ENTRIES, tail.len() as u64));
        let audit = Audit::open(dir.path(), Options::default()).unwrap();
        assert_eq!(audit.size(), ENTRIES);
        audit.close().await;
        assert_eq!(fs::read(&path).unwrap(), intact);
    }
    // An acknowledged entry behind a damaged one is no torn tail, even beyond the checkpoints.
    let checkpoints = [dir.path().join("checkpoint"), dir.path().join("checkpoints")];
    let kept = checkpoints.each_ref().map(|path| fs::read(path).unwrap());
    let audit = Audit::open(dir.path(), Options::default()).unwrap();
    for n in 0..3 {
        audit.append(note(1, &format!("later {n}"))).await.unwrap();
    }
    audit.close().await;
    checkpoints.iter().zip(kept).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    bytes[intact.len() + HEADER + 3] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(divergence(dir.path()).0, ENTRIES);
    assert_refused_by_open(dir.path());
}

#[tokio::test]
async fn a_missing_segment() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(dir.path(), Options::default()).unwrap();
    let tasks: Vec<_> = (0..16_500)
        .map(|n: u32| {
            let audit = audit.clone();
            tokio::spawn(async move { audit.append(note(1, &n.to_string())).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    audit.close().await;
    Audit::verify(dir.path()).unwrap();
    fs::remove_file(segment(dir.path())).unwrap();
    assert_eq!(divergence(dir.path()).0, 0);
    assert_refused_by_open(dir.path());
}
