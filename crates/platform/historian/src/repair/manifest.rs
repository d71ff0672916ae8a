//! A manifest from what the folder holds.

use std::path::Path;

use weir_model::Timestamp;

use super::{Repair, quarantine};
use crate::HistorianError;
use crate::block::{Block, BlockEntry};
use crate::check::log::segments;
use crate::check::{block_files, entry_of_file};
use crate::manifest::{self, CheckpointEntry, Manifest};
use crate::span::Span;

impl Repair<'_> {
    /// The manifest, and whether it is the one that the folder has; none where the folder holds nothing.
    pub(super) fn manifest(&mut self) -> Result<(Option<Manifest>, bool), HistorianError> {
        let path = manifest::path(self.dir);
        let reason = match Manifest::load(self.dir) {
            Ok(Some(manifest)) => return Ok((Some(manifest), true)),
            Ok(None) => {
                if block_files(self.dir)?.is_empty() && segments(self.dir)?.is_empty() {
                    return Ok((None, true));
                }
                "it is missing".to_owned()
            }
            Err(HistorianError::Corrupt { reason, .. }) => {
                if !self.dry_run {
                    quarantine::copy(self.dir, &path)?;
                }
                reason
            }
            Err(error) => return Err(error),
        };
        let mut entries = Vec::new();
        for file in block_files(self.dir)? {
            entries.extend(self.adopted(&file)?);
        }
        let manifest = self.rebuilt(entries)?;
        let deed = format!(
            "{reason}: a new one is made of {} blocks and the log. Not known any more: deletions whose \
             samples were still in files (they can be read again, delete them again), and how many \
             samples were stored before others replaced them",
            manifest.blocks.len()
        );
        self.step(&path, deed, Vec::new());
        Ok((Some(manifest), false))
    }

    /// What a manifest says of a block, from the block; none where it cannot be read at all.
    fn adopted(&mut self, file: &Path) -> Result<Option<BlockEntry>, HistorianError> {
        let entry = match entry_of_file(self.dir, file) {
            Err(HistorianError::Corrupt { reason, .. }) => {
                self.step(file, format!("{reason}: it goes to quarantine, whole"), Vec::new());
                if !self.dry_run {
                    quarantine::copy(self.dir, file)?;
                }
                return Ok(None);
            }
            entry => entry?,
        };
        self.bytes_total += entry.bytes;
        let block = Block::new(self.dir, &self.disk, entry.clone());
        let found = self.look(&block)?;
        if !found.faults.is_empty() {
            // Its bounds stay as wide as can be: it is taken out when blocks are repaired.
            return Ok(Some(BlockEntry { erased_to: found.bounds.position_max, ..entry }));
        }
        // What the log holds was deleted later than what is in blocks was stored.
        let erased_to = found.bounds.position_max;
        Ok(Some(BlockEntry { erased_to, ..of_its_day(found.bounds) }))
    }

    /// A manifest of these blocks.
    fn rebuilt(&self, blocks: Vec<BlockEntry>) -> Result<Manifest, HistorianError> {
        // Positions of damaged blocks are not known.
        let known = blocks.iter().map(|entry| entry.position_max).filter(|max| *max < u64::MAX);
        let in_blocks = known.max().unwrap_or(0);
        let segments = segments(self.dir)?;
        // What is in the log and in blocks may be replayed: it is stored a second time as it was, in
        // the same order. But a block that was written just before the end may be of the newest
        // positions while others of these positions were never written.
        let covered = match segments.first() {
            Some(first) => first.first.saturating_sub(1),
            None => in_blocks,
        };
        let names = std::fs::read_dir(self.dir).map_err(HistorianError::io("list", self.dir))?;
        let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut checkpoints: Vec<String> = names
            .filter(|name| name.starts_with("checkpoint-") && !name.ends_with(".tmp"))
            .collect();
        checkpoints.sort();
        let numbers = checkpoints.iter().filter_map(|name| name.rsplit('-').next()?.parse().ok());
        let numbers = numbers.chain(blocks.iter().map(|entry| entry.id));
        let next_block = numbers.max().map_or(0, |max: u64| max + 1);
        // The newest knows all that older ones knew.
        let checkpoint = checkpoints.iter().rev().find_map(|name| {
            let bytes = std::fs::read(self.dir.join(name)).ok()?;
            crate::checkpoint::decode(&self.dir.join(name), &bytes).ok()?;
            Some(CheckpointEntry { file: name.clone(), crc32c: crc32c::crc32c(&bytes) })
        });
        let samples = blocks.iter().map(|entry| entry.rows).sum();
        let manifest =
            Manifest { covered, samples, next_block, checkpoint, blocks, ..Manifest::default() };
        Ok(manifest)
    }
}

/// A block of a month that has rows of one day only was written as one of that day.
fn of_its_day(entry: BlockEntry) -> BlockEntry {
    let day = |time| Timestamp::from_nanos(time).day();
    let span = Span::day(day(entry.time_min));
    match entry.days > 1 && day(entry.time_max) == span.first() {
        true => BlockEntry { day: span.first(), days: span.days(), ..entry },
        false => entry,
    }
}
