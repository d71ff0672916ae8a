//! The server's clients as the API shows them, and which of them are let in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use weir_api::{OpcUaChange, OpcUaClient, OpcUaError, OpcUaServer, OpcUaSession, OpcUaStatus};
use weir_connect::PeerCertificate;
use weir_model::Timestamp;
use weir_opcua_server::{Certificate, Error, Handle, Running, SessionInfo};

use super::entry::user_and_token;
use crate::config::{OpcUa, OpcUaPolicy};

/// The running server as the API shows it.
pub(crate) fn clients(running: &Running, settings: &OpcUa) -> Arc<dyn OpcUaServer> {
    Arc::new(Shown {
        handle: running.handle.clone(),
        address: running.address(),
        policies: settings.policies.iter().map(|policy| policy.name().to_owned()).collect(),
        sessions_max: settings.sessions_max,
    })
}

struct Shown {
    handle: Handle,
    address: SocketAddr,
    policies: Vec<String>,
    sessions_max: usize,
}

impl OpcUaServer for Shown {
    fn status(&self) -> OpcUaStatus {
        let statistics = self.handle.statistics();
        let mut sessions: Vec<_> = self.handle.sessions().into_iter().map(session).collect();
        sessions.sort_by(|a, b| (&a.user, &a.name, a.address).cmp(&(&b.user, &b.name, b.address)));
        OpcUaStatus {
            address: self.address,
            url: self.handle.url(),
            application_uri: self.handle.application_uri().to_owned(),
            certificate: PeerCertificate::of(&self.handle.certificate()),
            policies: self.policies.clone(),
            sessions,
            sessions_max: self.sessions_max,
            subscriptions: statistics.subscriptions,
            monitored_items: statistics.monitored_items,
        }
    }

    fn clients(&self) -> BoxFuture<'_, Result<Vec<OpcUaClient>, OpcUaError>> {
        async {
            let rejected = self.handle.rejected().await.map_err(failed)?;
            let trusted = self.handle.trusted().await.map_err(failed)?;
            // One that is trusted by now may still lie among those that were turned away.
            let is_other = |it: &Certificate| trusted.iter().all(|t| t.thumbprint != it.thumbprint);
            let rejected = rejected.iter().filter(|it| is_other(it)).map(|it| client(it, false));
            Ok(rejected.chain(trusted.iter().map(|it| client(it, true))).collect())
        }
        .boxed()
    }

    fn change<'a>(
        &'a self,
        thumbprint: &'a str,
        change: OpcUaChange,
    ) -> BoxFuture<'a, Result<PeerCertificate, OpcUaError>> {
        async move {
            let changed = match change {
                OpcUaChange::Trust => self.handle.trust(thumbprint).await,
                OpcUaChange::Distrust => self.handle.distrust(thumbprint).await,
                OpcUaChange::Forget => self.handle.forget(thumbprint).await,
            };
            Ok(PeerCertificate::of(&changed.map_err(failed)?.der))
        }
        .boxed()
    }
}

fn session(info: SessionInfo) -> OpcUaSession {
    let (user, token) = info.principal.as_deref().map(user_and_token).unzip();
    OpcUaSession {
        name: info.name,
        user: user.map(str::to_owned),
        token: token.unwrap_or(false),
        application_uri: info.application,
        address: info.address,
        certificate: info.certificate,
        encrypted: info.encrypted,
        idle_s: info.idle.as_secs_f64(),
    }
}

fn client(shown: &Certificate, trusted: bool) -> OpcUaClient {
    let certificate = PeerCertificate::of(&shown.der);
    let application_uri = certificate.names.iter().find(|name| is_uri(name)).cloned();
    let since = Timestamp::from_system(shown.since);
    OpcUaClient { certificate, application_uri, trusted, since }
}

/// Whether an alternative name is a URI, and no host name or address.
fn is_uri(name: &str) -> bool {
    name.contains(':') && name.parse::<IpAddr>().is_err()
}

fn failed(error: Error) -> OpcUaError {
    match error {
        Error::NoCertificate(_) => OpcUaError::NotFound,
        Error::Full(max) => OpcUaError::Full(max),
        error => OpcUaError::Failed(Box::new(error)),
    }
}

impl OpcUaPolicy {
    /// Its name in the standard.
    fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Aes128Sha256RsaOaep => "Aes128_Sha256_RsaOaep",
            Self::Basic256Sha256 => "Basic256Sha256",
            Self::Aes256Sha256RsaPss => "Aes256_Sha256_RsaPss",
        }
    }
}
