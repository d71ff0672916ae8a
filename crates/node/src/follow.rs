//! From the store's change feed to the audit log.
//!
//! A route cannot forget to audit a change, since no route does it: what is on the feed is
//! recorded, in order, once. After a crash the follower goes on behind the last recorded position.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use weir_api::Commands;
use weir_audit::{Audit, Change, Entry, Event, Operation};
use weir_store::{Collection, FeedEntry, FeedError, Op, Store};

/// Entries of the feed that are read at one time.
const PAGE: usize = 256;

/// Between attempts while the audit log cannot be written.
const RETRY: Duration = Duration::from_secs(1);

/// Records every commit until `stop`, then what is left.
pub(crate) async fn changes_to_audit(store: Store, audit: Audit, stop: CancellationToken) {
    let mut head = store.head();
    let mut stopping = false;
    loop {
        match step(&store, &audit).await {
            Ok(0) if stopping => return,
            Ok(0) => tokio::select! {
                changed = head.changed() => stopping = changed.is_err(),
                () = stop.cancelled() => stopping = true,
            },
            Ok(_) => {}
            Err(reason) => {
                tracing::error!(%reason, "changes wait to be written to the audit log");
                if stopping {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    () = stop.cancelled() => stopping = true,
                }
            }
        }
    }
}

/// Records one page of the feed; the number of its entries.
async fn step(
    store: &Store,
    audit: &Audit,
) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    let after = audit.feed_position();
    let entries = match store.feed(after, PAGE) {
        Ok(entries) => entries,
        Err(FeedError::TooOld { oldest, .. }) => {
            tracing::error!(
                after,
                oldest,
                "the audit log lacks changes that the feed no longer has"
            );
            store.feed(oldest.saturating_sub(1), PAGE)?
        }
        Err(error) => return Err(error.into()),
    };
    let count = entries.len();
    for entry in entries {
        audit.append(recorded(store, entry)?).await?;
    }
    Ok(count)
}

fn recorded(store: &Store, entry: FeedEntry) -> Result<Entry, weir_store::StoreError> {
    let detail = detail(store, &entry)?;
    let changes = entry.changes.into_iter().map(|change| Change {
        tenant: change.tenant,
        collection: change.collection,
        key: change.key,
        version: change.version,
        op: match change.op {
            Op::Put => Operation::Put,
            Op::Delete => Operation::Delete,
        },
    });
    let event = Event::Change { position: entry.position, changes: changes.collect() };
    let recorded = Entry::new(entry.time, entry.author, event);
    Ok(match detail {
        Some(detail) => recorded.with_detail(detail),
        None => recorded,
    })
}

/// A write to a device: what was there before and after stands in the audit log itself.
fn detail(
    store: &Store,
    entry: &FeedEntry,
) -> Result<Option<serde_json::Value>, weir_store::StoreError> {
    let Some(change) = entry.changes.iter().find(|change| change.collection == Commands::NAME)
    else {
        return Ok(None);
    };
    let command = store.get::<Commands>(change.tenant, &change.key)?;
    Ok(command.and_then(|found| serde_json::to_value(found.record).ok()))
}
