//! Datagrams that go out together: many to one peer as one that the system cuts (UDP segmentation,
//! Linux 4.18 and later), the others many a call.

use std::cmp::Reverse;
use std::io::IoSlice;
use std::ops::Range;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, sendmmsg, sendmsg};
use weir_handle::{DATAGRAM_BYTES, FRAGMENT_BYTES, fragments};

use super::udp::{ANSWER_DATAGRAMS_MAX, BATCH, Peer};

/// Fewest datagrams that are worth a call of their own.
const SEGMENTS_MIN: usize = 4;

/// Most datagrams of one call: the system's bound.
const SEGMENTS_MAX: usize = 64;

/// Datagrams that go out together.
pub(super) struct Outgoing<P> {
    bytes: Vec<u8>,
    /// Where each ends, and whom it goes to.
    ends: Vec<usize>,
    to: Vec<Option<P>>,
    /// In what order they are sent.
    order: Vec<usize>,
    headers: MultiHeaders<P>,
    /// Whether the system cuts for us; not every network device lets it.
    cuts: bool,
}

impl<P: Peer> Outgoing<P> {
    pub(super) fn new() -> Self {
        let headers = MultiHeaders::preallocate(BATCH, None);
        let (bytes, ends, to, order) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { bytes, ends, to, order, headers, cuts: true }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.to.clear();
    }

    /// Adds a message, in as many datagrams as it takes.
    pub(super) fn add(&mut self, message: &[u8], to: P) {
        if message.len() <= DATAGRAM_BYTES {
            self.push(message, &[], to);
            return;
        }
        if message.len() > ANSWER_DATAGRAMS_MAX * FRAGMENT_BYTES {
            return;
        }
        if let Ok(pieces) = fragments(message) {
            for (head, piece) in pieces {
                self.push(&head, piece, to);
            }
        }
    }

    fn push(&mut self, head: &[u8], piece: &[u8], to: P) {
        self.bytes.extend_from_slice(head);
        self.bytes.extend_from_slice(piece);
        self.ends.push(self.bytes.len());
        self.to.push(Some(to));
    }

    /// Sends them. One that cannot be sent is left out, as datagrams may be lost.
    pub(super) fn send(&mut self, fd: i32) {
        self.arrange();
        let (mut single, mut at) = (0, 0);
        while at < self.order.len() {
            let run = at..self.run(at);
            at = run.end;
            if !self.cuts || run.len() < SEGMENTS_MIN {
                continue;
            }
            self.send_singly(fd, single..run.start);
            single = run.start;
            match self.send_cut(fd, run.clone()) {
                Err(Errno::EIO | Errno::EINVAL | Errno::ENOPROTOOPT | Errno::EOPNOTSUPP) => {
                    self.cuts = false;
                }
                _ => single = run.end,
            }
        }
        self.send_singly(fd, single..self.order.len());
    }

    /// Puts them in order: as they were added where these are long runs already, or else by peer
    /// and length. Datagrams overtake each other anyway.
    fn arrange(&mut self) {
        let count = self.ends.len();
        self.order.clear();
        self.order.extend(0..count);
        if !self.cuts || count < SEGMENTS_MIN {
            return;
        }
        let (mut runs, mut at) = (0, 0);
        while at < count {
            at = self.run(at);
            runs += 1;
        }
        if runs * SEGMENTS_MIN <= count {
            return;
        }
        let Self { ends, to, order, .. } = self;
        order.sort_by_cached_key(|at| {
            let address = to[*at].map(Peer::address);
            (address, Reverse(ends[*at] - start(ends, *at)))
        });
    }

    /// Bytes of the datagram in a place of the order.
    fn bytes(&self, place: usize) -> usize {
        let at = self.order[place];
        self.ends[at] - start(&self.ends, at)
    }

    /// Whom it goes to.
    fn to(&self, place: usize) -> Option<P> {
        self.to[self.order[place]]
    }

    /// Where the datagrams end that are of one length, to one peer; the last may be shorter.
    fn run(&self, from: usize) -> usize {
        let (length, to) = (self.bytes(from), self.to(from));
        let most = self.order.len().min(from + SEGMENTS_MAX);
        for place in from + 1..most {
            match self.bytes(place) {
                _ if self.to(place) != to => return place,
                same if same == length => {}
                less if less < length => return place + 1,
                _ => return place,
            }
        }
        most
    }

    /// Sends a run as one datagram that the system cuts.
    fn send_cut(&self, fd: i32, run: Range<usize>) -> Result<usize, Errno> {
        // Datagrams are of 512 bytes at most.
        let length = self.bytes(run.start) as u16;
        let mut pieces: Vec<Range<usize>> = Vec::with_capacity(run.len());
        for at in &self.order[run.clone()] {
            let piece = start(&self.ends, *at)..self.ends[*at];
            match pieces.last_mut() {
                // What lies behind one another is told as one.
                Some(last) if last.end == piece.start => last.end = piece.end,
                _ => pieces.push(piece),
            }
        }
        let whole: Vec<_> =
            pieces.into_iter().map(|piece| IoSlice::new(&self.bytes[piece])).collect();
        let cut = [ControlMessage::UdpGsoSegments(&length)];
        sendmsg(fd, &whole, &cut, MsgFlags::empty(), self.to(run.start).as_ref())
    }

    fn send_singly(&mut self, fd: i32, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let Self { bytes, ends, to, headers, order, .. } = self;
        let order = &order[range];
        let piece = |at: &usize| [IoSlice::new(&bytes[start(ends, *at)..ends[*at]])];
        let slices: Vec<[IoSlice<'_>; 1]> = order.iter().map(piece).collect();
        let to: Vec<Option<P>> = order.iter().map(|at| to[*at]).collect();
        let mut at = 0;
        while at < slices.len() {
            let until = slices.len().min(at + BATCH);
            let (some, to) = (&slices[at..until], &to[at..until]);
            let sent = sendmmsg(fd, headers, some.iter(), to, [], MsgFlags::empty());
            at += sent.map_or(1, |sent| sent.count().max(1));
        }
    }
}

/// Where a datagram begins.
fn start(ends: &[usize], at: usize) -> usize {
    at.checked_sub(1).map_or(0, |before| ends[before])
}

#[cfg(test)]
mod tests;
