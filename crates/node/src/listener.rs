//! The listener: connections in, requests to the router, nobody allowed to hold it up.
//!
//! HTTP/1.1 and HTTP/2: inside TLS as agreed there, in the plain as the first bytes of a connection tell.

use std::convert::Infallible;
use std::io::{self, Cursor};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// A client that has not finished its TLS handshake or a request's head by then is cut.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Read buffer of a connection: a request's head must fit.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4). No request of HTTP/1 does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Requests that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 64;

/// How long open requests may take to end after the stop; streams are told and end at once.
const DRAIN: Duration = Duration::from_secs(5);

/// After a failed accept (too many open files), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the router until `stop`, then lets open requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    connections_max: usize,
    stop: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(connections_max.max(1)));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                let (tls, router) = (tls.clone(), router.clone());
                let (watcher, stop) = (graceful.watcher(), stop.clone());
                tokio::spawn(async move {
                    if let Err(reason) = connection(stream, peer, tls, router, watcher, &stop).await
                    {
                        tracing::debug!(%peer, %reason, "a connection ended early");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests that did not end in time were cut");
    }
}

/// Waits for room first, so that connections beyond the bound wait in the system's queue.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, permit))
}

type Reason = Box<dyn std::error::Error + Send + Sync>;

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    watcher: Watcher,
    stop: &CancellationToken,
) -> Result<(), Reason> {
    let Some(tls) = tls else { return plain(stream, peer, router, watcher, stop).await };
    let stream = tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await??;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http_2(stream, peer, router, watcher).await
    } else {
        http_1(stream, peer, router, watcher).await
    }
}

/// A connection without TLS, where nobody said before what is spoken.
async fn plain(
    mut stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
    stop: &CancellationToken,
) -> Result<(), Reason> {
    // Who has said nothing yet does not hold up the end.
    let begun = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        begun = tokio::time::timeout(HEAD_TIMEOUT, beginning(&mut stream)) => begun??,
    };
    let is_http_2 = begun == PREFACE;
    let (read, write) = stream.into_split();
    let stream = tokio::io::join(Cursor::new(begun).chain(read), write);
    if is_http_2 {
        http_2(stream, peer, router, watcher).await
    } else {
        http_1(stream, peer, router, watcher).await
    }
}

/// The first bytes of a connection, as many as tell whether they are HTTP/2's.
async fn beginning(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(PREFACE.len());
    while bytes.len() < PREFACE.len() && PREFACE.starts_with(&bytes) {
        let room = PREFACE.len() - bytes.len();
        if (&mut *stream).take(room as u64).read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    Ok(bytes)
}

async fn http_1<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
) -> Result<(), Reason> {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| answer(router.clone(), peer, request)),
        );
    Ok(watcher.watch(connection).await?)
}

async fn http_2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
) -> Result<(), Reason> {
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_TIMEOUT)
        .keep_alive_timeout(HEAD_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| answer(router.clone(), peer, request)),
        );
    Ok(watcher.watch(connection).await?)
}

async fn answer(
    router: Router,
    peer: SocketAddr,
    mut request: hyper::Request<Incoming>,
) -> Result<axum::response::Response, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    router.oneshot(request.map(axum::body::Body::new)).await
}
