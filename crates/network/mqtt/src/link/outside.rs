//! An outside broker, by rumqttc: one task owns the connection, fills the inbox and answers who waits.

mod dial;
mod v3;
mod v5;

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use weir_connect::{Clock, ErrorKind};

use super::acks::Acks;
use super::inbox::Inbox;
use super::{Link, LinkError, Message, Opening, Qos};
use crate::settings::{Outside, Version};

/// Largest packet that is taken from a broker. What is larger ends the connection, so it is far beyond what a
/// point may hold.
const PACKET_BYTES_MAX: u32 = 16 << 20;

/// Largest payload that is published.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// Messages that a broker may send ahead of their acknowledgement, where it asks (MQTT 5).
const RECEIVE_MAX: u16 = 1000;

/// Our own messages that may wait for their acknowledgement.
const INFLIGHT_MAX: u16 = 16;

/// Requests that may wait for the connection: an acknowledgement for every packet identifier, and some more.
const REQUESTS_MAX: usize = 70_000;

/// Filters of one packet, so that it stays small.
const FILTERS_MAX: usize = 64;

/// Bytes of the filters of one packet.
const FILTER_BYTES_MAX: usize = 64 * 1024;

/// What a connection says.
enum Event {
    /// A message, with its packet identifier where the quality is above 0.
    Message { topic: Arc<str>, payload: Bytes, retained: bool, packet: Option<Packet> },
    /// A subscription left with this packet identifier.
    Subscribing(u16),
    /// It was answered.
    Subscribed(u16, Vec<Result<(), String>>),
    /// A message of ours left; 0 for one that is not acknowledged.
    Publishing(u16),
    /// It was answered.
    Published(u16, Result<(), String>),
    /// The broker was asked whether it is there.
    Ping,
    /// Something else came from the broker.
    Heard,
    /// Something else left.
    Sent,
}

/// A packet identifier, and whether its message has quality 2 (of a subscription that somebody else made
/// under our name).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) identifier: u16,
    pub(super) exactly_once: bool,
}

/// A connection of either version.
trait Engine: Send + 'static {
    /// The interval of pings that was agreed upon.
    fn keep_alive(&self) -> Duration;

    fn poll(&mut self) -> impl Future<Output = Result<Event, LinkError>> + Send;
}

/// What the connection's task is asked through.
#[derive(Clone)]
enum Sender {
    V3(rumqttc::AsyncClient),
    V5(rumqttc::v5::AsyncClient),
}

/// Connects.
pub(super) async fn open(
    outside: &Outside,
    time: Duration,
    opening: Opening,
) -> Result<Box<dyn Link>, LinkError> {
    let deadline = Instant::now() + time;
    let dial = dial::Dial::new(outside, time).await?;
    let link: OutsideLink = match outside.version {
        Version::V3 => {
            let (sender, mut engine) = v3::engine(outside, &dial, &opening);
            let resumed = connected(engine.connect(), deadline, time, &dial).await?;
            OutsideLink::start(Sender::V3(sender), engine, resumed, time, opening)
        }
        Version::V5 => {
            let (sender, mut engine) = v5::engine(outside, &dial, &opening);
            let resumed = connected(engine.connect(), deadline, time, &dial).await?;
            OutsideLink::start(Sender::V5(sender), engine, resumed, time, opening)
        }
    };
    Ok(Box::new(link))
}

async fn connected(
    connect: impl Future<Output = Result<bool, LinkError>>,
    deadline: Instant,
    time: Duration,
    dial: &dial::Dial,
) -> Result<bool, LinkError> {
    match timeout_at(deadline, AssertUnwindSafe(connect).catch_unwind()).await {
        Ok(Ok(Ok(resumed))) => Ok(resumed),
        Ok(Ok(Err(error))) => Err(dial.explain(error)),
        Ok(Err(_)) => Err(failed()),
        Err(_) => {
            let cause = "the broker did not accept the connection (is it MQTT, and is TLS as it should be?)";
            Err(dial.explain(LinkError::silence(cause, time)))
        }
    }
}

fn failed() -> LinkError {
    LinkError::new(
        ErrorKind::Protocol,
        "what the broker sent is not MQTT, or our library fails at it",
    )
}

struct OutsideLink {
    sender: Sender,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    resumed: bool,
    time: Duration,
    expects_receipts: bool,
}

/// What the task and the link share.
struct Shared {
    inbox: Inbox,
    acks: Mutex<Option<Arc<Acks>>>,
    asked: Mutex<Asked>,
    clock: Arc<dyn Clock>,
    persistent: bool,
}

type Subscribed = oneshot::Sender<Vec<Result<(), String>>>;
type Published = oneshot::Sender<Result<(), String>>;

/// Who waits for an answer: in the order of asking until the packet left, then by its identifier.
#[derive(Default)]
struct Asked {
    subscribes: VecDeque<Subscribed>,
    subscribing: HashMap<u16, Subscribed>,
    publishes: VecDeque<Published>,
    publishing: HashMap<u16, Published>,
}

impl OutsideLink {
    fn start<E: Engine>(
        sender: Sender,
        engine: E,
        resumed: bool,
        time: Duration,
        opening: Opening,
    ) -> Self {
        let shared = Arc::new(Shared {
            inbox: Inbox::default(),
            acks: Mutex::default(),
            asked: Mutex::default(),
            clock: opening.clock,
            persistent: opening.persistent,
        });
        let acks = acks(sender.clone(), &shared);
        *shared.acks.lock().unwrap_or_else(PoisonError::into_inner) = Some(acks);
        let patience = engine.keep_alive() + time;
        let owned = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let run = AssertUnwindSafe(run(engine, &owned, patience, time)).catch_unwind();
            let reason = run.await.unwrap_or_else(|_| failed());
            owned.end(reason);
        });
        let expects_receipts = opening.receipts;
        Self { sender, shared, task, resumed, time, expects_receipts }
    }
}

/// Acknowledgements go to the task; where a message was not stored, the connection ends, because a broker sends
/// it again only to a new one.
fn acks(sender: Sender, shared: &Arc<Shared>) -> Arc<Acks> {
    let weak = Arc::downgrade(shared);
    let lost = move || {
        if let Some(shared) = weak.upgrade() {
            let cause =
                "samples could not be stored; connecting anew, so that the broker sends them again";
            shared.end(LinkError::new(ErrorKind::Disconnected, cause));
        }
    };
    // A full queue cannot be: it has room for every packet identifier.
    Acks::new(Box::new(move |packet| sender.acknowledge(packet)), Box::new(lost))
}

/// Lets the connection live until it ends, and says why it did.
async fn run<E: Engine>(
    mut engine: E,
    shared: &Shared,
    patience: Duration,
    time: Duration,
) -> LinkError {
    let mut asked_since: Option<Instant> = None;
    loop {
        let wait = match asked_since {
            Some(since) => (since + time).saturating_duration_since(Instant::now()),
            None => patience,
        };
        let event = match timeout(wait, engine.poll()).await {
            Err(_) => return LinkError::silence("the broker did not answer a ping", time),
            Ok(Err(error)) => return error,
            Ok(Ok(event)) => event,
        };
        match event {
            Event::Ping => asked_since = asked_since.or(Some(Instant::now())),
            Event::Sent | Event::Subscribing(_) | Event::Publishing(_) => {}
            _ => asked_since = None,
        }
        if let Err(error) = shared.take_in(event) {
            return error;
        }
        if let Some(reason) = shared.inbox.ended() {
            return reason;
        }
    }
}

impl Shared {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, reason: LinkError) {
        self.inbox.end(reason, self.persistent);
        // Dropping the senders tells who waits.
        let asked = std::mem::take(&mut *self.asked());
        drop(asked);
    }

    fn take_in(&self, event: Event) -> Result<(), LinkError> {
        match event {
            Event::Message { topic, payload, retained, packet } => {
                let receipt = packet.and_then(|packet| {
                    let acks = self.acks.lock().unwrap_or_else(PoisonError::into_inner);
                    acks.as_ref().map(|acks| acks.receipt(packet))
                });
                let arrived = self.clock.now();
                self.inbox.push(Message { topic, payload, retained, arrived, receipt })?;
            }
            Event::Subscribing(packet) => {
                let mut asked = self.asked();
                if let Some(waiting) = asked.subscribes.pop_front() {
                    asked.subscribing.insert(packet, waiting);
                }
            }
            Event::Subscribed(packet, answers) => {
                if let Some(waiting) = self.asked().subscribing.remove(&packet) {
                    // Who no longer waits does not need it.
                    let _ = waiting.send(answers);
                }
            }
            Event::Publishing(packet) => {
                let mut asked = self.asked();
                if let Some(waiting) = asked.publishes.pop_front() {
                    if packet == 0 {
                        let _ = waiting.send(Ok(()));
                    } else {
                        asked.publishing.insert(packet, waiting);
                    }
                }
            }
            Event::Published(packet, answer) => {
                if let Some(waiting) = self.asked().publishing.remove(&packet) {
                    let _ = waiting.send(answer);
                }
            }
            Event::Ping | Event::Heard | Event::Sent => {}
        }
        Ok(())
    }
}

impl OutsideLink {
    fn ended(&self) -> LinkError {
        let ended = self.shared.inbox.ended();
        ended.unwrap_or_else(|| LinkError::new(ErrorKind::Disconnected, "the connection has ended"))
    }

    async fn subscribe_some(
        &mut self,
        filters: &[String],
        qos: Qos,
    ) -> Result<Vec<Result<(), String>>, LinkError> {
        let (waiting, answer) = oneshot::channel();
        {
            // Under the lock, so that answers meet their askers in order.
            let mut asked = self.shared.asked();
            asked.subscribes.push_back(waiting);
            if !self.sender.subscribe(filters, qos) {
                drop(asked);
                return Err(self.ended());
            }
        }
        match timeout(self.time, answer).await {
            Ok(Ok(answers)) if answers.len() == filters.len() => Ok(answers),
            Ok(Ok(_)) => {
                let cause = "the broker answered a subscription with another number of answers";
                Err(LinkError::new(ErrorKind::Protocol, cause))
            }
            Ok(Err(_)) => Err(self.ended()),
            Err(_) => {
                Err(LinkError::silence("the broker did not answer a subscription", self.time))
            }
        }
    }
}

#[async_trait]
impl Link for OutsideLink {
    fn resumed(&self) -> bool {
        self.resumed
    }

    async fn subscribe(
        &mut self,
        filters: &[String],
        qos: Qos,
    ) -> Result<Vec<Result<(), String>>, LinkError> {
        let mut answers = Vec::with_capacity(filters.len());
        let mut rest = filters;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |filter: &&String| {
                bytes += filter.len();
                bytes <= FILTER_BYTES_MAX
            };
            let count = rest.iter().take(FILTERS_MAX).take_while(fits).count().max(1);
            let (some, more) = rest.split_at(count);
            answers.extend(self.subscribe_some(some, qos).await?);
            rest = more;
        }
        Ok(answers)
    }

    async fn ready(&mut self) {
        self.shared.inbox.ready().await;
    }

    fn take(&mut self, max: usize) -> Result<Vec<Message>, LinkError> {
        let mut messages = self.shared.inbox.take(max)?;
        if !self.expects_receipts {
            for receipt in messages.iter_mut().filter_map(|message| message.receipt.take()) {
                receipt.settle(weir_connect::Settled::Stored);
            }
        }
        Ok(messages)
    }

    fn is_waiting(&self) -> bool {
        self.shared.inbox.is_waiting()
    }

    fn missed(&mut self) -> u64 {
        self.shared.inbox.missed()
    }

    async fn publish(
        &mut self,
        topic: &str,
        payload: Bytes,
        qos: Qos,
        retain: bool,
    ) -> Result<(), LinkError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            let cause = format!(
                "a message of {} bytes is not published: at most {PAYLOAD_BYTES_MAX}",
                payload.len()
            );
            return Err(LinkError::new(ErrorKind::OutOfLimits, cause));
        }
        let (waiting, answer) = oneshot::channel();
        {
            let mut asked = self.shared.asked();
            asked.publishes.push_back(waiting);
            if !self.sender.publish(topic, payload, qos, retain) {
                drop(asked);
                return Err(self.ended());
            }
        }
        match timeout(self.time, answer).await {
            Ok(Ok(answer)) => answer.map_err(|reason| {
                LinkError::new(
                    ErrorKind::Rejected,
                    format!("the broker refuses the message: {reason}"),
                )
            }),
            Ok(Err(_)) => Err(self.ended()),
            Err(_) => {
                Err(LinkError::silence("the broker did not acknowledge the message", self.time))
            }
        }
    }
}

impl Drop for OutsideLink {
    fn drop(&mut self) {
        // The connection ends with its task. There is no DISCONNECT: the broker then says our will.
        self.task.abort();
    }
}

impl Sender {
    fn subscribe(&self, filters: &[String], qos: Qos) -> bool {
        match self {
            Self::V3(client) => {
                let filters: Vec<_> = filters
                    .iter()
                    .map(|f| rumqttc::SubscribeFilter::new(f.clone(), v3::wire(qos)))
                    .collect();
                client.try_subscribe_many(filters).is_ok()
            }
            Self::V5(client) => {
                let filters: Vec<_> = filters
                    .iter()
                    .map(|f| rumqttc::v5::mqttbytes::v5::Filter::new(f.clone(), v5::wire(qos)))
                    .collect();
                client.try_subscribe_many(filters).is_ok()
            }
        }
    }

    fn publish(&self, topic: &str, payload: Bytes, qos: Qos, retain: bool) -> bool {
        match self {
            Self::V3(client) => client.try_publish(topic, v3::wire(qos), retain, payload).is_ok(),
            Self::V5(client) => client.try_publish(topic, v5::wire(qos), retain, payload).is_ok(),
        }
    }

    fn acknowledge(&self, packet: Packet) {
        // A connection that has ended needs no acknowledgements.
        match self {
            Self::V3(client) => drop(client.try_ack(&v3::acknowledged(packet))),
            Self::V5(client) => drop(client.try_ack(&v5::acknowledged(packet))),
        }
    }
}

#[cfg(test)]
mod tests;
