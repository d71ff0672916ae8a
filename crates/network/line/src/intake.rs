//! Connections and what arrives over them: tasks that end with their session.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use weir_connect::dial::Lookups;
use weir_connect::{Clock, ErrorKind};
use weir_model::Timestamp;

use crate::framing::Splitter;
use crate::{Network, Settings};

/// Lines that wait for the session. Beyond, connections are not read, and TCP has their devices wait: nothing
/// is lost, and a device's memory for them is at most this many of its longest lines.
const QUEUE_LINES_MAX: usize = 256;

/// Bytes that are read at a time.
const READ_BYTES: usize = 8 * 1024;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;

/// After a failure to accept a connection, for want of memory or descriptors, the next attempt.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Attempts to listen at a port that is taken, and the time between them.
const BIND_ATTEMPTS_MAX: u32 = 25;
const BIND_PAUSE: Duration = Duration::from_millis(20);

/// Keep-alive probes without an answer after which a connection is dead (not settable on all systems).
const KEEP_ALIVE_PROBES: u32 = 3;

/// What is told of a connection that was refused.
const REFUSED: &str = "connection refused: nothing listens there; check host and port, and whether the device is set to be a TCP server and allows one more connection";

/// What the session learns.
#[derive(Debug)]
pub(crate) enum Event {
    /// A line arrived.
    Line { source: IpAddr, bytes: Vec<u8>, time: Timestamp },
    /// A device sent a line that is too long; its connection was dropped.
    TooLong { source: IpAddr, time: Timestamp },
    /// There is nothing more to come.
    Ended(ErrorKind, String),
}

/// Why a connection ended.
enum End {
    TooLong,
    Closed {
        waiting: usize,
    },
    Failed(io::Error),
    Idle(Duration),
    /// The session is gone.
    Unheard,
}

/// What listening has seen, for people.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) connected: AtomicUsize,
    pub(crate) refused: AtomicU64,
}

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct Intake {
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: mpsc::Sender<Event>,
}

/// A queue for lines.
pub(crate) fn queue() -> (mpsc::Sender<Event>, mpsc::Receiver<Event>) {
    mpsc::channel(QUEUE_LINES_MAX)
}

/// Connects to a device, to the first of its addresses that answers.
pub(crate) async fn connect(
    host: &str,
    settings: &Settings,
    lookups: &Lookups,
) -> Result<TcpStream, (ErrorKind, String)> {
    let stream = lookups
        .connect(host, settings.port, settings.timeout)
        .await
        .map_err(|error| error.told(settings.timeout, REFUSED))?;
    keep_alive(&stream, settings.keep_alive)
        .map_err(|error| (ErrorKind::Unreachable, format!("cannot connect: {error}")))?;
    Ok(stream)
}

/// Listens. A port that is taken may be that of the session before, whose task ends when the runtime gets to it.
pub(crate) async fn listen(address: Option<IpAddr>, port: u16) -> Result<TcpListener, String> {
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "something listens at port {port} already: another program, or this device itself, which is running"
        ),
        io::ErrorKind::AddrNotAvailable => {
            "this computer has no such address; leave the address empty to listen at all of them"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            format!("this program may not listen at port {port}; take one above 1023")
        }
        _ => format!("cannot listen: {error}"),
    };
    let mut attempts = 0;
    loop {
        attempts += 1;
        match bind_one_or_all(address, port) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && attempts < BIND_ATTEMPTS_MAX =>
            {
                tokio::time::sleep(BIND_PAUSE).await;
            }
            bound => return bound.map_err(told),
        }
    }
}

fn bind_one_or_all(address: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    if let Some(address) = address {
        return bind(SocketAddr::new(address, port));
    }
    match bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
        // Without IPv6 there is IPv4 alone.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            bind(SocketAddr::from(([0, 0, 0, 0], port)))
        }
        bound => bound,
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Elsewhere it would let two programs share a port; here it only lets a restart not wait.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn keep_alive(stream: &TcpStream, interval: Duration) -> io::Result<()> {
    let keep_alive = TcpKeepalive::new().with_time(interval).with_interval(interval);
    #[cfg(not(windows))]
    let keep_alive = keep_alive.with_retries(KEEP_ALIVE_PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}

impl Intake {
    /// Reads one connection that we made until it ends, and says why it did.
    pub(crate) async fn read(self, stream: impl AsyncRead + Unpin, source: IpAddr) {
        let end = self.lines(stream, source).await;
        let max = self.settings.line_bytes_max;
        let (kind, cause) = match end {
            End::Unheard => return,
            End::TooLong => (
                ErrorKind::Protocol,
                format!(
                    "a line of more than {max} bytes came without a delimiter; check the delimiter and line_bytes_max"
                ),
            ),
            End::Closed { waiting: 0 } => {
                (ErrorKind::Disconnected, "the device ended the connection".to_owned())
            }
            End::Closed { waiting } => (
                ErrorKind::Disconnected,
                format!(
                    "the device ended the connection within a line; its {waiting} bytes are dropped, because half a line is a wrong one"
                ),
            ),
            End::Failed(error) => {
                (ErrorKind::Disconnected, format!("the connection was lost ({error})"))
            }
            End::Idle(idle) => (
                ErrorKind::Timeout,
                format!(
                    "nothing came for {} s (idle_seconds); the connection was dropped",
                    idle.as_secs()
                ),
            ),
        };
        // Where nobody listens any more, nobody needs to know.
        let _ = self.events.send(Event::Ended(kind, cause)).await;
    }

    /// Takes connections of whom is allowed, as many as settings say, until the session ends.
    pub(crate) async fn accept(
        self,
        listener: TcpListener,
        allow: Vec<Network>,
        connections_max: usize,
        tally: Arc<Tally>,
    ) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            tally.connected.store(connections.len(), Relaxed);
            let (stream, source) = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => (stream, peer.ip().to_canonical()),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
                Some(_) = connections.join_next() => continue,
            };
            let is_allowed = allow.iter().any(|network| network.contains(source));
            if !is_allowed || connections.len() >= connections_max {
                let reason = if is_allowed { "too many connections" } else { "not in allow" };
                let refused = tally.refused.fetch_add(1, Relaxed) + 1;
                // Told more and more seldom, or whoever knocks could fill the log.
                if refused.is_power_of_two() {
                    let place = self.settings.place();
                    tracing::warn!(%source, refused, place, reason, "a connection is refused");
                }
                continue;
            }
            if let Err(error) = keep_alive(&stream, self.settings.keep_alive) {
                tracing::debug!(%source, %error, "a connection ended at once");
                continue;
            }
            connections.spawn(self.clone().read_accepted(stream, source));
        }
    }

    async fn read_accepted(self, stream: TcpStream, source: IpAddr) {
        match self.lines(stream, source).await {
            End::TooLong => {
                let time = self.clock.now();
                // Where nobody listens any more, nobody needs to know.
                let _ = self.events.send(Event::TooLong { source, time }).await;
            }
            End::Failed(error) => tracing::debug!(%source, %error, "a connection is lost"),
            End::Closed { waiting } if waiting > 0 => {
                tracing::warn!(%source, bytes = waiting, "a device left within a line, which is dropped");
            }
            End::Idle(_) => tracing::debug!(%source, "an idle connection is dropped"),
            End::Closed { .. } | End::Unheard => {}
        }
    }

    /// Sends every line on until the connection ends.
    async fn lines(&self, mut stream: impl AsyncRead + Unpin, source: IpAddr) -> End {
        let Settings { delimiter, line_bytes_max, idle, .. } = &*self.settings;
        let mut splitter = Splitter::new(delimiter.clone(), *line_bytes_max);
        let mut chunk = vec![0; READ_BYTES];
        loop {
            let reading = stream.read(&mut chunk);
            let read = match idle {
                Some(idle) => match timeout(*idle, reading).await {
                    Ok(read) => read,
                    Err(_) => return End::Idle(*idle),
                },
                None => reading.await,
            };
            let bytes = match read {
                Ok(0) => return End::Closed { waiting: splitter.waiting() },
                Ok(count) => chunk.get(..count).unwrap_or_default(),
                Err(error) => return End::Failed(error),
            };
            splitter.push(bytes);
            let time = self.clock.now();
            while let Some(line) = splitter.next_line() {
                let Ok(bytes) = line else { return End::TooLong };
                if self.events.send(Event::Line { source, bytes, time }).await.is_err() {
                    return End::Unheard;
                }
            }
        }
    }
}
