//! Why a change of the twin is refused.

use weir_model::{FieldError, Identifier};
use weir_store::StoreError;

/// Why a change is refused or a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TwinError {
    /// Fields that break a rule, each named by a JSON pointer into the document.
    #[error("the document breaks {} rule(s)", .0.len())]
    Invalid(Vec<FieldError>),
    /// Nothing has that identifier.
    #[error("nothing has the identifier {0}")]
    NotFound(Identifier),
    /// Something stands in the way, such as the children of an asset that is to be deleted.
    #[error("{0}")]
    InTheWay(String),
    /// The record has another version than the caller named.
    #[error("{id} has version {current}, not {expected}")]
    Version {
        /// The record.
        id: Identifier,
        /// The version the caller named.
        expected: u64,
        /// The version it has.
        current: u64,
    },
    /// The numbers of tags or tenants are used up.
    #[error("all {0} numbers of this node are used up")]
    NumbersUsedUp(&'static str),
    /// The documents could not be read.
    #[error("could not read the documents")]
    Store(#[from] StoreError),
}

impl TwinError {
    /// One field that breaks a rule.
    pub fn field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.into(), detail: detail.into() }])
    }
}
