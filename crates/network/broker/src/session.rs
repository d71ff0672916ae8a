//! A session: what the broker remembers of a client, connected or not.
//!
//! Everything that changes is behind one lock, which is held for short pieces of work: the publisher
//! puts a message in, the client's connection takes messages out. A connection acts on the session
//! only while its epoch is the session's, so that one that was taken over does nothing more.
//!
//! A queue is bounded. While it is long, publishers of QoS above 0 are held; a client that has not
//! made it short again within `Limits::slow_time_max` is disconnected, and nobody is held for it until
//! it has caught up.

mod outbox;
#[cfg(test)]
mod tests;

pub(crate) use outbox::Queued;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::acks::Acks;
use crate::journal::Journal;
use crate::journal::record::{Entry, SessionId, SessionRecord, SubscriptionOptions};
use crate::message::{Message, Qos, now_ms};
use crate::options::Limits;
use crate::session::outbox::{Outbox, packet_id};
use crate::share::Share;
use crate::signal::{Signal, WAKE_OUTBOX, WAKE_ROOM};
use crate::status::ClientInfo;
use crate::tenant::KeptWill;
use crate::timers::TimerKey;
use crate::wire::reason;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// What its tenant has of the journal.
    pub(crate) share: Arc<Share>,
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
    pub(crate) will: Option<KeptWill>,
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

/// How a message goes to one session.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) identifiers: Option<Arc<[u32]>>,
    /// Retained messages at subscribing are not bounded by the queue, since they are already held.
    pub(crate) unbounded: bool,
}

/// What became of it. A message of QoS 0 for a client that is not connected, and any for a session
/// that is over, leaves no trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) journaled: bool,
    /// The publisher should not send more for now.
    pub(crate) holds: bool,
    /// Messages that the full queue has cost: this one, or others that made room for it.
    pub(crate) dropped: u64,
}

/// What the connection did with a message that it was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Written,
    /// Too large for the client, or expired: it is forgotten.
    Discarded,
}

/// How well a session can take a message of a shared subscription, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Readiness {
    /// Connected, and its queue is next to empty.
    Now,
    Soon,
    /// Not connected; it keeps the message.
    Later,
    /// The message, or another one, would be dropped.
    Never,
}

impl Session {
    pub(crate) fn new(
        id: SessionId,
        share: Arc<Share>,
        client_id: Arc<str>,
        owner: Arc<str>,
    ) -> Self {
        Self { id, share, client_id, owner, state: Mutex::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn readiness(&self, limits: &Limits, qos: Qos) -> Readiness {
        const SHORT: usize = 1000;
        let state = self.state();
        let online = state.connection.is_some();
        if state.ended || state.outbox.is_full(limits) || (!online && qos == Qos::AtMostOnce) {
            Readiness::Never
        } else if !online {
            Readiness::Later
        } else if state.outbox.queued() < SHORT {
            Readiness::Now
        } else {
            Readiness::Soon
        }
    }

    /// Puts a message into the queue and wakes the connection.
    pub(crate) fn deliver(
        &self,
        journal: &Journal,
        limits: &Limits,
        message: &Arc<Message>,
        delivery: Delivery,
    ) -> Delivered {
        let state = &mut *self.state();
        let mut delivered = Delivered::default();
        let unkept = delivery.qos == Qos::AtMostOnce;
        if state.ended || (unkept && state.connection.is_none()) {
            return delivered;
        }
        if !delivery.unbounded && state.outbox.is_full(limits) {
            delivered.dropped = self.make_room(journal, limits, state);
            if state.outbox.is_full(limits) {
                delivered.dropped += 1;
                if !unkept {
                    self.fall_behind(state);
                }
                return delivered;
            }
        }
        let sequence = if unkept {
            0
        } else {
            state.outbox.sequence_last += 1;
            state.outbox.sequence_last
        };
        let mut position = 0;
        if !unkept && state.durable {
            delivered.journaled = true;
            let entry = Entry::Queued {
                session: self.id,
                sequence,
                qos: delivery.qos,
                retain: delivery.retain,
                identifiers: delivery.identifiers.as_deref().unwrap_or_default(),
                message,
            };
            position = journal.append(&self.share, &entry);
        }
        state.outbox.push_back(Queued {
            sequence,
            // Were a QoS 2 message sent before it is on disk, another one could get its identifier
            // after a crash, and the client would take it for the same.
            position: if delivery.qos == Qos::ExactlyOnce { position } else { 0 },
            message: Arc::clone(message),
            qos: delivery.qos,
            retain: delivery.retain,
            dup: false,
            started: false,
            identifiers: delivery.identifiers,
        });
        if let Some(connection) = &state.connection {
            connection.signal.wake(WAKE_OUTBOX);
        }
        if delivery.unbounded && state.outbox.is_long(limits) && state.outbox.long_since.is_none() {
            state.outbox.behind = true; // retained messages are many; that is not the client's fault
        }
        delivered.holds = !unkept && self.holds_with(limits, state);
        delivered
    }

    fn make_room(&self, journal: &Journal, limits: &Limits, state: &mut State) -> u64 {
        let offline = state.connection.is_none();
        if !std::mem::replace(&mut state.outbox.warned, true) {
            tracing::warn!(
                tenant = %self.share.tenant(),
                client = ?self.client_id,
                offline,
                "the queue of an MQTT session is full; messages for it are dropped"
            );
        }
        let durable = state.durable;
        state.outbox.make_room(limits, now_ms(), |queued| self.forget(journal, durable, queued))
    }

    /// Removes a message from the journal, where it may be.
    fn forget(&self, journal: &Journal, durable: bool, queued: &Queued) {
        if durable && queued.sequence != 0 {
            journal.append(&self.share, &Entry::QueuedRemoved(self.id, queued.sequence));
        }
    }

    /// Whether publishers of QoS above 0 are held for this session.
    pub(crate) fn holds(&self, limits: &Limits) -> bool {
        self.holds_with(limits, &mut self.state())
    }

    /// Whether publishers are held for it, or were when its queue was longer and may be still.
    pub(crate) fn is_awaited(&self) -> bool {
        self.state().outbox.long_since.is_some()
    }

    fn holds_with(&self, limits: &Limits, state: &mut State) -> bool {
        let Some(connection) = &state.connection else { return false };
        if state.outbox.behind || !state.outbox.is_long(limits) {
            return false;
        }
        match state.outbox.long_since {
            None => {
                state.outbox.long_since = Some(Instant::now());
                // Should it be held itself: only what it sends makes its queue shorter.
                connection.signal.wake(WAKE_ROOM);
                true
            }
            Some(since) if since.elapsed() < limits.slow_time_max => true,
            Some(_) => {
                self.fall_behind(state);
                false
            }
        }
    }

    /// Gives a connected client up that takes its messages too slowly.
    fn fall_behind(&self, state: &mut State) {
        let Some(connection) = &state.connection else { return };
        if std::mem::replace(&mut state.outbox.behind, true) {
            return;
        }
        tracing::warn!(
            tenant = %self.share.tenant(),
            client = ?self.client_id,
            queued = state.outbox.queued(),
            kept = state.durable,
            "an MQTT client takes its messages too slowly and is disconnected"
        );
        connection.signal.close(reason::QUOTA);
        state.outbox.long_since = None;
        state.outbox.unblock();
    }

    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.state().outbox.is_full(limits)
    }

    /// Wakes the publisher's connection when it has not to be held any more; false when it has not
    /// to be held now.
    pub(crate) fn block(&self, limits: &Limits, publisher: &Arc<Signal>) -> bool {
        let state = &mut *self.state();
        let holds = self.holds_with(limits, state);
        if holds {
            state.outbox.block(publisher);
        }
        holds
    }

    /// Offers waiting messages to the connection of this epoch, as long as it has room and the client
    /// may have more in flight. Says how many were discarded.
    pub(crate) fn send(
        &self,
        journal: &Journal,
        limits: &Limits,
        epoch: u64,
        inflight_max: usize,
        mut send: impl FnMut(&Queued, u16) -> Option<Sent>,
    ) -> u64 {
        let state = &mut *self.state();
        if state.epoch != epoch {
            return 0;
        }
        let outbox = &mut state.outbox;
        let mut discarded = 0;
        while let Some(queued) = outbox.front() {
            let packet_id = packet_id(queued.sequence);
            if queued.sequence != 0 && !outbox.may_send(packet_id, inflight_max, limits) {
                break;
            }
            if queued.position > journal.durable() {
                if let Some(connection) = &state.connection {
                    journal.wake_when_durable(&connection.signal);
                }
                break;
            }
            let Some(sent) = send(queued, packet_id) else { break };
            let Some(queued) = outbox.pop_front() else { break };
            match sent {
                Sent::Written if queued.sequence != 0 => outbox.sent(packet_id, queued),
                Sent::Written => {}
                Sent::Discarded => {
                    discarded += 1;
                    self.forget(journal, state.durable, &queued);
                }
            }
        }
        outbox.calm(limits);
        discarded
    }

    /// PUBACK, PUBCOMP or a failed PUBREC: the message is done. False when it was not in flight.
    pub(crate) fn done(&self, journal: &Journal, epoch: u64, packet_id: u16) -> bool {
        let mut state = self.state();
        if state.epoch != epoch {
            return true;
        }
        let Some(done) = state.outbox.done(packet_id) else { return false };
        if state.durable {
            journal.append(&self.share, &Entry::QueuedRemoved(self.id, done.sequence));
        }
        true
    }

    /// Forgets the messages that wait for the client, after [`State::resume`] those that were in
    /// flight among them. PUBREL, which has no content, stays.
    pub(crate) fn forget_queue(&self, journal: &Journal, epoch: u64) {
        let state = &mut *self.state();
        if state.epoch != epoch {
            return;
        }
        let durable = state.durable;
        state.outbox.remove(|queued| {
            self.forget(journal, durable, queued);
            true
        });
        state.outbox.relax();
    }

    /// Forgets messages that have expired while nobody came for them: they would only take room. Says
    /// how many.
    pub(crate) fn expire(&self, journal: &Journal, now_ms: i64) -> u64 {
        let state = &mut *self.state();
        let durable = state.durable;
        state.outbox.expire(now_ms, |queued| self.forget(journal, durable, queued))
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
        let (sequence, first) = state.outbox.released(packet_id)?;
        if state.durable && first {
            journal.append(&self.share, &Entry::Released(self.id, sequence));
        }
        Some(state.durable)
    }

    pub(crate) fn record(&self, state: &State, offline_since_ms: Option<i64>) -> SessionRecord {
        SessionRecord {
            tenant: self.share.tenant().0,
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
    pub(crate) fn resume(&mut self, limits: &Limits) -> Vec<u16> {
        let released = self.outbox.resume();
        // Nobody is held while it catches up with what came in its absence.
        self.outbox.behind = !self.outbox.is_short(limits);
        released
    }

    /// Messages of QoS 0 are not kept for a client that has gone, and nobody is held for it.
    pub(crate) fn forget_unkept(&mut self) {
        self.outbox.remove(|queued| queued.sequence == 0);
        self.outbox.relax();
    }

    /// Forgets all messages, at the end of the session.
    pub(crate) fn clear(&mut self) {
        self.outbox.unblock();
        self.outbox = Outbox::default();
        self.received = HashMap::new();
    }

    pub(crate) fn queued(&self) -> usize {
        self.outbox.queued()
    }

    pub(crate) fn inflight(&self) -> usize {
        self.outbox.inflight()
    }

    /// Puts back what the journal held.
    pub(crate) fn recover(
        &mut self,
        sequence: u64,
        queued: Option<(Qos, bool, Vec<u32>, Message)>,
    ) {
        self.outbox.sequence_last = self.outbox.sequence_last.max(sequence);
        match queued {
            Some((qos, retain, identifiers, message)) => self.outbox.push_back(Queued {
                sequence,
                position: 0,
                message: Arc::new(message),
                qos,
                retain,
                // It may have been sent before the crash (MQTT 5, 3.3.1.1).
                dup: true,
                started: false,
                identifiers: (!identifiers.is_empty()).then(|| identifiers.into()),
            }),
            None => self.outbox.restore_released(sequence),
        }
    }
}
