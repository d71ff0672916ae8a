//! Subscriptions of sessions and of local subscribers.

use std::sync::{Arc, PoisonError};

use rmqtt_codec::v5::RetainHandling;

use crate::broker::Inner;
use crate::error::SubscribeError;
use crate::journal::record::{Entry, SubscriptionOptions};
use crate::local::{Incoming, LocalQueue};
use crate::message::{Qos, now, now_ms};
use crate::router::Subscriber;
use crate::session::{Delivery, Session};
use crate::tenant::Tenant;
use crate::tenant::publish::OverQuota;
use crate::topic::{Filter, parse_filter};
use crate::wire::reason;

/// Bytes of all filters of a session, `$share/group/` included. They are held in the session, in the
/// tree and in the journal, so that their number alone bounds little. One filter of the greatest
/// length that MQTT can express fits.
pub(crate) const FILTER_BYTES_MAX: usize = 64 * 1024;

/// A subscription as a client asked for it.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// As it was written, with `$share/group/`.
    pub(crate) text: &'a str,
    pub(crate) filter: Filter<'a>,
    pub(crate) options: SubscriptionOptions,
    pub(crate) retain_handling: RetainHandling,
}

impl Tenant {
    /// Subscribes a session; the reason code for SUBACK, and whether the journal has a record of it.
    /// `visits` is what the SUBSCRIBE may still look at of retained messages.
    pub(crate) fn subscribe(
        &self,
        broker: &Inner,
        session: &Arc<Session>,
        epoch: u64,
        asked: &Asked<'_>,
        visits: &mut usize,
    ) -> (u8, bool) {
        if *visits == 0 {
            return (reason::QUOTA, false);
        }
        let (new, durable) = {
            let mut state = session.state();
            if state.epoch != epoch || state.ended {
                return (reason::ADMINISTRATIVE, false);
            }
            let known = state.subscriptions.contains_key(asked.text);
            if !known {
                let held = || state.subscriptions.keys().map(|filter| filter.len()).sum::<usize>();
                if state.subscriptions.len() >= broker.limits.subscriptions_max
                    || held() + asked.text.len() > FILTER_BYTES_MAX
                {
                    return (reason::QUOTA, false);
                }
                if state.durable && self.journal.room() < asked.text.len() as u64 {
                    self.journal.refused();
                    return (reason::QUOTA, false);
                }
            }
            state.subscriptions.insert(Arc::from(asked.text), asked.options);
            if state.durable {
                let record = Entry::Subscription(session.id, asked.text, asked.options);
                broker.journal.append(&session.share, &record);
            }
            // Still under the session's lock: a session that ends takes its subscriptions along.
            let subscriber = Subscriber::Session(Arc::clone(session));
            let new = self.router_mut().insert(asked.filter, subscriber, asked.options);
            (new, state.durable)
        };
        self.forget_routes();
        let wanted = match asked.retain_handling {
            RetainHandling::AtSubscribe => true,
            RetainHandling::AtSubscribeNew => new,
            RetainHandling::NoAtSubscribe => false,
        };
        if wanted && asked.filter.group.is_none() {
            let (visited, sent) = self.send_retained(broker, session, durable, asked);
            *visits = visits.saturating_sub(visited);
            if sent.is_err() {
                // What was refused does not stand; what stood before is left.
                if new {
                    self.unsubscribe(broker, session, epoch, asked.text);
                }
                return (reason::QUOTA, durable);
            }
        }
        (asked.options.qos.number(), durable)
    }

    /// Says how many retained messages were looked at, and whether they could be sent.
    fn send_retained(
        &self,
        broker: &Inner,
        session: &Session,
        durable: bool,
        asked: &Asked<'_>,
    ) -> (usize, Result<(), OverQuota>) {
        // What is already retained may overrun the bound of the queue, once: a client that subscribes
        // again and again without reading gets no more.
        if session.is_full(&broker.limits) {
            return (0, Ok(()));
        }
        let (messages, visited) = self.retained().matching(asked.filter.filter, now_ms());
        if durable && asked.options.qos > Qos::AtMostOnce {
            let copied = messages.iter().filter(|message| message.qos > Qos::AtMostOnce);
            let bytes: u64 = copied.map(|message| message.weight() as u64).sum();
            if bytes > self.journal.room() {
                self.journal.refused();
                return (visited, Err(OverQuota));
            }
        }
        let identifiers = asked.options.identifier.map(|i| Arc::from([i]));
        let mut dropped = 0;
        for message in messages {
            let delivery = Delivery {
                qos: message.qos.min(asked.options.qos),
                retain: true,
                identifiers: identifiers.clone(),
                unbounded: true,
            };
            let delivered = session.deliver(&broker.journal, &broker.limits, &message, delivery);
            dropped += delivered.dropped;
        }
        crate::counters::Counters::add(&broker.counters.dropped, dropped);
        (visited, Ok(()))
    }

    /// Ends a subscription; the reason code for UNSUBACK.
    pub(crate) fn unsubscribe(
        &self,
        broker: &Inner,
        session: &Session,
        epoch: u64,
        text: &str,
    ) -> (u8, bool) {
        let Ok(filter) = parse_filter(text, broker.limits.topic()) else {
            return (reason::FILTER_INVALID, false);
        };
        let durable = {
            let mut state = session.state();
            if state.epoch != epoch || state.subscriptions.remove(text).is_none() {
                return (reason::NO_SUBSCRIPTION, false);
            }
            if state.durable {
                let removed = Entry::SubscriptionRemoved(session.id, text);
                broker.journal.append(&session.share, &removed);
            }
            self.router_mut().remove(filter, session.id);
            state.durable
        };
        self.forget_routes();
        (reason::SUCCESS, durable)
    }

    pub(crate) fn subscribe_local(
        &self,
        broker: &Inner,
        queue: &Arc<LocalQueue>,
        text: &str,
        qos: Qos,
        receipts: bool,
    ) -> Result<(), SubscribeError> {
        let filter = parse_filter(text, broker.limits.topic())?;
        {
            let mut filters = queue.filters.lock().unwrap_or_else(PoisonError::into_inner);
            if !filters.contains(text) && filters.len() >= broker.limits.subscriptions_max {
                return Err(SubscribeError::Many(broker.limits.subscriptions_max));
            }
            filters.insert(text.to_owned());
        }
        let options = SubscriptionOptions {
            qos,
            no_local: true,
            retain_as_published: true,
            identifier: None,
        };
        let subscriber = Subscriber::Local { queue: Arc::clone(queue), receipts };
        self.router_mut().insert(filter, subscriber, options);
        self.forget_routes();
        if filter.group.is_none() {
            let arrived = now();
            for message in self.retained().matching(filter.filter, now_ms()).0 {
                queue.push(Incoming {
                    topic: Arc::clone(&message.topic),
                    payload: message.payload.clone(),
                    qos: message.qos.min(qos),
                    retain: true,
                    retained: true,
                    arrived,
                    receipt: None,
                });
            }
        }
        Ok(())
    }

    pub(crate) fn unsubscribe_local(&self, queue: &LocalQueue, text: &str) -> bool {
        let known = queue.filters.lock().unwrap_or_else(PoisonError::into_inner).remove(text);
        if known {
            self.remove_filters(queue.id, std::iter::once(text));
        }
        known
    }

    pub(crate) fn forget_local(&self, queue: &LocalQueue) {
        let filters =
            std::mem::take(&mut *queue.filters.lock().unwrap_or_else(PoisonError::into_inner));
        self.remove_filters(queue.id, filters.iter().map(String::as_str));
    }

    /// Removes subscriptions of one subscriber from the tree.
    pub(crate) fn remove_filters<'a>(&self, id: u64, filters: impl Iterator<Item = &'a str>) {
        // What is in the tree was checked when it came in.
        let unlimited = crate::topic::TopicLimits { bytes_max: usize::MAX, levels_max: usize::MAX };
        {
            let mut router = self.router_mut();
            for text in filters {
                if let Ok(filter) = parse_filter(text, unlimited) {
                    router.remove(filter, id);
                }
            }
        }
        self.forget_routes();
    }

    /// Puts a recovered subscription into the tree.
    pub(crate) fn restore(&self, session: &Arc<Session>, text: &str, options: SubscriptionOptions) {
        let unlimited = crate::topic::TopicLimits { bytes_max: usize::MAX, levels_max: usize::MAX };
        if let Ok(filter) = parse_filter(text, unlimited) {
            self.router_mut().insert(filter, Subscriber::Session(Arc::clone(session)), options);
        }
    }

    /// Puts a recovered retained message back; whatever the limits are now, it was acknowledged.
    pub(crate) fn restore_retained(&self, message: crate::message::Message) {
        self.retained_mut().put(Arc::new(message), usize::MAX, usize::MAX);
    }
}
