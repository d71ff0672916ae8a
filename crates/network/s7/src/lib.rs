//! Siemens S7 over TCP (S7comm on ISO-on-TCP), as a [`weir_connect::Driver`].
//!
//! It reads data blocks, inputs, outputs, merkers, timers and counters: neighbouring bytes share an item,
//! and items share a request, as far as the negotiated size of a message allows. Values are decoded from the
//! types that engineers know (`REAL`, `DINT`, `STRING`, `DTL` and so on) and written with read-back; a bit is
//! written as a bit. Addresses are objects, or texts such as `DB1.DBD10:REAL` and `M10.3`. One connection a
//! device and one request in flight on it; after a time-out, or an answer that is not the one asked for, the
//! connection is dropped.
//!
//! What this crate is not: it does not speak S7comm-plus, so it sees neither optimised data blocks nor
//! symbols; a CPU must permit PUT/GET access. It knows no tags, scaling, back-off or storage; that is
//! `weir-connect`'s. It has been tried against the server of Snap7 and against no CPU.
//!
//! ```
//! use serde_json::json;
//! use weir_connect::Driver;
//!
//! let driver = weir_s7::S7Driver::new();
//! assert_eq!(driver.protocol(), "s7");
//! assert_eq!(driver.describe()["settings"]["properties"]["port"]["default"], 102);
//!
//! let address = weir_s7::PointAddress::of_text("DB1.DBD10:REAL").unwrap();
//! assert_eq!((address.db, address.start, address.to_string().as_str()), (1, 10, "DB1,REAL10"));
//! ```

mod address;
mod browse;
mod civil;
mod client;
mod codec;
mod codes;
mod describe;
mod driver;
mod identify;
mod notation;
mod plan;
mod session;
mod settings;
mod values;

pub use address::{Area, PointAddress, RawType, STRING_LENGTH_MAX, WSTRING_LENGTH_MAX};
pub use client::PDU_BYTES_MAX;
pub use codec::CodecError;
pub use codes::{header_error_text, item_error_text};
pub use driver::S7Driver;
pub use notation::NotationError;
pub use settings::{ConnectionType, Settings, TextEncoding};
pub use values::{EncodeError, decode, encode};
