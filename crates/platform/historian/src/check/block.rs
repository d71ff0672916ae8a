//! Looking at one block: which of its stretches are good, and what is wrong with the others.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use weir_model::Timestamp;

use super::{Fault, Lost};
use crate::HistorianError;
use crate::block::read::{BlockCursor, OpenBlock, OpenBlocks, Stretch};
use crate::block::{Block, BlockEntry};
use crate::row::Row;

/// What was found.
pub(crate) struct Found {
    /// The stretches whose rows can be read and are in order.
    pub(crate) good: Vec<Stretch>,
    /// What is wrong, each place once.
    pub(crate) faults: Vec<Fault>,
    /// The bounds of the good rows, and how many there are.
    pub(crate) bounds: BlockEntry,
}

impl Found {
    /// How many rows are good.
    pub(crate) fn rows(&self) -> u64 {
        self.bounds.rows
    }
}

/// Reads all of a block. `passed` is given the bytes that were looked at, and says whether to go on.
///
/// # Errors
/// [`HistorianError::Io`]; damage is no error.
pub(crate) fn look(
    block: &Arc<Block>,
    passed: &mut dyn FnMut(u64) -> bool,
) -> Result<Found, HistorianError> {
    let entry = block.entry();
    let none = BlockEntry {
        rows: 0,
        tag_min: u32::MAX,
        tag_max: 0,
        time_min: i64::MAX,
        time_max: i64::MIN,
        first_time: None,
        last_time: None,
        position_max: 0,
        ..entry.clone()
    };
    let mut look = Look { block, faults: BTreeMap::new(), last: None, bounds: none };
    let mut good = Vec::new();
    match OpenBlocks::open_once(block) {
        Err(error) => look.wrong(error, look.lost_all())?,
        Ok(open) => {
            let mut failed = None;
            open.scan(|read| match read {
                Ok(bytes) => passed(bytes),
                Err(error) => {
                    // The samples that lie there are found out below.
                    failed = look.wrong(error, Vec::new()).err();
                    failed.is_none() && passed(0)
                }
            });
            failed.map_or(Ok(()), Err)?;
            for group in open.groups() {
                look.group(&open, group, &mut good)?;
                if !passed(0) {
                    break;
                }
            }
            look.whole()?;
        }
    }
    Ok(Found { good, faults: look.faults.into_values().collect(), bounds: look.bounds })
}

struct Look<'a> {
    block: &'a Arc<Block>,
    faults: BTreeMap<(u64, String), Fault>,
    last: Option<(u32, i64)>,
    bounds: BlockEntry,
}

impl Look<'_> {
    fn wrong(&mut self, error: HistorianError, lost: Vec<Lost>) -> Result<(), HistorianError> {
        let HistorianError::Corrupt { file, offset, reason } = error else { return Err(error) };
        let fault = self.faults.entry((offset, reason.clone()));
        let fault = fault.or_insert_with(|| Fault { offset, ..Fault::of(&file, reason) });
        fault.lost.extend(lost);
        Ok(())
    }

    fn lost_all(&self) -> Vec<Lost> {
        let entry = self.block.entry();
        vec![Lost {
            tenant: entry.tenant,
            tags: (entry.tag_min, entry.tag_max),
            from: Timestamp::from_nanos(entry.time_min),
            to: Timestamp::from_nanos(entry.time_max),
            rows: entry.rows,
        }]
    }

    fn lost(&self, stretch: &Stretch) -> Lost {
        let entry = self.block.entry();
        Lost {
            tenant: entry.tenant,
            tags: (stretch.tags.0.max(entry.tag_min), stretch.tags.1.min(entry.tag_max)),
            from: Timestamp::from_nanos(stretch.times.0.max(entry.time_min)),
            to: Timestamp::from_nanos(stretch.times.1.min(entry.time_max)),
            rows: stretch.rows.len() as u64,
        }
    }

    /// Reads a row group; where it cannot be read as a whole, page by page.
    fn group(
        &mut self,
        open: &Arc<OpenBlock>,
        group: Stretch,
        good: &mut Vec<Stretch>,
    ) -> Result<(), HistorianError> {
        if self.stretch(open, &group).is_ok() {
            good.push(group);
            return Ok(());
        }
        for page in open.pages(group.group) {
            match self.stretch(open, &page) {
                Ok(()) => good.push(page),
                Err(error) => self.wrong(error, vec![self.lost(&page)])?,
            }
        }
        Ok(())
    }

    /// Reads a stretch; its rows count when all of them are good.
    fn stretch(&mut self, open: &Arc<OpenBlock>, stretch: &Stretch) -> Result<(), HistorianError> {
        let mut cursor = BlockCursor::stretch(self.block, open, stretch);
        let (mut last, mut bounds) = (self.last, self.bounds.clone());
        let mut rows = VecDeque::new();
        let mut count = 0;
        loop {
            cursor.read(&mut rows)?;
            if rows.is_empty() {
                break;
            }
            for row in rows.drain(..) {
                self.judge(&row, last)?;
                last = Some(row.key());
                count += 1;
                take(&mut bounds, &row);
            }
        }
        if count != stretch.rows.len() {
            let reason = format!("{count} rows lie where {} should", stretch.rows.len());
            return Err(HistorianError::corrupt(self.block.path(), 0, reason));
        }
        (self.last, self.bounds) = (last, bounds);
        Ok(())
    }

    fn judge(&self, row: &Row, last: Option<(u32, i64)>) -> Result<(), HistorianError> {
        let entry = self.block.entry();
        let days = entry.span();
        let reason = if last.is_some_and(|last| last >= row.key()) {
            "its rows are not in the order of tag and time"
        } else if !(entry.tag_min..=entry.tag_max).contains(&row.tag) {
            "it has tags beyond those that the manifest says"
        } else if !(entry.time_min..=entry.time_max).contains(&row.time) {
            "it has times beyond those that the manifest says"
        } else if row.position > entry.position_max {
            "it has positions beyond those that the manifest says"
        } else if !(days.first()..=days.last()).contains(&Timestamp::from_nanos(row.time).day()) {
            "it has times of another day"
        } else {
            return Ok(());
        };
        Err(HistorianError::corrupt(self.block.path(), 0, reason))
    }

    /// Compares what the good rows are with what the manifest says, where there are no others.
    fn whole(&mut self) -> Result<(), HistorianError> {
        let (bounds, entry) = (&self.bounds, self.block.entry());
        if self.faults.is_empty() && bounds.rows != entry.rows {
            let reason = format!("it has {} rows instead of {}", bounds.rows, entry.rows);
            return self.wrong(HistorianError::corrupt(self.block.path(), 0, reason), Vec::new());
        }
        Ok(())
    }
}

fn take(bounds: &mut BlockEntry, row: &Row) {
    bounds.rows += 1;
    bounds.first_time.get_or_insert(row.time);
    bounds.last_time = Some(row.time);
    bounds.tag_min = bounds.tag_min.min(row.tag);
    bounds.tag_max = bounds.tag_max.max(row.tag);
    bounds.time_min = bounds.time_min.min(row.time);
    bounds.time_max = bounds.time_max.max(row.time);
    bounds.position_max = bounds.position_max.max(row.position);
}
