//! The identifier node: prefixes that are homed here, and the server that answers for them.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir_access::Access;
use weir_api::{IdentifierParts, IdentifierState, identifier_clock, identifier_router};
use weir_model::{TenantId, Timestamp};
use weir_resolver::{
    Authority, Bound, HomedPrefix, Identity, Prefixes, Reached, Registry, ServeOptions, Serving,
};
use weir_store::{Commit, Expect, Store};
use weir_twin::Organisations;

use crate::config::Config;
use crate::error::NodeError;
use crate::first::request;
use crate::tls::Tls;
use crate::{listener, tls};

/// The registry of a node. Organisations that are older than it have their prefixes homed.
pub(crate) async fn registry(store: &Store, access: &Access) -> Result<Arc<Registry>, NodeError> {
    let mut missing = Vec::new();
    store.read(|snap| {
        snap.each::<Organisations>(TenantId::NODE, "", |found| {
            if snap.get::<Prefixes>(TenantId::NODE, &found.key)?.is_none() {
                missing.push(found.record);
            }
            Ok(())
        })
    })?;
    if !missing.is_empty() {
        let now = now();
        let author = access.system("start", TenantId::NODE).author("prefix.home", request(now));
        let mut commit = Commit::new(author, now);
        for organisation in missing {
            let homed = HomedPrefix::new(organisation.prefix.clone(), organisation.tenant);
            let key = organisation.prefix.as_str();
            commit.put_in::<Prefixes>(TenantId::NODE, key, &homed, Expect::Absent);
        }
        let homed = store.commit(commit).await;
        homed.map_err(|error| NodeError::First(error.to_string()))?;
    }
    Ok(Arc::new(Registry::open(store.clone())?))
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where HTTP is.
    pub(crate) web: Option<SocketAddr>,
    serving: Serving,
    pages: Option<JoinHandle<()>>,
}

impl Running {
    /// Waits until it has ended, behind the node's token.
    pub(crate) async fn stopped(self) {
        self.serving.stopped().await;
        if let Some(pages) = self.pages {
            let _ = pages.await;
        }
    }
}

/// Answers from now on, until `stop`, where the settings ask for it.
pub(crate) async fn serve(
    config: &Config,
    tls: Option<&Tls>,
    registry: &Arc<Registry>,
    access: &Access,
    stop: CancellationToken,
) -> Result<Option<Running>, NodeError> {
    let (settings, name) = (&config.resolver, config.organisation.name.as_str());
    if !settings.enabled {
        return Ok(None);
    }
    let bound = Bound::listen(ServeOptions {
        addresses: settings.addresses.clone(),
        udp_admin: settings.udp_admin,
        connections_max: settings.connections_max,
        udp_bytes_per_s: settings.udp_kib_per_s.saturating_mul(1024),
        ..ServeOptions::default()
    })
    .await?;
    let addresses = bound.addresses();
    let public_address = match settings.public_address.as_str() {
        "" => None,
        text => Some(parsed("public_address", "an IP address", text)?),
    };
    let web = match settings.http_address.as_str() {
        "" => None,
        text => {
            let address = parsed("http_address", "an IP address with a port", text)?;
            let bound = TcpListener::bind(address).await;
            Some(bound.map_err(|source| NodeError::Listen { address, source })?)
        }
    };
    let at = web.as_ref().and_then(|listener| listener.local_addr().ok());
    let tls = tls.filter(|_| at.is_some_and(|at| tls::is_wanted(config.listen.tls, at)));
    let now = now();
    let author = access.system("start", TenantId::NODE).author("key.create", request(now));
    let reached = Reached {
        address: public_address,
        handle: addresses.clone(),
        http: at.map(|at| (at.port(), tls.is_some())),
        udp_admin: settings.udp_admin,
        description: name.to_owned(),
    };
    let administrators = settings.administrators.clone();
    let store = registry.store();
    let identity = Identity::of_node(store, author, now, &reached, administrators).await?;
    let authority = Arc::new(Authority::new(Arc::clone(registry), identity));
    let pages = web.map(|listener| {
        let root = Some(settings.public_url.clone()).filter(|url| !url.is_empty());
        let router = identifier_router(IdentifierState::new(IdentifierParts {
            authority: Arc::clone(&authority),
            root,
            name: name.to_owned(),
            tls: tls.is_some(),
            clock: identifier_clock(),
        }));
        let acceptor = tls.map(|tls| tls.acceptor.clone());
        let connections = settings.connections_max;
        tokio::spawn(listener::serve(listener, acceptor, router, connections, stop.clone()))
    });
    let serving = bound.serve(authority, stop)?;
    Ok(Some(Running { addresses, web: at, serving, pages }))
}

fn parsed<T: FromStr>(
    setting: &'static str,
    what: &'static str,
    text: &str,
) -> Result<T, NodeError> {
    text.parse().map_err(|_| NodeError::NoAddress { setting, what, text: text.to_owned() })
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
