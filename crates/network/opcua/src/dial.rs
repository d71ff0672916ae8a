//! Connections by TCP: every address of a host in turn, within a time, with a look at each frame.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use opcua::client::ConnectionSource;
use opcua::client::transport::{
    Connector, SecureChannelState, StreamConnection, StreamConnector, StreamTransport, Transport,
    TransportPollResult,
};
use opcua::core::comms::tcp_codec::TcpCodec;
use opcua::types::{
    ChannelSecurityToken, DateTime, DecodingOptions, EndpointDescription, Error, StatusCode,
};
use tokio::io::{AsyncRead, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::codec::FramedRead;
use weir_connect::ErrorKind;
use weir_connect::dial::{DialError, Lookups};

use crate::ServerUrl;
use crate::frames::{Expected, Frames};
use crate::status::Failure;

/// The right to look up a host name, shared by all connections.
static LOOKUPS: LazyLock<Lookups> = LazyLock::new(Lookups::default);

/// How to reach a server.
#[derive(Clone)]
pub(crate) struct Dial {
    url: ServerUrl,
    timeout: Duration,
    expected: Option<Expected>,
    /// Why the connection failed, which the library tells as a mere code.
    failure: Arc<Mutex<Option<Failure>>>,
}

impl Dial {
    pub(crate) fn new(url: ServerUrl, timeout: Duration, expected: Option<Expected>) -> Self {
        Self { url, timeout, expected, failure: Arc::default() }
    }

    /// Why it failed, where that is known better than by a code.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail(&self, kind: ErrorKind, cause: String) -> Error {
        let status = match kind {
            ErrorKind::Timeout => StatusCode::BadTimeout,
            _ => StatusCode::BadCommunicationError,
        };
        let error = Error::new(status, cause.clone());
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(Failure::new(kind, cause));
        error
    }

    async fn open(self) -> Result<TcpStream, Error> {
        let ServerUrl { host, port, .. } = &self.url;
        let error = match LOOKUPS.connect(host, *port, self.timeout).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        let cause = match error {
            DialError::Unknown(error) => {
                let cause = format!(
                    "the host name {host} is not known: {error}; check its spelling, or use its address"
                );
                return Err(self.fail(ErrorKind::Unreachable, cause));
            }
            DialError::Unresolved => {
                let cause =
                    format!("the host name {host} was not resolved in time; use its address");
                return Err(self.fail(ErrorKind::Timeout, cause));
            }
            DialError::NoAddress => "the host has no address".to_owned(),
            DialError::Refused { error, .. } => error.to_string(),
            DialError::Silent => format!("no connection within {} ms", self.timeout.as_millis()),
        };
        let cause = format!(
            "connecting to {} failed: {cause}; check address, port and network",
            self.url.authority()
        );
        Err(self.fail(ErrorKind::Unreachable, cause))
    }

    async fn connection(self, options: DecodingOptions) -> Result<Connection, Error> {
        let frames = Frames::new(self.expected.clone());
        let (url, failure) = (self.url.to_string(), Arc::clone(&self.failure));
        let (read, write) = tokio::io::split(self.open().await?);
        let read = Watched { inner: read, frames, failure };
        Ok(StreamConnection::new(FramedRead::new(read, TcpCodec::new(options)), write, url))
    }
}

type Connection = StreamConnection<Watched<ReadHalf<TcpStream>>, WriteHalf<TcpStream>>;

impl ConnectionSource for Dial {
    type Builder = Self;

    fn get_connector(&self, _: &EndpointDescription) -> Result<Self, Error> {
        Ok(self.clone())
    }
}

impl Connector for Dial {
    type Transport = Line;

    async fn connect(
        &self,
        channel: Arc<SecureChannelState>,
        outgoing: opcua::client::transport::RequestRecv,
        config: opcua::client::transport::TransportConfiguration,
    ) -> Result<Line, Error> {
        let open = |_: String, options: DecodingOptions| self.clone().connection(options);
        let connector = StreamConnector::new(open, self.url.to_string());
        let connect = connector.connect(Arc::clone(&channel), outgoing, config);
        match timeout(2 * self.timeout, connect).await {
            Ok(inner) => Ok(Line { inner: inner?, channel, token: 0 }),
            Err(_) => {
                let cause = format!(
                    "{} accepts connections, but does not answer as OPC UA; check the port",
                    self.url.authority()
                );
                Err(self.fail(ErrorKind::Timeout, cause))
            }
        }
    }

    fn default_endpoint(&self) -> EndpointDescription {
        EndpointDescription::from(self.url.to_string().as_str())
    }
}

/// The library's transport, with the age of security tokens told by our own clock.
///
/// The library takes it from the server's. A server an hour behind would have to renew its token with every
/// request, and one an hour ahead would never get it renewed.
pub(crate) struct Line {
    inner: StreamTransport<Watched<ReadHalf<TcpStream>>, WriteHalf<TcpStream>>,
    channel: Arc<SecureChannelState>,
    token: u32,
}

impl Line {
    fn date_token(&mut self) {
        let token = self.channel.secure_channel().read().token_id();
        if token == self.token {
            return;
        }
        self.token = token;
        let mut channel = self.channel.secure_channel().write();
        let (channel_id, revised_lifetime) =
            (channel.secure_channel_id(), channel.token_lifetime());
        let created_at = DateTime::now();
        channel.set_security_token(ChannelSecurityToken {
            channel_id,
            token_id: token,
            created_at,
            revised_lifetime,
        });
        // The keys' own end is reckoned from the same time, so they are filed once more.
        if token != 0 && channel.security_policy() != opcua::crypto::SecurityPolicy::None {
            channel.derive_keys();
        }
    }
}

impl Transport for Line {
    async fn poll(&mut self) -> TransportPollResult {
        let result = self.inner.poll().await;
        self.date_token();
        result
    }

    fn connected_url(&self) -> &str {
        self.inner.connected_url()
    }
}

/// A reading half whose frames are looked at.
pub(crate) struct Watched<R> {
    inner: R,
    frames: Frames,
    failure: Arc<Mutex<Option<Failure>>>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.inner).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = &poll {
            let arrived = buffer.filled().get(before..).unwrap_or_default();
            if let Err(cause) = self.frames.look(arrived) {
                buffer.set_filled(before);
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                *failure = Some(Failure::new(ErrorKind::Protocol, cause.clone()));
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, cause)));
            }
        }
        poll
    }
}
