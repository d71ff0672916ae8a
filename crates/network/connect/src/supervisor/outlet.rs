//! Samples of one device on their way to its pump.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use weir_model::{BATCH_DAYS_MAX, Sample, TagId, Timestamp, Value};

use crate::outbox::Parcel;
use crate::status::Meters;
use crate::{Receipt, Settled};

/// A parcel leaves when it has this many samples, even if more is due.
const PARCEL_SAMPLES_MAX: usize = 1000;

/// A parcel leaves when it is this old, even if more is due: people watch.
const PARCEL_AGE_MAX: Duration = Duration::from_millis(200);

/// Most bytes of one parcel: half of what the historian takes as one batch.
const PARCEL_BYTES_MAX: usize = 4 << 20;

/// Samples that may wait in memory while the pump is busy, beyond twice the number of points.
const WAITING_SAMPLES_MIN: usize = 10_000;

/// Bytes that may wait in memory while the pump is busy: waveforms and long texts are large.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// How long the last samples of a device that is stopped may wait for its pump.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

pub(super) struct Outlet {
    parcels: mpsc::Sender<Parcel>,
    live: Waiting,
    /// What the device kept while it was not heard; it never shares a batch with live samples.
    backfill: Waiting,
    samples_max: usize,
    /// More is due at once, so what waits may wait a little longer.
    more: bool,
    meters: Arc<Meters>,
}

#[derive(Default)]
struct Waiting {
    samples: Vec<(TagId, Sample)>,
    bytes: usize,
    receipts: Vec<Receipt>,
    /// Some was dropped since [`Outlet::begin`], maybe of what the next receipt is for.
    lost: bool,
    since: Option<(Timestamp, Instant)>,
}

impl Outlet {
    pub(super) fn new(parcels: mpsc::Sender<Parcel>, meters: Arc<Meters>, points: usize) -> Self {
        let samples_max = WAITING_SAMPLES_MIN + 2 * points;
        let (live, backfill) = (Waiting::default(), Waiting::default());
        Self { parcels, live, backfill, samples_max, more: false, meters }
    }

    /// Adds a sample; where too many wait, the oldest half is dropped and counted.
    pub(super) fn push(&mut self, tag: TagId, sample: Sample, now: Timestamp, backfill: bool) {
        let waiting = if backfill { &mut self.backfill } else { &mut self.live };
        if waiting.samples.len() >= self.samples_max || waiting.bytes >= WAITING_BYTES_MAX {
            let dropped = waiting.drop_oldest_half();
            Meters::add(&self.meters.dropped, dropped);
            tracing::warn!(samples = dropped, "samples are dropped: their delivery is too slow");
        }
        waiting.since.get_or_insert((now, Instant::now()));
        waiting.bytes += bytes_of(&sample);
        waiting.samples.push((tag, sample));
        Meters::add(&self.meters.samples, 1);
    }

    /// What is pushed from here on came together, and the next receipt is for all of it.
    pub(super) fn begin(&mut self) {
        self.live.lost = false;
        self.backfill.lost = false;
    }

    /// Takes a receipt for what was pushed since [`Outlet::begin`]. Where some of that was dropped, the
    /// receipt says so at once.
    pub(super) fn receipt(&mut self, receipt: Receipt, now: Timestamp, backfill: bool) {
        let waiting = if backfill { &mut self.backfill } else { &mut self.live };
        if waiting.lost {
            return receipt.settle(Settled::Dropped);
        }
        waiting.since.get_or_insert((now, Instant::now()));
        waiting.receipts.push(receipt);
    }

    pub(super) fn expect_more(&mut self, more: bool) {
        self.more = more;
    }

    /// Whether a device that can wait (its peer is owed receipts, or it tells its history) should
    /// not be asked for more until some of what waits has left.
    pub(super) fn is_full(&self) -> bool {
        let is_full = |waiting: &Waiting| {
            waiting.samples.len() >= self.samples_max / 2 || waiting.bytes >= WAITING_BYTES_MAX / 2
        };
        (!self.live.receipts.is_empty() && is_full(&self.live)) || is_full(&self.backfill)
    }

    /// Whether what waits should leave as soon as the pump has room.
    pub(super) fn is_ready(&self) -> bool {
        let is_ready = |waiting: &Waiting| {
            let Some((_, since)) = waiting.since else { return false };
            !self.more
                || waiting.samples.len() >= PARCEL_SAMPLES_MAX
                || waiting.bytes >= PARCEL_BYTES_MAX
                || since.elapsed() >= PARCEL_AGE_MAX
        };
        is_ready(&self.live) || is_ready(&self.backfill)
    }

    /// Sends what waits as soon as the pump has room, live samples first. May be dropped at any time
    /// without loss.
    pub(super) async fn send(&mut self) {
        let Ok(permit) = self.parcels.reserve().await else {
            // The pump ends only after this side; were it gone, there is nobody to send to.
            return std::future::pending().await;
        };
        let backfill = self.live.since.is_none();
        let waiting = if backfill { &mut self.backfill } else { &mut self.live };
        if let Some(parcel) = waiting.parcel(backfill) {
            permit.send(parcel);
        }
    }

    /// Sends what is left of a device that is stopped.
    pub(super) async fn finish(mut self) {
        let deadline = Instant::now() + FAREWELL_TIME_MAX;
        while self.live.since.is_some() || self.backfill.since.is_some() {
            if timeout(deadline - Instant::now(), self.send()).await.is_err() {
                let left = self.live.samples.len() + self.backfill.samples.len();
                Meters::add(&self.meters.dropped, left);
                return;
            }
        }
    }
}

impl Waiting {
    /// As many of the oldest as fit one batch. Receipts go with the last of what waits.
    fn parcel(&mut self, backfill: bool) -> Option<Parcel> {
        let (arrival, since) = self.since.take()?;
        let count = self.fitting();
        let rest = self.samples.split_off(count);
        let samples = mem::replace(&mut self.samples, rest);
        self.bytes -= samples.iter().map(|(_, sample)| bytes_of(sample)).sum::<usize>();
        let continued = !self.samples.is_empty();
        let receipts = if continued {
            self.since = Some((arrival, since));
            Vec::new()
        } else {
            mem::take(&mut self.receipts)
        };
        Some(Parcel { arrival, samples, backfill, continued, receipts })
    }

    fn fitting(&self) -> usize {
        let mut bytes = 0;
        let mut days = HashSet::new();
        let mut before = None;
        let fits = |(_, sample): &&(TagId, Sample)| {
            bytes += bytes_of(sample);
            let day = sample.time.day();
            // Neighbours are mostly of one day.
            if before.replace(day) != Some(day) {
                days.insert(day);
            }
            bytes <= PARCEL_BYTES_MAX && days.len() <= BATCH_DAYS_MAX
        };
        // One that is too large by itself goes alone.
        let count = self.samples.iter().take_while(fits).count();
        count.max(1).min(self.samples.len())
    }

    /// What was dropped is not acknowledged, nor is what came with it: it may come again.
    fn drop_oldest_half(&mut self) -> usize {
        let half = self.samples.len().div_ceil(2);
        self.bytes -= self.samples.drain(..half).map(|(_, s)| bytes_of(&s)).sum::<usize>();
        self.receipts.clear();
        self.lost = true;
        half
    }
}

/// About what a sample takes in memory and in a batch, in bytes.
fn bytes_of(sample: &Sample) -> usize {
    let element = mem::size_of::<Value>();
    mem::size_of::<(TagId, Sample)>()
        + match &sample.value {
            Some(Value::Text(text)) => text.len(),
            Some(Value::Array(items)) => {
                let texts = items.iter().map(|i| if let Value::Text(t) = i { t.len() } else { 0 });
                items.len() * element + texts.sum::<usize>()
            }
            _ => 0,
        }
}

#[cfg(test)]
mod tests;
