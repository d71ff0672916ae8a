//! The statements that run, by which one is cancelled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

/// Whose statement it is, and its name.
type Key = (String, Bytes);

/// The statements that run. As many as the host runs at one time: each is here while its rows are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running(Arc<Mutex<HashMap<Key, CancellationToken>>>);

impl Running {
    /// Writes a statement down until the entry is dropped. Of two under one name the later one is
    /// cancelled by it.
    pub(crate) fn enter(&self, caller: String, name: Bytes) -> Entry {
        let (key, cancelled) = ((caller, name), CancellationToken::new());
        let is_named = !key.1.is_empty();
        if is_named {
            self.locked().insert(key.clone(), cancelled.clone());
        }
        Entry { running: self.clone(), key, cancelled }
    }

    /// Cancels a caller's statement; false when none of that name runs.
    pub(crate) fn cancel(&self, caller: String, name: Bytes) -> bool {
        let found = self.locked().remove(&(caller, name));
        found.inspect(CancellationToken::cancel).is_some()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<Key, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A statement that runs.
pub(crate) struct Entry {
    running: Running,
    key: Key,
    /// Whether it was cancelled.
    pub(crate) cancelled: CancellationToken,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.locked().remove(&self.key);
    }
}
