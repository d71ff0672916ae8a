//! A session with a server: opened with a reviewed certificate, watched, and ended when it is dropped.

pub(crate) mod requests;
pub(crate) mod watch;

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use opcua::client::transport::TransportConfiguration;
use opcua::client::{
    ClientBuilder, ClientConfig, IdentityToken, Session, SessionBuilder, SessionEventLoop,
    SessionPollResult,
};
use opcua::crypto::SecurityPolicy;
use opcua::types::{DecodingOptions, EndpointDescription, StatusCode};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use weir_connect::{Clock, DriverError, ErrorKind, PeerCertificate};

use self::requests::Limits;
pub(crate) use self::watch::Pulse;
use crate::dial::Dial;
use crate::frames::{Expected, FRAME_BYTES_MAX};
use crate::identity::{Identities, Identity};
use crate::status::{Failure, plain, told};
use crate::{Auth, Namespaces, Settings, certificate, endpoints};

/// Largest message that is accepted, in bytes: five hundred texts of 64 kB.
pub(crate) const MESSAGE_BYTES_MAX: usize = 32 << 20;

/// Most frames of one message; servers may cut them as small as 8 KiB.
const CHUNKS_MAX: usize = MESSAGE_BYTES_MAX / 8192;

/// Most elements of an array that is accepted. A larger one ends the session, since the library cannot
/// skip it.
const ARRAY_LENGTH_MAX: usize = 1 << 20;

/// Longest text and byte string that is accepted.
const STRING_BYTES_MAX: usize = 16 << 20;

/// How long a security token is asked for, in milliseconds: an hour, as the standard suggests.
const TOKEN_LIFETIME_MS: u32 = 3_600_000;

/// How long a server keeps a session without a sign of life, at the least.
const SESSION_TIME_MIN: Duration = Duration::from_secs(30);

/// How long an end of the session may take, in the background.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

/// The library's own keep-alive tells too little, so it happens once, and ours goes on.
const LIBRARY_KEEP_ALIVE: Duration = Duration::from_secs(365 * 86_400);

/// A session with a server.
pub(crate) struct Link {
    pub(crate) session: Arc<Session>,
    pub(crate) namespaces: Namespaces,
    pub(crate) limits: Limits,
    pub(crate) pulse: Arc<Pulse>,
    dial: Dial,
    tasks: [JoinHandle<()>; 2],
}

/// Why there is no session.
pub(crate) enum Refused {
    Failed(Failure),
    Untrusted(String, Box<PeerCertificate>),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Refused {
    pub(crate) fn told(self, device: &str, settings: &Settings) -> DriverError {
        let place = settings.url.to_string();
        match self {
            Self::Failed(Failure { kind, cause, .. }) => {
                DriverError::new(kind, device, place, cause)
            }
            Self::Untrusted(cause, certificate) => {
                DriverError::untrusted(device, place, cause, *certificate)
            }
        }
    }
}

pub(crate) fn decoding_options() -> DecodingOptions {
    DecodingOptions {
        max_message_size: MESSAGE_BYTES_MAX,
        max_chunk_count: CHUNKS_MAX,
        max_string_length: STRING_BYTES_MAX,
        max_byte_string_length: STRING_BYTES_MAX,
        max_array_length: ARRAY_LENGTH_MAX,
        ..DecodingOptions::default()
    }
}

pub(crate) fn transport() -> TransportConfiguration {
    TransportConfiguration {
        send_buffer_size: 64 * 1024,
        recv_buffer_size: FRAME_BYTES_MAX,
        max_message_size: MESSAGE_BYTES_MAX,
        max_chunk_count: CHUNKS_MAX,
    }
}

impl Link {
    /// Opens a session, within about ten times the time-out.
    pub(crate) async fn open(
        settings: &Settings,
        identities: &Identities,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Refused> {
        let time = settings.timeout;
        let endpoints = endpoints::list(&settings.url, time, identities.keyless()).await?;
        let endpoint = endpoints::choose(endpoints, settings)?;
        check_certificate(&endpoint, settings, clock.as_ref())?;
        let identity = match settings.policy {
            SecurityPolicy::None => None,
            _ => {
                let made = identities.get(clock.now()).await;
                Some(made.map_err(|cause| Failure::new(ErrorKind::Misconfigured, cause))?)
            }
        };
        let uri = identity.as_ref().map_or_else(|| identities.uri(), |made| made.uri.clone());
        let config = client_config(settings, &uri);
        let expected = expected(&endpoint, settings);
        let dial = Dial::new(settings.url.clone(), time, expected);
        let builder = SessionBuilder::new(&config)
            .with_connector(dial.clone())
            .connect_to_endpoint_directly(endpoint)
            .map_err(|e| Failure::of("the endpoint cannot be used", &e))?
            .user_identity_token(token(&settings.auth));
        let built = match &identity {
            Some(identity) => builder.build(identity.store()),
            None => quietly(|| builder.build(identities.keyless())),
        };
        let (session, events) =
            built.map_err(|e| Failure::of("the session cannot be opened", &e))?;
        let pulse = Arc::new(Pulse::new(clock));
        let drive = tokio::spawn(drive(events, Arc::clone(&pulse)));
        let watch = tokio::spawn(watch::watch(
            Arc::clone(&session),
            Arc::clone(&pulse),
            settings.keep_alive,
        ));
        let mut link = Self {
            session,
            namespaces: Namespaces::default(),
            limits: Limits::default(),
            pulse,
            dial,
            tasks: [drive, watch],
        };
        if timeout(4 * time, link.pulse.opened()).await.is_err() {
            link.pulse.end(Failure::new(ErrorKind::Timeout, "the session was not opened in time"));
        }
        if let Some(failure) = link.failure() {
            return Err(explain(failure, identity.as_deref()).into());
        }
        link.learn().await?;
        Ok(link)
    }

    /// Why the session has ended; none while it goes on.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let failure = self.pulse.failure()?;
        Some(self.dial.failure().unwrap_or(failure))
    }
}

impl Drop for Link {
    /// Tells the server, which else keeps the session for a while, and then ends everything. What does not
    /// end by itself within a second is ended.
    fn drop(&mut self) {
        let [drive, watch] = &self.tasks;
        watch.abort();
        let drive = drive.abort_handle();
        let runtime = tokio::runtime::Handle::try_current();
        match runtime {
            Ok(runtime) if self.pulse.failure().is_none() => {
                let session = Arc::clone(&self.session);
                runtime.spawn(async move {
                    let _ = timeout(FAREWELL_TIME_MAX, session.disconnect()).await;
                    drive.abort();
                });
            }
            _ => drive.abort(),
        }
    }
}

/// Reads and writes for the session until it ends, which is the first time that anything is lost.
async fn drive(events: SessionEventLoop<Dial>, pulse: Arc<Pulse>) {
    // Should the library panic on what a server sends, whoever waits is told all the same.
    let _guard = watch::EndOnDrop(Arc::clone(&pulse));
    let events = events.enter();
    tokio::pin!(events);
    let status = loop {
        match events.try_next().await {
            Ok(Some(SessionPollResult::Reconnected(_))) => pulse.open(),
            Ok(Some(
                SessionPollResult::ConnectionLost(status)
                | SessionPollResult::ReconnectFailed(status),
            )) => break status,
            Ok(Some(_)) => {}
            Ok(None) => break StatusCode::BadConnectionClosed,
            Err(status) => break status,
        }
    };
    pulse.end(Failure::of_status("the connection was lost", status));
}

fn client_config(settings: &Settings, uri: &str) -> ClientConfig {
    let session_time = (4 * settings.keep_alive + 2 * settings.timeout).max(SESSION_TIME_MIN);
    ClientBuilder::new()
        .application_name("Weir")
        .application_uri(uri)
        .product_uri("urn:weir")
        .session_name("Weir")
        .session_retry_limit(0)
        .session_timeout(u32::try_from(session_time.as_millis()).unwrap_or(u32::MAX))
        .request_timeout(settings.timeout)
        .keep_alive_interval(LIBRARY_KEEP_ALIVE)
        .max_failed_keep_alive_count(0)
        .channel_lifetime(TOKEN_LIFETIME_MS)
        .recreate_subscriptions(false)
        .preferred_locales(settings.locales.clone())
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_chunk_count(CHUNKS_MAX)
        .max_chunk_size(transport().send_buffer_size)
        .max_incoming_chunk_size(FRAME_BYTES_MAX)
        .max_array_length(ARRAY_LENGTH_MAX)
        .max_string_length(STRING_BYTES_MAX)
        .max_byte_string_length(STRING_BYTES_MAX)
        .into_config()
}

fn token(auth: &Auth) -> IdentityToken {
    match auth {
        Auth::Anonymous => IdentityToken::Anonymous,
        Auth::User { name, password } => {
            IdentityToken::new_user_name(name.as_str(), password.as_str())
        }
        Auth::Certificate { certificate, key } => {
            IdentityToken::X509(certificate.clone(), key.clone())
        }
    }
}

/// Holds the server to what a person has reviewed, before anything is sent to it.
fn check_certificate(
    endpoint: &EndpointDescription,
    settings: &Settings,
    clock: &dyn Clock,
) -> Result<(), Refused> {
    if settings.policy == SecurityPolicy::None {
        return Ok(());
    }
    let der = endpoint.server_certificate.as_ref();
    let Some(shown) = PeerCertificate::read(der) else {
        let cause =
            "the server shows no certificate for this endpoint; its configuration is incomplete";
        return Err(Failure::new(ErrorKind::Protocol, cause).into());
    };
    if let Some(objection) = certificate::objection(settings, &shown, clock.now()) {
        return Err(Refused::Untrusted(objection, Box::new(shown)));
    }
    if certificate::is_chain(der) {
        let cause = "the server sends a chain of certificates, which is not supported; let it send its own certificate alone";
        return Err(Failure::new(ErrorKind::Unsupported, cause).into());
    }
    let bits = opcua::crypto::X509::from_der(der).ok().and_then(|c| c.key_length().ok());
    match bits {
        Some(bits) if settings.policy.is_valid_keylength(bits) => Ok(()),
        bits => {
            let bits = bits
                .map_or_else(|| "no RSA key".to_owned(), |bits| format!("a key of {bits} bits"));
            let cause = format!(
                "the server's certificate has {bits}, which {} does not take; choose another policy or renew the certificate",
                settings.security()
            );
            Err(Failure::new(ErrorKind::Rejected, cause).into())
        }
    }
}

fn expected(endpoint: &EndpointDescription, settings: &Settings) -> Option<Expected> {
    (settings.policy != SecurityPolicy::None).then(|| Expected {
        policy: settings.policy.to_uri().to_owned(),
        certificate: endpoint.server_certificate.as_ref().to_vec(),
    })
}

/// Does what makes the library complain of a certificate that is missing by intent.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), work)
}

/// What to do when a session is not even opened.
fn explain(failure: Failure, identity: Option<&Identity>) -> Failure {
    let Some(status) = failure.status else { return failure };
    let refused =
        |cause: String| Failure { kind: ErrorKind::Rejected, cause, status: Some(status) };
    match (plain(status), identity) {
        (
            StatusCode::BadSecurityChecksFailed
            | StatusCode::BadCertificateUntrusted
            | StatusCode::BadCertificateInvalid
            | StatusCode::BadCertificateUriInvalid
            | StatusCode::BadCertificateUseNotAllowed
            | StatusCode::BadCertificateTimeInvalid
            | StatusCode::BadCertificateChainIncomplete
            | StatusCode::BadCertificateHostNameInvalid
            | StatusCode::BadCertificateIssuerUseNotAllowed
            | StatusCode::BadCertificateRevocationUnknown
            | StatusCode::BadCertificateIssuerRevocationUnknown
            | StatusCode::BadCertificatePolicyCheckFailed,
            Some(identity),
        ) => {
            refused(format!("the server refused the connection ({status}); {}", identity.remedy()))
        }
        // Many servers just hang up on a client whose certificate they do not know.
        (StatusCode::BadCommunicationError | StatusCode::BadConnectionClosed, Some(identity)) => {
            refused(format!(
                "the server ended the connection during the handshake; {}",
                identity.remedy()
            ))
        }
        (
            StatusCode::BadUserAccessDenied
            | StatusCode::BadIdentityTokenInvalid
            | StatusCode::BadIdentityTokenRejected
            | StatusCode::BadUserSignatureInvalid,
            _,
        ) => refused(format!(
            "the server refused the sign-in ({status}); check user name, password or user certificate, and whether the server lets this user in"
        )),
        _ => Failure {
            cause: format!("the session could not be opened: {}", told(status)),
            ..failure
        },
    }
}
