//! Reading a block in columns: pieces of rows of many tags, of which only those columns are decoded
//! that are asked for. For whoever reads rows one by one there is [`BlockCursor`].

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use weir_model::{NumberRange, SamplePage, SampleSum, TagId};

use super::Block;
use super::batches::{Batches, Chosen};
use super::decode;
use super::piece::{self, Piece};
use super::read::{COLUMNS, OpenBlock, OpenBlocks, note_damage};
use super::schema::column;
use super::sums::{Filter, RunSum, Told};
use crate::HistorianError;
use crate::deletion::Deletion;
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
    /// The sums that may be given in their place.
    pub(crate) sums: Option<Summing>,
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

impl Decoded {
    /// The names of the columns that they are made of.
    fn names(self) -> Vec<&'static str> {
        let Self { times, numbers, qualities, texts, positions } = self;
        let parts: [(bool, &[&str]); 7] = [
            (true, &["tag"]),
            (times, &["time", "nanos"]),
            (numbers || texts, &["kind", "k", "o", "g"]),
            (numbers, &["p", "f64"]),
            (texts, &["text", "bytes"]),
            (qualities, &["quality"]),
            (positions, &["position"]),
        ];
        let wanted = parts.into_iter().filter(|(is_wanted, _)| *is_wanted);
        wanted.flat_map(|(_, names)| names).copied().collect()
    }
}

impl Asked {
    /// The wanted tags from one tag to another, both included.
    fn within(&self, least: u32, most: u32) -> bool {
        let first = self.tags.partition_point(|tag| tag.0 < least.max(self.first.0));
        self.tags.get(first).is_some_and(|tag| tag.0 <= most)
    }
}

/// Sums that may stand for rows of a block, and where its rows may be replaced or deleted.
#[derive(Debug, Clone)]
pub(crate) struct Summing {
    pub(crate) filter: Filter,
    /// Where other blocks have rows.
    pub(crate) others: Arc<[Vec<Area>]>,
    /// Of which times there are rows in memory, both ends included.
    pub(crate) memory: Arc<[(i64, i64)]>,
    /// What was deleted, in order of the tags.
    pub(crate) deletions: Arc<[Deletion]>,
}

/// The pieces of a block, in the order of their keys.
pub(crate) struct BlockPages {
    block: Arc<Block>,
    asked: Asked,
    format: u32,
    batches: Batches,
    /// What comes next.
    steps: VecDeque<Step>,
    /// Rows that were read and are of a later step.
    left: Option<RecordBatch>,
}

/// A step of reading a block.
#[derive(Debug)]
enum Step {
    /// So many of the rows that are read.
    Rows(usize),
    /// Sums in the place of rows.
    Sums(Vec<SampleSum>),
}

impl BlockPages {
    /// The rows that are asked for.
    pub(crate) fn new(
        blocks: &OpenBlocks,
        block: &Arc<Block>,
        asked: Asked,
    ) -> Result<Self, HistorianError> {
        let open = blocks.open(block).inspect_err(|error| note_damage(block, error))?;
        let (groups, steps) = select(&open, &asked);
        let format = open.format();
        let columns = match format {
            1 => COLUMNS.to_vec(),
            _ => asked.columns.names(),
        };
        let batches = Batches::new(&open, groups, columns, PIECE_ROWS);
        Ok(Self { block: Arc::clone(block), asked, format, batches, steps, left: None })
    }

    /// The next rows, at least one, or sums; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, HistorianError> {
        let read = self.try_next();
        read.inspect_err(|error| note_damage(&self.block, error))
    }

    fn try_next(&mut self) -> Result<Option<Piece>, HistorianError> {
        loop {
            let wanted = match self.steps.pop_front() {
                None => return Ok(None),
                Some(Step::Sums(sums)) => {
                    let page = SamplePage { sums, ..SamplePage::default() };
                    return Ok(Some(Piece { page, ..Piece::default() }));
                }
                Some(Step::Rows(rows)) => rows,
            };
            let batch = match self.left.take() {
                Some(batch) => batch,
                None => match self.batches.next()? {
                    Some(batch) => batch,
                    None => return Err(self.batches.failure(&"rows are missing")),
                },
            };
            let rows = batch.num_rows().min(wanted);
            if rows < wanted {
                self.steps.push_front(Step::Rows(wanted - rows));
            }
            if rows < batch.num_rows() {
                self.left = Some(batch.slice(rows, batch.num_rows() - rows));
            }
            let piece = self.decode(&batch.slice(0, rows));
            let piece = piece.ok_or_else(|| self.batches.failure(&"a value is none"))?;
            let piece = self.wanted(piece);
            if !piece.page.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    /// Decodes rows; gives none where a column lacks what `kind` promises.
    fn decode(&self, batch: &RecordBatch) -> Option<Piece> {
        if self.format == 1 {
            let mut rows: VecDeque<Row> = VecDeque::new();
            decode::format_1(batch, None, &mut rows)?;
            return Some(Piece::of_rows(rows));
        }
        piece::decode(&self.batches.with_constants(batch), self.asked.columns)
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

/// Where a block's pages are, or those that may have numbers of a range, by tag.
///
/// # Errors
/// [`HistorianError::Corrupt`], [`HistorianError::Io`].
pub(crate) fn areas_with(
    blocks: &OpenBlocks,
    block: &Arc<Block>,
    range: Option<NumberRange>,
) -> Result<Vec<Area>, HistorianError> {
    let open = blocks.open(block).inspect_err(|error| note_damage(block, error))?;
    let (mut areas, mut before) = (Vec::new(), 0);
    for group in 0..open.metadata().num_row_groups() {
        let pages = if open.format() == 1 { None } else { pages_of(&open, group, before) };
        before += pages_in(&open, group);
        let Some(pages) = pages else {
            return Ok(vec![Area { tags: (0, u32::MAX), times: (i64::MIN, i64::MAX) }]);
        };
        areas.extend(
            pages
                .iter()
                .filter(|page| range.is_none_or(|range| page.may_have(range)))
                .map(PageOf::area),
        );
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

/// What is read of a block and in which steps: of each row group those pages that may hold what is
/// asked for, but for those that sums stand for.
fn select(open: &OpenBlock, asked: &Asked) -> (Vec<Chosen>, VecDeque<Step>) {
    let (mut groups, mut steps) = (Vec::new(), VecDeque::new());
    let mut before = 0;
    for group in 0..open.metadata().num_row_groups() {
        let rows = open.metadata().row_group(group).num_rows() as usize;
        let pages = if open.format() == 1 { None } else { pages_of(open, group, before) };
        let first = before;
        before += pages_in(open, group);
        let Some(pages) = pages else {
            groups.push((group, None));
            add_rows(&mut steps, rows);
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
        let mut chosen: Vec<Range<usize>> = Vec::new();
        for (place, page) in pages.iter().enumerate().filter(|(_, page)| may(page)) {
            for (rows, step) in steps_of(open, first + place, page, asked) {
                match step {
                    Told::Nothing => {}
                    Told::Sum(sum) => add_sum(&mut steps, sum),
                    Told::Unknown => {
                        add_rows(&mut steps, rows.len());
                        match chosen.last_mut() {
                            Some(before) if before.end == rows.start => before.end = rows.end,
                            _ => chosen.push(rows),
                        }
                    }
                }
            }
        }
        if chosen.first() == Some(&(0..rows)) {
            groups.push((group, None));
        } else if !chosen.is_empty() {
            let selection = RowSelection::from_consecutive_ranges(chosen.into_iter(), rows);
            groups.push((group, Some(selection)));
        }
    }
    (groups, steps)
}

fn add_rows(steps: &mut VecDeque<Step>, rows: usize) {
    match steps.back_mut() {
        Some(Step::Rows(before)) => *before += rows,
        _ => steps.push_back(Step::Rows(rows)),
    }
}

fn add_sum(steps: &mut VecDeque<Step>, sum: SampleSum) {
    match steps.back_mut() {
        Some(Step::Sums(before)) => before.push(sum),
        _ => steps.push_back(Step::Sums(vec![sum])),
    }
}

/// What is done with the rows of a page: sums that stand for some, rows that are passed over, and
/// the others, which are read.
fn steps_of(
    open: &OpenBlock,
    place: usize,
    page: &PageOf,
    asked: &Asked,
) -> Vec<(Range<usize>, Told)> {
    let whole = || vec![(page.rows.clone(), Told::Unknown)];
    let Some(summing) = &asked.sums else { return whole() };
    let all = open.sums();
    let first = all.partition_point(|sum| (sum.page as usize) < place);
    let runs = all[first..].iter().take_while(|sum| sum.page as usize == place);
    let mut row = page.rows.start;
    let steps = runs.map(|run| {
        let rows = row..row + run.rows as usize;
        row = rows.end;
        (rows, summing.tell(run, asked))
    });
    let steps: Vec<_> = steps.collect();
    // Sums that are not of all rows of the page would be of another one.
    if row == page.rows.end { steps } else { whole() }
}

impl Summing {
    /// What a sum tells of what is asked for.
    fn tell(&self, run: &RunSum, asked: &Asked) -> Told {
        let (begins, ends) = run.times;
        let from =
            if run.tag == asked.first.0 { asked.from.max(asked.first.1) } else { asked.from };
        let is_other =
            run.tag < asked.first.0 || asked.tags.binary_search(&TagId(run.tag)).is_err();
        if is_other || ends < from || begins >= asked.to {
            return Told::Nothing;
        }
        if begins < from || ends >= asked.to || self.may_change(run.tag, run.times) {
            return Told::Unknown;
        }
        run.tell(&self.filter)
    }

    /// Whether rows of a tag and of some times may be replaced, or come between others, or be deleted.
    fn may_change(&self, tag: u32, times: (i64, i64)) -> bool {
        let area = Area { tags: (tag, tag), times };
        let in_memory = |span: &(i64, i64)| span.0 <= times.1 && times.0 <= span.1;
        let first = self.deletions.partition_point(|deletion| deletion.tag < tag);
        let mut deletions = self.deletions[first..].iter().take_while(|one| one.tag == tag);
        self.memory.iter().any(in_memory)
            || self.others.iter().any(|other| meets(area, other))
            || deletions.any(|deletion| deletion.from <= times.1 && times.0 < deletion.to)
    }
}

fn bounds<T: Copy>(least: Option<&T>, most: Option<&T>) -> Option<(T, T)> {
    least.copied().zip(most.copied())
}
