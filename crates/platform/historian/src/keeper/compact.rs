//! Merging the small blocks of a day, so that a day has few files.

use std::sync::Arc;

use super::Keeper;
use crate::HistorianError;
use crate::block::read::BlockCursor;
use crate::block::write::BlockWriter;
use crate::block::{Block, BlockEntry};
use crate::merge::{Cursor, Merge};

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
            match self.merge(&inputs) {
                Ok(true) => {}
                Ok(false) => return,
                // Its block is marked and chosen no more; the others can still be merged.
                Err(HistorianError::Corrupt { .. }) => {}
                Err(error) => {
                    tracing::warn!(%error, "small blocks could not be merged");
                    return;
                }
            }
        }
    }

    /// Merges blocks of one day into one; gives false where it was interrupted.
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
        let mut writer =
            BlockWriter::create(&shared.disk, dir, id, tenant, day).map_err(failed())?;
        while let Some(row) = merge.next()? {
            writer.push(&row).map_err(failed())?;
            if writer.rows().is_multiple_of(ROWS_BETWEEN_LOOKS) {
                if shared.keeper.is_stopping() {
                    return Ok(false);
                }
                if let Some(frozen) = shared.keeper.pending() {
                    self.write(&frozen);
                }
            }
        }
        let entry = writer.finish(dir).map_err(failed())?;
        let mut manifest = self.manifest.clone();
        let is_input = |id| inputs.iter().any(|input| input.entry().id == id);
        manifest.blocks.retain(|block| !is_input(block.id));
        manifest.blocks.push(entry.clone());
        if let Err(error) = self.commit(manifest) {
            if !self.may_be_replaced() {
                self.discard(&[entry]);
            }
            return Err(failed()(error));
        }
        let added = self.block(entry);
        {
            let mut view = shared.view_mut();
            view.version = Arc::new(view.version.edit(inputs, [added]));
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
