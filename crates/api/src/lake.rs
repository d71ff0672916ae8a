//! What the routes need of a lake that follows this node. The node implements it: this crate knows no
//! object store.

use serde::Serialize;
use weir_model::Timestamp;

/// The lake of this node.
pub trait LakeView: Send + Sync {
    /// How it is at this moment.
    fn status(&self, now: Timestamp) -> LakeStatus;
}

/// How the lake is.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LakeStatus {
    /// Where the table is.
    pub url: String,
    /// `starting`, `copying`, `following`, `failing` (it is tried again by itself) or `ended` (somebody has to
    /// do something).
    pub state: String,
    /// The version of the table.
    pub version: Option<u64>,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How far the history was at the last commit: a position of the historian's log.
    pub position: Option<u64>,
    /// When this node committed last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub committed: Option<Timestamp>,
    /// The table has all that was in the historian's files at this moment.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
    /// How long ago that is, in seconds.
    pub behind_s: Option<f64>,
    /// Commits since the start.
    pub commits: u64,
    /// Files uploaded since the start.
    pub uploaded_files: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
    /// Rounds that failed since the start.
    pub failures: u64,
    /// Why the last round failed.
    pub error: Option<String>,
    /// What to do about it.
    pub advice: Option<String>,
    /// Months that were left as they are, each with why.
    pub waiting: Vec<String>,
}
