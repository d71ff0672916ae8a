//! Merges wait for space on the disk, flushes do not.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weir_model::TagId;

use super::*;
use crate::disk::{Disk, DiskFile, LocalDisk};
use crate::{HistorianError, MergeWait};

/// A disk that tells how much space it has.
struct SmallDisk(AtomicU64);

impl Disk for SmallDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        LocalDisk.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        LocalDisk.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(path)
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.0.load(Ordering::SeqCst))
    }
}

#[test]
fn a_real_disk_tells_its_space() {
    let dir = tempfile::tempdir().unwrap();
    let free = LocalDisk.free_bytes(dir.path()).unwrap();
    assert!(free > 0 && free < u64::MAX, "{free}");
}

#[tokio::test]
async fn a_merge_waits_for_space_says_so_and_goes_on_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { day_blocks_max: 1, log_bytes_max: 1 << 20, ..options() };
    let margin = options.log_bytes_max + options.memory_bytes_max as u64;
    let disk = Arc::new(SmallDisk(AtomicU64::new(margin)));
    let historian = Historian::open_on(Arc::clone(&disk) as _, dir.path(), options).unwrap();
    for second in 0..7 {
        let sample = (TagId(1), number(second * SECOND, second as f64));
        historian.append(batch(vec![sample])).await.unwrap();
        // It writes a block however little space there is for a merge.
        historian.flush().await.unwrap();
    }
    historian.tend(false).await.unwrap();
    let stats = historian.stats();
    assert_eq!((stats.blocks, stats.unavailable), (7, None));
    let MergeWait { needed_bytes, free_bytes } = stats.merge_wait.unwrap();
    assert_eq!(free_bytes, margin);
    assert!(needed_bytes > margin && needed_bytes <= margin + stats.bytes);
    assert_eq!(historian.contents().merge_wait, stats.merge_wait);
    let asked = historian.compact().await;
    assert!(matches!(asked, Err(HistorianError::NoRoom { .. })), "{asked:?}");
    // Space for five of them, which are merged.
    disk.0.store(margin + stats.bytes * 11 / 14, Ordering::SeqCst);
    historian.tend(false).await.unwrap();
    assert!(historian.stats().blocks < 7);
    disk.0.store(u64::MAX, Ordering::SeqCst);
    historian.compact().await.unwrap();
    let stats = historian.stats();
    assert_eq!((stats.blocks, stats.merge_wait), (1, None));
    assert_eq!(all(&historian, 1).await.len(), 7);
}
