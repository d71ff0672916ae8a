//! Rollups in pages, as SQL reads them.

use std::collections::VecDeque;
use std::time::SystemTime;

use futures::{StreamExt, stream};
use weir_historian::{Aggregate, Historian, HistorianError, RollupLevel};
use weir_model::{RollupNumbers, RollupRow, RollupStep, RollupsWanted, TagId, TenantId, Timestamp};

use crate::query::{QuerySourceError, RollupPages};

/// Rollups of one page at most.
const PAGE_ROWS: i64 = 20_000;

/// The rollups that are wanted.
pub(super) fn pages(historian: Historian, tenant: TenantId, wanted: RollupsWanted) -> RollupPages {
    let parts = parts(historian.stored_times(tenant), &wanted);
    let until = Timestamp::from_system(SystemTime::now());
    let reading = Reading { historian, tenant, wanted, parts, until };
    let pages = stream::try_unfold(reading, |reading| async move {
        Ok::<_, QuerySourceError>(reading.next().await?)
    });
    pages.boxed()
}

/// Tags, by their places among those wanted, and a span of time.
type Part = (std::ops::Range<usize>, (i64, i64));

/// What is wanted in parts, each of which has no more rows than a page.
fn parts(stored: Option<(Timestamp, Timestamp)>, wanted: &RollupsWanted) -> VecDeque<Part> {
    let Some((first, last)) = stored else { return VecDeque::new() };
    let step = wanted.step.nanos();
    let start = first.nanos().div_euclid(step).saturating_mul(step);
    let from = wanted.from.nanos().max(start);
    let to = wanted.to.nanos().min(last.nanos().saturating_add(1));
    if from >= to {
        return VecDeque::new();
    }
    // One more, as the first and the last may be cut.
    let of_tag = (to - from) / step + 2;
    if of_tag <= PAGE_ROWS {
        let tags = (PAGE_ROWS / of_tag).max(1) as usize;
        let starts = (0..wanted.tags.len()).step_by(tags);
        return starts.map(|at| (at..wanted.tags.len().min(at + tags), (from, to))).collect();
    }
    let mut parts = VecDeque::new();
    for place in 0..wanted.tags.len() {
        let mut at = from;
        while at < to {
            let end = at.saturating_add(step.saturating_mul(PAGE_ROWS - 2)).min(to);
            parts.push_back((place..place + 1, (at, end)));
            at = end;
        }
    }
    parts
}

/// A reading that goes from part to part.
struct Reading {
    historian: Historian,
    tenant: TenantId,
    wanted: RollupsWanted,
    parts: VecDeque<Part>,
    /// Up to when a last sample holds.
    until: Timestamp,
}

impl Reading {
    /// The next page that has rows, and the reading as it goes on.
    async fn next(mut self) -> Result<Option<(Vec<RollupRow>, Self)>, HistorianError> {
        while let Some((places, (from, to))) = self.parts.pop_front() {
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
        }
        Ok(None)
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
        assert!(parts(None, &wanted(3, i64::MIN, i64::MAX)).is_empty());
        assert!(parts(stored(5), &wanted(3, 9 * minute, i64::MAX)).is_empty());
        for (tags, minutes) in [(1, 5), (1000, 60), (7, 19_998), (3, 200_000), (20_001, 1)] {
            let parts = parts(stored(minutes), &wanted(tags, i64::MIN, i64::MAX));
            let mut covered = vec![0; tags as usize];
            for (places, (from, to)) in parts {
                assert!((places.len() as i64) * ((to - from) / minute + 2) <= PAGE_ROWS);
                assert!(from % minute == 0);
                places.for_each(|place| covered[place] += to - from);
            }
            assert!(covered.iter().all(|nanos| *nanos == minutes * minute + 1));
        }
    }
}
