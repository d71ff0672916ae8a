//! What UDP is compared with: datagrams given back as they come, with no more than the two calls.

use std::io::{IoSlice, IoSliceMut, Read as _};
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

use crate::Result;

/// As many as the server takes at a time.
const BATCH: usize = 64;
const DATAGRAM_BYTES: usize = 512;

/// Echoes until the input closes.
pub(crate) fn run() -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
    println!("{}", socket.local_addr()?);
    std::thread::spawn(move || echo(&socket));
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn echo(socket: &UdpSocket) {
    let fd = socket.as_raw_fd();
    let mut bytes = vec![0; BATCH * DATAGRAM_BYTES];
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    let mut sending = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    let (mut lengths, mut to) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    loop {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            bytes.chunks_mut(DATAGRAM_BYTES).map(|piece| [IoSliceMut::new(piece)]).collect();
        lengths.clear();
        to.clear();
        match recvmmsg(fd, &mut headers, slices.iter_mut(), MsgFlags::MSG_WAITFORONE, None) {
            Ok(messages) => {
                for message in messages {
                    lengths.push(message.bytes);
                    to.push(message.address);
                }
            }
            Err(Errno::ECONNREFUSED | Errno::EINTR) => continue,
            Err(_) => return,
        }
        let pieces = bytes.chunks(DATAGRAM_BYTES).zip(&lengths);
        let slices: Vec<[IoSlice<'_>; 1]> =
            pieces.map(|(piece, length)| [IoSlice::new(&piece[..*length])]).collect();
        let _ = sendmmsg(fd, &mut sending, slices.iter(), &to, [], MsgFlags::empty());
    }
}
