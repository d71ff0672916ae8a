//! What a client is sent.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::acks::{Other, Ready};
use crate::connection::{ALIAS_OUT_BYTES_MAX, Blocked, Connection, OUT_BYTES_HIGH};
use crate::counters::Counters;
use crate::journal::record::Entry;
use crate::message::now_ms;
use crate::session::{Queued, Sent};
use crate::wire::{Outgoing, reason};

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Writes the acknowledgements that are due.
    pub(super) fn write_acks(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        self.acks.take_ready(&mut ready);
        for one in ready.drain(..) {
            self.write_ack(one);
        }
        if ready.capacity() <= 1024 {
            self.ready = ready;
        }
        if matches!(self.blocked, Blocked::Receipts)
            && self.acks.waiting().max(self.acks.waiting_others())
                < usize::from(self.broker.limits.receive_max)
        {
            self.blocked = Blocked::No;
        }
        self.commit();
    }

    fn write_ack(&mut self, ready: Ready) {
        let out = &mut self.socket.out;
        match ready {
            Ready::PubAck { packet_id, reason } => {
                self.count_refusal(reason);
                self.wire.puback(&mut self.socket.out, packet_id, reason);
            }
            Ready::PubRec { packet_id, reason } => {
                self.count_refusal(reason);
                if reason >= 0x80 && self.wire.is_v5() {
                    let mut state = self.session.state();
                    state.received.remove(&packet_id);
                    self.unreleased = state.received.len();
                }
                self.wire.pubrec(&mut self.socket.out, packet_id, reason);
            }
            Ready::Record { packet_id, sequence } => {
                let received = Entry::Received(self.session.id, packet_id);
                self.broker.journal.append(&self.session.share, &received);
                self.recorded = true;
                self.acks.recorded(sequence, self.round);
            }
            Ready::Other(Other::PubRel(packet_id)) => {
                self.wire.pubrel(out, packet_id, reason::SUCCESS);
            }
            Ready::Other(Other::PubComp(packet_id)) => {
                self.wire.pubcomp(out, packet_id, reason::SUCCESS);
            }
            Ready::Other(Other::Packet(packet)) => out.extend_from_slice(&packet),
        }
    }

    fn count_refusal(&self, code: u8) {
        if code == reason::IMPLEMENTATION {
            self.broker.counters.refused.fetch_add(1, Relaxed);
        }
    }

    /// Encodes waiting messages, as far as there is room.
    pub(super) fn write_messages(&mut self) {
        if !self.outbox || self.socket.out.len() >= OUT_BYTES_HIGH {
            return;
        }
        let now = now_ms();
        let session = Arc::clone(&self.session);
        let mut more = false;
        let mut written = 0;
        let discarded = session.send(
            &self.broker.journal,
            &self.broker.limits,
            self.epoch,
            self.inflight_max,
            |queued, id| {
                if self.socket.out.len() >= OUT_BYTES_HIGH {
                    more = true;
                    return None;
                }
                let sent = write_message(
                    &mut self.wire,
                    &mut self.socket.out,
                    &mut self.aliases_out,
                    (self.aliases_out_max, self.packet_bytes_max),
                    queued,
                    id,
                    now,
                );
                written += u64::from(sent == Sent::Written);
                Some(sent)
            },
        );
        self.outbox = more;
        Counters::add(&self.broker.counters.messages_out, written);
        Counters::add(&self.info.messages_out, written);
        Counters::add(&self.broker.counters.dropped, discarded);
    }
}

fn write_message(
    wire: &mut crate::wire::Wire,
    out: &mut bytes::BytesMut,
    aliases: &mut std::collections::HashMap<Arc<str>, u16>,
    (aliases_max, packet_bytes_max): (u16, usize),
    queued: &Queued,
    packet_id: u16,
    now: i64,
) -> Sent {
    let message = &*queued.message;
    if queued.is_expired(now) {
        return Sent::Discarded;
    }
    let expiry_seconds =
        message.expires_ms.map(|at| u32::try_from((at - now).max(1000) / 1000).unwrap_or(u32::MAX));
    let known = if aliases_max > 0 { aliases.get(&message.topic).copied() } else { None };
    let next = u16::try_from(aliases.len() + 1).unwrap_or(u16::MAX);
    let alias = match known {
        Some(alias) => Some((alias, true)),
        None if next <= aliases_max && message.topic.len() <= ALIAS_OUT_BYTES_MAX => {
            Some((next, false))
        }
        None => None,
    };
    let outgoing = Outgoing {
        message,
        packet_id,
        qos: queued.qos,
        retain: queued.retain,
        dup: queued.dup,
        identifiers: queued.identifiers.as_deref().unwrap_or_default(),
        alias,
        expiry_seconds,
    };
    if !outgoing.encode(wire, out, packet_bytes_max) {
        return Sent::Discarded;
    }
    if let Some((alias, false)) = alias {
        aliases.insert(Arc::clone(&message.topic), alias);
    }
    Sent::Written
}
