//! MQTT, as a [`weir_connect::Driver`]: JSON, text and raw topics of a broker become points.
//!
//! Everything goes over a [`Link`]: one connection to an outside broker (MQTT 3.1.1 or 5 over TCP, TLS or
//! WebSocket), or a subscription at Weir's own broker in this process. A message of quality of service 1 is
//! acknowledged when its samples are on disk, and not before: what was not stored, the broker sends again. With
//! a persistent session it also keeps what is published while we are away.
//!
//! What this crate is not: it is no broker (that is `weir-broker`), knows no Sparkplug (that is
//! `weir-sparkplug`, which uses the [`Link`]), no tags, scaling, back-off or storage (that is `weir-connect`'s).
//!
//! ```
//! use weir_connect::Driver;
//!
//! let driver = weir_mqtt::MqttDriver::new();
//! assert_eq!(driver.protocol(), "mqtt");
//! assert_eq!(driver.describe()["address"]["properties"]["format"]["default"], "json");
//! ```

mod address;
mod browse;
mod describe;
mod discover;
mod driver;
mod link;
mod payload;
mod session;
mod settings;
pub mod topic;

pub use address::{Format, PointAddress, QualityCodes, RawType, TimeFormat, WriteTo};
pub use driver::MqttDriver;
pub use link::{Inside, Link, LinkError, Message, Opening, Qos, Will, probe_name};
pub use payload::{Decoded, Payload, PayloadError, excerpt};
pub use settings::{
    LINK_FIELDS, LinkSettings, Outside, Place, Secret, Transport, Version, link_fields,
};
