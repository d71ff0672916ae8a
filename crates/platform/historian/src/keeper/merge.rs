//! Merging blocks into blocks that share no keys, without what was deleted or is not kept.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use weir_model::{Keep, TenantId};

use super::{Keeper, plan};
use crate::HistorianError;
use crate::block::write::BlockWriter;
use crate::block::{Block, BlockEntry};
use crate::deletion::Deletion;
use crate::manifest::Superseded;
use crate::merge::{Cursor, Merge};
use crate::row::Row;
use crate::span::Span;
use crate::thin::Thinner;

/// Rows after which a merge looks whether memory waits to be written, or whether to end.
const ROWS_BETWEEN_LOOKS: u64 = 1 << 17;

/// Blocks of one tenant that are to be merged.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) tenant: TenantId,
    /// Of which days the blocks are that are written.
    pub(super) span: Span,
    /// What is merged; at most [`plan::MERGED_MAX`] overlap each other.
    pub(super) inputs: Vec<Arc<Block>>,
    /// What is kept of the rows. Where that is less than all, no other block overlaps the inputs
    /// in tags and times, or a row that another one has replaced would be read again.
    pub(super) keep: Keep,
    /// Whether it may take so long that closing does not wait for it, and that small blocks are
    /// merged meanwhile.
    pub(super) is_long: bool,
}

/// What is true of every block that a merge writes.
struct Traits {
    erased_to: u64,
    written: i64,
    keep: Keep,
    /// Deletions that are applied, by tag.
    hidden: HashMap<u32, Vec<Deletion>>,
}

impl Traits {
    fn of(job: &Job, deletions: &[Deletion]) -> Self {
        let entries = || job.inputs.iter().map(|input| input.entry());
        let erased_before = entries().map(|entry| entry.erased_to).min();
        let erased_now = deletions.last().map(|deletion| deletion.position);
        let mut hidden: HashMap<u32, Vec<Deletion>> = HashMap::new();
        for deletion in deletions.iter().filter(|one| job.inputs.iter().any(|i| i.may_have(one))) {
            hidden.entry(deletion.tag).or_default().push(*deletion);
        }
        Self {
            erased_to: erased_before.max(erased_now).unwrap_or_default(),
            written: entries().map(|entry| entry.written).max().unwrap_or_default(),
            keep: entries().map(|entry| entry.keep).min().unwrap_or_default(),
            hidden,
        }
    }

    fn hides(&self, row: &Row) -> bool {
        let hides = |deletion: &Deletion| deletion.hides(row.time, row.position);
        self.hidden.get(&row.tag).is_some_and(|deletions| deletions.iter().any(hides))
    }
}

impl Keeper {
    /// Merges blocks; gives false where it was interrupted. What was merged by then stays so.
    pub(super) fn merge(&mut self, mut job: Job) -> Result<bool, HistorianError> {
        let mut done = Vec::new();
        let merged = self.try_merge(&mut job, &mut done);
        // Whole, but of no manifest.
        self.discard(&done);
        merged
    }

    /// Merges blocks; `done` has what was written and is of no manifest yet.
    fn try_merge(
        &mut self,
        job: &mut Job,
        done: &mut Vec<BlockEntry>,
    ) -> Result<bool, HistorianError> {
        let dir = self.shared.dir.clone();
        let failed = || HistorianError::io("write a merged block in", &dir);
        let deletions = self.shared.view().deletions;
        let mut traits = Traits::of(job, &deletions);
        let mut thinner = Thinner::new(job.keep).filter(|_| traits.keep < job.keep);
        let is_thinning = thinner.is_some();
        if is_thinning {
            traits.keep = job.keep;
        }
        let mut merge = Merge::default();
        for run in plan::runs(&job.inputs) {
            merge.add(Cursor::blocks(run))?;
        }
        let mut writer: Option<BlockWriter> = None;
        let (mut rows, mut ready) = (0, Vec::new());
        let mut is_over = false;
        while !is_over {
            match merge.next()? {
                Some(row) if traits.hides(&row) => {}
                Some(row) => match &mut thinner {
                    None => ready.push(row),
                    Some(thinner) => ready.extend(thinner.push(row)),
                },
                None => {
                    ready.extend(thinner.take().into_iter().flat_map(Thinner::finish));
                    is_over = true;
                }
            }
            for row in ready.drain(..) {
                let rows_max = self.shared.options.block_rows_max;
                if let Some(full) = writer.take_if(|writer| writer.ends_before(row.tag, rows_max)) {
                    done.push(traits.entry(full.finish(&dir).map_err(failed())?));
                    // What is thinned replaces all inputs at once: those that are left would
                    // show rows that one which was left out had replaced.
                    if !is_thinning {
                        self.replace_read(job, done, row.key()).map_err(failed())?;
                    }
                }
                let writer = match &mut writer {
                    Some(writer) => writer,
                    None => writer.insert(self.begin(job).map_err(failed())?),
                };
                writer.push(&row).map_err(failed())?;
            }
            rows += 1;
            if rows % ROWS_BETWEEN_LOOKS == 0 && !self.look(job) {
                return Ok(false);
            }
        }
        // Nothing may be left of what was deleted.
        if let Some(writer) = writer {
            done.push(traits.entry(writer.finish(&dir).map_err(failed())?));
        }
        let inputs = std::mem::take(&mut job.inputs);
        self.replace(&inputs, std::mem::take(done)).map_err(failed())?;
        Ok(true)
    }

    fn begin(&mut self, job: &Job) -> io::Result<BlockWriter> {
        let id = self.next_block()?;
        let (disk, dir) = (&self.shared.disk, &self.shared.dir);
        BlockWriter::create(disk, dir, id, job.tenant, job.span)?.merged()
    }

    /// Replaces those inputs all of whose rows were before a key by what was written. A merge of
    /// blocks that follow one another needs space for a part of them only, and loses a part of its
    /// work at most when it ends early; one of days that all have every tag needs space for all of
    /// them. The rest of the inputs stays beside what was made of it: of a row that is in both,
    /// reads give one.
    fn replace_read(
        &mut self,
        job: &mut Job,
        done: &mut Vec<BlockEntry>,
        key: (u32, i64),
    ) -> io::Result<()> {
        let inputs = std::mem::take(&mut job.inputs);
        let (read, rest) = inputs.into_iter().partition(|input| input.entry().last_key() < key);
        job.inputs = rest;
        let read: Vec<Arc<Block>> = read;
        if read.is_empty() {
            return Ok(());
        }
        let before = job.inputs.iter().map(|input| input.entry());
        let before = before.filter(|entry| entry.first_key() < key).map(|entry| (entry.id, key));
        let before = before.collect();
        self.replace_part(&read, std::mem::take(done), before)
    }

    /// Replaces blocks by others with one manifest.
    pub(super) fn replace(
        &mut self,
        remove: &[Arc<Block>],
        add: Vec<BlockEntry>,
    ) -> io::Result<()> {
        self.replace_part(remove, add, Superseded::new())
    }

    /// The same, where what is added also has the rows of other blocks up to a key.
    fn replace_part(
        &mut self,
        remove: &[Arc<Block>],
        add: Vec<BlockEntry>,
        before: Superseded,
    ) -> io::Result<()> {
        let ids: HashSet<u64> = remove.iter().map(|block| block.entry().id).collect();
        let mut manifest = self.manifest.clone();
        manifest.blocks.retain(|block| !ids.contains(&block.id));
        manifest.blocks.extend(add.iter().cloned());
        manifest.superseded.retain(|id, _| !ids.contains(id));
        for (id, key) in before {
            // What an earlier merge has made of it is live, or what was made of that.
            let known = manifest.superseded.entry(id).or_insert(key);
            *known = key.max(*known);
        }
        if let Err(error) = self.commit(manifest) {
            if !self.may_be_replaced() {
                self.discard(&add);
            }
            return Err(error);
        }
        let added: Vec<_> = add.into_iter().map(|entry| self.block(entry)).collect();
        {
            let mut view = self.shared.view_mut();
            let version = view.version.edit(remove, added);
            view.version = Arc::new(version.with_superseded(&self.manifest.superseded));
        }
        for block in remove {
            self.shared.blocks.forget(block.entry().id);
            block.retire();
        }
        Ok(())
    }

    /// Writes the table that waits, and says whether there was one and it is written.
    pub(super) fn write_pending(&mut self) -> bool {
        self.shared.keeper.pending().is_some_and(|frozen| self.write(&frozen))
    }

    /// Looks up from a merge: writes what waits in memory, and says whether to go on.
    fn look(&mut self, job: &Job) -> bool {
        let shared = Arc::clone(&self.shared);
        if shared.keeper.is_stopping() || job.is_long && shared.keeper.is_closing() {
            return false;
        }
        if self.write_pending() && job.is_long {
            self.merge_small(Some((job.tenant, job.span.month())));
        }
        true
    }
}

impl Traits {
    /// What the manifest says of a block that was written.
    fn entry(&self, entry: BlockEntry) -> BlockEntry {
        let Self { erased_to, written, keep, .. } = *self;
        BlockEntry { erased_to, written, keep, ..entry }
    }
}
