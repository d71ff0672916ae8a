//! Merging sorted rows of several sources into one order, in which every (tag, time) is once.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use weir_model::{TagId, TenantId};

use crate::HistorianError;
use crate::block::Block;
use crate::block::read::{BlockCursor, OpenBlocks, Wanted};
use crate::memory::Table;
use crate::row::Row;

/// Rows copied from memory at a time, while the table is locked.
const MEMORY_ROWS: usize = 4096;

/// A source of rows in the order of their keys.
pub(crate) struct Cursor {
    source: Source,
    rows: VecDeque<Row>,
}

enum Source {
    Block(Box<BlockCursor>),
    /// The block that is open, and those after it.
    Blocks {
        open: Option<Box<BlockCursor>>,
        rest: VecDeque<Arc<Block>>,
    },
    Memory {
        table: Arc<RwLock<Table>>,
        position: u64,
        tenant: TenantId,
        wanted: Wanted,
    },
}

impl Cursor {
    /// Rows of a block.
    pub(crate) fn block(cursor: BlockCursor) -> Self {
        Self { source: Source::Block(Box::new(cursor)), rows: VecDeque::new() }
    }

    /// All rows of blocks whose keys follow one another. One of them is open at a time, and not
    /// among those that readers have open.
    pub(crate) fn blocks(blocks: Vec<Arc<Block>>) -> Self {
        let source = Source::Blocks { open: None, rest: blocks.into() };
        Self { source, rows: VecDeque::new() }
    }

    /// Rows of memory, all with the position given.
    pub(crate) fn memory(
        table: Arc<RwLock<Table>>,
        position: u64,
        tenant: TenantId,
        wanted: Wanted,
    ) -> Self {
        let source = Source::Memory { table, position, tenant, wanted };
        Self { source, rows: VecDeque::new() }
    }

    fn fill(&mut self) -> Result<(), HistorianError> {
        if !self.rows.is_empty() {
            return Ok(());
        }
        match &mut self.source {
            Source::Block(cursor) => cursor.read(&mut self.rows),
            Source::Blocks { open, rest } => {
                while self.rows.is_empty() {
                    if let Some(cursor) = open {
                        cursor.read(&mut self.rows)?;
                    }
                    if self.rows.is_empty() {
                        *open = None;
                        let Some(block) = rest.pop_front() else { return Ok(()) };
                        let cursor = BlockCursor::new(&OpenBlocks::default(), &block, None)?;
                        *open = Some(Box::new(cursor));
                    }
                }
                Ok(())
            }
            Source::Memory { table, position, tenant, wanted } => {
                let key = (*tenant, TagId(wanted.tag));
                let span = (wanted.from, wanted.to);
                let table = table.read().unwrap_or_else(PoisonError::into_inner);
                table.read(key, span, MEMORY_ROWS, *position, &mut self.rows);
                if let Some(last) = self.rows.back() {
                    // Ends before `to`, which is exclusive, so adding one cannot overflow.
                    wanted.from = last.time + 1;
                }
                Ok(())
            }
        }
    }
}

/// The merged order.
#[derive(Default)]
pub(crate) struct Merge {
    cursors: Vec<Cursor>,
    /// The cursor whose front is next, while it is before the front of every other.
    run: Option<(usize, Option<(u32, i64)>)>,
}

impl Merge {
    /// Adds a source, which must not have rows before those already given out.
    pub(crate) fn add(&mut self, mut cursor: Cursor) -> Result<(), HistorianError> {
        cursor.fill()?;
        if !cursor.rows.is_empty() {
            self.cursors.push(cursor);
        }
        self.run = None;
        Ok(())
    }

    /// The key of the next row.
    pub(crate) fn peek(&self) -> Option<(u32, i64)> {
        self.cursors.iter().filter_map(|cursor| cursor.rows.front()).map(Row::key).min()
    }

    /// The next row: of several with its key, the one with the highest position.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, HistorianError> {
        if let Some((index, bound)) = self.run {
            if let Some(cursor) = self.cursors.get_mut(index)
                && let Some(front) = cursor.rows.front()
                && bound.is_none_or(|bound| front.key() < bound)
            {
                let row = cursor.rows.pop_front();
                cursor.fill()?;
                return Ok(row);
            }
            self.run = None;
        }
        self.cursors.retain(|cursor| !cursor.rows.is_empty());
        let Some(key) = self.peek() else { return Ok(None) };
        let mut newest: Option<Row> = None;
        for cursor in &mut self.cursors {
            let Some(row) = cursor.rows.pop_front_if(|row| row.key() == key) else { continue };
            cursor.fill()?;
            if newest.as_ref().is_none_or(|newest| newest.position < row.position) {
                newest = Some(row);
            }
        }
        self.begin_run();
        Ok(newest)
    }

    /// Finds the source whose rows come first, and up to which key they alone do.
    fn begin_run(&mut self) {
        let mut first: Option<((u32, i64), usize)> = None;
        let mut bound = None;
        for (index, cursor) in self.cursors.iter().enumerate() {
            let Some(key) = cursor.rows.front().map(Row::key) else { continue };
            match first {
                Some((least, _)) if least <= key => {
                    bound = Some(bound.map_or(key, |bound| key.min(bound)));
                }
                _ => {
                    bound = first.map(|(least, _)| least).or(bound);
                    first = Some((key, index));
                }
            }
        }
        self.run = first.map(|(_, index)| (index, bound));
    }
}
