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
    /// The same by tenant.
    tenants: HashMap<u32, u64>,
}

#[derive(Debug, Default)]
struct SessionPlaces {
    tenant: u32,
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

    /// Live bytes of a tenant.
    pub(crate) fn bytes_of(&self, tenant: u32) -> u64 {
        self.tenants.get(&tenant).copied().unwrap_or_default()
    }

    /// All tenants with their live bytes.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = (u32, u64)> {
        self.tenants.iter().map(|(tenant, bytes)| (*tenant, *bytes))
    }

    fn charge(&mut self, tenant: u32, added: u32, freed: u64) {
        let bytes = self.tenants.entry(tenant).or_default();
        *bytes = (*bytes + u64::from(added)).saturating_sub(freed);
        self.live_bytes = (self.live_bytes + u64::from(added)).saturating_sub(freed);
    }

    /// Takes note of a record. While the journal is read back, records of a session may stand before
    /// the session's own; afterwards they come late, when the session has ended, and are dead.
    pub(crate) fn apply(&mut self, record: Record, place: Place, reading: bool) {
        let added = place.bytes;
        let (tenant, added, replaced) = match record {
            Record::Session(id, record) => {
                let session = self.sessions.entry(id).or_default();
                session.tenant = record.tenant;
                (record.tenant, added, session.session.replace(place))
            }
            Record::SessionRemoved(id) => {
                if let Some(session) = self.sessions.remove(&id) {
                    self.charge(session.tenant, 0, session.bytes());
                }
                return;
            }
            Record::Subscription(id, filter, _) => {
                let Some(session) = self.session(id, reading) else { return };
                (session.tenant, added, session.subscriptions.insert(filter, place))
            }
            Record::SubscriptionRemoved(id, filter) => {
                let Some(session) = self.sessions.get_mut(&id) else { return };
                (session.tenant, 0, session.subscriptions.remove(&filter))
            }
            Record::Queued(id, sequence, _) | Record::Released(id, sequence) => {
                let Some(session) = self.session(id, reading) else { return };
                (session.tenant, added, session.queue.insert(sequence, place))
            }
            Record::QueuedRemoved(id, sequence) => {
                let Some(session) = self.sessions.get_mut(&id) else { return };
                (session.tenant, 0, session.queue.remove(&sequence))
            }
            Record::Received(id, packet_id) => {
                let Some(session) = self.session(id, reading) else { return };
                (session.tenant, added, session.received.insert(packet_id, place))
            }
            Record::ReceivedRemoved(id, packet_id) => {
                let Some(session) = self.sessions.get_mut(&id) else { return };
                (session.tenant, 0, session.received.remove(&packet_id))
            }
            Record::Retained(tenant, message) => {
                let topics = self.retained.entry(tenant).or_default();
                (tenant, added, topics.insert(message.topic.to_string(), place))
            }
            Record::RetainedRemoved(tenant, topic) => {
                let Some(topics) = self.retained.get_mut(&tenant) else { return };
                (tenant, 0, topics.remove(&topic))
            }
        };
        self.charge(tenant, added, replaced.map_or(0, |p| p.bytes.into()));
    }

    fn session(&mut self, id: SessionId, reading: bool) -> Option<&mut SessionPlaces> {
        if reading {
            Some(self.sessions.entry(id).or_default())
        } else {
            self.sessions.get_mut(&id)
        }
    }

    /// After reading back: forgets what belongs to no session, and counts anew, since a session's
    /// tenant may not have been known when its records were read.
    pub(crate) fn forget_orphans(&mut self) {
        self.sessions.retain(|_, session| session.session.is_some());
        let sessions = self.sessions.values().map(|session| (session.tenant, session.bytes()));
        let retained = self.retained.iter().map(|(tenant, topics)| {
            (*tenant, topics.values().map(|place| u64::from(place.bytes)).sum())
        });
        self.tenants = HashMap::new();
        for (tenant, bytes) in sessions.chain(retained) {
            *self.tenants.entry(tenant).or_default() += bytes;
        }
        self.live_bytes = self.tenants.values().sum();
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
