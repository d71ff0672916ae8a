//! Rows that machines and programs leave behind, as two [`weir_connect::Driver`]s: CSV files in a folder
//! ([`CsvPickup`]) and the result of a query to PostgreSQL ([`SqlPickup`]).
//!
//! Both read rows in order, remember how far they came in a small file of their own, and move on only
//! when the samples are on disk: after `kill -9` the last rows are read again, which stores the same tag
//! and time again and so changes nothing. Rows whose time is older than a minute are backfill.
//!
//! What this crate is not: it writes to no file and no table that it reads (but moves or deletes files
//! where the settings say so), it follows no symbolic links, and it reads no folder that the node's
//! settings do not allow.
//!
//! ```
//! use weir_connect::Driver;
//!
//! let csv = weir_pickup::CsvPickup::new(Vec::new(), "pickup".into());
//! assert_eq!(csv.protocol(), "csv");
//! assert_eq!(weir_pickup::SqlPickup::new("pickup".into()).protocol(), "sql");
//! ```

mod cell;
mod database;
mod files;
mod memory;
mod moment;
mod settlement;
mod table;

pub use database::SqlPickup;
pub use files::CsvPickup;

/// Rows whose time is older than this, in nanoseconds, are backfill: they raise no live value and no alarm.
const LATE: i64 = 60_000_000_000;

/// How far the time of a row may lie in the future, in nanoseconds. The historian refuses what is further
/// away, and with it everything that came along.
const FUTURE_MAX: i64 = 240_000_000_000;
