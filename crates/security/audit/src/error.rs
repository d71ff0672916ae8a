//! What can go wrong with the audit.

use std::io;
use std::path::{Path, PathBuf};

use crate::entry::ENTRY_BYTES_MAX;
use crate::proof::ProofError;
use crate::verify::Divergence;

/// Why the log could not be opened, written, read or proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The file system refused.
    #[error("{what} {}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process writes this log.
    #[error("the audit log in {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The log is not what its own checkpoints and hashes say.
    #[error("the audit log in {} is not intact: {divergence}", dir.display())]
    Diverged {
        /// The log's folder.
        dir: PathBuf,
        /// Where, and in what way.
        divergence: Divergence,
    },
    /// The signing key, its public half or the first checkpoint is missing or unreadable.
    #[error("read the audit key {}: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An entry of more than [`ENTRY_BYTES_MAX`] bytes.
    #[error("an audit entry of {bytes} bytes is longer than {ENTRY_BYTES_MAX}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The entry cannot be written as JSON.
    #[error("write an audit entry as JSON")]
    Encode(#[source] serde_json::Error),
    /// [`crate::Audit::refuse`] was given something other than a refusal.
    #[error("only refusals and failed sign-ins are counted as refusals")]
    NotARefusal,
    /// The log was closed, or an earlier write failed in a way that leaves unknown what is on disk.
    #[error("the audit log is closed{}", reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default())]
    Closed {
        /// Why, when it was not closed on purpose.
        reason: Option<String>,
    },
    /// A proof was asked for a leaf or size that the log has not reached.
    #[error("prove an audit entry")]
    Proof(#[from] ProofError),
}

impl AuditError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn diverged(dir: &Path, leaf: u64, reason: impl Into<String>) -> Self {
        let divergence = Divergence { leaf, reason: reason.into() };
        Self::Diverged { dir: dir.to_owned(), divergence }
    }
}
