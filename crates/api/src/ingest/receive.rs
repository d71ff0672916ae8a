//! The way of a body to the historian.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use futures::StreamExt;
use http::{HeaderMap, header};
use weir_ingest::Read;
use weir_model::{Batch, ProblemCode, Samples};

use super::series::{self, Protocol};
use super::{Envelope, Format, create};
use crate::blocking::blocking;
use crate::door::Visit;
use crate::failure::Failure;
use crate::unpack::{Encoding, Room, unpack};

/// Bodies up to this many bytes are read on the spot; larger ones would hold up other requests.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// The same for lines, each of whose fields may ask for all of a long series: at worst some
/// milliseconds.
const INLINE_LINE_BYTES_MAX: usize = 4 << 10;

/// How a body is to be read.
pub(crate) struct Order {
    pub(crate) format: Format,
    pub(crate) encoding: Encoding,
    pub(crate) envelope: Envelope,
    /// Whether series that have no tag get one; the caller has been found to be allowed to make tags.
    pub(crate) create: bool,
}

/// Reads a body and stores its samples, all or none; gives how many. Memory comes out of the
/// bound that all requests share: for what was received, for what it is unpacked, and for its samples.
///
/// # Errors
/// The problem to answer with. Where it is not the request's fault the answer says when to come back.
pub(crate) async fn receive(
    visit: &Visit,
    order: Order,
    headers: &HeaderMap,
    body: Body,
) -> Result<usize, Failure> {
    let state = visit.state();
    let mut room = Room::new(state.ingest.clone());
    let packed_max = state.limits.body_packed_bytes_max;
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let packed = collect(body, length.unwrap_or(0).min(packed_max), packed_max, &mut room).await?;
    let inline_max = match order.format {
        Format::Line(_) => INLINE_LINE_BYTES_MAX,
        _ => INLINE_BYTES_MAX,
    };
    let inline = order.encoding == Encoding::Identity && packed.len() <= inline_max;
    let unpacked_max = state.limits.body_unpacked_bytes_max;
    let Order { format, encoding, envelope, create } = order;
    let received = packed.len();
    let work = move || {
        let bytes = match unpack(encoding, &packed, unpacked_max, &mut room)? {
            Cow::Borrowed(_) => packed.clone(),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let held = bytes.len() + if encoding == Encoding::Identity { 0 } else { received };
        Ok((bytes, held, room))
    };
    let (bytes, held, mut room) = off(inline, work).await?;
    // Once for what is sent, once more if tags were made for it.
    for made in [false, true] {
        let (visitor, given, envelope) = (visit.clone(), bytes.clone(), envelope.clone());
        let work = move || {
            let read = read(format, &given, held, &visitor, envelope, create, &mut room)?;
            Ok((read, room))
        };
        let (found, back) = off(inline, work).await.map_err(|failure| told(failure, made))?;
        room = back;
        match found {
            (Read::New(tags, samples), envelope) if !made => {
                // Nothing is made for what would be refused.
                let batch = batch(visit, samples, envelope);
                visit.state().historian.check_append(&batch)?;
                drop(batch);
                create::create(visit, tags).await?;
            }
            (Read::New(..), _) => break,
            (Read::Samples(samples), envelope) => {
                drop(bytes);
                let stored = append(visit, samples, envelope, room).await;
                return stored.map_err(|failure| told(failure, made));
            }
        }
    }
    Err(Failure::unavailable(
        "Tags of these series are changed at this moment; nothing was stored.",
    ))
}

/// A failure that also says that tags were made, where they were.
fn told(mut failure: Failure, made: bool) -> Failure {
    if made {
        failure.problem.detail.push_str(" Tags of its new series were made.");
    }
    failure
}

fn batch(visit: &Visit, samples: Samples, envelope: Envelope) -> Batch {
    let Envelope { producer, backfill } = envelope;
    Batch { tenant: visit.tenant(), producer, backfill, arrival: visit.now(), samples }
}

async fn append(
    visit: &Visit,
    samples: Samples,
    envelope: Envelope,
    room: Room,
) -> Result<usize, Failure> {
    if samples.is_empty() {
        return Ok(0);
    }
    let appended = visit.state().historian.append(batch(visit, samples, envelope)).await?;
    drop(room);
    Ok(appended.accepted)
}

/// Does work on the spot, or where it holds up nobody.
async fn off<T: Send + 'static>(
    inline: bool,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    if inline {
        return work();
    }
    blocking("read samples", work).await?
}

fn read(
    format: Format,
    bytes: &[u8],
    held: usize,
    visit: &Visit,
    envelope: Envelope,
    create: bool,
    room: &mut Room,
) -> Result<(Read, Envelope), Failure> {
    let protocol = match format {
        Format::Json => {
            let (samples, envelope) = super::read_json(bytes, visit.now(), &envelope, visit)?;
            room.grow_to(held + samples.bytes())?;
            return Ok((Read::Samples(samples), envelope));
        }
        Format::Csv => {
            let samples = super::read_csv(bytes, visit.now(), visit)?;
            room.grow_to(held + samples.bytes())?;
            return Ok((Read::Samples(samples), envelope));
        }
        Format::Line(precision) => Protocol::Line(precision),
        Format::RemoteWrite(version) => Protocol::RemoteWrite(version),
    };
    let mut grow = |samples_bytes| room.grow_to(held + samples_bytes);
    Ok((series::read(protocol, bytes, visit, create, &mut grow)?, envelope))
}

/// Reads a body of at most so many bytes as it comes; room is taken before its bytes are.
async fn collect(
    body: Body,
    expected: usize,
    bytes_max: usize,
    room: &mut Room,
) -> Result<Bytes, Failure> {
    room.grow_to(expected)?;
    let mut out = Vec::with_capacity(expected);
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| {
            let detail = "The body ended before it was complete.";
            Failure::new(ProblemCode::InvalidRequest, detail)
        })?;
        let needed = out.len() + part.len();
        if needed > bytes_max {
            let detail = format!("The body is larger than {bytes_max} bytes.");
            return Err(Failure::new(ProblemCode::TooLarge, detail));
        }
        if needed > out.capacity() {
            // Doubling keeps copies few.
            let target = (out.capacity() * 2).clamp(needed, bytes_max);
            room.grow_to(target)?;
            out.reserve_exact(target - out.len());
        }
        out.extend_from_slice(&part);
    }
    Ok(out.into())
}
