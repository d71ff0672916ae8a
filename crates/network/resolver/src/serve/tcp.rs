//! TCP: requests one behind another on a connection that stays, answered in their order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weir_handle::{ENVELOPE_BYTES, Envelope, MESSAGE_BYTES_MAX};

use super::Clock;
use super::guests::Guests;
use crate::{Authority, Origin, Read};

/// What is read at a time.
const READ_BYTES: usize = 64 << 10;

/// Most bytes of answers that are gathered before they are sent.
const GATHER_BYTES: usize = 256 << 10;

pub(super) struct Server {
    pub(super) authority: Arc<Authority>,
    pub(super) open: Arc<Semaphore>,
    pub(super) guests: Arc<Guests>,
    pub(super) stop: CancellationToken,
    pub(super) clock: Clock,
    pub(super) idle: Duration,
    pub(super) slow: Duration,
}

pub(super) fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

impl Server {
    pub(super) async fn run(self, listener: TcpListener) {
        let server = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                () = server.stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Too many open files, usually: others may close theirs meanwhile.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            // One more than there is room for is closed at once, so that its client goes elsewhere.
            let Ok(permit) = Arc::clone(&server.open).try_acquire_owned() else { continue };
            let Some(guest) = server.guests.enter(from.ip()) else { continue };
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let stop = server.stop.clone();
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = server.talk(stream, from) => {}
                }
                drop((permit, guest));
            });
        }
    }

    /// Answers until the client is done, too slow, or speaks something else.
    async fn talk(&self, mut stream: TcpStream, from: SocketAddr) -> std::io::Result<()> {
        let origin = Origin { address: from.ip(), admin: true };
        let mut input: Vec<u8> = Vec::new();
        let mut out = Vec::new();
        loop {
            let patience = if input.is_empty() { self.idle } else { self.slow };
            input.reserve(READ_BYTES);
            match timeout(patience, stream.read_buf(&mut input)).await {
                Ok(Ok(0)) => return Ok(()),
                Ok(read) => read?,
                Err(_) => return Ok(()),
            };
            let mut at = 0;
            loop {
                let taken = self.answer_some(&input[at..], origin, &mut out).await;
                if !out.is_empty() {
                    let sent = timeout(self.slow, stream.write_all(&out)).await;
                    sent.map_err(|_| std::io::ErrorKind::TimedOut)??;
                    out.clear();
                }
                match taken {
                    Taken::Some(bytes) => at += bytes,
                    Taken::None => break,
                    Taken::Wrong => return Ok(()),
                }
            }
            input.drain(..at);
            if input.is_empty() && input.capacity() > 2 * READ_BYTES {
                input = Vec::new();
            }
            if out.capacity() > 2 * GATHER_BYTES {
                out = Vec::new();
            }
        }
    }

    /// Answers whole messages at the front of what has arrived, as many as one image of the
    /// records can, or one that takes longer.
    async fn answer_some(&self, input: &[u8], origin: Origin, out: &mut Vec<u8>) -> Taken {
        let now = self.clock.now();
        let mut at = 0;
        let mut later = None;
        let mut wrong = false;
        let read = self.authority.registry().store().read(|snap| {
            while out.len() < GATHER_BYTES {
                let rest = &input[at..];
                let message = match message(rest) {
                    Ok(Some(message)) => message,
                    Ok(None) => break,
                    Err(()) => {
                        // What cannot be skipped is answered, and ends the connection.
                        self.authority.read(snap, now.seconds(), rest, out)?;
                        wrong = true;
                        break;
                    }
                };
                match self.authority.read(snap, now.seconds(), message, out)? {
                    Read::Answered | Read::Ignored => at += message.len(),
                    Read::Later => {
                        later = Some(message);
                        break;
                    }
                }
            }
            Ok::<_, weir_store::StoreError>(())
        });
        if let Err(error) = read {
            tracing::error!(%error, "requests could not be answered");
            return Taken::Wrong;
        }
        if let Some(message) = later {
            let answer = self.authority.answer(now, message.to_vec(), origin).await;
            out.extend_from_slice(&answer);
            at += message.len();
        }
        match at {
            _ if wrong => Taken::Wrong,
            0 => Taken::None,
            at => Taken::Some(at),
        }
    }
}

enum Taken {
    /// So many bytes.
    Some(usize),
    /// Nothing is whole yet.
    None,
    /// What follows is no message.
    Wrong,
}

/// The whole message at the front; none while it is not whole, and an error if it never can be.
fn message(bytes: &[u8]) -> Result<Option<&[u8]>, ()> {
    if bytes.len() < ENVELOPE_BYTES {
        return Ok(None);
    }
    let envelope = Envelope::decode(bytes).map_err(|_| ())?;
    debug_assert!(envelope.length <= MESSAGE_BYTES_MAX);
    Ok(bytes.get(..ENVELOPE_BYTES + envelope.length as usize))
}
