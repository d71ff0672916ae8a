//! What decides between rows of several blocks: their keys and positions, without their values.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, UInt16Type, UInt32Type, UInt64Type,
};
use parquet::file::statistics::Statistics;

use super::Block;
use super::batches::Batches;
use super::decode::{Batch, time};
use super::read::{OpenBlock, OpenBlocks, note_damage};
use super::schema::column;
use crate::HistorianError;

/// Rows decoded at a time.
const BATCH_ROWS: usize = 16 * 1024;

/// A row's tag and time in nanoseconds.
pub(crate) type Key = (u32, i64);

/// The part of a block that is looked at: tags and times, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Corner {
    pub(crate) tags: (u32, u32),
    pub(crate) times: (i64, i64),
}

impl Corner {
    /// What two blocks may both have; none where they share no key.
    pub(crate) fn shared(a: &Block, b: &Block) -> Option<Self> {
        let (a, b) = (a.entry(), b.entry());
        let tags = (a.tag_min.max(b.tag_min), a.tag_max.min(b.tag_max));
        let times = (a.time_min.max(b.time_min), a.time_max.min(b.time_max));
        let shares = a.tenant == b.tenant && tags.0 <= tags.1 && times.0 <= times.1;
        shares.then_some(Self { tags, times })
    }

    fn has(&self, (tag, time): Key) -> bool {
        (self.tags.0..=self.tags.1).contains(&tag) && (self.times.0..=self.times.1).contains(&time)
    }
}

/// Keys and positions of a block's rows in order, of one corner of it.
pub(crate) struct Keys<'a> {
    block: &'a Block,
    format: u32,
    batches: Batches,
    corner: Corner,
    rows: VecDeque<(Key, u64)>,
}

impl<'a> Keys<'a> {
    /// Those of a corner.
    ///
    /// # Errors
    /// [`HistorianError::Corrupt`], [`HistorianError::Io`].
    pub(crate) fn new(block: &'a Block, corner: Corner) -> Result<Self, HistorianError> {
        let open = OpenBlocks::default().open(block);
        let open = open.inspect_err(|error| note_damage(block, error))?;
        let groups = 0..open.metadata().num_row_groups();
        let groups = groups.filter(|group| may_have(&open, *group, corner));
        let groups = groups.map(|group| (group, None));
        let columns = vec!["tag", "time", "nanos", "position"];
        let batches = Batches::new(&open, groups, columns, BATCH_ROWS);
        Ok(Self { block, format: open.format(), batches, corner, rows: VecDeque::new() })
    }

    /// The next row.
    ///
    /// # Errors
    /// As [`Keys::new`].
    pub(crate) fn next(&mut self) -> Result<Option<(Key, u64)>, HistorianError> {
        while self.rows.is_empty() {
            let read = self.fill();
            if !read.inspect_err(|error| note_damage(self.block, error))? {
                return Ok(None);
            }
        }
        Ok(self.rows.pop_front())
    }

    /// Decodes some rows; gives false at the end.
    fn fill(&mut self) -> Result<bool, HistorianError> {
        let Some(batch) = self.batches.next()? else { return Ok(false) };
        let corner = self.corner;
        let mut take = |key: Key, position: u64| {
            if corner.has(key) {
                self.rows.push_back((key, position));
            }
        };
        let batch = self.batches.with_constants(&batch);
        decode(&batch, self.format, &mut take)
            .ok_or_else(|| self.batches.failure(&"a key is none"))?;
        Ok(true)
    }
}

/// The tags that have rows in a block, in order, as runs of numbers without a gap: both ends
/// included. Reads one column, and nothing of the row groups that the footer says are of one tag.
///
/// # Errors
/// As [`Keys::new`].
pub(crate) fn tags(block: &Block) -> Result<Vec<(u32, u32)>, HistorianError> {
    let open = OpenBlocks::default().open(block);
    let runs = open.and_then(|open| runs(&open));
    runs.inspect_err(|error| note_damage(block, error))
}

fn runs(open: &Arc<OpenBlock>) -> Result<Vec<(u32, u32)>, HistorianError> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    let mut add = |tag: u32| match runs.last_mut() {
        Some((_, last)) if *last == tag => {}
        Some((_, last)) if last.checked_add(1) == Some(tag) => *last = tag,
        _ => runs.push((tag, tag)),
    };
    for group in 0..open.metadata().num_row_groups() {
        if let Some((tag, _)) = tag_range(open, group).filter(|(min, max)| min == max) {
            add(tag);
            continue;
        }
        let mut batches = Batches::new(open, [(group, None)], vec!["tag"], BATCH_ROWS);
        while let Some(batch) = batches.next()? {
            let rows = batch.num_rows();
            let tags = batches.with_constants(&batch).tags();
            let tags = tags.ok_or_else(|| batches.failure(&"a tag is none"))?;
            (0..rows).for_each(|row| add(tags.get(row)));
        }
    }
    Ok(runs)
}

/// The lowest and the highest tag of a row group, where the footer says them.
fn tag_range(open: &OpenBlock, group: usize) -> Option<(u32, u32)> {
    match open.metadata().row_group(group).column(column::TAG).statistics() {
        Some(Statistics::Int32(tags)) => {
            tags.min_opt().zip(tags.max_opt()).map(|(min, max)| (*min as u32, *max as u32))
        }
        _ => None,
    }
}

/// Whether a row group may have rows of a corner, by what the footer says.
fn may_have(open: &OpenBlock, group: usize, corner: Corner) -> bool {
    let (from, to) = open.times(group, corner.times.0, corner.times.1);
    let tags = tag_range(open, group);
    let group = open.metadata().row_group(group);
    let times = match group.column(column::TIME).statistics() {
        Some(Statistics::Int64(times)) => times.min_opt().zip(times.max_opt()),
        _ => None,
    };
    tags.is_none_or(|(min, max)| min <= corner.tags.1 && max >= corner.tags.0)
        && times.is_none_or(|(min, max)| *min <= to && *max >= from)
}

/// Gives the keys and positions of a batch; none where one of them is none.
fn decode(batch: &Batch<'_>, format: u32, take: &mut impl FnMut(Key, u64)) -> Option<()> {
    let tags = batch.tags()?;
    let positions = batch.column::<UInt64Type>("position", column::POSITION, |bits| bits)?;
    let rows = batch.batch.num_rows();
    let columns = batch.batch;
    if format == 1 {
        let times =
            columns.column_by_name("time")?.as_primitive_opt::<TimestampMicrosecondType>()?;
        let nanos = columns.column_by_name("nanos")?.as_primitive_opt::<UInt16Type>()?.values();
        for row in 0..rows {
            let time = time(times.values()[row], 1_000, nanos[row].into())?;
            take((tags.get(row), time), positions.get(row));
        }
        return Some(());
    }
    let times = columns.column_by_name("time")?.as_primitive_opt::<TimestampMillisecondType>()?;
    let nanos = batch.column::<UInt32Type>("nanos", column::NANOS, |bits| bits as u32)?;
    for row in 0..rows {
        let time = time(times.values()[row], 1_000_000, nanos.get(row).into())?;
        take((tags.get(row), time), positions.get(row));
    }
    Some(())
}
