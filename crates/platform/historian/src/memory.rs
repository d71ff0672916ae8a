//! Samples that are in the log and not in blocks yet.
//!
//! What arrives is appended to a tail as it is; a tail that is long enough is sorted into a run.
//! So storing a sample touches no structure of its tag, reads look into a few dozen sorted runs and
//! one short tail, and writing blocks is a merge of what is sorted already.

mod collect;
mod merge;
mod run;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use weir_model::{Samples, TagId, TenantId};

pub(crate) use self::merge::TagRows;
use self::run::Run;
use crate::deletion::Deletion;
use crate::row::Row;

/// Rows of a tail: enough that runs are few, and few enough that a read looks through them in
/// microseconds and sorting them stays within the processor's caches.
const TAIL_ROWS: usize = 1 << 15;

/// Rows by tenant.
#[derive(Debug, Default)]
pub(crate) struct Table {
    tenants: BTreeMap<TenantId, TenantRows>,
    bytes: usize,
}

/// One tenant's rows, in the order they were stored: of two of one tag and time, the later counts.
#[derive(Debug, Default)]
pub(crate) struct TenantRows {
    runs: Vec<Run>,
    tail: Samples,
}

impl Table {
    /// Takes the samples of one batch.
    pub(crate) fn insert(&mut self, tenant: TenantId, samples: &Samples) {
        if samples.is_empty() {
            return;
        }
        let rows = self.tenants.entry(tenant).or_default();
        self.bytes += samples.bytes();
        rows.tail.append(samples);
        if rows.tail.len() >= TAIL_ROWS {
            rows.sort_tail();
        }
    }

    /// Takes away what a deletion is of.
    pub(crate) fn delete(&mut self, deletion: &Deletion) {
        if let Some(rows) = self.tenants.get_mut(&deletion.tenant) {
            let (tag, from, to) = (TagId(deletion.tag), deletion.from, deletion.to);
            rows.runs.iter_mut().for_each(|run| run.delete(tag, from, to));
            rows.tail =
                rows.tail.pick(&rows.tail_places(|place_tag, time| {
                    !(place_tag == tag && from <= time && time < to)
                }));
        }
    }

    /// The days on which a tenant has rows, of any tag.
    pub(crate) fn days(&self, tenant: TenantId) -> BTreeSet<i32> {
        let Some(rows) = self.tenants.get(&tenant) else { return BTreeSet::new() };
        let tail = rows.tail.times().iter().map(|time| time.day());
        rows.days().into_iter().chain(tail).collect()
    }

    /// Notes the tags of a tenant that have rows with `time < before`.
    pub(crate) fn tags_before(&self, tenant: TenantId, before: i64, tags: &mut HashSet<u32>) {
        let Some(rows) = self.tenants.get(&tenant) else { return };
        let parts = rows.runs.iter().flat_map(|run| run.parts(i64::MIN, before));
        let mut last = None;
        for samples in parts.map(|part| &part.rows).chain([&rows.tail]) {
            for (tag, time) in samples.tags().iter().zip(samples.times()) {
                if time.nanos() < before && last.replace(*tag) != Some(*tag) {
                    tags.insert(tag.0);
                }
            }
        }
    }

    /// Bytes that were inserted.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends the rows of a tag with `from <= time < to` to `rows`, the first ones in order, at
    /// most so many and, where there are any, at least one. They carry the position given.
    pub(crate) fn read(
        &self,
        (tenant, tag): (TenantId, TagId),
        span: (i64, i64),
        rows_max: usize,
        position: u64,
        rows: &mut impl Extend<Row>,
    ) {
        if let Some(of_tenant) = self.tenants.get(&tenant) {
            of_tenant.read(tag, span, rows_max, position, rows);
        }
    }

    /// Sorts what is not sorted, once nothing is inserted any more.
    pub(crate) fn seal(&mut self) {
        self.tenants.values_mut().for_each(TenantRows::sort_tail);
    }

    /// The tenants that have rows.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = (TenantId, &TenantRows)> {
        self.tenants.iter().map(|(tenant, rows)| (*tenant, rows))
    }
}

/// Samples among which those wanted lie in a row, in order of time, each time once.
struct Slice<'a> {
    samples: Cow<'a, Samples>,
    places: Range<usize>,
    /// Which were stored later: those of the higher number.
    order: usize,
}

impl TenantRows {
    /// Places of the tail whose tag and time are wanted.
    fn tail_places(&self, wanted: impl Fn(TagId, i64) -> bool) -> Vec<u32> {
        let rows = self.tail.tags().iter().zip(self.tail.times()).zip(0u32..);
        let wanted = rows.filter(|((tag, time), _)| wanted(**tag, time.nanos()));
        wanted.map(|(_, place)| place).collect()
    }

    fn sort_tail(&mut self) {
        if !self.tail.is_empty() {
            self.runs.push(Run::sorted(&std::mem::take(&mut self.tail)));
        }
    }

    fn read(
        &self,
        tag: TagId,
        span: (i64, i64),
        rows_max: usize,
        position: u64,
        rows: &mut impl Extend<Row>,
    ) {
        let mut slices = self.slices(tag, span);
        for slice in &mut slices {
            // The first rows of all are among the first rows of each.
            slice.places.end = slice.places.end.min(slice.places.start.saturating_add(rows_max));
        }
        let several = slices.len() > 1;
        slices.sort_by_key(|slice| slice.samples.times()[slice.places.start]);
        let mut found: Vec<(i64, usize, Row)> = Vec::new();
        let mut latest = i64::MIN;
        for Slice { samples, places, order } in slices {
            let times = samples.times();
            if found.len() >= rows_max && times[places.start].nanos() > latest {
                break;
            }
            latest = latest.max(times[places.end - 1].nanos());
            found
                .extend(places.map(|place| {
                    (times[place].nanos(), order, Row::of(&samples, place, position))
                }));
        }
        if several {
            found.sort_by_key(|(time, order, _)| (*time, Reverse(*order)));
            found.dedup_by_key(|(time, ..)| *time);
        }
        rows.extend(found.into_iter().take(rows_max).map(|(_, _, row)| row));
    }

    /// Where rows of a tag with `from <= time < to` are; no slice is empty.
    fn slices(&self, tag: TagId, (from, to): (i64, i64)) -> Vec<Slice<'_>> {
        let mut slices = Vec::new();
        for (order, run) in self.runs.iter().enumerate() {
            for part in run.parts(from, to) {
                let places = part.places(tag, from, to);
                if !places.is_empty() {
                    slices.push(Slice { samples: Cow::Borrowed(&part.rows), places, order });
                }
            }
        }
        let places = self.tail_places(|of, time| of == tag && from <= time && time < to);
        if !places.is_empty() {
            let samples = self.tail.pick(&run::by_time(places, self.tail.times()));
            let places = 0..samples.len();
            slices.push(Slice { samples: Cow::Owned(samples), places, order: self.runs.len() });
        }
        slices
    }
}

#[cfg(test)]
mod tests;
