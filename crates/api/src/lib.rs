//! The HTTP surface of Weir: `/api/v1`, the console's files, health and metrics.
//!
//! [`router`] is built from one table of routes, each entry with the permission it asks for, and
//! from that table comes [`openapi`] too. Every request passes the edge (a name, bounds on time and
//! number, security headers, one shape of failure) and then the door (who, which tenant, forged or
//! not, permitted or not, audited when refused). A handler reads a strict document, asks the rooms,
//! and answers.
//!
//! [`identifier_router`] is a surface of its own, for the listener whose URL root belongs to
//! identifiers.
//!
//! What it is not: it decides no rule of a domain, opens no socket and starts no task but
//! those that write long answers. To add a
//! route, write its handler in the module of its domain under `routes` and name its permission in
//! that module's table; the tests find it there.
//!
//! ```
//! let document = weir_api::openapi();
//! assert!(document.paths.paths.contains_key("/api/v1/tags/{id}"));
//! ```

mod answers;
mod blocking;
mod body;
mod console;
mod cursor;
mod door;
mod etag;
mod failure;
mod ingest;
mod lake;
mod mqtt;
mod opcua;
mod openapi;
mod query;
mod resolution;
mod routes;
mod state;
mod unpack;

pub use door::request_id;
pub use lake::{LakeStatus, LakeView};
pub use mqtt::{MqttBroker, MqttClient, MqttConnection};
pub use opcua::{OpcUaChange, OpcUaClient, OpcUaError, OpcUaServer, OpcUaSession, OpcUaStatus};
pub use openapi::{openapi, openapi_json};
pub use query::{
    QueryEngine, QueryError, QueryFormat, QuerySource, QuerySourceError, RollupPages, SamplePages,
};
pub use resolution::{
    IdentifierClock, IdentifierParts, IdentifierState, identifier_clock, identifier_router,
};
pub use routes::flight::{FlightAnswer, FlightCall, FlightFailure, FlightVisitor};
pub use state::{ApiState, Clock, Limits, NodeInfo, Parts, Shared, schema, system_clock};
pub use weir_connect::{Command, Commands, Outcome};

use axum::Router;
use axum::middleware::from_fn_with_state;

/// The router of one listener. Requests carry the peer's address as
/// `axum::extract::ConnectInfo<SocketAddr>`.
pub fn router(state: ApiState) -> Router {
    door::hang(routes::table(), &state)
        .merge(routes::flight::router(&state))
        .fallback(console::page)
        .layer(from_fn_with_state(state.clone(), door::edge))
        .with_state(state)
}
