//! A record of the log: one batch.
//!
//! Little endian: CRC32C of all that follows (4), length of the payload (4), how many positions
//! before this one its group began (4), position (8), payload. All records of a group were written
//! together and made durable by one `fdatasync`, before the next group was written: so a record
//! whose group began after position `p` proves that `p` had been durable.
//!
//! Payload: flags (1: bit 0 backfill, bit 1 producer, bit 2 columns, bit 3 deletion), tenant (4), arrival in
//! nanoseconds (8), with a producer the length of its name (1), the name and the sequence (8), then
//! the number of samples (4) and the samples as [`columns`](super::columns) has them. A deletion has
//! after the arrival its tag (4), from (8), to (8), and 0, or 1 and the tag's newest sample after it:
//! time (8), quality (4), value (0 for none, else the bytes of [`Value::encode`]).
//!
//! Segments of format 1 have no columns but one sample after the other: the difference of its tag to
//! the one before (zigzag varint), the difference of its time likewise, its quality (varint), then 0
//! for no value or the bytes of [`Value::encode`], whose first is never 0.

use weir_model::{Batch, Producer, Quality, Sample, Samples, TagId, TenantId, Timestamp, Value};

use super::columns;
use super::varint::{take_varint, unzigzag};

use crate::BATCH_BYTES_MAX;
use crate::deletion::{Deletion, Entry};

/// Bytes before the payload.
pub(crate) const RECORD_HEADER_BYTES: usize = 20;

/// Bytes of the shortest sample of format 1: one each for tag, time, quality and value.
const SAMPLE_BYTES_MIN: usize = 4;

const BACKFILL: u8 = 1;
const PRODUCER: u8 = 2;
const COLUMNS: u8 = 4;
const DELETION: u8 = 8;

/// A record as it lies in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// The batch's position.
    pub(crate) position: u64,
    /// The position of the first batch of its group.
    pub(crate) group_first: u64,
    /// The encoded batch.
    pub(crate) payload: &'a [u8],
}

impl Frame<'_> {
    /// Bytes of the whole record.
    pub(crate) fn bytes(&self) -> usize {
        RECORD_HEADER_BYTES + self.payload.len()
    }
}

/// Bytes are not a record, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct RecordError(pub(crate) &'static str);

/// Appends a record.
pub(crate) fn encode_frame(payload: &[u8], position: u64, group_first: u64, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&((position - group_first) as u32).to_le_bytes());
    out.extend_from_slice(&position.to_le_bytes());
    out.extend_from_slice(payload);
    let crc = crc32c::crc32c(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the record at the front of `bytes`.
pub(crate) fn decode_frame(bytes: &[u8]) -> Result<Frame<'_>, RecordError> {
    let mut rest = bytes;
    let crc = u32::from_le_bytes(take(&mut rest)?);
    let length = u32::from_le_bytes(take(&mut rest)?) as usize;
    let group = u32::from_le_bytes(take(&mut rest)?);
    let position = u64::from_le_bytes(take(&mut rest)?);
    if length == 0 || length > BATCH_BYTES_MAX {
        return Err(RecordError("its length is out of bounds"));
    }
    let payload = rest.get(..length).ok_or(RecordError("it ends beyond the file"))?;
    if crc32c::crc32c(&bytes[4..RECORD_HEADER_BYTES + length]) != crc {
        return Err(RecordError("its checksum does not match"));
    }
    let group_first = position.checked_sub(u64::from(group));
    let group_first = group_first.ok_or(RecordError("its group begins before the log"))?;
    Ok(Frame { position, group_first, payload })
}

/// The most bytes that [`encode_batch`] can take for the batch.
pub(crate) fn batch_bytes_max(batch: &Batch) -> usize {
    let producer = batch.producer.as_ref().map_or(0, |producer| 9 + producer.name().len());
    17 + producer + columns::bytes_max(&batch.samples)
}

/// What [`encode_batch`] mostly takes for the batch: of most samples tag and time are a step of some
/// bytes.
pub(crate) fn batch_bytes_likely(batch: &Batch) -> usize {
    256 + 16 * batch.samples.len()
}

/// Appends the payload of a batch.
pub(crate) fn encode_batch(batch: &Batch, out: &mut Vec<u8>) {
    let backfill = if batch.backfill { BACKFILL } else { 0 };
    let producer = if batch.producer.is_some() { PRODUCER } else { 0 };
    out.push(backfill | producer | COLUMNS);
    out.extend_from_slice(&batch.tenant.0.to_le_bytes());
    out.extend_from_slice(&batch.arrival.nanos().to_le_bytes());
    if let Some(producer) = &batch.producer {
        // A producer's name has at most PRODUCER_BYTES_MAX = 128 bytes.
        out.push(producer.name().len() as u8);
        out.extend_from_slice(producer.name().as_bytes());
        out.extend_from_slice(&producer.sequence.to_le_bytes());
    }
    out.extend_from_slice(&(batch.samples.len() as u32).to_le_bytes());
    columns::encode(&batch.samples, batch.arrival, out);
}

/// The payload of a batch without samples, which nobody's is.
pub(crate) fn empty() -> Vec<u8> {
    let mut out = Vec::new();
    let batch = Batch {
        tenant: TenantId::NODE,
        producer: None,
        backfill: true,
        arrival: Timestamp::from_nanos(0),
        samples: Samples::default(),
    };
    encode_batch(&batch, &mut out);
    out
}

/// Appends the payload of a deletion. Its position is that of the record.
pub(crate) fn encode_deletion(
    deletion: &Deletion,
    latest: Option<&Sample>,
    arrival: Timestamp,
    out: &mut Vec<u8>,
) {
    out.push(DELETION);
    out.extend_from_slice(&deletion.tenant.0.to_le_bytes());
    out.extend_from_slice(&arrival.nanos().to_le_bytes());
    out.extend_from_slice(&deletion.tag.to_le_bytes());
    out.extend_from_slice(&deletion.from.to_le_bytes());
    out.extend_from_slice(&deletion.to.to_le_bytes());
    out.push(u8::from(latest.is_some()));
    if let Some(Sample { time, value, quality }) = latest {
        out.extend_from_slice(&time.nanos().to_le_bytes());
        out.extend_from_slice(&quality.code().to_le_bytes());
        match value {
            Some(value) => value.encode(out),
            None => out.push(0),
        }
    }
}

/// Reads the payload of the record at a position. Allocates at most what so many bytes can hold.
pub(crate) fn decode(payload: &[u8], position: u64) -> Result<Entry, RecordError> {
    let mut bytes = payload;
    let [flags] = take(&mut bytes)?;
    if flags & !(BACKFILL | PRODUCER | COLUMNS) != 0 && flags != DELETION {
        return Err(RecordError("it has unknown flags"));
    }
    let tenant = TenantId(u32::from_le_bytes(take(&mut bytes)?));
    let arrival = Timestamp::from_nanos(i64::from_le_bytes(take(&mut bytes)?));
    if flags == DELETION {
        return decode_deletion(bytes, tenant, position);
    }
    let producer = if flags & PRODUCER != 0 { Some(decode_producer(&mut bytes)?) } else { None };
    let count = u32::from_le_bytes(take(&mut bytes)?) as usize;
    let samples = if flags & COLUMNS != 0 {
        columns::decode(&mut bytes, count, arrival)?
    } else {
        decode_rows(&mut bytes, count, arrival)?
    };
    if !bytes.is_empty() {
        return Err(RecordError("it has bytes behind its samples"));
    }
    let backfill = flags & BACKFILL != 0;
    Ok(Entry::Batch(Batch { tenant, producer, backfill, arrival, samples }))
}

fn decode_deletion(
    mut bytes: &[u8],
    tenant: TenantId,
    position: u64,
) -> Result<Entry, RecordError> {
    let tag = u32::from_le_bytes(take(&mut bytes)?);
    let from = i64::from_le_bytes(take(&mut bytes)?);
    let to = i64::from_le_bytes(take(&mut bytes)?);
    let latest = match take(&mut bytes)? {
        [0] => None,
        [1] => {
            let time = Timestamp::from_nanos(i64::from_le_bytes(take(&mut bytes)?));
            let quality = Quality::from_code(u32::from_le_bytes(take(&mut bytes)?));
            Some(Sample { time, value: decode_value(&mut bytes)?, quality })
        }
        _ => return Err(RecordError("its newest sample is unreadable")),
    };
    if !bytes.is_empty() {
        return Err(RecordError("it has bytes behind its deletion"));
    }
    Ok(Entry::Deletion(Deletion { tenant, tag, from, to, position }, latest))
}

/// No value, or one.
fn decode_value(bytes: &mut &[u8]) -> Result<Option<Value>, RecordError> {
    match bytes.split_first() {
        Some((0, rest)) => {
            *bytes = rest;
            Ok(None)
        }
        _ => Value::decode(bytes).map(Some).map_err(|_| RecordError("a value is unreadable")),
    }
}

/// The samples of format 1.
fn decode_rows(
    bytes: &mut &[u8],
    count: usize,
    arrival: Timestamp,
) -> Result<Samples, RecordError> {
    if count > bytes.len() / SAMPLE_BYTES_MIN {
        return Err(RecordError("it has fewer samples than it says"));
    }
    let mut samples = Samples::with_capacity(count);
    let (mut last_tag, mut last_time) = (0, arrival.nanos());
    for _ in 0..count {
        let tag = i64::from(last_tag).wrapping_add(unzigzag(take_varint(bytes)?));
        last_tag = u32::try_from(tag).map_err(|_| RecordError("a tag is out of range"))?;
        last_time = unzigzag(take_varint(bytes)?).wrapping_add(last_time);
        let quality = u32::try_from(take_varint(bytes)?)
            .map_err(|_| RecordError("a quality is out of range"))?;
        let value = decode_value(bytes)?;
        let (time, quality) = (Timestamp::from_nanos(last_time), Quality::from_code(quality));
        samples.push(TagId(last_tag), Sample { time, value, quality });
    }
    Ok(samples)
}

fn decode_producer(bytes: &mut &[u8]) -> Result<Producer, RecordError> {
    const UNREADABLE: RecordError = RecordError("its producer is unreadable");
    let [length] = take(bytes)?;
    let (name, rest) = bytes.split_at_checked(usize::from(length)).ok_or(UNREADABLE)?;
    *bytes = rest;
    let sequence = u64::from_le_bytes(take(bytes)?);
    let name = std::str::from_utf8(name).map_err(|_| UNREADABLE)?;
    Producer::new(name, sequence).map_err(|_| UNREADABLE)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], RecordError> {
    let (head, rest) = bytes.split_first_chunk().ok_or(RecordError("it ends too early"))?;
    *bytes = rest;
    Ok(*head)
}

#[cfg(test)]
mod tests;
