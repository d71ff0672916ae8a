//! Flipped bits and cut files are found, named, and never answered.

use std::fs;
use std::path::{Path, PathBuf};

use weir_model::{TagId, Value};

use super::*;
use crate::HistorianError;
use crate::log::HEADER_BYTES;

fn flip(path: &Path, offset: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset as usize] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn corrupt(error: &HistorianError) -> (PathBuf, u64) {
    match error {
        HistorianError::Corrupt { file, offset, .. } => {
            assert!(error.to_string().contains(file.to_str().unwrap()));
            (file.clone(), *offset)
        }
        other => panic!("{other:?}"),
    }
}

/// Three batches in the log, and where each record of the only segment begins.
async fn logged(dir: &Path) -> (PathBuf, Vec<u64>) {
    let historian = open(dir);
    let mut starts = Vec::new();
    for index in 0..3 {
        starts.push(historian.stats().wal_bytes.max(HEADER_BYTES as u64));
        historian.append(batch(vec![(TagId(1), number(index, 1.0))])).await.unwrap();
    }
    drop(historian);
    (only_file(dir, ".wal"), starts)
}

#[tokio::test]
async fn a_torn_end_of_the_log_is_cut() {
    for cut in [1, 5, 25, 40] {
        let dir = tempfile::tempdir().unwrap();
        let (segment, starts) = logged(dir.path()).await;
        let mut bytes = fs::read(&segment).unwrap();
        bytes.truncate((starts[2] + cut) as usize);
        fs::write(&segment, &bytes).unwrap();
        for _ in 0..2 {
            let historian = open(dir.path());
            assert_eq!(all(&historian, 1).await, [number(0, 1.0), number(1, 1.0)]);
        }
        // The log goes on where it was cut, and is sound at the next opening.
        let historian = open(dir.path());
        let position = historian.append(batch(vec![(TagId(1), number(7, 2.0))])).await;
        assert_eq!(position.unwrap().position, 3);
        drop(historian);
        let historian = open(dir.path());
        assert_eq!(all(&historian, 1).await[2], number(7, 2.0));
    }
}

#[tokio::test]
async fn a_torn_segment_that_is_flushed_before_the_next_append_holds_nothing_up() {
    let dir = tempfile::tempdir().unwrap();
    let (segment, starts) = logged(dir.path()).await;
    let mut bytes = fs::read(&segment).unwrap();
    bytes.truncate((starts[2] + 5) as usize);
    fs::write(&segment, &bytes).unwrap();
    let historian = open(dir.path());
    historian.flush().await.unwrap();
    // Wakes the writer, which then releases the segment for certain.
    historian.flush().await.unwrap();
    let appended = historian.append(batch(vec![(TagId(1), number(7, 2.0))])).await;
    assert_eq!(appended.unwrap().position, 3);
    drop(historian);
    let expected = [number(0, 1.0), number(1, 1.0), number(7, 2.0)];
    assert_eq!(all(&open(dir.path()), 1).await, expected);
}

#[tokio::test]
async fn a_segment_of_which_only_a_torn_header_is_there_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (segment, _) = logged(dir.path()).await;
    for bytes in [&b""[..], b"WEIRHLOG", &[0; 4096]] {
        fs::write(&segment, bytes).unwrap();
        let historian = open(dir.path());
        assert!(all(&historian, 1).await.is_empty());
    }
    let historian = open(dir.path());
    historian.append(batch(vec![(TagId(1), number(7, 2.0))])).await.unwrap();
    drop(historian);
    assert_eq!(all(&open(dir.path()), 1).await, [number(7, 2.0)]);
}

#[tokio::test]
async fn damage_in_the_middle_of_the_log_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (segment, starts) = logged(dir.path()).await;
    for (index, start) in starts[..2].iter().enumerate() {
        for offset in *start..starts[index + 1] {
            flip(&segment, offset);
            let error = Historian::open(dir.path(), options()).unwrap_err();
            assert_eq!(corrupt(&error), (segment.clone(), *start), "offset {offset}");
            flip(&segment, offset);
        }
    }
    for offset in 0..HEADER_BYTES as u64 {
        flip(&segment, offset);
        let error = Historian::open(dir.path(), options()).unwrap_err();
        assert_eq!(corrupt(&error), (segment.clone(), 0), "offset {offset}");
        flip(&segment, offset);
    }
    assert_eq!(all(&open(dir.path()), 1).await.len(), 3);
}

#[tokio::test]
async fn a_segment_that_is_not_the_last_is_never_cut() {
    let dir = tempfile::tempdir().unwrap();
    let historian = Historian::open(dir.path(), Options { segment_bytes: 1, ..options() }).unwrap();
    for index in 0..3 {
        historian.append(batch(vec![(TagId(1), number(index, 1.0))])).await.unwrap();
    }
    drop(historian);
    let segments = files(dir.path(), ".wal");
    assert_eq!(segments.len(), 3);
    let whole = fs::read(&segments[1]).unwrap();
    fs::write(&segments[1], &whole[..whole.len() - 1]).unwrap();
    let error = Historian::open(dir.path(), options()).unwrap_err();
    assert_eq!(corrupt(&error), (segments[1].clone(), HEADER_BYTES as u64));
    fs::remove_file(&segments[1]).unwrap();
    let error = Historian::open(dir.path(), options()).unwrap_err();
    assert_eq!(corrupt(&error), (segments[2].clone(), 0));
    assert!(error.to_string().contains("positions 2 to 2"), "{error}");
    fs::write(&segments[1], &whole).unwrap();
    assert_eq!(all(&open(dir.path()), 1).await.len(), 3);
    fs::remove_file(&segments[0]).unwrap();
    assert_eq!(corrupt(&Historian::open(dir.path(), options()).unwrap_err()).0, segments[1]);
}

#[tokio::test]
async fn every_flipped_bit_of_manifest_and_checkpoint_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    historian.append(produced("p", 1, vec![(TagId(1), number(0, 1.0))])).await.unwrap();
    historian.close().await.unwrap();
    drop(historian);
    let manifest = dir.path().join("manifest");
    let checkpoint = files(dir.path(), "").into_iter().find(|path| {
        path.file_name().is_some_and(|name| name.to_str().unwrap().starts_with("checkpoint-"))
    });
    for file in [manifest.clone(), checkpoint.unwrap()] {
        for offset in 0..fs::metadata(&file).unwrap().len() {
            flip(&file, offset);
            match Historian::open(dir.path(), options()).unwrap_err() {
                HistorianError::Format { file: named, .. } => assert_eq!(named, file),
                error => assert_eq!(corrupt(&error).0, file, "offset {offset}"),
            }
            flip(&file, offset);
        }
    }
    let whole = fs::read(&manifest).unwrap();
    fs::remove_file(&manifest).unwrap();
    assert_eq!(corrupt(&Historian::open(dir.path(), options()).unwrap_err()).0, manifest);
    fs::write(&manifest, whole).unwrap();
    assert_eq!(all(&open(dir.path()), 1).await, [number(0, 1.0)]);
}

#[tokio::test]
async fn every_flipped_byte_of_a_block_is_found_by_those_who_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let samples = |time| (0..3).map(move |tag| (TagId(tag), number(time, 1.0))).collect();
    historian.append(batch(samples(0))).await.unwrap();
    historian.append(batch(samples(DAY))).await.unwrap();
    historian.close().await.unwrap();
    drop(historian);
    let blocks = files(dir.path(), ".parquet");
    assert_eq!(blocks.len(), 2);
    let historian = open(dir.path());
    // The four bytes before the pages say Parquet; nothing of a sample is in them.
    let length = fs::metadata(&blocks[0]).unwrap().len();
    for offset in (0..length).step_by(3) {
        flip(&blocks[0], offset);
        historian.forget_open_blocks();
        let read = historian.range(TENANT, TagId(1), at(0), at(1), 9).await;
        assert_eq!(corrupt(&read.unwrap_err()).0, blocks[0], "offset {offset}");
        let read = historian.downsample(TENANT, TagId(1), at(0), at(2 * DAY), 9).await;
        assert_eq!(corrupt(&read.unwrap_err()).0, blocks[0], "offset {offset}");
        let other_day = historian.range(TENANT, TagId(1), at(1), at(2 * DAY), 9).await;
        assert_eq!(other_day.unwrap(), [number(DAY, 1.0)]);
        flip(&blocks[0], offset);
    }
    assert_eq!(historian.stats().damaged_blocks, 1);
    assert_eq!(historian.last(TENANT, TagId(1)), Some(number(DAY, 1.0)));
    fs::remove_file(&blocks[0]).unwrap();
    historian.forget_open_blocks();
    let read = historian.range(TENANT, TagId(1), at(0), at(1), 9).await;
    assert_eq!(corrupt(&read.unwrap_err()).0, blocks[0]);
    drop(historian);
    assert_eq!(open(dir.path()).stats().damaged_blocks, 1, "found at opening");
}

#[tokio::test]
async fn damage_in_one_tags_pages_leaves_other_tags_readable() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    // Noise, so that the pages of one tag are larger than what one checksum is of.
    let mut noise = 1u64;
    for tag in 0..4 {
        let samples = (0..40_000).map(|index| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = Value::F64(f64::from_bits(noise >> 2));
            (TagId(tag), weir_model::Sample::good(at(index * SECOND / 10), value))
        });
        historian.append(batch(samples.collect())).await.unwrap();
    }
    historian.close().await.unwrap();
    let block = only_file(dir.path(), ".parquet");
    let length = fs::metadata(&block).unwrap().len();
    flip(&block, length / 2);
    let mut damaged = 0;
    for tag in 0..4 {
        match historian.range(TENANT, TagId(tag), at(0), at(DAY), 100_000).await {
            Ok(samples) => assert_eq!(samples.len(), 40_000),
            Err(error) => {
                let (file, offset) = corrupt(&error);
                assert_eq!(file, block);
                assert!((offset..offset + 32_768).contains(&(length / 2)));
                damaged += 1;
            }
        }
    }
    assert!((1..=2).contains(&damaged), "{damaged}");
}

#[tokio::test]
async fn a_damaged_block_is_not_merged_away() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { day_blocks_max: 1, ..options() };
    let historian = Historian::open(dir.path(), options.clone()).unwrap();
    historian.append(batch(vec![(TagId(1), number(0, 1.0))])).await.unwrap();
    historian.flush().await.unwrap();
    let block = only_file(dir.path(), ".parquet");
    flip(&block, 30);
    for index in 1..9 {
        historian.append(batch(vec![(TagId(2), number(index, 1.0))])).await.unwrap();
        historian.flush().await.unwrap();
    }
    historian.close().await.unwrap();
    assert!(files(dir.path(), ".parquet").contains(&block));
    assert!(files(dir.path(), ".parquet").len() <= 6);
    assert_eq!(all(&historian, 2).await.len(), 8);
    let read = historian.range(TENANT, TagId(1), at(0), at(1), 9).await;
    assert_eq!(corrupt(&read.unwrap_err()).0, block);
}

#[tokio::test]
async fn what_a_crash_left_behind_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    historian.append(batch(vec![(TagId(1), number(0, 1.0))])).await.unwrap();
    historian.close().await.unwrap();
    drop(historian);
    let block = only_file(dir.path(), ".parquet");
    let stray = block.with_file_name("block-000000000099.parquet");
    let foreign = block.with_file_name("notes.txt");
    fs::copy(&block, &stray).unwrap();
    fs::write(&foreign, "ours").unwrap();
    fs::write(dir.path().join("tmp/block-000000000098.parquet"), "half").unwrap();
    fs::write(dir.path().join("checkpoint-000000000097"), "old").unwrap();
    let historian = open(dir.path());
    historian.close().await.unwrap();
    assert_eq!(files(dir.path(), ".parquet"), [block]);
    assert!(foreign.exists() && !dir.path().join("checkpoint-000000000097").exists());
    assert_eq!(all(&historian, 1).await, [number(0, 1.0)]);
}
