//! What the console shows of clients.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;

use weir_model::Timestamp;

/// What is known of a client as long as it is connected.
#[derive(Debug)]
pub(crate) struct ClientInfo {
    pub(crate) remote: SocketAddr,
    pub(crate) encrypted: bool,
    pub(crate) version: u8,
    pub(crate) connected_since: Timestamp,
    pub(crate) keep_alive_seconds: u16,
    pub(crate) messages_in: AtomicU64,
    pub(crate) messages_out: AtomicU64,
}

/// A client of a tenant, connected or with a kept session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientStatus {
    /// The client identifier.
    pub client_id: String,
    /// The principal that the session belongs to.
    pub principal: String,
    /// The connection; none when only its session is kept.
    pub connection: Option<ClientConnection>,
    /// The first 20 of its topic filters by their order, `$share/group/` included.
    pub subscriptions: Vec<String>,
    /// How many it has.
    pub subscriptions_count: usize,
    /// Messages that wait to be sent.
    pub queued: usize,
    /// Messages that were sent and not acknowledged.
    pub inflight: usize,
    /// How long the session is kept without a connection, in seconds.
    pub session_expiry_seconds: u32,
}

/// A client's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConnection {
    /// Where it comes from.
    pub remote: SocketAddr,
    /// Whether it is inside TLS.
    pub encrypted: bool,
    /// The protocol level: 3 is MQTT 3.1 or 3.1.1, 5 is MQTT 5.
    pub version: u8,
    /// Since when.
    pub since: Timestamp,
    /// The keep-alive in force, in seconds; 0 is none.
    pub keep_alive_seconds: u16,
    /// Messages that it published since then.
    pub messages_in: u64,
    /// Messages that were sent to it since then.
    pub messages_out: u64,
}
