//! Rollups in pages, as SQL reads them.

use std::ops::Range;
use std::time::SystemTime;

use futures::{StreamExt, stream};
use weir_historian::{Aggregate, Historian, HistorianError, RollupLevel};
use weir_model::{RollupNumbers, RollupRow, RollupStep, RollupsWanted, TagId, TenantId, Timestamp};

use crate::query::{QuerySourceError, RollupPages};

/// Rollups of one page at most.
const PAGE_ROWS: i64 = 20_000;

/// The rollups that are wanted.
pub(super) fn pages(historian: Historian, tenant: TenantId, wanted: RollupsWanted) -> RollupPages {
    let parts = Parts::of(historian.stored_times(tenant), &wanted);
    let until = Timestamp::from_system(SystemTime::now());
    let reading = Reading { historian, tenant, wanted, parts, until };
    let pages = stream::try_unfold(reading, |reading| async move {
        Ok::<_, QuerySourceError>(reading.next().await?)
    });
    pages.boxed()
}

/// Tags, by their places among those wanted, and a span of time.
type Part = (Range<usize>, (i64, i64));

/// What is wanted in parts, each of which has no more rows than a page: tag after tag, some together
/// where their spans are short.
#[derive(Debug)]
struct Parts {
    step: i64,
    span: (i64, i64),
    /// How many tags are wanted.
    tags: usize,
    /// How many of them are in a part.
    together: usize,
    /// The first tag of the next part.
    tag: usize,
    /// From when the next part is.
    from: i64,
}

impl Parts {
    fn of(stored: Option<(Timestamp, Timestamp)>, wanted: &RollupsWanted) -> Self {
        let step = wanted.step.nanos();
        let span = stored.map_or((0, 0), |(first, last)| {
            let start = first.nanos().div_euclid(step).saturating_mul(step);
            let from = wanted.from.nanos().max(start);
            (from, wanted.to.nanos().min(last.nanos().saturating_add(1)))
        });
        // One more, as the first and the last may be cut.
        let of_tag = (i128::from(span.1) - i128::from(span.0)) / i128::from(step) + 2;
        let together = match of_tag <= i128::from(PAGE_ROWS) {
            true => usize::try_from(i128::from(PAGE_ROWS) / of_tag.max(1)).unwrap_or(1).max(1),
            false => 1,
        };
        let tags = if span.0 < span.1 { wanted.tags.len() } else { 0 };
        Self { step, span, tags, together, tag: 0, from: span.0 }
    }

    /// Leaves out what is before a time in the rest of the tag that is next, or all of that where there
    /// is none.
    fn leave_out(&mut self, to: Option<i64>) {
        match to {
            Some(time) => {
                let start = time.div_euclid(self.step).saturating_mul(self.step);
                self.from = self.from.max(start);
            }
            None => (self.tag, self.from) = (self.tag + 1, self.span.0),
        }
    }

    /// Whether the next part goes on with a tag of the one before.
    fn is_amid(&self) -> bool {
        self.tag < self.tags && self.from > self.span.0
    }
}

impl Iterator for Parts {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        if self.tag >= self.tags {
            return None;
        }
        let tags = self.tag..self.tags.min(self.tag.saturating_add(self.together));
        let most = self.step.saturating_mul(PAGE_ROWS - 2);
        let span = (self.from, self.from.saturating_add(most).min(self.span.1));
        (self.tag, self.from) =
            if span.1 < self.span.1 { (self.tag, span.1) } else { (tags.end, self.span.0) };
        Some((tags, span))
    }
}

/// A reading that goes from part to part.
struct Reading {
    historian: Historian,
    tenant: TenantId,
    wanted: RollupsWanted,
    parts: Parts,
    /// Up to when a last sample holds.
    until: Timestamp,
}

impl Reading {
    /// The next page that has rows, and the reading as it goes on.
    async fn next(mut self) -> Result<Option<(Vec<RollupRow>, Self)>, HistorianError> {
        while let Some((places, (from, to))) = self.parts.next() {
            let tags: Vec<TagId> = self.wanted.tags[places].to_vec();
            let span = (Timestamp::from_nanos(from), Timestamp::from_nanos(to));
            let level = match self.wanted.step {
                RollupStep::Minute => RollupLevel::Minute,
                RollupStep::Hour => RollupLevel::Hour,
                RollupStep::Day => RollupLevel::Day,
            };
            let found = self.historian.rollups(self.tenant, level, tags, span, self.until).await?;
            if !found.is_empty() {
                return Ok(Some((found.iter().map(row).collect(), self)));
            }
            if self.parts.is_amid() {
                let next = self.next_stored().await?;
                self.parts.leave_out(next);
            }
        }
        Ok(None)
    }

    /// When the tag that is next has its next sample: between two there may be centuries, and no more is
    /// looked at than is stored.
    async fn next_stored(&self) -> Result<Option<i64>, HistorianError> {
        let Some(tag) = self.wanted.tags.get(self.parts.tag) else { return Ok(None) };
        let span = (self.parts.from, self.parts.span.1);
        let span = (Timestamp::from_nanos(span.0), Timestamp::from_nanos(span.1));
        let page = self.historian.page(self.tenant, *tag, span, 1).await?;
        Ok(page.samples.first().map(|sample| sample.time.nanos()))
    }
}

fn row(found: &Aggregate) -> RollupRow {
    let numbers = found.numbers.map(|numbers| RollupNumbers {
        count: numbers.count,
        sum: numbers.sum,
        min: numbers.min,
        max: numbers.max,
        first: numbers.first.1,
        last: numbers.last.1,
    });
    RollupRow {
        tag: found.tag,
        time: found.start,
        samples: found.samples,
        count: found.count,
        numbers,
        time_average: found.weighted.and_then(|weighted| weighted.mean),
        good_ns: found.weighted.map_or(0, |weighted| weighted.good_ns),
        uncertain_ns: found.weighted.map_or(0, |weighted| weighted.uncertain_ns),
        bad_ns: found.weighted.map_or(0, |weighted| weighted.bad_ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(tags: u32, from: i64, to: i64) -> RollupsWanted {
        let (from, to) = (Timestamp::from_nanos(from), Timestamp::from_nanos(to));
        RollupsWanted { tags: (0..tags).map(TagId).collect(), from, to, step: RollupStep::Minute }
    }

    #[test]
    fn parts_are_all_that_is_wanted_and_no_larger_than_a_page() {
        let minute = RollupStep::Minute.nanos();
        let stored = |minutes: i64| {
            Some((Timestamp::from_nanos(7), Timestamp::from_nanos(minutes * minute)))
        };
        assert_eq!(Parts::of(None, &wanted(3, i64::MIN, i64::MAX)).count(), 0);
        assert_eq!(Parts::of(stored(5), &wanted(3, 9 * minute, i64::MAX)).count(), 0);
        for (tags, minutes) in [(1, 5), (1000, 60), (7, 19_998), (3, 200_000), (20_001, 1)] {
            let parts = Parts::of(stored(minutes), &wanted(tags, i64::MIN, i64::MAX));
            let mut covered = vec![0; tags as usize];
            for (places, (from, to)) in parts {
                assert!((places.len() as i64) * ((to - from) / minute + 2) <= PAGE_ROWS);
                assert!(from % minute == 0);
                places.for_each(|place| covered[place] += to - from);
            }
            assert!(covered.iter().all(|nanos| *nanos == minutes * minute + 1));
        }
    }

    #[test]
    fn an_old_sample_makes_no_more_parts_than_what_is_stored() {
        let minute = RollupStep::Minute.nanos();
        let now = 1_767_225_600_000_000_000;
        for first in [i64::MIN, -7_000_000_000_000_000_000] {
            let stored = Some((Timestamp::from_nanos(first), Timestamp::from_nanos(i64::MAX)));
            // The first tag has the old one, and each has another.
            let next = |place: usize, from: i64| {
                let times = if place == 0 { vec![first, now] } else { vec![now] };
                times.into_iter().find(|time| *time >= from)
            };
            let mut parts = Parts::of(stored, &wanted(8400, i64::MIN, i64::MAX));
            let (mut steps, mut found) = (0, 0);
            while let Some((places, (from, to))) = parts.next() {
                assert!(
                    from < to
                        && (i128::from(to) - i128::from(from)) / i128::from(minute)
                            < i128::from(PAGE_ROWS)
                );
                steps += 1;
                match next(places.start, from).filter(|time| *time < to) {
                    Some(_) => found += 1,
                    None if parts.is_amid() => {
                        let time = next(parts.tag, parts.from);
                        parts.leave_out(time);
                    }
                    None => {}
                }
            }
            assert_eq!(found, 8401);
            assert!(steps <= 3 * 8401, "{steps}");
        }
    }

    #[tokio::test]
    async fn rollups_of_all_times_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let historian = Historian::open(dir.path(), Default::default()).unwrap();
        let now = 1_767_225_600_000_000_000;
        let times = [i64::MIN, -7_000_000_000_000_000_000, 0, now];
        let sample = |time: &i64| weir_model::Sample {
            time: Timestamp::from_nanos(*time),
            value: Some(weir_model::Value::F64(1.0)),
            quality: weir_model::Quality::GOOD,
        };
        let samples = times.iter().map(|time| (TagId(1), sample(time)));
        let batch = weir_model::Batch {
            tenant: TenantId(1),
            producer: None,
            backfill: false,
            arrival: Timestamp::from_nanos(now),
            samples: samples.collect::<Vec<_>>().into(),
        };
        historian.append(batch).await.unwrap();
        for (step, least) in [(RollupStep::Minute, 3), (RollupStep::Hour, 3), (RollupStep::Day, 3)]
        {
            let wanted = RollupsWanted { step, ..wanted(3, i64::MIN, i64::MAX) };
            let mut pages = pages(historian.clone(), TenantId(1), wanted);
            let mut rows = Vec::new();
            while let Some(page) = pages.next().await {
                rows.extend(page.unwrap());
            }
            assert!(rows.len() >= least && rows.len() <= times.len(), "{rows:?}");
            assert!(rows.iter().all(|row| row.tag == TagId(1) && row.samples == 1));
            assert!(rows.is_sorted_by_key(|row| row.time));
        }
    }
}
