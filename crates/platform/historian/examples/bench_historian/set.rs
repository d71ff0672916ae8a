//! The points that this historian and its peers store in one run, and what is asked of them.
//!
//! It takes [`plant`](super::plant) beside it, and serves the examples of several crates.

use weir_model::{Sample, TagId, Timestamp};

use super::plant::{Plant, SECOND, START, mix};

/// Samples of one batch.
pub(crate) const BATCH: usize = 10_000;

/// Seconds of the question for raw samples.
const HOUR: i64 = 3600;

/// So many tags of the mix, read at so many moments, a second apart, and all of them once more at the
/// end, so that the newest sample of each has a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Set {
    pub(crate) tags: u32,
    pub(crate) moments: i64,
}

impl Set {
    /// The batches in the order in which they arrive: the same in every run.
    pub(crate) fn batches(self) -> Batches {
        let plant = Plant::new(&mix(self.tags));
        Batches { plant, set: self, moment: 0, samples: Vec::new(), at: 0 }
    }

    /// From the first sample's second to behind the last one, in nanoseconds since 1970.
    pub(crate) fn span(self) -> (i64, i64) {
        (START, self.closing() + SECOND)
    }

    /// When every tag is read for the last time.
    fn closing(self) -> i64 {
        START + (self.moments + 2) * SECOND
    }

    /// The tag of which single questions are asked, a sensor.
    pub(crate) fn one(self) -> TagId {
        TagId(self.tags / 200 * 100 + 30)
    }

    /// Ten tags of several classes, none of them texts.
    pub(crate) fn ten(self) -> [TagId; 10] {
        std::array::from_fn(|index| TagId(self.tags / 10 * index as u32 + 10))
    }

    /// An hour in the middle, in nanoseconds since 1970.
    pub(crate) fn hour(self) -> (i64, i64) {
        let from = START + (self.moments - HOUR).max(0) / 2 * SECOND;
        (from, from + HOUR * SECOND)
    }

    /// Few samples are above this: of the counters that count most.
    pub(crate) fn few_above(self) -> f64 {
        (970 + self.moments + self.moments / 2) as f64
    }

    /// About half of all numbers are above this.
    pub(crate) const HALF_ABOVE: f64 = 50.0;
}

/// The batches of a [`Set`].
pub(crate) struct Batches {
    plant: Plant,
    set: Set,
    moment: i64,
    samples: Vec<(TagId, Sample)>,
    /// Where the next batch begins.
    at: usize,
}

impl Iterator for Batches {
    type Item = Vec<(TagId, Sample)>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.samples.len() - self.at < BATCH && self.moment <= self.set.moments {
            self.samples.drain(..self.at);
            self.at = 0;
            if self.moment < self.set.moments {
                self.plant.read(self.moment, &mut self.samples);
            } else {
                let time = Timestamp::from_nanos(self.set.closing());
                let last = self.plant.first().into_iter();
                self.samples.extend(last.map(|(tag, sample)| (tag, Sample { time, ..sample })));
            }
            self.moment += 1;
        }
        let to = self.samples.len().min(self.at + BATCH);
        let batch = self.samples[self.at..to].to_vec();
        self.at = to;
        (!batch.is_empty()).then_some(batch)
    }
}
