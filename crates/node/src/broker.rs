//! The MQTT broker of the node: its listeners, and who may use it.
//!
//! A client shows an API token as its password; the user name says nothing. What a token may is decided as
//! everywhere else: to publish takes `sample:write`, to subscribe `sample:read` and the highest ceiling,
//! because a topic has no grade, and what has no grade is core.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, ready};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use weir_access::{Access, Action, Caller};
use weir_api::{MqttBroker, MqttClient, MqttConnection};
use weir_broker::{
    Act, Broker, BrokerOptions, ClientConnection, ClientStatus, Denied, Gate, Limits, Login,
    Principal,
};
use weir_connect::Supervisor;
use weir_model::{Grade, TenantId, Timestamp};
use weir_store::Store;

use crate::config::Mqtt;
use crate::devices;
use crate::error::NodeError;
use crate::rights;

/// Principals whose connections are about to end.
const ENDINGS_MAX: usize = 64;

/// A broker whose listeners are bound.
pub(crate) struct Listening {
    pub(crate) broker: Broker,
    gate: Arc<TokenGate>,
    ended: mpsc::Receiver<Ending>,
    pub(crate) address: SocketAddr,
    tcp: TcpListener,
    websocket: Option<TcpListener>,
    acceptor: Option<TlsAcceptor>,
}

/// Opens the broker and binds its listeners, if the settings ask for it. The broker opens before the rights
/// do, since drivers need it; nobody connects before [`Listening::serve`].
pub(crate) async fn open(
    settings: &Mqtt,
    dir: &Path,
    acceptor: Option<TlsAcceptor>,
) -> Result<Option<Listening>, NodeError> {
    if !settings.enabled {
        return Ok(None);
    }
    let tcp = bind(settings.address).await?;
    let websocket = match settings.websocket {
        true => Some(bind(settings.websocket_address).await?),
        false => None,
    };
    let address = tcp
        .local_addr()
        .map_err(|source| NodeError::Listen { address: settings.address, source })?;
    let (gate, ended) = TokenGate::new();
    let options = BrokerOptions { dir: dir.join("mqtt"), limits: limits(settings) };
    let guarded = Arc::clone(&gate) as Arc<dyn Gate>;
    let broker = tokio::task::spawn_blocking(move || Broker::open(options, guarded))
        .await
        .map_err(|_| NodeError::Interrupted)??;
    Ok(Some(Listening { broker, gate, ended, address, tcp, websocket, acceptor }))
}

/// The usual limits, but for those that are set.
fn limits(settings: &Mqtt) -> Limits {
    let mebibytes = |mib: u32| u64::from(mib) << 20;
    Limits {
        connections_max: settings.connections_max,
        sessions_max: settings.sessions_max,
        packet_bytes_max: (settings.packet_kib as usize).saturating_mul(1024),
        queue_messages_max: settings.queue_messages_max,
        queue_bytes_max: usize::try_from(mebibytes(settings.queue_mib)).unwrap_or(usize::MAX),
        slow_time_max: Duration::from_secs(settings.slow_s.into()),
        journal_bytes_max: mebibytes(settings.journal_mib),
        ..Limits::default()
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address).await.map_err(|source| NodeError::Listen { address, source })
}

impl Listening {
    /// The broker as the API shows it.
    pub(crate) fn clients(&self) -> Arc<dyn MqttBroker> {
        let listens = (self.address, self.acceptor.is_some());
        Arc::new(Shown { broker: self.broker.clone(), listens })
    }

    /// Lets clients in from now on, until `stop`.
    pub(crate) fn serve(
        self,
        access: Access,
        store: Store,
        supervisor: Supervisor,
        stop: CancellationToken,
    ) -> (Broker, SocketAddr) {
        let Self { broker, gate, ended, address, tcp, websocket, acceptor } = self;
        // Set once, here.
        let _ = gate.access.set(access);
        tokio::spawn(end_connections(broker.clone(), ended, stop.clone()));
        let serving = broker.clone();
        tokio::spawn(async move {
            // A message that is acknowledged before the device that wants it listens would be lost. Sparkplug is not
            // waited for: its data is QoS 0, and its devices connect when edge nodes, which are clients, tell of
            // their births.
            devices::connected(&store, &supervisor, &["mqtt"]).await;
            if let Some(listener) = websocket {
                let (broker, acceptor, stop) = (serving.clone(), acceptor.clone(), stop.clone());
                tokio::spawn(async move { broker.serve_websocket(listener, acceptor, stop).await });
            }
            match acceptor {
                Some(acceptor) => serving.serve_tls(tcp, acceptor, stop).await,
                None => serving.serve_tcp(tcp, stop).await,
            }
        });
        (broker, address)
    }
}

/// The broker as the API shows it.
struct Shown {
    broker: Broker,
    listens: (SocketAddr, bool),
}

impl MqttBroker for Shown {
    fn listens(&self) -> (SocketAddr, bool) {
        self.listens
    }

    fn counts(&self, tenant: TenantId) -> (usize, usize) {
        self.broker.tenant_counts(tenant)
    }

    fn clients(&self, tenant: TenantId, after: Option<&str>, max: usize) -> Vec<MqttClient> {
        self.broker.clients(tenant, after, max).into_iter().map(client).collect()
    }

    fn disconnect(&self, tenant: TenantId, client_id: &str) -> bool {
        self.broker.disconnect(tenant, client_id)
    }
}

fn client(status: ClientStatus) -> MqttClient {
    let connection = |connection: ClientConnection| MqttConnection {
        address: connection.remote.ip(),
        port: connection.remote.port(),
        version: connection.version,
        tls: connection.encrypted,
        since: connection.since,
        keep_alive_s: connection.keep_alive_seconds,
        messages_in: connection.messages_in,
        messages_out: connection.messages_out,
    };
    MqttClient {
        client_id: status.client_id,
        user: status.principal,
        connection: status.connection.map(connection),
        subscriptions: status.subscriptions_count,
        filters: status.subscriptions,
        queued: status.queued,
        inflight: status.inflight,
        session_expiry_s: status.session_expiry_seconds,
    }
}

/// Lets tokens in.
pub(crate) struct TokenGate {
    access: OnceLock<Access>,
    /// The tokens of connections, so that many of one token share what watches it.
    shown: Mutex<HashMap<Arc<str>, Weak<Token>>>,
    /// Where principals go whose token is no longer what it was.
    endings: mpsc::Sender<Ending>,
}

/// A principal whose connections end.
type Ending = (TenantId, Arc<str>);

/// What the gate finds again in a principal. While there is one, its token is watched.
struct Token {
    secret: Arc<str>,
    /// Whether its rights have ended, or are others now: whoever shows it has to connect again.
    is_over: Arc<AtomicBool>,
    _watch: DropGuard,
}

impl TokenGate {
    /// A gate that lets nobody in yet, and the principals whose connections are to end.
    fn new() -> (Arc<Self>, mpsc::Receiver<Ending>) {
        let (endings, ended) = mpsc::channel(ENDINGS_MAX);
        let (access, shown) = (OnceLock::new(), Mutex::default());
        (Arc::new(Self { access, shown, endings }), ended)
    }

    fn caller(&self, token: &str) -> Option<(&Access, Caller)> {
        let access = self.access.get()?;
        let now = Timestamp::from_system(std::time::SystemTime::now());
        Some((access, access.by_token(token, now)?))
    }

    fn connects(&self, login: &Login<'_>) -> Result<Principal, Denied> {
        if self.access.get().is_none() {
            return Err(Denied::Unavailable);
        }
        let token = login.password.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let token = token.ok_or(Denied::Credentials)?;
        let (access, caller) = self.caller(token).ok_or(Denied::Credentials)?;
        if caller.tenant == TenantId::NODE {
            return Err(Denied::NotAuthorized);
        }
        if ![Act::Publish, Act::Subscribe].into_iter().any(|act| permits(access, &caller, act)) {
            return Err(Denied::NotAuthorized);
        }
        let principal = Principal::new(caller.tenant, caller.principal.folded());
        let token = self.watched(access, &caller, token, &principal.name);
        Ok(Principal { detail: Some(token), ..principal })
    }

    /// The token, watched: when it is revoked, expires, or may do other things than now, the
    /// connections of its principal end. Those that may connect again.
    fn watched(
        &self,
        access: &Access,
        caller: &Caller,
        secret: &str,
        name: &Arc<str>,
    ) -> Arc<Token> {
        // Entries are put and taken whole.
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let known = shown.get(secret).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| !known.is_over.load(Relaxed)) {
            return known;
        }
        shown.retain(|_, token| token.strong_count() > 0);
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, endings) = (Arc::clone(&is_over), self.endings.clone());
        let ending = (caller.tenant, Arc::clone(name));
        let watch = rights::watch(access, caller, async move {
            over.store(true, Relaxed);
            // Nobody receives once the node stops, and with it every connection.
            let _ = endings.send(ending).await;
        });
        let token = Arc::new(Token { secret: secret.into(), is_over, _watch: watch });
        shown.insert(Arc::clone(&token.secret), Arc::downgrade(&token));
        token
    }
}

impl Gate for TokenGate {
    fn authenticate<'a>(&'a self, login: Login<'a>) -> BoxFuture<'a, Result<Principal, Denied>> {
        ready(self.connects(&login)).boxed()
    }

    fn may(&self, principal: &Principal, act: Act, _topic: &str) -> bool {
        let shown = principal.detail.as_ref().and_then(|detail| detail.downcast_ref::<Token>());
        let Some(token) = shown else { return false };
        self.caller(&token.secret).is_some_and(|(access, caller)| permits(access, &caller, act))
    }
}

/// Whether a caller may do this to any topic.
fn permits(access: &Access, caller: &Caller, act: Act) -> bool {
    let action = match act {
        Act::Publish => Action::SampleWrite,
        Act::Subscribe if caller.ceiling < Grade::Core => return false,
        Act::Subscribe => Action::SampleRead,
    };
    access.decide(caller, action, caller.scope()).is_ok()
}

/// Ends the connections of principals whose token is no longer what it was.
async fn end_connections(
    broker: Broker,
    mut ended: mpsc::Receiver<Ending>,
    stop: CancellationToken,
) {
    while let Some(Some((tenant, name))) = stop.run_until_cancelled(ended.recv()).await {
        // What was permitted is remembered by topic.
        broker.rights_changed(tenant);
        broker.close_principal(tenant, &name);
        tracing::info!(user = &*name, "rights have changed; MQTT connections were ended");
    }
}
