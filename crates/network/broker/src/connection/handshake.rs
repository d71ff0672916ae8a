//! CONNECT and CONNACK.

use std::future::poll_fn;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use std::time::Duration;

use bytestring::ByteString;
use rmqtt_codec::v5::ConnectAck;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::acks::{Acks, Other};
use crate::broker::Inner;
use crate::connection::{ALIASES_OUT_MAX, Connected, Socket};
use crate::gate::{Act, Denied, Login, Principal};
use crate::listen::Peer;
use crate::message::now;
use crate::share::Held;
use crate::signal::{Signal, WAKE_CLOSE};
use crate::status::ClientInfo;
use crate::tenant::{Opened, Opening, Tenant};
use crate::topic;
use crate::wire::{self, Connect, Version, Violation, Wire, reason};

/// A CONNECT holds at most four fields of 64 KiB and properties; larger ones are nobody's who is
/// known yet.
const CONNECT_BYTES_MAX: usize = 512 * 1024;
/// Client identifiers may be longer than the 23 bytes that every server has to take (MQTT 5, 3.1.3.1).
const CLIENT_ID_BYTES_MAX: usize = 1024;
/// The round of what the handshake put into the journal.
const FIRST_ROUND: u64 = 1;

/// Waits for CONNECT and answers it; none when the client is not let in. What is to be written then
/// is in the socket.
pub(super) async fn connect<S>(
    broker: &Arc<Inner>,
    socket: &mut Socket<S>,
    signal: &Arc<Signal>,
    peer: Peer,
) -> Option<Connected>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let bytes_max = broker.limits.packet_bytes_max.min(CONNECT_BYTES_MAX);
    loop {
        match wire::is_whole(&socket.input, bytes_max) {
            Ok(true) => break,
            Ok(false) => {}
            Err(_) => return None,
        }
        if socket.input.first().is_some_and(|first| *first != 0x10) {
            return None; // not a CONNECT: perhaps not even MQTT
        }
        let read = poll_fn(|cx| match signal.poll(cx) {
            Poll::Ready(flags) if flags & WAKE_CLOSE != 0 => Poll::Ready(Ok(0)),
            _ => socket.poll_read(cx),
        });
        if !matches!(read.await, Ok(1..)) {
            return None;
        }
    }
    let version = wire::version(&socket.input).ok()?;
    let mut wire = Wire::new(version);
    let refused = if version == Version::Unknown {
        Err(reason::UNSUPPORTED_VERSION)
    } else {
        match wire.connect(&mut socket.input) {
            Ok(connect) => admit(broker, signal, peer, version == Version::V5, connect).await,
            Err(Violation(code)) => Err(code),
        }
    };
    match refused {
        Ok(admitted) => Some(admitted.answer(broker, socket, signal, wire)),
        Err(code) => {
            wire.refuse(&mut socket.out, code);
            None
        }
    }
}

/// A client that has its session and waits for CONNACK.
struct Admitted {
    connect: Connect,
    tenant: Arc<Tenant>,
    principal: Principal,
    opened: Opened,
    assigned: bool,
    expiry_seconds: u32,
    keep_alive: u16,
    info: Arc<ClientInfo>,
    slot: Held,
}

async fn admit(
    broker: &Arc<Inner>,
    signal: &Arc<Signal>,
    peer: Peer,
    v5: bool,
    mut connect: Connect,
) -> Result<Admitted, u8> {
    if connect.authentication_method {
        return Err(reason::BAD_AUTHENTICATION_METHOD);
    }
    let texts = [Some(&connect.client_id), connect.user.as_ref()];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(reason::MALFORMED);
    }
    if connect.client_id.len() > CLIENT_ID_BYTES_MAX {
        return Err(reason::CLIENT_ID);
    }
    let login = Login {
        client_id: &connect.client_id,
        user: connect.user.as_deref(),
        password: connect.password.as_deref(),
        certificate: peer.certificate.as_ref(),
        remote: peer.remote,
    };
    let principal = broker.gate.authenticate(login).await.map_err(|denied| match denied {
        Denied::Credentials => reason::CREDENTIALS,
        Denied::NotAuthorized => reason::NOT_AUTHORIZED,
        Denied::Banned => reason::BANNED,
        Denied::Unavailable => reason::UNAVAILABLE,
    })?;
    let tenant = broker.tenant(principal.tenant);
    let slot = tenant.connections.take(1).ok_or(reason::QUOTA)?;
    let will = connect.will.take().map(|will| tenant.accept_will(broker, &principal, will));
    let will = will.transpose()?;
    let assigned = connect.client_id.is_empty();
    let client_id: Arc<str> =
        if assigned { assign()?.into() } else { connect.client_id.to_string().into() };
    let keep_alive_max = broker.limits.keep_alive_seconds_max;
    let keep_alive = match connect.keep_alive {
        0 if v5 => keep_alive_max,
        0 => 0,
        asked if v5 => asked.min(keep_alive_max),
        asked => asked, // 3.1.1 cannot be told another one
    };
    let expiry_seconds = connect.expiry_seconds.min(broker.limits.session_expiry_seconds_max);
    let info = Arc::new(ClientInfo {
        remote: peer.remote,
        encrypted: peer.encrypted,
        version: if v5 { 5 } else { 3 },
        connected_since: now(),
        keep_alive_seconds: keep_alive,
        messages_in: AtomicU64::new(0),
        messages_out: AtomicU64::new(0),
    });
    if broker.is_closed() {
        return Err(reason::UNAVAILABLE);
    }
    let opened = tenant.open(
        broker,
        Opening {
            owner: Arc::clone(&principal.name),
            client_id,
            clean_start: connect.clean_start,
            expiry_seconds,
            will,
            signal: Arc::clone(signal),
            info: Arc::clone(&info),
        },
    )?;
    Ok(Admitted {
        connect,
        tenant,
        principal,
        opened,
        assigned,
        expiry_seconds,
        keep_alive,
        info,
        slot,
    })
}

/// A client identifier for a client that has none: 128 random bits, so that nobody guesses it.
fn assign() -> Result<String, u8> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| reason::UNAVAILABLE)?;
    Ok(format!("auto-{:032x}", u128::from_be_bytes(random)))
}

impl Admitted {
    fn answer<S>(
        self,
        broker: &Arc<Inner>,
        socket: &mut Socket<S>,
        signal: &Arc<Signal>,
        mut wire: Wire,
    ) -> Connected {
        let limits = &broker.limits;
        let session = self.opened.session;
        let keep_alive = self.keep_alive;
        let ack = ConnectAck {
            session_present: self.opened.present,
            session_expiry_interval_secs: (self.expiry_seconds != self.connect.expiry_seconds)
                .then_some(self.expiry_seconds),
            receive_max: NonZeroU16::new(limits.receive_max).unwrap_or(NonZeroU16::MAX),
            max_packet_size: u32::try_from(limits.packet_bytes_max).ok(),
            assigned_client_id: self
                .assigned
                .then(|| ByteString::from(session.client_id.to_string())),
            topic_alias_max: limits.topic_alias_max,
            server_keepalive_sec: (keep_alive != self.connect.keep_alive).then_some(keep_alive),
            ..ConnectAck::default()
        };
        wire.accept(&mut socket.out, ack);
        let acks = Arc::new(Acks::new(Arc::clone(signal)));
        if self.opened.journaled {
            // CONNACK does not wait: the session's record stands before all that it will promise.
            for packet_id in self.opened.released {
                acks.push_other(0, Other::PubRel(packet_id));
            }
        }
        let tenant = self.tenant;
        if self.opened.present {
            forbid(broker, &tenant, &self.principal, &session, self.opened.epoch);
        }
        Connected {
            tenant,
            session,
            epoch: self.opened.epoch,
            principal: self.principal,
            wire,
            // The specification gives the client half as much again (MQTT 5, 3.1.2.10).
            keep_alive: Duration::from_millis(u64::from(keep_alive) * 1500),
            expiry_seconds: self.expiry_seconds,
            inflight_max: usize::from(self.connect.receive_max.min(limits.inflight_max)),
            packet_bytes_max: self.connect.packet_bytes_max.min(limits.packet_bytes_max),
            aliases_out_max: self.connect.topic_alias_max.min(ALIASES_OUT_MAX),
            round: FIRST_ROUND,
            acks,
            info: self.info,
            slot: self.slot,
        }
    }
}

/// Ends subscriptions of a kept session that its principal may not have any more. What waits in the
/// session may have come through them, so all of it is forgotten, too.
fn forbid(
    broker: &Arc<Inner>,
    tenant: &Tenant,
    principal: &Principal,
    session: &crate::session::Session,
    epoch: u64,
) {
    let filters: Vec<Arc<str>> = session.state().subscriptions.keys().cloned().collect();
    let forbidden = |text: &Arc<str>| {
        let filter = topic::parse_filter(text, broker.limits.topic());
        !filter.is_ok_and(|f| broker.gate.may(principal, Act::Subscribe, f.filter))
    };
    let filters: Vec<Arc<str>> = filters.into_iter().filter(forbidden).collect();
    if filters.is_empty() {
        return;
    }
    // First the messages: if a crash left them in the journal without the subscription that is
    // forbidden, nobody would ask the next time.
    session.forget_queue(&broker.journal, epoch);
    for text in filters {
        tenant.unsubscribe(broker, session, epoch, &text);
    }
    // And what came in between.
    session.forget_queue(&broker.journal, epoch);
}
