//! Modbus over TCP, as a [`weir_connect::Driver`].
//!
//! It reads all four tables in coalesced requests, drift-free at each point's interval, decodes
//! bits, 16-, 32- and 64-bit integers and floats in four word orders, and writes with read-back.
//! One connection a device and one request in flight on it; after a time-out, or an answer that is
//! not the one asked for, the connection is dropped, because a late answer would be taken for the
//! next one. Several units behind one gateway are one device whose points name their `unit`, or
//! several devices, each with a connection of its own.
//!
//! What this crate is not: it knows no tags, scaling, back-off or storage; that is
//! `weir-connect`'s.
//!
//! ```
//! use weir_connect::Driver;
//!
//! let driver = weir_modbus::ModbusDriver::new();
//! assert_eq!(driver.protocol(), "modbus");
//! assert_eq!(driver.describe()["settings"]["properties"]["port"]["default"], 502);
//! ```

mod address;
mod client;
mod describe;
mod discover;
mod driver;
mod exception;
mod plan;
mod session;
mod settings;
mod words;

pub use address::{PointAddress, RawType, Table, WordOrder};
pub use driver::ModbusDriver;
pub use exception::{exception_name, exception_remedy};
pub use plan::{BITS_PER_REQUEST_MAX, REGISTERS_PER_REQUEST_MAX};
pub use settings::Settings;
pub use words::{EncodeError, decode_words, encode_words};
