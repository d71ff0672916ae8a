//! Who is connected to a port, and who has to go when it is full.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Most connections of one port: a plant's controllers take between 8 and 64.
pub(crate) const CONNECTIONS_MAX: usize = 32;

/// A client that was served within this time is not closed for a newcomer.
const SERVED_LATELY: Duration = Duration::from_secs(10);

/// The connections of one port.
#[derive(Clone)]
pub(crate) struct Connections {
    open: Arc<Mutex<Vec<Entry>>>,
    parent: CancellationToken,
}

struct Entry {
    number: u64,
    opened: Instant,
    served: Option<Instant>,
    close: CancellationToken,
}

/// A connection's place; dropping it frees the place.
pub(crate) struct Place {
    connections: Connections,
    number: u64,
    /// Cancelled when the connection has to close.
    pub(crate) close: CancellationToken,
}

impl Connections {
    /// No connections yet; all will close when `parent` is cancelled.
    pub(crate) fn new(parent: CancellationToken) -> Self {
        Self { open: Arc::default(), parent }
    }

    /// A place for a new connection. When all are taken, strangers go first: the longest open one
    /// that never asked for anything sensible, then the one that was not served for the longest,
    /// unless that is a moment ago. None when all are busy.
    pub(crate) fn enter(&self, now: Instant) -> Option<Place> {
        let mut open = self.lock();
        if open.len() >= CONNECTIONS_MAX {
            let leaving = leaving(&open, now)?;
            open.swap_remove(leaving).close.cancel();
        }
        let number = open.iter().map(|entry| entry.number + 1).max().unwrap_or(0);
        let close = self.parent.child_token();
        open.push(Entry { number, opened: now, served: None, close: close.clone() });
        Some(Place { connections: self.clone(), number, close })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        // The list is whole after any panic: every change is one call on it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn leaving(open: &[Entry], now: Instant) -> Option<usize> {
    let entries = || open.iter().enumerate();
    let stranger = entries().filter(|(_, e)| e.served.is_none()).min_by_key(|(_, e)| e.opened);
    let idle = || {
        entries()
            .filter(|(_, e)| e.served.is_some_and(|served| served + SERVED_LATELY <= now))
            .min_by_key(|(_, e)| e.served)
    };
    stranger.or_else(idle).map(|(index, _)| index)
}

impl Place {
    /// Notes that a sensible request was answered.
    pub(crate) fn served(&self, now: Instant) {
        if let Some(entry) = self.connections.lock().iter_mut().find(|e| e.number == self.number) {
            entry.served = Some(now);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().retain(|entry| entry.number != self.number);
    }
}

#[cfg(test)]
mod tests;
