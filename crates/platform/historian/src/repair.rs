//! Making a damaged folder usable again, with all of it that is not damaged.
//!
//! A damaged file goes to `quarantine/`, under the same name and folders, after what is good in it was
//! written anew; nothing is deleted. What is lost is told. It is done a step at a time, and each step
//! leaves a folder that the next repair goes on from.

mod checkpoint;
mod log;
mod manifest;
mod quarantine;

pub(crate) use quarantine::NAME as QUARANTINE;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::HistorianError;
use crate::block::read::{BlockCursor, OpenBlocks};
use crate::block::write::BlockWriter;
use crate::block::{Block, BlockEntry};
use crate::check::block::{Found, look};
use crate::check::{Lost, Seen, Watch, lock};
use crate::disk::{Disk, LocalDisk};
use crate::manifest::Manifest;

/// Something that a repair does, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The file that it is about, from the historian's folder on.
    pub file: PathBuf,
    /// What is wrong and what is done about it.
    pub deed: String,
    /// Samples that are lost, as far as it is known.
    pub lost: Vec<Lost>,
}

/// Repairs a folder that no historian has open, and gives what was done; with `dry_run` nothing is
/// changed, and it gives what would be done. `watch` is told of the progress alone, and may end it
/// between two steps.
///
/// # Errors
/// [`HistorianError::AlreadyOpen`]; [`HistorianError::Format`] of a newer version;
/// [`HistorianError::Io`]; [`HistorianError::Corrupt`] of what cannot be repaired;
/// [`HistorianError::Closed`] where it was ended.
pub fn repair(
    dir: &Path,
    dry_run: bool,
    watch: &mut Watch<'_>,
) -> Result<Vec<Step>, HistorianError> {
    let _lock = lock(dir)?;
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    let mut repair =
        Repair { dir, disk, dry_run, steps: Vec::new(), watch, looked_at: 0, bytes_total: 0 };
    let (manifest, is_sound) = repair.manifest()?;
    let Some(mut manifest) = manifest else { return Ok(repair.steps) };
    repair.blocks(&mut manifest, is_sound)?;
    repair.log(&manifest)?;
    repair.checkpoint(&mut manifest)?;
    Ok(repair.steps)
}

/// A folder being repaired.
struct Repair<'a> {
    dir: &'a Path,
    disk: Arc<dyn Disk>,
    dry_run: bool,
    steps: Vec<Step>,
    watch: &'a mut dyn FnMut(Seen) -> ControlFlow<()>,
    looked_at: u64,
    bytes_total: u64,
}

impl Repair<'_> {
    fn step(&mut self, file: &Path, deed: impl Into<String>, lost: Vec<Lost>) {
        let file = file.strip_prefix(self.dir).unwrap_or(file).to_owned();
        self.steps.push(Step { file, deed: deed.into(), lost });
    }

    /// Looks at a block; an end that is asked for is an error, because nothing half known may be saved.
    fn look(&mut self, block: &Arc<Block>) -> Result<Found, HistorianError> {
        let mut ended = false;
        let found = look(block, &mut |bytes| {
            self.looked_at += bytes;
            let (bytes, bytes_total) = (self.looked_at, self.bytes_total);
            ended |= (self.watch)(Seen::Progress { bytes, bytes_total }).is_break();
            !ended
        })?;
        if ended { Err(HistorianError::Closed) } else { Ok(found) }
    }

    fn save(&self, manifest: &Manifest) -> Result<(), HistorianError> {
        let path = crate::manifest::path(self.dir);
        manifest.save(&*self.disk, self.dir).map_err(HistorianError::io("write", &path))
    }

    /// Takes damaged blocks out of the manifest, with their good rows in new blocks.
    fn blocks(&mut self, manifest: &mut Manifest, is_sound: bool) -> Result<(), HistorianError> {
        self.bytes_total += manifest.blocks.iter().map(|entry| entry.bytes).sum::<u64>();
        for entry in manifest.blocks.clone() {
            let block = Block::new(self.dir, &self.disk, entry.clone());
            let found = self.look(&block)?;
            if found.faults.is_empty() {
                continue;
            }
            let mut lost: Vec<Lost> = Vec::new();
            for fault in &found.faults {
                lost.extend(
                    fault
                        .lost
                        .iter()
                        .filter(|one| !lost.contains(one))
                        .cloned()
                        .collect::<Vec<_>>(),
                );
            }
            let causes: Vec<&str> = found.faults.iter().map(|fault| fault.cause.as_str()).collect();
            let rows = found.rows();
            let there = block.path().exists();
            let saved = match rows {
                0 => "none of its rows can be saved".to_owned(),
                _ => format!("{rows} of its {} rows go into a new block", entry.rows),
            };
            let kept = if there { "; the file goes to quarantine" } else { "" };
            self.step(block.path(), format!("{}: {saved}{kept}", causes.join("; ")), lost);
            if self.dry_run {
                continue;
            }
            if there {
                quarantine::copy(self.dir, block.path())?;
            }
            let saved = self.salvage(&block, &found, manifest)?;
            manifest.blocks.retain(|other| other.id != entry.id);
            manifest.blocks.extend(saved);
            self.save(manifest)?;
            if there {
                quarantine::forget(block.path())?;
            }
        }
        if !is_sound && !self.dry_run {
            self.save(manifest)?;
        }
        Ok(())
    }

    /// Writes the good rows of a block to another.
    fn salvage(
        &self,
        block: &Arc<Block>,
        found: &Found,
        manifest: &mut Manifest,
    ) -> Result<Option<BlockEntry>, HistorianError> {
        if found.rows() == 0 {
            return Ok(None);
        }
        let entry = block.entry();
        let failed = || HistorianError::io("write what can be saved of", block.path());
        let id = manifest.next_block;
        manifest.next_block += 1;
        let writer = BlockWriter::create(&self.disk, self.dir, id, entry.tenant, entry.span());
        let mut writer = writer.and_then(BlockWriter::merged).map_err(failed())?;
        let open = OpenBlocks::open_once(block)?;
        let mut rows = std::collections::VecDeque::new();
        for stretch in &found.good {
            let mut cursor = BlockCursor::stretch(block, &open, stretch);
            loop {
                cursor.read(&mut rows)?;
                if rows.is_empty() {
                    break;
                }
                for row in rows.drain(..) {
                    writer.push(&row).map_err(failed())?;
                }
            }
        }
        let saved = writer.finish(self.dir).map_err(failed())?;
        let BlockEntry { erased_to, written, keep, .. } = entry.clone();
        Ok(Some(BlockEntry { erased_to, written, keep, ..saved }))
    }
}
