//! A segment in parts, for those who look for damage and save what is not damaged: what [`read`]
//! gives up at, this goes past.
//!
//! [`read`]: super::segment::read

use super::record::{self, Frame, RECORD_HEADER_BYTES, decode_frame};
use super::segment::{Segment, acknowledged_after};
use super::{FORMAT, HEADER_BYTES, decode_header, encode_header};
use crate::HistorianError;

/// A part of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// A record that is whole and can be read.
    Record(Frame<'a>),
    /// So many bytes from an offset on are not what was written.
    Damage {
        /// Where.
        offset: u64,
        /// How many.
        bytes: u64,
        /// In what way.
        reason: &'static str,
    },
    /// So many bytes at the end of the log from an offset on are what a crash left of a group that was
    /// not acknowledged.
    Torn {
        /// Where.
        offset: u64,
        /// How many.
        bytes: u64,
    },
}

/// The parts of a segment in order. `is_last` says that it is the log's last.
///
/// # Errors
/// [`HistorianError::Format`] where a newer version wrote it.
pub(crate) fn parts<'a>(
    segment: &Segment,
    bytes: &'a [u8],
    is_last: bool,
) -> Result<Vec<Part<'a>>, HistorianError> {
    let mut parts = Vec::new();
    let mut expected = segment.first;
    let mut offset = HEADER_BYTES.min(bytes.len());
    match decode_header(bytes) {
        Some((found, _)) if !(1..=FORMAT).contains(&found) => {
            let file = segment.path.clone();
            return Err(HistorianError::Format { file, found, supported: FORMAT });
        }
        Some((_, first)) if first == segment.first => {}
        found => {
            if found.is_none() && is_last && !acknowledged_after(bytes, 0, segment.first) {
                return Ok(vec![Part::Torn { offset: 0, bytes: bytes.len() as u64 }]);
            }
            let reason = "its header is not what was written";
            parts.push(Part::Damage { offset: 0, bytes: offset as u64, reason });
        }
    }
    while !bytes[offset..].iter().all(|byte| *byte == 0) {
        let reason = match frame_at(bytes, offset, expected) {
            Ok(frame) if frame.position == expected => {
                parts.push(Part::Record(frame));
                offset += frame.bytes();
                expected += 1;
                continue;
            }
            Ok(_) => "a record of another position lies there",
            Err(reason) => reason,
        };
        let left = (bytes.len() - offset) as u64;
        if is_last && !acknowledged_after(bytes, offset, expected) {
            parts.push(Part::Torn { offset: offset as u64, bytes: left });
            break;
        }
        let next = next_record(bytes, offset, expected);
        let skipped = next.map_or(left, |(next, _)| (next - offset) as u64);
        parts.push(Part::Damage { offset: offset as u64, bytes: skipped, reason });
        let Some((next, position)) = next else { break };
        (offset, expected) = (next, position);
    }
    Ok(parts)
}

/// A record that is whole and can be read.
fn frame_at(bytes: &[u8], offset: usize, expected: u64) -> Result<Frame<'_>, &'static str> {
    let frame = decode_frame(&bytes[offset..]).map_err(|error| error.0)?;
    // What is of another position is not looked into.
    if frame.position == expected {
        record::decode(frame.payload, frame.position).map_err(|error| error.0)?;
    }
    Ok(frame)
}

/// Where behind an offset a record lies, of the position expected or a later one; and its position.
fn next_record(bytes: &[u8], offset: usize, expected: u64) -> Option<(usize, u64)> {
    let plausible = bytes.len() as u64;
    let candidates = offset + 1..bytes.len().saturating_sub(RECORD_HEADER_BYTES);
    candidates.into_iter().find_map(|start| {
        // Almost every offset fails on the position, before a checksum is computed.
        let position = bytes[start + 12..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        let fits = position >= expected && position - expected <= plausible;
        (fits && frame_at(bytes, start, position).is_ok()).then_some((start, position))
    })
}

/// The bytes of a segment that holds what can be read of a damaged one, with an empty batch at every
/// position that is lost, from the one to the other.
pub(crate) fn mended(parts: &[Part<'_>], first: u64, last: u64) -> Vec<u8> {
    let mut out = encode_header(first).to_vec();
    let mut expected = first;
    let empty = record::empty();
    for part in parts {
        let Part::Record(frame) = part else { continue };
        for position in expected..frame.position {
            record::encode_frame(&empty, position, position, &mut out);
        }
        // Each a group of its own: what stands here had been acknowledged.
        record::encode_frame(frame.payload, frame.position, frame.position, &mut out);
        expected = frame.position + 1;
    }
    for position in expected..last.saturating_add(1) {
        record::encode_frame(&empty, position, position, &mut out);
    }
    out
}
