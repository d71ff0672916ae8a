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
}
