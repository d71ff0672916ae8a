//! SQL over what a caller may see: its samples, its tags, its assets. The only crate that links
//! DataFusion.
//!
//! An [`Engine`] runs statements on threads of its own, within [`Limits`]. What they can read is a
//! [`Source`]: whoever implements it has filtered by tenant and grade before, so that no SQL can ask
//! for more. Statements read and never change anything.
//!
//! What it is not: it knows no historian, no documents, no HTTP and no caller.
//!
//! - `statement` says what may be asked, `session` with which functions and settings;
//! - `tables` are the tables, of which `samples` reads only the tags and times that are asked for;
//! - `functions` are those that plants need and SQL does not have;
//! - `answer` writes rows as JSON, CSV or Arrow.

mod answer;
mod asof;
mod engine;
mod error;
mod functions;
mod meter;
mod parameters;
mod session;
mod source;
mod statement;
mod tables;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Format};
pub use engine::{Description, Engine, Limits, Rows, TableColumns};
pub use error::QueryError;
pub use session::{CATALOG, SCHEMA};
pub use source::{Pages, RollupPages, Source, SourceError, Wanted};
