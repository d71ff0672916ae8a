//! What waits for a client: messages in their order, and those that were sent and not acknowledged.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::message::{Message, Qos};
use crate::options::Limits;
use crate::signal::{Signal, WAKE_ROOM};

/// Between two looks of a full queue for messages that have expired: each is a walk over all of it.
const LOOK_MS: i64 = 1000;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Queued>,
    /// What is in the queue, and what of it is of QoS 0.
    all: Load,
    unkept: Load,
    /// Messages in the queue that expire some day, and when it was last looked which have.
    expiring: usize,
    looked_ms: i64,
    inflight: HashMap<u16, Inflight>,
    inflight_bytes: usize,
    pub(super) sequence_last: u64,
    /// Since when publishers are held for this session.
    pub(super) long_since: Option<Instant>,
    /// It was too slow, or has come back to a long queue: nobody is held for it until its queue is
    /// short.
    pub(super) behind: bool,
    /// Publishers that stopped reading until the queue is shorter.
    blocked: Vec<Weak<Signal>>,
    /// A message was dropped, and the log says so.
    pub(super) warned: bool,
}

/// Messages and their bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Load {
    messages: usize,
    bytes: usize,
}

impl Load {
    fn add(&mut self, queued: &Queued) {
        self.messages += 1;
        self.bytes += queued.message.weight();
    }

    fn sub(&mut self, queued: &Queued) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(queued.message.weight());
    }
}

/// A message that waits.
#[derive(Debug)]
pub(crate) struct Queued {
    /// 0 for QoS 0.
    pub(super) sequence: u64,
    /// Where it stands in the journal; 0 when it has not to be awaited there.
    pub(super) position: u64,
    pub(crate) message: Arc<Message>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    /// It was sent over an earlier connection: then it does not expire any more (MQTT 5,
    /// 3.3.2.3.3). The client may have its identifier, and waits for the rest.
    pub(super) started: bool,
    pub(crate) identifiers: Option<Arc<[u32]>>,
}

impl Queued {
    pub(crate) fn is_expired(&self, now_ms: i64) -> bool {
        !self.started && self.message.is_expired(now_ms)
    }
}

/// A message that was sent and not acknowledged; none: only PUBCOMP is missing.
#[derive(Debug)]
pub(super) struct Inflight {
    pub(super) sequence: u64,
    pub(super) queued: Option<Queued>,
}

/// The packet identifier of a message follows from its place in the session's order, so that it is
/// the same after a crash, without having been written down.
pub(crate) fn packet_id(sequence: u64) -> u16 {
    u16::try_from(sequence.wrapping_sub(1) % 65_535 + 1).unwrap_or(1)
}

impl Outbox {
    pub(super) fn push_back(&mut self, queued: Queued) {
        self.entered(&queued);
        self.queue.push_back(queued);
    }

    fn push_front(&mut self, queued: Queued) {
        self.entered(&queued);
        self.queue.push_front(queued);
    }

    pub(super) fn front(&self) -> Option<&Queued> {
        self.queue.front()
    }

    pub(super) fn pop_front(&mut self) -> Option<Queued> {
        let queued = self.queue.pop_front()?;
        self.left(&queued);
        if self.queue.is_empty() && self.queue.capacity() > 64 {
            self.queue = VecDeque::new(); // idle sessions are to be small
        }
        Some(queued)
    }

    fn entered(&mut self, queued: &Queued) {
        self.all.add(queued);
        if queued.sequence == 0 {
            self.unkept.add(queued);
        }
        self.expiring += usize::from(queued.message.expires_ms.is_some());
    }

    fn left(&mut self, queued: &Queued) {
        self.all.sub(queued);
        if queued.sequence == 0 {
            self.unkept.sub(queued);
        }
        self.expiring -= usize::from(queued.message.expires_ms.is_some());
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn inflight(&self) -> usize {
        self.inflight.len()
    }

    /// Whether the client may get one more: it has acknowledged enough, in number and in bytes, and
    /// the identifier is free. That is so again after 65,535 messages; a client that left one open so
    /// long gets no more until it has answered.
    pub(super) fn may_send(&self, packet_id: u16, inflight_max: usize, limits: &Limits) -> bool {
        self.inflight.len() < inflight_max
            && self.inflight_bytes < limits.queue_bytes_max
            && !self.inflight.contains_key(&packet_id)
    }

    pub(super) fn sent(&mut self, packet_id: u16, queued: Queued) {
        self.inflight_bytes += queued.message.weight();
        let inflight = Inflight { sequence: queued.sequence, queued: Some(queued) };
        self.inflight.insert(packet_id, inflight);
    }

    /// A message that was sent is done; none when it was not in flight.
    pub(super) fn done(&mut self, packet_id: u16) -> Option<Inflight> {
        let done = self.inflight.remove(&packet_id)?;
        let bytes = done.queued.as_ref().map_or(0, |queued| queued.message.weight());
        self.inflight_bytes = self.inflight_bytes.saturating_sub(bytes);
        if self.inflight.is_empty() && self.inflight.capacity() > 64 {
            self.inflight = HashMap::new();
        }
        Some(done)
    }

    /// PUBREC: only PUBREL and PUBCOMP remain. The sequence, and whether that is new; none when the
    /// message was not in flight.
    pub(super) fn released(&mut self, packet_id: u16) -> Option<(u64, bool)> {
        let inflight = self.inflight.get_mut(&packet_id)?;
        let queued = inflight.queued.take();
        let bytes = queued.as_ref().map_or(0, |queued| queued.message.weight());
        self.inflight_bytes = self.inflight_bytes.saturating_sub(bytes);
        Some((inflight.sequence, queued.is_some()))
    }

    pub(super) fn restore_released(&mut self, sequence: u64) {
        self.inflight.insert(packet_id(sequence), Inflight { sequence, queued: None });
    }

    /// Puts back at the front what was sent and not acknowledged, in its order and marked as sent
    /// before. Returns the identifiers that PUBREL is sent for.
    pub(super) fn resume(&mut self) -> Vec<u16> {
        let mut inflight: Vec<Inflight> = self.inflight.drain().map(|(_, i)| i).collect();
        self.inflight_bytes = 0;
        inflight.sort_unstable_by_key(|i| i.sequence);
        let mut released = Vec::new();
        for one in inflight.into_iter().rev() {
            match one.queued {
                Some(queued) => self.push_front(Queued { dup: true, started: true, ..queued }),
                None => {
                    released.push(packet_id(one.sequence));
                    self.restore_released(one.sequence);
                }
            }
        }
        released.reverse();
        released
    }

    /// Removes what `goes` says, and says how many.
    pub(super) fn remove(&mut self, mut goes: impl FnMut(&Queued) -> bool) -> u64 {
        let mut queue = std::mem::take(&mut self.queue);
        let before = queue.len();
        queue.retain(|queued| {
            let goes = goes(queued);
            if goes {
                self.left(queued);
            }
            !goes
        });
        let removed = before - queue.len();
        self.queue = if queue.is_empty() { VecDeque::new() } else { queue };
        removed as u64
    }

    /// Removes what has expired; each is shown to `each`.
    pub(super) fn expire(&mut self, now_ms: i64, mut each: impl FnMut(&Queued)) -> u64 {
        if self.expiring == 0 {
            return 0;
        }
        self.looked_ms = now_ms;
        self.remove(|queued| {
            let expired = queued.is_expired(now_ms);
            if expired {
                each(queued);
            }
            expired
        })
    }

    /// Makes room in a full queue: what has expired goes, then the oldest messages of QoS 0, an
    /// eighth of them at a time, because each time is a walk over the whole queue.
    pub(super) fn make_room(
        &mut self,
        limits: &Limits,
        now_ms: i64,
        expired: impl FnMut(&Queued),
    ) -> u64 {
        let mut removed = 0;
        if (now_ms - self.looked_ms).abs() >= LOOK_MS {
            removed += self.expire(now_ms, expired);
        }
        while self.is_full(limits) && self.unkept.messages > 0 {
            let mut some = self.unkept.messages.div_ceil(8);
            removed += self.remove(|queued| {
                let goes = queued.sequence == 0 && some > 0;
                some -= usize::from(goes);
                goes
            });
        }
        removed
    }

    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        self.all.messages >= limits.queue_messages_max || self.all.bytes >= limits.queue_bytes_max
    }

    /// Messages of QoS above 0, for which publishers are held.
    fn kept(&self) -> Load {
        Load {
            messages: self.all.messages.saturating_sub(self.unkept.messages),
            bytes: self.all.bytes.saturating_sub(self.unkept.bytes),
        }
    }

    /// Half of the bound: publishers should wait before they send more.
    pub(super) fn is_long(&self, limits: &Limits) -> bool {
        let kept = self.kept();
        kept.messages >= limits.queue_messages_max / 2 || kept.bytes >= limits.queue_bytes_max / 2
    }

    /// A quarter of it: they may go on.
    pub(super) fn is_short(&self, limits: &Limits) -> bool {
        let kept = self.kept();
        kept.messages <= limits.queue_messages_max / 4 && kept.bytes <= limits.queue_bytes_max / 4
    }

    /// Forgets that it was long or slow, once it is short.
    pub(super) fn calm(&mut self, limits: &Limits) {
        let troubled = self.long_since.is_some() || self.behind || self.warned;
        if (troubled || !self.blocked.is_empty()) && self.is_short(limits) {
            self.behind = false;
            self.warned = false;
            self.relax();
        }
    }

    /// Holds nobody any more.
    pub(super) fn relax(&mut self) {
        self.long_since = None;
        self.unblock();
    }

    pub(super) fn block(&mut self, publisher: &Arc<Signal>) {
        self.blocked.push(Arc::downgrade(publisher));
    }

    pub(super) fn unblock(&mut self) {
        for connection in self.blocked.drain(..).filter_map(|c| c.upgrade()) {
            connection.wake(WAKE_ROOM);
        }
    }
}
