//! Samples of one device on their way to its pump.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use weir_model::{Sample, TagId, Timestamp};

use crate::outbox::Parcel;
use crate::status::Meters;

/// A parcel leaves when it has this many samples, even if more is due.
const PARCEL_SAMPLES_MAX: usize = 1000;

/// A parcel leaves when it is this old, even if more is due: people watch.
const PARCEL_AGE_MAX: Duration = Duration::from_millis(200);

/// Samples that may wait in memory while the pump is busy, beyond twice the number of points.
const WAITING_SAMPLES_MIN: usize = 10_000;

/// How long the last samples of a device that is stopped may wait for its pump.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

pub(super) struct Outlet {
    parcels: mpsc::Sender<Parcel>,
    waiting: Vec<(TagId, Sample)>,
    waiting_max: usize,
    since: Option<(Timestamp, Instant)>,
    /// More is due at once, so what waits may wait a little longer.
    more: bool,
    meters: Arc<Meters>,
}

impl Outlet {
    pub(super) fn new(parcels: mpsc::Sender<Parcel>, meters: Arc<Meters>, points: usize) -> Self {
        let waiting_max = WAITING_SAMPLES_MIN + 2 * points;
        Self { parcels, waiting: Vec::new(), waiting_max, since: None, more: false, meters }
    }

    /// Adds a sample; where too many wait, the oldest half is dropped and counted.
    pub(super) fn push(&mut self, tag: TagId, sample: Sample, now: Timestamp) {
        if self.waiting.len() >= self.waiting_max {
            let half = self.waiting_max / 2;
            self.waiting.drain(..half);
            Meters::add(&self.meters.dropped, half);
            tracing::warn!(samples = half, "samples are dropped: their delivery is too slow");
        }
        self.since.get_or_insert((now, Instant::now()));
        self.waiting.push((tag, sample));
        Meters::add(&self.meters.samples, 1);
    }

    pub(super) fn expect_more(&mut self, more: bool) {
        self.more = more;
    }

    /// Whether what waits should leave as soon as the pump has room.
    pub(super) fn is_ready(&self) -> bool {
        let Some((_, since)) = self.since else { return false };
        !self.more || self.waiting.len() >= PARCEL_SAMPLES_MAX || since.elapsed() >= PARCEL_AGE_MAX
    }

    /// Sends what waits as soon as the pump has room. May be dropped at any time without loss.
    pub(super) async fn send(&mut self) {
        let Ok(permit) = self.parcels.reserve().await else {
            // The pump ends only after this side; were it gone, there is nobody to send to.
            return std::future::pending().await;
        };
        if let Some((arrival, _)) = self.since.take() {
            permit.send(Parcel { arrival, samples: std::mem::take(&mut self.waiting) });
        }
    }

    /// Sends what is left of a device that is stopped.
    pub(super) async fn finish(mut self) {
        if self.since.is_some() && timeout(FAREWELL_TIME_MAX, self.send()).await.is_err() {
            Meters::add(&self.meters.dropped, self.waiting.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use weir_model::Value;

    use super::*;

    #[tokio::test]
    async fn what_cannot_leave_waits_within_bounds_and_the_newest_stay() {
        let (parcels, mut pump) = mpsc::channel(1);
        let meters = Arc::<Meters>::default();
        let mut outlet = Outlet::new(parcels, Arc::clone(&meters), 10);
        let now = Timestamp::from_nanos(7);
        assert!(!outlet.is_ready());
        let pushed = 3 * WAITING_SAMPLES_MIN;
        for n in 0..pushed {
            outlet.push(TagId(1), Sample::good(now, Value::U64(n as u64)), now);
        }
        assert!(outlet.is_ready());
        outlet.send().await;
        assert!(!outlet.is_ready());
        let parcel = pump.recv().await.unwrap();
        assert!(parcel.samples.len() <= WAITING_SAMPLES_MIN + 20);
        let dropped = meters.dropped.load(Relaxed) as usize;
        assert_eq!(dropped + parcel.samples.len(), pushed);
        let last = parcel.samples.last().unwrap().1.value.clone();
        assert_eq!(last.and_then(|v| v.as_f64()), Some((pushed - 1) as f64));

        // While more is due, what waits travels together.
        outlet.push(TagId(1), Sample::good(now, Value::U64(1)), now);
        outlet.expect_more(true);
        assert!(!outlet.is_ready());
        outlet.expect_more(false);
        assert!(outlet.is_ready());
        outlet.finish().await;
        assert_eq!(pump.recv().await.unwrap().samples.len(), 1);
    }
}
