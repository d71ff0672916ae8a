//! One connection to a broker, outside or our own: messages come, acknowledgements and messages go.

mod acks;
mod inbox;
mod inside;
mod outside;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};
use weir_connect::{Clock, DriverError, ErrorKind, PeerCertificate, Receipt, hex};
use weir_model::{TenantId, Timestamp};

pub use inside::Inside;

use crate::settings::{LinkSettings, Place};

/// Quality of service. There is no 2 here: a sample that comes twice is stored once by its time, and exactly
/// once would cost two more packets a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// Sent and forgotten.
    AtMostOnce,
    /// Sent until it is acknowledged.
    #[default]
    AtLeastOnce,
}

/// A message that a subscription brought.
#[derive(Debug)]
pub struct Message {
    /// The topic name.
    pub topic: Arc<str>,
    /// The payload.
    pub payload: Bytes,
    /// Whether the broker had kept it and sends it because of our subscribing.
    pub retained: bool,
    /// When it arrived here, or at our own broker.
    pub arrived: Timestamp,
    /// Present where somebody waits for an acknowledgement: it is given when this is settled as stored (or as
    /// refused for ever), and the message comes again when it is dropped.
    pub receipt: Option<Receipt>,
}

/// What the broker says for us when our connection breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// The topic name.
    pub topic: String,
    /// The payload.
    pub payload: Bytes,
    /// Quality of service.
    pub qos: Qos,
    /// Whether the broker keeps it.
    pub retain: bool,
}

/// How to open a link, besides the settings.
#[derive(Clone)]
pub struct Opening {
    /// The client identifier. A broker closes the older of two connections that have the same one.
    pub client_id: String,
    /// Whether the broker keeps subscriptions and messages of quality 1 while we are away.
    pub persistent: bool,
    /// Whether messages wait for a receipt; else they are acknowledged as they come.
    pub receipts: bool,
    /// What the broker is to say when the connection breaks.
    pub will: Option<Will>,
    /// Whose topics, at our own broker.
    pub tenant: Option<TenantId>,
    /// Where arrival times come from.
    pub clock: Arc<dyn Clock>,
}

/// A connection to a broker. Dropping it ends it, and what was not acknowledged comes again where the broker
/// keeps a session.
#[async_trait]
pub trait Link: Send {
    /// Whether the broker had kept our session, so that what waited there comes now.
    fn resumed(&self) -> bool;

    /// Subscribes to filters, and says of each whether the broker took it, or why not.
    ///
    /// # Errors
    /// [`LinkError`] where the connection ended or there was no answer in time.
    async fn subscribe(
        &mut self,
        filters: &[String],
        qos: Qos,
    ) -> Result<Vec<Result<(), String>>, LinkError>;

    /// Waits until a message is there or the connection has ended. It may be dropped at any time without loss.
    async fn ready(&mut self);

    /// At most so many of the messages that have arrived, none where there are none.
    ///
    /// # Errors
    /// [`LinkError`] when the connection has ended and all that is of use was taken.
    fn take(&mut self, max: usize) -> Result<Vec<Message>, LinkError>;

    /// Whether messages are waiting.
    fn is_waiting(&self) -> bool;

    /// Messages of quality 0 that were dropped since this was last asked, because they came faster than they
    /// were taken.
    fn missed(&mut self) -> u64;

    /// Publishes, and waits for the acknowledgement where the quality is 1.
    ///
    /// # Errors
    /// [`LinkError`]: `Rejected` where the broker refuses it; after `Timeout` and `Disconnected` it is not known
    /// whether it was published.
    async fn publish(
        &mut self,
        topic: &str,
        payload: Bytes,
        qos: Qos,
        retain: bool,
    ) -> Result<(), LinkError>;
}

/// A failure of a link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct LinkError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// What happened and what to do.
    pub cause: String,
    /// What the broker presented, where its certificate is not trusted.
    pub certificate: Option<Box<PeerCertificate>>,
}

impl LinkError {
    /// A failure with what happened.
    pub fn new(kind: ErrorKind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), certificate: None }
    }

    pub(crate) fn silence(what: &str, time: Duration) -> Self {
        Self::new(ErrorKind::Timeout, format!("{what} within {} ms", time.as_millis()))
    }

    /// The failure as one of a device.
    pub fn at(self, device: impl Into<String>, place: impl Into<String>) -> DriverError {
        let error = DriverError::new(self.kind, device, place, self.cause);
        DriverError { certificate: self.certificate, ..error }
    }
}

impl Opening {
    /// A link that leaves no trace, for tests and searches: a name of its own, nothing kept, nothing waited for.
    pub fn probe(clock: Arc<dyn Clock>) -> Self {
        let client_id = probe_name();
        Self { client_id, persistent: false, receipts: false, will: None, tenant: None, clock }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("client_id", &self.client_id)
            .field("persistent", &self.persistent)
            .field("receipts", &self.receipts)
            .field("will", &self.will)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// A client identifier that nobody else has, of 20 letters and digits, which every broker takes (MQTT 3.1.1,
/// 3.1.3.1).
pub fn probe_name() -> String {
    let mut bytes = [0; 8];
    // Without randomness the name is one that another probe may have, and one of the two is disconnected.
    let _ = SystemRandom::new().fill(&mut bytes);
    format!("weir{}", hex(&bytes))
}

impl LinkSettings {
    /// Connects to the broker, within the time-out of the settings.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn open(
        &self,
        opening: Opening,
        inside: Option<&Inside>,
    ) -> Result<Box<dyn Link>, LinkError> {
        match &self.place {
            Place::Outside(outside) => outside::open(outside, self.timeout, opening).await,
            Place::Inside => match inside {
                Some(inside) => inside.open(opening),
                None => {
                    let cause = "this node runs no broker of its own: choose an outside broker";
                    Err(LinkError::new(ErrorKind::Misconfigured, cause))
                }
            },
        }
    }
}
