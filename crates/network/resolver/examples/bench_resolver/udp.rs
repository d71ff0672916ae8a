//! Load over UDP by one thread, in many datagrams a call.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

use crate::Result;

const BATCH: usize = 64;
const DATAGRAM_BYTES: usize = 512;

/// Requests that are under way at a time: what fits the usual buffers of a socket.
const WINDOW: usize = 192;

/// How long a lost one is waited for.
const PATIENCE: Duration = Duration::from_millis(50);

/// Where the code of an answer stands, and the code of one that tells values.
const CODE: std::ops::Range<usize> = 24..28;
const SUCCESS: [u8; 4] = [0, 0, 0, 1];

pub(crate) struct Turn {
    pub(crate) answered: u64,
    pub(crate) lost: u64,
    took: Duration,
}

impl Turn {
    pub(crate) fn per_s(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }
}

struct Load<'r> {
    socket: UdpSocket,
    requests: &'r [Vec<u8>],
    next: usize,
    sending: MultiHeaders<SockaddrStorage>,
    receiving: MultiHeaders<SockaddrStorage>,
    bytes: Vec<u8>,
}

impl<'r> Load<'r> {
    fn to(server: SocketAddr, requests: &'r [Vec<u8>]) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self::of(socket, requests))
    }

    fn of(socket: UdpSocket, requests: &'r [Vec<u8>]) -> Self {
        Self {
            socket,
            requests,
            next: 0,
            sending: MultiHeaders::preallocate(BATCH, None),
            receiving: MultiHeaders::preallocate(BATCH, None),
            bytes: vec![0; BATCH * DATAGRAM_BYTES],
        }
    }

    /// Sends the next requests.
    fn send(&mut self, count: usize) -> Result<()> {
        let requests = self.requests.iter().cycle().skip(self.next);
        let slices: Vec<[IoSlice<'_>; 1]> =
            requests.take(count).map(|request| [IoSlice::new(request)]).collect();
        let fd = self.socket.as_raw_fd();
        for some in slices.chunks(BATCH) {
            let mut at = 0;
            while at < some.len() {
                let rest = &some[at..];
                let to = [None::<SockaddrStorage>; BATCH];
                let sent = sendmmsg(
                    fd,
                    &mut self.sending,
                    rest.iter(),
                    &to[..rest.len()],
                    [],
                    MsgFlags::empty(),
                )?;
                at += sent.count();
            }
        }
        self.next = (self.next + count) % self.requests.len();
        Ok(())
    }

    /// Receives what is there; `each` is given every datagram. None where there is nothing.
    fn receive(&mut self, flags: MsgFlags, mut each: impl FnMut(&[u8])) -> Result<usize> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.bytes.chunks_mut(DATAGRAM_BYTES).map(|piece| [IoSliceMut::new(piece)]).collect();
        let mut lengths = [0; BATCH];
        let fd = self.socket.as_raw_fd();
        let mut count = 0;
        match recvmmsg(fd, &mut self.receiving, slices.iter_mut(), flags, None) {
            Ok(messages) => {
                for message in messages {
                    lengths[count] = message.bytes;
                    count += 1;
                }
            }
            Err(Errno::EAGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        for (piece, length) in self.bytes.chunks(DATAGRAM_BYTES).zip(&lengths[..count]) {
            each(&piece[..*length]);
        }
        Ok(count)
    }
}

/// As many requests as are answered, with a window of them under way. Answers are looked at, echoes
/// only counted.
pub(crate) fn closed(
    server: SocketAddr,
    requests: &[Vec<u8>],
    each: Duration,
    answers: bool,
) -> Result<Turn> {
    let mut load = Load::to(server, requests)?;
    let (mut answered, mut lost, mut wrong) = (0, 0, 0_u64);
    let begun = Instant::now();
    load.send(WINDOW)?;
    while begun.elapsed() < each {
        let count = load.receive(MsgFlags::MSG_WAITFORONE, |datagram| {
            wrong += u64::from(answers && datagram.get(CODE) != Some(&SUCCESS[..]));
        })?;
        answered += count as u64;
        if count == 0 {
            lost += WINDOW as u64;
        }
        load.send(if count == 0 { WINDOW } else { count })?;
    }
    let took = begun.elapsed();
    if wrong > 0 {
        return Err(format!("{wrong} answers tell no values").into());
    }
    Ok(Turn { answered, lost, took })
}

/// Waits without an answer behind which what is missing is taken for lost.
const SILENT_MAX: u32 = 20;

/// When the request of an answer was due: the last one with its number, that is its place among the
/// requests, which come again and again.
fn due(datagram: &[u8], now: Duration, between: Duration, requests: usize) -> Option<Duration> {
    let id = u32::from_be_bytes(datagram.get(8..12)?.try_into().ok()?);
    let sent = (now.as_nanos() / between.as_nanos()) as u32;
    let rounds = sent.checked_sub(id)? / requests as u32;
    Some(between * (id + rounds * requests as u32))
}

pub(crate) struct Paced {
    pub(crate) per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Requests at their times, whether those before are answered or not: how long each takes from when
/// it was due. What is lost counts as the longest.
pub(crate) fn paced(
    server: SocketAddr,
    requests: &[Vec<u8>],
    per_s: u32,
    each: Duration,
) -> Result<Paced> {
    let mut load = Load::to(server, requests)?;
    let socket = load.socket.try_clone()?;
    let between = Duration::from_secs(1) / per_s;
    let total = (each.as_secs_f64() * f64::from(per_s)) as u32;
    let begun = Instant::now();
    let mut took_us: Vec<f64> = std::thread::scope(|scope| {
        let receiver = scope.spawn(move || -> Result<Vec<f64>> {
            let mut receiving = Load::of(socket, requests);
            let mut took_us = Vec::with_capacity(total as usize);
            let mut silent = 0;
            while took_us.len() < total as usize && silent < SILENT_MAX {
                let count = receiving.receive(MsgFlags::MSG_WAITFORONE, |datagram| {
                    let now = begun.elapsed();
                    if let Some(due) = due(datagram, now, between, requests.len()) {
                        took_us.push(now.saturating_sub(due).as_secs_f64() * 1e6);
                    }
                })?;
                silent = if count == 0 { silent + 1 } else { 0 };
            }
            Ok(took_us)
        });
        let mut sent = 0;
        while sent < total {
            let now = begun.elapsed();
            let due = (now.as_secs_f64() * f64::from(per_s)) as u32 + 1;
            let some = due.min(total).saturating_sub(sent).min(BATCH as u32);
            load.send(some as usize)?;
            sent += some;
            std::thread::sleep((between * sent).saturating_sub(begun.elapsed()));
        }
        receiver.join().map_err(|_| "the receiving thread ended in a panic")?
    })?;
    let per_s = took_us.len() as f64 / begun.elapsed().as_secs_f64();
    took_us.resize(total as usize, f64::INFINITY);
    took_us.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| took_us[(took_us.len() as f64 * share) as usize];
    Ok(Paced { per_s, p50_us: at(0.5), p99_us: at(0.99) })
}
