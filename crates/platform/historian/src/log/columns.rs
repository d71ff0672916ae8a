//! Samples as bytes of the log, a column after the other.
//!
//! Each tag as the difference to the one before (zigzag varint), then each time likewise, the first
//! to the batch's arrival; the qualities and then the kinds in runs: a quality (varint) or a kind (1)
//! and how many samples in a row have it (varint), until all have one; then the values in order:
//! nothing for no value, 1 byte for a truth value, 8 (little endian) for another number, the bytes of
//! [`Value::encode`] for a text or an array.

use weir_model::{Kind, Quality, Samples, TagId, Timestamp, Value};

use super::record::RecordError;
use super::varint::{put_varint, put_varints, take_varint, unzigzag, zigzag};

/// Bytes of the shortest sample: one each for tag and time, runs apart.
pub(crate) const SAMPLE_BYTES_MIN: usize = 2;

/// Bytes of the longest sample without text or array: tag 5, time 10, quality and its run 10, kind
/// and its run 6, value 8.
const SAMPLE_BYTES_MAX: usize = 39;

/// The most bytes that [`encode`] can take.
pub(crate) fn bytes_max(samples: &Samples) -> usize {
    samples.len() * SAMPLE_BYTES_MAX + samples.apart().iter().map(value_bytes).sum::<usize>()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => 5 + text.len(),
        Value::Array(items) => 5 + items.iter().map(value_bytes).sum::<usize>(),
        _ => 9,
    }
}

/// Appends samples.
pub(crate) fn encode(samples: &Samples, arrival: Timestamp, out: &mut Vec<u8>) {
    let mut last = 0;
    let tags = samples.tags().iter().map(|tag| {
        let step = i64::from(tag.0) - last;
        last = i64::from(tag.0);
        zigzag(step)
    });
    put_varints(tags, out);
    let mut last = arrival.nanos();
    let times = samples.times().iter().map(|time| {
        let step = time.nanos().wrapping_sub(last);
        last = time.nanos();
        zigzag(step)
    });
    put_varints(times, out);
    for run in samples.qualities().chunk_by(PartialEq::eq) {
        put_varint(u64::from(run[0].code()), out);
        put_varint(run.len() as u64, out);
    }
    let mut place = 0;
    for run in samples.kinds().chunk_by(PartialEq::eq) {
        out.push(run[0] as u8);
        put_varint(run.len() as u64, out);
    }
    for run in samples.kinds().chunk_by(PartialEq::eq) {
        let words = &samples.words()[place..place + run.len()];
        place += run.len();
        match run[0] {
            Kind::None => {}
            Kind::Bool => out.extend(words.iter().map(|word| *word as u8)),
            Kind::Text | Kind::Array => {
                words.iter().for_each(|word| samples.apart()[*word as usize].encode(out));
            }
            Kind::F64 | Kind::I64 | Kind::U64 | Kind::Enumeration => {
                out.reserve(8 * words.len());
                words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
            }
        }
    }
}

/// Reads so many samples from the front of `bytes`. Allocates at most what so many bytes can hold.
pub(crate) fn decode(
    bytes: &mut &[u8],
    count: usize,
    arrival: Timestamp,
) -> Result<Samples, RecordError> {
    if count > bytes.len() / SAMPLE_BYTES_MIN {
        return Err(RecordError("it has fewer samples than it says"));
    }
    let mut tags = Vec::with_capacity(count);
    let mut last = 0;
    for _ in 0..count {
        last = unzigzag(take_varint(bytes)?).wrapping_add(last);
        tags.push(TagId(u32::try_from(last).map_err(|_| RecordError("a tag is out of range"))?));
    }
    let mut times = Vec::with_capacity(count);
    let mut last = arrival.nanos();
    for _ in 0..count {
        last = unzigzag(take_varint(bytes)?).wrapping_add(last);
        times.push(Timestamp::from_nanos(last));
    }
    let mut qualities = Vec::with_capacity(count);
    while qualities.len() < count {
        let quality = u32::try_from(take_varint(bytes)?)
            .map_err(|_| RecordError("a quality is out of range"))?;
        let run = take_run(bytes, count - qualities.len())?;
        qualities.resize(qualities.len() + run, Quality::from_code(quality));
    }
    let mut kinds = Vec::with_capacity(count);
    while kinds.len() < count {
        let (byte, rest) = bytes.split_first().ok_or(RecordError("it ends too early"))?;
        *bytes = rest;
        let kind = Kind::from_byte(*byte).ok_or(RecordError("a kind is unknown"))?;
        let run = take_run(bytes, count - kinds.len())?;
        kinds.resize(kinds.len() + run, kind);
    }
    let mut words = Vec::with_capacity(count);
    let mut apart = Vec::new();
    for run in kinds.chunk_by(PartialEq::eq) {
        decode_values(bytes, run[0], run.len(), &mut words, &mut apart)?;
    }
    Samples::from_columns(tags, times, qualities, kinds, words, apart)
        .map_err(|_| RecordError("a value is unreadable"))
}

/// How many samples in a row, of those that are left.
fn take_run(bytes: &mut &[u8], left: usize) -> Result<usize, RecordError> {
    let run = usize::try_from(take_varint(bytes)?).ok().filter(|run| (1..=left).contains(run));
    run.ok_or(RecordError("a run is out of range"))
}

fn decode_values(
    bytes: &mut &[u8],
    kind: Kind,
    count: usize,
    words: &mut Vec<u64>,
    apart: &mut Vec<Value>,
) -> Result<(), RecordError> {
    const SHORT: RecordError = RecordError("it ends too early");
    match kind {
        Kind::None => words.resize(words.len() + count, 0),
        Kind::Bool => {
            let (values, rest) = bytes.split_at_checked(count).ok_or(SHORT)?;
            *bytes = rest;
            words.extend(values.iter().map(|value| u64::from(*value)));
        }
        Kind::Text | Kind::Array => {
            for _ in 0..count {
                let value =
                    Value::decode(bytes).map_err(|_| RecordError("a value is unreadable"))?;
                words.push(apart.len() as u64);
                apart.push(value);
            }
        }
        Kind::F64 | Kind::I64 | Kind::U64 | Kind::Enumeration => {
            let (values, rest) = bytes.split_at_checked(8 * count).ok_or(SHORT)?;
            *bytes = rest;
            let (values, _) = values.as_chunks::<8>();
            words.extend(values.iter().map(|value| u64::from_le_bytes(*value)));
        }
    }
    Ok(())
}
