//! Events of people and materials over TCP lines, as a [`weir_connect::Driver`]: barcode scanners, RFID
//! readers, badge terminals, scales.
//!
//! Weir connects to such a device, or listens and lets devices connect whose addresses are allowed; nobody is
//! allowed who is not listed. Each line is an event: it gives a sample to every point that takes it, also
//! where its value is the same as before, and no two lines of a device have the same time. In the first of
//! the two ways, lines can be sent too: a beep, a lamp, a trigger.
//!
//! What this crate is not: it speaks no protocol with requests and answers, so nothing confirms a line that
//! was sent, and it cannot know of lines that were never received. A line that has no delimiter yet when the
//! connection ends is dropped, because half a code is a wrong code. There is neither encryption nor a
//! password: the list of allowed addresses is as good as the network is.
//!
//! ```
//! use weir_connect::Driver;
//!
//! let driver = weir_line::LineDriver::new();
//! assert_eq!(driver.protocol(), "line");
//! assert!(driver.abilities().write);
//! ```

mod address;
mod describe;
mod driver;
mod extract;
mod framing;
mod intake;
mod session;
mod settings;
mod source;

pub use address::{Format, PATTERN_BYTES_MAX, PointAddress};
pub use driver::{LineDriver, PATTERNS_MAX};
pub use settings::{Delimiter, LINE_BYTES_MAX, Mode, Settings, TextEncoding};
pub use source::Network;
