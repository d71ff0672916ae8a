//! A node: every room of Weir opened, connected, served and closed again.
//!
//! This is the one place that knows all rooms. It holds settings ([`config`]), the listener with
//! its encryption, and three followers that carry what one room tells to another:
//!
//! - the store's change feed to the audit log,
//! - the store's change feed to the supervisor of devices (a document changed, so a device does),
//! - the supervisor's samples to the historian.
//!
//! What it is not: it decides nothing. A rule that is found here is in the wrong room.

mod broker;
mod changes;
pub mod config;
mod control;
mod devices;
mod error;
mod first;
mod follow;
mod lake;
mod listener;
mod node;
mod opcua;
pub mod private_file;
mod resolver;
mod retention;
mod rights;
mod samples;
mod tls;

pub use control::{audit_dir, control_path, historian_dir};
pub use error::NodeError;
pub use first::FirstAdministrator;
pub use lake::export as export_lake;
pub use node::Node;
pub use tls::TlsError;
pub use weir_access::generate_password;
pub use weir_lake::{Brought as LakeBrought, LakeError, TableContents as LakeContents};

/// What an engine for SQL has to be, for the program to give one to [`Node::start`].
pub mod query {
    pub use axum::body::Body as FlightBody;
    pub use weir_api::{
        FlightAnswer, FlightCall, FlightFailure, FlightVisitor, QueryEngine, QueryError,
        QueryFormat, QuerySource, QuerySourceError, SamplePages,
    };
}

/// The OpenAPI document of the HTTP interface, as JSON.
pub fn openapi() -> String {
    weir_api::openapi_json()
}
