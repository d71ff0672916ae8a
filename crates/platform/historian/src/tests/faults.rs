//! A disk that is full, read-only or failing: refused, told, and over when it is over.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};
use std::time::Instant;

use weir_model::TagId;

use super::*;
use crate::AppendError;
use crate::disk::{Disk, DiskFile, LocalDisk};

/// What the disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Mood {
    Well,
    /// No space: writes get half their bytes out, then fail.
    Full,
    /// Nothing can be changed.
    ReadOnly,
    /// Writes seem to work, but cannot be made durable.
    SyncFails,
    /// Space for the log, none for blocks.
    BlocksFull,
    /// Space for log and blocks, none for a manifest.
    ManifestFails,
}

struct Switch {
    mood: AtomicU8,
    /// Fails every call once so many were made.
    calls_left: AtomicU64,
}

#[derive(Clone)]
struct FaultyDisk(Arc<Switch>);

impl FaultyDisk {
    fn new() -> Self {
        Self(Arc::new(Switch {
            mood: AtomicU8::new(Mood::Well as u8),
            calls_left: AtomicU64::new(u64::MAX),
        }))
    }

    fn set(&self, mood: Mood) {
        self.0.mood.store(mood as u8, SeqCst);
    }

    fn is(&self, mood: Mood) -> bool {
        self.0.mood.load(SeqCst) == mood as u8
    }

    /// Lets so many calls succeed and fails all others.
    fn fail_after(&self, calls: u64) {
        self.0.calls_left.store(calls, SeqCst);
    }

    fn call(&self) -> io::Result<()> {
        let left = self.0.calls_left.load(SeqCst);
        if left == u64::MAX {
            return Ok(());
        }
        if left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.calls_left.store(left - 1, SeqCst);
        Ok(())
    }

    fn change(&self) -> io::Result<()> {
        self.call()?;
        if self.is(Mood::ReadOnly) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(())
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.change()?;
        let is_log = path.extension().is_some_and(|extension| extension == "wal");
        Ok(Box::new(FaultyFile { disk: self.clone(), is_log, file: LocalDisk.create(path)? }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.change()?;
        Ok(Box::new(FaultyFile { disk: self.clone(), is_log: true, file: LocalDisk.open(path)? }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?;
        if self.is(Mood::ManifestFails) && to.ends_with("manifest") {
            return Err(io::ErrorKind::StorageFull.into());
        }
        LocalDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        LocalDisk.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        LocalDisk.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.call()?;
        LocalDisk.sync_dir(path)
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    is_log: bool,
    file: Box<dyn DiskFile>,
}

impl DiskFile for FaultyFile {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let full = self.disk.is(Mood::Full) || self.disk.is(Mood::BlocksFull) && !self.is_log;
        if full || self.disk.call().is_err() {
            self.file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.change()?;
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&mut self, length: u64) -> io::Result<()> {
        self.disk.change()?;
        self.file.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.call()?;
        if self.disk.is(Mood::SyncFails) {
            return Err(io::Error::other("the disk does not answer"));
        }
        self.file.sync()
    }
}

fn one(time: i64) -> Batch {
    batch(vec![(TagId(1), number(time, time as f64))])
}

#[tokio::test]
async fn a_disk_that_refuses_is_told_and_recovers_by_itself() {
    for mood in [Mood::Full, Mood::ReadOnly, Mood::SyncFails] {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let open = || Historian::open_on(Arc::new(disk.clone()), dir.path(), options()).unwrap();
        let historian = open();
        historian.append(one(0)).await.unwrap();
        disk.set(mood);
        for time in 1..4 {
            let refused = historian.append(produced("p", 1, one(time).samples)).await.unwrap_err();
            match mood {
                Mood::Full => assert_eq!(refused, AppendError::DiskFull),
                _ => assert!(matches!(refused, AppendError::Unavailable { .. }), "{refused}"),
            }
        }
        assert!(historian.stats().unavailable.is_some());
        assert_eq!(historian.stats().refused, 3);
        assert_eq!(all(&historian, 1).await, [number(0, 0.0)], "reads go on");
        disk.set(Mood::Well);
        let stored = historian.append(produced("p", 1, one(4).samples)).await.unwrap();
        assert_eq!((stored.position, stored.duplicate), (2, false));
        assert_eq!(historian.stats().unavailable, None);
        let expected = [number(0, 0.0), number(4, 4.0)];
        assert_eq!(all(&historian, 1).await, expected);
        drop(historian);
        let historian = open();
        assert_eq!(all(&historian, 1).await, expected, "nothing refused came back");
        disk.set(mood);
        historian.append(one(5)).await.unwrap_err();
        drop(historian);
        disk.set(Mood::Well);
        let historian = open();
        let samples = all(&historian, 1).await;
        // What was refused while the disk could not even be cut may have stayed, whole.
        assert!(samples == expected || samples[..2] == expected && samples[2] == number(5, 5.0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_space_for_blocks_memory_stays_bounded_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let options = Options { memory_bytes_max: 8 << 10, ..options() };
    let historian =
        Historian::open_on(Arc::new(disk.clone()), dir.path(), options.clone()).unwrap();
    disk.set(Mood::BlocksFull);
    let mut stored = 0;
    let refused = loop {
        match historian.append(one(stored)).await {
            Ok(_) => stored += 1,
            Err(refused) => break refused,
        }
        assert!(stored < 10_000);
    };
    assert_eq!(refused, AppendError::DiskFull);
    assert!(historian.stats().memory_bytes <= 3 * options.memory_bytes_max);
    assert!(historian.flush().await.is_err());
    assert_eq!(all(&historian, 1).await.len() as i64, stored);
    disk.set(Mood::Well);
    let deadline = Instant::now() + Duration::from_secs(20);
    while historian.append(one(stored)).await.is_err() {
        assert!(Instant::now() < deadline, "it does not recover by itself");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    historian.close().await.unwrap();
    assert_nothing_is_left(dir.path(), &historian);
    drop(historian);
    let historian = Historian::open_on(Arc::new(disk), dir.path(), options).unwrap();
    assert_eq!(all(&historian, 1).await.len() as i64, stored + 1);
    assert_eq!(historian.stats().wal_bytes, 0);
}

/// Attempts that failed must leave no files: on a full disk these would keep it full.
#[track_caller]
fn assert_nothing_is_left(dir: &Path, historian: &Historian) {
    assert_eq!(files(dir, ".parquet").len(), historian.stats().blocks);
    assert_eq!(files(dir, ".tmp"), Vec::<std::path::PathBuf>::new());
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let checkpoints = names.filter(|name| name.to_string_lossy().starts_with("checkpoint-"));
    assert!(checkpoints.count() <= 1);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_written_leaves_no_blocks_behind() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let historian = Historian::open_on(Arc::new(disk.clone()), dir.path(), options()).unwrap();
    historian.append(one(1)).await.unwrap();
    historian.flush().await.unwrap();
    disk.set(Mood::ManifestFails);
    historian.append(one(2)).await.unwrap();
    for _ in 0..3 {
        historian.flush().await.unwrap_err();
    }
    disk.set(Mood::Well);
    historian.flush().await.unwrap();
    historian.close().await.unwrap();
    assert_nothing_is_left(dir.path(), &historian);
    drop(historian);
    let historian = Historian::open_on(Arc::new(disk), dir.path(), options()).unwrap();
    assert_eq!(all(&historian, 1).await, [number(1, 1.0), number(2, 2.0)]);
}

#[tokio::test]
async fn a_bound_of_no_memory_writes_every_group_to_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { memory_bytes_max: 0, ..options() };
    let historian = Historian::open(dir.path(), options).unwrap();
    for time in 0..3 {
        historian.append(one(time)).await.unwrap();
    }
    assert_eq!(all(&historian, 1).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_at_any_call_loses_nothing() {
    for calls in 0..60 {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let options = Options { day_blocks_max: 1, segment_bytes: 200, ..options() };
        let open = || Historian::open_on(Arc::new(disk.clone()), dir.path(), options.clone());
        let historian = open().unwrap();
        disk.fail_after(calls);
        let (mut stored, mut refused) = (Vec::new(), Vec::new());
        for time in 0..12 {
            match historian.append(one(time)).await {
                Ok(_) => stored.push(number(time, time as f64)),
                Err(_) => refused.push(number(time, time as f64)),
            }
            if time % 2 == 1 {
                let _ = historian.flush().await;
            }
        }
        assert_eq!(all(&historian, 1).await, stored, "{calls} calls");
        drop(historian);
        disk.fail_after(u64::MAX);
        let historian = open().unwrap();
        let samples = all(&historian, 1).await;
        assert!(stored.iter().all(|sample| samples.contains(sample)), "{calls} calls");
        assert!(samples.iter().all(|sample| stored.contains(sample) || refused.contains(sample)));
        historian.append(one(99)).await.unwrap();
        historian.close().await.unwrap();
        assert!(files(dir.path(), ".wal").is_empty(), "{calls} calls");
        assert_eq!(files(dir.path(), ".parquet").len(), historian.stats().blocks);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_that_fails_at_any_call_loses_nothing() {
    let options = Options { day_blocks_max: 99, block_rows_max: 6, ..options() };
    for calls in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let open = || Historian::open_on(Arc::new(disk.clone()), dir.path(), options.clone());
        let historian = open().unwrap();
        // Blocks of one tag each and of all, so that some are replaced before the merge is over.
        for round in 0..6 {
            let tags = if round < 3 { round..round + 1 } else { 0..4 };
            let times = move |tag| (0..4).map(move |at| (tag, number(at * DAY / 3 + round, 1.0)));
            let samples = tags.flat_map(times).map(|(tag, sample)| (TagId(tag as u32), sample));
            historian.append(batch(samples.collect())).await.unwrap();
            historian.flush().await.unwrap();
        }
        historian.delete(TENANT, TagId(1), (at(0), at(2)), at(0)).await.unwrap();
        let mut expected = Vec::new();
        for tag in 0..4 {
            expected.push(all(&historian, tag).await);
        }
        disk.fail_after(calls);
        let merged = historian.tend(true).await;
        for (tag, samples) in expected.iter().enumerate() {
            assert_eq!(all(&historian, tag as u32).await, *samples, "{calls} calls");
        }
        drop(historian);
        disk.fail_after(u64::MAX);
        let historian = open().unwrap();
        for (tag, samples) in expected.iter().enumerate() {
            assert_eq!(all(&historian, tag as u32).await, *samples, "{calls} calls, opened");
        }
        historian.compact().await.unwrap();
        for (tag, samples) in expected.iter().enumerate() {
            assert_eq!(all(&historian, tag as u32).await, *samples, "{calls} calls, merged");
        }
        historian.close().await.unwrap();
        assert_eq!(files(dir.path(), ".parquet").len(), historian.stats().blocks);
        assert!(historian.stats().blocks <= 10, "{:?}", historian.stats());
        if merged.is_ok() {
            assert!(calls > 20, "{calls}");
            return;
        }
    }
}

/// Waits until the historian says that it can store, or that it cannot.
async fn until_unavailable(historian: &Historian, unavailable: bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while historian.stats().unavailable.is_some() != unavailable {
        assert!(Instant::now() < deadline, "it does not find out by itself");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_disk_that_refuses_is_told_at_the_start_and_found_well_without_an_append() {
    let started = |mood| async move {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let open = || Historian::open_on(Arc::new(disk.clone()), dir.path(), options()).unwrap();
        open().append(one(0)).await.unwrap();
        disk.set(mood);
        let historian = open();
        until_unavailable(&historian, true).await;
        assert_eq!(all(&historian, 1).await, [number(0, 0.0)], "what is stored is read");
        disk.set(Mood::Well);
        until_unavailable(&historian, false).await;
        historian.append(one(1)).await.unwrap();
        assert_eq!(files(dir.path(), "probe"), Vec::<std::path::PathBuf>::new());
    };
    tokio::join!(started(Mood::Full), started(Mood::ReadOnly), started(Mood::SyncFails));
}
