//! The write-ahead log: segments of records, one record a batch.
//!
//! Format 2. A segment is a file `log/<first position, 20 digits>.wal`: a header of
//! [`HEADER_BYTES`] bytes, then records without gaps, then zeros. See [`record`] for a record's
//! bytes and [`segment`] for what counts as a torn tail and what as damage. Format 1 differed in
//! how a record has its samples, which the record itself tells.

mod columns;
pub(crate) mod parts;
pub(crate) mod record;
pub(crate) mod segment;
pub(crate) mod varint;
mod writer;

pub(crate) use writer::{Closed, LogWriter};

/// Bytes of a segment's header: magic 8, format 4, zero 4, first position 8, zero 4, CRC32C 4.
pub(crate) const HEADER_BYTES: usize = 32;

/// The format of segments this version writes.
pub(crate) const FORMAT: u32 = 2;

const MAGIC: &[u8; 8] = b"WEIRHLOG";

/// The header of the segment whose first record has the given position.
fn encode_header(first: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[16..24].copy_from_slice(&first.to_le_bytes());
    let crc = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// The format and first position of a segment, when its header is whole.
fn decode_header(bytes: &[u8]) -> Option<(u32, u64)> {
    let header = bytes.first_chunk::<HEADER_BYTES>()?;
    let crc = u32::from_le_bytes(*header.last_chunk()?);
    if !header.starts_with(MAGIC) || crc != crc32c::crc32c(&header[..28]) {
        return None;
    }
    let format = u32::from_le_bytes(*header[8..].first_chunk()?);
    let first = u64::from_le_bytes(*header[16..].first_chunk()?);
    Some((format, first))
}
