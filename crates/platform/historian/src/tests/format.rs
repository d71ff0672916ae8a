//! Folders that released versions wrote are read for ever.

use std::fs;
use std::path::{Path, PathBuf};

use weir_model::{Quality, Sample, TagId, TenantId, Value};

use super::*;
use crate::HistorianError;

/// Set to write the folder of the current format anew.
const WRITE: &str = "WEIR_HISTORIAN_WRITE_FIXTURE";

fn fixture(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/format-{format}"))
}

/// What the fixture holds in blocks, and what only in its log.
fn content() -> [Vec<Batch>; 2] {
    let array = Value::array(vec![Value::F64(0.5), Value::Bool(false)]).unwrap();
    let mixed = vec![
        (TagId(1), number(0, 20.5)),
        (TagId(1), number(SECOND + 123, 20.75)),
        (TagId(1), Sample::without_value(at(2 * SECOND), Quality::NO_COMMUNICATION)),
        (TagId(2), Sample::good(at(0), Value::I64(-7))),
        (TagId(3), Sample::good(at(0), Value::U64(u64::MAX))),
        (TagId(4), Sample::good(at(0), Value::Bool(true))),
        (TagId(5), Sample::good(at(0), Value::text("running 运行").unwrap())),
        (TagId(6), Sample::good(at(0), Value::Enumeration(3))),
        (TagId(7), Sample::good(at(0), array)),
    ];
    let in_blocks = vec![
        produced("press", 1, mixed),
        Batch { backfill: true, ..batch(vec![(TagId(1), number(-DAY, 19.0))]) },
        Batch { tenant: TenantId(2), ..batch(vec![(TagId(1), number(0, 99.0))]) },
    ];
    let in_log = vec![
        produced("press", 2, vec![(TagId(1), number(SECOND + 123, 21.0))]),
        produced("oven", 9, vec![(TagId(1), number(3 * SECOND, 21.25))]),
    ];
    [in_blocks, in_log]
}

/// Not a test by itself: writes the fixture when it is asked to.
#[tokio::test]
async fn write_the_fixture() {
    if std::env::var_os(WRITE).is_none() {
        return;
    }
    let dir = fixture(3);
    fs::create_dir_all(dir.parent().unwrap()).unwrap();
    let historian = open(&dir);
    let [in_blocks, in_log] = content();
    for batch in in_blocks {
        historian.append(batch).await.unwrap();
    }
    historian.flush().await.unwrap();
    for batch in in_log {
        historian.append(batch).await.unwrap();
    }
    drop(historian);
    fs::remove_file(dir.join("lock")).unwrap();
    fs::remove_dir_all(dir.join("tmp")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn format_1_is_read() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture(1), dir.path());
    let bytes: u64 =
        files(dir.path(), "").iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes < 40_000, "{bytes}");
    assert_eq!(files(dir.path(), ".parquet").len(), 3);
    assert_eq!(files(dir.path(), ".wal").len(), 1);
    for flushed in [false, true] {
        let historian = open(dir.path());
        let [in_blocks, in_log] = content();
        for (tag, sample) in in_blocks[0].samples.iter().skip(3) {
            assert_eq!(all(&historian, tag.0).await, std::slice::from_ref(&sample));
            assert_eq!(historian.last(TENANT, tag), Some(sample));
        }
        let gap = Sample::without_value(at(2 * SECOND), Quality::NO_COMMUNICATION);
        let expected = [
            number(-DAY, 19.0),
            number(0, 20.5),
            number(SECOND + 123, 21.0),
            gap,
            number(3 * SECOND, 21.25),
        ];
        assert_eq!(all(&historian, 1).await, expected);
        assert_eq!(historian.last(TenantId(2), TagId(1)), Some(number(0, 99.0)));
        assert_eq!(historian.stats().position, 5);
        assert_eq!(historian.stats().samples, 13);
        for batch in in_blocks.into_iter().take(1).chain(in_log) {
            assert!(historian.append(batch).await.unwrap().duplicate, "flushed: {flushed}");
        }
        // Its checkpoint does not tell which lower sequences are stored: all are taken for it.
        let lower = produced("press", 0, vec![(TagId(1), number(0, 0.0))]);
        assert!(historian.append(lower).await.unwrap().duplicate, "flushed: {flushed}");
        historian.close().await.unwrap();
    }
}

#[tokio::test]
async fn formats_2_and_3_are_read() {
    for format in [2, 3] {
        let dir = tempfile::tempdir().unwrap();
        copy(&fixture(format), dir.path());
        for round in 0..3 {
            let historian = open(dir.path());
            let [in_blocks, in_log] = content();
            for (tag, sample) in in_blocks[0].samples.iter().skip(3) {
                assert_eq!(all(&historian, tag.0).await, std::slice::from_ref(&sample));
                assert_eq!(historian.last(TENANT, tag), Some(sample));
            }
            assert_eq!(all(&historian, 1).await.len(), 5);
            assert_eq!(historian.last(TENANT, TagId(1)), Some(number(3 * SECOND, 21.25)));
            assert_eq!(historian.last(TenantId(2), TagId(1)), Some(number(0, 99.0)));
            assert_eq!((historian.stats().position, historian.stats().samples), (5, 13));
            for batch in in_blocks.into_iter().take(1).chain(in_log) {
                assert!(historian.append(batch).await.unwrap().duplicate);
            }
            if round == 1 {
                historian.compact().await.unwrap();
            }
            historian.close().await.unwrap();
        }
        // One of each tenant.
        let blocks = files(dir.path(), ".parquet");
        assert_eq!(blocks.len(), 2, "{blocks:?}");
    }
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture(1), dir.path());
    let manifest = dir.path().join("manifest");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replacen("manifest 1 ", "manifest 4 ", 1)).unwrap();
    let error = Historian::open(dir.path(), options()).unwrap_err();
    assert!(
        matches!(&error, HistorianError::Format { file, found: 4, supported: 3 } if *file == manifest)
    );
    fs::write(&manifest, text).unwrap();
    let segment = only_file(dir.path(), ".wal");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] = 3;
    let crc = crc32c::crc32c(&bytes[..28]);
    bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segment, bytes).unwrap();
    let error = Historian::open(dir.path(), options()).unwrap_err();
    assert!(matches!(&error, HistorianError::Format { file, found: 3, .. } if *file == segment));
}
