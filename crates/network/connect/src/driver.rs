//! The contract: what a driver must do (`docs/specs/driver.md`).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use weir_model::{DataType, FieldError, Quality, Timestamp, Value};

use crate::report::optional_value;
use crate::{Clock, DeviceSpec, DriverError};

/// One protocol. It holds no state of devices; what lives with a connection is a [`Session`].
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// The protocol's stable name, such as `modbus`.
    fn protocol(&self) -> &'static str;

    /// What a form is made of: an object whose `settings` and `address` are JSON Schemas. Their
    /// titles and descriptions are English; those of every language, English too, stand under
    /// `x-title` and `x-description` by BCP 47 tag. `x-order` names the fields in order.
    fn describe(&self) -> Json;

    /// Whether settings and addresses are valid, without touching the network.
    ///
    /// # Errors
    /// Each wrong field, as a JSON pointer into the spec (`/settings/port`,
    /// `/points/3/address/type`).
    fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>>;

    /// Lists what the device offers below a place, the root without one.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] where the protocol has no such thing.
    async fn browse(
        &self,
        settings: &Json,
        at: Option<&str>,
    ) -> Result<Vec<BrowseItem>, DriverError>;

    /// Connects. The spec has passed [`Driver::check`].
    ///
    /// # Errors
    /// [`DriverError`], within a time that the settings bound.
    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        clock: Arc<dyn Clock>,
    ) -> Result<Box<dyn Session>, DriverError>;
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
}

/// What one [`Session::collect`] brought.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// The value read back, where the device let it be read.
    pub after: Option<Value>,
    /// Whether what was read back is, bit for bit, what was written.
    pub verified: bool,
    /// Requests sent for it.
    pub requests: u32,
}

/// One thing that a device offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BrowseItem {
    /// Where to browse on, unique within the device.
    pub at: String,
    /// What to show.
    pub name: String,
    /// Whether there is something below it.
    pub expandable: bool,
    /// The point address to use, where it is a value.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub address: Option<Json>,
    /// What its values are, where it is a value.
    #[serde(default)]
    pub data_type: Option<DataType>,
    /// What it is right now, raw.
    #[serde(default, skip_deserializing, serialize_with = "optional_value")]
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
