//! MTConnect agents, as a [`weir_connect::Driver`]: probe, current and sample of the parts 1 to 3 of
//! the standard, versions 1.3 to 2.x.
//!
//! A session asks `probe` for the data items, `current` for what they are, and then lets the agent
//! stream what changes (`sample` with an interval, a multipart answer that never ends). It keeps the
//! number of the next observation: a stream that ends is resumed there, an agent that was restarted
//! (another `instanceId`) or whose buffer ran over (`OUT_OF_RANGE`) is asked for `current` again, and
//! what its buffer still holds of the time in between follows as backfill. Agents that answer
//! `sample` with one document are polled.
//!
//! Observations keep the agent's times. The standard has no writes. What this crate is not: it knows
//! no assets, no adapters (SHDR) and no tags; scaling, back-off and storage are `weir-connect`'s.
//!
//! ```
//! use weir_connect::Driver;
//!
//! let driver = weir_mtconnect::MtconnectDriver::new();
//! assert_eq!(driver.protocol(), "mtconnect");
//! assert_eq!(weir_mtconnect::ucum("MILLIMETER/SECOND").as_deref(), Some("mm/s"));
//! ```

mod address;
mod agent;
mod browse;
mod describe;
mod devices;
mod driver;
mod history;
mod http;
mod multipart;
mod session;
mod settings;
mod streams;
mod units;
mod value;
mod xml;

pub use address::{Part, PointAddress};
pub use driver::MtconnectDriver;
pub use settings::Settings;
pub use units::ucum;
