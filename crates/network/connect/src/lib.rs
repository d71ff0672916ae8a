//! Connection of machines: the contract that every driver obeys, and the supervision of devices.
//!
//! A [`Driver`] knows a protocol and nothing else. The [`Supervisor`] owns all the rest: states
//! with reasons, back-off, queues, scaling, quality on loss of communication, writes with limits
//! and confirmation, and store-and-forward when the historian refuses. The rules are numbered in
//! `docs/specs/driver.md`.
//!
//! What this crate is not: it knows no protocol, no historian (samples leave through a [`Sink`])
//! and no tags beyond their number; who composes a [`DeviceSpec`] from documents is the node.
//!
//! ```
//! use weir_connect::Scaling;
//! use weir_model::{Timestamp, Value};
//!
//! let scaling = [Scaling { effective: Timestamp::MIN, factor: 0.1, offset: -40.0, unit: None }];
//! let now = Timestamp::parse("2026-11-23T08:00:00Z")?;
//! assert_eq!(Scaling::in_force(&scaling, now).unwrap().apply(650.0), 25.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backoff;
mod certificate;
mod clock;
mod command;
#[cfg(feature = "conformance")]
pub mod conformance;
mod device;
pub mod dial;
mod driver;
mod error;
mod fields;
pub mod form;
mod outbox;
mod receipt;
mod report;
mod secrets;
mod sequence;
mod shown;
mod sink;
mod spec;
mod spool;
mod status;
mod supervisor;
mod template;
pub mod tls;

pub use backoff::Backoff;
pub use certificate::{PeerCertificate, hex, is_thumbprint};
pub use clock::{Clock, SystemClock};
pub use command::{Command, Commands, Order, OrderError, Outcome};
pub use device::{DEVICE_SETTINGS_BYTES_MAX, Device, Devices, schema};
pub use driver::{
    Abilities, BrowseItem, BrowsePage, Circumstances, Collected, Discovered, Driver, Fault,
    RawWrite, Reading, Session,
};
pub use error::{ConnectError, DriverError, ErrorKind};
pub use fields::Fields;
pub use outbox::DEVICE_PRODUCERS;
pub use receipt::{Receipt, Settled};
pub use report::{TestReport, TestValue, WriteReport};
pub use secrets::{DeviceSecrets, Secrets};
pub use sink::{Refused, Sink};
pub use spec::{DeviceSpec, POINTS_MAX, Point, SCALINGS_MAX, Scaling, WriteLimits};
pub use spool::SpoolFull;
pub use status::{Counters, DeliveryStatus, DeviceStatus, LogLevel, LogLine, State};
pub use supervisor::{Applied, DEVICES_MAX, Options, Supervisor};
pub use template::{TEMPLATE_POINTS_MAX, Template, TemplatePoint, TemplateRange, Templates};
