//! Sparkplug B (Eclipse Sparkplug 3.0.0) as host application, as a [`weir_connect::Driver`].
//!
//! A device of Weir is one edge node: its own metrics, and those of the devices behind it. Births say what there
//! is, data comes by name or alias and is put in order by sequence number, deaths take the values away at once,
//! history that an edge node kept is marked as such, and commands write. A device may be the *primary* host,
//! whose STATE the edge node waits for. Connections are those of `weir-mqtt`: an outside broker, or our own.
//!
//! [`EdgeNode`] is the protocol without input and output: messages and time go in, events come out.
//!
//! What this crate is not: it is no edge node, and knows no tags, scaling or storage.
//!
//! ```
//! use weir_sparkplug::{MessageKind, Topic};
//!
//! let topic = Topic::parse("spBv1.0/plant 1/DDATA/line 3/press").unwrap();
//! assert_eq!(topic.kind, MessageKind::DeviceData);
//! assert_eq!((topic.edge_node, topic.device), ("line 3", Some("press")));
//! ```

mod address;
mod browse;
mod catalogue;
mod describe;
mod discover;
mod driver;
mod node;
mod proto;
mod session;
mod settings;
mod state;
mod topic;
mod value;

pub use address::PointAddress;
pub use catalogue::Metric;
pub use driver::SparkplugDriver;
pub use node::{EdgeNode, Event, Sample, Timing};
pub use topic::{MessageKind, Topic, check_id};
pub use value::Type;
