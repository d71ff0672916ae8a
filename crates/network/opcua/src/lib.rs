//! OPC UA over TCP, as a [`weir_connect::Driver`].
//!
//! It lists a server's endpoints with their certificates, browses the address space a level at a time,
//! subscribes to variables with the server's own times and status codes, reads back the server's history after
//! a gap, writes with read-back, and calls methods. What a server refuses to watch is read at its interval.
//!
//! A server's certificate is trusted when a person has put its SHA-256 thumbprint into the settings, and in no
//! other way. Weir's own certificate is made once, below the folder that [`OpcUaDriver::new`] is given.
//!
//! What this crate is not: it knows no tags, scaling, back-off or storage; that is `weir-connect`'s. It is no
//! server; that is `weir-opcua-server`.
//!
//! ```
//! use weir_connect::Driver;
//!
//! let driver = weir_opcua::OpcUaDriver::new("weir-data/opcua".into());
//! assert_eq!(driver.protocol(), "opcua");
//! assert_eq!(driver.describe()["settings"]["properties"]["timeout_ms"]["default"], 5000);
//! ```

mod address;
mod browse;
mod certificate;
mod describe;
mod dial;
mod driver;
mod encode;
mod endpoints;
mod frames;
mod identity;
mod kinds;
mod link;
mod node;
mod session;
mod settings;
mod status;
mod structures;
mod url;
mod value;

pub use address::{Deadband, Index, PointAddress};
pub use driver::OpcUaDriver;
pub use node::{NamespaceName, Namespaces, NodeAddress};
pub use settings::{Auth, Settings};
pub use url::ServerUrl;
