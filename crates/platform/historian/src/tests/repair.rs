//! Damage is found by a check, and a repaired folder is sound and has all that was not damaged.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use weir_model::{Sample, TagId, Timestamp, Value};

use super::dice::Dice;
use super::*;
use crate::{Checked, Fault, HistorianError, Seen, Step};

fn checked(dir: &Path) -> (Checked, Vec<Fault>) {
    let mut faults = Vec::new();
    let checked = crate::check(dir, &mut |seen| {
        match seen {
            Seen::Fault(fault) => faults.push(fault),
            Seen::Progress { bytes, bytes_total } => assert!(bytes <= bytes_total),
        }
        ControlFlow::Continue(())
    });
    (checked.unwrap(), faults)
}

#[track_caller]
fn assert_sound(dir: &Path) {
    let (checked, faults) = checked(dir);
    assert_eq!(checked.faults, 0, "{faults:#?}");
}

fn repaired(dir: &Path) -> Vec<Step> {
    let go = &mut |_| ControlFlow::Continue(());
    let before = content(dir);
    let planned = crate::repair(dir, true, go).unwrap();
    assert_eq!(content(dir), before, "a dry run changes nothing");
    let done = crate::repair(dir, false, go).unwrap();
    assert_eq!(done, planned, "what is done is what was said");
    assert_eq!(crate::repair(dir, false, go).unwrap(), [], "nothing is left to do");
    done
}

/// The files of a folder with their bytes.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files(dir, "").into_iter().filter(|path| !path.ends_with("lock"));
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn flip(path: &Path, offset: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset as usize] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn checkpoint(dir: &Path) -> PathBuf {
    let files = files(dir, "").into_iter();
    let is_one =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("checkpoint-");
    files.filter(|path| path.parent() == Some(dir)).find(is_one).unwrap()
}

/// Two days in blocks, and three batches in the log.
async fn filled(dir: &Path) {
    let historian = open(dir);
    let samples = |time| (0..3).map(move |tag| (TagId(tag), number(time, tag.into()))).collect();
    historian.append(produced("p", 1, samples(0) as Vec<_>)).await.unwrap();
    historian.append(batch(samples(DAY))).await.unwrap();
    historian.flush().await.unwrap();
    for time in 1..4 {
        historian.append(batch(samples(time))).await.unwrap();
    }
}

#[tokio::test]
async fn a_sound_folder_is_found_sound() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = |error| matches!(error, HistorianError::Io { .. });
    assert!(
        crate::check(&dir.path().join("none"), &mut |_| ControlFlow::Continue(()))
            .is_err_and(nothing)
    );
    filled(dir.path()).await;
    let (found, faults) = checked(dir.path());
    assert_eq!(faults, []);
    assert_eq!((found.rows, found.files, found.ended), (6, 4, false));
    assert_eq!(repaired(dir.path()), []);
    let historian = open(dir.path());
    assert!(matches!(
        crate::check(dir.path(), &mut |_| ControlFlow::Continue(())),
        Err(HistorianError::AlreadyOpen { .. })
    ));
    let found = historian.check(&mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((found.rows, found.faults), (6, 0));
    let contents = historian.contents();
    assert_eq!(
        contents.spans.iter().map(|span| (span.rows, span.blocks)).collect::<Vec<_>>(),
        [(3, 1); 2]
    );
    drop(historian);
    assert_eq!(crate::contents(dir.path()).unwrap().spans, contents.spans);
    let ended = crate::check(dir.path(), &mut |_| ControlFlow::Break(())).unwrap();
    assert!(ended.ended);
}

#[tokio::test]
async fn what_a_crash_left_is_harmless() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let block = files(dir.path(), ".parquet").remove(0);
    fs::copy(&block, block.with_file_name("block-000000000099.parquet")).unwrap();
    let segment = only_file(dir.path(), ".wal");
    let mut bytes = fs::read(&segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes.truncate(end - 3);
    fs::write(&segment, bytes).unwrap();
    let (found, faults) = checked(dir.path());
    assert_eq!((found.faults, found.harmless), (0, 2), "{faults:#?}");
    assert_eq!(repaired(dir.path()), []);
    assert_eq!(all(&open(dir.path()), 1).await.len(), 4);
}

#[tokio::test]
async fn a_damaged_page_costs_its_rows_alone() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let mut noise = Dice::new(1);
    for tag in 0..4 {
        let samples = (0..40_000).map(|index| {
            let value = Value::F64(f64::from_bits(noise.next() >> 2));
            (TagId(tag), Sample::good(at(index * SECOND / 10), value))
        });
        historian.append(batch(samples.collect())).await.unwrap();
    }
    historian.close().await.unwrap();
    let mut before = Vec::new();
    for tag in 0..4 {
        before.push(all(&historian, tag).await);
    }
    drop(historian);
    let block = only_file(dir.path(), ".parquet");
    let offset = fs::metadata(&block).unwrap().len() / 3;
    flip(&block, offset);
    let (found, faults) = checked(dir.path());
    let [fault] = &faults[..] else { panic!("{faults:#?}") };
    assert_eq!(dir.path().join(&fault.file), block);
    assert!((fault.offset..fault.offset + 32_768).contains(&offset) && !fault.harmless);
    let lost: u64 = fault.lost.iter().map(|lost| lost.rows).sum();
    assert!((1..45_000).contains(&lost), "{lost}");
    assert_eq!(found.rows + lost, 160_000);
    let steps = repaired(dir.path());
    assert_eq!(steps.len(), 1, "{steps:#?}");
    assert_eq!(steps[0].lost, fault.lost);
    assert!(dir.path().join("quarantine").join(&fault.file).exists() && !block.exists());
    assert_sound(dir.path());
    let historian = open(dir.path());
    let mut kept = 0;
    for tag in 0..4 {
        let samples = all(&historian, tag).await;
        kept += samples.len() as u64;
        assert!(samples.iter().all(|sample| before[tag as usize].contains(sample)));
        let said = fault.lost.iter().filter(|lost| lost.tags.0 <= tag && tag <= lost.tags.1);
        for gone in before[tag as usize].iter().filter(|sample| !samples.contains(sample)).take(100)
        {
            assert!(said.clone().any(|lost| lost.from <= gone.time && gone.time <= lost.to));
        }
    }
    assert_eq!(kept, 160_000 - lost);
    historian.close().await.unwrap();
    drop(historian);
    assert!(dir.path().join("quarantine").join(&fault.file).exists());
    assert_sound(dir.path());
}

#[tokio::test]
async fn a_block_that_is_missing_or_no_block_is_taken_out() {
    for missing in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path()).await;
        let block = files(dir.path(), ".parquet").remove(0);
        match missing {
            true => fs::remove_file(&block).unwrap(),
            false => fs::write(&block, "nothing of the kind").unwrap(),
        }
        let (found, faults) = checked(dir.path());
        assert_eq!((found.faults, faults[0].lost[0].rows), (1, 3));
        repaired(dir.path());
        assert_sound(dir.path());
        let historian = open(dir.path());
        assert_eq!(historian.stats().damaged_blocks, 0);
        assert_eq!(all(&historian, 1).await.len(), 4);
    }
}

#[tokio::test]
async fn a_manifest_is_made_of_blocks_and_log() {
    for missing in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path()).await;
        let before = all(&open(dir.path()), 1).await;
        let manifest = dir.path().join("manifest");
        match missing {
            true => fs::remove_file(&manifest).unwrap(),
            false => flip(&manifest, 70),
        }
        let (found, faults) = checked(dir.path());
        assert_eq!((found.faults, found.rows), (1, 6), "{faults:#?}");
        assert_eq!(repaired(dir.path()).len(), 1);
        assert_sound(dir.path());
        let historian = open(dir.path());
        assert_eq!(all(&historian, 1).await, before);
        let again = produced("p", 1, vec![(TagId(1), number(0, 0.0))]);
        assert!(historian.append(again).await.unwrap().duplicate, "the checkpoint is the old one");
        historian.close().await.unwrap();
        drop(historian);
        assert_sound(dir.path());
        assert_eq!(all(&open(dir.path()), 1).await, before);
        assert_eq!(dir.path().join("quarantine/manifest").exists(), !missing);
    }
}

#[tokio::test]
async fn a_checkpoint_is_made_of_blocks() {
    for missing in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path()).await;
        let historian = open(dir.path());
        historian.delete(TENANT, TagId(2), (at(DAY), at(2 * DAY)), at(0)).await.unwrap();
        historian.flush().await.unwrap();
        let last = [0, 1, 2].map(|tag| historian.last(TENANT, TagId(tag)));
        drop(historian);
        let file = checkpoint(dir.path());
        match missing {
            true => fs::remove_file(&file).unwrap(),
            false => flip(&file, 40),
        }
        assert_eq!(checked(dir.path()).0.faults, 1);
        assert!(Historian::open(dir.path(), options()).is_err());
        assert_eq!(repaired(dir.path()).len(), 1);
        assert_sound(dir.path());
        let historian = open(dir.path());
        assert_eq!([0, 1, 2].map(|tag| historian.last(TENANT, TagId(tag))), last);
    }
}

#[tokio::test]
async fn batches_around_damage_in_the_log_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options { segment_bytes: 300, ..options() };
    let historian = Historian::open(dir.path(), small.clone()).unwrap();
    for index in 0..20 {
        historian.append(batch(vec![(TagId(1), number(index, 1.0))])).await.unwrap();
    }
    drop(historian);
    let segments = files(dir.path(), ".wal");
    assert!(segments.len() > 4, "{}", segments.len());
    // Within a segment, a whole segment, the header of another.
    flip(&segments[1], 60);
    fs::remove_file(&segments[2]).unwrap();
    flip(&segments[3], 9);
    let (found, faults) = checked(dir.path());
    assert_eq!(found.faults, 3, "{faults:#?}");
    assert!(Historian::open(dir.path(), options()).is_err());
    let steps = repaired(dir.path());
    // What is missing behind a damaged segment is seen to with it.
    assert_eq!(steps.len(), 2, "{steps:#?}");
    assert_sound(dir.path());
    let historian = Historian::open(dir.path(), small).unwrap();
    let lost = 1 + (first_of(&segments[3]) - first_of(&segments[2]));
    assert_eq!(all(&historian, 1).await.len() as u64, 20 - lost);
    assert_eq!(historian.stats().position, 20);
    let next = historian.append(batch(vec![(TagId(1), number(99, 1.0))])).await.unwrap();
    assert_eq!(next.position, 21);
    historian.close().await.unwrap();
    assert_eq!(files(&dir.path().join("quarantine"), ".wal").len(), 2);
}

fn first_of(segment: &Path) -> u64 {
    segment.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

/// A folder with many blocks and segments, and what it holds.
async fn varied(dir: &Path) -> BTreeMap<u32, Vec<Sample>> {
    let options = Options { segment_bytes: 400, day_blocks_max: 1, ..options() };
    let historian = Historian::open(dir, options).unwrap();
    for round in 0..9 {
        for tag in 0..3 {
            let samples = (0..40).map(|index| {
                let time = (index % 3) * DAY + index * SECOND + round;
                (TagId(tag), number(time, (round * 100 + index) as f64))
            });
            historian.append(batch(samples.collect())).await.unwrap();
        }
        if round % 2 == 0 && round < 7 {
            historian.flush().await.unwrap();
        }
    }
    let mut content = BTreeMap::new();
    for tag in 0..3 {
        content.insert(tag, all(&historian, tag).await);
    }
    content
}

#[tokio::test]
async fn any_damage_is_repaired_and_invents_nothing() {
    let original = tempfile::tempdir().unwrap();
    let before = varied(original.path()).await;
    let whole = content(original.path());
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let dir = tempfile::tempdir().unwrap();
        for (path, bytes) in &whole {
            let path = dir.path().join(path.strip_prefix(original.path()).unwrap());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        for _ in 0..1 + dice.below(4) {
            let files = files(dir.path(), "");
            let file = &files[dice.below(files.len())];
            let mut bytes = fs::read(file).unwrap();
            match dice.below(5) {
                0 => fs::remove_file(file).unwrap(),
                1 => fs::write(file, &bytes[..dice.below(bytes.len() + 1)]).unwrap(),
                2 => {
                    let (from, count) = (dice.below(bytes.len() + 1), dice.below(600));
                    let to = bytes.len().min(from + count);
                    bytes[from..to].fill(dice.next() as u8);
                    fs::write(file, bytes).unwrap();
                }
                _ if bytes.is_empty() => {}
                _ => flip(file, dice.below(bytes.len()) as u64),
            }
        }
        let go = &mut |_| ControlFlow::Continue(());
        match crate::repair(dir.path(), false, go) {
            // A digit of a format became another.
            Err(HistorianError::Format { .. }) => continue,
            repaired => drop(repaired.unwrap()),
        }
        let (found, faults) = checked(dir.path());
        assert_eq!(found.faults, 0, "seed {seed}: {faults:#?}");
        let historian = open(dir.path());
        for (tag, samples) in &before {
            let read =
                historian.range(TENANT, TagId(*tag), Timestamp::MIN, Timestamp::MAX, 9999).await;
            let read = read.unwrap();
            assert!(read.iter().all(|sample| samples.contains(sample)), "seed {seed}");
        }
        historian.append(batch(vec![(TagId(1), number(7, 1.0))])).await.unwrap();
        historian.close().await.unwrap();
        drop(historian);
        assert_eq!(checked(dir.path()).0.faults, 0, "seed {seed}");
    }
}
