use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use weir_model::TenantId;

use super::*;

struct Bench {
    session: Session,
    journal: Journal,
    limits: Limits,
    signal: Arc<Signal>,
    _dir: TempDir,
}

impl Bench {
    /// A session that is connected and kept, with a queue of 16 messages.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(dir.path(), 1 << 30).unwrap();
        let session = Session::new(1, journal.share(TenantId(1)), "c".into(), "p".into());
        session.state().durable = true;
        let limits = Limits { queue_messages_max: 16, ..Limits::default() };
        let bench = Self { session, journal, limits, signal: Arc::default(), _dir: dir };
        bench.connect();
        bench
    }

    fn connect(&self) {
        let info = ClientInfo {
            remote: "[::1]:1883".parse().unwrap(),
            encrypted: false,
            version: 5,
            connected_since: crate::message::now(),
            keep_alive_seconds: 0,
            messages_in: AtomicU64::new(0),
            messages_out: AtomicU64::new(0),
        };
        let attached = Attached { signal: Arc::clone(&self.signal), info: Arc::new(info) };
        self.session.state().connection = Some(attached);
    }

    fn deliver(&self, qos: Qos, payload: &[u8], expires_ms: Option<i64>) -> Delivered {
        let payload = Bytes::copy_from_slice(payload);
        let mut message = Message::new("t".into(), payload, qos, false);
        message.expires_ms = expires_ms;
        let delivery = Delivery { qos, retain: false, identifiers: None, unbounded: false };
        self.session.deliver(&self.journal, &self.limits, &Arc::new(message), delivery)
    }

    /// What the connection gets now, as the first bytes of the payloads.
    fn sent(&self, max: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        self.session.send(&self.journal, &self.limits, 0, 1000, |queued, _| {
            (sent.len() < max).then(|| {
                sent.push(queued.message.payload[0]);
                Sent::Written
            })
        });
        sent
    }
}

const ZERO: Qos = Qos::AtMostOnce;
const ONE: Qos = Qos::AtLeastOnce;
const TWO: Qos = Qos::ExactlyOnce;

#[tokio::test]
async fn a_qos_2_message_is_sent_when_the_disk_has_it() {
    let bench = Bench::new();
    for n in 0..200 {
        let qos = if n % 2 == 0 { TWO } else { ONE };
        bench.deliver(qos, &[n], None);
        let mut early = false;
        bench.session.send(&bench.journal, &bench.limits, 0, 1000, |queued, _| {
            early |= queued.position > bench.journal.durable();
            Some(Sent::Written)
        });
        assert!(!early);
        bench.journal.flushed().await.unwrap();
        bench.sent(100);
        assert_eq!(bench.session.state().queued(), 0);
        let state = bench.session.state();
        let sequence = state.outbox.sequence_last;
        drop(state);
        assert!(bench.session.done(&bench.journal, 0, packet_id(sequence)));
    }
}

#[test]
fn the_oldest_of_qos_0_make_room() {
    let bench = Bench::new();
    for n in 0..16 {
        bench.deliver(if n % 2 == 0 { ZERO } else { ONE }, &[n], None);
    }
    assert_eq!(bench.deliver(ZERO, &[16], None).dropped, 1);
    assert_eq!(bench.deliver(ONE, &[17], None).dropped, 1);
    assert_eq!(bench.sent(100), [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
    // Nothing older is there to go.
    bench.session.state().connection = None;
    for n in 0..16 {
        assert_eq!(bench.deliver(ONE, &[n], None).dropped, 0);
    }
    assert_eq!(bench.deliver(ONE, &[16], None), Delivered { dropped: 1, ..Delivered::default() });
    bench.connect();
    assert_eq!(bench.deliver(ZERO, &[17], None).dropped, 1);
    assert_eq!(bench.sent(100), (0..16).collect::<Vec<u8>>());
}

#[test]
fn what_has_expired_makes_room() {
    let bench = Bench::new();
    bench.session.state().connection = None;
    let soon = now_ms() - 1;
    for n in 0..16 {
        let qos = if n % 2 == 0 { ONE } else { TWO };
        bench.deliver(qos, &[n], (n % 4 == 0).then_some(soon));
    }
    assert_eq!(bench.deliver(ONE, &[16], None).dropped, 4);
    assert_eq!(bench.session.state().queued(), 13);
    // And without anybody who needs it.
    bench.deliver(ONE, &[17], Some(soon));
    assert_eq!(bench.session.expire(&bench.journal, soon - 1), 0);
    assert_eq!(bench.session.expire(&bench.journal, soon + 1), 1);
    assert_eq!(bench.session.expire(&bench.journal, soon + 1), 0);
    assert_eq!(bench.session.state().queued(), 13);
}

#[test]
fn what_was_sent_does_not_expire() {
    let bench = Bench::new();
    let soon = now_ms() - 1;
    bench.deliver(ONE, &[1], Some(soon));
    assert_eq!(bench.sent(1), [1]);
    bench.session.state().resume(&bench.limits);
    assert_eq!(bench.session.expire(&bench.journal, soon + 1), 0);
    assert_eq!(bench.sent(1), [1]);
}

#[test]
fn bytes_that_are_not_acknowledged_are_bounded() {
    let mut bench = Bench::new();
    bench.limits.queue_bytes_max = 4096;
    bench.limits.slow_time_max = Duration::from_secs(3600);
    for n in 0..8 {
        bench.deliver(ONE, &[n; 1000], None);
        bench.sent(100);
    }
    assert_eq!(bench.session.state().inflight(), 4);
    assert!(bench.session.done(&bench.journal, 0, 1));
    bench.sent(100);
    let state = bench.session.state();
    assert_eq!((state.inflight(), state.queued()), (4, 3));
}

#[test]
fn publishers_are_held_for_a_time() {
    let mut bench = Bench::new();
    bench.limits.slow_time_max = Duration::from_secs(3600);
    let publisher = Arc::new(Signal::default());
    for n in 0..7 {
        assert!(!bench.deliver(ONE, &[n], None).holds);
    }
    assert!(!bench.deliver(ZERO, &[7], None).holds, "what may be lost holds nobody");
    assert!(bench.deliver(ONE, &[8], None).holds);
    assert!(bench.session.block(&bench.limits, &publisher));
    // It takes some, and the publisher goes on with a quarter.
    assert_eq!(bench.sent(3), [0, 1, 2]);
    assert!(!bench.session.block(&bench.limits, &publisher));
    assert!(bench.session.is_awaited(), "the one before still waits");
    assert_eq!(bench.sent(1), [3]);
    assert!(!bench.session.is_awaited());
    assert_eq!(bench.signal.reason(), 0);
    // It takes none.
    for n in 0..8 {
        bench.deliver(ONE, &[n], None);
    }
    assert!(bench.session.holds(&bench.limits));
    bench.limits.slow_time_max = Duration::ZERO;
    assert!(!bench.session.holds(&bench.limits));
    assert_eq!(bench.signal.reason(), reason::QUOTA);
}

#[test]
fn nobody_is_held_for_who_catches_up() {
    let mut bench = Bench::new();
    bench.limits.slow_time_max = Duration::from_secs(3600);
    bench.session.state().connection = None;
    for n in 0..15 {
        assert!(!bench.deliver(ONE, &[n], None).holds);
    }
    bench.session.state().resume(&bench.limits);
    bench.connect();
    assert!(!bench.deliver(ONE, &[15], None).holds);
    // Full, it loses the newest, and is left to read the rest.
    assert_eq!(bench.deliver(ONE, &[16], None).dropped, 1);
    assert_eq!(bench.signal.reason(), 0);
    bench.sent(12);
    for n in 0..3 {
        assert!(!bench.deliver(ONE, &[n], None).holds);
    }
    assert!(bench.deliver(ONE, &[3], None).holds, "it has caught up");
}

#[test]
fn a_full_queue_of_a_connected_client_ends_its_connection() {
    let mut bench = Bench::new();
    bench.limits.slow_time_max = Duration::from_secs(3600);
    for n in 0..16 {
        bench.deliver(ONE, &[n], None);
    }
    assert_eq!(bench.signal.reason(), 0);
    assert_eq!(bench.deliver(ONE, &[16], None).dropped, 1);
    assert_eq!(bench.signal.reason(), reason::QUOTA);
    assert_eq!(bench.sent(100).len(), 16, "what was queued is kept");
}

#[test]
fn a_shared_subscription_looks_who_can() {
    let bench = Bench::new();
    let readiness = |qos| bench.session.readiness(&bench.limits, qos);
    assert_eq!(readiness(ONE), Readiness::Now);
    bench.session.state().connection = None;
    assert_eq!((readiness(ONE), readiness(ZERO)), (Readiness::Later, Readiness::Never));
    for n in 0..16 {
        bench.deliver(ONE, &[n], None);
    }
    assert_eq!(readiness(ONE), Readiness::Never);
    bench.session.state().clear();
    bench.session.state().ended = true;
    assert_eq!(readiness(ONE), Readiness::Never);
}
