//! How the server is started, and its bounds.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use opcua::crypto::SecurityPolicy;

/// How a server is started.
#[derive(Debug)]
pub struct Options {
    /// Where it listens: at least one place. `[::]:4840` takes IPv4 and IPv6 on most systems.
    pub listen: Vec<Listen>,
    /// The folder of its certificate and trust list: `own/`, `trusted/` and `rejected/`.
    pub pki_dir: PathBuf,
    /// Names and addresses by which clients reach this machine, the best first. They go into the
    /// certificate when it is made, and the first into endpoint URLs for clients that name none.
    pub host_names: Vec<String>,
    /// The application URI, such as `urn:weir:plant-7:opcua`. The certificate holds it; changing it
    /// makes the server refuse to start until `own/` is emptied.
    pub application_uri: String,
    /// The name that clients show, such as `Weir Demo plant`.
    pub application_name: String,
    /// What connections may be secured by.
    pub policies: Vec<Policy>,
    /// Whether connections without signature and encryption are let in.
    pub allow_none: bool,
    /// Whether users without credentials are let in (and then seen by [`Plant::authenticate`]).
    ///
    /// [`Plant::authenticate`]: crate::Plant::authenticate
    pub allow_anonymous: bool,
    /// Whether users may show a certificate of their own instead of a password.
    pub allow_user_certificates: bool,
    /// Its bounds.
    pub limits: Limits,
}

/// A security policy (OPC 10000-7). Those that the standard has withdrawn (SHA-1 signatures,
/// PKCS #1 v1.5 encryption) are not known here at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// `Aes128_Sha256_RsaOaep`.
    Aes128Sha256RsaOaep,
    /// `Basic256Sha256`: what nearly every client knows.
    Basic256Sha256,
    /// `Aes256_Sha256_RsaPss`: the strongest.
    Aes256Sha256RsaPss,
}

impl Policy {
    /// Every policy, the strongest last.
    pub const ALL: [Self; 3] =
        [Self::Aes128Sha256RsaOaep, Self::Basic256Sha256, Self::Aes256Sha256RsaPss];

    pub(crate) fn on_the_wire(self) -> SecurityPolicy {
        match self {
            Self::Aes128Sha256RsaOaep => SecurityPolicy::Aes128Sha256RsaOaep,
            Self::Basic256Sha256 => SecurityPolicy::Basic256Sha256,
            Self::Aes256Sha256RsaPss => SecurityPolicy::Aes256Sha256RsaPss,
        }
    }
}

/// A place to listen at.
#[derive(Debug)]
pub enum Listen {
    /// An address; port 0 takes a free one.
    Address(SocketAddr),
    /// A socket that was bound before.
    Bound(TcpListener),
}

/// Bounds of what clients can make the server hold. What a protocol constant or a careful default
/// bounds is not here.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Connections at a time, of all clients. The next one is closed at once.
    pub connections_max: usize,
    /// Sessions at a time.
    pub sessions_max: usize,
    /// Subscriptions at a time, of all sessions.
    pub subscriptions_max: usize,
    /// Subscriptions of one session.
    pub subscriptions_per_session_max: usize,
    /// Monitored items at a time, of all sessions: about a kilobyte each with all that belongs to
    /// them, and 64 bytes for each place in a queue that is taken.
    pub monitored_items_max: usize,
    /// Values that wait in one monitored item.
    pub queue_size_max: u32,
    /// Values that may wait in the queues of all items beyond one each. Items that are created when
    /// so many have been asked for get a queue of one.
    pub queued_values_max: usize,
    /// Publish requests that wait in one session.
    pub publish_requests_max: usize,
    /// Bytes of one request or answer.
    pub message_bytes_max: usize,
    /// Nodes in one read, write, browse, translate or subscribe request.
    pub nodes_per_request_max: usize,
    /// Nodes in one history request.
    pub history_nodes_per_request_max: usize,
    /// Stored values in one answer, of all its nodes.
    pub history_values_max: usize,
    /// References in one answer, per node.
    pub references_per_node_max: usize,
    /// The shortest publishing interval.
    pub publishing_interval_min: Duration,
    /// What a session may be idle at most.
    pub session_timeout_max: Duration,
    /// From the connection to its first message, and between the steps until a session is active.
    pub connect_timeout: Duration,
    /// What one request may take, and one piece of an answer until the client takes it.
    pub request_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 128,
            sessions_max: 100,
            subscriptions_max: 1_000,
            subscriptions_per_session_max: 50,
            monitored_items_max: 200_000,
            queue_size_max: 1_000,
            queued_values_max: 5_000_000,
            publish_requests_max: 100,
            message_bytes_max: 16 << 20,
            nodes_per_request_max: 10_000,
            history_nodes_per_request_max: 1_000,
            history_values_max: 50_000,
            references_per_node_max: 1_000,
            publishing_interval_min: Duration::from_millis(50),
            session_timeout_max: Duration::from_secs(3_600),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
        }
    }
}
