//! What decides between rows of several blocks: their keys and positions, without their values.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, TimestampMicrosecondType, TimestampMillisecondType, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::statistics::Statistics;

use super::Block;
use super::checksum::VerifiedFile;
use super::read::{OpenBlock, OpenBlocks, failure_of, note_damage, sound};
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
    open: Arc<OpenBlock>,
    file: VerifiedFile,
    corner: Corner,
    groups: VecDeque<usize>,
    reader: Option<ParquetRecordBatchReader>,
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
        let groups = groups.filter(|group| may_have(&open, *group, corner)).collect();
        let file = open.file();
        Ok(Self { block, open, file, corner, groups, reader: None, rows: VecDeque::new() })
    }

    /// The next row.
    ///
    /// # Errors
    /// As [`Keys::new`].
    pub(crate) fn next(&mut self) -> Result<Option<(Key, u64)>, HistorianError> {
        while self.rows.is_empty() {
            let read = self.fill().map_err(|error| failure_of(self.block, &self.file, &error));
            if !read.inspect_err(|error| note_damage(self.block, error))? {
                return Ok(None);
            }
        }
        Ok(self.rows.pop_front())
    }

    /// Decodes some rows; gives false at the end.
    fn fill(&mut self) -> Result<bool, ParquetError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let Some(group) = self.groups.pop_front() else { return Ok(false) };
                let leaves = match self.open.format() {
                    1 => [column::TAG, column::TIME, column::NANOS, FORMAT_1_POSITION],
                    _ => [column::TAG, column::TIME, column::NANOS, column::POSITION],
                };
                let metadata = self.open.reader_metadata().clone();
                let mask = ProjectionMask::leaves(metadata.parquet_schema(), leaves);
                let builder =
                    ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), metadata);
                let builder = builder.with_row_groups(vec![group]).with_projection(mask);
                let reader = sound(|| builder.with_batch_size(BATCH_ROWS).build())?;
                self.reader.insert(reader)
            }
        };
        match sound(|| reader.next().transpose().map_err(ParquetError::from))? {
            None => self.reader = None,
            Some(batch) => {
                let rows = decode(&batch, self.open.format());
                let rows = rows.ok_or_else(|| ParquetError::General("a key is none".to_owned()))?;
                self.rows.extend(rows.into_iter().filter(|(key, _)| self.corner.has(*key)));
            }
        }
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
    let open = open.inspect_err(|error| note_damage(block, error))?;
    let file = open.file();
    let runs = runs(&open, &file).map_err(|error| failure_of(block, &file, &error));
    runs.inspect_err(|error| note_damage(block, error))
}

fn runs(open: &OpenBlock, file: &VerifiedFile) -> Result<Vec<(u32, u32)>, ParquetError> {
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
        let metadata = open.reader_metadata().clone();
        let mask = ProjectionMask::leaves(metadata.parquet_schema(), [column::TAG]);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata);
        let builder = builder.with_row_groups(vec![group]).with_projection(mask);
        let mut reader = sound(|| builder.with_batch_size(BATCH_ROWS).build())?;
        while let Some(batch) = sound(|| reader.next().transpose().map_err(ParquetError::from))? {
            let tags = values::<UInt32Type>(&batch, 0);
            let tags = tags.ok_or_else(|| ParquetError::General("a tag is none".to_owned()))?;
            tags.iter().copied().for_each(&mut add);
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

/// The place of `position` in files of format 1.
const FORMAT_1_POSITION: usize = 10;

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

fn decode(batch: &RecordBatch, format: u32) -> Option<Vec<(Key, u64)>> {
    let tags = values::<UInt32Type>(batch, 0)?;
    let positions = values::<UInt64Type>(batch, 3)?;
    let times: Vec<i64> = if format == 1 {
        let (micros, nanos) =
            (values::<TimestampMicrosecondType>(batch, 1)?, values::<UInt16Type>(batch, 2)?);
        let time = |(us, ns): (&i64, &u16)| us.checked_mul(1_000)?.checked_add(i64::from(*ns));
        micros.iter().zip(nanos).map(time).collect::<Option<_>>()?
    } else {
        let (millis, nanos) =
            (values::<TimestampMillisecondType>(batch, 1)?, values::<UInt32Type>(batch, 2)?);
        // The earliest time of all begins before what a millisecond of its own could say.
        let time = |(ms, ns): (&i64, &u32)| {
            let time = i128::from(*ms) * 1_000_000 + i128::from(*ns);
            i64::try_from(time).ok()
        };
        millis.iter().zip(nanos).map(time).collect::<Option<_>>()?
    };
    Some(
        tags.iter()
            .zip(times)
            .zip(positions)
            .map(|((tag, time), at)| ((*tag, time), *at))
            .collect(),
    )
}

fn values<T: ArrowPrimitiveType>(batch: &RecordBatch, index: usize) -> Option<&[T::Native]> {
    let column = batch.columns().get(index)?.as_primitive_opt::<T>()?;
    (column.null_count() == 0).then(|| &column.values()[..])
}
