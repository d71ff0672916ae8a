//! Who may: the node answers through this trait.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use rustls_pki_types::CertificateDer;
use weir_model::TenantId;

/// What a client shows at CONNECT.
pub struct Login<'a> {
    /// The client identifier; empty when the broker is to choose one.
    pub client_id: &'a str,
    /// The user name.
    pub user: Option<&'a str>,
    /// The password.
    pub password: Option<&'a [u8]>,
    /// The client's certificate, which TLS has verified against what the listener trusts.
    pub certificate: Option<&'a CertificateDer<'static>>,
    /// Where it connects from.
    pub remote: SocketAddr,
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("client_id", &self.client_id)
            .field("user", &self.user)
            .field("certificate", &self.certificate.is_some())
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}

/// Who a client is, as the node said.
#[derive(Clone)]
pub struct Principal {
    /// The tenant: its topic tree is the only one that the client sees.
    pub tenant: TenantId,
    /// Names the principal; a kept session belongs to it and to nobody else.
    pub name: Arc<str>,
    /// What the node wants to find again in [`Gate::may`].
    pub detail: Option<Arc<dyn Any + Send + Sync>>,
}

impl Principal {
    /// A principal without details.
    pub fn new(tenant: TenantId, name: impl Into<Arc<str>>) -> Self {
        Self { tenant, name: name.into(), detail: None }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("tenant", &self.tenant)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a principal wants to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Publish to a topic name.
    Publish,
    /// Subscribe to a topic filter, without its `$share/group/`.
    Subscribe,
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// User name, password or certificate are wrong: 0x86, in 3.1.1 4.
    Credentials,
    /// It is known and may not connect: 0x87, in 3.1.1 5.
    NotAuthorized,
    /// It is banned: 0x8A, in 3.1.1 5.
    Banned,
    /// Who may cannot be found out now: 0x88, in 3.1.1 3.
    Unavailable,
}

/// Authentication and rights.
pub trait Gate: Send + Sync + 'static {
    /// Says who connects. The broker gives it the rest of the time that a CONNECT may take.
    fn authenticate<'a>(&'a self, login: Login<'a>) -> BoxFuture<'a, Result<Principal, Denied>>;

    /// Whether a principal may. It is asked when a client subscribes, connects to a kept session or
    /// publishes to a topic for the first time since [`Broker::rights_changed`](crate::Broker::rights_changed);
    /// it must not block.
    fn may(&self, principal: &Principal, act: Act, topic: &str) -> bool;
}
