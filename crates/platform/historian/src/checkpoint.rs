//! The checkpoint: last values and producers as they were when the log was last cut, so that
//! opening reads neither blocks nor old log.
//!
//! Format 3, little endian: magic 8, format 4, number of last values 8, the last values (tenant 4,
//! tag 4, time 8, position 8, quality 4, then 0, or the bytes of [`Value::encode`], or for an array
//! 16 and the bytes that blocks have of it, after their number 4), number of producers 8, the
//! producers (tenant 4, length of the name 1, name, sequence 8, position 8, window 16), and CRC32C of
//! all before it 4. It may hold more than the log was cut to: replaying the log over it changes
//! nothing twice.
//!
//! Format 2 had arrays as [`Value::encode`] writes them. Format 1 had no windows either: what was
//! not above the highest sequence was taken for stored.

use std::path::Path;

use weir_model::{Producer, TenantId, Value};

use crate::HistorianError;
use crate::block::array;
use crate::last::{Apart, LastValues};
use crate::producers::{Producers, Stored};
use crate::row::Row;

const MAGIC: &[u8; 8] = b"WEIRHCPT";

/// The format this version writes.
const FORMAT: u32 = 3;

/// Stands before a packed array.
const PACKED: u8 = 16;

/// The bytes of a checkpoint.
pub(crate) fn encode(last: &LastValues, producers: &Producers) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + last.len() * 40 + producers.len() * 64);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&(last.len() as u64).to_le_bytes());
    for (tenant, row) in last.iter() {
        out.extend_from_slice(&tenant.0.to_le_bytes());
        out.extend_from_slice(&row.tag.to_le_bytes());
        out.extend_from_slice(&row.time.to_le_bytes());
        out.extend_from_slice(&row.position.to_le_bytes());
        out.extend_from_slice(&row.quality.to_le_bytes());
        match (&row.number, row.apart) {
            (Some(value), _) | (None, Some(Apart::Whole(value))) => value.encode(&mut out),
            (None, Some(Apart::Packed(bytes))) => {
                out.push(PACKED);
                out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                out.extend_from_slice(bytes);
            }
            (None, None) => out.push(0),
        }
    }
    out.extend_from_slice(&(producers.len() as u64).to_le_bytes());
    for (tenant, name, stored) in producers.iter() {
        out.extend_from_slice(&tenant.0.to_le_bytes());
        out.push(name.len() as u8);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&stored.sequence.to_le_bytes());
        out.extend_from_slice(&stored.position.to_le_bytes());
        out.extend_from_slice(&stored.window.to_le_bytes());
    }
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// Reads the bytes of a checkpoint file.
///
/// # Errors
/// [`HistorianError::Corrupt`], [`HistorianError::Format`].
pub(crate) fn decode(file: &Path, bytes: &[u8]) -> Result<(LastValues, Producers), HistorianError> {
    let damage = |reason: &str| HistorianError::corrupt(file, 0, reason);
    let Some((body, crc)) = bytes.split_last_chunk::<4>() else {
        return Err(damage("it is too short"));
    };
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return Err(damage("its checksum does not match"));
    }
    let Some(mut rest) = body.strip_prefix(MAGIC) else {
        return Err(damage("it is no checkpoint"));
    };
    let found = take(&mut rest).map(u32::from_le_bytes).unwrap_or(0);
    if !(1..=FORMAT).contains(&found) {
        let file = file.to_owned();
        return Err(HistorianError::Format { file, found, supported: FORMAT });
    }
    decode_body(&mut rest, found)
        .filter(|_| rest.is_empty())
        .ok_or_else(|| damage("its content is unreadable"))
}

fn decode_body(bytes: &mut &[u8], format: u32) -> Option<(LastValues, Producers)> {
    let (mut last, mut producers) = (LastValues::default(), Producers::default());
    for _ in 0..u64::from_le_bytes(take(bytes)?) {
        let tenant = TenantId(u32::from_le_bytes(take(bytes)?));
        let tag = u32::from_le_bytes(take(bytes)?);
        let time = i64::from_le_bytes(take(bytes)?);
        let position = u64::from_le_bytes(take(bytes)?);
        let quality = u32::from_le_bytes(take(bytes)?);
        let value = match bytes.first()? {
            0 => {
                *bytes = &bytes[1..];
                None
            }
            &PACKED if format > 2 => {
                *bytes = &bytes[1..];
                let length = u32::from_le_bytes(take(bytes)?) as usize;
                let (packed, rest) = bytes.split_at_checked(length)?;
                *bytes = rest;
                Some(array::decode(packed)?)
            }
            _ => Some(Value::decode(bytes).ok()?),
        };
        last.insert_row(tenant, Row { time, position, tag, quality, value });
    }
    for _ in 0..u64::from_le_bytes(take(bytes)?) {
        let tenant = TenantId(u32::from_le_bytes(take(bytes)?));
        let [length] = take(bytes)?;
        let (name, rest) = bytes.split_at_checked(usize::from(length))?;
        *bytes = rest;
        let sequence = u64::from_le_bytes(take(bytes)?);
        let position = u64::from_le_bytes(take(bytes)?);
        let producer = Producer::new(std::str::from_utf8(name).ok()?, sequence).ok()?;
        let window = if format == 1 { u128::MAX } else { u128::from_le_bytes(take(bytes)?) };
        // The highest sequence itself is always stored.
        if window & 1 == 0 {
            return None;
        }
        producers.put(tenant, producer.name(), Stored { sequence, position, window });
    }
    Some((last, producers))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests;
