//! Blocks that could not be merged, and how long they are left alone for the sake of the others.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// First and longest time that a block is left alone.
const HOLD: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// Which blocks are left alone, by number: until when, and for how long that was.
#[derive(Debug, Default)]
pub(super) struct Held(HashMap<u64, (Instant, Duration)>);

impl Held {
    /// Whether a block is left alone at a moment.
    pub(super) fn has(&self, block: u64, now: Instant) -> bool {
        self.0.get(&block).is_some_and(|(until, _)| now < *until)
    }

    /// Leaves a block alone from a moment on, twice as long as the last time.
    pub(super) fn hold(&mut self, block: u64, now: Instant) {
        let before = self.0.get(&block).map(|(_, pause)| *pause * 2);
        let pause = before.unwrap_or(HOLD.0).min(HOLD.1);
        self.0.insert(block, (now + pause, pause));
    }

    /// Forgets the blocks that are not live.
    pub(super) fn retain(&mut self, is_live: impl Fn(u64) -> bool) {
        self.0.retain(|block, _| is_live(*block));
    }

    /// Leaves none alone any longer.
    pub(super) fn clear(&mut self) {
        self.0.clear();
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
