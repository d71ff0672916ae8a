//! What the routes need of an MQTT broker. The node implements it: this crate knows no broker.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use weir_model::{TenantId, Timestamp};

/// The broker of this node.
pub trait MqttBroker: Send + Sync {
    /// Where clients connect to, and whether inside TLS.
    fn listens(&self) -> (SocketAddr, bool);

    /// Sessions of a tenant, and its retained messages.
    fn counts(&self, tenant: TenantId) -> (usize, usize);

    /// Clients of a tenant in the order of their identifiers: at most `max` after the one that is called
    /// `after`.
    fn clients(&self, tenant: TenantId, after: Option<&str>, max: usize) -> Vec<MqttClient>;

    /// Ends the connection of a client; false where it has none. Its session stays as it asked for.
    fn disconnect(&self, tenant: TenantId, client_id: &str) -> bool;
}

/// A client of the broker, connected or with a session that is kept for it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MqttClient {
    /// The client identifier.
    pub client_id: String,
    /// The user whose token it shows.
    pub user: String,
    /// Its connection; null when only its session is kept.
    pub connection: Option<MqttConnection>,
    /// How many topic filters it has subscribed to.
    pub subscriptions: usize,
    /// The first of them, as many as the broker tells.
    pub filters: Vec<String>,
    /// Messages that wait to be sent to it.
    pub queued: usize,
    /// Messages that were sent to it and that it has not acknowledged.
    pub inflight: usize,
    /// How long its session is kept without a connection, in seconds.
    pub session_expiry_s: u32,
}

/// The connection of a client.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MqttConnection {
    /// The address that it comes from.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// The port that it comes from.
    pub port: u16,
    /// The protocol: 3 for MQTT 3.1 and 3.1.1, 5 for MQTT 5.
    pub version: u8,
    /// Whether it is inside TLS.
    pub tls: bool,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// The keep-alive in force, in seconds; 0 is none.
    pub keep_alive_s: u16,
    /// Messages that it published since then.
    pub messages_in: u64,
    /// Messages that were sent to it since then.
    pub messages_out: u64,
}
