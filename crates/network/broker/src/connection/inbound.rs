//! What a client sends.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytestring::ByteString;
use rmqtt_codec::types::Publish;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use weir_model::Timestamp;

use crate::acks::{Awaited, NO_ROUND, Other};
use crate::connection::{
    ALIASES_IN_BYTES_MAX, Blocked, Connection, End, Known, OUT_BYTES_HIGH, ROUTES_MAX, Stop,
};
use crate::gate::Act;
use crate::journal::record::{Entry, SubscriptionOptions};
use crate::local::Settled;
use crate::message::{Message, Qos, now};
use crate::router::Route;
use crate::session::{Received, Session};
use crate::tenant::{FullQueue, Origin, Published, ROUTE_TOPIC_BYTES_MAX, subscribe::Asked};
use crate::topic::{self, TopicError};
use crate::wire::{Packet, Violation, Wanted, Wire, pass_on, reason};

/// Retained messages that one SUBSCRIBE may look at: some tenths of a second. Its filters beyond that
/// are refused with 0x97, and may be asked for in a SUBSCRIBE of their own.
const VISITS_MAX: usize = 5_000_000;

/// What the journal takes for the identifier of a QoS 2 message, and a little more.
const RECEIVED_BYTES: u64 = 32;

/// Where a PUBLISH goes.
enum Destination {
    Route(Arc<Route>),
    /// Nowhere, for this reason; the client is told and stays.
    Refused(u8),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Handles the packets that came, until something blocks.
    pub(super) fn read_packets(&mut self) -> Result<(), Stop> {
        if self.socket.input.is_empty() {
            return Ok(());
        }
        let arrived = now();
        while matches!(self.blocked, Blocked::No) {
            if self.socket.out.len() >= OUT_BYTES_HIGH {
                return Ok(()); // until something is written
            }
            let bytes_max = self.broker.limits.packet_bytes_max;
            let Some(packet) = self.wire.decode(&mut self.socket.input, bytes_max)? else { break };
            self.handle(packet, arrived)?;
        }
        if self.socket.input.is_empty() {
            self.socket.input = bytes::BytesMut::new(); // messages may still hold the old one
        }
        Ok(())
    }

    fn handle(&mut self, packet: Packet, arrived: Timestamp) -> Result<(), Stop> {
        match packet {
            Packet::Publish(publish) => self.on_publish(*publish, arrived)?,
            Packet::PubAck(packet_id) | Packet::PubComp(packet_id) => {
                self.session.done(&self.broker.journal, self.epoch, packet_id);
                self.outbox = true;
            }
            Packet::PubRec { packet_id, reason } => self.on_pubrec(packet_id, reason),
            Packet::PubRel(packet_id) => self.on_pubrel(packet_id),
            Packet::Subscribe { packet_id, identifier, wanted } => {
                self.on_subscribe(packet_id, identifier, &wanted)?;
            }
            Packet::Unsubscribe { packet_id, filters } => self.on_unsubscribe(packet_id, &filters),
            Packet::Ping => Wire::pingresp(&mut self.socket.out),
            Packet::Disconnect { reason, expiry_seconds } => {
                if expiry_seconds.is_some_and(|s| s > 0) && self.expiry_seconds == 0 {
                    return Err(Violation(reason::PROTOCOL).into()); // MQTT 5, 3.14.2.2.2
                }
                let longest = self.broker.limits.session_expiry_seconds_max;
                return Err(Stop::End(End::Disconnected {
                    publish_will: reason != reason::SUCCESS,
                    expiry_seconds: expiry_seconds.map(|s| s.min(longest)),
                }));
            }
        }
        Ok(())
    }

    fn on_publish(&mut self, mut publish: Publish, arrived: Timestamp) -> Result<(), Violation> {
        self.messages_in += 1;
        let qos = Qos::from(publish.qos);
        if publish.dup && qos == Qos::AtMostOnce {
            return Err(Violation(reason::MALFORMED)); // MQTT 5, 3.3.1-2
        }
        let packet_id = publish.packet_id.map_or(0, std::num::NonZeroU16::get);
        let destination = self.destination(&mut publish)?;
        if qos > Qos::AtMostOnce {
            self.stop_when_many_wait();
        }
        if qos == Qos::ExactlyOnce && self.is_duplicate(packet_id) {
            return Ok(());
        }
        if qos > Qos::AtMostOnce {
            self.within_receive_maximum()?;
        }
        let route = match destination {
            Destination::Route(route) => route,
            Destination::Refused(code) => {
                self.broker.counters.refused.fetch_add(1, Relaxed);
                return self.refuse(qos, packet_id, code);
            }
        };
        let message = message(publish, &route.topic, arrived);
        if qos == Qos::AtMostOnce {
            let origin = Origin::Session(self.session.id, arrived);
            let published = self.tenant.publish(&self.broker, &route, message, origin, None);
            match published {
                Ok(published) => self.after(published),
                Err(_) => _ = self.broker.counters.refused.fetch_add(1, Relaxed),
            }
            return Ok(());
        }
        self.publish_acknowledged(&route, message, packet_id, arrived)
    }

    /// A PUBLISH of QoS 1 or 2: it goes out, and its acknowledgement waits.
    fn publish_acknowledged(
        &mut self,
        route: &Arc<Route>,
        message: Message,
        packet_id: u16,
        arrived: Timestamp,
    ) -> Result<(), Violation> {
        let exactly_once = message.qos == Qos::ExactlyOnce;
        let qos = message.qos;
        let foreseen = if route.has_sessions || message.retain { self.round } else { NO_ROUND };
        let durable = exactly_once && self.session.state().durable;
        if durable && self.tenant.journal.room() < RECEIVED_BYTES {
            self.tenant.journal.refused();
            self.broker.counters.refused.fetch_add(1, Relaxed);
            return self.refuse(qos, packet_id, reason::QUOTA);
        }
        // With receipts, the identifier goes into the journal after them: were it there before, a
        // crash in between would make the message that is sent again look like a duplicate.
        let late = durable && route.receipts_max > 0;
        let sequence = self.acks.push(Awaited {
            packet_id,
            exactly_once,
            record: late,
            receipts: route.receipts_max,
            round: if durable { self.round } else { foreseen },
            reason: reason::SUCCESS,
        });
        let origin = Origin::Session(self.session.id, arrived);
        let receipts = Some((&self.acks, sequence));
        let published = match self.tenant.publish(&self.broker, route, message, origin, receipts) {
            Ok(published) => published,
            Err(_) => {
                self.broker.counters.refused.fetch_add(1, Relaxed);
                self.acks.withdraw(sequence);
                return self.refuse(qos, packet_id, reason::QUOTA);
            }
        };
        let mut recorded = published.journaled;
        if exactly_once {
            if durable && !late {
                let received = Entry::Received(self.session.id, packet_id);
                self.broker.journal.append(&self.session.share, &received);
                recorded = true;
            }
            let received = if route.receipts_max > 0 {
                Received::Waiting(Arc::clone(&self.acks), sequence)
            } else {
                Received::Stored
            };
            let mut state = self.session.state();
            state.received.insert(packet_id, received);
            self.unreleased = state.received.len();
        }
        self.recorded |= recorded;
        let round = if recorded { self.round } else { NO_ROUND };
        let fewer = route.receipts_max - published.receipts.min(route.receipts_max);
        let expected = if durable { self.round } else { foreseen };
        if fewer > 0 || round != expected {
            self.acks.correct(sequence, fewer, round);
        }
        if !published.matched && self.wire.is_v5() {
            self.acks.set_reason(sequence, reason::NO_MATCHING_SUBSCRIBERS);
        }
        self.after(published);
        Ok(())
    }

    /// Stops reading where a queue is full.
    fn after(&mut self, published: Published) {
        self.recorded |= published.journaled;
        match published.full {
            Some(FullQueue::Local(queue)) if queue.block(&self.signal) => {
                self.blocked = Blocked::Local(queue);
                return;
            }
            Some(FullQueue::Session(session)) if self.is_held_for(&session) => {
                self.blocked = Blocked::Session { session, since: Instant::now() };
                return;
            }
            _ => {}
        }
        if published.journaled {
            self.stop_when_journal_is_full();
        }
    }

    /// Whether this connection is held for a session whose queue is long. A client that publishes to
    /// itself is not, nor one for which others are held: its acknowledgements have to be read.
    fn is_held_for(&self, session: &Session) -> bool {
        let limits = &self.broker.limits;
        session.id != self.session.id
            && !self.session.is_awaited()
            && session.block(limits, &self.signal)
    }

    /// Reads no further while many answers wait. A client that repeats itself is within its Receive
    /// Maximum, and each repetition is answered: this is what bounds the memory of that.
    fn stop_when_many_wait(&mut self) {
        let receive_max = usize::from(self.broker.limits.receive_max);
        if self.acks.waiting().max(self.acks.waiting_others()) >= 2 * receive_max {
            self.blocked = Blocked::Receipts;
        }
    }

    fn within_receive_maximum(&mut self) -> Result<(), Violation> {
        let receive_max = usize::from(self.broker.limits.receive_max);
        if self.wire.is_v5() {
            // A QoS 2 message counts until its PUBCOMP (MQTT 5, 4.9).
            if self.acks.waiting_once() + self.unreleased >= receive_max {
                return Err(Violation(reason::RECEIVE_MAXIMUM));
            }
        } else if self.acks.waiting() >= receive_max {
            // 3.1.1 has no such limit: this one is taken, and no more until acknowledgements left.
            self.blocked = Blocked::Receipts;
        }
        Ok(())
    }

    /// Resolves an alias, checks the topic and finds its subscribers.
    fn destination(&mut self, publish: &mut Publish) -> Result<Destination, Violation> {
        let alias = publish.properties.as_ref().and_then(|p| p.topic_alias);
        if publish.properties.as_ref().is_some_and(|p| !p.subscription_ids.is_empty()) {
            return Err(Violation(reason::PROTOCOL)); // MQTT 5, 3.3.4-6
        }
        let Some(alias) = alias else {
            if publish.topic.is_empty() {
                return Err(Violation(reason::PROTOCOL));
            }
            return self.lookup(&publish.topic);
        };
        if alias.get() > self.broker.limits.topic_alias_max {
            return Err(Violation(reason::ALIAS_INVALID));
        }
        if publish.topic.is_empty() {
            let topic = self.aliases_in.get(&alias.get()).cloned();
            return self.lookup(&topic.ok_or(Violation(reason::PROTOCOL))?);
        }
        let destination = self.lookup(&publish.topic)?;
        let topic = match &destination {
            Destination::Route(route) => Arc::clone(&route.topic),
            Destination::Refused(_) => Arc::from(&*publish.topic),
        };
        self.aliases_in.insert(alias.get(), topic);
        let bytes: usize = self.aliases_in.values().map(|topic| topic.len()).sum();
        if bytes > ALIASES_IN_BYTES_MAX {
            return Err(Violation(reason::QUOTA));
        }
        Ok(destination)
    }

    fn lookup(&mut self, name: &str) -> Result<Destination, Violation> {
        let generation = self.tenant.generation();
        if let Some(known) = self.routes.get(name)
            && known.route.generation == generation
        {
            return Ok(known.destination());
        }
        match topic::check_name(name, self.broker.limits.topic()) {
            Ok(()) => {}
            // What is a legal topic but more than this broker takes does not cost the connection,
            // where there is a way to say so.
            Err(TopicError::Long | TopicError::Levels) if self.wire.is_v5() => {
                return Ok(Destination::Refused(reason::TOPIC_INVALID));
            }
            Err(_) => return Err(Violation(reason::TOPIC_INVALID)),
        }
        let known = Known {
            allowed: self.broker.gate.may(&self.principal, Act::Publish, name),
            route: self.tenant.route(name),
        };
        let destination = known.destination();
        if name.len() <= ROUTE_TOPIC_BYTES_MAX {
            if self.routes.len() >= ROUTES_MAX {
                self.routes.clear();
            }
            self.routes.insert(Arc::clone(&known.route.topic), known);
        }
        Ok(destination)
    }

    /// Answers a PUBLISH that goes nowhere. 3.1.1 knows no refusal: the client gets a plain
    /// acknowledgement (MQTT 3.1.1, 3.3.5-2).
    fn refuse(&mut self, qos: Qos, packet_id: u16, code: u8) -> Result<(), Violation> {
        if code == reason::QUOTA && !self.wire.is_v5() && qos > Qos::AtMostOnce {
            return Err(Violation(code)); // it was not stored, so it is not acknowledged
        }
        if qos > Qos::AtMostOnce {
            let exactly_once = qos == Qos::ExactlyOnce;
            self.acks.push(Awaited {
                packet_id,
                exactly_once,
                record: false,
                receipts: 0,
                round: NO_ROUND,
                reason: code,
            });
            if exactly_once && !self.wire.is_v5() {
                self.session.state().received.insert(packet_id, Received::Stored);
            }
        }
        Ok(())
    }

    /// Whether a QoS 2 message with this identifier was taken before. Then it is not sent on again,
    /// and its PUBREC waits for what the first one waits for.
    fn is_duplicate(&mut self, packet_id: u16) -> bool {
        let (waiting, durable) = {
            let mut state = self.session.state();
            let durable = state.durable;
            let waiting = match state.received.get(&packet_id) {
                None => return false,
                Some(Received::Stored) => None,
                Some(Received::Waiting(acks, sequence)) => Some((Arc::clone(acks), *sequence)),
            };
            // What was dropped was not taken: this is its second chance.
            if let Some((acks, sequence)) = &waiting
                && acks.outcome(*sequence) == Some(Settled::Dropped)
            {
                state.received.remove(&packet_id);
                return false;
            }
            (waiting, durable)
        };
        let awaited = Awaited {
            packet_id,
            exactly_once: true,
            record: durable && waiting.is_some(),
            receipts: u16::from(waiting.is_some()),
            round: if durable { self.round } else { NO_ROUND },
            reason: reason::SUCCESS,
        };
        self.recorded |= durable;
        let ours = self.acks.push(awaited);
        if let Some((acks, sequence)) = waiting
            && let Some(settled) = acks.follow(sequence, &self.acks, ours)
        {
            self.acks.settle(ours, settled);
        }
        true
    }

    fn on_pubrec(&mut self, packet_id: u16, code: u8) {
        if code >= 0x80 {
            self.session.done(&self.broker.journal, self.epoch, packet_id);
            self.outbox = true;
            return;
        }
        match self.session.released(&self.broker.journal, self.epoch, packet_id) {
            // Not before the disk knows: otherwise the message could be sent anew after a crash,
            // to a client that has completed it.
            Some(true) => {
                self.recorded = true;
                self.acks.push_other(self.round, Other::PubRel(packet_id));
                self.stop_when_many_wait();
            }
            Some(false) => self.wire.pubrel(&mut self.socket.out, packet_id, reason::SUCCESS),
            None => self.wire.pubrel(&mut self.socket.out, packet_id, reason::ID_NOT_FOUND),
        }
    }

    fn on_pubrel(&mut self, packet_id: u16) {
        let (known, durable) = {
            let mut state = self.session.state();
            let known = state.received.remove(&packet_id).is_some();
            self.unreleased = state.received.len();
            (known, state.durable)
        };
        let code = if known { reason::SUCCESS } else { reason::ID_NOT_FOUND };
        if !durable {
            self.wire.pubcomp(&mut self.socket.out, packet_id, code);
            return;
        }
        // Not before the disk knows: the client may use the identifier again after PUBCOMP, and
        // after a crash the new message would look like a duplicate. That holds for a repeated
        // PUBREL, too: the record of the first one may still be on its way.
        let other = if known {
            let removed = Entry::ReceivedRemoved(self.session.id, packet_id);
            self.broker.journal.append(&self.session.share, &removed);
            Other::PubComp(packet_id)
        } else {
            let mut packet = bytes::BytesMut::new();
            self.wire.pubcomp(&mut packet, packet_id, code);
            Other::Packet(packet.freeze())
        };
        self.recorded = true;
        self.acks.push_other(self.round, other);
        self.stop_when_many_wait();
    }

    fn on_subscribe(
        &mut self,
        packet_id: u16,
        identifier: Option<NonZeroU32>,
        wanted: &[Wanted],
    ) -> Result<(), Violation> {
        let mut codes = Vec::with_capacity(wanted.len());
        let mut recorded = false;
        let mut visits = VISITS_MAX;
        for one in wanted {
            let (code, journaled) = self.subscribe(identifier, one, &mut visits)?;
            codes.push(code);
            recorded |= journaled;
        }
        let suback = self.wire.suback(packet_id, &codes);
        self.answer(recorded, suback);
        self.outbox = true;
        if recorded {
            // Retained messages may be many, and one read many SUBSCRIBEs.
            self.stop_when_journal_is_full();
        }
        Ok(())
    }

    fn subscribe(
        &mut self,
        identifier: Option<NonZeroU32>,
        wanted: &Wanted,
        visits: &mut usize,
    ) -> Result<(u8, bool), Violation> {
        let filter = match topic::parse_filter(&wanted.filter, self.broker.limits.topic()) {
            Ok(filter) => filter,
            Err(TopicError::Nul) => return Err(Violation(reason::MALFORMED)),
            Err(_) => return Ok((reason::FILTER_INVALID, false)),
        };
        if filter.group.is_some() && wanted.no_local {
            return Err(Violation(reason::PROTOCOL)); // MQTT 5, 3.8.3-4
        }
        if !self.broker.gate.may(&self.principal, Act::Subscribe, filter.filter) {
            return Ok((reason::NOT_AUTHORIZED, false));
        }
        let asked = Asked {
            text: &wanted.filter,
            filter,
            options: SubscriptionOptions {
                qos: wanted.qos,
                no_local: wanted.no_local,
                retain_as_published: wanted.retain_as_published,
                identifier: identifier.map(NonZeroU32::get),
            },
            retain_handling: wanted.retain_handling,
        };
        Ok(self.tenant.subscribe(&self.broker, &self.session, self.epoch, &asked, visits))
    }

    fn on_unsubscribe(&mut self, packet_id: u16, filters: &[ByteString]) {
        let mut codes = Vec::with_capacity(filters.len());
        let mut recorded = false;
        for text in filters {
            let (code, journaled) =
                self.tenant.unsubscribe(&self.broker, &self.session, self.epoch, text);
            codes.push(code);
            recorded |= journaled;
        }
        let unsuback = self.wire.unsuback(packet_id, &codes);
        self.answer(recorded, unsuback);
    }

    /// Writes a packet, after the journal's next commit if that has a part in it.
    fn answer(&mut self, recorded: bool, packet: bytes::Bytes) {
        if recorded {
            self.recorded = true;
            self.acks.push_other(self.round, Other::Packet(packet));
            self.stop_when_many_wait();
        } else {
            self.socket.out.extend_from_slice(&packet);
        }
    }
}

impl Known {
    fn destination(&self) -> Destination {
        if self.allowed {
            Destination::Route(Arc::clone(&self.route))
        } else {
            Destination::Refused(reason::NOT_AUTHORIZED)
        }
    }
}

fn message(publish: Publish, topic: &Arc<str>, arrived: Timestamp) -> Message {
    let qos = Qos::from(publish.qos);
    let mut message = Message::new(Arc::clone(topic), publish.payload, qos, publish.retain);
    if let Some(properties) = publish.properties {
        message.expires_ms = properties
            .message_expiry_interval
            .map(|seconds| arrived.nanos() / 1_000_000 + i64::from(seconds.get()) * 1000);
        message.properties = pass_on(properties);
    }
    message
}
