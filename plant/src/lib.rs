//! The demo plant: recorded signals, served as a plant would serve them, by devices and servers on
//! ports of their own.
//!
//! | what | from which recording | how |
//! | --- | --- | --- |
//! | a chemical process | Tennessee Eastman | OPC UA, a control system |
//! | its utilities and the replay itself | Tennessee Eastman | Modbus TCP, controllers |
//! | a machine tool | AI4I 2020 | MTConnect, an agent |
//! | a fleet of turbofans | C-MAPSS FD001 | Sparkplug B, edge nodes |
//!
//! [`Plant::start`] opens the ports, [`Plant::model`] says what stands in the plant (its
//! organisation, assets, devices and points) as data that a node can create. Values are the
//! recorded rows and nothing else: a row is held until the next one is due, limit switches and
//! "running" bits are comparisons with recorded values, and at the end a recording starts again.
//! Nothing here knows the rest of Weir but its OPC UA server; a client sees only what the protocols
//! tell.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use weir_plant::{Options, Plant};
//!
//! let plant = Plant::start(Options::default()).await?;
//! let steam = plant.model().devices.iter().find(|d| d.suffix == "steam-plc").unwrap();
//! assert_eq!(steam.settings["host"], "127.0.0.1");
//! plant.set_fault(6)?; // the A feed will be lost ten rows from now
//! plant.stop().await;
//! # Ok::<(), weir_plant::PlantError>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accept;
mod agent;
mod assets;
mod connections;
mod dcs;
mod devices;
mod error;
mod fleet;
mod frame;
mod image;
mod machining;
mod mill;
mod model;
mod pace;
mod plant;
mod recording;
mod replay;
mod server;
mod variables;

pub use assets::ORGANISATION;
pub use error::PlantError;
pub use model::{Asset, Device, Model, Names, Organisation, Point, Range, Scaling, WriteLimits};
pub use plant::{Options, Plant};
pub use recording::{FAULT_MAX, ROWS, STEP_SECONDS, VARIABLES};
pub use replay::{SPEED_DEFAULT, SPEED_MAX};
