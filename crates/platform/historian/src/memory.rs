//! Samples that are in the log and not in blocks yet.

use std::collections::BTreeMap;
use std::ops::Bound;

use weir_model::{Sample, TagId, TenantId};

use crate::row::{Row, TagMap};

/// What a row takes in memory: itself and the room its vector keeps to grow.
const ROW_BYTES: usize = size_of::<Row>() * 3 / 2;

/// What a tag takes before its first row.
const TAG_BYTES: usize = 128;

/// Rows by tenant and tag.
#[derive(Debug, Default)]
pub(crate) struct Table {
    tags: TagMap<TagRows>,
    bytes: usize,
}

/// One tag's rows. No time is in both parts, and none is in a part twice.
#[derive(Debug, Default)]
pub(crate) struct TagRows {
    /// In order of time: where samples that arrive in order go.
    sorted: Vec<Row>,
    /// Those that arrived late, so that a late sample costs no move of all later ones.
    late: BTreeMap<i64, Row>,
}

impl Table {
    /// Takes the samples of one batch. Positions never fall from call to call, so that what comes
    /// later replaces what is there.
    pub(crate) fn insert(&mut self, tenant: TenantId, position: u64, samples: &[(TagId, Sample)]) {
        for (tag, sample) in samples {
            let row = Row::new(position, *tag, sample);
            let rows = self.tags.entry((tenant, *tag)).or_insert_with(|| {
                self.bytes += TAG_BYTES;
                TagRows::default()
            });
            self.bytes += row.heap_bytes();
            match rows.insert(row) {
                Some(replaced) => self.bytes -= replaced.heap_bytes(),
                None => self.bytes += ROW_BYTES,
            }
        }
    }

    /// Bytes that the rows take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends the rows of a tag with `from <= time < to` to `rows`, at most so many, in order.
    pub(crate) fn read(
        &self,
        (tenant, tag): (TenantId, TagId),
        (from, to): (i64, i64),
        rows_max: usize,
        rows: &mut impl Extend<Row>,
    ) {
        if let Some(tag) = self.tags.get(&(tenant, tag)) {
            rows.extend(tag.range(from, to).take(rows_max).cloned());
        }
    }

    /// Sorts late rows in, once nothing is inserted any more.
    pub(crate) fn seal(&mut self) {
        self.tags.values_mut().for_each(TagRows::seal);
    }

    /// The rows of a sealed table, in runs of one tenant, day and tag, sorted by these three.
    pub(crate) fn runs(&self) -> Vec<Run<'_>> {
        let mut runs = Vec::with_capacity(self.tags.len());
        for ((tenant, tag), rows) in &self.tags {
            let same_day = |a: &Row, b: &Row| day(a) == day(b);
            runs.extend(rows.sorted.chunk_by(same_day).map(|rows| Run {
                tenant: *tenant,
                day: day(&rows[0]),
                tag: *tag,
                rows,
            }));
        }
        runs.sort_by_key(|run| (run.tenant, run.day, run.tag));
        runs
    }
}

/// Rows of one tag on one day, in order of time.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// Whose.
    pub(crate) tenant: TenantId,
    /// Days since the epoch.
    pub(crate) day: i32,
    /// The tag.
    pub(crate) tag: TagId,
    /// The rows; at least one.
    pub(crate) rows: &'a [Row],
}

fn day(row: &Row) -> i32 {
    weir_model::Timestamp::from_nanos(row.time).day()
}

impl TagRows {
    /// Takes a row and gives the one it replaces.
    fn insert(&mut self, row: Row) -> Option<Row> {
        match self.sorted.last() {
            Some(last) if last.time >= row.time => {}
            _ => {
                self.sorted.push(row);
                return None;
            }
        }
        match self.sorted.binary_search_by_key(&row.time, |row| row.time) {
            Ok(index) => Some(std::mem::replace(&mut self.sorted[index], row)),
            Err(_) => self.late.insert(row.time, row),
        }
    }

    /// Rows with `from <= time < to` in order.
    fn range(&self, from: i64, to: i64) -> impl Iterator<Item = &Row> {
        let to = to.max(from);
        let first = self.sorted.partition_point(|row| row.time < from);
        let mut sorted =
            self.sorted[first..].iter().take_while(move |row| row.time < to).peekable();
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        // An empty range is no range to a tree.
        let late = (from < to).then(|| self.late.range(bounds));
        let mut late = late.into_iter().flatten().map(|(_, row)| row).peekable();
        std::iter::from_fn(move || match (sorted.peek(), late.peek()) {
            (Some(a), Some(b)) if b.time < a.time => late.next(),
            (Some(_), _) => sorted.next(),
            (None, _) => late.next(),
        })
    }

    fn seal(&mut self) {
        if !self.late.is_empty() {
            self.sorted.extend(std::mem::take(&mut self.late).into_values());
            // Two ascending runs: the stable sort merges them.
            self.sorted.sort_by_key(|row| row.time);
        }
    }
}

#[cfg(test)]
mod tests;
