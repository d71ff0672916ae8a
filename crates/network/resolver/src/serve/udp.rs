//! UDP: datagrams are taken and sent many at a time, and answered from one image of the records.

use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use weir_handle::{
    DATAGRAM_BYTES, ENVELOPE_BYTES, Envelope, FRAGMENT_BYTES, Reassembly, ReassemblyBounds,
    fragments,
};
use weir_store::StoreError;

use super::outgoing::Outgoing;
use super::{Clock, LOOK_UP};
use crate::limit::Limiter;
use crate::{Authority, Now, Origin, Read};

/// Datagrams that are taken at a time.
pub(super) const BATCH: usize = 64;

/// Most datagrams of one answer. A longer one is not sent: its client asks again over TCP, where
/// nobody can have it sent to somebody else.
pub(super) const ANSWER_DATAGRAMS_MAX: usize = 32;

/// Most requests of a thread that wait for the disk or for signatures.
const LATER_MAX: usize = 256;

/// What the system may keep for us while a batch is answered.
const RECEIVE_BYTES: usize = 4 << 20;

pub(super) struct Server {
    pub(super) authority: Arc<Authority>,
    pub(super) limiter: Arc<Limiter>,
    pub(super) stop: CancellationToken,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) admin: bool,
    pub(super) clock: Clock,
}

/// A socket for a thread; several may share a port, and the system shares out the senders.
pub(super) fn bind(address: SocketAddr, shared: bool) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if shared {
        socket.set_reuse_port(true)?;
    }
    // The system may give less, which is as well.
    let _ = socket.set_recv_buffer_size(RECEIVE_BYTES);
    socket.set_read_timeout(Some(LOOK_UP))?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// The address of a peer, in the system's form of one family.
pub(super) trait Peer: SockaddrLike + Copy + PartialEq + 'static {
    fn address(self) -> SocketAddr;
}

impl Peer for SockaddrIn {
    fn address(self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.ip()), self.port())
    }
}

impl Peer for SockaddrIn6 {
    fn address(self) -> SocketAddr {
        SocketAddr::V6(self.into())
    }
}

impl Server {
    pub(super) fn start(self, socket: UdpSocket) -> std::io::Result<std::thread::JoinHandle<()>> {
        let builder = std::thread::Builder::new().name("resolver-udp".into());
        let of_ipv6 = socket.local_addr()?.is_ipv6();
        builder.spawn(move || match of_ipv6 {
            true => self.run::<SockaddrIn6>(&Arc::new(socket)),
            false => self.run::<SockaddrIn>(&Arc::new(socket)),
        })
    }

    fn run<P: Peer>(self, socket: &Arc<UdpSocket>) {
        let mut received = vec![0; BATCH * DATAGRAM_BYTES];
        let mut headers = MultiHeaders::<P>::preallocate(BATCH, None);
        let mut work = Work {
            server: &self,
            socket,
            reassembly: Reassembly::new(ReassemblyBounds::default()),
            later: Arc::new(Semaphore::new(LATER_MAX)),
            out: Vec::new(),
        };
        let mut arrived: Vec<(usize, P)> = Vec::with_capacity(BATCH);
        let mut outgoing = Outgoing::new();
        while !self.stop.is_cancelled() {
            arrived.clear();
            outgoing.clear();
            let mut slices: Vec<[IoSliceMut<'_>; 1]> =
                received.chunks_mut(DATAGRAM_BYTES).map(|bytes| [IoSliceMut::new(bytes)]).collect();
            let fd = socket.as_raw_fd();
            match recvmmsg(fd, &mut headers, slices.iter_mut(), MsgFlags::MSG_WAITFORONE, None) {
                Ok(found) => arrived
                    .extend(found.filter_map(|message| Some((message.bytes, message.address?)))),
                Err(Errno::EAGAIN | Errno::EINTR) => continue,
                // What a peer sent back of an earlier answer is told here.
                Err(Errno::ECONNREFUSED) => continue,
                Err(error) => {
                    tracing::warn!(%error, "datagrams could not be received");
                    std::thread::sleep(LOOK_UP);
                    continue;
                }
            }
            let packets = received.chunks(DATAGRAM_BYTES).zip(&arrived);
            let packets = packets.map(|(bytes, (length, from))| (&bytes[..*length], *from));
            if let Err(error) = work.answer(packets, &mut outgoing) {
                tracing::error!(%error, "datagrams could not be answered");
                continue;
            }
            outgoing.send(fd);
        }
    }
}

/// What a thread keeps from batch to batch.
struct Work<'t> {
    server: &'t Server,
    socket: &'t Arc<UdpSocket>,
    reassembly: Reassembly<SocketAddr>,
    later: Arc<Semaphore>,
    out: Vec<u8>,
}

impl Work<'_> {
    /// Answers a batch from one image of the records.
    fn answer<'p, P: Peer>(
        &mut self,
        packets: impl Iterator<Item = (&'p [u8], P)>,
        outgoing: &mut Outgoing<P>,
    ) -> Result<(), StoreError> {
        let server = self.server;
        let now = server.clock.now();
        let authority = &server.authority;
        authority.registry().store().read(|snap| {
            for (packet, from) in packets {
                let source = from.address();
                let whole;
                let message = match is_fragment(packet) {
                    // A piece that is of no message is nothing to answer.
                    true => match self.reassembly.accept(source, packet, now.steady_ms) {
                        Ok(Some(message)) => {
                            whole = message;
                            &whole
                        }
                        Ok(None) | Err(_) => continue,
                    },
                    false => packet,
                };
                self.out.clear();
                match authority.read(snap, now.seconds(), message, &mut self.out)? {
                    Read::Answered => {
                        let bytes = self.out.len();
                        if server.limiter.allows(source.ip(), bytes, now.steady_ms) {
                            outgoing.add(&self.out, from);
                        }
                    }
                    Read::Later => self.later(message.to_vec(), source, now),
                    Read::Ignored => {}
                }
            }
            Ok(())
        })
    }

    /// Answers what takes time beside the thread. Where too much waits already, the client asks
    /// again.
    fn later(&self, message: Vec<u8>, source: SocketAddr, now: Now) {
        let Ok(permit) = Arc::clone(&self.later).try_acquire_owned() else { return };
        let origin = Origin { address: source.ip(), admin: self.server.admin };
        let (authority, socket) = (Arc::clone(&self.server.authority), Arc::clone(self.socket));
        let limiter = Arc::clone(&self.server.limiter);
        self.server.runtime.spawn(async move {
            let answer = authority.answer(now, message, origin).await;
            if limiter.allows(source.ip(), answer.len(), now.steady_ms) {
                send(&socket, &answer, source);
            }
            drop(permit);
        });
    }
}

/// Sends messages that stand one behind another. What the system has no room for is lost, as
/// datagrams may be.
fn send(socket: &UdpSocket, mut messages: &[u8], to: SocketAddr) {
    while let Ok(envelope) = Envelope::decode(messages) {
        let length = ENVELOPE_BYTES + envelope.length as usize;
        let Some((message, rest)) = messages.split_at_checked(length) else { break };
        if length <= ANSWER_DATAGRAMS_MAX * FRAGMENT_BYTES
            && let Ok(pieces) = fragments(message)
        {
            for (head, piece) in pieces {
                let _ = socket.send_to(&[&head, piece].concat(), to);
            }
        }
        messages = rest;
    }
}

fn is_fragment(packet: &[u8]) -> bool {
    Envelope::decode(packet).is_ok_and(|envelope| envelope.truncated)
}
