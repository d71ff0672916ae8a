//! The rollups of one block, from its file or made of its rows.

use std::cell::RefCell;
use std::sync::Arc;

use super::build::Builder;
use super::cache::{Part, RollupCache};
use super::group::{Directory, Place, unpack};
use super::partial::Partial;
use super::{RollupLevel, State, Stored};
use crate::HistorianError;
use crate::block::Block;
use crate::block::read::{BlockCursor, OpenBlocks, Wanted};
use crate::row::Row;

/// Tags up to which the rows of a block are read tag by tag.
const TAGS_APART_MAX: usize = 8;

/// Rows and range of tags of a block whose rollups are made at once, and kept.
const WHOLE_ROWS_MAX: u64 = 4 << 20;
const WHOLE_TAGS_MAX: u32 = 1 << 14;

/// What a source knows of a time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Known {
    /// It has no sample then.
    Nothing,
    /// It has these.
    Whole(Partial),
    /// It may have some: they have to be read.
    Unknown,
}

/// A block that is asked for rollups, tag by tag in rising order.
pub(crate) struct Source {
    block: Arc<Block>,
    /// None until it is asked.
    rollups: RefCell<Option<Rollups>>,
}

enum Rollups {
    /// In the file; of each level the group that was used last.
    Filed { directory: Arc<Directory>, last: [Option<(usize, Arc<Vec<Stored>>)>; 3] },
    /// Made of its rows: every hour and day is there.
    Made([Arc<Vec<Stored>>; 3]),
}

/// What sources are read with.
#[derive(Clone, Copy)]
pub(crate) struct Access<'a> {
    pub(crate) blocks: &'a OpenBlocks,
    pub(crate) cache: &'a RollupCache,
    /// The tags that are asked for, rising.
    pub(crate) tags: &'a [u32],
    /// The days that are asked for, as a span in nanoseconds.
    pub(crate) span: (i64, i64),
    /// Looks, after so many rows, whether to go on.
    pub(crate) look: &'a dyn Fn(usize) -> Result<(), HistorianError>,
}

impl Source {
    /// The rollups of a block, which is not opened before it is asked.
    pub(crate) fn new(block: &Arc<Block>) -> Self {
        Self { block: Arc::clone(block), rollups: RefCell::default() }
    }

    /// The block.
    pub(crate) fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// Whether it may have samples of a tag.
    pub(crate) fn has_tag(&self, tag: u32) -> bool {
        let entry = self.block.entry();
        (entry.tag_min..=entry.tag_max).contains(&tag)
    }

    /// What it knows of a minute, hour or day of a tag.
    pub(crate) fn look(
        &self,
        access: Access<'_>,
        level: RollupLevel,
        tag: u32,
        index: i64,
    ) -> Result<Known, HistorianError> {
        let find = |level, index| {
            let found = self.seek(access, level, (tag, index))?;
            Ok::<_, HistorianError>(found.filter(|found| found.key() == (tag, index)))
        };
        let is_made = || matches!(*self.rollups.borrow(), Some(Rollups::Made(_)));
        known(find, is_made, level, index)
    }

    /// The first rollup of a level from a key on.
    pub(crate) fn seek(
        &self,
        access: Access<'_>,
        level: RollupLevel,
        key: (u32, i64),
    ) -> Result<Option<Stored>, HistorianError> {
        let mut rollups = self.rollups.borrow_mut();
        let rollups = match &mut *rollups {
            Some(rollups) => rollups,
            none => none.insert(Rollups::of(&self.block, access)?),
        };
        match rollups.seek(&self.block, access, level, key) {
            // The samples are as good as ever.
            Err(HistorianError::Corrupt { file, offset, reason }) => {
                let file = file.display();
                tracing::error!(%file, offset, reason, "rollups of a block are damaged; its samples are read instead");
                self.block.give_up_rollups();
                *rollups = Rollups::made(&self.block, access)?;
                rollups.seek(&self.block, access, level, key)
            }
            found => found,
        }
    }
}

/// What rollups that were all made of samples know of a minute, hour or day of a tag.
pub(crate) fn look_in(
    levels: &[Vec<Stored>; 3],
    level: RollupLevel,
    tag: u32,
    index: i64,
) -> Known {
    let find = |level: RollupLevel, index| {
        let found = in_rows(&levels[level as usize], (tag, index));
        Ok(found.filter(|found| found.key() == (tag, index)))
    };
    // Nothing is read here that could fail.
    known(find, || true, level, index).unwrap_or(Known::Unknown)
}

fn known(
    find: impl Fn(RollupLevel, i64) -> Result<Option<Stored>, HistorianError>,
    is_made: impl Fn() -> bool,
    level: RollupLevel,
    index: i64,
) -> Result<Known, HistorianError> {
    if let Some(found) = find(level, index)? {
        return Ok(if found.is_whole { Known::Whole(found.partial) } else { Known::Unknown });
    }
    // Days are all there, and hours where there was no need to save room.
    if level == RollupLevel::Day || level == RollupLevel::Hour && is_made() {
        return Ok(Known::Nothing);
    }
    let start = level.start(index);
    let end = start.saturating_add(level.nanos());
    let day = find(RollupLevel::Day, RollupLevel::Day.index(start))?;
    let meets = |day: Stored| day.partial.first.0 < end && day.partial.last.0 >= start;
    Ok(if day.is_some_and(meets) { Known::Unknown } else { Known::Nothing })
}

/// The first from a key on.
fn in_rows(rows: &[Stored], key: (u32, i64)) -> Option<Stored> {
    rows.get(rows.partition_point(|row| row.key() < key)).copied()
}

impl Rollups {
    fn of(block: &Arc<Block>, access: Access<'_>) -> Result<Self, HistorianError> {
        if let Some(made) = access.cache.made(block.entry().id) {
            return Ok(Self::Made(made));
        }
        match block.rollups(|| access.blocks.open(block).map(|open| open.rollups()))? {
            Some(directory) => Ok(Self::Filed { directory, last: [const { None }; 3] }),
            None => Self::made(block, access),
        }
    }

    fn seek(
        &mut self,
        block: &Arc<Block>,
        access: Access<'_>,
        level: RollupLevel,
        key: (u32, i64),
    ) -> Result<Option<Stored>, HistorianError> {
        match self {
            Self::Made(levels) => Ok(in_rows(&levels[level as usize], key)),
            Self::Filed { directory, last } => {
                let last = &mut last[level as usize];
                for (number, place) in directory.groups_from(level, key) {
                    let rows = match last {
                        Some((of, rows)) if *of == number => Arc::clone(rows),
                        _ => load(block, access, level, (number, place))?,
                    };
                    let found = in_rows(&rows, key);
                    *last = Some((number, rows));
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Ok(None)
            }
        }
    }

    /// Reads the rows of the tags, or of all where it is worth keeping.
    fn made(block: &Arc<Block>, access: Access<'_>) -> Result<Self, HistorianError> {
        let entry = block.entry();
        let tags_max = entry.tag_max.saturating_sub(entry.tag_min);
        let is_whole = access.tags.len() > TAGS_APART_MAX
            && entry.rows <= WHOLE_ROWS_MAX
            && tags_max < WHOLE_TAGS_MAX;
        let made = if is_whole {
            compute(block, Access { span: (i64::MIN, i64::MAX), ..access }, None)?
        } else {
            compute(block, access, Some(access.tags))?
        };
        let made = made.map(Arc::new);
        if is_whole {
            for (level, rows) in RollupLevel::ALL.iter().zip(&made) {
                access.cache.put(entry.id, Part::Made(*level as u8), rows);
            }
        }
        Ok(Self::Made(made))
    }
}

fn load(
    block: &Arc<Block>,
    access: Access<'_>,
    level: RollupLevel,
    (number, place): (usize, &Place),
) -> Result<Arc<Vec<Stored>>, HistorianError> {
    let id = block.entry().id;
    if let Some(rows) = access.cache.get(id, Part::Group(number)) {
        return Ok(rows);
    }
    let open = access.blocks.open(block)?;
    let packed = open.read_part(place.offset, place.bytes as usize)?;
    let damage = || HistorianError::corrupt(block.path(), place.offset, "rollups are unreadable");
    let rows = Arc::new(unpack(level, &packed).ok_or_else(damage)?);
    access.cache.put(id, Part::Group(number), &rows);
    Ok(rows)
}

/// The rollups of the rows of some tags, or of all, in a span of whole days.
pub(crate) fn compute(
    block: &Arc<Block>,
    access: Access<'_>,
    tags: Option<&[u32]>,
) -> Result<[Vec<Stored>; 3], HistorianError> {
    let mut levels: [Vec<Stored>; 3] = Default::default();
    let mut give = |level: RollupLevel, stored| levels[level as usize].push(stored);
    let mut builder = Builder::complete();
    let (from, to) = access.span;
    let mut seen = 0;
    let mut take = |row: &Row| {
        seen += 1;
        builder.push(row.tag, (row.time, row.quality, State::of_row(row)), &mut give);
        (access.look)(seen)
    };
    match tags {
        Some(tags) if tags.len() <= TAGS_APART_MAX => {
            for tag in tags.iter().filter(|tag| block.overlaps(**tag, from, to)) {
                let wanted = Wanted { tag: *tag, from, to };
                each(BlockCursor::new(access.blocks, block, Some(wanted))?, &mut take)?;
            }
        }
        tags => {
            let wanted = |row: &Row| {
                let asked = tags.is_none_or(|tags| tags.binary_search(&row.tag).is_ok());
                asked && row.time >= from && row.time < to
            };
            each(BlockCursor::new(access.blocks, block, None)?, &mut |row: &Row| {
                if wanted(row) { take(row) } else { Ok(()) }
            })?;
        }
    }
    builder.finish(&mut give);
    Ok(levels)
}

fn each(
    mut cursor: BlockCursor,
    take: &mut dyn FnMut(&Row) -> Result<(), HistorianError>,
) -> Result<(), HistorianError> {
    let mut rows = std::collections::VecDeque::new();
    loop {
        cursor.read(&mut rows)?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows.drain(..) {
            take(&row)?;
        }
    }
}
