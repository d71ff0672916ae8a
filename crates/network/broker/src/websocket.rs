//! MQTT over WebSocket (MQTT 5, 6): the frames of a WebSocket as a byte stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::broker::Broker;
use crate::listen::{Handshake, Peer};

/// The name that both sides have to give (MQTT 5, 6.0.0-3 and 6.0.0-4).
const SUBPROTOCOL: &str = "mqtt";
/// What one write puts into a frame at most.
const FRAME_BYTES_MAX: usize = 64 * 1024;

impl Broker {
    /// Serves one connection that begins with a WebSocket handshake, on a stream that the caller has
    /// accepted.
    pub async fn serve_upgraded<S>(&self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let limits = &self.inner.limits;
        let mut config = WebSocketConfig::default();
        // Packets may span frames and frames hold many packets: both are bounded by the packet.
        config.max_message_size = Some(limits.packet_bytes_max.max(FRAME_BYTES_MAX));
        config.max_frame_size = Some(limits.packet_bytes_max.max(FRAME_BYTES_MAX));
        config.max_write_buffer_size = 4 * FRAME_BYTES_MAX;
        config.write_buffer_size = 0;
        config.read_buffer_size = 4096;
        let Some(counted) = Handshake::begin(self) else { return };
        let handshake =
            tokio_tungstenite::accept_hdr_async_with_config(stream, choose, Some(config));
        let shaken = timeout(limits.connect_time_max, handshake).await;
        drop(counted);
        match shaken {
            Ok(Ok(socket)) => {
                self.serve(ByteStream { socket, rest: Bytes::new() }, peer).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(remote = %peer.remote, %error, "WebSocket handshake of an MQTT client");
            }
            Err(_) => {}
        }
    }
}

/// Chooses the subprotocol `mqtt`, or refuses.
#[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
fn choose(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offered = request
        .headers()
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim() == SUBPROTOCOL);
    if !offered {
        let mut refused = ErrorResponse::new(Some("the subprotocol is mqtt".to_owned()));
        *refused.status_mut() = StatusCode::BAD_REQUEST;
        return Err(refused);
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}

/// Binary frames as a stream of bytes.
struct ByteStream<S> {
    socket: WebSocketStream<S>,
    /// What is left of the last frame.
    rest: Bytes,
}

fn io_error(error: tokio_tungstenite::tungstenite::Error) -> io::Error {
    match error {
        tokio_tungstenite::tungstenite::Error::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ByteStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                None | Some(Ok(Message::Close(_))) => return Poll::Ready(Ok(())),
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                // MQTT in text frames is forbidden (MQTT 5, 6.0.0-1).
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
            }
        }
        let count = self.rest.len().min(out.remaining());
        out.put_slice(&self.rest.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ByteStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let socket = &mut self.socket;
        ready!(Pin::new(&mut *socket).poll_ready(cx)).map_err(io_error)?;
        let count = bytes.len().min(FRAME_BYTES_MAX);
        let frame = Bytes::copy_from_slice(bytes.get(..count).unwrap_or_default());
        Pin::new(socket).start_send(Message::Binary(frame)).map_err(io_error)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(io_error)
    }
}
