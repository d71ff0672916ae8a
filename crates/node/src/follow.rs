//! From the store's change feed to the audit log.
//!
//! A route cannot forget to audit a change, since no route does it: what is on the feed is
//! recorded, in order, once. After a crash the follower goes on behind the last recorded position.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use weir_api::Commands;
use weir_audit::{Audit, AuditError, Change, Entry, Event, Operation};
use weir_store::{Collection, FeedEntry, FeedError, Op, Store};

/// Entries of the feed that are read at one time.
const PAGE: usize = 256;

/// Most bytes of the changes that are listed of a commit that is too large to be listed whole.
const LISTED_BYTES_MAX: usize = 1 << 20;

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
        append(audit, recorded(store, entry)?).await?;
    }
    Ok(count)
}

/// Adds an entry; of one that is too large, the beginning and how much is left out. It must not be
/// the end of the audit: what follows would wait behind it for ever.
async fn append(audit: &Audit, entry: Entry) -> Result<(), AuditError> {
    match audit.append(entry.clone()).await {
        Err(AuditError::TooLarge { bytes }) => {
            tracing::error!(bytes, cause = entry.author.cause, "a change is audited in part");
            audit.append(shortened(entry)).await.map(drop)
        }
        appended => appended.map(drop),
    }
}

fn shortened(mut entry: Entry) -> Entry {
    let mut left_out = 0;
    if let Event::Change { changes, .. } = &mut entry.event {
        let mut bytes = 0;
        let listed = changes.iter().take_while(|change| {
            // In JSON a byte becomes six at the most; the rest of a change is short.
            bytes += 6 * (change.key.len() + change.collection.len()) + 128;
            bytes <= LISTED_BYTES_MAX
        });
        let listed = listed.count();
        left_out = changes.len() - listed;
        changes.truncate(listed);
    }
    entry.with_detail(serde_json::json!({ "changes_left_out": left_out }))
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

#[cfg(test)]
mod tests {
    use weir_audit::Filter;
    use weir_model::{Author, RequestId, TenantId, Timestamp};

    use super::*;

    #[tokio::test]
    async fn the_largest_commit_does_not_stop_the_audit() {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::open(dir.path(), weir_audit::Options::default()).unwrap();
        let tenant = TenantId(1);
        let change = |number: usize| Change {
            tenant,
            collection: "tags".to_owned(),
            key: format!("88.100/{number}{}", "\u{1}".repeat(1500)),
            version: 1,
            op: Operation::Put,
        };
        let author = Author {
            tenant,
            principal: "88.100/user.ada".parse().unwrap(),
            cause: "tags.import".to_owned(),
            request: RequestId(1),
        };
        let event = Event::Change { position: 7, changes: (0..10_000).map(change).collect() };
        append(&audit, Entry::new(Timestamp::from_nanos(0), author, event)).await.unwrap();
        assert_eq!(audit.feed_position(), 7);
        let page = audit.page(None, 1, Filter::of(tenant)).await.unwrap();
        let entry = &page.items[0].entry;
        let Event::Change { changes, .. } = &entry.event else { panic!("{entry:?}") };
        assert!(changes.len() > 50);
        let told = serde_json::json!({ "changes_left_out": 10_000 - changes.len() });
        assert_eq!(entry.detail, Some(told));
        audit.close().await;
    }
}
