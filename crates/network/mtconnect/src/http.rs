//! Requests to an agent over HTTP/1.1, with bounds on everything that it may send.

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
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use weir_connect::dial::Lookups;
use weir_connect::tls::{Refusal, TlsError};
use weir_connect::{ErrorKind, PeerCertificate};

use crate::Settings;

/// Largest answer that is read as a whole: a hundred machines with a thousand data items each.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Most header fields of an answer, and their size; agents send about ten.
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 32 * 1024;

/// What hyper buffers of an answer, at most.
const BUFFER_BYTES_MAX: usize = 256 * 1024;

/// What is told of a connection that was refused.
const REFUSED: &str =
    "cannot connect: connection refused; no agent listens there: check port and agent";

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
        let Settings { host, port, timeout, .. } = &*self.settings;
        let stream = self.lookups.connect(host, *port, *timeout).await.map_err(|error| {
            let (kind, cause) = error.told(*timeout, REFUSED);
            HttpError::new(kind, cause)
        })?;
        self.secured(stream).await
    }

    async fn secured(&self, stream: TcpStream) -> Result<Box<dyn Stream>, HttpError> {
        if !self.settings.tls {
            return Ok(Box::new(stream));
        }
        match self.settings.trust.connect(&self.settings.host, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(TlsError::Refused(certificate, refusal)) => {
                let cause = match refusal {
                    Refusal::Unreviewed => "the agent's certificate is not among those trusted; compare its thumbprint with the agent's own and add it".into(),
                    refusal => refusal.to_string(),
                };
                let error = HttpError::new(ErrorKind::Untrusted, cause);
                Err(HttpError { certificate: Some(certificate), ..error })
            }
            Err(error @ TlsError::Handshake(_)) => {
                let cause = format!("{error}; is it http rather than https?");
                Err(HttpError::new(ErrorKind::Protocol, cause))
            }
            Err(error) => Err(HttpError::new(ErrorKind::Protocol, error.to_string())),
        }
    }
}

fn content_type(response: &Response<Incoming>) -> String {
    let value = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    value.unwrap_or_default().to_owned()
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
