//! Messages that are larger than a datagram (RFC 3652, 2.2.1, and 2.3): cut into pieces of 492
//! bytes, and put together again.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

use crate::envelope::ENVELOPE_BYTES;
use crate::{Envelope, Error, MESSAGE_BYTES_MAX};

/// Largest datagram.
pub const DATAGRAM_BYTES: usize = 512;
/// Bytes of a message in one datagram.
pub const FRAGMENT_BYTES: usize = DATAGRAM_BYTES - ENVELOPE_BYTES;
/// Milliseconds for which a message waits for its other fragments, as the reference server does.
pub const REASSEMBLY_MS_MAX: u64 = 5_000;

/// The datagrams of an encoded message, each as its envelope and its piece: one if it fits.
///
/// # Errors
/// As [`Envelope::decode`]; [`Error::Short`] if the message is shorter than its envelope says.
pub fn fragments(message: &[u8]) -> Result<Fragments<'_>, Error> {
    let envelope = Envelope::decode(message)?;
    let payload = &message[ENVELOPE_BYTES..];
    let want = envelope.length as usize;
    let payload = payload.get(..want).ok_or(Error::Short {
        field: "a message",
        want,
        have: payload.len(),
    })?;
    Ok(Fragments { envelope, payload, next: Some(0) })
}

/// What [`fragments`] gives.
#[derive(Debug, Clone)]
pub struct Fragments<'a> {
    envelope: Envelope,
    payload: &'a [u8],
    next: Option<usize>,
}

impl<'a> Iterator for Fragments<'a> {
    type Item = ([u8; ENVELOPE_BYTES], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let sequence = self.next?;
        let from = sequence * FRAGMENT_BYTES;
        let until = self.payload.len().min(from + FRAGMENT_BYTES);
        self.next = (until < self.payload.len()).then_some(sequence + 1);
        let truncated = self.payload.len() > FRAGMENT_BYTES;
        let envelope = Envelope { truncated, sequence: sequence as u32, ..self.envelope };
        Some((envelope.to_bytes(), &self.payload[from..until]))
    }
}

/// What fragments of others may occupy here.
#[derive(Debug, Clone, Copy)]
pub struct ReassemblyBounds {
    /// Messages that wait at a time; the oldest goes when another begins.
    pub messages_max: usize,
    /// Bytes that wait at a time, of all messages; the oldest go.
    pub bytes_max: usize,
}

impl Default for ReassemblyBounds {
    /// 256 messages, and 4 MiB: sixteen of the largest, since anyone can make us hold this.
    fn default() -> Self {
        Self { messages_max: 256, bytes_max: 4 << 20 }
    }
}

/// Collects fragments by sender and request id, in any order; duplicates do no harm. It holds no
/// more than what arrived: a fragment of a large message reserves nothing for the others.
#[derive(Debug)]
pub struct Reassembly<S> {
    bounds: ReassemblyBounds,
    waiting: HashMap<(S, u32), Waiting>,
    /// Oldest first; those that were completed stand here until their turn comes.
    order: VecDeque<((S, u32), u64)>,
    bytes: usize,
    begun: u64,
}

#[derive(Debug)]
struct Waiting {
    envelope: Envelope,
    pieces: BTreeMap<u32, Box<[u8]>>,
    bytes: usize,
    since_ms: u64,
    number: u64,
}

impl<S: Clone + Eq + Hash> Reassembly<S> {
    /// An empty one.
    #[must_use]
    pub fn new(bounds: ReassemblyBounds) -> Self {
        Self { bounds, waiting: HashMap::new(), order: VecDeque::new(), bytes: 0, begun: 0 }
    }

    /// Takes a datagram with the truncated bit. Gives the whole message with an envelope in front
    /// once its last piece is there; `now_ms` is any clock that does not run back. A message of one
    /// piece is whole at once, as the reference server marks its answers to fragmented requests.
    ///
    /// # Errors
    /// [`Error::Fragment`] if the piece cannot be of its message; the others keep waiting.
    pub fn accept(
        &mut self,
        sender: S,
        datagram: &[u8],
        now_ms: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let envelope = Envelope::decode(datagram)?;
        let piece = piece(&envelope, &datagram[ENVELOPE_BYTES..])?;
        if envelope.length as usize <= FRAGMENT_BYTES {
            return Ok(Some(whole(envelope, std::iter::once(piece))));
        }
        self.expire(now_ms);
        let key = (sender, envelope.request_id);
        if !self.waiting.contains_key(&key) {
            self.begin(key.clone(), envelope, now_ms);
        }
        let Some(waiting) = self.waiting.get_mut(&key) else { return Ok(None) };
        let first = &waiting.envelope;
        if (first.length, first.session_id) != (envelope.length, envelope.session_id) {
            return Err(Error::Fragment { why: "it is of another message with the same number" });
        }
        if let Entry::Vacant(place) = waiting.pieces.entry(envelope.sequence) {
            place.insert(piece.into());
            waiting.bytes += piece.len();
            self.bytes += piece.len();
        }
        if waiting.bytes == envelope.length as usize {
            return Ok(self.forget(&key).map(|waiting| {
                whole(waiting.envelope, waiting.pieces.values().map(|piece| &**piece))
            }));
        }
        while self.bytes > self.bounds.bytes_max && self.forget_oldest() {}
        Ok(None)
    }

    /// Messages that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that wait.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets what waits for longer than [`REASSEMBLY_MS_MAX`].
    pub fn expire(&mut self, now_ms: u64) {
        while let Some((key, number)) = self.order.front() {
            let old = self.waiting.get(key).filter(|waiting| waiting.number == *number);
            match old {
                Some(waiting) if now_ms.saturating_sub(waiting.since_ms) <= REASSEMBLY_MS_MAX => {
                    break;
                }
                _ => {
                    self.forget_oldest();
                }
            }
        }
    }

    fn begin(&mut self, key: (S, u32), envelope: Envelope, now_ms: u64) {
        while self.waiting.len() >= self.bounds.messages_max.max(1) && self.forget_oldest() {}
        // Places of completed messages do not gather: the queue stays within twice the bound.
        if self.order.len() >= 2 * self.bounds.messages_max.max(1) {
            let waiting = &self.waiting;
            self.order.retain(|(key, number)| {
                waiting.get(key).is_some_and(|waiting| waiting.number == *number)
            });
        }
        self.begun += 1;
        self.order.push_back((key.clone(), self.begun));
        let (pieces, number) = (BTreeMap::new(), self.begun);
        let since_ms = now_ms;
        self.waiting.insert(key, Waiting { envelope, pieces, bytes: 0, since_ms, number });
    }

    fn forget_oldest(&mut self) -> bool {
        let Some((key, number)) = self.order.pop_front() else { return false };
        if self.waiting.get(&key).is_some_and(|waiting| waiting.number == number) {
            self.forget(&key);
        }
        true
    }

    fn forget(&mut self, key: &(S, u32)) -> Option<Waiting> {
        let waiting = self.waiting.remove(key)?;
        self.bytes -= waiting.bytes;
        Some(waiting)
    }
}

/// The piece of a datagram, which must be as long as its place in the message wants; what is
/// beyond 512 bytes is ignored.
fn piece<'a>(envelope: &Envelope, payload: &'a [u8]) -> Result<&'a [u8], Error> {
    let length = envelope.length as usize;
    let sequence = envelope.sequence as usize;
    if sequence > MESSAGE_BYTES_MAX as usize / FRAGMENT_BYTES {
        return Err(Error::Fragment { why: "its number is above those of the largest message" });
    }
    let want = length.saturating_sub(sequence * FRAGMENT_BYTES).min(FRAGMENT_BYTES);
    match payload.get(..want) {
        Some(piece) if want > 0 => Ok(piece),
        Some(_) => Err(Error::Fragment { why: "it begins behind the end of its message" }),
        None => Err(Error::Fragment { why: "it is shorter than its place" }),
    }
}

fn whole<'a>(first: Envelope, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut message = Vec::with_capacity(ENVELOPE_BYTES + first.length as usize);
    Envelope { truncated: false, sequence: 0, ..first }.encode(&mut message);
    pieces.for_each(|piece| message.extend_from_slice(piece));
    message
}

#[cfg(test)]
mod tests;
