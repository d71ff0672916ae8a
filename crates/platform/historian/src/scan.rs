//! Reading one tag over a span of time, from memory and blocks, those of a day or month at a time.

use std::collections::VecDeque;
use std::sync::{Arc, RwLock};

use weir_model::{TagId, TenantId, Timestamp};

use crate::HistorianError;
use crate::block::Block;
use crate::block::read::{BlockCursor, OpenBlocks, Wanted};
use crate::deletion::Deletion;
use crate::manifest::Version;
use crate::memory::Table;
use crate::merge::{Cursor, Merge};
use crate::row::Row;
use crate::span::Span;

/// What is stored, as of one moment: tables that are not changed except by newer samples, and
/// blocks that are not removed while this exists.
#[derive(Clone)]
pub(crate) struct View {
    /// Where new samples go.
    pub(crate) active: Arc<RwLock<Table>>,
    /// What is being written to blocks, and up to which position it has the log.
    pub(crate) frozen: Option<(Arc<RwLock<Table>>, u64)>,
    /// The blocks.
    pub(crate) version: Arc<Version>,
    /// What was deleted, and may still be in blocks and in what is being written to them.
    pub(crate) deletions: Arc<Vec<Deletion>>,
}

impl View {
    /// The tables, each with the position that its rows count as: what is in memory was stored after
    /// all that is in blocks.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (&Arc<RwLock<Table>>, u64)> {
        let frozen = self.frozen.as_ref().map(|(table, covered)| (table, *covered));
        [Some((&self.active, u64::MAX)), frozen].into_iter().flatten()
    }
}

/// The rows of one tag in order of time.
pub(crate) struct Scan<'a> {
    blocks: &'a OpenBlocks,
    wanted: Wanted,
    /// Blocks that are not open yet, in order of the first day of their span.
    spans: VecDeque<(Span, Vec<Arc<Block>>)>,
    merge: Merge,
    deletions: Vec<Deletion>,
}

impl<'a> Scan<'a> {
    /// Rows with `from <= time < to`.
    pub(crate) fn new(
        view: &View,
        blocks: &'a OpenBlocks,
        (tenant, tag): (TenantId, TagId),
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Self, HistorianError> {
        let wanted = Wanted { tag: tag.0, from: from.nanos(), to: to.nanos() };
        let meets = |one: &&Deletion| one.meets((tenant, tag), wanted.from, wanted.to);
        let deletions = view.deletions.iter().filter(meets).copied().collect();
        let (spans, merge) = (VecDeque::new(), Merge::default());
        let mut scan = Self { blocks, wanted, spans, merge, deletions };
        if from >= to {
            return Ok(scan);
        }
        for (table, position) in view.tables() {
            let table = Arc::clone(table);
            scan.merge.add(Cursor::memory(table, position, tenant, wanted))?;
        }
        for (span, blocks) in view.version.spans(tenant, from.day(), to.day()) {
            let overlaps = |block: &&Arc<Block>| block.overlaps(tag.0, wanted.from, wanted.to);
            let blocks: Vec<_> = blocks.iter().filter(overlaps).cloned().collect();
            if !blocks.is_empty() {
                scan.spans.push_back((span, blocks));
            }
        }
        Ok(scan)
    }

    /// A span of time that holds all rows of the scan, known without reading a block.
    pub(crate) fn span(&self) -> (i64, i64) {
        let blocks = self.spans.iter().flat_map(|(_, blocks)| blocks).map(|block| block.entry());
        let memory = self.merge.peek().map(|(_, time)| time);
        let first = blocks.clone().map(|entry| entry.time_min).chain(memory).min();
        let last = blocks.map(|entry| entry.time_max).max();
        let from = first.unwrap_or(self.wanted.from).max(self.wanted.from);
        // How far memory reaches is not known without reading it: up to what was asked for.
        let to = if memory.is_some() { None } else { last };
        (from, to.unwrap_or(self.wanted.to).min(self.wanted.to).max(from))
    }

    /// The next row.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, HistorianError> {
        loop {
            let row = self.merged()?;
            let is_hidden = row.as_ref().is_some_and(|row| {
                self.deletions.iter().any(|deletion| deletion.hides(row.time, row.position))
            });
            // What it replaced was stored before it, so that it is deleted as well.
            if !is_hidden {
                return Ok(row);
            }
        }
    }

    fn merged(&mut self) -> Result<Option<Row>, HistorianError> {
        while let Some((span, _)) = self.spans.front() {
            let start = span.start().nanos();
            if self.merge.peek().is_some_and(|(_, time)| time < start) {
                break;
            }
            let Some((_, blocks)) = self.spans.pop_front() else { break };
            for block in &blocks {
                let cursor = BlockCursor::new(self.blocks, block, Some(self.wanted))?;
                self.merge.add(Cursor::block(cursor))?;
            }
        }
        self.merge.next()
    }
}
