//! The MQTT broker of the node: its listeners, and who may use it.
//!
//! A client shows an API token as its password; the user name says nothing. What a token may is decided as
//! everywhere else: to publish takes `sample:write`, to subscribe `sample:read` and the highest ceiling,
//! because a topic has no grade, and what has no grade is core.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures::future::{BoxFuture, FutureExt, ready};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use weir_access::{Access, Action, Caller};
use weir_api::{MQTT_FILTERS_MAX, MqttBroker, MqttClient, MqttConnection};
use weir_broker::{
    Act, Broker, BrokerOptions, ClientConnection, ClientStatus, Denied, Gate, Login, Principal,
};
use weir_connect::Supervisor;
use weir_model::{Grade, TenantId, Timestamp};
use weir_store::{FeedError, Store};

use crate::config::Mqtt;
use crate::devices;
use crate::error::NodeError;

/// Entries of the feed that are read at one time.
const PAGE: usize = 256;

/// The collections whose changes can take a right away.
const OF_RIGHTS: [&str; 4] = ["tokens", "token_keys", "users", "policies"];

/// A broker whose listeners are bound.
pub(crate) struct Listening {
    pub(crate) broker: Broker,
    pub(crate) gate: Arc<TokenGate>,
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
    let gate = Arc::new(TokenGate::default());
    let options = BrokerOptions::new(dir.join("mqtt"));
    let guarded = Arc::clone(&gate) as Arc<dyn Gate>;
    let broker = tokio::task::spawn_blocking(move || Broker::open(options, guarded))
        .await
        .map_err(|_| NodeError::Interrupted)??;
    Ok(Some(Listening { broker, gate, address, tcp, websocket, acceptor }))
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
        let Self { broker, gate, address, tcp, websocket, acceptor } = self;
        let from = *store.head().borrow();
        // Set once, here.
        let _ = gate.access.set(access);
        tokio::spawn(follow(store.clone(), broker.clone(), gate, from, stop.clone()));
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
    let mut filters = status.subscriptions;
    let subscriptions = filters.len();
    filters.truncate(MQTT_FILTERS_MAX);
    MqttClient {
        client_id: status.client_id,
        user: status.principal,
        connection: status.connection.map(connection),
        subscriptions,
        filters,
        queued: status.queued,
        inflight: status.inflight,
        session_expiry_s: status.session_expiry_seconds,
    }
}

/// Lets tokens in.
#[derive(Default)]
pub(crate) struct TokenGate {
    access: OnceLock<Access>,
    /// The tokens by which each principal is connected, to look at again when rights change.
    tokens: Mutex<Tokens>,
}

/// Tokens by the principal that they are of.
type Tokens = HashMap<(TenantId, Arc<str>), Vec<Arc<str>>>;

/// What the gate finds again in a principal.
struct Token(Arc<str>);

impl TokenGate {
    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        // Entries are put and taken whole.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn caller(&self, token: &str) -> Option<(&Access, Caller)> {
        let access = self.access.get()?;
        let now = Timestamp::from_system(std::time::SystemTime::now());
        Some((access, access.by_token(token, now)?))
    }

    fn may_with(&self, token: &str, act: Act) -> bool {
        let Some((access, caller)) = self.caller(token) else { return false };
        let action = match act {
            Act::Publish => Action::SampleWrite,
            Act::Subscribe if caller.ceiling < Grade::Core => return false,
            Act::Subscribe => Action::SampleRead,
        };
        access.decide(&caller, action, caller.scope()).is_ok()
    }

    fn connects(&self, login: &Login<'_>) -> Result<Principal, Denied> {
        if self.access.get().is_none() {
            return Err(Denied::Unavailable);
        }
        let token = login.password.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let token = token.ok_or(Denied::Credentials)?;
        let (_, caller) = self.caller(token).ok_or(Denied::Credentials)?;
        if caller.tenant == TenantId::NODE {
            return Err(Denied::NotAuthorized);
        }
        if ![Act::Publish, Act::Subscribe].into_iter().any(|act| self.may_with(token, act)) {
            return Err(Denied::NotAuthorized);
        }
        let token: Arc<str> = token.into();
        let principal = Principal::new(caller.tenant, caller.principal.folded());
        let mut tokens = self.tokens();
        let shown = tokens.entry((caller.tenant, Arc::clone(&principal.name))).or_default();
        if !shown.contains(&token) {
            shown.push(Arc::clone(&token));
        }
        Ok(Principal { detail: Some(Arc::new(Token(token))), ..principal })
    }

    /// Ends the connections of principals one of whose tokens is good for nothing any more. Those
    /// with another token connect again.
    fn look_again(&self, broker: &Broker) {
        let mut gone = Vec::new();
        self.tokens().retain(|(tenant, name), tokens| {
            let before = tokens.len();
            tokens.retain(|token| {
                [Act::Publish, Act::Subscribe].into_iter().any(|act| self.may_with(token, act))
            });
            if tokens.len() < before {
                gone.push((*tenant, Arc::clone(name)));
            }
            broker.rights_changed(*tenant);
            !tokens.is_empty()
        });
        for (tenant, name) in gone {
            broker.close_principal(tenant, &name);
        }
    }
}

impl Gate for TokenGate {
    fn authenticate<'a>(&'a self, login: Login<'a>) -> BoxFuture<'a, Result<Principal, Denied>> {
        ready(self.connects(&login)).boxed()
    }

    fn may(&self, principal: &Principal, act: Act, _topic: &str) -> bool {
        let shown = principal.detail.as_ref().and_then(|detail| detail.downcast_ref::<Token>());
        shown.is_some_and(|Token(token)| self.may_with(token, act))
    }
}

/// Looks at everybody's rights again whenever what they follow from changes.
async fn follow(
    store: Store,
    broker: Broker,
    gate: Arc<TokenGate>,
    mut from: u64,
    stop: CancellationToken,
) {
    let mut head = store.head();
    loop {
        let changed = match store.feed(from, PAGE) {
            Ok(entries) if entries.is_empty() => {
                let ended = tokio::select! {
                    changed = head.changed() => changed.is_err(),
                    () = stop.cancelled() => true,
                };
                if ended {
                    return;
                }
                continue;
            }
            Ok(entries) => {
                from = entries.last().map_or(from, |entry| entry.position);
                let mut changes = entries.iter().flat_map(|entry| &entry.changes);
                changes.any(|change| OF_RIGHTS.contains(&&*change.collection))
            }
            Err(FeedError::TooOld { .. }) => {
                from = *head.borrow();
                true
            }
            Err(error) => {
                // Deny by default: who cannot be looked at again is sent away.
                tracing::error!(%error, "the change feed cannot be read; MQTT clients are sent away");
                broker.shutdown().await;
                return;
            }
        };
        if changed {
            gate.look_again(&broker);
        }
    }
}
