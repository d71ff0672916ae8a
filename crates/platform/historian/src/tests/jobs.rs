//! Jobs of the keeper in a row: what waits is written between them, one that fails holds up no
//! other, and closing waits for none.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock, Weak};

use tokio::sync::Notify;
use weir_model::{TagId, TenantId};

use super::*;
use crate::HistorianError;
use crate::disk::{Disk, DiskFile, LocalDisk};
use crate::shared::Shared;

/// A disk that notes the blocks written on it, and once waits at the begin of one for a table to
/// be handed over.
#[derive(Default)]
struct WatchedDisk {
    is_armed: AtomicBool,
    reached: Notify,
    shared: OnceLock<Weak<Shared>>,
    blocks: Mutex<Vec<PathBuf>>,
}

impl WatchedDisk {
    /// Of which tenants blocks were written.
    fn tenants(&self) -> Vec<u32> {
        let of = |path: &PathBuf| {
            let part = path.components().find_map(|part| {
                part.as_os_str().to_str()?.strip_prefix("tenant=").map(str::to_owned)
            });
            part.unwrap().parse().unwrap()
        };
        self.blocks.lock().unwrap().iter().map(of).collect()
    }

    fn arm(&self) {
        self.blocks.lock().unwrap().clear();
        self.is_armed.store(true, Ordering::SeqCst);
    }
}

impl Disk for WatchedDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let is_block = path.extension().is_some_and(|extension| extension == "parquet");
        if is_block && self.is_armed.swap(false, Ordering::SeqCst) {
            self.reached.notify_one();
            let shared = self.shared.get().and_then(Weak::upgrade).unwrap();
            while !shared.keeper.is_busy() {
                std::thread::yield_now();
            }
        }
        LocalDisk.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        LocalDisk.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.extension().is_some_and(|extension| extension == "parquet") {
            self.blocks.lock().unwrap().push(to.to_owned());
        }
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
}

fn of_tenant(tenant: u32, samples: Vec<(TagId, Sample)>) -> Batch {
    Batch { tenant: TenantId(tenant), ..batch(samples) }
}

/// A historian with two days of tenant 1 that are to be merged, and its disk.
async fn two_jobs(dir: &Path) -> (Historian, Arc<WatchedDisk>) {
    let (disk, clock) = (Arc::new(WatchedDisk::default()), TestClock::new());
    let options = Options { clock: clock.clock(), ..options() };
    let historian = Historian::open_on(Arc::clone(&disk) as _, dir, options).unwrap();
    disk.shared.set(Arc::downgrade(historian.shared())).unwrap();
    for value in 0..2 {
        let sample = |tag, day: i64| (TagId(tag), number(day * DAY, f64::from(value)));
        let samples = vec![sample(1, 0), sample(2, 0), sample(1, 1), sample(2, 1)];
        historian.append(batch(samples)).await.unwrap();
        historian.flush().await.unwrap();
    }
    // The keeper does what follows the last flush before the clock goes on.
    historian.tend(false).await.unwrap();
    clock.pass(3 * DAY);
    disk.arm();
    (historian, disk)
}

#[tokio::test]
async fn what_waits_is_written_between_two_merges() {
    let dir = tempfile::tempdir().unwrap();
    let (historian, disk) = two_jobs(dir.path()).await;
    let other = historian.clone();
    let tended = tokio::spawn(async move { other.tend(false).await });
    disk.reached.notified().await;
    historian.append(of_tenant(2, vec![(TagId(1), number(0, 1.0))])).await.unwrap();
    historian.flush().await.unwrap();
    tended.await.unwrap().unwrap();
    assert_eq!(disk.tenants(), [1, 2, 1]);
}

#[tokio::test]
async fn what_waits_is_written_between_two_erasures() {
    let dir = tempfile::tempdir().unwrap();
    let (historian, disk) = two_jobs(dir.path()).await;
    historian.delete(TENANT, TagId(1), (at(-1), at(1)), at(0)).await.unwrap();
    let other = historian.clone();
    let tended = tokio::spawn(async move { other.tend(false).await });
    disk.reached.notified().await;
    historian.append(of_tenant(2, vec![(TagId(1), number(0, 1.0))])).await.unwrap();
    historian.flush().await.unwrap();
    tended.await.unwrap().unwrap();
    // Two blocks of the first day are written without it, then each day's are merged.
    assert_eq!(disk.tenants(), [1, 2, 1, 1, 1]);
    assert_eq!(all(&historian, 1).await, [number(DAY, 1.0)]);
}

#[tokio::test]
async fn closing_waits_for_no_merge_after_the_one_that_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (historian, disk) = two_jobs(dir.path()).await;
    let other = historian.clone();
    let tended = tokio::spawn(async move { other.tend(false).await });
    disk.reached.notified().await;
    historian.append(of_tenant(2, vec![(TagId(1), number(0, 1.0))])).await.unwrap();
    historian.close().await.unwrap();
    assert!(matches!(tended.await.unwrap(), Err(HistorianError::Closed)));
    assert_eq!(disk.tenants(), [1, 2]);
    let stored = open(dir.path());
    assert_eq!(all(&stored, 1).await, [number(0, 1.0), number(DAY, 1.0)]);
}

#[tokio::test]
async fn a_block_that_cannot_be_read_holds_up_no_other() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
    let options = Options { clock: clock.clock(), ..options() };
    let historian = Historian::open(dir.path(), options).unwrap();
    for tenant in [1, 2] {
        for value in 0..3 {
            let samples = vec![(TagId(1), number(0, f64::from(value)))];
            historian.append(of_tenant(tenant, samples)).await.unwrap();
            historian.flush().await.unwrap();
        }
    }
    // The keeper does what follows the last flush before the clock goes on.
    historian.tend(false).await.unwrap();
    // A link to itself in its place: opening it fails.
    let first = |tenant: u32| {
        let version = historian.shared().view().version;
        let mut blocks = version.blocks().filter(|block| block.entry().tenant.0 == tenant);
        blocks.next().unwrap().path().to_owned()
    };
    let (broken, aside) = (first(1), dir.path().join("aside"));
    std::fs::rename(&broken, &aside).unwrap();
    std::os::unix::fs::symlink(&broken, &broken).unwrap();
    clock.pass(3 * DAY);
    let count = |tenant: u32| {
        let version = historian.shared().view().version;
        version.blocks().filter(|block| block.entry().tenant.0 == tenant).count()
    };
    assert!(matches!(historian.tend(false).await, Err(HistorianError::Io { .. })));
    assert_eq!((count(1), count(2)), (2, 1), "the others are merged");
    historian.tend(false).await.unwrap();
    assert_eq!((count(1), count(2)), (2, 1), "it is left alone for a while");
    assert!(matches!(historian.compact().await, Err(HistorianError::Io { .. })));
    std::fs::remove_file(&broken).unwrap();
    std::fs::rename(&aside, &broken).unwrap();
    historian.compact().await.unwrap();
    assert_eq!((count(1), count(2)), (1, 1), "who asks for it has it tried again");
    assert_eq!(all(&historian, 1).await, [number(0, 2.0)]);
}
