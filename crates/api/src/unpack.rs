//! Content encodings of large bodies, unpacked under a cap.

use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::Arc;

use http::{HeaderMap, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use weir_model::ProblemCode;

use crate::failure::Failure;
use crate::state::INGEST_PERMIT_BYTES;

/// Largest window of zstd that is accepted: 2^23 bytes, what RFC 9659 asks every receiver to take.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
    /// A block of Snappy, as remote write packs its messages; no content encoding of other routes.
    Snappy,
}

impl Encoding {
    /// The encoding of a request's body; one at most.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let (first, second) = (values.next(), values.next());
        let text = first.map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
        match (text.as_deref(), second) {
            (None | Some("" | "identity"), None) => Ok(Self::Identity),
            (Some("gzip" | "x-gzip"), None) => Ok(Self::Gzip),
            (Some("zstd"), None) => Ok(Self::Zstd),
            _ => {
                let detail = "A body is sent plain, or with one content encoding: gzip or zstd.";
                Err(Failure::new(ProblemCode::UnsupportedMediaType, detail))
            }
        }
    }
}

/// Memory for unpacked bodies, taken from a bound that all requests share and given back on drop.
/// Whoever cannot get more is refused at once: requests that wait for memory while they hold some
/// would wait for one another.
pub(crate) struct Room {
    shared: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(shared: Arc<Semaphore>) -> Self {
        Self { shared, held: None, bytes: 0 }
    }

    /// Makes sure of room for so many bytes in all.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Failure> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let permits = (bytes - self.bytes).div_ceil(INGEST_PERMIT_BYTES);
        let count = u32::try_from(permits).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.shared).try_acquire_many_owned(count) else {
            return Err(Failure::unavailable("Too much is being received; nothing was stored."));
        };
        self.bytes += permits * INGEST_PERMIT_BYTES;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

/// Unpacks a body of at most `bytes_max` unpacked bytes.
pub(crate) fn unpack<'b>(
    encoding: Encoding,
    packed: &'b [u8],
    bytes_max: usize,
    room: &mut Room,
) -> Result<Cow<'b, [u8]>, Failure> {
    room.grow_to(packed.len())?;
    match encoding {
        Encoding::Identity if packed.len() > bytes_max => Err(too_large(bytes_max)),
        Encoding::Identity => Ok(Cow::Borrowed(packed)),
        Encoding::Gzip => {
            let reader = flate2::bufread::MultiGzDecoder::new(packed);
            read_capped(reader, packed.len(), bytes_max, room).map(Cow::Owned)
        }
        Encoding::Zstd => {
            let mut reader = zstd::stream::read::Decoder::with_buffer(packed).map_err(damaged)?;
            reader.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(damaged)?;
            read_capped(reader, packed.len(), bytes_max, room).map(Cow::Owned)
        }
        Encoding::Snappy => unpack_snappy(packed, bytes_max, room).map(Cow::Owned),
    }
}

/// A block says how large it is before it is unpacked.
fn unpack_snappy(packed: &[u8], bytes_max: usize, room: &mut Room) -> Result<Vec<u8>, Failure> {
    let broken = |error: snap::Error| damaged(io::Error::other(error));
    let bytes = snap::raw::decompress_len(packed).map_err(broken)?;
    if bytes > bytes_max {
        return Err(too_large(bytes_max));
    }
    room.grow_to(packed.len() + bytes)?;
    snap::raw::Decoder::new().decompress_vec(packed).map_err(broken)
}

fn read_capped(
    mut reader: impl Read,
    packed: usize,
    bytes_max: usize,
    room: &mut Room,
) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    let mut chunk = vec![0; INGEST_PERMIT_BYTES];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(out),
            Ok(read) if out.len() + read > bytes_max => return Err(too_large(bytes_max)),
            Ok(read) => {
                if out.len() + read > out.capacity() {
                    // Doubling keeps copies few; the room is asked for before it is used.
                    let target = (out.capacity() * 2).clamp(out.len() + read, bytes_max);
                    room.grow_to(packed + target)?;
                    out.reserve_exact(target - out.len());
                }
                out.extend_from_slice(&chunk[..read]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(damaged(error)),
        }
    }
}

fn too_large(bytes_max: usize) -> Failure {
    let detail =
        format!("The body is larger than {bytes_max} bytes once unpacked; send it in parts.");
    Failure::new(ProblemCode::TooLarge, detail)
}

fn damaged(error: io::Error) -> Failure {
    let detail = format!("The body cannot be unpacked: {error}.");
    Failure::new(ProblemCode::InvalidRequest, detail)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn room(bytes: usize) -> Room {
        Room::new(Arc::new(Semaphore::new(bytes / INGEST_PERMIT_BYTES)))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn snappy(bytes: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(bytes).unwrap()
    }

    #[test]
    fn packed_bodies_come_back() {
        let text = b"tag,value\n".repeat(50_000);
        for (encoding, packed) in [
            (Encoding::Identity, text.clone()),
            (Encoding::Gzip, gzip(&text)),
            (Encoding::Zstd, zstd::encode_all(text.as_slice(), 3).unwrap()),
            (Encoding::Snappy, snappy(&text)),
        ] {
            let unpacked = unpack(encoding, &packed, 1 << 20, &mut room(4 << 20)).unwrap();
            assert_eq!(unpacked.as_ref(), text, "{encoding:?}");
        }
    }

    #[test]
    fn a_bomb_is_cut_at_the_cap() {
        let bomb = vec![0; 32 << 20];
        for (encoding, packed) in [
            (Encoding::Gzip, gzip(&bomb)),
            (Encoding::Zstd, zstd::encode_all(bomb.as_slice(), 3).unwrap()),
            (Encoding::Snappy, snappy(&bomb)),
        ] {
            assert!(packed.len() < 2 << 20);
            let failure = unpack(encoding, &packed, 1 << 20, &mut room(64 << 20)).unwrap_err();
            assert_eq!(failure.problem.status, 413);
            let failure = unpack(encoding, &packed, 64 << 20, &mut room(2 << 20)).unwrap_err();
            assert_eq!(failure.problem.status, 503);
        }
    }

    #[test]
    fn damaged_bodies_are_refused() {
        let packed = gzip(&b"tag,value\n".repeat(50_000));
        let torn = &packed[..packed.len() / 2];
        for (encoding, bytes) in [
            (Encoding::Gzip, torn),
            (Encoding::Zstd, b"nothing".as_slice()),
            (Encoding::Snappy, b"\x20nothing"),
            (Encoding::Snappy, b""),
        ] {
            let failure = unpack(encoding, bytes, 1 << 20, &mut room(4 << 20)).unwrap_err();
            assert_eq!(failure.problem.status, 400);
        }
    }
}
