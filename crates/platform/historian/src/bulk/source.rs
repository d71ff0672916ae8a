//! Where the rows of a merge come from: one block, or one table in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use weir_model::SampleSum;

use super::memory::MemoryPages;
use super::rest::Rest;
use crate::HistorianError;
use crate::block::Block;
use crate::block::pages::{Asked, BlockPages};
use crate::block::piece::Piece;
use crate::block::read::OpenBlocks;
use crate::deletion::Deletion;

/// Deletions by tag.
pub(super) type Deletions = HashMap<u32, Vec<Deletion>>;

/// A source of rows in the order of their keys.
pub(super) struct Source {
    of: Of,
    rest: Rest,
    /// What was given in the place of rows, when nothing is in `rest`.
    sums: VecDeque<SampleSum>,
    /// No row that is not in `rest` comes before this key.
    next: (u32, i64),
    is_done: bool,
}

enum Of {
    /// A block, which is opened when its rows come near.
    Block {
        block: Arc<Block>,
        asked: Asked,
        pages: Option<Box<BlockPages>>,
    },
    Memory(MemoryPages),
}

/// The key at which a source goes on, and whether its row is there.
pub(super) type Front = ((u32, i64), bool);

impl Source {
    pub(super) fn block(block: &Arc<Block>, asked: Asked) -> Self {
        let entry = block.entry();
        let first = asked.tags.partition_point(|tag| tag.0 < entry.tag_min);
        let tag = asked.tags.get(first).map_or(u32::MAX, |tag| tag.0);
        let next = (tag, asked.from.max(entry.time_min));
        let of = Of::Block { block: Arc::clone(block), asked, pages: None };
        Self { of, rest: Rest::default(), sums: VecDeque::new(), next, is_done: false }
    }

    pub(super) fn memory(pages: MemoryPages) -> Self {
        let (of, next) = (Of::Memory(pages), (0, i64::MIN));
        Self { of, rest: Rest::default(), sums: VecDeque::new(), next, is_done: false }
    }

    /// Where it goes on; none at its end.
    pub(super) fn front(&self) -> Option<Front> {
        match self.rest.key().or_else(|| self.sums.front().map(key_of)) {
            Some(key) => Some((key, true)),
            None => (!self.is_done).then_some((self.next, false)),
        }
    }

    /// Whether it goes on with sums.
    pub(super) fn has_sums(&self) -> bool {
        !self.sums.is_empty()
    }

    /// Moves the sums that begin before a key, and the first one in any case.
    pub(super) fn take_sums(&mut self, bound: Option<(u32, i64)>, out: &mut Vec<SampleSum>) {
        // Nothing of others is among the rows that a sum is of.
        let is_before = |sum: &SampleSum| bound.is_none_or(|bound| key_of(sum) < bound);
        let count = self.sums.iter().take_while(|sum| is_before(sum)).count().max(1);
        out.extend(self.sums.drain(..count.min(self.sums.len())));
    }

    /// The position of the row where it goes on.
    pub(super) fn position(&self) -> u64 {
        self.rest.position()
    }

    /// The rows that are there.
    pub(super) fn rest(&mut self) -> &mut Rest {
        &mut self.rest
    }

    /// Reads the next rows, where none are left.
    pub(super) fn fill(
        &mut self,
        blocks: &OpenBlocks,
        deletions: &Deletions,
    ) -> Result<(), HistorianError> {
        while self.rest.is_empty() && self.sums.is_empty() && !self.is_done {
            let piece = match &mut self.of {
                Of::Memory(pages) => pages.next(),
                Of::Block { block, asked, pages } => match pages {
                    Some(pages) => pages.next()?,
                    None => {
                        let asked = Asked { first: self.next, ..asked.clone() };
                        let opened = BlockPages::new(blocks, block, asked)?;
                        pages.insert(Box::new(opened)).next()?
                    }
                },
            };
            let Some(mut piece) = piece else {
                self.is_done = true;
                return Ok(());
            };
            if let Some(last) = piece.page.sums.last() {
                self.next = (last.tag.0, last.to.saturating_add(1));
                self.sums = std::mem::take(&mut piece.page.sums).into();
                continue;
            }
            let last = piece.page.tags.last().map_or(u32::MAX, |(tag, _)| tag.0);
            let time = piece.page.times.last().copied().unwrap_or(i64::MIN);
            // A time is below the end that was asked for, so that adding one stays within the range.
            self.next = (last, time.saturating_add(1));
            delete(&mut piece, deletions);
            self.rest = Rest::new(piece);
        }
        Ok(())
    }

    /// Whether it holds a block open.
    pub(super) fn is_open(&self) -> bool {
        !self.is_done && matches!(&self.of, Of::Block { pages: Some(_), .. })
    }

    /// Closes its block, to be opened again at the row where it is.
    pub(super) fn close(&mut self) {
        let front = self.front();
        if let Of::Block { pages, .. } = &mut self.of {
            *pages = None;
            if let Some((key, true)) = front {
                self.next = key;
                self.rest = Rest::default();
                self.sums.clear();
            }
        }
    }
}

fn key_of(sum: &SampleSum) -> (u32, i64) {
    (sum.tag.0, sum.from)
}

/// Takes rows away that were deleted.
fn delete(piece: &mut Piece, deletions: &Deletions) {
    if deletions.is_empty() {
        return;
    }
    let (mut row, mut kept) = (0, vec![true; piece.page.rows()]);
    for (tag, rows) in &piece.page.tags {
        let rows = row..row + *rows as usize;
        row = rows.end;
        let Some(deletions) = deletions.get(&tag.0) else { continue };
        for row in rows {
            let (time, position) = (piece.page.times[row], piece.positions.get(row));
            kept[row] = !deletions.iter().any(|deletion| deletion.hides(time, position));
        }
    }
    if kept.contains(&false) {
        piece.retain(&kept);
    }
}
