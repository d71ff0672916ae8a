//! From memory to blocks.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use weir_model::TenantId;

use super::{Frozen, Keeper};
use crate::block::write::BlockWriter;
use crate::block::{self, Block, BlockEntry};
use crate::checkpoint;
use crate::deletion::Deletion;
use crate::disk;
use crate::manifest::{CheckpointEntry, Manifest};
use crate::memory::{Table, TagRows, TenantRows};
use crate::span::Span;

impl Keeper {
    /// Writes a table's rows to one block for each tenant and day, then a manifest that names
    /// them. A failure leaves the manifest, the log and the table as they were.
    pub(super) fn flush(&mut self, frozen: &Frozen) -> io::Result<()> {
        frozen.table.write().unwrap_or_else(PoisonError::into_inner).seal();
        let entries = {
            let table = frozen.table.read().unwrap_or_else(PoisonError::into_inner);
            self.write_blocks(&table, frozen.covered)?
        };
        let checkpoint = self.write_checkpoint().inspect_err(|_| self.discard(&entries))?;
        let old = self.manifest.checkpoint.clone();
        let mut manifest = self.manifest.clone();
        manifest.covered = frozen.covered;
        manifest.samples = frozen.samples;
        let deletions = self.shared.view().deletions;
        // Later ones are in the log.
        let covered = |deletion: &&Deletion| deletion.position <= frozen.covered;
        manifest.deletions = deletions.iter().filter(covered).copied().collect();
        manifest.checkpoint = Some(checkpoint.clone());
        manifest.blocks.extend(entries.iter().cloned());
        if let Err(error) = self.commit(manifest) {
            if !self.may_be_replaced() {
                self.discard(&entries);
                let _ = self.shared.disk.remove(&self.shared.dir.join(checkpoint.file));
            }
            return Err(error);
        }
        let added = entries.into_iter().map(|entry| self.block(entry)).collect::<Vec<_>>();
        {
            let mut view = self.shared.view_mut();
            view.version = Arc::new(view.version.edit(&[], added));
            view.frozen = None;
        }
        if let Some(old) = old {
            // One that stays is removed at the next start.
            let _ = self.shared.disk.remove(&self.shared.dir.join(old.file));
        }
        Ok(())
    }

    fn write_blocks(&mut self, table: &Table, position: u64) -> io::Result<Vec<BlockEntry>> {
        let mut entries = Vec::new();
        for (tenant, rows) in table.tenants() {
            for day in rows.days() {
                match self.write_block((tenant, day), rows, position) {
                    Ok(entry) => entries.push(entry),
                    Err(error) => {
                        self.discard(&entries);
                        return Err(error);
                    }
                }
            }
        }
        Ok(entries)
    }

    /// Writes the rows of a tenant's day. All of them carry the position up to which the table has
    /// the log: what is written later has a higher one.
    fn write_block(
        &mut self,
        (tenant, day): (TenantId, i32),
        rows: &TenantRows,
        position: u64,
    ) -> io::Result<BlockEntry> {
        let id = self.next_block()?;
        let (disk, dir) = (&self.shared.disk, &self.shared.dir);
        let mut writer = BlockWriter::create(disk, dir, id, tenant, Span::day(day))?;
        rows.each_tag(day, |TagRows { samples, places }| {
            writer.push_run(samples, places, position)
        })?;
        let entry = writer.finish(dir)?;
        // What was deleted before is not in the table.
        let written = self.shared.options.clock.now().nanos();
        Ok(BlockEntry { erased_to: position, written, ..entry })
    }

    /// Writes last values and producers as they are now. What they hold beyond the table is
    /// durable in the log, and replaying that over them changes nothing.
    fn write_checkpoint(&mut self) -> io::Result<CheckpointEntry> {
        let bytes = {
            let last = self.shared.last();
            let producers = self.shared.producers();
            checkpoint::encode(&last, &producers)
        };
        let file = format!("checkpoint-{:012}", self.next_block()?);
        disk::replace(&*self.shared.disk, &self.shared.dir.join(&file), &bytes)?;
        Ok(CheckpointEntry { file, crc32c: crc32c::crc32c(&bytes) })
    }

    /// Replaces the manifest. After a failure it may be unknown which one the disk has: see
    /// [`Keeper::may_be_replaced`].
    pub(super) fn commit(&mut self, manifest: Manifest) -> io::Result<()> {
        manifest.save(&*self.shared.disk, &self.shared.dir)?;
        self.manifest = manifest;
        Ok(())
    }

    /// Whether, after a commit that failed, the disk may have the manifest that was to be written.
    /// Then nothing that either of the two names is removed; else what only the new one names is,
    /// or every further attempt on a full disk would leave its blocks there.
    pub(super) fn may_be_replaced(&self) -> bool {
        let numbered = |manifest: Manifest| Manifest { next_block: 0, ..manifest };
        let found = Manifest::load(&self.shared.dir).ok().flatten().map(numbered);
        found != Some(numbered(self.manifest.clone()))
    }

    /// A number for a file, never given before.
    pub(super) fn next_block(&mut self) -> io::Result<u64> {
        let id = self.manifest.next_block;
        self.manifest.next_block += 1;
        Ok(id)
    }

    /// A block that was just written.
    pub(super) fn block(&self, entry: BlockEntry) -> Arc<Block> {
        Block::new(&self.shared.dir, &self.shared.disk, entry)
    }

    /// Removes blocks that no manifest has named.
    pub(super) fn discard(&self, entries: &[BlockEntry]) {
        for entry in entries {
            // One that stays is removed at the next start.
            let _ = self.shared.disk.remove(&block::path(&self.shared.dir, entry));
        }
    }

    /// Removes what a crash left: files of this historian's naming that no manifest names.
    pub(super) fn sweep(&self) {
        let dir = &self.shared.dir;
        let view = self.shared.view();
        let live: HashSet<&Path> = view.version.blocks().map(|block| block.path()).collect();
        let checkpoint = self.manifest.checkpoint.as_ref().map(|entry| entry.file.as_str());
        let mut stray: Vec<PathBuf> = entries(&dir.join("tmp"));
        stray.extend(entries(dir).into_iter().filter(|path| {
            name(path).starts_with("checkpoint-") && Some(name(path)) != checkpoint
                || name(path) == "manifest.tmp"
        }));
        for month in entries(&block::folder(dir)).iter().flat_map(|tenant| entries(tenant)) {
            stray.extend(entries(&month).into_iter().filter(|path| {
                let ours = name(path).starts_with("block-") && name(path).ends_with(".parquet");
                ours && !live.contains(path.as_path())
            }));
        }
        for path in stray {
            match self.shared.disk.remove(&path) {
                Ok(()) => tracing::info!(file = %path.display(), "removed what a crash had left"),
                Err(error) => tracing::warn!(file = %path.display(), %error, "cannot remove"),
            }
        }
    }
}

/// What is in a folder; nothing where there is none.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
