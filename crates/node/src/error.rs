//! Why a node cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::ConfigError;
use crate::tls::TlsError;

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder.
    #[error("could not use the data folder {}", path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The data folder cannot be written.
    #[error(
        "the data folder {} cannot be written, and a node writes to it: make it writable for the user \
         that runs the node, or name another with --data", path.display()
    )]
    ReadOnly {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The documents.
    #[error("could not open the documents")]
    Store(#[from] weir_store::StoreError),
    /// The samples.
    #[error("could not open the historian")]
    Historian(#[from] weir_historian::HistorianError),
    /// The lake's settings and identity.
    #[error("could not prepare the lake")]
    Lake(#[source] io::Error),
    /// The audit log.
    #[error("could not open the audit log")]
    Audit(#[from] weir_audit::AuditError),
    /// Users and policies.
    #[error("could not open users and policies")]
    Access(#[from] weir_access::AccessError),
    /// The devices.
    #[error("could not start the supervision of devices")]
    Connect(#[from] weir_connect::ConnectError),
    /// The MQTT broker.
    #[error("could not open the MQTT broker")]
    Broker(#[from] weir_broker::BrokerError),
    /// The server of identifiers.
    #[error("could not serve identifiers; see [resolver] in the settings")]
    Resolver(#[from] weir_resolver::ResolverError),
    /// An address of the server of identifiers.
    #[error("[resolver] {setting} is {what}, and {text:?} is none")]
    NoAddress {
        /// The setting.
        setting: &'static str,
        /// What it is.
        what: &'static str,
        /// What stands there.
        text: String,
    },
    /// The first organisation and its administrator.
    #[error("could not create the first organisation: {0}")]
    First(String),
    /// Encryption.
    #[error("could not set up TLS")]
    Tls(#[from] TlsError),
    /// The port.
    #[error("could not listen on {address}; is another program using it?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The OPC UA server's port.
    #[error(
        "could not listen for OPC UA on {address}; is another program using it? Set another address \
         with --opcua or in [opcua], or end the other program"
    )]
    ListenForOpcUa {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No security policy is left.
    #[error("the setting opcua.policies is empty: no OPC UA client could connect")]
    NoOpcUaPolicy,
    /// The OPC UA server.
    #[error("could not start the OPC UA server")]
    OpcUa(#[from] weir_opcua_server::Error),
    /// A part of the start was cancelled.
    #[error("the start was interrupted")]
    Interrupted,
}
