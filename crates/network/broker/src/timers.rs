//! Deadlines of sessions without a connection: the delayed will, and the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::session::Session;

/// Names one deadline.
pub(crate) type TimerKey = (Instant, u64);

/// What came due: the session, and the epoch in which the deadline was set.
pub(crate) type Due = (Arc<Session>, u64);

#[derive(Debug, Default)]
pub(crate) struct Timers {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    deadlines: BTreeMap<TimerKey, Due>,
    key_last: u64,
    closed: bool,
}

impl Timers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, at: Instant, session: &Arc<Session>, epoch: u64) -> TimerKey {
        let mut state = self.state();
        state.key_last += 1;
        let key = (at, state.key_last);
        state.deadlines.insert(key, (Arc::clone(session), epoch));
        let first = state.deadlines.first_key_value().is_some_and(|(k, _)| *k == key);
        drop(state);
        if first {
            self.wake.notify_one();
        }
        key
    }

    pub(crate) fn cancel(&self, key: TimerKey) {
        self.state().deadlines.remove(&key);
    }

    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.deadlines.clear();
        drop(state);
        self.wake.notify_one();
    }

    /// Waits for the next deadline, on a thread of its own; none at the end. `idle` bounds the wait:
    /// then nothing is due, and there is time for housekeeping.
    pub(crate) fn next(&self, idle: std::time::Duration) -> Option<Option<Due>> {
        let mut state = self.state();
        let until = Instant::now() + idle;
        loop {
            if state.closed {
                return None;
            }
            let now = Instant::now();
            let first = state.deadlines.first_key_value().map(|((at, _), _)| *at);
            if first.is_some_and(|at| at <= now) {
                return Some(state.deadlines.pop_first().map(|(_, due)| due));
            }
            if now >= until {
                return Some(None);
            }
            let wait = first.unwrap_or(until).min(until).saturating_duration_since(now);
            let waited = self.wake.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
