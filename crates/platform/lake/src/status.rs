//! How the lake is, for the operator.

use weir_model::Timestamp;

use crate::table::Brought;
use crate::{LakeError, TableContents};

/// Longest text of an error that is kept: a store's answer may be a page.
const ERROR_CHARS_MAX: usize = 600;

/// What the follower is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was done yet.
    #[default]
    Starting,
    /// Files are being copied.
    Copying,
    /// The table is where the history was at the end of the last round.
    Following,
    /// The last round failed; it is tried again by itself.
    Failing,
    /// It has ended for good: somebody has to do something.
    Ended,
}

impl Phase {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Copying => "copying",
            Self::Following => "following",
            Self::Failing => "failing",
            Self::Ended => "ended",
        }
    }
}

/// How the lake is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// What it is at.
    pub phase: Phase,
    /// What the table has.
    pub contents: TableContents,
    /// How far the history was at the last commit.
    pub position: Option<u64>,
    /// When this node committed last.
    pub committed: Option<Timestamp>,
    /// The moment of the history that the table has all of: that of the last round that ended well.
    pub as_of: Option<Timestamp>,
    /// Commits since the start.
    pub commits: u64,
    /// Files uploaded since the start.
    pub uploaded_files: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
    /// Rounds that failed since the start.
    pub failures: u64,
    /// Why the last round failed; none after one that ended well.
    pub error: Option<String>,
    /// What to do about it.
    pub advice: Option<String>,
    /// Months that were left as they are by the last round, each with why.
    pub waiting: Vec<String>,
}

impl Status {
    /// Notes what a round has done, on top of what was before it.
    pub(crate) fn count(&mut self, before: &Self, brought: &Brought) {
        self.commits = before.commits + brought.commits;
        self.uploaded_files = before.uploaded_files + brought.uploaded.0;
        self.uploaded_bytes = before.uploaded_bytes + brought.uploaded.1;
    }

    /// Notes a failure.
    pub(crate) fn fail(&mut self, error: &LakeError) {
        self.phase = if error.is_passing() { Phase::Failing } else { Phase::Ended };
        self.failures += 1;
        self.error = Some(chain(error));
        self.advice = Some(error.advice().to_owned());
    }
}

/// An error with its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Some errors say what their cause says.
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text.chars().take(ERROR_CHARS_MAX).collect()
}
