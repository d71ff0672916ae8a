//! The in-process side: a driver subscribes and publishes without a socket.
//!
//! A [`Local`] has one bounded queue. What it subscribed with receipts carries a [`LocalReceipt`]:
//! the publisher's PUBACK or PUBREC waits for it. A full queue stops the reading of the connections
//! that publish to it (QoS above 0), or drops and counts (QoS 0).

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::Notify;
use weir_model::{TenantId, Timestamp};

use crate::acks::Acks;
use crate::broker::Inner;
use crate::error::{PublishError, SubscribeError};
use crate::message::{Message, Qos};
use crate::signal::{Signal, WAKE_ROOM};
use crate::tenant::{Origin, Tenant};

/// What became of a message at a local subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Settled {
    /// It is on disk: the publisher is acknowledged.
    Stored,
    /// It will never be stored: a publisher of MQTT 5 gets reason 0x83 (implementation specific
    /// error), one of 3.1.1 a plain acknowledgement, which is counted. To send it again is of no use.
    Refused,
    /// It was not stored: the publisher is not acknowledged and its connection is closed, so that it
    /// sends the message again.
    Dropped,
}

/// A message that a local subscription brought.
#[derive(Debug)]
pub struct Incoming {
    /// The topic name as published, at most 65,535 bytes of UTF-8.
    pub topic: Arc<str>,
    /// The application message.
    pub payload: Bytes,
    /// The lesser of the publisher's and the subscription's quality of service.
    pub qos: Qos,
    /// The publisher asked that the message be retained.
    pub retain: bool,
    /// The message was retained before the subscription, and is sent because of subscribing.
    pub retained: bool,
    /// When the broker received it.
    pub arrived: Timestamp,
    /// Present when the subscription asked for receipts and the publisher waits for one.
    pub receipt: Option<LocalReceipt>,
}

/// The publisher of one message waits for this. Dropping it says [`Settled::Dropped`].
pub struct LocalReceipt {
    acks: Arc<Acks>,
    sequence: u64,
    settled: bool,
}

impl LocalReceipt {
    pub(crate) fn new(acks: Arc<Acks>, sequence: u64) -> Self {
        Self { acks, sequence, settled: false }
    }

    /// Says what became of the message. Never blocks.
    pub fn settle(mut self, settled: Settled) {
        self.settled = true;
        self.acks.settle(self.sequence, settled);
    }
}

impl Drop for LocalReceipt {
    fn drop(&mut self) {
        if !self.settled {
            self.acks.settle(self.sequence, Settled::Dropped);
        }
    }
}

impl fmt::Debug for LocalReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalReceipt")
    }
}

/// A subscriber and publisher inside the process, in the topic tree of one tenant. Dropping it
/// unsubscribes and drops what waits in its queue.
#[derive(Debug)]
pub struct Local {
    broker: Arc<Inner>,
    tenant: Arc<Tenant>,
    queue: Arc<LocalQueue>,
}

impl Local {
    pub(crate) fn new(broker: Arc<Inner>, tenant: Arc<Tenant>, queue: Arc<LocalQueue>) -> Self {
        Self { broker, tenant, queue }
    }

    /// The tenant whose topic tree this sees.
    pub fn tenant(&self) -> TenantId {
        self.tenant.id
    }

    /// The name that was given, for logs and the console.
    pub fn name(&self) -> &str {
        &self.queue.name
    }

    /// Subscribes to a filter, also `$share/group/filter`. A second call with the same filter
    /// replaces the first. Retained messages that match are queued at once, without receipts.
    ///
    /// With `receipts`, messages of a quality of service above 0 carry a [`LocalReceipt`].
    /// What this `Local` itself publishes does not come back to it.
    ///
    /// # Errors
    /// [`SubscribeError`] when the filter is not one (MQTT 5, 4.7) or is beyond a limit.
    pub fn subscribe(&self, filter: &str, qos: Qos, receipts: bool) -> Result<(), SubscribeError> {
        self.tenant.subscribe_local(&self.broker, &self.queue, filter, qos, receipts)
    }

    /// Ends a subscription; false when there was none. What is queued stays queued.
    pub fn unsubscribe(&self, filter: &str) -> bool {
        self.tenant.unsubscribe_local(&self.queue, filter)
    }

    /// Waits until at least one message is there, moves up to `max` into `into`, and says how many.
    /// 0 means that the broker has shut down. Cancel-safe: nothing is lost when the future is dropped.
    pub async fn next_batch(&mut self, into: &mut Vec<Incoming>, max: usize) -> usize {
        loop {
            let ready = self.queue.ready.notified();
            let taken = self.queue.take(into, max);
            if taken > 0 || max == 0 || self.queue.is_closed() {
                return taken;
            }
            ready.await;
        }
    }

    /// Waits until a message is there, without taking it; also returns when the broker has shut
    /// down. Cancel-safe.
    pub async fn ready(&mut self) {
        loop {
            let ready = self.queue.ready.notified();
            if self.queue.waiting() > 0 || self.queue.is_closed() {
                return;
            }
            ready.await;
        }
    }

    /// Moves up to `max` waiting messages into `into` and says how many, without waiting.
    pub fn try_next_batch(&mut self, into: &mut Vec<Incoming>, max: usize) -> usize {
        self.queue.take(into, max)
    }

    /// Messages in the queue.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Messages of QoS 0 that were dropped because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped.load(Relaxed)
    }

    /// Publishes to every subscriber of the tenant but this one. Nothing is awaited: queues of
    /// persistent sessions and the retained message reach the disk with the next group commit.
    ///
    /// # Errors
    /// [`PublishError`] when the topic is not a topic name, the message is beyond a limit, a local
    /// subscriber's queue is full (QoS above 0), or the broker has shut down. Nothing was sent then.
    pub fn try_publish(
        &self,
        topic: &str,
        payload: Bytes,
        qos: Qos,
        retain: bool,
    ) -> Result<(), PublishError> {
        let message = Message::new(Arc::from(topic), payload, qos, retain);
        self.tenant.publish_local(&self.broker, message, Origin::Local(&self.queue)).map(drop)
    }

    /// As [`Local::try_publish`], and waits until queues of persistent sessions and the retained
    /// message are on disk. Dropping the future does not take the message back.
    ///
    /// # Errors
    /// As [`Local::try_publish`].
    pub async fn publish(
        &self,
        topic: &str,
        payload: Bytes,
        qos: Qos,
        retain: bool,
    ) -> Result<(), PublishError> {
        let message = Message::new(Arc::from(topic), payload, qos, retain);
        let journaled =
            self.tenant.publish_local(&self.broker, message, Origin::Local(&self.queue))?;
        if journaled {
            self.broker.journal.flushed().await.map_err(|_| PublishError::Closed)
        } else {
            Ok(())
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.tenant.forget_local(&self.queue);
        self.queue.close();
    }
}

/// The bounded queue of one [`Local`].
pub(crate) struct LocalQueue {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) dropped: AtomicU64,
    /// Its subscriptions, as they were written.
    pub(crate) filters: Mutex<HashSet<String>>,
    messages_max: usize,
    bytes_max: usize,
    ready: Notify,
    state: Mutex<QueueState>,
}

#[derive(Default)]
struct QueueState {
    items: VecDeque<Incoming>,
    bytes: usize,
    closed: bool,
    /// Connections that stopped reading until there is room. Each is listed once, since a
    /// connection waits for one queue at a time.
    blocked: Vec<Weak<Signal>>,
}

impl LocalQueue {
    pub(crate) fn new(id: u64, name: String, messages_max: usize, bytes_max: usize) -> Self {
        Self {
            id,
            name,
            dropped: AtomicU64::new(0),
            filters: Mutex::default(),
            messages_max,
            bytes_max,
            ready: Notify::new(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message into the queue; true when the queue is now full, so that the publisher has to
    /// stop reading. QoS 0 beyond the bound is dropped and counted. A message of higher quality is
    /// always taken: the bound is overrun by at most one message a connection.
    pub(crate) fn push(&self, incoming: Incoming) -> bool {
        let mut state = self.state();
        if state.closed {
            drop(state);
            return false; // and the receipt says Dropped
        }
        let full = self.full(&state);
        if full && incoming.qos == Qos::AtMostOnce && !incoming.retained {
            drop(state);
            self.dropped.fetch_add(1, Relaxed);
            return false;
        }
        state.bytes += incoming.payload.len() + incoming.topic.len();
        state.items.push_back(incoming);
        let first = state.items.len() == 1;
        let full = self.full(&state);
        drop(state);
        if first {
            self.ready.notify_one();
        }
        full
    }

    fn full(&self, state: &QueueState) -> bool {
        state.items.len() >= self.messages_max || state.bytes >= self.bytes_max
    }

    pub(crate) fn is_full(&self) -> bool {
        let state = self.state();
        !state.closed && self.full(&state)
    }

    /// Wakes the connection when there is room again; false when there is room already.
    pub(crate) fn block(&self, connection: &Arc<Signal>) -> bool {
        let mut state = self.state();
        if state.closed || !self.full(&state) {
            return false;
        }
        state.blocked.push(Arc::downgrade(connection));
        true
    }

    fn take(&self, into: &mut Vec<Incoming>, max: usize) -> usize {
        let mut state = self.state();
        let count = state.items.len().min(max);
        if count == 0 {
            return 0;
        }
        into.reserve(count);
        let mut bytes = 0;
        into.extend(
            state.items.drain(..count).inspect(|i| bytes += i.payload.len() + i.topic.len()),
        );
        state.bytes = state.bytes.saturating_sub(bytes);
        let room = state.items.len() <= self.messages_max / 2 && state.bytes <= self.bytes_max / 2;
        let blocked = if room { std::mem::take(&mut state.blocked) } else { Vec::new() };
        drop(state);
        for connection in blocked.iter().filter_map(Weak::upgrade) {
            connection.wake(WAKE_ROOM);
        }
        count
    }

    fn waiting(&self) -> usize {
        self.state().items.len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let items = std::mem::take(&mut state.items);
        state.bytes = 0;
        let blocked = std::mem::take(&mut state.blocked);
        drop(state);
        drop(items); // outside the lock: each receipt says Dropped to its connection
        self.ready.notify_one();
        for connection in blocked.iter().filter_map(Weak::upgrade) {
            connection.wake(WAKE_ROOM);
        }
    }
}

impl fmt::Debug for LocalQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalQueue").field("name", &self.name).finish_non_exhaustive()
    }
}
