//! One connection: one task that reads many packets a wake-up and writes many a system call.
//!
//! Nothing here waits for the disk or for a subscriber. What has to be awaited is in
//! [`Acks`](crate::acks::Acks), and comes back through the connection's [`Signal`].

mod handshake;
mod inbound;
mod outbound;

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, timeout};

use crate::acks::{Acks, Ready, Round};
use crate::broker::Inner;
use crate::counters::Counters;
use crate::gate::Principal;
use crate::listen::Peer;
use crate::local::LocalQueue;
use crate::router::Route;
use crate::session::Session;
use crate::share::Held;
use crate::signal::{Signal, WAKE_CLOSE, WAKE_OUTBOX, WAKE_ROOM};
use crate::status::ClientInfo;
use crate::tenant::{Closing, Tenant};
use crate::wire::{Violation, Wire, is_whole, reason};

/// One read takes at most this; many small packets are then one wake-up.
const READ_BYTES: usize = 64 * 1024;
/// With more to write than this, nothing more is encoded and nothing is read: the client has to
/// take what it asked for.
const OUT_BYTES_HIGH: usize = 128 * 1024;
/// The codec asks for a few bytes of room after each packet; without it, it would copy.
const SLACK: usize = 16;
/// A client that takes nothing of what is to be written for so long is gone.
const WRITE_STALL: Duration = Duration::from_secs(60);
/// A connection from which nothing came for so long is not busy.
const RESTED: Duration = Duration::from_millis(2);
/// How often such a connection lets others go first; together some ten microseconds.
const YIELDS: u32 = 64;
/// How long the good-bye may take.
const GOOD_BYE: Duration = Duration::from_secs(3);
/// What is read away after the good-bye.
const LAST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Topics whose routes a connection remembers; with more, it forgets all.
const ROUTES_MAX: usize = 256;
/// Aliases that are used towards a client, however many it takes.
const ALIASES_OUT_MAX: u16 = 64;
/// Longer topics get none: an alias keeps its topic as long as the connection lives.
const ALIAS_OUT_BYTES_MAX: usize = 1024;
/// Bytes of all topics that a client has aliases for: one of the greatest length, and as much again.
const ALIASES_IN_BYTES_MAX: usize = 128 * 1024;

thread_local! {
    /// Where bytes are read to first: an idle connection has no buffer of its own.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// Serves a connection until it ends.
pub(crate) async fn serve<S>(broker: Arc<Inner>, stream: S, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let signal = Arc::new(Signal::default());
    let id = broker.next_id();
    let _counted = Counted::new(Arc::clone(&broker), id, &signal);
    if broker.is_closed()
        || broker.counters.connections.load(Relaxed) > broker.limits.connections_max
    {
        broker.counters.rejected_connections.fetch_add(1, Relaxed);
        return;
    }
    let mut socket =
        Socket { stream, input: BytesMut::new(), out: BytesMut::new(), unflushed: false };
    let limit = broker.limits.connect_time_max;
    let connecting = handshake::connect(&broker, &mut socket, &signal, peer);
    let Some(connected) = timeout(limit, connecting).await.ok().flatten() else {
        broker.counters.rejected_connections.fetch_add(1, Relaxed);
        socket.good_bye(!broker.is_closed()).await;
        return;
    };
    Connection::new(broker, socket, signal, connected).run().await;
}

/// Counts a connection as long as it lives.
struct Counted {
    broker: Arc<Inner>,
    id: u64,
}

impl Counted {
    fn new(broker: Arc<Inner>, id: u64, signal: &Arc<Signal>) -> Self {
        broker.counters.connections.fetch_add(1, Relaxed);
        broker.register(id, signal);
        Self { broker, id }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.broker.unregister(self.id);
        self.broker.counters.connections.fetch_sub(1, Relaxed);
    }
}

/// A stream with its buffers.
struct Socket<S> {
    stream: S,
    input: BytesMut,
    out: BytesMut,
    /// Something was written and not flushed (TLS and WebSocket hold bytes back).
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Reads what is there into the input; 0 at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {
                    let read = buffer.filled();
                    if self.input.is_empty() {
                        self.input = BytesMut::with_capacity(read.len() + SLACK);
                    }
                    self.input.extend_from_slice(read);
                    Poll::Ready(Ok(read.len()))
                }
            }
        })
    }

    /// Writes as much as the peer takes; ready when all of it is out.
    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.out) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.unflushed = true;
                    self.out.advance(count);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        self.out = BytesMut::new(); // an idle connection keeps no buffer
        if self.unflushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => self.unflushed = false,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes the rest and closes, within bounds. With `patient`, the client's end is awaited, too.
    async fn good_bye(&mut self, patient: bool) {
        let closing = async {
            if poll_fn(|cx| self.poll_write_out(cx)).await.is_ok()
                && poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await.is_ok()
            {
                // What the client has sent is read away: closing with bytes unread would reset the
                // connection, and the client might not see why it ends.
                let mut left = if patient { LAST_BYTES_MAX } else { 0 };
                while left > 0 {
                    self.input.clear();
                    match poll_fn(|cx| self.poll_read(cx)).await {
                        Ok(0) | Err(_) => break,
                        Ok(count) => left = left.saturating_sub(count),
                    }
                }
            }
        };
        let _ = timeout(GOOD_BYE, closing).await;
    }
}

/// What the handshake found.
struct Connected {
    tenant: Arc<Tenant>,
    session: Arc<Session>,
    epoch: u64,
    principal: Principal,
    wire: Wire,
    keep_alive: Duration,
    expiry_seconds: u32,
    inflight_max: usize,
    packet_bytes_max: usize,
    aliases_out_max: u16,
    round: Round,
    acks: Arc<Acks>,
    info: Arc<ClientInfo>,
    slot: Held,
}

/// A topic as the connection knows it.
struct Known {
    route: Arc<Route>,
    allowed: bool,
}

/// Why nothing is read at the moment.
enum Blocked {
    No,
    /// A local subscriber's queue is full.
    Local(Arc<LocalQueue>),
    /// The queue of a session is long.
    Session {
        session: Arc<Session>,
        since: Instant,
    },
    /// The journal has too much to write.
    Journal,
    /// A client of 3.1.1 has as much in flight as it may, or too many answers wait.
    Receipts,
}

struct Connection<S> {
    broker: Arc<Inner>,
    socket: Socket<S>,
    signal: Arc<Signal>,
    tenant: Arc<Tenant>,
    session: Arc<Session>,
    epoch: u64,
    principal: Principal,
    wire: Wire,
    acks: Arc<Acks>,
    /// The round that records are added in now, and whether there were any.
    round: Round,
    recorded: bool,
    routes: HashMap<Arc<str>, Known>,
    aliases_in: HashMap<u16, Arc<str>>,
    aliases_out: HashMap<Arc<str>, u16>,
    aliases_out_max: u16,
    inflight_max: usize,
    packet_bytes_max: usize,
    expiry_seconds: u32,
    keep_alive: Duration,
    seen: Instant,
    /// Since when the client takes nothing of what is to be written.
    stalled: Option<Instant>,
    blocked: Blocked,
    /// The session may have something to send.
    outbox: bool,
    ready: Vec<Ready>,
    messages_in: u64,
    info: Arc<ClientInfo>,
    /// QoS 2 messages from the client whose PUBREL has not come.
    unreleased: usize,
    /// Its place among its tenant's connections.
    _slot: Held,
}

/// What woke the connection.
enum Event {
    Signal(u32),
    Read(usize),
    Written,
    Tick,
    Failed,
}

/// How it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// DISCONNECT came.
    Disconnected { publish_will: bool, expiry_seconds: Option<u32> },
    /// The stream ended or failed.
    Lost,
    /// The broker closes it, with this reason.
    Closed(u8),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(
        broker: Arc<Inner>,
        socket: Socket<S>,
        signal: Arc<Signal>,
        connected: Connected,
    ) -> Self {
        let now = Instant::now();
        let unreleased = connected.session.state().received.len();
        Self {
            broker,
            socket,
            signal,
            tenant: connected.tenant,
            session: connected.session,
            epoch: connected.epoch,
            principal: connected.principal,
            wire: connected.wire,
            acks: connected.acks,
            round: connected.round,
            recorded: false,
            routes: HashMap::new(),
            aliases_in: HashMap::new(),
            aliases_out: HashMap::new(),
            aliases_out_max: connected.aliases_out_max,
            inflight_max: connected.inflight_max,
            packet_bytes_max: connected.packet_bytes_max,
            expiry_seconds: connected.expiry_seconds,
            keep_alive: connected.keep_alive,
            seen: now,
            stalled: None,
            blocked: Blocked::No,
            outbox: true,
            ready: Vec::new(),
            messages_in: 0,
            info: connected.info,
            unreleased,
            _slot: connected.slot,
        }
    }

    async fn run(mut self) {
        let end = self.until_end().await;
        let publish_will = match end {
            End::Disconnected { publish_will, .. } => publish_will,
            End::Lost | End::Closed(_) => true,
        };
        let expiry_seconds = match end {
            End::Disconnected { expiry_seconds, .. } => expiry_seconds,
            End::Lost | End::Closed(_) => None,
        };
        self.commit();
        let closing = Closing { publish_will, expiry_seconds };
        self.tenant.close(&self.broker, &self.session, self.epoch, closing);
        if let End::Closed(code) = end {
            if code == reason::SERVER_BUSY {
                self.broker.counters.unacknowledged.fetch_add(1, Relaxed);
            }
            self.wire.disconnect(&mut self.socket.out, code);
        }
        if end != End::Lost {
            self.socket.good_bye(!self.broker.is_closed()).await;
        }
    }

    async fn until_end(&mut self) -> End {
        let mut tick = pin!(tokio::time::sleep(self.tick()));
        loop {
            if let Err(end) = self.work() {
                return end;
            }
            if matches!(self.blocked, Blocked::Session { .. }) {
                let soon = Instant::now() + self.broker.limits.slow_time_max;
                if tick.deadline() > soon {
                    tick.as_mut().reset(soon);
                }
            }
            let event = poll_fn(|cx| self.poll_event(cx, tick.as_mut())).await;
            match event {
                Event::Signal(flags) => {
                    if flags & WAKE_CLOSE != 0 {
                        return End::Closed(self.signal.reason());
                    }
                    self.outbox |= flags & WAKE_OUTBOX != 0;
                    if flags & WAKE_ROOM != 0 {
                        self.unblock();
                    }
                }
                Event::Read(0) | Event::Failed => return End::Lost,
                Event::Read(count) => {
                    let now = Instant::now();
                    let rested = now - self.seen > RESTED;
                    self.seen = now;
                    Counters::add(&self.broker.counters.bytes_in, count as u64);
                    let publishes = self.socket.input.first().is_some_and(|b| b & 0xF0 == 0x30);
                    if rested && publishes && self.tenant.changed_lately() {
                        // A subscription that came just before, over another connection, should not
                        // be overtaken. MQTT promises no order there, but people expect it, and the
                        // runtime would run the task first that it woke last.
                        for _ in 0..YIELDS {
                            tokio::task::yield_now().await;
                        }
                    }
                }
                Event::Written => {}
                Event::Tick => {
                    if let Some(end) = self.overdue() {
                        return end;
                    }
                    let next = Instant::now() + self.tick();
                    tick.as_mut().reset(next);
                }
            }
        }
    }

    /// Does what can be done without waiting: reads packets that came, then writes what is due.
    fn work(&mut self) -> Result<(), End> {
        loop {
            match self.read_packets() {
                Ok(()) => {}
                Err(Stop::End(end)) => return Err(end),
                Err(Stop::Violation(Violation(code))) => {
                    self.broker.counters.protocol_errors.fetch_add(1, Relaxed);
                    return Err(End::Closed(code));
                }
            }
            self.commit();
            self.write_acks();
            self.write_messages();
            let bytes_max = self.broker.limits.packet_bytes_max;
            if !self.may_read() || !is_whole(&self.socket.input, bytes_max).unwrap_or(true) {
                return Ok(());
            }
        }
    }

    /// Asks the journal to say when this round's records are on disk.
    fn commit(&mut self) {
        let messages_in = std::mem::take(&mut self.messages_in);
        Counters::add(&self.broker.counters.messages_in, messages_in);
        Counters::add(&self.info.messages_in, messages_in);
        if self.recorded {
            self.recorded = false;
            self.broker.journal.when_durable(&self.acks, self.round);
            self.round += 1;
            self.stop_when_journal_is_full();
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>, tick: Pin<&mut Sleep>) -> Poll<Event> {
        let waiting = self.socket.out.len();
        if waiting > 0 || self.socket.unflushed {
            match self.socket.poll_write_out(cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(Event::Failed),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            let left = self.socket.out.len();
            if left == 0 {
                self.stalled = None;
            } else if left < waiting || self.stalled.is_none() {
                self.stalled = Some(Instant::now());
            }
            if left < waiting {
                Counters::add(&self.broker.counters.bytes_out, (waiting - left) as u64);
                if self.outbox || !self.socket.input.is_empty() {
                    return Poll::Ready(Event::Written);
                }
            }
        }
        if let Poll::Ready(flags) = self.signal.poll(cx) {
            return Poll::Ready(Event::Signal(flags));
        }
        if self.may_read() {
            match self.socket.poll_read(cx) {
                Poll::Ready(Ok(count)) => return Poll::Ready(Event::Read(count)),
                Poll::Ready(Err(_)) => return Poll::Ready(Event::Failed),
                Poll::Pending => {}
            }
        }
        tick.poll(cx).map(|()| Event::Tick)
    }

    /// Reads no further while the journal has too much to write.
    fn stop_when_journal_is_full(&mut self) {
        if matches!(self.blocked, Blocked::No) && self.broker.journal.block_if_full(&self.signal) {
            self.blocked = Blocked::Journal;
        }
    }

    fn may_read(&self) -> bool {
        matches!(self.blocked, Blocked::No) && self.socket.out.len() < OUT_BYTES_HIGH
    }

    /// Looks whether what blocked still does.
    fn unblock(&mut self) {
        let still = match &self.blocked {
            Blocked::No => false,
            Blocked::Local(queue) => queue.block(&self.signal),
            Blocked::Session { .. } => false, // it blocks again with the next message, if it does
            Blocked::Journal => self.broker.journal.block_if_full(&self.signal),
            Blocked::Receipts => true, // until the acknowledgements are written
        };
        if !still {
            self.blocked = Blocked::No;
        }
    }

    /// Time between two looks at the clock.
    fn tick(&self) -> Duration {
        let usual =
            if self.keep_alive.is_zero() { WRITE_STALL } else { self.keep_alive.min(WRITE_STALL) };
        match self.blocked {
            Blocked::Session { .. } => usual.min(self.broker.limits.slow_time_max),
            _ => usual,
        }
    }

    fn overdue(&mut self) -> Option<End> {
        let now = Instant::now();
        if self.stalled.is_some_and(|since| now - since > WRITE_STALL) {
            return Some(End::Lost);
        }
        if let Blocked::Session { session, since } = &self.blocked
            && now - *since >= self.broker.limits.slow_time_max
        {
            session.holds(&self.broker.limits); // looks at the clock, and gives it up
            self.blocked = Blocked::No;
        }
        if !self.may_read() {
            self.seen = now; // it may have sent; we did not look
        }
        let silent = now - self.seen;
        if !self.keep_alive.is_zero() && silent > self.keep_alive {
            return Some(End::Closed(reason::KEEP_ALIVE));
        }
        None
    }
}

/// Why reading stops for good.
enum Stop {
    Violation(Violation),
    End(End),
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}
