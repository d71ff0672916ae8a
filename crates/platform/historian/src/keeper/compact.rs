//! Merging the small blocks of a day, so that a day has few files, and writing blocks without what
//! was deleted.

use std::collections::HashMap;
use std::sync::Arc;

use super::Keeper;
use crate::HistorianError;
use crate::block::read::BlockCursor;
use crate::block::write::BlockWriter;
use crate::block::{Block, BlockEntry};
use crate::deletion::Deletion;
use crate::merge::{Cursor, Merge};
use crate::scan::View;

/// Blocks that are merged at least, so that a row is not rewritten at every flush.
const MERGED_MIN: usize = 4;

/// Blocks that are merged at most, because each takes memory while it is read.
const MERGED_MAX: usize = 32;

/// Rows after which a merge looks whether memory waits to be written, or whether to end.
const ROWS_BETWEEN_LOOKS: u64 = 1 << 17;

impl Keeper {
    /// Merges blocks of every day that has too many.
    pub(super) fn compact(&mut self) {
        let options = &self.shared.options;
        let (blocks_max, rows_max) = (options.day_blocks_max, options.block_rows_max);
        loop {
            let version = self.shared.view().version;
            let choice = version.all_days().find_map(|blocks| choose(blocks, blocks_max, rows_max));
            let Some(inputs) = choice else { return };
            if !self.merged(&inputs) {
                return;
            }
        }
    }

    /// Writes the blocks that have deleted rows without them, and forgets the deletions that are of
    /// no block any more.
    pub(super) fn erase(&mut self) {
        loop {
            let view = self.shared.view();
            if view.deletions.is_empty() {
                return;
            }
            let has_deleted = |block: &&Arc<Block>| {
                !block.is_damaged() && view.deletions.iter().any(|one| block.may_have(one))
            };
            match view.version.blocks().find(has_deleted) {
                Some(block) => {
                    if !self.merged(&[Arc::clone(block)]) {
                        return;
                    }
                }
                None => break,
            }
        }
        let is_open = |view: &View, deletion: &Deletion| {
            view.frozen.as_ref().is_some_and(|(_, covered)| *covered < deletion.position)
                || view.version.blocks().any(|block| block.may_have(deletion))
        };
        let view = self.shared.view();
        let mut manifest = self.manifest.clone();
        manifest.deletions.retain(|deletion| is_open(&view, deletion));
        if manifest.deletions.len() < self.manifest.deletions.len()
            && let Err(error) = self.commit(manifest)
        {
            tracing::warn!(%error, "deletions that are done could not be forgotten");
            return;
        }
        let mut view = self.shared.view_mut();
        let open = view.deletions.iter().filter(|deletion| is_open(&view, deletion));
        let open = open.copied().collect();
        view.deletions = Arc::new(open);
    }

    /// Merges blocks; gives false where no more can be merged now.
    fn merged(&mut self, inputs: &[Arc<Block>]) -> bool {
        match self.merge(inputs) {
            Ok(merged) => merged,
            // Its block is marked and chosen no more; the others can still be merged.
            Err(HistorianError::Corrupt { .. }) => true,
            Err(error) => {
                tracing::warn!(%error, "blocks could not be merged");
                false
            }
        }
    }

    /// Merges blocks of one day into one, without what was deleted; gives false where it was
    /// interrupted.
    fn merge(&mut self, inputs: &[Arc<Block>]) -> Result<bool, HistorianError> {
        let shared = Arc::clone(&self.shared);
        let mut merge = Merge::default();
        for input in inputs {
            merge.add(Cursor::block(BlockCursor::new(&shared.blocks, input, None)?))?;
        }
        let dir = &shared.dir;
        let failed = || HistorianError::io("write a merged block in", dir);
        let BlockEntry { tenant, day, .. } = *inputs[0].entry();
        let id = self.next_block().map_err(failed())?;
        let writer = BlockWriter::create(&shared.disk, dir, id, tenant, day);
        let mut writer = writer.and_then(BlockWriter::merged).map_err(failed())?;
        let deletions = shared.view().deletions;
        let mut hidden: HashMap<u32, Vec<Deletion>> = HashMap::new();
        for deletion in deletions.iter().filter(|one| inputs.iter().any(|i| i.may_have(one))) {
            hidden.entry(deletion.tag).or_default().push(*deletion);
        }
        let mut rows: u64 = 0;
        while let Some(row) = merge.next()? {
            let hides = |deletion: &Deletion| deletion.hides(row.time, row.position);
            if !hidden.get(&row.tag).is_some_and(|deletions| deletions.iter().any(hides)) {
                writer.push(&row).map_err(failed())?;
            }
            rows += 1;
            if rows.is_multiple_of(ROWS_BETWEEN_LOOKS) {
                if shared.keeper.is_stopping() {
                    return Ok(false);
                }
                if let Some(frozen) = shared.keeper.pending() {
                    self.write(&frozen);
                }
            }
        }
        let erased_before = inputs.iter().map(|input| input.entry().erased_to).min();
        let erased_now = deletions.last().map(|deletion| deletion.position);
        let erased_to = erased_before.max(erased_now).unwrap_or_default();
        // Nothing may be left of what was deleted.
        let entry = match writer.rows() {
            0 => None,
            _ => Some(BlockEntry { erased_to, ..writer.finish(dir).map_err(failed())? }),
        };
        let mut manifest = self.manifest.clone();
        let is_input = |id| inputs.iter().any(|input| input.entry().id == id);
        manifest.blocks.retain(|block| !is_input(block.id));
        manifest.blocks.extend(entry.clone());
        if let Err(error) = self.commit(manifest) {
            if let Some(entry) = entry.filter(|_| !self.may_be_replaced()) {
                self.discard(&[entry]);
            }
            return Err(failed()(error));
        }
        let added = entry.map(|entry| self.block(entry));
        {
            let mut view = shared.view_mut();
            view.version = Arc::new(view.version.edit(inputs, added));
        }
        for input in inputs {
            shared.blocks.forget(input.entry().id);
            input.retire();
        }
        Ok(true)
    }
}

/// The smallest blocks of a day that has too many: as many as are of a kind, so that large ones
/// are rewritten seldom. None where there are not too many.
fn choose(blocks: &[Arc<Block>], blocks_max: usize, rows_max: u64) -> Option<Vec<Arc<Block>>> {
    let small = |block: &&Arc<Block>| !block.is_damaged() && block.entry().rows < rows_max;
    let mut small: Vec<_> = blocks.iter().filter(small).cloned().collect();
    if small.len() <= blocks_max.max(MERGED_MIN) {
        return None;
    }
    small.sort_by_key(|block| block.entry().rows);
    let (mut count, mut rows) = (0, 0);
    for block in small.iter().take(MERGED_MAX) {
        if count >= MERGED_MIN && block.entry().rows > rows || count >= 2 && rows >= rows_max {
            break;
        }
        rows += block.entry().rows;
        count += 1;
    }
    small.truncate(count);
    Some(small)
}

#[cfg(test)]
mod tests;
