//! The broker's journal: what acknowledged messages, kept sessions and retained messages need to
//! survive a crash.
//!
//! Records go into one buffer; a thread of its own writes what has gathered and waits for the disk
//! once for all who wait (group commit). Segments that are mostly dead are given up from the oldest,
//! so that the files take at most about twice what is live.

mod index;
pub(crate) mod record;
pub(crate) mod recovered;
mod segments;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use weir_model::TenantId;

use crate::acks::{Acks, Round};
use crate::error::BrokerError;
use crate::journal::index::{Index, Place};
use crate::journal::record::Entry;
use crate::journal::recovered::Recovered;
use crate::journal::segments::{SEGMENT_BYTES, Segments};
use crate::share::{Pool, Share};
use crate::signal::{Signal, WAKE_OUTBOX, WAKE_ROOM};

/// Bytes that wait to be written; at more, publishers are not read further.
const PENDING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Removals that nobody waits for are written this much later, together.
const LAZY: Duration = Duration::from_millis(200);
/// After an error of the disk the same records are tried again, as long as it takes: nothing is
/// acknowledged meanwhile.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    pending: Mutex<Pending>,
    wake: Condvar,
    /// Live bytes and those that wait to be written, by tenant.
    shares: Mutex<HashMap<TenantId, Arc<Share>>>,
    pool: Arc<Pool>,
    live_bytes: AtomicU64,
    /// Up to which position all is on disk.
    durable: AtomicU64,
    file_bytes: AtomicU64,
    syncs: AtomicU64,
    failing: AtomicBool,
}

#[derive(Debug, Default)]
struct Pending {
    frames: Vec<u8>,
    /// Bytes of the frames by tenant.
    tally: Tally,
    /// The position of the last record that was added; records are counted from 1.
    position: u64,
    waiters: Vec<Waiter>,
    blocked: Vec<Weak<Signal>>,
    closed: bool,
}

type Tally = HashMap<TenantId, (Arc<Share>, u64)>;

#[derive(Debug)]
enum Waiter {
    Acks(Arc<Acks>, Round),
    Flush(oneshot::Sender<()>),
    Outbox(Weak<Signal>),
}

/// What the writer takes at a time.
#[derive(Debug, Default)]
struct Gathered {
    tally: Tally,
    position: u64,
    waiters: Vec<Waiter>,
    blocked: Vec<Weak<Signal>>,
    closed: bool,
}

impl Shared {
    fn new(bytes_max: u64) -> Self {
        Self {
            pending: Mutex::default(),
            wake: Condvar::new(),
            shares: Mutex::default(),
            pool: Pool::new("journal", bytes_max),
            live_bytes: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            file_bytes: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        }
    }

    fn share(&self, tenant: TenantId) -> Arc<Share> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shares.entry(tenant).or_insert_with(|| Share::new(tenant, &self.pool)))
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    /// Opens the journal in a folder, which is made, and says what it held. Tenants share
    /// `bytes_max` bytes that are live or wait to be written.
    pub(crate) fn open(dir: &Path, bytes_max: u64) -> Result<(Self, Recovered), BrokerError> {
        let failed = |source| BrokerError::Journal { path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        let lock = File::create(dir.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(BrokerError::InUse(dir.to_owned())),
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let (segments, index, recovered) = Segments::open(dir, SEGMENT_BYTES)?;
        let shared = Arc::new(Shared::new(bytes_max));
        for (tenant, bytes) in index.tenants() {
            shared.share(TenantId(tenant)).add(bytes);
        }
        shared.live_bytes.store(index.live_bytes(), Relaxed);
        shared.file_bytes.store(segments.bytes(), Relaxed);
        let writer = Writer { shared: Arc::clone(&shared), segments, index, lock };
        let thread = std::thread::Builder::new()
            .name("mqtt-journal".to_owned())
            .spawn(move || writer.run())
            .map_err(failed)?;
        Ok((Self { shared, thread: Mutex::new(Some(thread)) }, recovered))
    }

    /// What a tenant has of the journal.
    pub(crate) fn share(&self, tenant: TenantId) -> Arc<Share> {
        self.shared.share(tenant)
    }

    /// Adds a record of a tenant, whether it fits into its share or not, and says its position. It
    /// reaches the disk with the next group commit.
    pub(crate) fn append(&self, share: &Arc<Share>, entry: &Entry<'_>) -> u64 {
        let mut pending = self.shared.pending();
        pending.position += 1;
        let position = pending.position;
        if pending.closed {
            return position;
        }
        let first = pending.frames.is_empty();
        let before = pending.frames.len();
        entry.write(&mut pending.frames);
        let added = pending.frames.len().saturating_sub(before) as u64;
        share.add(added);
        let counted = pending.tally.entry(share.tenant());
        counted.or_insert_with(|| (Arc::clone(share), 0)).1 += added;
        let large = pending.frames.len() >= PENDING_BYTES_MAX / 8;
        drop(pending);
        if first || large {
            self.shared.wake.notify_one();
        }
        position
    }

    /// The position up to which all is on disk.
    pub(crate) fn durable(&self) -> u64 {
        self.shared.durable.load(Acquire)
    }

    /// Wakes a connection when all that was added until now is on disk, so that it sends on.
    pub(crate) fn wake_when_durable(&self, connection: &Arc<Signal>) {
        {
            let mut pending = self.shared.pending();
            if pending.closed {
                return;
            }
            pending.waiters.push(Waiter::Outbox(Arc::downgrade(connection)));
        }
        self.shared.wake.notify_one();
    }

    /// Tells these acknowledgements when all that was added until now is on disk.
    pub(crate) fn when_durable(&self, acks: &Arc<Acks>, round: Round) {
        {
            let mut pending = self.shared.pending();
            if pending.closed {
                return; // nothing is acknowledged any more
            }
            pending.waiters.push(Waiter::Acks(Arc::clone(acks), round));
        }
        self.shared.wake.notify_one();
    }

    /// Waits until all that was added until now is on disk.
    pub(crate) async fn flushed(&self) -> Result<(), oneshot::error::RecvError> {
        let (told, tell) = oneshot::channel();
        {
            let mut pending = self.shared.pending();
            if !pending.closed {
                pending.waiters.push(Waiter::Flush(told));
            }
        }
        self.shared.wake.notify_one();
        tell.await
    }

    /// Whether so much waits to be written that publishers have to stop. Then the connection is
    /// woken when there is room.
    pub(crate) fn block_if_full(&self, connection: &Arc<Signal>) -> bool {
        let mut pending = self.shared.pending();
        if pending.frames.len() < PENDING_BYTES_MAX {
            return false;
        }
        pending.blocked.push(Arc::downgrade(connection));
        true
    }

    pub(crate) fn live_bytes(&self) -> u64 {
        self.shared.live_bytes.load(Relaxed)
    }

    pub(crate) fn file_bytes(&self) -> u64 {
        self.shared.file_bytes.load(Relaxed)
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.shared.syncs.load(Relaxed)
    }

    /// The disk refuses what is to be written.
    pub(crate) fn is_failing(&self) -> bool {
        self.shared.failing.load(Relaxed)
    }

    /// Writes what waits and ends the thread. Blocks for the disk.
    pub(crate) fn close(&self) {
        self.shared.pending().closed = true;
        self.shared.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

struct Writer {
    shared: Arc<Shared>,
    segments: Segments,
    index: Index,
    lock: File,
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that this one is just starting has a copy of it
        // until it runs its own program, and with it the lock.
        let _ = self.lock.unlock();
    }
}

impl Writer {
    fn run(mut self) {
        let mut frames = Vec::new();
        loop {
            frames.clear();
            let gathered = self.gather(&mut frames);
            if !frames.is_empty() && !self.commit(&frames, gathered.tally) {
                return; // closed while the disk failed: nobody is told that anything is durable
            }
            self.shared.durable.store(gathered.position, Release);
            for waiter in gathered.waiters {
                match waiter {
                    Waiter::Acks(acks, round) => acks.durable(round),
                    Waiter::Flush(tell) => drop(tell.send(())),
                    Waiter::Outbox(signal) => {
                        _ = signal.upgrade().map(|signal| signal.wake(WAKE_OUTBOX));
                    }
                }
            }
            for connection in gathered.blocked.iter().filter_map(Weak::upgrade) {
                connection.wake(WAKE_ROOM);
            }
            if gathered.closed {
                return;
            }
            self.give_up();
            if frames.capacity() > PENDING_BYTES_MAX {
                frames = Vec::new();
            }
        }
    }

    /// Waits for something to do, and takes all of it.
    fn gather(&self, frames: &mut Vec<u8>) -> Gathered {
        let mut pending = self.shared.pending();
        while pending.waiters.is_empty()
            && !pending.closed
            && pending.frames.len() < PENDING_BYTES_MAX / 8
        {
            if pending.frames.is_empty() {
                pending = self.shared.wake.wait(pending).unwrap_or_else(PoisonError::into_inner);
            } else {
                let waited = self.shared.wake.wait_timeout(pending, LAZY);
                let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                pending = guard;
                if timeout.timed_out() {
                    break;
                }
            }
        }
        std::mem::swap(frames, &mut pending.frames);
        Gathered {
            tally: std::mem::take(&mut pending.tally),
            position: pending.position,
            waiters: std::mem::take(&mut pending.waiters),
            blocked: std::mem::take(&mut pending.blocked),
            closed: pending.closed,
        }
    }

    /// Writes until it is on disk; false when the journal was closed before that.
    fn commit(&mut self, frames: &[u8], tally: Tally) -> bool {
        let mut failures = 0_u64;
        let (segment, mut offset) = loop {
            match self.segments.append(frames) {
                Ok(place) => break place,
                Err(error) => {
                    self.report(&error, failures);
                    failures += 1;
                }
            }
            let pending = self.shared.pending();
            let waited = self.shared.wake.wait_timeout_while(pending, RETRY, |p| !p.closed);
            if waited.unwrap_or_else(PoisonError::into_inner).0.closed {
                return false;
            }
        };
        self.shared.failing.store(false, Relaxed);
        self.shared.syncs.fetch_add(1, Relaxed);
        let tenants = tally.into_values();
        let tenants: Vec<_> = tenants
            .map(|(share, pending)| {
                let before = self.index.bytes_of(share.tenant().0);
                (share, pending + before)
            })
            .collect();
        let mut rest = frames;
        while let Some((body, length)) = record::frame(rest) {
            if let Some(record) = record::decode(body) {
                let bytes = u32::try_from(length).unwrap_or(u32::MAX);
                self.index.apply(record, Place { segment, offset, bytes }, false);
            }
            offset += length as u64;
            rest = rest.get(length..).unwrap_or_default();
        }
        for (share, counted) in tenants {
            share.add(self.index.bytes_of(share.tenant().0));
            share.sub(counted);
        }
        self.publish_sizes();
        true
    }

    fn report(&self, error: &io::Error, failures: u64) {
        self.shared.failing.store(true, Relaxed);
        // Once, and then once a minute: the disk may stay full for days.
        if failures.is_multiple_of(60) {
            tracing::error!(%error, "write the journal of the MQTT broker; it is tried again, and nothing is acknowledged until then");
        }
    }

    fn give_up(&mut self) {
        match self.segments.give_up_oldest(&mut self.index) {
            Ok(true) => self.publish_sizes(),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "shorten the journal of the MQTT broker"),
        }
    }

    fn publish_sizes(&self) {
        self.shared.live_bytes.store(self.index.live_bytes(), Relaxed);
        self.shared.file_bytes.store(self.segments.bytes(), Relaxed);
    }
}
