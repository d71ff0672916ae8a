//! A message on its way to all subscribers of a tenant.

use std::sync::Arc;

use bytes::Bytes;
use weir_model::Timestamp;

use crate::acks::Acks;
use crate::broker::Inner;
use crate::counters::Counters;
use crate::error::PublishError;
use crate::journal::record::Entry;
use crate::local::{Incoming, LocalQueue, LocalReceipt};
use crate::message::{Message, Qos, now, now_ms};
use crate::retained::Kept;
use crate::router::{Route, Subscriber, Target};
use crate::session::{Delivery, Session};
use crate::tenant::Tenant;
use crate::topic;

/// A smaller payload is copied out of what the socket delivered: otherwise a message that waits long
/// could keep 64 KiB of its neighbours alive.
const COPY_BYTES_MAX: usize = 4096;

/// Who publishes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// A client's session, and when its message came.
    Session(u64, Timestamp),
    /// A local publisher, which does not get its own messages.
    Local(&'a LocalQueue),
    /// A client that has gone.
    Will,
}

/// What has to be awaited before the publisher is told that its message is safe.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) receipts: u16,
    pub(crate) journaled: bool,
    /// There was a subscriber.
    pub(crate) matched: bool,
    /// A queue that is now full.
    pub(crate) full: Option<FullQueue>,
}

/// Whose queue is full: the publisher has to wait.
#[derive(Debug, Clone)]
pub(crate) enum FullQueue {
    Local(Arc<LocalQueue>),
    Session(Arc<Session>),
}

/// The store of the tenant is at its bound: nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverQuota;

impl Tenant {
    /// Retains the message if it asks for that, and gives it to all subscribers.
    pub(crate) fn publish(
        &self,
        broker: &Inner,
        route: &Route,
        mut message: Message,
        origin: Origin<'_>,
        receipts: Option<(&Arc<Acks>, u64)>,
    ) -> Result<Published, OverQuota> {
        if !self.fits(route, &message) {
            self.journal.refused();
            return Err(OverQuota);
        }
        if message.payload.len() <= COPY_BYTES_MAX && !message.payload.is_empty() {
            message.payload = Bytes::copy_from_slice(&message.payload);
        }
        let mut fan = FanOut {
            tenant: self,
            broker,
            arrived: match origin {
                Origin::Session(_, arrived) => arrived,
                Origin::Local(_) | Origin::Will => now(),
            },
            origin,
            receipts,
            shared: None,
            published: Published::default(),
            dropped: 0,
            message,
        };
        if fan.message.retain {
            fan.retain()?;
        }
        for target in &route.targets {
            fan.give(target);
        }
        for group in &route.groups {
            if let Some(target) = group.pick(&broker.limits, fan.message.qos) {
                fan.give(target);
            }
        }
        Counters::add(&broker.counters.dropped, fan.dropped);
        Ok(fan.published)
    }

    /// Publishes what did not come over a connection; says whether the journal has to be awaited.
    pub(crate) fn publish_local(
        &self,
        broker: &Inner,
        message: Message,
        origin: Origin<'_>,
    ) -> Result<bool, PublishError> {
        if broker.is_closed() {
            return Err(PublishError::Closed);
        }
        topic::check_name(&message.topic, broker.limits.topic())?;
        if message.weight() > broker.limits.packet_bytes_max {
            return Err(PublishError::Large(broker.limits.packet_bytes_max));
        }
        let route = self.route(&message.topic);
        if message.qos > Qos::AtMostOnce && matches!(origin, Origin::Local(_)) {
            let full = route.targets.iter().any(|target| match &target.subscriber {
                Subscriber::Local { queue, .. } => queue.is_full(),
                Subscriber::Session(session) => session.holds(&broker.limits),
            });
            if full {
                return Err(PublishError::Full);
            }
        }
        match self.publish(broker, &route, message, origin, None) {
            Ok(published) => Ok(published.journaled),
            Err(OverQuota) => Err(PublishError::Quota),
        }
    }

    /// Removes retained messages that have expired.
    pub(crate) fn expire_retained(&self, broker: &Inner) {
        /// Removed at a time, so that publishers wait for the lock only shortly.
        const BATCH: usize = 1000;
        let now = now_ms();
        loop {
            let topics = self.retained().expired(now, BATCH);
            let mut retained = self.retained_mut();
            for topic in &topics {
                if retained.remove_expired(topic, now) {
                    let removed = Entry::RetainedRemoved(self.id.0, topic);
                    broker.journal.append(&self.journal, &removed);
                }
            }
            if topics.len() < BATCH {
                return;
            }
        }
    }

    /// Removes messages that have expired from the queues of sessions.
    pub(crate) fn expire_queued(&self, broker: &Inner) {
        let now = now_ms();
        for session in self.all_sessions() {
            Counters::add(&broker.counters.dropped, session.expire(&broker.journal, now));
        }
    }

    /// Whether the journal has room for the message: each kept session gets a copy of its own there.
    fn fits(&self, route: &Route, message: &Message) -> bool {
        let retained = u64::from(message.retain && !message.payload.is_empty());
        let queued = message.qos > Qos::AtMostOnce && route.has_sessions;
        if retained == 0 && !queued {
            return true;
        }
        let room = self.journal.room();
        let weight = message.weight() as u64;
        let fit = |copies: usize| weight.saturating_mul(copies as u64 + retained) <= room;
        // Counting asks each session; far from the bound, nobody is asked.
        fit(if queued { route.targets.len() + route.groups.len() } else { 0 })
            || (queued && fit(route.durable_targets()))
    }
}

struct FanOut<'a> {
    tenant: &'a Tenant,
    broker: &'a Inner,
    message: Message,
    origin: Origin<'a>,
    arrived: Timestamp,
    receipts: Option<(&'a Arc<Acks>, u64)>,
    /// The message as sessions hold it, made when the first one needs it.
    shared: Option<Arc<Message>>,
    published: Published,
    dropped: u64,
}

impl FanOut<'_> {
    fn retain(&mut self) -> Result<(), OverQuota> {
        let limits = &self.broker.limits;
        let (messages_max, bytes_max) = (limits.retained_messages_max, limits.retained_bytes_max);
        let message = Arc::new(self.message.detached());
        let mut retained = self.tenant.retained_mut();
        // The record is added under the lock, so that the journal has the same order as memory.
        match retained.put(Arc::clone(&message), messages_max, bytes_max) {
            Kept::Full => return Err(OverQuota),
            Kept::Removed { existed: false } => {}
            Kept::Removed { existed: true } => {
                let removed = Entry::RetainedRemoved(self.tenant.id.0, &message.topic);
                self.broker.journal.append(&self.tenant.journal, &removed);
                self.published.journaled = true;
            }
            Kept::Stored => {
                let stored = Entry::Retained(self.tenant.id.0, &message);
                self.broker.journal.append(&self.tenant.journal, &stored);
                self.published.journaled = true;
                self.shared = Some(Arc::clone(&message));
            }
        }
        Ok(())
    }

    fn give(&mut self, target: &Target) {
        let qos = self.message.qos.min(target.qos);
        match &target.subscriber {
            Subscriber::Local { queue, receipts } => self.give_local(queue, *receipts, qos),
            Subscriber::Session(session) => {
                if target.no_local
                    && matches!(self.origin, Origin::Session(id, _) if id == session.id)
                {
                    return;
                }
                self.published.matched = true;
                let message = self.shared.get_or_insert_with(|| {
                    Arc::new(match self.message.properties {
                        Some(_) => self.message.detached(),
                        None => self.message.clone(),
                    })
                });
                let delivery = Delivery {
                    qos,
                    retain: target.retain_as_published && self.message.retain,
                    identifiers: target.identifiers.clone(),
                    unbounded: false,
                };
                let (journal, limits) = (&self.broker.journal, &self.broker.limits);
                let delivered = session.deliver(journal, limits, message, delivery);
                self.published.journaled |= delivered.journaled;
                self.dropped += delivered.dropped;
                if delivered.holds && self.published.full.is_none() {
                    self.published.full = Some(FullQueue::Session(Arc::clone(session)));
                }
            }
        }
    }

    fn give_local(&mut self, queue: &Arc<LocalQueue>, receipts: bool, qos: Qos) {
        if matches!(self.origin, Origin::Local(own) if own.id == queue.id) {
            return;
        }
        self.published.matched = true;
        let receipt = match self.receipts {
            Some((acks, sequence)) if receipts && qos > Qos::AtMostOnce => {
                self.published.receipts += 1;
                Some(LocalReceipt::new(Arc::clone(acks), sequence))
            }
            _ => None,
        };
        let full = queue.push(Incoming {
            topic: Arc::clone(&self.message.topic),
            payload: self.message.payload.clone(),
            qos,
            retain: self.message.retain,
            retained: false,
            arrived: self.arrived,
            receipt,
        });
        if full {
            self.published.full = Some(FullQueue::Local(Arc::clone(queue)));
        }
    }
}
