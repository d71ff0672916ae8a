//! What stands between a host name and a connection: addresses, TLS, and why it failed.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{TlsConfiguration, Transport as Carrier};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use weir_connect::ErrorKind;

use super::LinkError;
use crate::settings::{Outside, Transport};
use crate::tls::Verifier;

/// Addresses of one host that are tried.
const ADDRESSES_MAX: usize = 8;

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
            (Some(TlsConfiguration::Rustls(config)), Some(verifier))
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
            Some((certificate, cause)) => LinkError {
                kind: ErrorKind::Untrusted,
                cause,
                certificate: Some(Box::new(certificate)),
            },
        }
    }
}

/// The host, or one of its addresses where it has several and the first ones do not answer: the library
/// gives each all the time there is.
async fn reachable_host(outside: &Outside, time: Duration) -> Result<String, LinkError> {
    let (host, port) = (outside.host.as_str(), outside.port);
    let unknown = |cause: String| {
        LinkError::new(
            ErrorKind::Unreachable,
            format!("the host name {host} has no address: {cause}"),
        )
    };
    let found = match timeout(time, lookup_host((host, port))).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(unknown(error.to_string())),
        Err(_) => return Err(unknown("the name service does not answer".to_owned())),
    };
    let addresses: Vec<_> = found.take(ADDRESSES_MAX).collect();
    if addresses.is_empty() {
        return Err(unknown("the name service knows none".to_owned()));
    }
    if addresses.len() == 1 {
        return Ok(host.to_owned());
    }
    let share = time / (addresses.len() as u32 + 1);
    let mut silent = 0;
    for address in &addresses {
        match timeout(share, TcpStream::connect(address)).await {
            // While the first ones refuse at once, the library comes as far by itself, and TLS with a name.
            Ok(Ok(_)) if silent == 0 => return Ok(host.to_owned()),
            Ok(Ok(_)) => return Ok(address.ip().to_string()),
            Ok(Err(_)) => {}
            Err(_) => silent += 1,
        }
    }
    Ok(host.to_owned())
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
