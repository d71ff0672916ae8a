//! What is printed on things: GS1 element strings and Digital Links, QR codes, and other national and
//! international code systems, recognised with their checks.
//!
//! - [`ElementString`] and [`DigitalLink`] read and write what GS1 carriers hold, by the whole table of
//!   application identifiers ([`Ai`]): lengths, characters, check digits, dates, and which of them need
//!   or exclude each other.
//! - [`resolve`] says what a GS1-conformant resolver answers: where it redirects, which linkset it gives.
//! - [`Qr`] draws QR codes as SVG and PNG.
//! - [`recognise`] tells which code system a text belongs to.
//!
//! It does no I/O, knows no clock and no HTTP, and every text that it reads has a bound.
//!
//! ```
//! use weir_gs1::{DigitalLink, ElementString};
//!
//! let printed = ElementString::parse("(01)09506000134352(10)B7(21)S1")?;
//! let link = DigitalLink::of(&printed)?;
//! assert_eq!(link.to_uri("https://id.example.cn")?, "https://id.example.cn/01/09506000134352/10/B7/21/S1");
//!
//! let error = ElementString::parse("(01)09506000134353").unwrap_err();
//! assert!(error.to_string().ends_with("has the check digit 3, and 2 would be right"));
//! # Ok::<(), weir_gs1::Error>(())
//! ```

mod check;
mod dictionary;
mod digital_link;
mod elements;
mod error;
mod percent;
mod qr;
mod recognise;
pub mod resolve;
mod value;

pub use check::{digit as check_digit, pair as check_pair};
pub use dictionary::Ai;
pub use digital_link::{CANONICAL_STEM, DigitalLink};
pub use elements::{Element, ElementString};
pub use error::Error;
pub use qr::{
    Correction, Drawing, MODULE_PIXELS_MAX, QUIET_MODULES_MAX, QUIET_MODULES_MIN, Qr,
    SIDE_PIXELS_MAX,
};
pub use recognise::{RECOGNISED_BYTES_MAX, Recognised, Scheme, Verdict, recognise};
pub use value::Fault;

/// The longest text that is read: longer than any barcode, as long as a URI that browsers carry.
pub const TEXT_BYTES_MAX: usize = 8192;

/// The most elements of one string: three times what fits into the largest QR code in practice.
pub const ELEMENTS_MAX: usize = 64;
