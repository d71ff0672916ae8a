//! Fewer points that look the same: the first, lowest, highest and last of every stretch of time,
//! and the gaps between.
//!
//! The span is cut into equal stretches, and the number of points a stretch gives is at most
//! [`STRETCH_POINTS`]: so a line drawn through the points has the extremes of the line through all
//! samples in every stretch (the M4 aggregation of Jugel et al., VLDB 2014, with gaps). Bad
//! quality cannot be an extreme; one bad sample of a stretch that has any is kept, so that a gap
//! stays one. Values that are no numbers have no extremes: their first and last change are kept.

use crate::row::Row;

/// Points of one stretch at most: first, lowest, highest, last and a gap.
pub(crate) const STRETCH_POINTS: usize = 5;

/// Points of one stretch that is thinned: the row before the last change of a text, too, without which
/// that would be none the next time.
pub(crate) const THINNED_POINTS: usize = STRETCH_POINTS + 1;

/// How much finer the stretches begin at most than the span alone would have them, in doublings:
/// samples may fill a small part of the span only, an hour of a century.
const FINER_DOUBLINGS_MAX: u32 = 40;

/// Bits that the width keeps while it is made finer, so that doubling it comes back to it.
const WIDTH_BITS: u32 = 10;

/// Takes rows in order of time and keeps those that matter.
pub(crate) struct Downsampler {
    points_max: usize,
    stretches_max: usize,
    /// All rows, until they are more than `points_max`.
    raw: Vec<Row>,
    origin: i64,
    width: u64,
    stretches: Vec<Stretch>,
}

/// The points of a stretch of time that matter.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    /// Its number from the origin, in widths.
    index: u64,
    first: Row,
    last: Row,
    low: Option<Row>,
    high: Option<Row>,
    first_change: Option<Row>,
    last_change: Option<Row>,
    before_last_change: Option<Row>,
    gap: Option<Row>,
}

impl Downsampler {
    /// At most `points_max` points of rows from the span.
    pub(crate) fn new(points_max: usize, (from, to): (i64, i64)) -> Self {
        let stretches_max = (points_max / STRETCH_POINTS).max(1);
        let width = (to.abs_diff(from) / stretches_max as u64).saturating_add(1);
        let finer = width.ilog2().saturating_sub(WIDTH_BITS).min(FINER_DOUBLINGS_MAX);
        let width = (width >> finer) + 1;
        Self { points_max, stretches_max, raw: Vec::new(), origin: from, width, stretches: vec![] }
    }

    /// Takes the next row.
    pub(crate) fn push(&mut self, row: Row) {
        if !self.stretches.is_empty() {
            self.add(row);
        } else if self.raw.len() < self.points_max {
            self.raw.push(row);
        } else {
            std::mem::take(&mut self.raw).into_iter().for_each(|row| self.add(row));
            self.add(row);
        }
    }

    /// The points, in order of time.
    pub(crate) fn finish(self) -> Vec<Row> {
        if self.stretches.is_empty() {
            return self.raw;
        }
        let points_max = self.points_max;
        let points = self.stretches.into_iter().flat_map(|stretch| stretch.points(points_max));
        points.collect()
    }

    /// Bytes of the texts and arrays of the points, if these were all.
    pub(crate) fn heap_bytes(&self) -> usize {
        let raw = self.raw.iter().map(Row::heap_bytes).sum::<usize>();
        let points = |stretch: &Stretch| stretch.clone().points(self.points_max);
        let stretches = self.stretches.iter().flat_map(points);
        raw + stretches.map(|row| row.heap_bytes()).sum::<usize>()
    }

    fn add(&mut self, row: Row) {
        let index = row.time.abs_diff(self.origin) / self.width;
        match self.stretches.last_mut() {
            Some(last) if last.index == index => return last.push(row),
            _ => self.stretches.push(Stretch::new(index, row)),
        }
        while self.stretches.len() > self.stretches_max {
            self.width = self.width.saturating_mul(2);
            self.stretches.iter_mut().for_each(|stretch| stretch.index /= 2);
            self.stretches.dedup_by(|later, earlier| {
                let same = later.index == earlier.index;
                if same {
                    earlier.append(later.clone());
                }
                same
            });
        }
    }
}

impl Stretch {
    /// A stretch that begins with a row, and has a number.
    pub(crate) fn new(index: u64, row: Row) -> Self {
        let number = number(&row);
        let extreme = number.is_some().then(|| row.clone());
        Self {
            index,
            low: extreme.clone(),
            high: extreme,
            first_change: None,
            last_change: None,
            before_last_change: None,
            gap: is_gap(&row).then(|| row.clone()),
            first: row.clone(),
            last: row,
        }
    }

    /// Appends the row that follows: what [`Stretch::append`] does with one row, at a tenth of the
    /// cost.
    pub(crate) fn push(&mut self, row: Row) {
        if let Some(x) = number(&row) {
            if self.low.as_ref().and_then(number).is_none_or(|low| x < low) {
                self.low = Some(row.clone());
            }
            if self.high.as_ref().and_then(number).is_none_or(|high| x > high) {
                self.high = Some(row.clone());
            }
        } else {
            if self.gap.is_none() && is_gap(&row) {
                self.gap = Some(row.clone());
            }
            if row.value != self.last.value {
                self.first_change.get_or_insert_with(|| row.clone());
                self.last_change = Some(row.clone());
                self.before_last_change = Some(self.last.clone());
            }
        }
        self.last = row;
    }

    /// Appends the stretch that follows.
    fn append(&mut self, later: Self) {
        let changed = later.first.value != self.last.value;
        let change = changed.then(|| later.first.clone());
        if later.last_change.is_some() {
            self.before_last_change = later.before_last_change;
        } else if changed {
            self.before_last_change = Some(self.last.clone());
        }
        self.last_change = later.last_change.or_else(|| change.clone()).or(self.last_change.take());
        self.first_change = self.first_change.take().or(change).or(later.first_change);
        self.low = extreme(self.low.take(), later.low, |earlier, later| later < earlier);
        self.high = extreme(self.high.take(), later.high, |earlier, later| later > earlier);
        self.gap = self.gap.take().or(later.gap);
        self.last = later.last;
    }

    /// Its points in order of time, the least important left out where there may be fewer; at most
    /// [`STRETCH_POINTS`].
    pub(crate) fn points(mut self, points_max: usize) -> Vec<Row> {
        self.before_last_change = None;
        self.thinned(points_max)
    }

    /// The same with the row before the last change: of these, as many stay when it is thinned again.
    pub(crate) fn thinned(self, points_max: usize) -> Vec<Row> {
        let has_numbers = self.low.is_some();
        let changes = [self.first_change, self.last_change, self.before_last_change];
        let [first_change, last_change, before_last_change] =
            changes.map(|row| row.filter(|_| !has_numbers));
        let by_importance = [
            Some(self.last),
            Some(self.first),
            self.high.or(last_change),
            self.low.or(first_change),
            self.gap,
            before_last_change,
        ];
        let mut points: Vec<Row> = Vec::with_capacity(THINNED_POINTS);
        for row in by_importance.into_iter().flatten() {
            if points.len() < points_max && points.iter().all(|point| point.time != row.time) {
                points.push(row);
            }
        }
        points.sort_by_key(|row| row.time);
        points
    }
}

/// The number that a chart would draw.
fn number(row: &Row) -> Option<f64> {
    let usable = row.value.as_ref().filter(|_| !row.is_bad());
    usable?.as_f64().filter(|number| !number.is_nan())
}

/// Whether a line breaks here.
fn is_gap(row: &Row) -> bool {
    let is_nan = |value: &weir_model::Value| value.as_f64().is_some_and(f64::is_nan);
    row.is_bad() || row.value.as_ref().is_none_or(is_nan)
}

fn extreme(
    earlier: Option<Row>,
    later: Option<Row>,
    beats: impl Fn(f64, f64) -> bool,
) -> Option<Row> {
    match (earlier, later) {
        (Some(earlier), Some(later)) => {
            let later_beats =
                number(&earlier).zip(number(&later)).is_some_and(|(a, b)| beats(a, b));
            Some(if later_beats { later } else { earlier })
        }
        (earlier, later) => earlier.or(later),
    }
}

#[cfg(test)]
mod tests;
