//! The identifier node: prefixes that are homed here, and the server that answers for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;
use weir_access::Access;
use weir_model::{RequestId, TenantId, Timestamp};
use weir_resolver::{
    Authority, Bound, HomedPrefix, Identity, Prefixes, Reached, Registry, ServeOptions, Serving,
};
use weir_store::{Commit, Expect, Store};
use weir_twin::Organisations;

use crate::config::Resolver;
use crate::error::NodeError;

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
    serving: Serving,
}

impl Running {
    /// Waits until it has ended, behind the node's token.
    pub(crate) async fn stopped(self) {
        self.serving.stopped().await;
    }
}

/// Answers from now on, until `stop`, where the settings ask for it.
pub(crate) async fn serve(
    settings: &Resolver,
    name: &str,
    registry: &Arc<Registry>,
    access: &Access,
    stop: CancellationToken,
) -> Result<Option<Running>, NodeError> {
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
        text => Some(text.parse().map_err(|_| NodeError::NoAddress(text.to_owned()))?),
    };
    let now = now();
    let author = access.system("start", TenantId::NODE).author("key.create", request(now));
    let reached = Reached {
        address: public_address,
        handle: addresses.clone(),
        http: None,
        udp_admin: settings.udp_admin,
        description: name.to_owned(),
    };
    let administrators = settings.administrators.clone();
    let store = registry.store();
    let identity = Identity::of_node(store, author, now, &reached, administrators).await?;
    let authority = Arc::new(Authority::new(Arc::clone(registry), identity));
    let serving = bound.serve(authority, stop)?;
    Ok(Some(Running { addresses, serving }))
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// A start is no request; its time names it.
fn request(now: Timestamp) -> RequestId {
    RequestId(now.nanos().unsigned_abs().into())
}
