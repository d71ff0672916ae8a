//! The server: starts, accepts connections, and does what the node asks of it.

use std::net::{SocketAddr, TcpListener as BoundListener};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weir_model::Timestamp;

use crate::Error;
use crate::connection;
use crate::options::{Listen, Options};
use crate::pki::{Certificate, Pki};
use crate::plant::Plant;
use crate::plant::timely::Timely;
use crate::shared::{Publishers, Shared};
use crate::space::standard::{Facts, Standard};
use crate::wire::message;

/// How often idle sessions are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What is waited when the system gives no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Times the connect time-out that a session may wait to be activated.
const UNACTIVATED: u32 = 3;

/// Longest name of a machine (RFC 1123, section 2.1, and what certificates take).
const MACHINE_NAME_BYTES_MAX: usize = 64;

/// Starts servers.
pub struct OpcUaServer;

/// A server that runs. It stops when the token is cancelled that it was started with.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, in the order of [`Options::listen`].
    pub addresses: Vec<SocketAddr>,
    /// What can be asked of it.
    pub handle: Handle,
    tasks: TaskTracker,
}

/// What can be asked of a running server.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

/// How many there are of what clients hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Sessions.
    pub sessions: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Monitored items.
    pub monitored_items: usize,
}

/// A session, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// The principal's name; none before it was activated.
    pub principal: Option<String>,
    /// The name that the client gave it.
    pub name: String,
    /// The application URI that the client claims.
    pub application: String,
    /// Where the client was when the session was last activated, or opened.
    pub address: SocketAddr,
    /// SHA-256 thumbprint of the client's certificate in hexadecimal; none without security.
    pub certificate: Option<String>,
    /// Whether what is said is encrypted, and not only signed or neither.
    pub encrypted: bool,
    /// How long ago its client was last heard of.
    pub idle: Duration,
}

impl OpcUaServer {
    /// Starts a server. Its certificate is made at the first start, which takes up to a second or
    /// two.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn start(
        options: Options,
        plant: Arc<dyn Plant>,
        stop: CancellationToken,
    ) -> Result<Running, Error> {
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for listen in options.listen {
            let listener = open(listen).await?;
            addresses.push(listener.local_addr().map_err(Error::Socket)?);
            listeners.push(listener);
        }
        let port = addresses.first().ok_or(Error::NoAddress)?.port();
        let host = options.host_names.first().map_or("localhost", String::as_str);
        let authority = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let facts = Facts {
            application_uri: options.application_uri.clone(),
            started: Timestamp::from_system(SystemTime::now()),
            limits: options.limits.clone(),
        };
        let (uri, name) = (options.application_uri.clone(), options.application_name.clone());
        let (dir, hosts) = (options.pki_dir, options.host_names);
        let loaded = tokio::task::spawn_blocking(move || Pki::open(&dir, &uri, &name, &hosts));
        let pki = loaded.await.map_err(|error| Error::Make(error.to_string()))??;
        let shared = Arc::new(Shared {
            plant: Timely::new(plant, options.limits.request_timeout),
            pki: Arc::new(pki),
            application_uri: options.application_uri,
            application_name: options.application_name,
            authority,
            policies: options.policies.iter().map(|policy| policy.on_the_wire()).collect(),
            allow_none: options.allow_none,
            allow_anonymous: options.allow_anonymous,
            allow_user_certificates: options.allow_user_certificates,
            forgeries: Mutex::default(),
            context: message::context(options.limits.message_bytes_max),
            limits: options.limits,
            standard: LazyLock::new(Box::new(move || Standard::new(facts))),
            sessions: crate::session::Sessions::default(),
            counts: Arc::default(),
            stop,
            channels: AtomicU32::new(1),
            subscriptions: AtomicU32::new(1),
            items: AtomicU32::new(1),
            publishers: Publishers::default(),
            revocations: AtomicU64::new(0),
            secured: Mutex::default(),
        });
        let tasks = TaskTracker::new();
        let places = Arc::new(Semaphore::new(shared.limits.connections_max));
        for listener in listeners {
            let accepting =
                accept(Arc::clone(&shared), listener, Arc::clone(&places), tasks.clone());
            tasks.spawn(accepting);
        }
        tasks.spawn(housekeeping(Arc::clone(&shared)));
        tasks.close();
        Ok(Running { addresses, handle: Handle(shared), tasks })
    }
}

impl Running {
    /// The first address that it listens at.
    pub fn address(&self) -> SocketAddr {
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        self.addresses.first().copied().unwrap_or(unspecified)
    }

    /// Waits until it has stopped: within a second after its token was cancelled.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handle").field(&self.statistics()).finish()
    }
}

impl Handle {
    /// Ends all sessions of a principal, with their subscriptions: its rights have changed. Returns
    /// how many there were. A client that is still let in opens a new one.
    pub fn end_sessions(&self, principal: &str) -> usize {
        let shared = &self.0;
        shared.revocations.fetch_add(1, Ordering::AcqRel);
        let mut ended = 0;
        for session in shared.sessions.all() {
            let (is_it, connection) = {
                let state = session.state();
                let is_it = state.principal.as_ref().is_some_and(|it| it.name() == principal);
                (is_it, state.connection.clone())
            };
            if is_it {
                shared.sessions.end(&session, true);
                connection.cancel();
                ended += 1;
            }
        }
        // What outlived its session is theirs as well.
        shared.publishers.of(principal).iter().for_each(|publisher| publisher.close());
        ended
    }

    /// Clients that were turned away because nobody has said that they are trusted, the newest first.
    ///
    /// # Errors
    /// [`Error::File`].
    pub async fn rejected(&self) -> Result<Vec<Certificate>, Error> {
        self.with_pki(Pki::rejected).await
    }

    /// Clients that are let in, the newest first.
    ///
    /// # Errors
    /// [`Error::File`].
    pub async fn trusted(&self) -> Result<Vec<Certificate>, Error> {
        self.with_pki(Pki::trusted).await
    }

    /// Lets a rejected client in from now on, and tells which one it is.
    ///
    /// # Errors
    /// [`Error::NoCertificate`] if there is none with that SHA-256 thumbprint; [`Error::Full`];
    /// [`Error::File`].
    pub async fn trust(&self, thumbprint: &str) -> Result<Certificate, Error> {
        let thumbprint = thumbprint.to_owned();
        self.with_pki(move |pki| pki.trust(&thumbprint)).await
    }

    /// Turns a trusted client away from now on, ends its sessions and closes its connections. Tells
    /// which one it was, which is among the rejected ones from then on.
    ///
    /// # Errors
    /// As [`trust`](Self::trust).
    pub async fn distrust(&self, thumbprint: &str) -> Result<Certificate, Error> {
        let thumbprint = thumbprint.to_owned();
        let certificate = self.with_pki(move |pki| pki.distrust(&thumbprint)).await?;
        self.send_away(&certificate.thumbprint);
        Ok(certificate)
    }

    /// Forgets a client, trusted or rejected; a trusted one is sent away. When it comes again, it is
    /// refused and among the rejected ones. Tells which one it was.
    ///
    /// # Errors
    /// As [`trust`](Self::trust).
    pub async fn forget(&self, thumbprint: &str) -> Result<Certificate, Error> {
        let thumbprint = thumbprint.to_owned();
        let certificate = self.with_pki(move |pki| pki.forget(&thumbprint)).await?;
        self.send_away(&certificate.thumbprint);
        Ok(certificate)
    }

    /// Ends what a client has open whose certificate is not trusted any more.
    fn send_away(&self, key: &str) {
        for session in self.0.sessions.all() {
            if session.thumbprint().is_some_and(|theirs| theirs == key) {
                self.0.sessions.end(&session, true);
            }
        }
        for (theirs, close) in self.0.secured().values() {
            if theirs == key {
                close.cancel();
            }
        }
    }

    /// The server's own certificate in DER, for clients that want to know it beforehand.
    pub fn certificate(&self) -> Vec<u8> {
        self.0.pki.own().der.clone()
    }

    /// What clients enter to connect: the first of its names, and the port.
    pub fn url(&self) -> String {
        format!("opc.tcp://{}", self.0.authority)
    }

    /// Its application URI.
    pub fn application_uri(&self) -> &str {
        &self.0.application_uri
    }

    /// How many there are of what clients hold.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            sessions: self.0.sessions.all().len(),
            subscriptions: self.0.counts.subscriptions.get(),
            monitored_items: self.0.counts.items.get(),
        }
    }

    /// The sessions that are open.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        let now = Instant::now();
        let info = |session: Arc<crate::session::Session>| {
            let state = session.state();
            SessionInfo {
                principal: state.principal.as_ref().map(|it| it.name().to_owned()),
                name: session.name.clone(),
                application: session.application.clone(),
                address: state.address,
                certificate: session.thumbprint(),
                encrypted: state.encrypted,
                idle: now.saturating_duration_since(state.seen),
            }
        };
        self.0.sessions.all().into_iter().map(info).collect()
    }

    async fn with_pki<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Pki) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let pki = Arc::clone(&self.0.pki);
        let acted = tokio::task::spawn_blocking(move || act(&pki)).await;
        acted.map_err(|error| Error::Make(error.to_string()))?
    }
}

async fn open(listen: Listen) -> Result<TcpListener, Error> {
    match listen {
        Listen::Address(address) => {
            TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
        }
        Listen::Bound(listener) => adopt(listener).map_err(Error::Socket),
    }
}

fn adopt(listener: BoundListener) -> std::io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept an OPC UA connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if shared.forgeries().is_barred(address.ip(), Instant::now()) {
            tracing::debug!(%address, "an OPC UA connection was closed: its address has to wait");
            continue;
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!(%address, "an OPC UA connection was closed: there are too many");
            continue;
        };
        let shared = Arc::clone(&shared);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        tasks.spawn(async move {
            connection::serve(shared, stream, address, number, place).await;
        });
    }
}

async fn housekeeping(shared: Arc<Shared>) {
    let unactivated = shared.limits.connect_timeout * UNACTIVATED;
    loop {
        tokio::select! {
            () = tokio::time::sleep(HOUSEKEEPING) => {}
            () = shared.stop.cancelled() => break,
        }
        shared.sessions.expire(Instant::now(), unactivated);
    }
    for session in shared.sessions.all() {
        shared.sessions.end(&session, true);
    }
}

/// This machine's name, if the system has a plain one.
pub fn machine_name() -> Option<String> {
    let is_of_names = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let is_plain = |name: &String| {
        (1..=MACHINE_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_of_names)
    };
    opcua::crypto::hostname().ok().filter(is_plain)
}
