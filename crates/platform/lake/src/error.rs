//! What can go wrong, and what to do about it.

use object_store::Error as Store;

/// Why the table is not what the history is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// The URL is none that a lake can be at.
    #[error("a lake cannot be at {url:?}: {reason}")]
    Url {
        /// As it was written.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store refused or cannot be reached.
    #[error("could not {action}")]
    Store {
        /// What was attempted.
        action: &'static str,
        /// What the store said.
        #[source]
        source: Store,
    },
    /// The store takes an object for one that is there already.
    #[error(
        "the store does not honour `If-None-Match`: two writers could replace each other's commits"
    )]
    NotAtomic,
    /// The table's log is not what the protocol says.
    #[error("{file} in the table's log cannot be used: {reason}")]
    Log {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The table needs more than this version can do.
    #[error("the table needs a reader of version {reader} and a writer of version {writer}")]
    Protocol {
        /// What it says of readers.
        reader: i32,
        /// What it says of writers.
        writer: i32,
    },
    /// There is a table that another node writes, or no node.
    #[error("the table there is not this node's: it belongs to {owner}")]
    Foreign {
        /// Whose it is.
        owner: String,
    },
    /// Another process with this node's identity has written since.
    #[error("another process writes this table in this node's name")]
    Fenced,
    /// Somebody else committed in between, again and again.
    #[error("others commit to the table all the time")]
    Busy,
    /// A file of the history could not be read.
    #[error("{0}")]
    Source(String),
    /// The history gives no files now: nothing may leave, or it cannot be read.
    #[error("{0}")]
    Withheld(String),
    /// It was asked to end.
    #[error("interrupted")]
    Interrupted,
}

impl LakeError {
    pub(crate) fn store(action: &'static str) -> impl FnOnce(Store) -> Self {
        move |source| Self::Store { action, source }
    }

    /// Whether trying again may help.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::Url { .. } | Self::Fenced)
    }

    /// What the operator can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Url { .. } => "Set lake.url to s3://bucket/folder or file:///folder.",
            Self::Store { source, .. } => match source {
                Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => {
                    "Let the key of lake.access_key read, write, list and delete below lake.url."
                }
                Store::NotFound { .. } => "Create the bucket, or set lake.url to one that exists.",
                _ => {
                    "It is tried again by itself. Look whether the store is up, whether lake.endpoint and \
                     lake.region are right, and whether this machine reaches it."
                }
            },
            Self::NotAtomic => {
                "Use a store that has conditional writes, or a newer version of this one."
            }
            Self::Log { .. } => {
                "Restore the file, or give the lake a new folder: it is filled from the history again."
            }
            Self::Protocol { .. } => {
                "Another program has upgraded the table. Give the lake a new folder, and let others only read."
            }
            Self::Foreign { .. } => "Give every node a folder of its own: change lake.url.",
            Self::Fenced => {
                "Stop one of the two nodes, or give the copy an identity of its own by removing \
                 lake/identity from its data folder and a lake.url of its own; then start it again."
            }
            Self::Busy => "Let other programs only read the table.",
            Self::Withheld(_) => "Nothing new leaves until then; what is in the lake stays.",
            Self::Source(_) => "Run `weir historian check`.",
            Self::Interrupted => "",
        }
    }
}
