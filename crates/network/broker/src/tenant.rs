//! One tenant: its topic tree, retained messages and sessions. Trees of tenants never meet, because
//! nothing here knows of another tenant.

mod open;
mod publish;
pub(crate) mod subscribe;
mod will;

pub(crate) use open::{Closing, Opened, Opening};
pub(crate) use publish::{FullQueue, Origin, Published};
pub(crate) use will::KeptWill;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use weir_model::TenantId;

use crate::broker::Inner;
use crate::message::now_ms;
use crate::retained::Retained;
use crate::router::{Route, Router};
use crate::session::Session;
use crate::share::Share;
use crate::status::{ClientConnection, ClientStatus};

/// Routes that are remembered; with more, all are forgotten.
const ROUTES_MAX: usize = 10_000;
/// Subscribers in all of them together.
const ROUTE_TARGETS_MAX: usize = 500_000;
/// Longer topics are walked for each message, so that the memory of routes is bounded.
pub(crate) const ROUTE_TOPIC_BYTES_MAX: usize = 512;

/// Filters that are shown of a client: people look at a page of clients, and not for all of them.
const CLIENT_FILTERS_MAX: usize = 20;

#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    /// What it has of the journal, of connections, and of bytes for wills.
    pub(crate) journal: Arc<Share>,
    pub(crate) connections: Arc<Share>,
    wills: Arc<Share>,
    /// Changes with every subscription and every change of rights: what connections remember of a
    /// topic counts only for the generation in which they learnt it.
    generation: AtomicU64,
    /// When it last changed, in milliseconds since 1970.
    changed_ms: AtomicI64,
    router: RwLock<Router>,
    routes: RwLock<Routes>,
    retained: RwLock<Retained>,
    sessions: Mutex<HashMap<Arc<str>, Arc<Session>>>,
}

#[derive(Debug, Default)]
struct Routes {
    known: HashMap<Arc<str>, Arc<Route>>,
    targets: usize,
}

impl Tenant {
    pub(crate) fn new(id: TenantId, broker: &Inner) -> Self {
        Self {
            id,
            journal: broker.journal.share(id),
            connections: Share::new(id, &broker.connection_pool),
            wills: Share::new(id, &broker.will_pool),
            generation: AtomicU64::new(1),
            changed_ms: AtomicI64::new(0),
            router: RwLock::default(),
            routes: RwLock::default(),
            retained: RwLock::default(),
            sessions: Mutex::default(),
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Makes connections ask again what they remember of topics.
    pub(crate) fn forget_routes(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.changed_ms.store(now_ms(), Ordering::Relaxed);
    }

    /// Whether subscriptions have changed within the last seconds.
    pub(crate) fn changed_lately(&self) -> bool {
        const LATELY_MS: i64 = 5000;
        (now_ms() - self.changed_ms.load(Ordering::Relaxed)).abs() <= LATELY_MS
    }

    fn router(&self) -> RwLockReadGuard<'_, Router> {
        self.router.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn router_mut(&self) -> RwLockWriteGuard<'_, Router> {
        self.router.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn retained(&self) -> RwLockReadGuard<'_, Retained> {
        self.retained.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn retained_mut(&self) -> RwLockWriteGuard<'_, Retained> {
        self.retained.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The subscribers of a topic.
    pub(crate) fn route(&self, topic: &str) -> Arc<Route> {
        // Read before the tree is: a route that a concurrent change has overtaken is then old.
        let generation = self.generation();
        {
            let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(route) = routes.known.get(topic).filter(|r| r.generation == generation) {
                return Arc::clone(route);
            }
        }
        let topic: Arc<str> = Arc::from(topic);
        let route = Arc::new(self.router().route(&topic, generation));
        if topic.len() <= ROUTE_TOPIC_BYTES_MAX {
            let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
            routes.targets += route.targets.len() + route.groups.len() + 1;
            if routes.known.len() >= ROUTES_MAX || routes.targets > ROUTE_TARGETS_MAX {
                *routes = Routes::default();
            }
            routes.known.insert(topic, Arc::clone(&route));
        }
        route
    }

    pub(crate) fn session_count(&self) -> usize {
        self.sessions().len()
    }

    pub(crate) fn retained_count(&self) -> usize {
        self.retained().len()
    }

    /// The session of a client.
    pub(crate) fn session(&self, client_id: &str) -> Option<Arc<Session>> {
        self.sessions().get(client_id).cloned()
    }

    pub(crate) fn all_sessions(&self) -> Vec<Arc<Session>> {
        self.sessions().values().cloned().collect()
    }

    /// Clients for the console, by identifier; `max` after the one called `after`.
    pub(crate) fn clients(&self, after: Option<&str>, max: usize) -> Vec<ClientStatus> {
        let mut sessions = self.all_sessions();
        sessions.retain(|s| after.is_none_or(|after| *s.client_id > *after));
        sessions.sort_unstable_by(|a, b| a.client_id.cmp(&b.client_id));
        sessions.truncate(max);
        sessions.iter().map(|s| client(s)).collect()
    }
}

fn client(session: &Session) -> ClientStatus {
    let state = session.state();
    let connection = state.connection.as_ref().map(|attached| ClientConnection {
        remote: attached.info.remote,
        encrypted: attached.info.encrypted,
        version: attached.info.version,
        since: attached.info.connected_since,
        keep_alive_seconds: attached.info.keep_alive_seconds,
        messages_in: attached.info.messages_in.load(Ordering::Relaxed),
        messages_out: attached.info.messages_out.load(Ordering::Relaxed),
    });
    let mut filters: Vec<&Arc<str>> = state.subscriptions.keys().collect();
    if filters.len() > CLIENT_FILTERS_MAX {
        filters.select_nth_unstable(CLIENT_FILTERS_MAX);
        filters.truncate(CLIENT_FILTERS_MAX);
    }
    filters.sort_unstable();
    let subscriptions = filters.iter().map(|filter| filter.to_string()).collect();
    ClientStatus {
        client_id: session.client_id.to_string(),
        principal: session.owner.to_string(),
        connection,
        subscriptions,
        subscriptions_count: state.subscriptions.len(),
        queued: state.queued(),
        inflight: state.inflight(),
        session_expiry_seconds: state.expiry_seconds,
    }
}
