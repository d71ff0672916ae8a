//! The historian's handle: what the rest of Weir calls.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use weir_model::{BATCH_DAYS_MAX, Batch, Sample, TagId, TenantId, Timestamp};

use crate::deletion::Entry;
use crate::disk::{Disk, LocalDisk};
use crate::downsample::Downsampler;
use crate::keeper::Keeper;
use crate::log::record;
use crate::memory::Table;
use crate::queue::Job;
use crate::row::Row;
use crate::scan::Scan;
use crate::shared::Shared;
use crate::writer::Writer;
use crate::{
    AppendError, BATCH_BYTES_MAX, HistorianError, Live, Options, RANGE_HEAP_BYTES_MAX,
    RANGE_SAMPLES_MAX, Stats, recovery,
};

/// Rows read between two looks whether the caller is still there.
const ROWS_BETWEEN_LOOKS: usize = 4096;

/// A stored batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its position in the log. For a batch sent again: the newest position of its producer.
    pub position: u64,
    /// How many samples the batch has; all of them are stored.
    pub accepted: usize,
    /// Whether the batch had been stored before and was not stored again.
    pub duplicate: bool,
}

/// A historian of one data folder. Clones are handles of the same historian; when the last is
/// dropped without [`Historian::close`], what is only in the log stays there for the next opening.
#[derive(Clone)]
pub struct Historian {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    threads: Mutex<Option<Threads>>,
}

/// The two threads, and the lock that ends with them.
struct Threads {
    writer: JoinHandle<()>,
    keeper: JoinHandle<()>,
    lock: Lock,
}

/// The folder's lock.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do while a process that is being started has a copy of the file.
        let _ = self.0.unlock();
    }
}

impl Historian {
    /// Opens the historian of a folder, which is created where it is missing. Reads the manifest,
    /// the checkpoint and the log that is not in blocks yet, which options bound.
    ///
    /// # Errors
    /// [`HistorianError::AlreadyOpen`]; [`HistorianError::Corrupt`] where manifest, checkpoint or
    /// log are damaged (a torn end of the log is cut and reported, a damaged block is an error of
    /// those reads that touch it); [`HistorianError::Format`]; [`HistorianError::Io`].
    pub fn open(dir: &Path, options: Options) -> Result<Self, HistorianError> {
        Self::open_on(Arc::new(LocalDisk), dir, options)
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: Options,
    ) -> Result<Self, HistorianError> {
        let lock = Lock(recovery::lock(&*disk, dir)?);
        let (recovered, log, manifest) = recovery::recover(&disk, dir, &options)?;
        let shared = Arc::new(Shared::new(dir, options, disk, recovered));
        let writer = Writer::new(Arc::clone(&shared), log);
        let keeper = Keeper::new(Arc::clone(&shared), manifest);
        let writer = spawn("weir-writer", dir, move || writer.run())?;
        let keeper = spawn("weir-keeper", dir, move || keeper.run()).inspect_err(|_| {
            shared.queue.close();
        })?;
        let threads = Mutex::new(Some(Threads { writer, keeper, lock }));
        Ok(Self { inner: Arc::new(Inner { shared, threads }) })
    }

    /// Stores a batch, all of it or nothing. It is durable and readable when this returns.
    ///
    /// A batch whose producer has stored that sequence is not stored again, and is answered as
    /// stored; see [`PRODUCERS_PER_TENANT_MAX`](crate::PRODUCERS_PER_TENANT_MAX) for how long that
    /// is known. One whose sequence lies [`SEQUENCE_WINDOW`](crate::SEQUENCE_WINDOW) or more below
    /// the producer's highest is refused, because it is not known whether it was stored. Waits where the queue is full. A caller that stops waiting does not
    /// learn whether the batch was stored.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append(&self, batch: Batch) -> Result<Appended, AppendError> {
        let stored = self.try_append(batch).await;
        if stored.as_ref().is_err_and(|error| !is_of_writer(error)) {
            self.shared().counters.refused.fetch_add(1, Ordering::Relaxed);
        }
        stored
    }

    /// Whether a batch would be refused for its size or its times, whichever its tags are. Stores nothing.
    ///
    /// # Errors
    /// [`AppendError::TooLarge`], [`AppendError::TimeInFuture`], [`AppendError::TooManyDays`].
    pub fn check_append(&self, batch: &Batch) -> Result<(), AppendError> {
        self.check_batch(batch).map(drop)
    }

    /// As [`Historian::check_append`]; gives the most bytes that the batch takes in the log.
    fn check_batch(&self, batch: &Batch) -> Result<usize, AppendError> {
        let bytes = record::batch_bytes_max(batch);
        if bytes > BATCH_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes, bytes_max: BATCH_BYTES_MAX });
        }
        check_times(batch, self.shared().options.future_max.as_nanos())?;
        check_days(batch)?;
        Ok(bytes)
    }

    async fn try_append(&self, batch: Batch) -> Result<Appended, AppendError> {
        let shared = self.shared();
        let bytes = self.check_batch(&batch)?;
        // While a batch waits, it is there twice: as samples and as bytes of the log.
        let room = bytes + batch.samples.bytes();
        let room = shared.queue.room(room).await?;
        let mut payload = Vec::with_capacity(record::batch_bytes_likely(&batch).min(bytes));
        record::encode_batch(&batch, &mut payload);
        let (done, stored) = oneshot::channel();
        shared.queue.push(Job { entry: Entry::Batch(batch), payload, done, room })?;
        stored.await.unwrap_or(Err(AppendError::Closed))
    }

    /// The newest sample of a tag, by time; of two of one time, the one stored later. Backfill
    /// never replaces a newer one.
    pub fn last(&self, tenant: TenantId, tag: TagId) -> Option<Sample> {
        self.shared().last().get(tenant, tag)
    }

    /// The samples of a tag with `from <= time < to`, in order of time, each time once, at most
    /// `limit`: those that come first. For the next page, ask from the last one's time plus one
    /// nanosecond.
    ///
    /// # Errors
    /// [`HistorianError::Corrupt`] where a block that is needed is damaged;
    /// [`HistorianError::LimitTooLarge`] beyond [`RANGE_SAMPLES_MAX`];
    /// [`HistorianError::AnswerTooLarge`] beyond [`RANGE_HEAP_BYTES_MAX`];
    /// [`HistorianError::Io`].
    pub async fn range(
        &self,
        tenant: TenantId,
        tag: TagId,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Sample>, HistorianError> {
        check_limit(limit)?;
        self.read(move |shared, caller| {
            let mut scan = Scan::new(&shared.view(), &shared.blocks, (tenant, tag), (from, to))?;
            let mut samples = Vec::new();
            let mut heap_bytes = 0;
            while samples.len() < limit
                && let Some(row) = scan.next()?
            {
                caller.look(samples.len())?;
                heap_bytes += check_heap(heap_bytes, &row)?;
                samples.push(row.into());
            }
            Ok(samples)
        })
        .await
    }

    /// The samples of a tag with `from <= time < to` where they are at most `points_max`, else as
    /// many of them as that, chosen so that a line through them looks the same: of every stretch
    /// of time the first, lowest, highest and last, and a bad one where there are any.
    ///
    /// # Errors
    /// As [`Historian::range`].
    pub async fn downsample(
        &self,
        tenant: TenantId,
        tag: TagId,
        from: Timestamp,
        to: Timestamp,
        points_max: usize,
    ) -> Result<Vec<Sample>, HistorianError> {
        check_limit(points_max)?;
        self.read(move |shared, caller| {
            let mut scan = Scan::new(&shared.view(), &shared.blocks, (tenant, tag), (from, to))?;
            let mut downsampler = Downsampler::new(points_max, scan.span());
            let (mut rows, mut unmeasured_bytes) = (0, 0);
            while let Some(row) = scan.next()? {
                rows += 1;
                caller.look(rows)?;
                unmeasured_bytes += row.heap_bytes();
                downsampler.push(row);
                // What is held must stay bounded too, not only what is answered.
                if unmeasured_bytes > RANGE_HEAP_BYTES_MAX {
                    if downsampler.heap_bytes() > RANGE_HEAP_BYTES_MAX {
                        let bytes_max = RANGE_HEAP_BYTES_MAX;
                        return Err(HistorianError::AnswerTooLarge { bytes_max });
                    }
                    unmeasured_bytes = 0;
                }
            }
            let mut heap_bytes = 0;
            let mut samples = Vec::new();
            for row in downsampler.finish() {
                heap_bytes += check_heap(heap_bytes, &row)?;
                samples.push(row.into());
            }
            Ok(samples)
        })
        .await
    }

    /// What is stored from now on, preceded by what is remembered after a position. Backfill is
    /// left out.
    pub fn live(&self, after: Option<u64>) -> Live {
        self.shared().live.subscribe(after)
    }

    /// Writes everything stored so far to blocks. Nothing needs this for durability.
    ///
    /// # Errors
    /// [`HistorianError::Flush`] where blocks cannot be written: it is tried again by itself.
    pub async fn flush(&self) -> Result<(), HistorianError> {
        let shared = self.shared();
        let position = shared.counters.position.load(Ordering::Acquire);
        let mut progress = shared.progress.subscribe();
        let failures = progress.borrow_and_update().failures;
        shared.counters.flush_asked.fetch_max(position, Ordering::AcqRel);
        shared.queue.wake();
        shared.keeper.nudge();
        loop {
            {
                let progress = progress.borrow_and_update();
                if progress.covered >= position {
                    return Ok(());
                }
                if progress.failures > failures
                    && let Some(failure) = &progress.failure
                {
                    return Err(HistorianError::Flush { reason: failure.to_string() });
                }
            }
            if self.inner.is_closed() || progress.changed().await.is_err() {
                return Err(HistorianError::Closed);
            }
        }
    }

    /// Numbers about the historian at this moment.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let counters = &shared.counters;
        let view = shared.view();
        let bytes_of =
            |table: &RwLock<Table>| table.read().unwrap_or_else(PoisonError::into_inner).bytes();
        let memory_bytes = view.tables().map(|(table, _)| bytes_of(table)).sum();
        Stats {
            samples: counters.samples.load(Ordering::Relaxed),
            position: counters.position.load(Ordering::Relaxed),
            bytes: view.version.blocks().map(|block| block.entry().bytes).sum(),
            wal_bytes: counters.log_bytes.load(Ordering::Relaxed),
            blocks: view.version.blocks().count(),
            damaged_blocks: view.version.blocks().filter(|block| block.is_damaged()).count(),
            memory_bytes,
            merge_wait: shared.merge_wait(),
            deletions: view.deletions.len(),
            queue_bytes: shared.queue.bytes(),
            queue_bytes_max: shared.queue.bytes_max(),
            producers: shared.producers().len(),
            tags: shared.last().len(),
            appended: counters.appended.load(Ordering::Relaxed),
            duplicates: counters.duplicates.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
            unavailable: shared.unavailable().map(|reason| reason.to_string()),
        }
    }

    /// Stores what is waiting, writes memory to blocks and lets go of the folder. Appends are
    /// refused from now on, reads go on.
    ///
    /// # Errors
    /// [`HistorianError::Flush`] where blocks could not be written: the log has everything.
    pub async fn close(&self) -> Result<(), HistorianError> {
        let inner = Arc::clone(&self.inner);
        let closed = tokio::task::spawn_blocking(move || inner.close());
        closed.await.unwrap_or(Err(HistorianError::Closed))
    }

    /// Reads on a thread that may block, a bounded number at the same time.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared, &Caller) -> Result<T, HistorianError> + Send + 'static,
    ) -> Result<T, HistorianError> {
        let shared = Arc::clone(self.shared());
        let reads = Arc::clone(&shared.reads);
        let place = reads.acquire_owned().await.map_err(|_| HistorianError::Closed)?;
        let gone = Gone(Arc::default());
        let caller = Caller(Arc::clone(&gone.0));
        let answer = tokio::task::spawn_blocking(move || {
            let _place = place;
            read(&shared, &caller)
        });
        let answer = answer.await;
        drop(gone);
        answer.unwrap_or(Err(HistorianError::Closed))
    }

    /// Lets the next read open its blocks again.
    #[cfg(test)]
    pub(crate) fn forget_open_blocks(&self) {
        let shared = self.shared();
        shared.view().version.blocks().for_each(|block| shared.blocks.forget(block.entry().id));
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }
}

impl std::fmt::Debug for Historian {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Historian").field("dir", &self.shared().dir).finish_non_exhaustive()
    }
}

impl Inner {
    fn close(&self) -> Result<(), HistorianError> {
        let closed = self.end_threads();
        // Whoever waits for a flush that did not come looks again, and finds it closed.
        self.shared.progress.send_modify(|_| {});
        closed
    }

    fn end_threads(&self) -> Result<(), HistorianError> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Threads { writer, keeper, lock }) = threads.take() else { return Ok(()) };
        let shared = &self.shared;
        shared.counters.flush_asked.store(u64::MAX, Ordering::Release);
        shared.keeper.prepare_close();
        shared.queue.close();
        let writer = writer.join();
        shared.keeper.close();
        let keeper = keeper.join();
        drop(lock);
        let failure = shared.progress.borrow().failure.clone();
        match (failure, writer, keeper) {
            (None, Ok(()), Ok(())) => Ok(()),
            (Some(failure), ..) => Err(HistorianError::Flush { reason: failure.to_string() }),
            _ => Err(HistorianError::Flush { reason: "a thread of the historian failed".into() }),
        }
    }

    fn is_closed(&self) -> bool {
        self.threads.try_lock().is_ok_and(|threads| threads.is_none())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let threads = self.threads.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Threads { writer, keeper, lock }) = threads {
            self.shared.keeper.stop();
            self.shared.queue.close();
            // A thread that failed has nothing left to end.
            let _ = writer.join();
            let _ = keeper.join();
            drop(lock);
        }
    }
}

/// Sets its flag when the caller of a read has its answer or has gone away.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The caller of a read, as the read sees it.
pub(crate) struct Caller(Arc<AtomicBool>);

impl Caller {
    /// Ends a read whose caller has gone away; looks only now and then.
    pub(crate) fn look(&self, rows: usize) -> Result<(), HistorianError> {
        if rows.is_multiple_of(ROWS_BETWEEN_LOOKS) && self.0.load(Ordering::Relaxed) {
            return Err(HistorianError::Closed);
        }
        Ok(())
    }
}

fn spawn(
    name: &'static str,
    dir: &Path,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, HistorianError> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(HistorianError::io("start a thread for", dir))
}

/// Refusals that the writer has counted.
fn is_of_writer(error: &AppendError) -> bool {
    matches!(error, AppendError::DiskFull | AppendError::Unavailable { .. })
}

fn check_times(batch: &Batch, future_max_ns: u128) -> Result<(), AppendError> {
    let future_max_ns = i64::try_from(future_max_ns).unwrap_or(i64::MAX);
    let latest = batch.arrival.saturating_add(future_max_ns);
    let times = batch.samples.times();
    let late = times.iter().position(|time| *time > latest);
    match late {
        None => Ok(()),
        Some(index) => {
            let tag = batch.samples.tags()[index];
            Err(AppendError::TimeInFuture { index, tag, time: times[index], latest })
        }
    }
}

fn check_days(batch: &Batch) -> Result<(), AppendError> {
    let mut days = HashSet::new();
    // Neighbours are mostly of one day.
    let mut newest = 0..0;
    for time in batch.samples.times() {
        if newest.contains(&time.nanos()) {
            continue;
        }
        let day = time.day();
        let start = |day| Timestamp::start_of_day(day).nanos();
        newest = start(day)..start(day.saturating_add(1));
        if days.insert(day) && days.len() > BATCH_DAYS_MAX {
            return Err(AppendError::TooManyDays { days_max: BATCH_DAYS_MAX });
        }
    }
    Ok(())
}

pub(crate) fn check_limit(limit: usize) -> Result<(), HistorianError> {
    if limit > RANGE_SAMPLES_MAX {
        return Err(HistorianError::LimitTooLarge { limit, limit_max: RANGE_SAMPLES_MAX });
    }
    Ok(())
}

/// The bytes that a row adds to an answer.
fn check_heap(heap_bytes: usize, row: &Row) -> Result<usize, HistorianError> {
    let added = row.heap_bytes();
    if heap_bytes + added > RANGE_HEAP_BYTES_MAX {
        return Err(HistorianError::AnswerTooLarge { bytes_max: RANGE_HEAP_BYTES_MAX });
    }
    Ok(added)
}
