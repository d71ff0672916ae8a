//! Reading a segment: its records, and what to make of bytes that are none.
//!
//! - Zeros from some record's end to the end of the file are space kept ready.
//! - Bytes that are no record at the end of the last segment are a *torn tail*, what a crash left
//!   of a group that was never acknowledged: they are cut.
//! - Bytes that are no record before a record of a later group, or in a segment that is not the
//!   last, are *damage*: what stood there had been acknowledged.

use std::path::{Path, PathBuf};

use super::record::{Frame, RECORD_HEADER_BYTES, decode_frame};
use super::{FORMAT, HEADER_BYTES, decode_header};
use crate::HistorianError;

/// Largest segment that is read: one that has nearly reached its size, then gets one more group.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 512 << 20;

/// A segment's name and the position of its first record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// From the file's name.
    pub(crate) first: u64,
    /// The file.
    pub(crate) path: PathBuf,
}

/// The segments of a folder in order of position.
pub(crate) fn list(dir: &Path) -> Result<Vec<Segment>, HistorianError> {
    let mut segments = Vec::new();
    let entries = std::fs::read_dir(dir).map_err(HistorianError::io("list", dir))?;
    for entry in entries {
        let path = entry.map_err(HistorianError::io("list", dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let first = name.and_then(|name| name.strip_suffix(".wal")?.parse().ok());
        if let Some(first) = first {
            segments.push(Segment { first, path });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// Where a segment lies.
pub(crate) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.wal"))
}

/// How a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// Where its last record ends; 0 where not even the header is whole.
    pub(crate) offset: u64,
    /// The position of its last record.
    pub(crate) position: Option<u64>,
    /// Bytes of a torn tail behind it.
    pub(crate) torn: u64,
}

/// Gives every record of a segment to `visit`, in order.
///
/// # Errors
/// [`HistorianError::Corrupt`] for damage, and what `visit` returns.
pub(crate) fn read(
    segment: &Segment,
    bytes: &[u8],
    is_last: bool,
    mut visit: impl FnMut(u64, Frame<'_>) -> Result<(), HistorianError>,
) -> Result<End, HistorianError> {
    let damage = |offset, reason: &str| HistorianError::corrupt(&segment.path, offset, reason);
    match decode_header(bytes) {
        Some((1..=FORMAT, first)) if first == segment.first => {}
        Some((1..=FORMAT, _)) => return Err(damage(0, "its name and its first position differ")),
        Some((found, _)) => {
            let file = segment.path.clone();
            return Err(HistorianError::Format { file, found, supported: FORMAT });
        }
        None if is_last && !acknowledged_after(bytes, 0, segment.first) => {
            return Ok(End { offset: 0, position: None, torn: bytes.len() as u64 });
        }
        None => return Err(damage(0, "its header is not whole")),
    }
    let (mut offset, mut expected) = (HEADER_BYTES, segment.first);
    loop {
        let rest = &bytes[offset..];
        let position = expected.checked_sub(1).filter(|_| offset > HEADER_BYTES);
        let reason = match decode_frame(rest) {
            Ok(frame) if frame.position == expected => {
                visit(offset as u64, frame)?;
                offset += frame.bytes();
                expected += 1;
                continue;
            }
            Ok(_) => "a record of another position lies there",
            Err(_) if rest.iter().all(|byte| *byte == 0) => {
                return Ok(End { offset: offset as u64, position, torn: 0 });
            }
            Err(error) => error.0,
        };
        if is_last && !acknowledged_after(bytes, offset, expected) {
            let torn = (bytes.len() - offset) as u64;
            return Ok(End { offset: offset as u64, position, torn });
        }
        return Err(damage(offset as u64, &format!("record {expected} is not whole: {reason}")));
    }
}

/// Whether a record behind the offset proves that the record `expected` had been durable.
pub(super) fn acknowledged_after(bytes: &[u8], offset: usize, expected: u64) -> bool {
    let candidates = offset..bytes.len().saturating_sub(RECORD_HEADER_BYTES);
    let plausible = bytes.len() as u64;
    candidates.into_iter().any(|start| {
        // Almost every offset fails on the position, before a checksum is computed.
        let position = bytes[start + 12..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        position > expected
            && position - expected <= plausible
            && decode_frame(&bytes[start..]).is_ok_and(|frame| frame.group_first > expected)
    })
}

#[cfg(test)]
mod tests;
