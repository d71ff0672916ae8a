//! What all caches that share it may take together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that several [`SeriesCache`](crate::SeriesCache)s share. Each takes what it grows by before
/// it grows, and gives it back when it starts anew or goes away.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    bytes_max: usize,
}

impl Budget {
    /// Of so many bytes, none of which is used.
    pub fn new(bytes_max: usize) -> Self {
        Self { used: AtomicUsize::new(0), bytes_max }
    }

    /// Bytes that nobody has taken.
    pub fn left(&self) -> usize {
        self.bytes_max - self.used.load(Ordering::Relaxed).min(self.bytes_max)
    }

    /// Takes so many bytes; false, and nothing is taken, where not so many are left.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.bytes_max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Notes that of so many bytes taken by one cache so many are still in use.
    pub(crate) fn settle(&self, taken: usize, in_use: usize) {
        if in_use > taken {
            self.used.fetch_add(in_use - taken, Ordering::Relaxed);
        } else {
            self.used.fetch_sub(taken - in_use, Ordering::Relaxed);
        }
    }
}
