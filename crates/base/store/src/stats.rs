//! What a store did since it was opened.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a store did since it was opened, and how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Commits that were accepted.
    pub commits: u64,
    /// Commits that were refused: conflicts, duplicates, damage or a full disk.
    pub refused: u64,
    /// Transactions, each with its flush to the disk, that the commits took.
    pub transactions: u64,
    /// Most commits that shared one transaction.
    pub group_max: u64,
    /// Commits that wait now.
    pub waiting: u64,
    /// Whether the last attempt to write failed, because the disk is full or worse.
    pub failing: bool,
    /// The newest position.
    pub head: u64,
    /// Bytes of the data file.
    pub file_bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) commits: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) transactions: AtomicU64,
    pub(crate) group_max: AtomicU64,
    pub(crate) waiting: AtomicU64,
    /// Bytes of the commits that wait.
    pub(crate) waiting_bytes: AtomicU64,
    pub(crate) failing: AtomicBool,
}

impl Tally {
    pub(crate) fn read(&self, head: u64, file_bytes: u64) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            commits: get(&self.commits),
            refused: get(&self.refused),
            transactions: get(&self.transactions),
            group_max: get(&self.group_max),
            waiting: get(&self.waiting),
            failing: self.failing.load(Ordering::Relaxed),
            head,
            file_bytes,
        }
    }
}
