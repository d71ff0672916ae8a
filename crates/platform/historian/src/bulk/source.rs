//! Where the rows of a merge come from: one block, or one table in memory.

use std::collections::HashMap;
use std::sync::Arc;

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
        Self { of, rest: Rest::default(), next, is_done: false }
    }

    pub(super) fn memory(pages: MemoryPages) -> Self {
        let (of, next) = (Of::Memory(pages), (0, i64::MIN));
        Self { of, rest: Rest::default(), next, is_done: false }
    }

    /// Where it goes on; none at its end.
    pub(super) fn front(&self) -> Option<Front> {
        match self.rest.key() {
            Some(key) => Some((key, true)),
            None => (!self.is_done).then_some((self.next, false)),
        }
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
        while self.rest.is_empty() && !self.is_done {
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
        if let Of::Block { pages, .. } = &mut self.of {
            *pages = None;
            if let Some(key) = self.rest.key() {
                self.next = key;
                self.rest = Rest::default();
            }
        }
    }
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
