//! From devices to the sink: directly while it takes batches, through the spool while it does not.
//!
//! A producer's sequence must rise, or the sink takes a batch for a repetition. Therefore each
//! device has one pump, which delivers one batch at a time; and once a batch of a device is in the
//! spool, those that follow go there too, until all of its batches are delivered from it.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weir_model::{Batch, Producer, Sample, TagId, TenantId, Timestamp};

use crate::sequence::Sequencer;
use crate::spool::{Appended, Key, Losses, Spool, Spooled, key};
use crate::status::Meters;
use crate::{
    Backoff, Clock, ConnectError, DeliveryStatus, DeviceSpec, Options, Receipt, Refused, Settled,
    Sink,
};

/// How often the spool is made durable and sequence numbers are reserved anew.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Between attempts while the sink refuses.
const RETRY: Backoff = Backoff {
    floor: Duration::from_millis(50),
    base: Duration::from_millis(200),
    cap: Duration::from_secs(5),
    stable_after: Duration::ZERO,
};

/// The beginning of the producer names that devices have. They are the node's own: a batch from
/// outside under such a name would move a device's sequences on, and what the device sends next
/// would be taken for a repetition.
pub const DEVICE_PRODUCERS: &str = "device:";

/// Samples that came together, on their way to a pump.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) arrival: Timestamp,
    pub(crate) samples: Vec<(TagId, Sample)>,
    pub(crate) backfill: bool,
    /// What came with these samples did not fit: the next parcel with the same `backfill` goes on
    /// with it, and the last one brings the receipts.
    pub(crate) continued: bool,
    /// Called when all samples are on disk, or lost.
    pub(crate) receipts: Vec<Receipt>,
}

/// What became of a batch that was offered.
enum Offered {
    Stored,
    /// It will never be stored; it was counted as lost.
    Refused,
    Later,
}

/// Delivery for all devices of a supervisor.
pub(crate) struct Outbox {
    sink: Arc<dyn Sink>,
    clock: Arc<dyn Clock>,
    deliver_timeout: Duration,
    backfill_after: Duration,
    spool_bytes_max: u64,
    sequencer: Sequencer,
    spool: Mutex<Spool>,
    syncing: tokio::sync::Mutex<()>,
    /// Whose counters a loss belongs to.
    meters: Mutex<HashMap<Key, Arc<Meters>>>,
    refusing: Mutex<Option<String>>,
    dropped: AtomicU64,
    spooled: Notify,
}

impl Outbox {
    /// Opens spool and sequence. Reads files.
    pub(crate) fn open(sink: Arc<dyn Sink>, options: &Options) -> Result<Self, ConnectError> {
        let dir = &options.spool_dir;
        let (spool, sequence_max) = Spool::open(dir, options.spool_bytes_max, options.spool_full)?;
        let path = dir.join("sequence");
        let sequencer = Sequencer::open(path.clone(), sequence_max, options.clock.now())
            .map_err(|source| ConnectError::Spool { path, source })?;
        Ok(Self {
            sink,
            clock: Arc::clone(&options.clock),
            deliver_timeout: options.deliver_timeout,
            backfill_after: options.backfill_after,
            spool_bytes_max: options.spool_bytes_max,
            sequencer,
            spool: Mutex::new(spool),
            syncing: tokio::sync::Mutex::default(),
            meters: Mutex::default(),
            refusing: Mutex::default(),
            dropped: AtomicU64::new(0),
            spooled: Notify::new(),
        })
    }

    pub(crate) fn status(&self) -> DeliveryStatus {
        let spool = self.spool();
        let load = spool.load();
        DeliveryStatus {
            refusing: lock(&self.refusing).clone(),
            spooled_batches: load.batches,
            spooled_samples: load.samples,
            spool_bytes: spool.bytes(),
            spool_bytes_max: self.spool_bytes_max,
            dropped_samples: self.dropped.load(Relaxed),
            damaged: spool.damaged(),
        }
    }

    /// Up to when samples of a device are stored, as far as the sink knows.
    pub(crate) fn newest(&self, spec: &DeviceSpec) -> Option<Timestamp> {
        let tags: Vec<_> = spec.points.iter().map(|point| point.tag).collect();
        self.sink.newest(spec.tenant, &tags)
    }

    fn spool(&self) -> MutexGuard<'_, Spool> {
        lock(&self.spool)
    }

    /// Whose counters losses of this producer go to.
    pub(crate) fn register(&self, key: Key, meters: Arc<Meters>) {
        lock(&self.meters).insert(key, meters);
    }

    pub(crate) fn unregister(&self, key: &Key) {
        lock(&self.meters).remove(key);
    }

    /// Delivers what one device sends, in order, until the device is gone.
    pub(crate) async fn pump(self: Arc<Self>, key: Key, mut parcels: mpsc::Receiver<Parcel>) {
        // Live samples may overtake history that takes several parcels, so each has its own.
        let (mut live_worst, mut backfill_worst) = (Settled::Stored, Settled::Stored);
        while let Some(parcel) = parcels.recv().await {
            let Parcel { arrival, samples, backfill, continued, receipts } = parcel;
            let settled = if samples.is_empty() {
                Settled::Stored
            } else {
                let sequence = self.sequencer.next(self.clock.now());
                let producer = Producer::new(&key.1, sequence).ok();
                let samples = samples.into();
                let batch = Batch { tenant: key.0, producer, backfill, arrival, samples };
                self.dispatch(&key, batch, !receipts.is_empty()).await
            };
            let worst = if backfill { &mut backfill_worst } else { &mut live_worst };
            *worst = worse(*worst, settled);
            for receipt in receipts {
                receipt.settle(*worst);
            }
            if !continued {
                *worst = Settled::Stored;
            }
        }
    }

    /// Brings a batch to the sink or into the spool. Where somebody waits for a receipt, the spool
    /// is on disk before this returns.
    async fn dispatch(self: &Arc<Self>, key: &Key, batch: Batch, is_awaited: bool) -> Settled {
        let waits = self.spool().waits(key);
        if !waits {
            match self.offer(&batch).await {
                Offered::Stored => return Settled::Stored,
                Offered::Refused => return Settled::Refused,
                Offered::Later => {}
            }
        }
        let is_kept = self.keep(batch).await && (!is_awaited || self.sync_spool().await);
        if is_kept { Settled::Stored } else { Settled::Dropped }
    }

    /// Makes the spool durable; says whether it is.
    async fn sync_spool(self: &Arc<Self>) -> bool {
        // One at a time: who finds nothing left to sync must know that it is on disk, and not still
        // on its way there for somebody else.
        let _turn = self.syncing.lock().await;
        let outbox = Arc::clone(self);
        let synced = blocking(move || {
            let unsynced = outbox.spool().unsynced()?;
            unsynced.sync().inspect_err(|_| outbox.spool().not_synced())
        });
        match synced.await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the spool cannot be made durable");
                false
            }
        }
    }

    /// Offers a batch to the sink.
    async fn offer(&self, batch: &Batch) -> Offered {
        let mut never = false;
        let refusal = match timeout(self.deliver_timeout, self.sink.deliver(batch.clone())).await {
            Ok(Ok(())) => None,
            Ok(Err(Refused::Never(reason))) => {
                tracing::error!(producer = ?batch.producer, reason, "a batch can never be stored");
                self.lose(vec![(key(batch), batch.samples.len() as u64)]);
                never = true;
                None
            }
            Ok(Err(Refused::Later(reason))) => Some(reason),
            Err(_) => Some(format!("not stored within {} ms", self.deliver_timeout.as_millis())),
        };
        let taken = refusal.is_none();
        let mut refusing = lock(&self.refusing);
        if refusing.is_none() != taken {
            match &refusal {
                Some(reason) => tracing::warn!(reason, "samples go to the spool"),
                None => tracing::info!("samples are taken again"),
            }
        }
        *refusing = refusal;
        match taken {
            false => Offered::Later,
            true if never => Offered::Refused,
            true => Offered::Stored,
        }
    }

    /// Appends a batch to the spool; says whether it is there. Where the spool is full and drops what
    /// is new, the batch is among the losses.
    async fn keep(self: &Arc<Self>, batch: Batch) -> bool {
        let owner = key(&batch);
        let samples = batch.samples.len();
        let outbox = Arc::clone(self);
        let appended = blocking(move || outbox.spool().append(&batch)).await;
        let is_kept = match appended {
            Ok(Appended { is_kept, losses }) => {
                if let Some(meters) = lock(&self.meters).get(&owner) {
                    Meters::add(&meters.spooled, samples);
                }
                self.lose(losses);
                is_kept
            }
            Err(error) => {
                tracing::error!(%error, "the spool cannot be written; samples are lost");
                self.lose(vec![(owner, samples as u64)]);
                false
            }
        };
        self.spooled.notify_one();
        is_kept
    }

    fn lose(&self, losses: Losses) {
        for (key, samples) in losses {
            tracing::warn!(producer = %key.1, samples, "samples are dropped");
            self.dropped.fetch_add(samples, Relaxed);
            if let Some(meters) = lock(&self.meters).get(&key) {
                meters.dropped.fetch_add(samples, Relaxed);
            }
        }
    }

    /// Delivers what is in the spool whenever the sink takes it, until told to stop.
    pub(crate) async fn drain(self: Arc<Self>, stop: CancellationToken) {
        let mut failures = 0;
        let mut kept_house = Instant::now();
        while !stop.is_cancelled() {
            if kept_house.elapsed() >= HOUSEKEEPING {
                self.housekeep().await;
                kept_house = Instant::now();
            }
            let pause = match self.drain_window(&stop).await {
                Ok(Drained::Empty) => HOUSEKEEPING,
                Ok(Drained::Some) => {
                    failures = 0;
                    continue;
                }
                Ok(Drained::Refused) => {
                    failures += 1;
                    RETRY.draw(failures)
                }
                Err(error) => {
                    tracing::error!(%error, "the spool cannot be read");
                    failures += 1;
                    RETRY.draw(failures)
                }
            };
            let waits_for_more = failures == 0;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                () = self.spooled.notified(), if waits_for_more => {}
            }
        }
        self.housekeep().await;
    }

    async fn drain_window(self: &Arc<Self>, stop: &CancellationToken) -> io::Result<Drained> {
        if self.spool().is_empty() {
            return Ok(Drained::Empty);
        }
        let outbox = Arc::clone(self);
        let (window, losses) = blocking(move || outbox.spool().window()).await?;
        self.lose(losses);
        if window.is_empty() {
            return Ok(Drained::Empty);
        }
        let taken = tokio::select! {
            () = stop.cancelled() => return Ok(Drained::Refused),
            taken = self.offer_window(&window) => taken,
        };
        let all = taken == window.len();
        let outbox = Arc::clone(self);
        blocking(move || {
            let mut spool = outbox.spool();
            window[..taken].iter().try_for_each(|spooled| spool.advance(spooled))
        })
        .await?;
        Ok(if all { Drained::Some } else { Drained::Refused })
    }

    /// Offers the batches of a window, those of different producers at the same time and those of
    /// one producer in order; says how many from the front are dealt with. Batches behind the
    /// first refused one may be offered again later, and are then stored once.
    async fn offer_window(&self, window: &[Spooled]) -> usize {
        let mut chains: HashMap<Key, Vec<usize>> = HashMap::new();
        for (index, spooled) in window.iter().enumerate() {
            chains.entry(key(&spooled.batch)).or_default().push(index);
        }
        let mut offers: FuturesUnordered<_> =
            chains.into_values().map(|chain| self.offer_chain(window, chain)).collect();
        let mut taken = window.len();
        while let Some(refused_at) = offers.next().await {
            taken = taken.min(refused_at.unwrap_or(taken));
        }
        taken
    }

    async fn offer_chain(&self, window: &[Spooled], chain: Vec<usize>) -> Option<usize> {
        for index in chain {
            let mut batch = window[index].batch.clone();
            let age = self.clock.now().nanos().saturating_sub(batch.arrival.nanos());
            batch.backfill |= i128::from(age) > self.backfill_after.as_nanos() as i128;
            if matches!(self.offer(&batch).await, Offered::Later) {
                return Some(index);
            }
        }
        None
    }

    async fn housekeep(self: &Arc<Self>) {
        self.sync_spool().await;
        let outbox = Arc::clone(self);
        let reserved = blocking(move || outbox.sequencer.reserve(outbox.clock.now()));
        if let Err(error) = reserved.await {
            tracing::error!(%error, "sequence numbers cannot be reserved");
        }
    }
}

enum Drained {
    Empty,
    Some,
    Refused,
}

/// The longest part of an identifier that goes into a producer's name as it is.
const PRODUCER_READABLE_BYTES_MAX: usize = 80;

/// The producer's name of a device: `device:` and the identifier in lower case. Of one that is too
/// long for that, the front with length and two checksums.
pub(crate) fn producer_key(tenant: TenantId, folded: &str) -> Key {
    let name = format!("{DEVICE_PRODUCERS}{folded}");
    if name.len() <= weir_model::PRODUCER_BYTES_MAX {
        return (tenant, name.into());
    }
    let front = folded.floor_char_boundary(PRODUCER_READABLE_BYTES_MAX);
    let forward = crc32c::crc32c(folded.as_bytes());
    let backward = crc32c::crc32c(&folded.bytes().rev().collect::<Vec<_>>());
    let length = folded.len();
    (
        tenant,
        format!("{DEVICE_PRODUCERS}{}~{length}~{forward:08x}{backward:08x}", &folded[..front])
            .into(),
    )
}

/// The outcome of two parcels whose receipts are the same. What may be sent again comes first: who
/// was told of the refusal would not send it.
fn worse(one: Settled, other: Settled) -> Settled {
    match (one, other) {
        (Settled::Dropped, _) | (_, Settled::Dropped) => Settled::Dropped,
        (Settled::Refused, _) | (_, Settled::Refused) => Settled::Refused,
        (Settled::Stored, Settled::Stored) => Settled::Stored,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is changed in single steps, so it is whole after a panic elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs file I/O off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests;
