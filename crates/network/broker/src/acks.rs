//! Acknowledgements that wait: for receipts of local subscribers and for the journal's group commit.
//!
//! A connection goes on reading while they wait. PUBACK and PUBREC leave in the order of their
//! PUBLISH (MQTT 5, 4.6); what waits for the journal alone (SUBACK, PUBREL, PUBCOMP) does not stand
//! behind a slow subscriber's receipt.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::local::Settled;
use crate::signal::{Signal, WAKE_ACKS};
use crate::wire::reason;

/// One wake-up of a connection is one round; the journal says up to which round all is on disk.
pub(crate) type Round = u64;

/// The round of what does not wait for the journal.
pub(crate) const NO_ROUND: Round = 0;

/// The acknowledgements of one connection. Receipts keep it alive beyond its connection.
#[derive(Debug)]
pub(crate) struct Acks {
    signal: Arc<Signal>,
    lanes: Mutex<Lanes>,
}

#[derive(Debug, Default)]
struct Lanes {
    /// The sequence of the first slot.
    base: u64,
    slots: VecDeque<Slot>,
    /// Slots of QoS 1.
    once: usize,
    others: VecDeque<(Round, Other)>,
    durable: Round,
}

/// What a PUBLISH of QoS 1 or 2 waits for.
#[derive(Debug)]
struct Slot {
    packet_id: u16,
    exactly_once: bool,
    /// The packet identifier has to be recorded in the journal once the receipts are in.
    record: bool,
    receipts: u16,
    round: Round,
    outcome: Settled,
    reason: u8,
    /// The same QoS 2 message, sent again over another connection before this was settled.
    followers: Vec<(Arc<Acks>, u64)>,
}

/// A packet that waits for the journal only.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Other {
    PubRel(u16),
    PubComp(u16),
    /// An encoded packet.
    Packet(Bytes),
}

/// What a connection can do now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    PubAck {
        packet_id: u16,
        reason: u8,
    },
    PubRec {
        packet_id: u16,
        reason: u8,
    },
    /// Put the identifier into the journal, then call [`Acks::recorded`].
    Record {
        packet_id: u16,
        sequence: u64,
    },
    Other(Other),
}

/// How a PUBLISH starts to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Awaited {
    pub(crate) packet_id: u16,
    pub(crate) exactly_once: bool,
    pub(crate) record: bool,
    pub(crate) receipts: u16,
    pub(crate) round: Round,
    pub(crate) reason: u8,
}

impl Acks {
    pub(crate) fn new(signal: Arc<Signal>) -> Self {
        Self { signal, lanes: Mutex::default() }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a PUBLISH and says its sequence.
    pub(crate) fn push(&self, awaited: Awaited) -> u64 {
        let mut lanes = self.lanes();
        lanes.once += usize::from(!awaited.exactly_once);
        lanes.slots.push_back(Slot {
            packet_id: awaited.packet_id,
            exactly_once: awaited.exactly_once,
            record: awaited.record,
            receipts: awaited.receipts,
            round: awaited.round,
            outcome: Settled::Stored,
            reason: awaited.reason,
            followers: Vec::new(),
        });
        lanes.base + lanes.slots.len() as u64 - 1
    }

    /// Corrects what was foreseen at [`Acks::push`], when the message has gone out.
    pub(crate) fn correct(&self, sequence: u64, fewer_receipts: u16, round: Round) {
        let mut lanes = self.lanes();
        if let Some(slot) = lanes.slot(sequence) {
            slot.receipts = slot.receipts.saturating_sub(fewer_receipts);
            slot.round = round;
        }
    }

    /// The message was not sent after all; it was the last one that was pushed.
    pub(crate) fn withdraw(&self, sequence: u64) {
        let mut lanes = self.lanes();
        if lanes.base + lanes.slots.len() as u64 == sequence + 1
            && let Some(slot) = lanes.slots.pop_back()
        {
            lanes.once -= usize::from(!slot.exactly_once);
        }
    }

    /// Says more than success in the acknowledgement.
    pub(crate) fn set_reason(&self, sequence: u64, reason: u8) {
        if let Some(slot) = self.lanes().slot(sequence) {
            slot.reason = reason;
        }
    }

    /// Adds a packet that waits for the journal.
    pub(crate) fn push_other(&self, round: Round, other: Other) {
        self.lanes().others.push_back((round, other));
    }

    /// PUBLISH packets without an acknowledgement.
    pub(crate) fn waiting(&self) -> usize {
        self.lanes().slots.len()
    }

    /// Packets that wait for the journal only.
    pub(crate) fn waiting_others(&self) -> usize {
        self.lanes().others.len()
    }

    /// PUBLISH packets of QoS 1 among those that [`Acks::waiting`] counts.
    pub(crate) fn waiting_once(&self) -> usize {
        self.lanes().once
    }

    /// A receipt was settled.
    pub(crate) fn settle(&self, sequence: u64, settled: Settled) {
        let mut lanes = self.lanes();
        let Some(slot) = lanes.slot(sequence) else { return };
        slot.outcome = slot.outcome.max(settled);
        slot.receipts = slot.receipts.saturating_sub(1);
        let outcome = slot.outcome;
        let followers =
            if slot.receipts == 0 { std::mem::take(&mut slot.followers) } else { Vec::new() };
        let wake = lanes.slots.front().is_some_and(|s| s.receipts == 0);
        drop(lanes);
        if settled == Settled::Dropped {
            self.signal.close(reason::SERVER_BUSY);
        } else if wake {
            self.signal.wake(WAKE_ACKS);
        }
        for (acks, sequence) in followers {
            acks.settle(sequence, outcome);
        }
    }

    /// Lets another connection's slot share the outcome of this one, or says the outcome when it is
    /// known.
    pub(crate) fn follow(
        &self,
        sequence: u64,
        acks: &Arc<Acks>,
        their_sequence: u64,
    ) -> Option<Settled> {
        let mut lanes = self.lanes();
        match lanes.slot(sequence) {
            None => Some(Settled::Stored),
            Some(slot) if slot.receipts == 0 => Some(slot.outcome),
            Some(slot) => {
                slot.followers.push((Arc::clone(acks), their_sequence));
                None
            }
        }
    }

    /// The outcome of a slot whose receipts are all in.
    pub(crate) fn outcome(&self, sequence: u64) -> Option<Settled> {
        match self.lanes().slot(sequence) {
            None => Some(Settled::Stored),
            Some(slot) if slot.receipts == 0 => Some(slot.outcome),
            Some(_) => None,
        }
    }

    /// All records of this round and those before it are on disk.
    pub(crate) fn durable(&self, round: Round) {
        let mut lanes = self.lanes();
        lanes.durable = lanes.durable.max(round);
        drop(lanes);
        self.signal.wake(WAKE_ACKS);
    }

    /// The identifier of a QoS 2 message was put into the journal in this round.
    pub(crate) fn recorded(&self, sequence: u64, round: Round) {
        if let Some(slot) = self.lanes().slot(sequence) {
            slot.round = round;
        }
    }

    /// Moves what is ready into `into`.
    pub(crate) fn take_ready(&self, into: &mut Vec<Ready>) {
        let mut lanes = self.lanes();
        let durable = lanes.durable;
        while lanes.others.front().is_some_and(|(round, _)| *round <= durable) {
            if let Some((_, other)) = lanes.others.pop_front() {
                into.push(Ready::Other(other));
            }
        }
        loop {
            let sequence = lanes.base;
            let Some(front) = lanes.slots.front_mut() else { break };
            if front.receipts > 0 || front.round > durable || front.outcome == Settled::Dropped {
                break;
            }
            if front.record && front.outcome == Settled::Stored && front.reason < 0x80 {
                front.record = false;
                front.round = Round::MAX;
                into.push(Ready::Record { packet_id: front.packet_id, sequence });
                break;
            }
            let (packet_id, exactly_once) = (front.packet_id, front.exactly_once);
            let reason = match front.outcome {
                Settled::Refused => reason::IMPLEMENTATION,
                _ => front.reason,
            };
            lanes.slots.pop_front();
            lanes.base += 1;
            lanes.once -= usize::from(!exactly_once);
            into.push(if exactly_once {
                Ready::PubRec { packet_id, reason }
            } else {
                Ready::PubAck { packet_id, reason }
            });
        }
    }
}

impl Lanes {
    fn slot(&mut self, sequence: u64) -> Option<&mut Slot> {
        let index = sequence.checked_sub(self.base)?;
        self.slots.get_mut(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests;
