//! Listeners: plain TCP and TLS. WebSocket has its own module.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;

/// After an error of accept (no file descriptors left), the next attempt is made this much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Handshakes of TLS and WebSocket at a time; one of TLS costs a millisecond of CPU and some ten kilobytes.
const HANDSHAKES_MAX: usize = 1000;

/// Who is at the other end.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub remote: SocketAddr,
    /// Its certificate, when TLS has asked for one and has verified it.
    pub certificate: Option<CertificateDer<'static>>,
    /// Whether it came over TLS.
    pub encrypted: bool,
}

impl Peer {
    /// A peer without a certificate.
    pub fn new(remote: SocketAddr) -> Self {
        Self { remote, certificate: None, encrypted: false }
    }

    /// A peer that came over TLS.
    pub fn over_tls<S>(remote: SocketAddr, stream: &TlsStream<S>) -> Self {
        let (_, connection) = stream.get_ref();
        let certificates = connection.peer_certificates();
        let certificate =
            certificates.and_then(<[_]>::first).map(|certificate| certificate.clone().into_owned());
        Self { remote, certificate, encrypted: true }
    }
}

impl Broker {
    /// Serves MQTT over TCP until the token is cancelled. Connections outlive the listener; they end
    /// with [`Broker::shutdown`].
    ///
    /// # Errors
    /// None at present: what accept reports is logged and tried again.
    pub async fn serve_tcp(
        &self,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> io::Result<()> {
        while let Some((stream, remote)) = accept(&listener, &stop).await {
            let broker = self.clone();
            tokio::spawn(async move { broker.serve(stream, Peer::new(remote)).await });
        }
        Ok(())
    }

    /// Serves MQTT over TLS until the token is cancelled. Whether clients need a certificate, and
    /// which are trusted, is the acceptor's configuration.
    ///
    /// # Errors
    /// As [`Broker::serve_tcp`].
    pub async fn serve_tls(
        &self,
        listener: TcpListener,
        acceptor: TlsAcceptor,
        stop: CancellationToken,
    ) -> io::Result<()> {
        while let Some((stream, remote)) = accept(&listener, &stop).await {
            let (broker, acceptor) = (self.clone(), acceptor.clone());
            tokio::spawn(async move {
                if let Some(stream) = handshake(&broker, &acceptor, stream, remote).await {
                    let peer = Peer::over_tls(remote, &stream);
                    broker.serve(stream, peer).await;
                }
            });
        }
        Ok(())
    }

    /// Serves MQTT over WebSocket (subprotocol `mqtt`, any path), inside TLS when there is an
    /// acceptor, until the token is cancelled.
    ///
    /// # Errors
    /// As [`Broker::serve_tcp`].
    pub async fn serve_websocket(
        &self,
        listener: TcpListener,
        acceptor: Option<TlsAcceptor>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let acceptor = acceptor.map(Arc::new);
        while let Some((stream, remote)) = accept(&listener, &stop).await {
            let (broker, acceptor) = (self.clone(), acceptor.clone());
            tokio::spawn(async move {
                match acceptor {
                    None => broker.serve_upgraded(stream, Peer::new(remote)).await,
                    Some(acceptor) => {
                        if let Some(stream) = handshake(&broker, &acceptor, stream, remote).await {
                            let peer = Peer::over_tls(remote, &stream);
                            broker.serve_upgraded(stream, peer).await;
                        }
                    }
                }
            });
        }
        Ok(())
    }
}

/// Counts a handshake as long as it lasts; none when there are too many.
pub(crate) struct Handshake(Broker);

impl Handshake {
    pub(crate) fn begin(broker: &Broker) -> Option<Self> {
        let counted = Self(broker.clone());
        let running = broker.inner.counters.handshakes.fetch_add(1, Relaxed);
        (running < HANDSHAKES_MAX).then_some(counted)
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.inner.counters.handshakes.fetch_sub(1, Relaxed);
    }
}

async fn handshake(
    broker: &Broker,
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    remote: SocketAddr,
) -> Option<TlsStream<TcpStream>> {
    let _counted = Handshake::begin(broker)?;
    let limit = broker.inner.limits.connect_time_max;
    match timeout(limit, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%remote, %error, "TLS handshake of an MQTT client");
            None
        }
        Err(_) => None,
    }
}

/// The next connection, or none when the token is cancelled.
async fn accept(
    listener: &TcpListener,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                // Acknowledgements are small and must not wait for each other.
                let _ = stream.set_nodelay(true);
                return Some((stream, remote));
            }
            Err(error) => {
                tracing::warn!(%error, "accept an MQTT client");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
