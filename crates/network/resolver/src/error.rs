//! Why an identifier is not given.

use weir_model::{Identifier, IdentifierError, Prefix};
use weir_store::StoreError;

/// Why an identifier is not given or a record not changed.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// The identifier stands under another prefix than the organisation's own.
    #[error("{id} does not stand under the prefix {prefix}")]
    ForeignPrefix {
        /// What was asked for.
        id: Identifier,
        /// The organisation's own prefix.
        prefix: Prefix,
    },
    /// Nobody here answers for its prefix.
    #[error("the prefix of {0} is not homed here")]
    NotHomed(Identifier),
    /// The values are none that a record can have.
    #[error("{0}")]
    Values(String),
    /// Something has the identifier already, or something of another kind had it.
    #[error("{0} is taken")]
    Taken(Identifier),
    /// The identifier that was asked for is longer than [`crate::SUFFIX_BYTES_MAX`] allows.
    #[error("a suffix has at most {max} bytes")]
    SuffixTooLong {
        /// The limit.
        max: usize,
    },
    /// No identifier like the one wanted is free.
    #[error("no identifier like {0} is free")]
    NoneFree(String),
    /// The name makes no identifier.
    #[error("could not make an identifier")]
    Identifier(#[from] IdentifierError),
    /// The registry could not be read.
    #[error("could not read the registry")]
    Store(#[from] StoreError),
    /// An address is taken, or not this machine's.
    #[error("listen for identifiers on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system gives no thread.
    #[error("start a thread for identifiers")]
    Thread(#[source] std::io::Error),
    /// The server's own key cannot be made or read.
    #[error("make or read the key of this server")]
    Key,
    /// It could not be written.
    #[error("write to the registry")]
    Commit(#[source] weir_store::CommitError),
}
