use futures::future::{BoxFuture, FutureExt, ready};

use super::*;
use crate::gate::{Act, Denied, Login, Principal};
use crate::journal::record::SessionRecord;

struct Nobody;

impl Gate for Nobody {
    fn authenticate<'a>(&'a self, _: Login<'a>) -> BoxFuture<'a, Result<Principal, Denied>> {
        ready(Err(Denied::Credentials)).boxed()
    }

    fn may(&self, _: &Principal, _: Act, _: &str) -> bool {
        false
    }
}

/// Otherwise each crash would give a session its whole life again.
#[tokio::test]
async fn a_session_that_was_connected_at_the_crash_is_offline_since_then() {
    let dir = tempfile::tempdir().unwrap();
    let record = |client_id: &str, offline_since_ms| SessionRecord {
        tenant: 1,
        client_id: client_id.to_owned(),
        owner: "p".to_owned(),
        expiry_seconds: 3600,
        offline_since_ms,
    };
    let before = now_ms();
    let (journal, _) = Journal::open(dir.path(), 1 << 30).unwrap();
    journal.append(&journal.share(TenantId(1)), &Entry::Session(1, &record("connected", None)));
    journal.append(
        &journal.share(TenantId(1)),
        &Entry::Session(2, &record("gone", Some(before - 1000))),
    );
    journal.close();
    let broker = Broker::open(BrokerOptions::new(dir.path()), Arc::new(Nobody)).unwrap();
    broker.shutdown().await;
    drop(broker);
    let (_, recovered) = Journal::open(dir.path(), 1 << 30).unwrap();
    let since = |id| recovered.sessions[&id].record.as_ref().unwrap().offline_since_ms;
    assert!(since(1).is_some_and(|ms| ms >= before), "{:?}", since(1));
    assert_eq!(since(2), Some(before - 1000));
}
