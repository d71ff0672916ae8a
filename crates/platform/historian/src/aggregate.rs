//! Aggregates of tags over buckets of time, weighted by samples and by time.
//!
//! The functions are those of OPC 10000-13 (version 1.05), computed as for a stepped variable: a
//! sample holds until the next, with `TreatUncertainAsBad` false. What is bad and what a number is,
//! say [`RollupLevel`](crate::RollupLevel)'s rollups: bad quality, no value and doubles that are
//! not finite are bad. Answers are exact, whatever was stored late, twice, corrected or deleted,
//! but for rounding: every sum is off by at most 2^-50 of the sum of its terms' magnitudes.
//!
//! Most of an answer comes from rollups ([`plan`]); what they cannot tell is read from samples.

mod buckets;
mod plan;
mod reader;
mod warm;

use weir_model::{Quality, TagId, TenantId, Timestamp};

use self::reader::Reader;
use crate::{Historian, HistorianError, RollupLevel};

/// Most rows of one answer: 40 MB of them.
pub const AGGREGATE_ROWS_MAX: usize = 200_000;

/// What is asked of [`Historian::aggregate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AggregateQuery {
    /// From this time on.
    pub from: Timestamp,
    /// Up to, without, this time.
    pub to: Timestamp,
    /// Length of a bucket in nanoseconds; 0 for one bucket of the whole span.
    pub width_ns: u64,
    /// Buckets begin where UTC plus so many nanoseconds is a multiple of their length: eight hours
    /// for the days of Shanghai. The first and the last bucket are cut at the span's ends.
    pub offset_ns: i64,
    /// Up to when the last sample holds: now. Later samples count all the same.
    pub until: Timestamp,
    /// Whether what is weighted by time is wanted: the sample before the span is looked for then.
    pub weighted: bool,
    /// Whether buckets without a sample are answered, too.
    pub with_empty: bool,
}

/// The aggregates of a tag's samples in a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aggregate {
    /// The tag.
    pub tag: TagId,
    /// When the bucket begins.
    pub start: Timestamp,
    /// Samples in the bucket, bad ones included.
    pub samples: u64,
    /// Samples that are not bad (Count, clause 5.4.3.21, of which uncertain ones are, too).
    pub count: u64,
    /// What is known of the numbers in the bucket; none where there are none.
    pub numbers: Option<Numbers>,
    /// The quality of the first sample.
    pub first_quality: Option<Quality>,
    /// The quality of the last sample.
    pub last_quality: Option<Quality>,
    /// What is weighted by time; none where it was not asked for.
    pub weighted: Option<Weighted>,
}

/// Aggregates of the numbers among a bucket's samples, none of which is bad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Numbers {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least (Minimum, clause 5.4.3.10).
    pub min: f64,
    /// The greatest (Maximum, clause 5.4.3.11).
    pub max: f64,
    /// The first and its time (Start, clause 5.4.3.25, but of samples that are not bad).
    pub first: (Timestamp, f64),
    /// The last and its time (End, clause 5.4.3.26, but of samples that are not bad).
    pub last: (Timestamp, f64),
}

/// What a bucket's time was filled with: each sample holds until the next, the last one before the
/// bucket until the first in it, and the last one until the bucket's end or until now (simple
/// bounding values, clause 3.1.9, stepped).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighted {
    /// The mean of the numbers by the time that they held, bad time and others left out
    /// (TimeAverage2, clause 5.4.3.7); none where no number held, or where the sum that it is made of
    /// leaves the range of doubles.
    pub mean: Option<f64>,
    /// The sum of number times seconds that it held (Total2, clause 5.4.3.9); none as the mean.
    pub total: Option<f64>,
    /// Nanoseconds of good quality (DurationGood, clause 5.4.3.31).
    pub good_ns: u64,
    /// Nanoseconds of uncertain quality.
    pub uncertain_ns: u64,
    /// Nanoseconds of bad quality, and before the tag's first sample (DurationBad, clause 5.4.3.32).
    pub bad_ns: u64,
}

impl Aggregate {
    /// The mean of the numbers (Average, clause 5.4.3.5); none where there are none.
    pub fn mean(&self) -> Option<f64> {
        self.numbers.map(|numbers| numbers.sum / numbers.count as f64)
    }
}

impl Weighted {
    /// The part of the bucket that had good quality, in percent (PercentGood, clause 5.4.3.33); none
    /// of a bucket that has not begun.
    pub fn percent_good(&self) -> Option<f64> {
        let all = self.good_ns + self.uncertain_ns + self.bad_ns;
        (all > 0).then(|| self.good_ns as f64 / all as f64 * 100.0)
    }
}

impl Historian {
    /// Aggregates of tags, by tag in the order given and by time.
    ///
    /// # Errors
    /// [`HistorianError::TooManyBuckets`] for more than [`AGGREGATE_ROWS_MAX`] rows;
    /// [`HistorianError::Corrupt`] where samples that are needed are damaged (rollups that are,
    /// are made anew of samples); [`HistorianError::Io`].
    pub async fn aggregate(
        &self,
        tenant: TenantId,
        tags: Vec<TagId>,
        query: AggregateQuery,
    ) -> Result<Vec<Aggregate>, HistorianError> {
        self.read(move |shared, caller| Reader::new(shared, caller, tenant, query)?.read(&tags))
            .await
    }

    /// The rollups of tags of all minutes, hours or days that begin within a span and have a
    /// sample: what an SQL table of them shows. Exact as [`Historian::aggregate`] is: late samples,
    /// corrections and deletions included, whatever files hold. A minute, hour or day that `to` is
    /// in is whole.
    ///
    /// To page, ask for fewer tags, or a shorter span, at a time: it is known beforehand that there
    /// are at most as many rows as tags times minutes, hours or days.
    ///
    /// # Errors
    /// As [`Historian::aggregate`].
    pub async fn rollups(
        &self,
        tenant: TenantId,
        level: RollupLevel,
        tags: Vec<TagId>,
        (from, to): (Timestamp, Timestamp),
        until: Timestamp,
    ) -> Result<Vec<Aggregate>, HistorianError> {
        let edge = |time: Timestamp| {
            let index = level.index(time.nanos().saturating_sub(1)).saturating_add(1);
            Timestamp::from_nanos(level.start(index))
        };
        let query = AggregateQuery {
            from: edge(from),
            to: edge(to),
            width_ns: level.nanos().unsigned_abs(),
            offset_ns: 0,
            until,
            weighted: true,
            with_empty: false,
        };
        self.aggregate(tenant, tags, query).await
    }
}
