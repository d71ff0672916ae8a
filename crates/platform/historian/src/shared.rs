//! What the historian's handles, its writer and its keeper share.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{Semaphore, watch};
use weir_model::{Retention, TenantId};

use crate::block::read::OpenBlocks;
use crate::disk::{self, Disk};
use crate::keeper::{KeeperQueue, Rules};
use crate::last::LastValues;
use crate::live::LiveStream;
use crate::producers::Producers;
use crate::queue::Queue;
use crate::rollup::RollupCache;
use crate::scan::View;
use crate::{AppendError, MergeWait, Options};

/// Bytes that a disk takes if it is not full. Few in tests, which start thousands of historians.
const PROBE_BYTES: usize = if cfg!(test) { 4 << 10 } else { 256 << 10 };

/// The state of an open historian. Locks are taken one at a time, except `last` before `producers`.
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) queue: Queue,
    pub(crate) keeper: KeeperQueue,
    pub(crate) live: LiveStream,
    pub(crate) blocks: OpenBlocks,
    pub(crate) rollups: RollupCache,
    pub(crate) reads: Arc<Semaphore>,
    /// How far the blocks are.
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) counters: Counters,
    view: RwLock<View>,
    last: RwLock<LastValues>,
    producers: Mutex<Producers>,
    unavailable: Mutex<Option<AppendError>>,
    merge_wait: Mutex<Option<MergeWait>>,
    retention: RwLock<Arc<Rules>>,
}

/// How far the blocks are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Every position up to this one is in blocks.
    pub(crate) covered: u64,
    /// How often writing blocks failed.
    pub(crate) failures: u64,
    /// Why it failed last, while it has not succeeded since.
    pub(crate) failure: Option<AppendError>,
}

/// Numbers for [`Stats`](crate::Stats).
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// The newest position.
    pub(crate) position: AtomicU64,
    /// Samples ever stored.
    pub(crate) samples: AtomicU64,
    /// Bytes of the log.
    pub(crate) log_bytes: AtomicU64,
    /// Batches stored.
    pub(crate) appended: AtomicU64,
    /// Batches sent again.
    pub(crate) duplicates: AtomicU64,
    /// Batches refused.
    pub(crate) refused: AtomicU64,
    /// The position up to which a flush was asked for.
    pub(crate) flush_asked: AtomicU64,
}

/// What recovery found.
pub(crate) struct Recovered {
    pub(crate) view: View,
    pub(crate) last: LastValues,
    pub(crate) producers: Producers,
    pub(crate) live: LiveStream,
    pub(crate) covered: u64,
    pub(crate) position: u64,
    pub(crate) samples: u64,
}

impl Shared {
    /// The state of a historian that was recovered.
    pub(crate) fn new(
        dir: &Path,
        options: Options,
        disk: Arc<dyn Disk>,
        recovered: Recovered,
    ) -> Self {
        let counters = Counters::default();
        counters.position.store(recovered.position, Ordering::Relaxed);
        counters.samples.store(recovered.samples, Ordering::Relaxed);
        let progress = Progress { covered: recovered.covered, ..Progress::default() };
        Self {
            dir: dir.to_owned(),
            disk,
            queue: Queue::new(options.queue_bytes_max, options.queue_wait_max),
            keeper: KeeperQueue::default(),
            live: recovered.live,
            blocks: OpenBlocks::default(),
            rollups: RollupCache::default(),
            reads: Arc::new(Semaphore::new(options.reads_max.max(1))),
            progress: watch::Sender::new(progress),
            counters,
            view: RwLock::new(recovered.view),
            last: RwLock::new(recovered.last),
            producers: Mutex::new(recovered.producers),
            unavailable: Mutex::new(None),
            merge_wait: Mutex::new(None),
            retention: RwLock::default(),
            options,
        }
    }

    /// What is stored at this moment.
    pub(crate) fn view(&self) -> View {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is stored.
    pub(crate) fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last values.
    pub(crate) fn last(&self) -> RwLockReadGuard<'_, LastValues> {
        self.last.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last values, to change them.
    pub(crate) fn last_mut(&self) -> RwLockWriteGuard<'_, LastValues> {
        self.last.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The producers.
    pub(crate) fn producers(&self) -> MutexGuard<'_, Producers> {
        self.producers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much is kept.
    pub(crate) fn retention(&self) -> Arc<Rules> {
        Arc::clone(&self.retention.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets how much of a tenant's samples is kept.
    pub(crate) fn set_retention(&self, tenant: TenantId, retention: Retention) {
        let mut rules = self.retention.write().unwrap_or_else(PoisonError::into_inner);
        let rules = Arc::make_mut(&mut rules);
        if retention.rules().is_empty() {
            rules.remove(&tenant);
        } else {
            rules.insert(tenant, retention);
        }
    }

    /// Writes as much as a group of batches may take ahead, and removes it.
    ///
    /// # Errors
    /// The operating system's: the disk is full, or cannot be written for another reason.
    pub(crate) fn probe(&self) -> io::Result<()> {
        let folder = self.dir.join("tmp");
        disk::create_dir_all(&*self.disk, &folder)?;
        let path = folder.join("probe");
        let write = || {
            let mut file = self.disk.create(&path)?;
            file.write_all_at(&vec![0; PROBE_BYTES], 0)?;
            file.sync()
        };
        let written = write();
        match (written, self.disk.remove(&path)) {
            (Err(error), _) => Err(error),
            // What a crash left is removed meanwhile, by whoever took it for that.
            (Ok(()), Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            (Ok(()), removed) => removed,
        }
    }

    /// Notes whether batches can be stored, and tells the operator when that changes.
    pub(crate) fn set_unavailable(&self, reason: Option<AppendError>) {
        let mut state = self.unavailable.lock().unwrap_or_else(PoisonError::into_inner);
        match (state.as_ref(), &reason) {
            (None, Some(reason)) => tracing::error!(%reason, "the historian refuses samples"),
            (Some(_), None) => tracing::info!("the historian accepts samples again"),
            _ => {}
        }
        *state = reason;
    }

    /// Notes what a merge waits for, and tells the operator when that begins and ends.
    pub(crate) fn set_merge_wait(&self, wait: Option<MergeWait>) {
        let mut state = self.merge_wait.lock().unwrap_or_else(PoisonError::into_inner);
        match (state.as_ref(), wait) {
            (None, Some(MergeWait { needed_bytes, free_bytes })) => tracing::warn!(
                needed_bytes,
                free_bytes,
                "files of the historian are not merged until there is space on the disk"
            ),
            (Some(_), None) => tracing::info!("there is space to merge files of the historian"),
            _ => {}
        }
        *state = wait;
    }

    /// What a merge waits for.
    pub(crate) fn merge_wait(&self) -> Option<MergeWait> {
        *self.merge_wait.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why batches cannot be stored.
    pub(crate) fn unavailable(&self) -> Option<AppendError> {
        self.unavailable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A failed write as the caller of an append sees it.
pub(crate) fn refusal(error: &io::Error) -> AppendError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => AppendError::DiskFull,
        _ => AppendError::Unavailable { reason: error.to_string() },
    }
}
