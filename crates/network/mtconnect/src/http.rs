//! Requests to an agent over HTTP/1.1, with bounds on everything that it may send.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use weir_connect::{ErrorKind, PeerCertificate};

use crate::Settings;
use crate::tls::Pinned;

/// Host names looked up at the same time. The system's resolver blocks a thread for seconds where a
/// name server is silent, and those threads are shared with the spool's file I/O.
const LOOKUPS_MAX: usize = 8;

/// Largest answer that is read as a whole: a hundred machines with a thousand data items each.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Most header fields of an answer, and their size; agents send about ten.
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 32 * 1024;

/// What hyper buffers of an answer, at most.
const BUFFER_BYTES_MAX: usize = 256 * 1024;

/// The least time that each of several addresses of a host gets for connecting.
const CONNECT_TIME_MIN: Duration = Duration::from_millis(250);

/// The right to look up a host name, shared by all connections of a driver.
#[derive(Debug, Clone)]
pub(crate) struct Lookups(Arc<Semaphore>);

impl Default for Lookups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS_MAX)))
    }
}

impl Lookups {
    /// The addresses of a host. A lookup that nobody waits for any more keeps its right until the
    /// system's resolver returns, so that there are never more of them.
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let Ok(right) = Arc::clone(&self.0).acquire_owned().await else {
            return Err(io::Error::other("the driver has stopped"));
        };
        let host = host.to_owned();
        let lookup = tokio::spawn(async move {
            let found = lookup_host((host, port)).await.map(Iterator::collect);
            drop(right);
            found
        });
        lookup.await.map_err(io::Error::other)?
    }
}

/// Why a request brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpError {
    pub(crate) kind: ErrorKind,
    pub(crate) cause: String,
    /// What the peer presented, where it is not trusted.
    pub(crate) certificate: Option<Box<PeerCertificate>>,
}

impl HttpError {
    pub(crate) fn new(kind: ErrorKind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), certificate: None }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// An answer whose body has not been read.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) body: Incoming,
    /// What drives the body; ending it ends the connection.
    pub(crate) connection: Connection,
}

/// The task that drives a connection; dropping it ends the connection.
#[derive(Debug)]
pub(crate) struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Requests to one agent. A connection is used again while the agent keeps it.
pub(crate) struct Http {
    settings: Arc<Settings>,
    lookups: Lookups,
    kept: Option<(http1::SendRequest<Empty<Bytes>>, Connection)>,
    /// Requests answered or failed.
    pub(crate) requests: u32,
    /// How long the last answer took.
    pub(crate) latency: Duration,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Http {
    pub(crate) fn new(settings: Arc<Settings>, lookups: Lookups) -> Self {
        Self { settings, lookups, kept: None, requests: 0, latency: Duration::ZERO }
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, HttpError> {
        self.requests = self.requests.saturating_add(1);
        let limit = self.settings.timeout;
        let since = Instant::now();
        let answer = timeout(limit, self.exchange(path)).await;
        self.latency = since.elapsed();
        answer.unwrap_or_else(|_| {
            self.kept = None;
            Err(self.too_late())
        })
    }

    async fn exchange(&mut self, path: &str) -> Result<Answer, HttpError> {
        // What is kept may have been ended by the agent just now, so a failure there proves nothing.
        if let Some((mut sender, connection)) = self.kept.take()
            && sender.ready().await.is_ok()
            && let Ok(response) = sender.send_request(self.request(path)?).await
        {
            return self.whole(response, sender, connection).await;
        }
        let (mut sender, connection) = self.connect().await?;
        let response = sender.send_request(self.request(path)?).await.map_err(|e| told(&e))?;
        self.whole(response, sender, connection).await
    }

    async fn whole(
        &mut self,
        response: Response<Incoming>,
        sender: http1::SendRequest<Empty<Bytes>>,
        connection: Connection,
    ) -> Result<Answer, HttpError> {
        let status = response.status();
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => told(&error),
            Err(_) => HttpError::new(
                ErrorKind::Protocol,
                format!("an answer of more than {BODY_BYTES_MAX} bytes; set the device, so that the agent tells less"),
            ),
        })?;
        self.kept = Some((sender, connection));
        Ok(Answer { status, body: body.to_bytes() })
    }

    /// Asks on a connection of its own, and leaves the body to be read.
    pub(crate) async fn open(&mut self, path: &str) -> Result<Opened, HttpError> {
        self.requests = self.requests.saturating_add(1);
        let limit = self.settings.timeout;
        let since = Instant::now();
        let opening = async {
            let (mut sender, connection) = self.connect().await?;
            let response = sender.send_request(self.request(path)?).await.map_err(|e| told(&e))?;
            let status = response.status();
            let content_type = content_type(&response);
            Ok(Opened { status, content_type, body: response.into_body(), connection })
        };
        let opened = timeout(limit, opening).await;
        self.latency = since.elapsed();
        opened.unwrap_or_else(|_| Err(self.too_late()))
    }

    fn too_late(&self) -> HttpError {
        let ms = self.settings.timeout.as_millis();
        let cause =
            format!("no answer within {ms} ms; check address, port and whether the agent is busy");
        HttpError::new(ErrorKind::Timeout, cause)
    }

    fn request(&self, path: &str) -> Result<Request<Empty<Bytes>>, HttpError> {
        Request::get(path)
            .header(HOST, self.settings.authority())
            .header(USER_AGENT, concat!("weir/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "text/xml, application/xml, multipart/x-mixed-replace")
            .body(Empty::new())
            .map_err(|error| {
                HttpError::new(
                    ErrorKind::Misconfigured,
                    format!("no such request can be sent: {error}"),
                )
            })
    }

    async fn connect(&self) -> Result<(http1::SendRequest<Empty<Bytes>>, Connection), HttpError> {
        let stream = self.stream().await?;
        let (sender, connection) = http1::Builder::new()
            .max_headers(HEADERS_MAX)
            .max_header_size(HEADER_BYTES_MAX)
            .max_buf_size(BUFFER_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| told(&error))?;
        // How it ends is told by the request or the body that it carries.
        let task = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok((sender, Connection(task)))
    }

    async fn stream(&self) -> Result<Box<dyn Stream>, HttpError> {
        let Settings { host, port, .. } = &*self.settings;
        let addresses = self.lookups.addresses(host, *port).await.map_err(|e| unreachable(&e))?;
        let share = self.settings.timeout / u32::try_from(addresses.len().max(1)).unwrap_or(1);
        let share = share.max(CONNECT_TIME_MIN);
        let mut last = HttpError::new(ErrorKind::Unreachable, "the host name has no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // A request is one small packet; waiting for more would only delay it.
                    stream.set_nodelay(true).map_err(|e| unreachable(&e))?;
                    return self.secured(stream).await;
                }
                Ok(Err(error)) => last = unreachable(&error),
                Err(_) => {
                    let cause = format!(
                        "{address} does not answer; check address, port and the way there (routing, firewall)"
                    );
                    last = HttpError::new(ErrorKind::Timeout, cause);
                }
            }
        }
        Err(last)
    }

    async fn secured(&self, stream: TcpStream) -> Result<Box<dyn Stream>, HttpError> {
        if !self.settings.tls {
            return Ok(Box::new(stream));
        }
        let refused = |cause: String| HttpError::new(ErrorKind::Protocol, cause);
        let pinned = Pinned::new(&self.settings.trusted);
        let connector = pinned.connector().map_err(|e| refused(format!("no TLS: {e}")))?;
        let name = ServerName::try_from(self.settings.host.clone())
            .map_err(|_| refused("the host is no name that a certificate can have".into()))?;
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => match pinned.refused() {
                Some(certificate) => Err(HttpError {
                    kind: ErrorKind::Untrusted,
                    cause: "the agent's certificate is not among those trusted; compare its thumbprint with the agent's own and add it".into(),
                    certificate: Some(Box::new(certificate)),
                }),
                None => Err(refused(format!("no TLS with it: {error}; is it http rather than https?"))),
            },
        }
    }
}

fn content_type(response: &Response<Incoming>) -> String {
    let value = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    value.unwrap_or_default().to_owned()
}

fn unreachable(error: &io::Error) -> HttpError {
    let hint = match error.kind() {
        io::ErrorKind::ConnectionRefused => "; no agent listens there: check port and agent",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "; check address and routing"
        }
        _ => "",
    };
    HttpError::new(ErrorKind::Unreachable, format!("cannot connect: {error}{hint}"))
}

/// A failure of HTTP, in words that say what to do.
pub(crate) fn told(error: &hyper::Error) -> HttpError {
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        let cause = format!("what answers there does not speak HTTP/1.1 ({error}); check the port");
        HttpError::new(ErrorKind::Protocol, cause)
    } else {
        HttpError::new(ErrorKind::Disconnected, format!("the agent ended the connection ({error})"))
    }
}
