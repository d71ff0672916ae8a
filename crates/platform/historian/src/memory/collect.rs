//! The rows of many tags at once, for reading them in columns.

use weir_model::{Samples, TagId, TenantId};

use super::run::{Part, Run, by_time};
use super::{Table, TenantRows};

/// Tags that are looked for under one lock, whether they have rows or not.
const TAGS_MAX: usize = 1 << 16;

impl Table {
    /// The rows of tags, which are ascending, from a key on, with `from <= time < to`: in order of
    /// tag and time, each once, about as many as `rows_max`. Gives besides them the key to go on
    /// from, if there may be more.
    pub(crate) fn collect(
        &self,
        tenant: TenantId,
        tags: &[TagId],
        first: (u32, i64),
        span: (i64, i64),
        rows_max: usize,
    ) -> (Samples, Option<(u32, i64)>) {
        match self.tenants.get(&tenant) {
            Some(rows) => rows.collect(tags, first, span, rows_max),
            None => (Samples::default(), None),
        }
    }

    /// From when on a tenant has rows, and up to when, both included.
    pub(crate) fn times(&self, tenant: TenantId) -> Option<(i64, i64)> {
        let rows = self.tenants.get(&tenant)?;
        let parts = rows.runs.iter().flat_map(Run::all_parts).map(|part| &part.rows);
        let times = parts.chain([&rows.tail]).flat_map(|samples| samples.times());
        times.map(|time| time.nanos()).fold(None, |span, time| {
            let (first, last) = span.unwrap_or((time, time));
            Some((time.min(first), time.max(last)))
        })
    }
}

/// Sorted samples, and up to where they were looked at.
struct Looked<'a> {
    samples: &'a Samples,
    at: usize,
}

impl TenantRows {
    fn collect(
        &self,
        tags: &[TagId],
        first: (u32, i64),
        (from, to): (i64, i64),
        rows_max: usize,
    ) -> (Samples, Option<(u32, i64)>) {
        let begin = tags.partition_point(|tag| tag.0 < first.0);
        let some = &tags[begin..tags.len().min(begin + TAGS_MAX)];
        let (Some(lowest), Some(highest)) = (some.first(), some.last()) else {
            return (Samples::default(), None);
        };
        let tail = self.tail_places(|tag, time| {
            (*lowest..=*highest).contains(&tag) && from <= time && time < to
        });
        let tail = Run::sorted(&self.tail.pick(&tail));
        let runs = self.runs.iter().chain([&tail]).flat_map(|run| run.parts(from, to));
        let mut looked: Vec<Looked<'_>> =
            runs.map(|Part { rows, .. }| Looked { samples: rows, at: 0 }).collect();
        let mut found = Samples::default();
        for tag in some {
            let from = if tag.0 == first.0 { from.max(first.1) } else { from };
            if let Some(key) = take_tag(&mut looked, *tag, (from, to), rows_max, &mut found) {
                return (found, Some(key));
            }
            if found.len() >= rows_max {
                return (found, tag.0.checked_add(1).map(|next| (next, i64::MIN)));
            }
        }
        let next = tags.get(begin + some.len()).map(|tag| (tag.0, i64::MIN));
        (found, next)
    }
}

/// Adds the rows of a tag, those of a later source instead of those of an earlier one; gives the key
/// to go on from where there are more than so many.
fn take_tag(
    looked: &mut [Looked<'_>],
    tag: TagId,
    (from, to): (i64, i64),
    rows_max: usize,
    found: &mut Samples,
) -> Option<(u32, i64)> {
    let mut merged = Samples::default();
    let mut more: Option<i64> = None;
    for Looked { samples, at } in looked.iter_mut() {
        let (tags, times) = (samples.tags(), samples.times());
        if tags.get(*at).is_none_or(|at| *at > tag) {
            continue;
        }
        *at += tags[*at..].partition_point(|other| *other < tag);
        let end = *at + tags[*at..].partition_point(|other| *other == tag);
        let of_tag = &times[*at..end];
        let begin = *at + of_tag.partition_point(|time| time.nanos() < from);
        let stop = *at + of_tag.partition_point(|time| time.nanos() < to);
        *at = end;
        if begin >= stop {
            continue;
        }
        // The first rows of all are among the first rows of each.
        let kept = stop.min(begin + rows_max);
        if kept < stop {
            let next = times[kept].nanos();
            more = Some(more.map_or(next, |more| more.min(next)));
        }
        merged.append_range(samples, begin..kept);
    }
    let ascending = merged.times().windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending {
        let places = by_time((0..merged.len() as u32).collect(), merged.times());
        merged = merged.pick(&places);
    }
    // What is left of one source may lie before what another has given.
    let kept = match more {
        Some(more) => merged.times().partition_point(|time| time.nanos() < more),
        None => merged.len(),
    };
    found.append_range(&merged, 0..kept);
    more.map(|more| (tag.0, more))
}
