//! A checkpoint from the blocks.

use std::collections::VecDeque;

use super::{Repair, quarantine};
use crate::HistorianError;
use crate::block::read::{BlockCursor, OpenBlocks};
use crate::block::{Block, BlockEntry};
use crate::deletion::Deletion;
use crate::disk;
use crate::last::LastValues;
use crate::manifest::{CheckpointEntry, Manifest};
use crate::producers::Producers;
use crate::row::Row;
use crate::{checkpoint, manifest};

impl Repair<'_> {
    /// Makes a checkpoint where there is none that can be read.
    pub(super) fn checkpoint(&mut self, manifest: &mut Manifest) -> Result<(), HistorianError> {
        let reason = match &manifest.checkpoint {
            // Before the first flush there is none, and nothing that it could be of.
            None if manifest.blocks.is_empty() => return Ok(()),
            None => "missing".to_owned(),
            Some(entry) => match self.wrong_with(entry)? {
                None => return Ok(()),
                Some(reason) => reason,
            },
        };
        let old = manifest.checkpoint.as_ref().map(|entry| self.dir.join(&entry.file));
        let file = old.clone().unwrap_or_else(|| manifest::path(self.dir));
        let deed = format!(
            "the checkpoint is {reason}: a new one is made of the blocks. Not known any more: which \
             batches of which producers are stored. One that is sent again is stored a second time, \
             which reads do not show"
        );
        self.step(&file, deed, Vec::new());
        if self.dry_run {
            return Ok(());
        }
        if let Some(old) = old.as_ref().filter(|old| old.exists()) {
            quarantine::copy(self.dir, old)?;
        }
        let last = self.last_values(manifest)?;
        let bytes = checkpoint::encode(&last, &Producers::default());
        let name = format!("checkpoint-{:012}", manifest.next_block);
        manifest.next_block += 1;
        let path = self.dir.join(&name);
        disk::replace(&*self.disk, &path, &bytes).map_err(HistorianError::io("write", &path))?;
        manifest.checkpoint = Some(CheckpointEntry { file: name, crc32c: crc32c::crc32c(&bytes) });
        self.save(manifest)?;
        old.filter(|old| old.exists()).map_or(Ok(()), |old| quarantine::forget(&old))
    }

    fn wrong_with(&self, entry: &CheckpointEntry) -> Result<Option<String>, HistorianError> {
        let path = self.dir.join(&entry.file);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Some("missing".to_owned()));
            }
            bytes => bytes.map_err(HistorianError::io("read", &path))?,
        };
        if crc32c::crc32c(&bytes) != entry.crc32c {
            return Ok(Some("damaged".to_owned()));
        }
        match checkpoint::decode(&path, &bytes) {
            Err(HistorianError::Corrupt { .. }) => Ok(Some("damaged".to_owned())),
            decoded => decoded.map(|_| None),
        }
    }

    /// The newest sample of every tag that blocks hold.
    fn last_values(&mut self, manifest: &Manifest) -> Result<LastValues, HistorianError> {
        let mut last = LastValues::default();
        let mut rows = VecDeque::new();
        for entry in &manifest.blocks {
            let BlockEntry { tenant, .. } = *entry;
            let block = Block::new(self.dir, &self.disk, entry.clone());
            let deletions: Vec<_> =
                manifest.deletions.iter().filter(|deletion| block.may_have(deletion)).collect();
            let open = OpenBlocks::open_once(&block)?;
            for group in open.groups() {
                let mut newest: Option<Row> = None;
                let mut cursor = BlockCursor::stretch(&block, &open, &group);
                loop {
                    cursor.read(&mut rows)?;
                    if rows.is_empty() {
                        break;
                    }
                    for row in rows.drain(..) {
                        let hides = |one: &&Deletion| {
                            one.tag == row.tag && one.hides(row.time, row.position)
                        };
                        if deletions.iter().any(hides) {
                            continue;
                        }
                        // Of a tag's rows the last one counts.
                        let tag = row.tag;
                        if let Some(row) = newest.replace(row).filter(|row| row.tag != tag) {
                            last.insert_row(tenant, row);
                        }
                    }
                }
                newest.take().into_iter().for_each(|row| last.insert_row(tenant, row));
            }
        }
        Ok(last)
    }
}
