//! Looking at the log.

use std::path::Path;

use super::Fault;
use crate::HistorianError;
use crate::log::parts::{Part, parts};
use crate::log::segment::{self, SEGMENT_BYTES_MAX, Segment};

/// The segments of a historian's folder, which may have none yet.
pub(crate) fn segments(dir: &Path) -> Result<Vec<Segment>, HistorianError> {
    let log = dir.join("log");
    if log.is_dir() { segment::list(&log) } else { Ok(Vec::new()) }
}

/// The bytes of a segment.
pub(crate) fn read(segment: &Segment) -> Result<Vec<u8>, HistorianError> {
    let path = &segment.path;
    let bytes = std::fs::metadata(path).map_err(HistorianError::io("read", path))?.len();
    if bytes > SEGMENT_BYTES_MAX {
        return Err(HistorianError::corrupt(path, SEGMENT_BYTES_MAX, "it is too long"));
    }
    std::fs::read(path).map_err(HistorianError::io("read", path))
}

/// Whether segments follow each other without a gap.
pub(crate) struct Follows {
    /// The position that comes next; none where any may.
    next: Option<u64>,
    covered: u64,
}

impl Follows {
    /// Before the first segment of a log that blocks cover up to a position, if that is known.
    pub(crate) fn new(covered: Option<u64>) -> Self {
        Self { next: covered.map(|covered| covered + 1), covered: covered.unwrap_or(0) }
    }

    /// What is wrong with the next segment.
    pub(crate) fn faults(
        &mut self,
        segment: &Segment,
        bytes: &[u8],
        is_last: bool,
    ) -> Result<Vec<Fault>, HistorianError> {
        let mut faults = Vec::new();
        if let Some(next) = self.next.filter(|next| segment.first > *next) {
            let (last, count) = (segment.first - 1, segment.first - next);
            let cause = format!(
                "the log before it is missing: {count} batches, positions {next} to {last}"
            );
            faults.push(Fault::of(&segment.path, cause));
        }
        let mut expected = segment.first;
        let mut damage: Option<(u64, u64, &str)> = None;
        for part in parts(segment, bytes, is_last)? {
            match part {
                Part::Record(frame) => {
                    if let Some(damage) = damage.take() {
                        faults.extend(self.damaged(segment, damage, expected, frame.position - 1));
                    }
                    expected = frame.position + 1;
                }
                Part::Damage { offset, bytes, reason } => {
                    let more = damage.map_or((offset, bytes, reason), |(from, before, reason)| {
                        (from, before + bytes, reason)
                    });
                    damage = Some(more);
                }
                Part::Torn { offset, bytes } => {
                    let cause = format!(
                        "{bytes} bytes at its end are what a crash has left of a batch that was not \
                         acknowledged; the next start cuts them"
                    );
                    let fault = Fault { offset, ..Fault::of(&segment.path, cause) };
                    faults.push(Fault { harmless: true, ..fault });
                }
            }
        }
        if let Some((offset, bytes, reason)) = damage {
            let cause = format!(
                "{bytes} bytes are damaged ({reason}): the batches from position {expected} on, as far \
                 as they lie in this file"
            );
            faults.push(Fault { offset, ..Fault::of(&segment.path, cause) });
        }
        self.next = Some(expected.max(self.next.unwrap_or(0)));
        // What is in blocks is read from there.
        let covered = expected <= self.covered + 1 && damage.is_none();
        for fault in &mut faults {
            fault.harmless |= covered;
        }
        Ok(faults)
    }

    fn damaged(
        &self,
        segment: &Segment,
        (offset, bytes, reason): (u64, u64, &str),
        first: u64,
        last: u64,
    ) -> Option<Fault> {
        let cause = match last.checked_sub(first) {
            None => format!("{bytes} bytes between two batches are damaged"),
            Some(0) => {
                format!("{bytes} bytes are damaged ({reason}): the batch of position {first}")
            }
            Some(more) => format!(
                "{bytes} bytes are damaged ({reason}): {} batches, positions {first} to {last}",
                more + 1
            ),
        };
        Some(Fault { offset, ..Fault::of(&segment.path, cause) })
    }
}
