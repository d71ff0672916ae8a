//! The retained messages of a tenant.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::message::Message;
use crate::topic;

#[derive(Debug, Default)]
pub(crate) struct Retained {
    messages: BTreeMap<Arc<str>, Arc<Message>>,
    bytes: usize,
}

/// What became of a message that was to be retained.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Stored,
    /// An empty payload removed what was there (MQTT 5, 3.3.1.3), or there was nothing.
    Removed {
        existed: bool,
    },
    /// Beyond a limit.
    Full,
}

impl Retained {
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether this message can be kept.
    pub(crate) fn has_room(
        &self,
        message: &Message,
        messages_max: usize,
        bytes_max: usize,
    ) -> bool {
        let old = self.messages.get(&message.topic);
        let count = self.messages.len() + usize::from(old.is_none());
        let bytes = self.bytes - old.map_or(0, |m| m.weight()) + message.weight();
        message.payload.is_empty() || (count <= messages_max && bytes <= bytes_max)
    }

    pub(crate) fn put(
        &mut self,
        message: Arc<Message>,
        messages_max: usize,
        bytes_max: usize,
    ) -> Kept {
        if message.payload.is_empty() {
            let old = self.messages.remove(&message.topic);
            self.bytes -= old.as_ref().map_or(0, |m| m.weight());
            return Kept::Removed { existed: old.is_some() };
        }
        if !self.has_room(&message, messages_max, bytes_max) {
            return Kept::Full;
        }
        self.bytes += message.weight();
        let old = self.messages.insert(Arc::clone(&message.topic), message);
        self.bytes -= old.map_or(0, |m| m.weight());
        Kept::Stored
    }

    /// The messages that match a filter and have not expired, and how many were looked at.
    pub(crate) fn matching(&self, filter: &str, now_ms: i64) -> (Vec<Arc<Message>>, usize) {
        // All names that match begin with what stands before the first wildcard.
        let prefix = filter.split(['+', '#']).next().unwrap_or_default();
        if prefix.len() == filter.len() {
            let found = self.messages.get(filter).filter(|m| !m.is_expired(now_ms));
            return (found.cloned().into_iter().collect(), 1);
        }
        let parent = prefix.strip_suffix('/').unwrap_or(prefix); // `a/#` also matches `a`
        let mut visited = 0;
        let found = self
            .messages
            .range::<str, _>((Bound::Included(parent), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(parent))
            .inspect(|_| visited += 1)
            .filter(|(name, message)| topic::matches(filter, name) && !message.is_expired(now_ms))
            .map(|(_, message)| Arc::clone(message))
            .collect();
        (found, visited)
    }

    /// Topics whose messages have expired, at most `max`.
    pub(crate) fn expired(&self, now_ms: i64, max: usize) -> Vec<Arc<str>> {
        let expired = self.messages.iter().filter(|(_, m)| m.is_expired(now_ms));
        expired.take(max).map(|(topic, _)| Arc::clone(topic)).collect()
    }

    /// Removes a message if it has expired.
    pub(crate) fn remove_expired(&mut self, topic: &str, now_ms: i64) -> bool {
        if !self.messages.get(topic).is_some_and(|m| m.is_expired(now_ms)) {
            return false;
        }
        let old = self.messages.remove(topic);
        self.bytes -= old.map_or(0, |m| m.weight());
        true
    }
}

#[cfg(test)]
mod tests;
