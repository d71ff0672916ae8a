//! From the documents that say how long samples are kept to the historian that keeps them.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;
use weir_historian::Historian;
use weir_model::TenantId;
use weir_store::{Collection, Store, StoreError};
use weir_twin::Retentions;

use crate::changes::{Changes, News};
use crate::devices::tenants;

/// Gives the historian the rules of every organisation.
pub(crate) fn start(store: &Store, historian: &Historian) -> Result<(), StoreError> {
    let tenants = store.read(tenants)?;
    tenants.into_iter().try_for_each(|tenant| apply(store, historian, tenant))
}

/// Gives the historian rules whenever they change, until `stop`. `from` is the position of the feed
/// at which they were read first.
pub(crate) async fn follow(store: Store, historian: Historian, from: u64, stop: CancellationToken) {
    let mut changes = Changes::after(from, &store, stop);
    while let Some(news) = changes.next().await {
        let applied = match news {
            News::Entries(entries) => {
                let changes = entries.iter().flat_map(|entry| &entry.changes);
                let of_rules = changes.filter(|change| change.collection == Retentions::NAME);
                let tenants: BTreeSet<TenantId> = of_rules.map(|change| change.tenant).collect();
                tenants.into_iter().try_for_each(|tenant| apply(&store, &historian, tenant))
            }
            News::Everything => start(&store, &historian),
        };
        if let Err(error) = applied {
            tracing::error!(%error, "the rules of how long samples are kept cannot be read");
        }
    }
}

fn apply(store: &Store, historian: &Historian, tenant: TenantId) -> Result<(), StoreError> {
    let found = Retentions::of(store, tenant)?;
    let rules = found.map(|found| found.record.rules).unwrap_or_default();
    historian.set_retention(tenant, rules);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weir_model::{Author, Keep, RequestId, Retention, RetentionRule, Timestamp};
    use weir_store::{Commit, Expect, Schema};
    use weir_twin::SampleRetention;

    use super::*;

    const TENANT: TenantId = TenantId(1);

    fn rules(after_days: u32) -> Retention {
        Retention::new(vec![RetentionRule { after_days, keep: Keep::Hour }]).unwrap()
    }

    async fn put(store: &Store, rules: Retention) {
        let author = Author {
            tenant: TENANT,
            principal: "88.100/user.ada".parse().unwrap(),
            cause: "retention.update".to_owned(),
            request: RequestId(1),
        };
        let mut commit = Commit::new(author, Timestamp::from_nanos(0));
        let record = SampleRetention { rules };
        commit.put::<Retentions>(Retentions::SAMPLES, &record, Expect::Any);
        store.commit(commit).await.unwrap();
    }

    #[tokio::test]
    async fn the_historian_has_the_rules_that_the_documents_say() {
        let dir = tempfile::tempdir().unwrap();
        let schema = weir_twin::schema(Schema::new());
        let store = Store::open(&dir.path().join("store"), schema, Default::default()).unwrap();
        let historian = Historian::open(&dir.path().join("historian"), Default::default()).unwrap();
        let (from, stop) = (*store.head().borrow(), CancellationToken::new());
        let following = follow(store.clone(), historian.clone(), from, stop.clone());
        let following = tokio::spawn(following);
        for days in [30, 60] {
            put(&store, rules(days)).await;
            while historian.retention(TENANT) != rules(days) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        stop.cancel();
        following.await.unwrap();
        assert_eq!(historian.retention(TenantId(2)), Retention::default());
    }
}
