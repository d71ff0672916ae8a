//! What all connections share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use opcua::crypto::SecurityPolicy;
use opcua::types::type_loader::ContextOwned;
use tokio_util::sync::CancellationToken;

use crate::forgeries::Forgeries;
use crate::options::Limits;
use crate::pki::Pki;
use crate::plant::timely::Timely;
use crate::publisher::{Counts, Publisher};
use crate::session::Sessions;
use crate::space::standard::Standard;

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) plant: Timely,
    pub(crate) pki: Arc<Pki>,
    pub(crate) application_uri: String,
    pub(crate) application_name: String,
    /// `host:port` for clients that say no better one.
    pub(crate) authority: String,
    /// What connections may be secured by.
    pub(crate) policies: Vec<SecurityPolicy>,
    pub(crate) allow_none: bool,
    pub(crate) allow_anonymous: bool,
    pub(crate) allow_user_certificates: bool,
    /// Who has shown what cannot be decrypted.
    pub(crate) forgeries: Mutex<Forgeries>,
    pub(crate) limits: Limits,
    /// The standard's nodes. They take ten megabytes, so that nobody pays for them before the first
    /// session.
    pub(crate) standard: LazyLock<Standard, Box<dyn FnOnce() -> Standard + Send>>,
    pub(crate) context: ContextOwned,
    pub(crate) sessions: Sessions,
    pub(crate) counts: Arc<Counts>,
    pub(crate) stop: CancellationToken,
    pub(crate) channels: AtomicU32,
    pub(crate) subscriptions: AtomicU32,
    pub(crate) items: AtomicU32,
    /// Where each subscription is.
    pub(crate) publishers: Publishers,
    /// How often sessions were ended by the node.
    pub(crate) revocations: AtomicU64,
    /// Connections by the thumbprint of their client's certificate.
    pub(crate) secured: Mutex<HashMap<u64, (String, CancellationToken)>>,
}

impl Shared {
    pub(crate) fn forgeries(&self) -> MutexGuard<'_, Forgeries> {
        self.forgeries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn secured(&self) -> MutexGuard<'_, HashMap<u64, (String, CancellationToken)>> {
        self.secured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next number, never zero.
pub(crate) fn next(counter: &AtomicU32) -> u32 {
    loop {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        if number != 0 {
            return number;
        }
    }
}

/// Where each subscription is: clients may take theirs over into another session.
#[derive(Default)]
pub(crate) struct Publishers(Mutex<HashMap<u32, Weak<Publisher>>>);

impl Publishers {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Weak<Publisher>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, subscription: u32, publisher: &Arc<Publisher>) {
        let mut all = self.lock();
        // Those that ended by themselves are forgotten when a new one comes.
        all.retain(|id, publisher| publisher.upgrade().is_some_and(|it| it.contains(*id)));
        all.insert(subscription, Arc::downgrade(publisher));
    }

    pub(crate) fn get(&self, subscription: u32) -> Option<Arc<Publisher>> {
        self.lock().get(&subscription)?.upgrade()
    }

    pub(crate) fn forget(&self, subscription: u32) {
        self.lock().remove(&subscription);
    }

    /// Those of a principal, each once or more.
    pub(crate) fn of(&self, name: &str) -> Vec<Arc<Publisher>> {
        let all: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        all.into_iter().filter(|publisher| publisher.is_of(name)).collect()
    }
}
