//! Blocks that could not be merged, and how long they are left alone for the sake of the others.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::MergeWait;

/// First and longest time that a block is left alone.
const HOLD: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// Which blocks are left alone, by number: until when, and for how long that was.
#[derive(Debug, Default)]
pub(super) struct Held {
    failed: HashMap<u64, (Instant, Duration)>,
    /// Blocks that there was no space to merge, since the keeper began to look.
    waiting: HashSet<u64>,
    /// What the first of them waits for.
    wait: Option<MergeWait>,
}

impl Held {
    /// Whether a block is left alone at a moment.
    pub(super) fn has(&self, block: u64, now: Instant) -> bool {
        let has_failed = self.failed.get(&block).is_some_and(|(until, _)| now < *until);
        has_failed || self.waiting.contains(&block)
    }

    /// Leaves a block alone from a moment on, twice as long as the last time.
    pub(super) fn hold(&mut self, block: u64, now: Instant) {
        let before = self.failed.get(&block).map(|(_, pause)| *pause * 2);
        let pause = before.unwrap_or(HOLD.0).min(HOLD.1);
        self.failed.insert(block, (now + pause, pause));
    }

    /// Forgets the blocks that are not live.
    pub(super) fn retain(&mut self, is_live: impl Fn(u64) -> bool) {
        self.failed.retain(|block, _| is_live(*block));
    }

    /// Leaves none alone any longer for having failed.
    pub(super) fn clear(&mut self) {
        self.failed.clear();
    }

    /// Leaves a block alone for want of space, until [`Held::look_again`].
    pub(super) fn wait(&mut self, block: u64, wait: MergeWait) {
        self.waiting.insert(block);
        self.wait.get_or_insert(wait);
    }

    /// Leaves none alone any longer for want of space.
    pub(super) fn look_again(&mut self) {
        self.waiting.clear();
        self.wait = None;
    }

    /// What is waited for, where anything is.
    pub(super) fn waits(&self) -> Option<MergeWait> {
        self.wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_left_alone_for_ever_longer_but_an_hour_at_most() {
        let (mut held, mut now) = (Held::default(), Instant::now());
        assert!(!held.has(1, now));
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            held.hold(1, now);
            now += Duration::from_secs(minutes * 60 - 1);
            assert!(held.has(1, now) && !held.has(2, now));
            now += Duration::from_secs(1);
            assert!(!held.has(1, now));
        }
        held.retain(|block| block != 1);
        held.hold(1, now);
        assert!(!held.has(1, now + HOLD.0), "it begins anew");
    }
}
