//! Our own broker, in this process: no socket, no password, the device's own tenant.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use weir_broker::{Broker, Incoming, Local, PublishError};
use weir_connect::{Clock, ErrorKind, Receipt, Settled};
use weir_model::TenantId;

use super::{Link, LinkError, Message, Opening, Qos};

/// The broker of this node.
#[derive(Clone)]
pub struct Inside {
    broker: Broker,
    /// Whose topics are looked at where no device says whose it is.
    tenant: Option<TenantId>,
}

impl Inside {
    /// Links to this broker.
    pub fn new(broker: Broker) -> Self {
        Self { broker, tenant: None }
    }

    /// The same broker, looked at by a tenant.
    #[must_use]
    pub fn within(&self, tenant: TenantId) -> Self {
        Self { broker: self.broker.clone(), tenant: Some(tenant) }
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
        Ok(Box::new(InsideLink { listening, speaking, receipts, clock, missed: 0, closed: false }))
    }
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inside")
    }
}

struct InsideLink {
    listening: Local,
    speaking: Local,
    receipts: bool,
    clock: Arc<dyn Clock>,
    missed: u64,
    /// The broker has shut down.
    closed: bool,
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
        let subscribe = |filter: &String| {
            self.listening.subscribe(filter, qos, self.receipts).map_err(|error| error.to_string())
        };
        Ok(filters.iter().map(subscribe).collect())
    }

    async fn ready(&mut self) {
        self.listening.ready().await;
        // It also returns when there is nothing to come any more.
        self.closed = self.listening.waiting() == 0;
    }

    fn take(&mut self, max: usize) -> Result<Vec<Message>, LinkError> {
        let mut incoming = Vec::new();
        self.listening.try_next_batch(&mut incoming, max);
        if incoming.is_empty() && self.closed {
            return Err(LinkError::new(ErrorKind::Disconnected, "our own broker has shut down"));
        }
        Ok(incoming.into_iter().map(|incoming| self.message(incoming)).collect())
    }

    fn is_waiting(&self) -> bool {
        self.listening.waiting() > 0
    }

    fn missed(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.missed, self.listening.dropped());
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
