//! Our own broker, in this process: no socket, no password, the device's own tenant.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use weir_broker::{Broker, Incoming, Local, PublishError};
use weir_connect::{Clock, ErrorKind, Receipt, Settled};
use weir_model::TenantId;

use super::{Link, LinkError, Message, Opening, Qos};

/// How long the place of a device that has ended is kept for its next session: longer than a change of its
/// settings takes, and than the supervisor's back-off.
const VACATED_TIME_MAX: Duration = Duration::from_secs(40);

/// The broker of this node.
#[derive(Clone)]
pub struct Inside {
    broker: Broker,
    /// Whose topics are looked at where no device says whose it is.
    tenant: Option<TenantId>,
    vacated: Vacated,
}

/// The places of devices whose session has ended, each until the next session of the device listens. What is
/// published in between waits there without an acknowledgement; when the place is given up, its publishers are
/// told to send again. Otherwise it would be acknowledged, and nobody would have it.
#[derive(Clone, Default)]
struct Vacated(Arc<Mutex<HashMap<Place, (u64, Local)>>>);

/// A device's own name within its tenant.
type Place = (TenantId, String);

impl Vacated {
    fn places(&self) -> MutexGuard<'_, HashMap<Place, (u64, Local)>> {
        // Entries are put and taken whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a place until it is taken or too old.
    fn keep(&self, place: Place, local: Local) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let number = {
            let mut places = self.places();
            let number = places.get(&place).map_or(0, |(number, _)| number + 1);
            places.insert(place.clone(), (number, local));
            number
        };
        let vacated = self.clone();
        runtime.spawn(async move {
            tokio::time::sleep(VACATED_TIME_MAX).await;
            let given_up = {
                let mut places = vacated.places();
                let is_same = places.get(&place).is_some_and(|(now, _)| *now == number);
                is_same.then(|| places.remove(&place)).flatten()
            };
            drop(given_up);
        });
    }

    /// Gives a place up, because its device listens again.
    fn give_up(&self, place: &Place) {
        let given_up = self.places().remove(place);
        drop(given_up);
    }
}

impl Inside {
    /// Links to this broker.
    pub fn new(broker: Broker) -> Self {
        Self { broker, tenant: None, vacated: Vacated::default() }
    }

    /// The same broker, looked at by a tenant.
    #[must_use]
    pub fn within(&self, tenant: TenantId) -> Self {
        Self { tenant: Some(tenant), ..self.clone() }
    }

    pub(super) fn open(&self, opening: Opening) -> Result<Box<dyn Link>, LinkError> {
        let Some(tenant) = opening.tenant.or(self.tenant) else {
            let cause =
                "our own broker shows its topics to the devices of a tenant only: type the topics";
            return Err(LinkError::new(ErrorKind::Unsupported, cause));
        };
        let listening = self.broker.local(tenant, &opening.client_id);
        // What a local subscriber publishes does not come back to it, but a write is read back.
        let speaking = self.broker.local(tenant, &opening.client_id);
        let (receipts, clock) = (opening.receipts, opening.clock);
        Ok(Box::new(InsideLink {
            listening: Some(listening),
            speaking,
            receipts,
            clock,
            missed: 0,
            closed: false,
            place: (tenant, opening.client_id),
            vacated: self.vacated.clone(),
        }))
    }
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inside")
    }
}

struct InsideLink {
    /// There until the link is dropped.
    listening: Option<Local>,
    speaking: Local,
    receipts: bool,
    clock: Arc<dyn Clock>,
    missed: u64,
    /// The broker has shut down.
    closed: bool,
    place: Place,
    vacated: Vacated,
}

impl Drop for InsideLink {
    fn drop(&mut self) {
        // Who owes receipts leaves its place to its next session; a test or a look around does not.
        if let Some(listening) = self.listening.take().filter(|_| self.receipts) {
            self.vacated.keep(self.place.clone(), listening);
        }
    }
}

impl InsideLink {
    fn message(&self, incoming: Incoming) -> Message {
        let receipt = incoming.receipt.map(|receipt| {
            Receipt::new(move |settled| {
                receipt.settle(match settled {
                    Settled::Stored => weir_broker::Settled::Stored,
                    Settled::Refused => weir_broker::Settled::Refused,
                    Settled::Dropped => weir_broker::Settled::Dropped,
                });
            })
        });
        Message {
            topic: incoming.topic,
            payload: incoming.payload,
            retained: incoming.retained,
            arrived: if incoming.retained { self.clock.now() } else { incoming.arrived },
            receipt,
        }
    }
}

#[async_trait]
impl Link for InsideLink {
    fn resumed(&self) -> bool {
        false
    }

    async fn subscribe(
        &mut self,
        filters: &[String],
        qos: Qos,
    ) -> Result<Vec<Result<(), String>>, LinkError> {
        let qos = wire(qos);
        let Some(listening) = &self.listening else { return Ok(Vec::new()) };
        let subscribe = |filter: &String| {
            listening.subscribe(filter, qos, self.receipts).map_err(|error| error.to_string())
        };
        let answers = filters.iter().map(subscribe).collect();
        self.vacated.give_up(&self.place);
        Ok(answers)
    }

    async fn ready(&mut self) {
        let Some(listening) = &mut self.listening else { return };
        listening.ready().await;
        // It also returns when there is nothing to come any more.
        self.closed = listening.waiting() == 0;
    }

    fn take(&mut self, max: usize) -> Result<Vec<Message>, LinkError> {
        let mut incoming = Vec::new();
        if let Some(listening) = &mut self.listening {
            listening.try_next_batch(&mut incoming, max);
        }
        if incoming.is_empty() && self.closed {
            return Err(LinkError::new(ErrorKind::Disconnected, "our own broker has shut down"));
        }
        Ok(incoming.into_iter().map(|incoming| self.message(incoming)).collect())
    }

    fn is_waiting(&self) -> bool {
        self.listening.as_ref().is_some_and(|listening| listening.waiting() > 0)
    }

    fn missed(&mut self) -> u64 {
        let now = self.listening.as_ref().map_or(self.missed, Local::dropped);
        let before = std::mem::replace(&mut self.missed, now);
        self.missed.saturating_sub(before)
    }

    async fn publish(
        &mut self,
        topic: &str,
        payload: Bytes,
        qos: Qos,
        retain: bool,
    ) -> Result<(), LinkError> {
        self.speaking.publish(topic, payload, wire(qos), retain).await.map_err(|error| {
            let kind = match error {
                PublishError::Closed => ErrorKind::Disconnected,
                _ => ErrorKind::Rejected,
            };
            LinkError::new(kind, error.to_string())
        })
    }
}

fn wire(qos: Qos) -> weir_broker::Qos {
    match qos {
        Qos::AtMostOnce => weir_broker::Qos::AtMostOnce,
        Qos::AtLeastOnce => weir_broker::Qos::AtLeastOnce,
    }
}
