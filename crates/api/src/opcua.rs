//! What the routes need of an OPC UA server. The node implements it: this crate knows no OPC UA.

use std::net::SocketAddr;

use futures::future::BoxFuture;
use serde::Serialize;
use weir_connect::PeerCertificate;
use weir_model::Timestamp;

/// The OPC UA server of this node, and which of its clients are let in.
pub trait OpcUaServer: Send + Sync {
    /// How it is doing.
    fn status(&self) -> OpcUaStatus;

    /// Clients that are let in and clients that were turned away; of each kind the newest first. The server
    /// bounds how many there are.
    fn clients(&self) -> BoxFuture<'_, Result<Vec<OpcUaClient>, OpcUaError>>;

    /// Changes which clients are let in, at once: of a client that is let in no more all sessions end. Gives the
    /// certificate with that thumbprint.
    fn change<'a>(
        &'a self,
        thumbprint: &'a str,
        change: OpcUaChange,
    ) -> BoxFuture<'a, Result<PeerCertificate, OpcUaError>>;
}

/// What becomes of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpcUaChange {
    /// It is let in.
    Trust,
    /// It is turned away, and stays among those that were.
    Distrust,
    /// It is turned away and forgotten.
    Forget,
}

/// Why clients cannot be told, or one not be changed.
#[derive(Debug)]
pub enum OpcUaError {
    /// No client showed a certificate with that thumbprint.
    NotFound,
    /// So many are trusted that no more can be.
    Full(usize),
    /// Files cannot be read or written.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

/// The server.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct OpcUaStatus {
    /// Where it listens.
    #[schema(value_type = String)]
    pub address: SocketAddr,
    /// What clients enter to connect.
    pub url: String,
    /// Its application URI.
    pub application_uri: String,
    /// Its own certificate, for people to compare with what a client shows.
    pub certificate: PeerCertificate,
    /// What connections may be secured by; `None` is neither signed nor encrypted.
    pub policies: Vec<String>,
    /// Sessions that are open.
    pub sessions: Vec<OpcUaSession>,
    /// The most that can be.
    pub sessions_max: usize,
    /// Their subscriptions.
    pub subscriptions: usize,
    /// Values that they watch.
    pub monitored_items: usize,
}

/// A session of a client.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct OpcUaSession {
    /// What the client calls it.
    pub name: String,
    /// The user; null before it has shown who it is.
    pub user: Option<String>,
    /// Whether it showed an API token as its password.
    pub token: bool,
    /// The application URI that the client claims; proven where there is a certificate.
    pub application_uri: String,
    /// Where it comes from.
    #[schema(value_type = String)]
    pub address: SocketAddr,
    /// The thumbprint of its certificate; null without security.
    pub certificate: Option<String>,
    /// Whether what is said is encrypted, and not only signed or neither.
    pub encrypted: bool,
    /// Seconds since its client was last heard of.
    pub idle_s: f64,
}

/// A client that is let in, or was turned away.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct OpcUaClient {
    /// Its certificate; the thumbprint names the client.
    pub certificate: PeerCertificate,
    /// The application URI in it; null where there is none.
    pub application_uri: Option<String>,
    /// Whether it is let in.
    pub trusted: bool,
    /// Since when it is trusted; of one that is not, when it was last refused.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}
