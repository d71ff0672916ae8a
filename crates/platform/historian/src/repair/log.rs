//! A log without gaps: what can be read of it stays, and what cannot is an empty batch.

use super::{Repair, quarantine};
use crate::HistorianError;
use crate::check::log::{read, segments};
use crate::disk;
use crate::log::parts::{Part, mended, parts};
use crate::log::segment::{self, Segment};
use crate::manifest::Manifest;

/// Most positions in a row that are filled with empty batches: 40 MB of them.
const FILLED_MAX: u64 = 1 << 20;

impl Repair<'_> {
    /// Mends damaged segments, and puts others where some are missing.
    pub(super) fn log(&mut self, manifest: &Manifest) -> Result<(), HistorianError> {
        let segments = segments(self.dir)?;
        let mut next = manifest.covered + 1;
        for (place, segment) in segments.iter().enumerate() {
            let following = segments.get(place + 1);
            if following.is_some_and(|following| following.first <= manifest.covered + 1) {
                // All of it is in blocks; the next start removes it.
                continue;
            }
            if segment.first > next {
                self.fill(segment, next)?;
            }
            next = self.segment(segment, following)?.max(next);
        }
        Ok(())
    }

    /// Mends a segment; gives the position behind its last.
    fn segment(
        &mut self,
        segment: &Segment,
        following: Option<&Segment>,
    ) -> Result<u64, HistorianError> {
        let bytes = read(segment)?;
        let parts = parts(segment, &bytes, following.is_none())?;
        let mut records = parts.iter().filter_map(|part| match part {
            Part::Record(frame) => Some(frame.position),
            _ => None,
        });
        let (kept, last) = (records.clone().count() as u64, records.next_back());
        // A gap behind a damaged end is a part of the damage.
        let end = following
            .map_or_else(|| last.map_or(segment.first, |last| last + 1), |next| next.first);
        let is_damaged = parts.iter().any(|part| matches!(part, Part::Damage { .. }));
        let behind = last.map_or(segment.first, |last| last + 1);
        if !is_damaged {
            return Ok(behind);
        }
        let lost = (end - segment.first).saturating_sub(kept);
        self.bounded(segment, lost)?;
        let mut deed = format!("{kept} batches are kept");
        if lost > 0 {
            deed = format!("{deed}, {lost} of positions {} to {} are lost", segment.first, end - 1);
        }
        self.step(
            &segment.path,
            format!("damaged: {deed}; the file goes to quarantine"),
            Vec::new(),
        );
        if !self.dry_run {
            quarantine::copy(self.dir, &segment.path)?;
            self.write(segment, &mended(&parts, segment.first, end - 1))?;
        }
        Ok(end)
    }

    /// Puts a segment of empty batches before one that does not follow.
    fn fill(&mut self, segment: &Segment, first: u64) -> Result<(), HistorianError> {
        let (last, count) = (segment.first - 1, segment.first - first);
        self.bounded(segment, count)?;
        let path = segment::path(&self.dir.join("log"), first);
        let deed = format!("missing: {count} batches, positions {first} to {last}, are lost");
        self.step(&path, deed, Vec::new());
        if self.dry_run {
            return Ok(());
        }
        self.write(&Segment { first, path }, &mended(&[], first, last))
    }

    fn write(&self, segment: &Segment, bytes: &[u8]) -> Result<(), HistorianError> {
        disk::replace(&*self.disk, &segment.path, bytes)
            .map_err(HistorianError::io("write", &segment.path))
    }

    fn bounded(&self, segment: &Segment, lost: u64) -> Result<(), HistorianError> {
        if lost > FILLED_MAX {
            let reason = format!(
                "{lost} batches are missing, more than a repair puts up with: bring the log back from a \
                 copy, or move its folder away to go on with what is in blocks"
            );
            return Err(HistorianError::corrupt(&segment.path, 0, reason));
        }
        Ok(())
    }
}
