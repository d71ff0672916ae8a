//! Where the live records are. A record is live as long as its key was neither written again nor
//! removed; what is not live is not copied when a segment is given up.

use std::collections::{BTreeMap, HashMap};

use crate::journal::record::{Record, SessionId};

/// A record's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    /// With its frame.
    pub(crate) bytes: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    sessions: HashMap<SessionId, SessionPlaces>,
    retained: HashMap<u32, HashMap<String, Place>>,
    live_bytes: u64,
}

#[derive(Debug, Default)]
struct SessionPlaces {
    session: Option<Place>,
    subscriptions: HashMap<String, Place>,
    queue: BTreeMap<u64, Place>,
    received: HashMap<u16, Place>,
}

impl SessionPlaces {
    fn bytes(&self) -> u64 {
        let all = self.session.iter().chain(self.subscriptions.values());
        let all = all.chain(self.queue.values()).chain(self.received.values());
        all.map(|place| u64::from(place.bytes)).sum()
    }
}

impl Index {
    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Takes note of a record. While the journal is read back, records of a session may stand before
    /// the session's own; afterwards they come late, when the session has ended, and are dead.
    pub(crate) fn apply(&mut self, record: Record, place: Place, reading: bool) {
        let (added, replaced) = match record {
            Record::Session(id, _) => {
                (place.bytes, self.sessions.entry(id).or_default().session.replace(place))
            }
            Record::SessionRemoved(id) => {
                let freed = self.sessions.remove(&id).map_or(0, |s| s.bytes());
                self.live_bytes = self.live_bytes.saturating_sub(freed);
                return;
            }
            Record::Subscription(id, filter, _) => {
                let Some(session) = self.session(id, reading) else { return };
                (place.bytes, session.subscriptions.insert(filter, place))
            }
            Record::SubscriptionRemoved(id, filter) => {
                let session = self.sessions.get_mut(&id);
                (0, session.and_then(|s| s.subscriptions.remove(&filter)))
            }
            Record::Queued(id, sequence, _) | Record::Released(id, sequence) => {
                let Some(session) = self.session(id, reading) else { return };
                (place.bytes, session.queue.insert(sequence, place))
            }
            Record::QueuedRemoved(id, sequence) => {
                (0, self.sessions.get_mut(&id).and_then(|s| s.queue.remove(&sequence)))
            }
            Record::Received(id, packet_id) => {
                let Some(session) = self.session(id, reading) else { return };
                (place.bytes, session.received.insert(packet_id, place))
            }
            Record::ReceivedRemoved(id, packet_id) => {
                (0, self.sessions.get_mut(&id).and_then(|s| s.received.remove(&packet_id)))
            }
            Record::Retained(tenant, message) => {
                let topics = self.retained.entry(tenant).or_default();
                (place.bytes, topics.insert(message.topic.to_string(), place))
            }
            Record::RetainedRemoved(tenant, topic) => {
                (0, self.retained.get_mut(&tenant).and_then(|topics| topics.remove(&topic)))
            }
        };
        self.live_bytes += u64::from(added);
        self.live_bytes = self.live_bytes.saturating_sub(replaced.map_or(0, |p| p.bytes.into()));
    }

    fn session(&mut self, id: SessionId, reading: bool) -> Option<&mut SessionPlaces> {
        if reading {
            Some(self.sessions.entry(id).or_default())
        } else {
            self.sessions.get_mut(&id)
        }
    }

    /// After reading back: forgets what belongs to no session.
    pub(crate) fn forget_orphans(&mut self) {
        let mut freed = 0;
        self.sessions.retain(|_, session| {
            let known = session.session.is_some();
            if !known {
                freed += session.bytes();
            }
            known
        });
        self.live_bytes = self.live_bytes.saturating_sub(freed);
    }

    /// The place of the record that counts for this record's key; none when the key is gone.
    pub(crate) fn place_mut(&mut self, record: &Record) -> Option<&mut Place> {
        match record {
            Record::Session(id, _) => self.sessions.get_mut(id)?.session.as_mut(),
            Record::Subscription(id, filter, _) => {
                self.sessions.get_mut(id)?.subscriptions.get_mut(filter)
            }
            Record::Queued(id, sequence, _) | Record::Released(id, sequence) => {
                self.sessions.get_mut(id)?.queue.get_mut(sequence)
            }
            Record::Received(id, packet_id) => {
                self.sessions.get_mut(id)?.received.get_mut(packet_id)
            }
            Record::Retained(tenant, message) => {
                self.retained.get_mut(tenant)?.get_mut(&*message.topic)
            }
            Record::SessionRemoved(_)
            | Record::SubscriptionRemoved(..)
            | Record::QueuedRemoved(..)
            | Record::ReceivedRemoved(..)
            | Record::RetainedRemoved(..) => None,
        }
    }
}
