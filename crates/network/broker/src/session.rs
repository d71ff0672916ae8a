//! A session: what the broker remembers of a client, connected or not.
//!
//! Everything that changes is behind one lock, which is held for short pieces of work: the publisher
//! puts a message in, the client's connection takes messages out. A connection acts on the session
//! only while its epoch is the session's, so that one that was taken over does nothing more.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use crate::acks::Acks;
use crate::journal::Journal;
use crate::journal::record::{Entry, SessionId, SessionRecord, SubscriptionOptions};
use crate::message::{Message, Qos};
use crate::options::Limits;
use crate::signal::{Signal, WAKE_OUTBOX, WAKE_ROOM};
use crate::status::ClientInfo;
use crate::timers::TimerKey;
use crate::wire::Will;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) tenant: u32,
    pub(crate) client_id: Arc<str>,
    /// The principal it belongs to.
    pub(crate) owner: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Counts connections.
    pub(crate) epoch: u64,
    pub(crate) connection: Option<Attached>,
    /// It is in the journal.
    pub(crate) durable: bool,
    pub(crate) ended: bool,
    pub(crate) expiry_seconds: u32,
    pub(crate) subscriptions: HashMap<Arc<str>, SubscriptionOptions>,
    /// Identifiers of QoS 2 messages from the client, until their PUBREL.
    pub(crate) received: HashMap<u16, Received>,
    /// The will, while connected or while its delay runs.
    pub(crate) will: Option<Will>,
    /// When the delayed will is published.
    pub(crate) will_due: Option<Instant>,
    /// When the session that has no connection ends.
    pub(crate) expires: Option<Instant>,
    pub(crate) timer: Option<TimerKey>,
    outbox: Outbox,
}

/// The connection that a session has.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) signal: Arc<Signal>,
    pub(crate) info: Arc<ClientInfo>,
}

/// A QoS 2 message from the client.
#[derive(Debug)]
pub(crate) enum Received {
    /// Receipts are awaited, at this place of this connection's acknowledgements.
    Waiting(Arc<Acks>, u64),
    Stored,
}

#[derive(Debug, Default)]
struct Outbox {
    queue: VecDeque<Queued>,
    bytes: usize,
    inflight: HashMap<u16, Inflight>,
    sequence_last: u64,
    /// Messages that left the queue: whether anything moves.
    taken: u64,
    /// Nothing moved for too long: publishers do not wait for it any more.
    stuck: bool,
    /// Publishers that stopped reading until the queue is shorter.
    blocked: Vec<Weak<Signal>>,
    /// A message was dropped, and the log says so.
    warned: bool,
}

/// A message that waits.
#[derive(Debug)]
pub(crate) struct Queued {
    /// 0 for QoS 0.
    sequence: u64,
    pub(crate) message: Arc<Message>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) identifiers: Option<Arc<[u32]>>,
}

/// A message that was sent and not acknowledged; none: only PUBCOMP is missing.
#[derive(Debug)]
struct Inflight {
    sequence: u64,
    queued: Option<Queued>,
}

/// How a message goes to one session.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) identifiers: Option<Arc<[u32]>>,
    /// Retained messages at subscribing are not bounded by the queue, since they are already held.
    pub(crate) unbounded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivered {
    Queued {
        journaled: bool,
        /// The publisher should not send more for now.
        crowded: bool,
    },
    /// The queue is full.
    Dropped,
    /// QoS 0 for a client that is not connected, or the session is over.
    Ignored,
}

/// What the connection did with a message that it was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Written,
    /// Too large for the client, or expired: it is forgotten.
    Discarded,
}

/// The packet identifier of a message follows from its place in the session's order, so that it is
/// the same after a crash, without having been written down.
pub(crate) fn packet_id(sequence: u64) -> u16 {
    u16::try_from(sequence.wrapping_sub(1) % 65_535 + 1).unwrap_or(1)
}

impl Session {
    pub(crate) fn new(id: SessionId, tenant: u32, client_id: Arc<str>, owner: Arc<str>) -> Self {
        Self { id, tenant, client_id, owner, state: Mutex::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a shared subscription should choose it: it is connected and its queue is not long.
    pub(crate) fn has_room(&self) -> bool {
        const SHORT: usize = 1000;
        let state = self.state();
        state.connection.is_some() && state.outbox.queue.len() < SHORT
    }

    /// Puts a message into the queue and wakes the connection.
    pub(crate) fn deliver(
        &self,
        journal: &Journal,
        limits: &Limits,
        message: &Arc<Message>,
        delivery: Delivery,
    ) -> Delivered {
        let mut state = self.state();
        let offline = state.connection.is_none();
        if state.ended || (offline && delivery.qos == Qos::AtMostOnce) {
            return Delivered::Ignored;
        }
        let outbox = &mut state.outbox;
        if outbox.is_full(limits) && !delivery.unbounded {
            if !std::mem::replace(&mut outbox.warned, true) {
                tracing::warn!(
                    tenant = self.tenant,
                    client = %self.client_id,
                    offline,
                    "the queue of an MQTT session is full; messages for it are dropped"
                );
            }
            return Delivered::Dropped;
        }
        let sequence = if delivery.qos > Qos::AtMostOnce {
            outbox.sequence_last += 1;
            outbox.sequence_last
        } else {
            0
        };
        outbox.bytes += message.weight();
        let journaled = sequence != 0 && state.durable;
        if journaled {
            journal.append(&Entry::Queued {
                session: self.id,
                sequence,
                qos: delivery.qos,
                retain: delivery.retain,
                identifiers: delivery.identifiers.as_deref().unwrap_or_default(),
                message,
            });
        }
        state.outbox.queue.push_back(Queued {
            sequence,
            message: Arc::clone(message),
            qos: delivery.qos,
            retain: delivery.retain,
            dup: false,
            identifiers: delivery.identifiers,
        });
        if let Some(connection) = &state.connection {
            connection.signal.wake(WAKE_OUTBOX);
        }
        let crowded = journaled && !offline && state.outbox.is_crowded(limits);
        Delivered::Queued { journaled, crowded }
    }

    /// Whether publishers have to wait for this session: it is kept, connected, and its queue is long.
    pub(crate) fn is_crowded(&self, limits: &Limits) -> bool {
        let state = self.state();
        state.durable && state.connection.is_some() && state.outbox.is_crowded(limits)
    }

    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.state().outbox.is_full(limits)
    }

    /// Wakes the publisher's connection when the queue is shorter; none when it is already. Otherwise
    /// how many messages have left the queue, to see later whether it moves.
    pub(crate) fn block(&self, limits: &Limits, publisher: &Arc<Signal>) -> Option<u64> {
        let mut state = self.state();
        if state.connection.is_none() || !state.outbox.is_crowded(limits) {
            return None;
        }
        state.outbox.blocked.push(Arc::downgrade(publisher));
        Some(state.outbox.taken)
    }

    /// After a long wait: when nothing has left the queue, nobody waits for it any more, until
    /// something moves.
    pub(crate) fn give_up_if_stuck(&self, taken: u64) {
        let mut state = self.state();
        if state.outbox.taken == taken {
            state.outbox.stuck = true;
            state.outbox.unblock();
        }
    }

    /// Offers waiting messages to the connection of this epoch, as long as it has room (`more`) and
    /// the client may have more in flight. Says how many were discarded.
    pub(crate) fn send(
        &self,
        journal: &Journal,
        limits: &Limits,
        epoch: u64,
        inflight_max: usize,
        mut send: impl FnMut(&Queued, u16) -> Option<Sent>,
    ) -> u64 {
        let mut state = self.state();
        if state.epoch != epoch {
            return 0;
        }
        let durable = state.durable;
        let outbox = &mut state.outbox;
        let mut discarded = 0;
        while let Some(queued) = outbox.queue.front() {
            let packet_id = packet_id(queued.sequence);
            // An identifier is free again after 65,535 messages; a client that left one open so long
            // gets no more until it has answered.
            let closed =
                outbox.inflight.len() >= inflight_max || outbox.inflight.contains_key(&packet_id);
            if queued.sequence != 0 && closed {
                break;
            }
            let Some(sent) = send(queued, packet_id) else { break };
            let Some(queued) = outbox.queue.pop_front() else { break };
            outbox.bytes = outbox.bytes.saturating_sub(queued.message.weight());
            outbox.taken += 1;
            outbox.stuck = false;
            match sent {
                Sent::Written if queued.sequence != 0 => {
                    let sequence = queued.sequence;
                    outbox.inflight.insert(packet_id, Inflight { sequence, queued: Some(queued) });
                }
                Sent::Written => {}
                Sent::Discarded => {
                    discarded += 1;
                    if durable && queued.sequence != 0 {
                        journal.append(&Entry::QueuedRemoved(self.id, queued.sequence));
                    }
                }
            }
        }
        if !outbox.blocked.is_empty()
            && outbox.queue.len() <= limits.queue_messages_max / 4
            && outbox.bytes <= limits.queue_bytes_max / 4
        {
            outbox.unblock();
        }
        if outbox.queue.is_empty() && outbox.queue.capacity() > 64 {
            outbox.queue = VecDeque::new(); // idle sessions are to be small
        }
        discarded
    }

    /// PUBACK, PUBCOMP or a failed PUBREC: the message is done. False when it was not in flight.
    pub(crate) fn done(&self, journal: &Journal, epoch: u64, packet_id: u16) -> bool {
        let mut state = self.state();
        if state.epoch != epoch {
            return true;
        }
        let Some(done) = state.outbox.inflight.remove(&packet_id) else { return false };
        if state.durable {
            journal.append(&Entry::QueuedRemoved(self.id, done.sequence));
        }
        if state.outbox.inflight.is_empty() && state.outbox.inflight.capacity() > 64 {
            state.outbox.inflight = HashMap::new();
        }
        true
    }

    /// Forgets the messages that wait for the client, after [`State::resume`] those that were in
    /// flight among them. PUBREL, which has no content, stays.
    pub(crate) fn forget_queue(&self, journal: &Journal, epoch: u64) {
        let mut state = self.state();
        if state.epoch != epoch {
            return;
        }
        let durable = state.durable;
        for queued in std::mem::take(&mut state.outbox.queue) {
            if durable && queued.sequence != 0 {
                journal.append(&Entry::QueuedRemoved(self.id, queued.sequence));
            }
        }
        state.outbox.bytes = 0;
        state.outbox.unblock();
    }

    /// Whether it is in the journal.
    pub(crate) fn is_durable(&self) -> bool {
        self.state().durable
    }

    /// PUBREC: only PUBREL and PUBCOMP remain. Says whether the journal has to be awaited before
    /// PUBREL; none when the message was not in flight.
    pub(crate) fn released(&self, journal: &Journal, epoch: u64, packet_id: u16) -> Option<bool> {
        let mut state = self.state();
        if state.epoch != epoch {
            return None;
        }
        let durable = state.durable;
        let inflight = state.outbox.inflight.get_mut(&packet_id)?;
        let first = inflight.queued.take().is_some();
        if durable && first {
            journal.append(&Entry::Released(self.id, inflight.sequence));
        }
        Some(durable)
    }

    pub(crate) fn record(&self, state: &State, offline_since_ms: Option<i64>) -> SessionRecord {
        SessionRecord {
            tenant: self.tenant,
            client_id: self.client_id.to_string(),
            owner: self.owner.to_string(),
            expiry_seconds: state.expiry_seconds,
            offline_since_ms,
        }
    }
}

impl State {
    /// Prepares for a new connection what the old one had not finished: messages are sent again in
    /// their order, marked as duplicates. Returns the identifiers that PUBREL is sent for.
    pub(crate) fn resume(&mut self) -> Vec<u16> {
        let mut inflight: Vec<Inflight> = self.outbox.inflight.drain().map(|(_, i)| i).collect();
        inflight.sort_unstable_by_key(|i| i.sequence);
        let mut released = Vec::new();
        for one in inflight.into_iter().rev() {
            match one.queued {
                Some(mut queued) => {
                    queued.dup = true;
                    self.outbox.bytes += queued.message.weight();
                    self.outbox.queue.push_front(queued);
                }
                None => {
                    let id = packet_id(one.sequence);
                    released.push(id);
                    self.outbox
                        .inflight
                        .insert(id, Inflight { sequence: one.sequence, queued: None });
                }
            }
        }
        released.reverse();
        released
    }

    /// Messages of QoS 0 are not kept for a client that has gone.
    pub(crate) fn forget_unkept(&mut self) {
        self.outbox.queue.retain(|queued| queued.sequence != 0);
        self.outbox.bytes = self.outbox.queue.iter().map(|q| q.message.weight()).sum();
        self.outbox.unblock();
    }

    /// Forgets all messages, at the end of the session.
    pub(crate) fn clear(&mut self) {
        self.outbox.unblock();
        self.outbox = Outbox::default();
        self.received = HashMap::new();
    }

    pub(crate) fn queued(&self) -> usize {
        self.outbox.queue.len()
    }

    pub(crate) fn inflight(&self) -> usize {
        self.outbox.inflight.len()
    }

    /// Puts back what the journal held.
    pub(crate) fn recover(
        &mut self,
        sequence: u64,
        queued: Option<(Qos, bool, Vec<u32>, Message)>,
    ) {
        self.outbox.sequence_last = self.outbox.sequence_last.max(sequence);
        match queued {
            Some((qos, retain, identifiers, message)) => {
                self.outbox.bytes += message.weight();
                self.outbox.queue.push_back(Queued {
                    sequence,
                    message: Arc::new(message),
                    qos,
                    retain,
                    // It may have been sent before the crash (MQTT 5, 3.3.1.1).
                    dup: true,
                    identifiers: (!identifiers.is_empty()).then(|| identifiers.into()),
                });
            }
            None => {
                let inflight = Inflight { sequence, queued: None };
                self.outbox.inflight.insert(packet_id(sequence), inflight);
            }
        }
    }
}

impl Outbox {
    /// Whether publishers should wait before they send more.
    fn is_crowded(&self, limits: &Limits) -> bool {
        !self.stuck
            && (self.queue.len() >= limits.queue_messages_max / 2
                || self.bytes >= limits.queue_bytes_max / 2)
    }

    fn is_full(&self, limits: &Limits) -> bool {
        self.queue.len() >= limits.queue_messages_max || self.bytes >= limits.queue_bytes_max
    }

    fn unblock(&mut self) {
        for connection in self.blocked.drain(..).filter_map(|c| c.upgrade()) {
            connection.wake(WAKE_ROOM);
        }
    }
}
