//! The broker: opened once, shared by listeners, drivers and the console.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use weir_model::TenantId;

use crate::connection;
use crate::counters::{BrokerStatus, Counters};
use crate::error::BrokerError;
use crate::gate::Gate;
use crate::journal::Journal;
use crate::journal::record::Entry;
use crate::journal::recovered::Recovered;
use crate::listen::Peer;
use crate::local::{Local, LocalQueue};
use crate::message::now_ms;
use crate::options::{BrokerOptions, Limits};
use crate::session::{Received, Session};
use crate::share::Pool;
use crate::signal::Signal;
use crate::status::ClientStatus;
use crate::tenant::Tenant;
use crate::timers::Timers;
use crate::wire::reason;

/// Between two looks at retained messages that have expired.
const HOUSEKEEPING: Duration = Duration::from_secs(30);
/// How long a shutdown waits for connections to say good-bye.
const GOOD_BYE: Duration = Duration::from_secs(3);

/// The MQTT broker. Cloning gives another handle to the same.
#[derive(Clone)]
pub struct Broker {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) limits: Limits,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) journal: Journal,
    pub(crate) counters: Counters,
    pub(crate) timers: Arc<Timers>,
    pub(crate) connection_pool: Arc<Pool>,
    pub(crate) will_pool: Arc<Pool>,
    tenants: RwLock<HashMap<TenantId, Arc<Tenant>>>,
    connections: Mutex<HashMap<u64, Weak<Signal>>>,
    locals: Mutex<Vec<Weak<LocalQueue>>>,
    id_last: AtomicU64,
    closed: AtomicBool,
    timer_thread: Mutex<Option<JoinHandle<()>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Broker {
    /// Opens the broker with what its journal holds: kept sessions with their queues, retained
    /// messages. It starts two threads; connections run on the runtime that serves them.
    ///
    /// # Errors
    /// [`BrokerError`] when the folder is in use or cannot be read or written, or when a limit makes
    /// no sense.
    pub fn open(options: BrokerOptions, gate: Arc<dyn Gate>) -> Result<Self, BrokerError> {
        options.limits.check().map_err(BrokerError::Options)?;
        let (journal, recovered) = Journal::open(&options.dir, options.limits.journal_bytes_max)?;
        let connections_max = options.limits.connections_max as u64;
        let inner = Arc::new(Inner {
            connection_pool: Pool::new("connections", connections_max),
            will_pool: Pool::new("bytes for wills", options.limits.wills_bytes_max),
            limits: options.limits,
            gate,
            journal,
            counters: Counters::default(),
            timers: Arc::default(),
            tenants: RwLock::default(),
            connections: Mutex::default(),
            locals: Mutex::default(),
            id_last: AtomicU64::new(recovered.session_last),
            closed: AtomicBool::new(false),
            timer_thread: Mutex::default(),
        });
        inner.restore(recovered);
        let (weak, timers) = (Arc::downgrade(&inner), Arc::clone(&inner.timers));
        let thread = std::thread::Builder::new()
            .name("mqtt-timers".to_owned())
            .spawn(move || run_timers(&weak, &timers))
            .map_err(|source| BrokerError::Journal { path: options.dir, source })?;
        *locked(&inner.timer_thread) = Some(thread);
        Ok(Self { inner })
    }

    /// A subscriber and publisher in this process, in the topic tree of a tenant. The name is for
    /// logs and the console.
    pub fn local(&self, tenant: TenantId, name: &str) -> Local {
        let limits = &self.inner.limits;
        let queue = Arc::new(LocalQueue::new(
            self.inner.next_id(),
            name.to_owned(),
            limits.local_messages_max,
            limits.local_bytes_max,
        ));
        {
            let mut locals = locked(&self.inner.locals);
            locals.retain(|queue| queue.strong_count() > 0);
            locals.push(Arc::downgrade(&queue));
        }
        if self.inner.is_closed() {
            queue.close();
        }
        Local::new(Arc::clone(&self.inner), self.inner.tenant(tenant), queue)
    }

    /// Serves one connection, until it ends: any byte stream, inside TLS or WebSocket or neither.
    pub async fn serve<S>(&self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        connection::serve(Arc::clone(&self.inner), stream, peer).await;
    }

    /// What the broker does and has done.
    pub fn status(&self) -> BrokerStatus {
        let tenants = self.inner.all_tenants();
        BrokerStatus {
            sessions: tenants.iter().map(|t| t.session_count()).sum(),
            retained: tenants.iter().map(|t| t.retained_count()).sum(),
            journal_live_bytes: self.inner.journal.live_bytes(),
            journal_file_bytes: self.inner.journal.file_bytes(),
            journal_syncs: self.inner.journal.syncs(),
            journal_failing: self.inner.journal.is_failing(),
            ..self.inner.counters.status()
        }
    }

    /// Sessions of a tenant, and its retained messages.
    pub fn tenant_counts(&self, tenant: TenantId) -> (usize, usize) {
        self.inner.known(tenant).map_or((0, 0), |t| (t.session_count(), t.retained_count()))
    }

    /// Clients of a tenant by client identifier, connected or with a kept session: at most `max`
    /// after the one that is called `after`.
    pub fn clients(&self, tenant: TenantId, after: Option<&str>, max: usize) -> Vec<ClientStatus> {
        self.inner.known(tenant).map_or_else(Vec::new, |t| t.clients(after, max))
    }

    /// Closes the connection of a client with 0x98 (administrative action); false when it has none.
    /// Its session is kept as it asked for.
    pub fn disconnect(&self, tenant: TenantId, client_id: &str) -> bool {
        let session = self.inner.known(tenant).and_then(|t| t.session(client_id));
        session.is_some_and(|session| close(&session, reason::ADMINISTRATIVE))
    }

    /// Closes all connections of a principal with 0x87 (not authorized) and says how many: its
    /// rights were revoked. Authentication decides whether it comes back.
    pub fn close_principal(&self, tenant: TenantId, principal: &str) -> usize {
        let Some(tenant) = self.inner.known(tenant) else { return 0 };
        tenant.forget_routes();
        let mut sessions = tenant.all_sessions();
        sessions.retain(|session| &*session.owner == principal);
        sessions.iter().filter(|session| close(session, reason::NOT_AUTHORIZED)).count()
    }

    /// The answers of [`Gate::may`] for this tenant have changed: publishers are asked about again
    /// with their next message. Subscriptions that exist stay; to end them, close the principal's
    /// connections: they are asked about again when a client comes back to its session.
    pub fn rights_changed(&self, tenant: TenantId) {
        if let Some(tenant) = self.inner.known(tenant) {
            tenant.forget_routes();
        }
    }

    /// Ends all connections (0x8B, server shutting down), local subscribers and the journal; what
    /// the journal was given is then on disk. Listeners end by their own token.
    pub async fn shutdown(&self) {
        self.inner.closed.store(true, Ordering::Release);
        let signals: Vec<_> = locked(&self.inner.connections).values().cloned().collect();
        for signal in signals.iter().filter_map(Weak::upgrade) {
            signal.close(reason::SHUTTING_DOWN);
        }
        let locals: Vec<_> = std::mem::take(&mut *locked(&self.inner.locals));
        for queue in locals.iter().filter_map(Weak::upgrade) {
            queue.close();
        }
        let gone = async {
            while self.inner.counters.connections.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(GOOD_BYE, gone).await;
        let inner = Arc::clone(&self.inner);
        let _ = tokio::task::spawn_blocking(move || inner.stop_threads()).await;
    }
}

fn close(session: &Session, code: u8) -> bool {
    let state = session.state();
    state.connection.as_ref().map(|attached| attached.signal.close(code)).is_some()
}

fn run_timers(broker: &Weak<Inner>, timers: &Timers) {
    let mut kept_house = Instant::now();
    while let Some(due) = timers.next(HOUSEKEEPING) {
        let Some(broker) = broker.upgrade() else { return };
        if let Some((session, epoch)) = due
            && let Some(tenant) = broker.known(session.share.tenant())
        {
            tenant.deadline(&broker, &session, epoch);
        }
        if kept_house.elapsed() >= HOUSEKEEPING {
            kept_house = Instant::now();
            for tenant in broker.all_tenants() {
                tenant.expire_retained(&broker);
                tenant.expire_queued(&broker);
            }
        }
    }
}

impl Inner {
    pub(crate) fn next_id(&self) -> u64 {
        self.id_last.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn known(&self, id: TenantId) -> Option<Arc<Tenant>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(crate) fn tenant(&self, id: TenantId) -> Arc<Tenant> {
        if let Some(tenant) = self.known(id) {
            return tenant;
        }
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tenants.entry(id).or_insert_with(|| Arc::new(Tenant::new(id, self))))
    }

    fn all_tenants(&self) -> Vec<Arc<Tenant>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn register(&self, id: u64, signal: &Arc<Signal>) {
        locked(&self.connections).insert(id, Arc::downgrade(signal));
    }

    pub(crate) fn unregister(&self, id: u64) {
        locked(&self.connections).remove(&id);
    }

    fn stop_threads(&self) {
        self.timers.close();
        if let Some(thread) = locked(&self.timer_thread).take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
        self.journal.close();
    }

    /// Puts back what the journal held. A session that was connected at the crash lost its connection
    /// now.
    fn restore(&self, recovered: Recovered) {
        let now = now_ms();
        for ((tenant, _), message) in recovered.retained {
            self.tenant(TenantId(tenant)).restore_retained(message);
        }
        for (id, kept) in recovered.sessions {
            let Some(record) = kept.record else { continue };
            let tenant = self.tenant(TenantId(record.tenant));
            let offline_ms = record.offline_since_ms.map_or(0, |since| (now - since).max(0));
            let offline = Duration::from_millis(offline_ms.unsigned_abs());
            let life = Duration::from_secs(record.expiry_seconds.into()).saturating_sub(offline);
            let owner: Arc<str> = record.owner.into();
            let share = Arc::clone(&tenant.journal);
            let session = Arc::new(Session::new(id, share, record.client_id.into(), owner));
            {
                let mut state = session.state();
                state.durable = true;
                state.expiry_seconds = record.expiry_seconds;
                for (filter, options) in kept.subscriptions {
                    tenant.restore(&session, &filter, options);
                    state.subscriptions.insert(filter.into(), options);
                }
                for (sequence, queued) in kept.queue {
                    let queued = queued.map(|q| (q.qos, q.retain, q.identifiers, q.message));
                    state.recover(sequence, queued);
                }
                for packet_id in kept.received {
                    state.received.insert(packet_id, Received::Stored);
                }
                if record.offline_since_ms.is_none() {
                    // Its life runs from now on, and goes on after the next restart.
                    let record = session.record(&state, Some(now));
                    self.journal.append(&session.share, &Entry::Session(id, &record));
                }
            }
            tenant.restore_session(self, &session, life);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop_threads();
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[cfg(test)]
mod tests;
