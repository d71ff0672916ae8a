//! Sequence numbers: what comes too early waits for what is missing, for a while.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// Messages that may come before a missing one. What lies further ahead is no matter of order.
const AHEAD_MAX: u8 = 64;

/// Puts messages in the order of their numbers, 0 to 255 and 0 again.
#[derive(Debug)]
pub(super) struct Order<M> {
    /// The number of the next message; none before a birth.
    next: Option<u8>,
    held: HashMap<u8, M>,
    /// Since when something is missing.
    since: Option<Instant>,
}

/// What became of a message.
#[derive(Debug, PartialEq)]
pub(super) enum Placed<M> {
    /// It is the next one.
    Next(M),
    /// It waits.
    Held,
    /// It is no matter of order: too far ahead, or there already.
    Lost(M),
}

impl<M> Default for Order<M> {
    fn default() -> Self {
        Self { next: None, held: HashMap::new(), since: None }
    }
}

impl<M> Order<M> {
    /// A birth begins a new count. What waited stays, where `keep` says that it came after the birth.
    pub(super) fn begin(&mut self, number: u8, now: Instant, mut keep: impl FnMut(&M) -> bool) {
        let next = number.wrapping_add(1);
        self.next = Some(next);
        self.held.retain(|number, message| number.wrapping_sub(next) <= AHEAD_MAX && keep(message));
        self.since = (!self.held.is_empty()).then_some(now);
    }

    /// Forgets everything: nobody is there who counts.
    pub(super) fn end(&mut self) {
        self.next = None;
        self.held.clear();
        self.since = None;
    }

    /// Whether a number is the one that comes next.
    pub(super) fn is_next(&self, number: u8) -> bool {
        self.next == Some(number)
    }

    pub(super) fn place(&mut self, number: u8, message: M, now: Instant) -> Placed<M> {
        let ahead = self.next.map_or(0, |next| number.wrapping_sub(next));
        if self.next.is_some() && ahead == 0 {
            self.next = Some(number.wrapping_add(1));
            return Placed::Next(message);
        }
        // Before a birth, what comes may belong to the one that is on its way.
        let is_full = self.held.len() > usize::from(AHEAD_MAX);
        if ahead > AHEAD_MAX || is_full || self.held.contains_key(&number) {
            return Placed::Lost(message);
        }
        self.held.insert(number, message);
        self.since.get_or_insert(now);
        Placed::Held
    }

    /// The next message, where it waits already.
    pub(super) fn follow(&mut self, now: Instant) -> Option<M> {
        let next = self.next?;
        let message = self.held.remove(&next)?;
        self.next = Some(next.wrapping_add(1));
        // Another one may still be missing; its time begins now.
        self.since = (!self.held.is_empty()).then_some(now);
        Some(message)
    }

    /// Until when what is missing may come.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Instant> {
        self.next.and(self.since).map(|since| since + patience)
    }

    /// Goes on without what is missing: all that waits, in order.
    pub(super) fn give_up(&mut self) -> Vec<M> {
        let Some(next) = self.next else { return Vec::new() };
        let mut held: Vec<_> = self.held.drain().collect();
        held.sort_by_key(|(number, _)| number.wrapping_sub(next));
        if let Some((last, _)) = held.last() {
            self.next = Some(last.wrapping_add(1));
        }
        self.since = None;
        held.into_iter().map(|(_, message)| message).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes out when numbers come in, with what is given up at the end.
    fn run(first: u8, numbers: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let now = Instant::now();
        let mut order = Order::default();
        order.begin(first.wrapping_sub(1), now, |_| true);
        let mut out = Vec::new();
        for number in numbers {
            if let Placed::Next(message) = order.place(*number, *number, now) {
                out.push(message);
                while let Some(message) = order.follow(now) {
                    out.push(message);
                }
            }
        }
        (out, order.give_up())
    }

    #[test]
    fn numbers_wrap_and_gaps_wait() {
        assert_eq!(run(254, &[254, 255, 0, 1]), (vec![254, 255, 0, 1], vec![]));
        assert_eq!(run(1, &[1, 3, 4, 2, 5]), (vec![1, 2, 3, 4, 5], vec![]));
        assert_eq!(run(254, &[0, 1]), (vec![], vec![0, 1]));
        assert_eq!(run(1, &[1, 1, 200]), (vec![1], vec![]));
    }

    proptest! {
        /// However 40 messages are shuffled, they come out in order.
        #[test]
        fn order_is_restored(first in any::<u8>(), order in Just((0..40_u8).collect::<Vec<_>>()).prop_shuffle()) {
            let numbers: Vec<u8> = order.iter().map(|n| first.wrapping_add(*n)).collect();
            let expected: Vec<u8> = (0..40).map(|n| first.wrapping_add(n)).collect();
            prop_assert_eq!(run(first, &numbers), (expected, vec![]));
        }

        /// Whatever numbers come, nothing is said twice and the memory is bounded.
        #[test]
        fn any_numbers_are_borne(first in any::<u8>(), numbers in prop::collection::vec(any::<u8>(), 0..300)) {
            let (out, left) = run(first, &numbers);
            prop_assert!(left.len() <= usize::from(AHEAD_MAX) + 1);
            prop_assert!(out.len() + left.len() <= numbers.len());
        }
    }
}
