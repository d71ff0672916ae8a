//! The store's change feed, for rooms that do what documents say.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weir_store::{FeedEntry, FeedError, Store};

/// Entries of the feed that are read at one time.
const PAGE: usize = 500;

/// Between attempts while the change feed cannot be read.
const RETRY: Duration = Duration::from_secs(1);

/// What is new on the feed.
pub(crate) enum News {
    /// These changes, oldest first.
    Entries(Vec<FeedEntry>),
    /// More than the feed still has: everything may have changed.
    Everything,
}

/// Somebody who follows the feed until the node stops.
pub(crate) struct Changes {
    store: Store,
    head: watch::Receiver<u64>,
    from: u64,
    stop: CancellationToken,
}

impl Changes {
    /// What changes behind a position.
    pub(crate) fn after(from: u64, store: &Store, stop: CancellationToken) -> Self {
        Self { head: store.head(), store: store.clone(), from, stop }
    }

    /// Waits for what is new; none when the node stops.
    pub(crate) async fn next(&mut self) -> Option<News> {
        loop {
            match self.store.feed(self.from, PAGE) {
                Ok(entries) => match entries.last() {
                    Some(last) => {
                        self.from = last.position;
                        return Some(News::Entries(entries));
                    }
                    None => self.stop.run_until_cancelled(self.head.changed()).await?.ok()?,
                },
                Err(FeedError::TooOld { .. }) => {
                    self.from = *self.head.borrow();
                    return Some(News::Everything);
                }
                Err(error) => {
                    tracing::error!(%error, "the change feed cannot be read; devices and retention stay as they are");
                    self.stop.run_until_cancelled(tokio::time::sleep(RETRY)).await?;
                }
            }
        }
    }
}
