//! One batch as bytes: length and CRC32C of the payload (both u32, little endian), then the
//! payload. The magic of the segment carries the version.

use std::io::{self, Read};

use weir_model::{Batch, Producer, Quality, Sample, Samples, TagId, TenantId, Timestamp, Value};

/// Longest payload: a full batch of numbers with room; what is longer was never written by us, or
/// is better dropped and counted than kept.
const PAYLOAD_BYTES_MAX: usize = 8 << 20;

const HEADER_BYTES: usize = 8;

const FLAG_BACKFILL: u8 = 1;
const FLAG_PRODUCER: u8 = 2;

pub(super) fn too_large(frame_bytes: u64) -> bool {
    frame_bytes > (PAYLOAD_BYTES_MAX + HEADER_BYTES) as u64
}

pub(super) fn encode(batch: &Batch) -> Vec<u8> {
    let mut out = vec![0; HEADER_BYTES];
    out.reserve(64 + batch.samples.len() * 26);
    let producer = batch.producer.as_ref();
    let flags = if batch.backfill { FLAG_BACKFILL } else { 0 }
        | if producer.is_some() { FLAG_PRODUCER } else { 0 };
    out.push(flags);
    out.extend(batch.tenant.0.to_le_bytes());
    out.extend(batch.arrival.nanos().to_le_bytes());
    if let Some(producer) = producer {
        out.extend(producer.sequence.to_le_bytes());
        // A producer's name is at most 128 bytes.
        out.push(producer.name().len() as u8);
        out.extend(producer.name().as_bytes());
    }
    out.extend((batch.samples.len() as u32).to_le_bytes());
    for (tag, sample) in batch.samples.iter() {
        out.extend(tag.0.to_le_bytes());
        out.extend(sample.time.nanos().to_le_bytes());
        out.extend(sample.quality.code().to_le_bytes());
        out.push(u8::from(sample.value.is_some()));
        if let Some(value) = &sample.value {
            value.encode(&mut out);
        }
    }
    let length = (out.len() - HEADER_BYTES) as u32;
    let sum = crc32c::crc32c(&out[HEADER_BYTES..]);
    out[..4].copy_from_slice(&length.to_le_bytes());
    out[4..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    out
}

/// Reads the next frame and its size; none at the end and where it is torn or damaged.
pub(super) fn read(reader: &mut impl Read) -> io::Result<Option<(Batch, u64)>> {
    let mut header = [0; HEADER_BYTES];
    if !fill(reader, &mut header)? {
        return Ok(None);
    }
    let [l0, l1, l2, l3, sum @ ..] = header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > PAYLOAD_BYTES_MAX {
        return Ok(None);
    }
    let mut payload = vec![0; length];
    if !fill(reader, &mut payload)? || crc32c::crc32c(&payload) != u32::from_le_bytes(sum) {
        return Ok(None);
    }
    Ok(decode(&payload).map(|batch| (batch, (HEADER_BYTES + length) as u64)))
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn decode(mut bytes: &[u8]) -> Option<Batch> {
    let bytes = &mut bytes;
    let [flags] = take(bytes)?;
    let tenant = TenantId(u32::from_le_bytes(take(bytes)?));
    let arrival = Timestamp::from_nanos(i64::from_le_bytes(take(bytes)?));
    let producer = if flags & FLAG_PRODUCER != 0 {
        let sequence = u64::from_le_bytes(take(bytes)?);
        let [length] = take(bytes)?;
        let (name, rest) = bytes.split_at_checked(length.into())?;
        *bytes = rest;
        Some(Producer::new(std::str::from_utf8(name).ok()?, sequence).ok()?)
    } else {
        None
    };
    let count = u32::from_le_bytes(take(bytes)?) as usize;
    // A sample takes 17 bytes at the least, so a count beyond that is a lie.
    if count > bytes.len() / 17 {
        return None;
    }
    let mut samples = Samples::with_capacity(count);
    for _ in 0..count {
        let tag = TagId(u32::from_le_bytes(take(bytes)?));
        let time = Timestamp::from_nanos(i64::from_le_bytes(take(bytes)?));
        let quality = Quality::from_code(u32::from_le_bytes(take(bytes)?));
        let value = match take(bytes)? {
            [0] => None,
            [1] => Some(Value::decode(bytes).ok()?),
            _ => return None,
        };
        samples.push(tag, Sample { time, value, quality });
    }
    let backfill = flags & FLAG_BACKFILL != 0;
    bytes.is_empty().then_some(Batch { tenant, producer, backfill, arrival, samples })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}
