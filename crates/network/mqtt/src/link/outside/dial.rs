//! What stands between a host name and a connection: addresses, TLS, and why it failed.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use rumqttc::{TlsConfiguration, Transport as Carrier};
use tokio::net::TcpStream;
use weir_connect::ErrorKind;
use weir_connect::dial::{self, Lookups};
use weir_connect::tls::Verifier;

use super::LinkError;
use crate::settings::{Outside, Transport};

/// The right to look up a host name, shared by all links, whichever driver opens them.
static LOOKUPS: LazyLock<Lookups> = LazyLock::new(Lookups::default);

/// How a connection is made.
pub(super) struct Dial {
    /// Host name, address, or the URL of a WebSocket, as the library wants it.
    pub(super) target: String,
    pub(super) carrier: Carrier,
    verifier: Option<Arc<Verifier>>,
}

impl Dial {
    pub(super) async fn new(outside: &Outside, time: Duration) -> Result<Self, LinkError> {
        let host = reachable_host(outside, time).await?;
        let (tls, verifier) = if outside.transport.is_tls() {
            let made = outside.trust.client_config(&outside.host);
            let (config, verifier) =
                made.map_err(|error| LinkError::new(ErrorKind::Misconfigured, error.to_string()))?;
            (Some(TlsConfiguration::Rustls(Arc::new(config))), Some(verifier))
        } else {
            (None, None)
        };
        let url = |scheme: &str| {
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            format!("{scheme}://{host}:{}{}", outside.port, outside.websocket_path)
        };
        let (target, carrier) = match (outside.transport, tls) {
            (Transport::Tls, Some(tls)) => (host, Carrier::Tls(tls)),
            (Transport::Websocket, _) => (url("ws"), Carrier::Ws),
            (Transport::WebsocketTls, Some(tls)) => (url("wss"), Carrier::Wss(tls)),
            _ => (host, Carrier::Tcp),
        };
        Ok(Self { target, carrier, verifier })
    }

    /// A certificate that was refused explains all that went wrong after it.
    pub(super) fn explain(&self, error: LinkError) -> LinkError {
        match self.verifier.as_ref().and_then(|verifier| verifier.refused()) {
            None => error,
            Some((certificate, refusal)) => LinkError {
                kind: ErrorKind::Untrusted,
                cause: refusal.to_string(),
                certificate: Some(Box::new(certificate)),
            },
        }
    }
}

/// The host, or one of its addresses where it has several and the first ones do not answer: the library
/// gives each all the time there is.
async fn reachable_host(outside: &Outside, time: Duration) -> Result<String, LinkError> {
    let (host, port) = (outside.host.as_str(), outside.port);
    let addresses = LOOKUPS.addresses(host, port, time).await.map_err(|error| {
        LinkError::new(error.kind(), format!("look up the host {host}: {error}"))
    })?;
    if addresses.len() == 1 {
        return Ok(host.to_owned());
    }
    let failed = Mutex::new(Vec::new());
    let connect = |address: SocketAddr| {
        let failed = &failed;
        async move {
            let connected = TcpStream::connect(address).await;
            if connected.is_err() {
                failed.lock().unwrap_or_else(PoisonError::into_inner).push(address);
            }
            connected
        }
    };
    // The other half of the time is the library's.
    let Ok((winner, _)) = dial::first(&addresses, time / 2, connect).await else {
        return Ok(host.to_owned());
    };
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut before = addresses.iter().take_while(|address| **address != winner);
    // While the first ones refuse at once, the library comes as far by itself, and TLS with a name.
    if before.all(|address| failed.contains(address)) {
        Ok(host.to_owned())
    } else {
        Ok(winner.ip().to_string())
    }
}

/// What the system says of a connection, with what to do.
pub(super) fn told(error: &std::io::Error) -> LinkError {
    use std::io::ErrorKind as Io;
    let (kind, cause) = match error.kind() {
        Io::ConnectionRefused => (
            ErrorKind::Unreachable,
            "nobody listens there: check host and port, and whether the broker runs".to_owned(),
        ),
        Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe | Io::UnexpectedEof => {
            return closed();
        }
        Io::TimedOut => (ErrorKind::Timeout, "the broker does not answer".to_owned()),
        Io::InvalidData => (
            ErrorKind::Protocol,
            format!("what answers is not the protocol that was expected: {error}"),
        ),
        // So the codec says that the connection ended in the middle of a packet.
        Io::Other => (ErrorKind::Disconnected, format!("the connection broke: {error}")),
        _ => (ErrorKind::Unreachable, error.to_string()),
    };
    LinkError::new(kind, cause)
}

/// The connection ended without a word.
pub(super) fn closed() -> LinkError {
    let cause = "the broker closed the connection without a reason (it stopped, refuses us, or another client connects with the same client identifier)";
    LinkError::new(ErrorKind::Disconnected, cause)
}
