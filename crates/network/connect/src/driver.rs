//! The contract: what a driver must do (`docs/specs/driver.md`).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value as Json;
use weir_model::{DataType, FieldError, Quality, TenantId, Timestamp, Value};

use crate::report::optional_value;
use crate::{Clock, DeviceSpec, DriverError, ErrorKind, PeerCertificate, Receipt};

/// One protocol. It holds no state of devices; what lives with a connection is a [`Session`].
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// The protocol's stable name, such as `modbus`.
    fn protocol(&self) -> &'static str;

    /// What a form is made of, as [`crate::form`] says.
    fn describe(&self) -> Json;

    /// What the protocol can do besides reading.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    /// The same driver as it looks for a tenant, where something of the node's own is only for its
    /// tenant to discover and browse; none where all look alike.
    fn within(&self, tenant: TenantId) -> Option<Arc<dyn Driver>> {
        let _ = tenant;
        None
    }

    /// Whether settings and addresses are valid, without touching the network.
    ///
    /// # Errors
    /// Each wrong field, as a JSON pointer into the spec (`/settings/port`,
    /// `/points/3/address/type`).
    fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>>;

    /// Lists the ways in which what stands at the address given by incomplete settings can be spoken to, the
    /// best one first: endpoints of a server, units behind a gateway, brokers and their nodes.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the protocol has no such thing.
    async fn discover(&self, settings: &Json) -> Result<Vec<Discovered>, DriverError> {
        let _ = settings;
        Err(unsupported(self.protocol(), "this protocol cannot be searched; type the address"))
    }

    /// Lists what the device offers below a place, the root without one; a page at a time.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the protocol has no such thing.
    async fn browse(&self, settings: &Json, at: Option<&str>) -> Result<BrowsePage, DriverError> {
        let _ = (settings, at);
        Err(unsupported(self.protocol(), "this protocol cannot be browsed; type the addresses"))
    }

    /// Connects. The spec has passed [`Driver::check`].
    ///
    /// # Errors
    /// [`DriverError`], within a time that the settings bound.
    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError>;
}

fn unsupported(protocol: &str, cause: &str) -> DriverError {
    DriverError::new(ErrorKind::Unsupported, protocol, "", cause)
}

/// What a protocol can do besides reading: pages offer nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Abilities {
    /// [`Driver::discover`].
    pub discover: bool,
    /// [`Driver::browse`].
    pub browse: bool,
    /// [`Session::write`].
    pub write: bool,
    /// [`Session::call`].
    pub call: bool,
}

/// What a session is begun with, besides the spec.
#[derive(Clone)]
pub struct Circumstances {
    /// Where timestamps come from.
    pub clock: Arc<dyn Clock>,
    /// Up to when samples of the device are stored; none for a device that never had any, and for a test. A
    /// driver whose device keeps a history brings what came after, as [`Collected::backfill`].
    pub since: Option<Timestamp>,
}

impl Circumstances {
    /// A first connection.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, since: None }
    }
}

/// A live connection to one device. Dropping it ends the connection.
///
/// An error returned by any method ends the session: the supervisor drops it and connects anew
/// after a back-off. What concerns single points only is a [`Fault`] within a [`Reading`].
#[async_trait]
pub trait Session: Send {
    /// What was connected to, in the protocol's words (`10.0.0.7:502, unit 1`).
    fn peer(&self) -> String;

    /// Subscription, first half: resolves when something is due or has arrived. It may be dropped
    /// at any time without loss, because a write or a stop may come first.
    async fn due(&mut self);

    /// Subscription, second half: one bounded piece of work (one request, or what has arrived).
    async fn collect(&mut self) -> Result<Collected, DriverError>;

    /// Reads points now, by their index in the spec; every one gets a reading.
    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError>;

    /// Writes a raw value: reads what was there, writes, reads back. Never repeated by itself.
    async fn write(&mut self, point: usize, raw: &Value) -> Result<RawWrite, DriverError>;

    /// Calls a method of the device, addressed as its browse items say. Never repeated by itself.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the protocol has no such thing; else as a write.
    async fn call(&mut self, method: &Json, arguments: &[Json]) -> Result<Vec<Json>, DriverError> {
        let _ = (method, arguments);
        Err(unsupported(&self.peer(), "this protocol has no methods"))
    }
}

/// What one [`Session::collect`] brought.
#[derive(Debug, Default)]
pub struct Collected {
    /// One entry a point that was read or reported.
    pub readings: Vec<Reading>,
    /// Requests sent for it.
    pub requests: u32,
    /// Polls that were skipped because the device is slower than its interval.
    pub missed: u32,
    /// How long the device took to answer the slowest of them.
    pub latency: Duration,
    /// Whether more is due at once, so that its samples can travel in the same batch.
    pub more: bool,
    /// Whether the readings are late by intent: fetched from the device's own history, or sent by it after
    /// it had been cut off. They raise no live value and no alarm.
    pub backfill: bool,
    /// Called when what became of the readings is known, for peers that wait for an acknowledgement.
    pub receipt: Option<Receipt>,
}

/// What a device said about one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The point's index in the spec.
    pub point: usize,
    /// The source's time where the protocol has one, else when the answer arrived.
    pub time: Timestamp,
    /// The raw value, before scaling, or why there is none.
    pub outcome: Result<Value, Fault>,
    /// The quality that the source gave with the value; good where the protocol has none.
    pub quality: Quality,
}

/// Why a point has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Stored in the place of a value.
    pub quality: Quality,
    /// Place and cause, for people.
    pub cause: String,
}

/// What a write did, in raw values.
#[derive(Debug, Clone, PartialEq)]
pub struct RawWrite {
    /// The value before, where the device let it be read.
    pub before: Option<Value>,
    /// The value read back, where the device let it be read and it can be made sense of.
    pub after: Option<Value>,
    /// Whether the device let it be read back at all: with no value in `after`, it holds something that
    /// nobody can make sense of, and who wrote is told so.
    pub read_back: bool,
    /// Whether what was read back is, bit for bit, what was written.
    pub verified: bool,
    /// Requests sent for it.
    pub requests: u32,
}

/// One way to speak to what was found.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Discovered {
    /// In a few words, for people: what it is, and how it is spoken to.
    pub name: String,
    /// What speaks for or against it, for people; may be empty.
    pub detail: String,
    /// The settings to go on with: those that were given, completed.
    #[schema(value_type = Object)]
    pub settings: Json,
    /// The certificate that it presents, where it has one. A person reviews it before its thumbprint goes
    /// into the settings.
    pub certificate: Option<PeerCertificate>,
}

/// What a device offers below a place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct BrowsePage {
    /// A bounded number of things.
    pub items: Vec<BrowseItem>,
    /// The place to browse for the rest, where there is one.
    pub next: Option<String>,
}

/// One thing that a device offers. Its default is a thing of no name that offers nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct BrowseItem {
    /// Where to browse on, unique within the device.
    pub at: String,
    /// What to show.
    pub name: String,
    /// What the device says of it; may be empty.
    pub description: String,
    /// Whether there is something below it.
    pub expandable: bool,
    /// The point address to use, where it is a value.
    #[schema(value_type = Option<Object>)]
    pub address: Option<Json>,
    /// What to call it by, where it is a method.
    #[schema(value_type = Option<Object>)]
    pub method: Option<Json>,
    /// What its values are, where it is a value.
    pub data_type: Option<DataType>,
    /// The unit of its values in the device's own words, where it tells.
    pub unit: Option<String>,
    /// Whether the device lets it be written; none where that is not known.
    pub writable: Option<bool>,
    /// What it is right now, raw.
    #[serde(serialize_with = "optional_value")]
    #[schema(value_type = Option<Object>)]
    pub value: Option<Value>,
}

impl Reading {
    /// A good raw value.
    pub fn good(point: usize, time: Timestamp, raw: Value) -> Self {
        Self { point, time, outcome: Ok(raw), quality: Quality::GOOD }
    }

    /// No value, and why.
    pub fn fault(point: usize, time: Timestamp, quality: Quality, cause: String) -> Self {
        Self { point, time, outcome: Err(Fault { quality, cause }), quality }
    }
}
