//! From sums of samples, in order of time, to a row for every bucket.

use weir_model::{Quality, TagId, Timestamp};

use super::{Aggregate, AggregateQuery, Numbers, Weighted};
use crate::rollup::{Partial, State};

/// Where buckets begin and end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    from: i64,
    to: i64,
    /// 0 for a single bucket.
    width: i128,
    offset: i128,
    /// The number of the first bucket, counted from the epoch.
    first: i128,
    /// How many buckets there are.
    pub(super) count: u64,
}

impl Grid {
    /// The buckets of a query that meet a span of time.
    pub(super) fn new(query: &AggregateQuery, span: (i64, i64)) -> Self {
        let (from, to) = (query.from.nanos(), query.to.nanos());
        let (low, high) = (from.max(span.0), to.min(span.1));
        let (width, offset) = (i128::from(query.width_ns), i128::from(query.offset_ns));
        let (mut first, mut count) = (0, 1);
        if width > 0 {
            first = (i128::from(low) + offset).div_euclid(width);
            let last = (i128::from(high) - 1 + offset).div_euclid(width);
            count = u64::try_from(last - first + 1).unwrap_or(u64::MAX);
        }
        if low >= high {
            count = 0;
        }
        Self { from, to, width, offset, first, count }
    }

    /// When a bucket begins and ends.
    pub(super) fn span(&self, bucket: u64) -> (i64, i64) {
        let edge = |bucket: u64| {
            let edge = (self.first + i128::from(bucket)) * self.width - self.offset;
            i64::try_from(edge.clamp(self.from.into(), self.to.into())).unwrap_or(self.to)
        };
        if self.width == 0 { (self.from, self.to) } else { (edge(bucket), edge(bucket + 1)) }
    }
}

/// Takes what is known of a tag's samples, and answers its buckets.
pub(super) struct Buckets<'a> {
    tag: TagId,
    query: &'a AggregateQuery,
    grid: Grid,
    /// The bucket that is being filled.
    bucket: u64,
    filled: Option<Partial>,
    /// What holds at the beginning of the bucket, if anything is known of it.
    before: Option<State>,
    rows: &'a mut Vec<Aggregate>,
}

impl<'a> Buckets<'a> {
    /// The buckets of a tag; `before` is the newest sample before the first.
    pub(super) fn new(
        tag: TagId,
        query: &'a AggregateQuery,
        grid: Grid,
        before: Option<State>,
        rows: &'a mut Vec<Aggregate>,
    ) -> Self {
        Self { tag, query, grid, bucket: 0, filled: None, before, rows }
    }

    /// Takes samples of a bucket, later than all before.
    pub(super) fn take(&mut self, bucket: u64, partial: &Partial) {
        self.end_before(bucket);
        match &mut self.filled {
            Some(filled) => filled.then(partial),
            None => self.filled = Some(*partial),
        }
    }

    /// Answers the buckets that are left.
    pub(super) fn finish(mut self) {
        self.end_before(self.grid.count);
    }

    fn end_before(&mut self, bucket: u64) {
        while self.bucket < bucket {
            match self.filled.take() {
                Some(filled) => self.end(Some(filled)),
                None if self.query.with_empty => self.end(None),
                // Nothing changes until the next that has samples.
                None => {
                    self.bucket = bucket;
                    return;
                }
            }
            self.bucket += 1;
        }
    }

    fn end(&mut self, filled: Option<Partial>) {
        let (start, end) = self.grid.span(self.bucket);
        let weighted = self.query.weighted.then(|| self.weigh(filled, (start, end)));
        self.before = filled.as_ref().map(Partial::last_state).or(self.before);
        let quality = |(_, code): (i64, u32)| Quality::from_code(code);
        self.rows.push(Aggregate {
            tag: self.tag,
            start: Timestamp::from_nanos(start),
            samples: filled.map_or(0, |filled| filled.samples),
            count: filled.map_or(0, |filled| filled.usable),
            numbers: filled.filter(|filled| filled.numbers > 0).map(numbers),
            first_quality: filled.map(|filled| quality(filled.first)),
            last_quality: filled.map(|filled| quality(filled.last)),
            weighted,
        });
    }

    fn weigh(&self, filled: Option<Partial>, (start, end): (i64, i64)) -> Weighted {
        // What was stored of the time after now is known to hold up to there.
        let last = filled.map_or(i64::MIN, |filled| filled.last.0);
        let end = end.min(self.query.until.nanos()).max(last).max(start);
        let mut held = filled.unwrap_or(Partial::stub(0, start, start));
        if let Some(before) = self.before {
            let first = filled.map_or(end, |filled| filled.first.0);
            held.hold(before, first.abs_diff(start));
        }
        if let Some(filled) = filled {
            held.hold(filled.last_state(), end.abs_diff(filled.last.0));
        }
        let (all, seconds) = (end.abs_diff(start), held.area.value() / 1e9);
        let is_known = held.number_ns > 0 && seconds.is_finite();
        Weighted {
            mean: is_known.then(|| held.area.value() / held.number_ns as f64),
            total: is_known.then_some(seconds),
            good_ns: held.good_ns,
            uncertain_ns: held.uncertain_ns,
            bad_ns: all - held.good_ns - held.uncertain_ns,
        }
    }
}

fn numbers(partial: Partial) -> Numbers {
    let point = |(time, value): (i64, f64)| (Timestamp::from_nanos(time), value);
    Numbers {
        count: partial.numbers,
        sum: partial.sum.value(),
        min: partial.min,
        max: partial.max,
        first: point(partial.first_number),
        last: point(partial.last_number),
    }
}
