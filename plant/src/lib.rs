//! The demo plant: recorded signals of the Tennessee Eastman process, served as a plant would
//! serve them, by Modbus TCP devices on ports of their own.
//!
//! [`Plant::start`] opens the devices, [`Plant::model`] says what stands in the plant (its
//! organisation, assets, devices and points) as data that a node can create. Values are the
//! recorded rows and nothing else: a row is held until the next one is due, limit switches and
//! "running" bits are comparisons with recorded values, and at the end the recording starts again.
//! Nothing here knows the rest of Weir; a client sees only registers.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use weir_plant::{Options, Plant};
//!
//! let plant = Plant::start(Options::default()).await?;
//! let reactor = plant.model().devices.iter().find(|d| d.suffix == "reactor-plc").unwrap();
//! assert_eq!(reactor.settings["host"], "127.0.0.1");
//! plant.set_fault(6)?; // the A feed will be lost ten rows from now
//! plant.stop().await;
//! # Ok::<(), weir_plant::PlantError>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assets;
mod connections;
mod devices;
mod error;
mod frame;
mod image;
mod model;
mod plant;
mod recording;
mod replay;
mod server;
mod variables;

pub use error::PlantError;
pub use model::{Asset, Device, Model, Names, Organisation, Point, Range, Scaling, WriteLimits};
pub use plant::{Options, Plant};
pub use recording::{FAULT_MAX, ROWS, STEP_SECONDS, VARIABLES};
pub use replay::{SPEED_DEFAULT, SPEED_MAX};
