//! Reading a block in columns: pieces of rows of many tags, of which only those columns are decoded
//! that are asked for. For whoever reads rows one by one there is [`BlockCursor`].

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use weir_model::{NumberRange, TagId};

use super::Block;
use super::checksum::VerifiedFile;
use super::decode::{self, Constants};
use super::piece::{self, Piece};
use super::read::{BlockCursor, OpenBlock, OpenBlocks, failure_of, note_damage, sound};
use super::schema::column;
use crate::HistorianError;
use crate::row::Row;

/// Rows decoded at a time: as many as most pages have, and few enough for the caches.
pub(crate) const PIECE_ROWS: usize = 16 << 10;

/// Rows that are wanted of a block.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Of these tags, in ascending order.
    pub(crate) tags: Arc<[TagId]>,
    /// From this key on.
    pub(crate) first: (u32, i64),
    /// From this time on, in nanoseconds.
    pub(crate) from: i64,
    /// Up to and without this time.
    pub(crate) to: i64,
    /// The numbers that are looked for, where pages without them may be passed over.
    pub(crate) numbers: Option<Sought>,
    /// What is decoded of them.
    pub(crate) columns: Decoded,
}

/// Numbers that are looked for.
#[derive(Debug, Clone)]
pub(crate) struct Sought {
    pub(crate) range: NumberRange,
    /// Where other blocks have them: rows there may be replaced by others.
    pub(crate) others: Arc<[Vec<Area>]>,
}

/// Columns that are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) times: bool,
    pub(crate) numbers: bool,
    pub(crate) qualities: bool,
    pub(crate) texts: bool,
    pub(crate) positions: bool,
}

impl Asked {
    /// The wanted tags from one tag to another, both included.
    fn within(&self, least: u32, most: u32) -> bool {
        let first = self.tags.partition_point(|tag| tag.0 < least.max(self.first.0));
        self.tags.get(first).is_some_and(|tag| tag.0 <= most)
    }
}

/// The pieces of a block, in the order of their keys.
pub(crate) struct BlockPages {
    block: Arc<Block>,
    asked: Asked,
    of: Format,
}

enum Format {
    /// A block of the first format is read row by row.
    Rows(Box<BlockCursor>),
    Columns {
        open: Arc<OpenBlock>,
        file: VerifiedFile,
        groups: Groups,
        reader: Option<Box<Reader>>,
    },
}

type Groups = VecDeque<(usize, Option<RowSelection>)>;
type Reader = (ParquetRecordBatchReader, Constants);

impl BlockPages {
    /// The rows that are asked for.
    pub(crate) fn new(
        blocks: &OpenBlocks,
        block: &Arc<Block>,
        asked: Asked,
    ) -> Result<Self, HistorianError> {
        let open = blocks.open(block).inspect_err(|error| note_damage(block, error))?;
        let of = if open.format() == 1 {
            Format::Rows(Box::new(BlockCursor::new(blocks, block, None)?))
        } else {
            let groups = select(&open, &asked);
            let file = open.file();
            Format::Columns { open, file, groups, reader: None }
        };
        Ok(Self { block: Arc::clone(block), asked, of })
    }

    /// The next rows, at least one; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, HistorianError> {
        let read = self.try_next();
        read.inspect_err(|error| note_damage(&self.block, error))
    }

    fn try_next(&mut self) -> Result<Option<Piece>, HistorianError> {
        loop {
            let piece = match &mut self.of {
                Format::Rows(cursor) => {
                    let mut rows: VecDeque<Row> = VecDeque::new();
                    cursor.read(&mut rows)?;
                    if rows.is_empty() {
                        return Ok(None);
                    }
                    Piece::of_rows(rows)
                }
                Format::Columns { open, file, groups, reader } => {
                    let failed =
                        |error: &dyn std::fmt::Display| failure_of(&self.block, file, error);
                    let current = match reader {
                        Some(reader) => reader,
                        None => {
                            let Some((group, selection)) = groups.pop_front() else {
                                return Ok(None);
                            };
                            let constants = open.constants(group);
                            let columns = self.asked.columns;
                            let begun = sound(|| {
                                begin(open, file, (group, selection), &constants, columns)
                            });
                            let begun = begun.map_err(|error| failed(&error))?;
                            reader.insert(Box::new((begun, constants)))
                        }
                    };
                    let batch = sound(|| current.0.next().transpose().map_err(ParquetError::from));
                    let Some(batch) = batch.map_err(|error| failed(&error))? else {
                        *reader = None;
                        continue;
                    };
                    let batch = decode::Batch { batch: &batch, constants: &current.1 };
                    let piece = piece::decode(&batch, self.asked.columns);
                    piece.ok_or_else(|| failed(&"a value is none"))?
                }
            };
            let piece = self.wanted(piece);
            if !piece.page.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    /// What of a piece is asked for: a page has rows around it.
    fn wanted(&self, mut piece: Piece) -> Piece {
        let Asked { tags, first, from, to, .. } = &self.asked;
        let entry = self.block.entry();
        let mut kept = Vec::with_capacity(piece.page.rows());
        let mut all = true;
        for (tag, rows) in &piece.page.tags {
            let (start, end) = (kept.len(), kept.len() + *rows as usize);
            let known = tag.0 >= first.0 && tags.binary_search(tag).is_ok();
            kept.resize(end, known);
            all &= known;
            let from = if tag.0 == first.0 { (*from).max(first.1) } else { *from };
            if !known || from <= entry.time_min && entry.time_max < *to {
                continue;
            }
            // Times are decoded wherever some may be left out.
            let times = piece.page.times.get(start..end).unwrap_or_default();
            let before = times.partition_point(|time| *time < from);
            let within = times.partition_point(|time| *time < *to).max(before);
            kept[start..start + before].fill(false);
            kept[start + within..start + times.len()].fill(false);
            all &= before == 0 && within == times.len();
        }
        if !all {
            piece.retain(&kept);
        }
        piece
    }
}

/// A page of `k`, and the pages of `tag` and `time` that are of the same rows.
struct PageOf {
    rows: Range<usize>,
    /// The lowest and the highest tag, where it is known.
    tags: Option<(u32, u32)>,
    /// The first and the last time in the unit of the column, where it is known.
    times: Option<(i64, i64)>,
    /// Between which numbers its values are, where it is known.
    numbers: Option<NumberRange>,
}

/// The pages of a row group, the first of which has so many of other groups before it; none where it is
/// not known which rows they are of.
fn pages_of(open: &OpenBlock, group: usize, before: usize) -> Option<Vec<PageOf>> {
    let metadata = open.metadata();
    let row_group = metadata.row_group(group);
    let locations =
        |column: usize| Some(metadata.offset_index()?.get(group)?.get(column)?.page_locations());
    let index = |column: usize| metadata.column_index()?.get(group)?.get(column);
    let (tags, times) = (locations(column::TAG)?, locations(column::TIME)?);
    let steps = locations(column::K)?;
    let same = tags.len() == times.len() && tags.len() == steps.len();
    let mut each = tags.iter().zip(times).zip(steps);
    let aligned = each.all(|((tag, time), k)| {
        tag.first_row_index == time.first_row_index && tag.first_row_index == k.first_row_index
    });
    if !same || !aligned {
        return None;
    }
    let pages = (0..tags.len()).map(|page| {
        let end = tags.get(page + 1).map_or(row_group.num_rows(), |next| next.first_row_index);
        // Of a column of one page the row group tells.
        let tags_of = match (index(column::TAG), row_group.column(column::TAG).statistics()) {
            (Some(ColumnIndexMetaData::INT32(index)), _) => {
                bounds(index.min_value(page), index.max_value(page))
            }
            (_, Some(Statistics::Int32(all))) => bounds(all.min_opt(), all.max_opt()),
            _ => None,
        };
        let times = match (index(column::TIME), row_group.column(column::TIME).statistics()) {
            (Some(ColumnIndexMetaData::INT64(index)), _) => {
                bounds(index.min_value(page), index.max_value(page))
            }
            (_, Some(Statistics::Int64(all))) => bounds(all.min_opt(), all.max_opt()),
            _ => None,
        };
        PageOf {
            rows: tags[page].first_row_index as usize..end as usize,
            tags: tags_of.map(|(least, most)| (least as u32, most as u32)),
            times,
            numbers: open.numbers().and_then(|all| all.get(before + page)).copied(),
        }
    });
    Some(pages.collect())
}

/// How many pages of `k` a row group has.
fn pages_in(open: &OpenBlock, group: usize) -> usize {
    let offsets = open.metadata().offset_index();
    let column = offsets.and_then(|groups| groups.get(group)?.get(column::K));
    column.map_or(0, |column| column.page_locations().len())
}

/// A range of tags and of times, in nanoseconds, both ends included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Area {
    tags: (u32, u32),
    times: (i64, i64),
}

impl PageOf {
    /// Where its rows are, and maybe some around them.
    fn area(&self) -> Area {
        let times = self.times.map_or((i64::MIN, i64::MAX), |(first, last)| {
            // A time is rounded down to a millisecond at most so far before it.
            let end = last.saturating_mul(1_000_000).saturating_add(i64::from(u32::MAX));
            (first.saturating_mul(1_000_000), end)
        });
        Area { tags: self.tags.unwrap_or((0, u32::MAX)), times }
    }

    fn may_have(&self, range: NumberRange) -> bool {
        self.numbers.is_none_or(|numbers| numbers.meets(range))
    }
}

/// Where a block's pages are that may have numbers of a range, by tag.
///
/// # Errors
/// [`HistorianError::Corrupt`], [`HistorianError::Io`].
pub(crate) fn areas_with(
    blocks: &OpenBlocks,
    block: &Arc<Block>,
    range: NumberRange,
) -> Result<Vec<Area>, HistorianError> {
    let open = blocks.open(block).inspect_err(|error| note_damage(block, error))?;
    let (mut areas, mut before) = (Vec::new(), 0);
    for group in 0..open.metadata().num_row_groups() {
        let pages = if open.format() == 1 { None } else { pages_of(&open, group, before) };
        before += pages_in(&open, group);
        let Some(pages) = pages else {
            return Ok(vec![Area { tags: (0, u32::MAX), times: (i64::MIN, i64::MAX) }]);
        };
        areas.extend(pages.iter().filter(|page| page.may_have(range)).map(PageOf::area));
    }
    Ok(areas)
}

/// Whether an area meets one of others, which are in order of their tags.
fn meets(area: Area, others: &[Area]) -> bool {
    let first = others.partition_point(|other| other.tags.1 < area.tags.0);
    let near = others[first..].iter().take_while(|other| other.tags.0 <= area.tags.1);
    let mut near = near.map(|other| other.times);
    near.any(|times| times.0 <= area.times.1 && area.times.0 <= times.1)
}

/// The row groups, and of each the rows of those pages, that may hold what is asked for.
fn select(open: &OpenBlock, asked: &Asked) -> Groups {
    let mut groups = VecDeque::new();
    let mut before = 0;
    for group in 0..open.metadata().num_row_groups() {
        let pages = pages_of(open, group, before);
        before += pages_in(open, group);
        let Some(pages) = pages else {
            groups.push_back((group, None));
            continue;
        };
        let (from, to) = open.times(group, asked.from, asked.to);
        let may = |page: &PageOf| {
            page.tags.is_none_or(|(least, most)| asked.within(least, most))
                && page.times.is_none_or(|(first, last)| first <= to && last >= from)
                && asked.numbers.as_ref().is_none_or(|numbers| {
                    // A row that is passed over must not let an older one of its time through.
                    let mut others = numbers.others.iter();
                    page.may_have(numbers.range) || others.any(|other| meets(page.area(), other))
                })
        };
        let chosen = pages.iter().filter(|page| may(page)).count();
        if chosen == pages.len() {
            groups.push_back((group, None));
        } else if chosen > 0 {
            let rows = open.metadata().row_group(group).num_rows() as usize;
            let ranges = pages.iter().filter(|page| may(page)).map(|page| page.rows.clone());
            let selection = RowSelection::from_consecutive_ranges(ranges, rows);
            groups.push_back((group, Some(selection)));
        }
    }
    groups
}

fn bounds<T: Copy>(least: Option<&T>, most: Option<&T>) -> Option<(T, T)> {
    least.copied().zip(most.copied())
}

/// Begins to read a row group.
fn begin(
    open: &OpenBlock,
    file: &VerifiedFile,
    (group, selection): (usize, Option<RowSelection>),
    constants: &Constants,
    columns: Decoded,
) -> Result<ParquetRecordBatchReader, ParquetError> {
    let row_group = open.metadata().row_group(group);
    let Decoded { times, numbers, qualities, texts, positions } = columns;
    let wanted = |index: usize| match index {
        column::TAG => true,
        column::TIME | column::NANOS => times,
        column::KIND | column::K | column::O | column::G => numbers || texts,
        column::P | column::F64 => numbers,
        column::TEXT | column::BYTES => texts,
        column::QUALITY => qualities,
        column::POSITION => positions,
        _ => false,
    };
    // Columns without a single value, or with one only, are most of them: they are not read.
    let leaves = (0..row_group.num_columns()).filter(|index| {
        let nulls = row_group.column(*index).statistics().and_then(|s| s.null_count_opt());
        wanted(*index) && nulls != Some(row_group.num_rows() as u64) && !constants.has(*index)
    });
    let mask = ProjectionMask::leaves(open.reader_metadata().parquet_schema(), leaves);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
        file.clone(),
        open.reader_metadata().clone(),
    )
    .with_row_groups(vec![group])
    .with_projection(mask)
    .with_batch_size(PIECE_ROWS);
    match selection {
        Some(selection) => builder.with_row_selection(selection).build(),
        None => builder.build(),
    }
}
