//! The lake: the history of samples as a Delta Lake table, in a bucket of an S3-compatible store or
//! in a folder, for Spark, Trino, ClickHouse, DuckDB and whatever else reads such tables in place.
//!
//! The historian's own files stay what they are; the table follows them. Every few minutes the files
//! that the table has not are copied, and one commit, put only if nobody has that version, adds them
//! and removes what they replace. So a reader sees one state of the history or the next, each sample
//! once. All that is known of a table is in its log: a node that crashes anywhere looks there and
//! goes on.
//!
//! | at the place | what |
//! | --- | --- |
//! | `_delta_log/<version>.json` | commits |
//! | `_delta_log/<version>.checkpoint.parquet`, `_last_checkpoint` | a version as a whole, every hundred commits |
//! | `tenant=T/month=YYYY-MM/block-….parquet` | files of samples, as `docs/specs/block.md` describes them |
//! | `_weir/…` | there for a moment, while the store is tried |
//!
//! Nothing here knows the historian ([`History`] is what it needs of one), names, grades or HTTP.

mod action;
mod checkpoint;
mod error;
mod follower;
mod history;
mod log;
mod place;
mod schema;
mod snapshot;
mod status;
mod table;
mod upload;

/// Bytes as files give them.
pub use bytes::Bytes;
pub use error::LakeError;
pub use follower::{FollowerOptions, behind_s, export, follow, identity};
pub use history::{History, Month, Piece, PieceFile, State, StillMayLeave};
pub use place::{Place, PlaceSettings};
pub use status::{Phase, Status, chain};
pub use table::{Brought, Table, TableContents, TableOptions};
