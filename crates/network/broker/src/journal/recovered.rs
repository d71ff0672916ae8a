//! What the journal held when the broker was opened.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::journal::record::{QueuedRecord, Record, SessionId, SessionRecord, SubscriptionOptions};
use crate::message::Message;

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Recovered {
    pub(crate) sessions: HashMap<SessionId, RecoveredSession>,
    pub(crate) retained: HashMap<(u32, String), Message>,
    /// The largest session number in any record, also of sessions that have ended: records that came
    /// after their end must not be those of a new one.
    pub(crate) session_last: SessionId,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct RecoveredSession {
    pub(crate) record: Option<SessionRecord>,
    pub(crate) subscriptions: HashMap<String, SubscriptionOptions>,
    /// None: PUBREC came, PUBREL is to be sent.
    pub(crate) queue: BTreeMap<u64, Option<QueuedRecord>>,
    pub(crate) received: HashSet<u16>,
}

impl Recovered {
    pub(crate) fn apply(&mut self, record: Record) {
        self.session_last = self.session_last.max(record.session().unwrap_or_default());
        match record {
            Record::Session(id, record) => self.session(id).record = Some(record),
            Record::SessionRemoved(id) => drop(self.sessions.remove(&id)),
            Record::Subscription(id, filter, options) => {
                self.session(id).subscriptions.insert(filter, options);
            }
            Record::SubscriptionRemoved(id, filter) => {
                self.session(id).subscriptions.remove(&filter);
            }
            Record::Queued(id, sequence, queued) => {
                self.session(id).queue.insert(sequence, Some(queued));
            }
            Record::Released(id, sequence) => {
                self.session(id).queue.insert(sequence, None);
            }
            Record::QueuedRemoved(id, sequence) => {
                self.session(id).queue.remove(&sequence);
            }
            Record::Received(id, packet_id) => {
                self.session(id).received.insert(packet_id);
            }
            Record::ReceivedRemoved(id, packet_id) => {
                self.session(id).received.remove(&packet_id);
            }
            Record::Retained(tenant, message) => {
                self.retained.insert((tenant, message.topic.to_string()), message);
            }
            Record::RetainedRemoved(tenant, topic) => {
                self.retained.remove(&(tenant, topic));
            }
        }
    }

    fn session(&mut self, id: SessionId) -> &mut RecoveredSession {
        self.sessions.entry(id).or_default()
    }

    /// Forgets what belongs to no session.
    pub(crate) fn forget_orphans(&mut self) {
        self.sessions.retain(|_, session| session.record.is_some());
    }
}
