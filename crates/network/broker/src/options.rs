//! Settings and limits, each with its reason.

use std::path::PathBuf;
use std::time::Duration;

use crate::topic::TopicLimits;

/// Where the broker keeps its journal, and its limits.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// The folder of the journal; it is made if it does not exist. One process at a time.
    pub dir: PathBuf,
    /// The limits.
    pub limits: Limits,
}

impl BrokerOptions {
    /// The usual limits.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), limits: Limits::default() }
    }
}

/// Limits. Each bounds memory, disk or time that a client could otherwise take without end.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time, of all tenants. One more is closed before its CONNECT is read. A tenant
    /// may have three quarters of what the others leave; one more of it is refused with 0x97.
    pub connections_max: usize,
    /// Sessions of a tenant, connected or kept. One more is refused with 0x97 (quota exceeded).
    pub sessions_max: usize,
    /// Bytes of a packet in either direction, fixed header included (MQTT 5, 3.1.2.11.4).
    pub packet_bytes_max: usize,
    /// Time from the connection to its complete CONNECT, TLS and WebSocket handshakes included.
    pub connect_time_max: Duration,
    /// The longest keep-alive of MQTT 5 clients in seconds: one that asked for more or for none is told
    /// this one (Server Keep Alive). 3.1.1 cannot be told, and gets what it asked for.
    pub keep_alive_seconds_max: u16,
    /// Messages of QoS above 0 that a client may send before it has acknowledgements (Receive
    /// Maximum). One more of MQTT 5 is a protocol error (0x93); 3.1.1 is not read until there is room.
    pub receive_max: u16,
    /// Messages of QoS above 0 sent to a client and not acknowledged, whatever it would take.
    pub inflight_max: u16,
    /// Messages that wait for one session. With more, those that have expired and then the oldest of
    /// QoS 0 are dropped for it; when there are none, the newest is, and counted.
    pub queue_messages_max: usize,
    /// Their bytes, with 64 for each message. As many may besides be sent and not acknowledged.
    pub queue_bytes_max: usize,
    /// With half of its queue full (QoS above 0), a connected session holds its publishers: they are
    /// not read further. A client that has not come down to a quarter after this time is disconnected
    /// with 0x97, and nobody is held for its session until it has: then it has caught up. So nobody
    /// slows publishers down to less than a quarter of the queue in this time.
    pub slow_time_max: Duration,
    /// Messages that wait for one local subscriber; at more, publishers are not read further.
    pub local_messages_max: usize,
    /// Their bytes.
    pub local_bytes_max: usize,
    /// Bytes of a topic. MQTT allows 65,535.
    pub topic_bytes_max: usize,
    /// Levels of a topic. The tree is walked by recursion.
    pub topic_levels_max: usize,
    /// Subscriptions of a session or a local subscriber. Those of a session together have at most
    /// 64 KiB of filters, too.
    pub subscriptions_max: usize,
    /// Retained messages of a tenant; one more is refused with 0x97.
    pub retained_messages_max: usize,
    /// Their bytes.
    pub retained_bytes_max: usize,
    /// The longest life of a session after its connection, in seconds. 3.1.1 has no expiry: there it
    /// holds for every session that is not clean.
    pub session_expiry_seconds_max: u32,
    /// Bytes of a will, with its topic and properties. A larger one is refused with 0x97.
    pub will_bytes_max: usize,
    /// Bytes of all wills together: they are in memory as long as their sessions. A tenant may have
    /// three quarters of what the others leave; beyond it, a CONNECT with a will is refused with 0x97.
    pub wills_bytes_max: u64,
    /// Topic aliases that a client may use (MQTT 5, 3.3.2.3.4).
    pub topic_alias_max: u16,
    /// Bytes of the journal that are live or wait to be written: queues, sessions, retained messages
    /// of all tenants; each kept session has its own copy of a message. A tenant may have three
    /// quarters of what the others leave: one alone three quarters of all, two three sevenths each,
    /// and one that comes new always finds room. Beyond it, what would have to be stored is refused
    /// with 0x97. The files take at most about twice as much.
    pub journal_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            sessions_max: 100_000,
            packet_bytes_max: 1024 * 1024,
            connect_time_max: Duration::from_secs(10),
            keep_alive_seconds_max: 3600,
            receive_max: 1024,
            inflight_max: 1024,
            queue_messages_max: 100_000,
            queue_bytes_max: 32 * 1024 * 1024,
            slow_time_max: Duration::from_secs(5),
            local_messages_max: 16_384,
            local_bytes_max: 32 * 1024 * 1024,
            topic_bytes_max: 65_535,
            topic_levels_max: 128,
            subscriptions_max: 1000,
            retained_messages_max: 100_000,
            retained_bytes_max: 64 * 1024 * 1024,
            session_expiry_seconds_max: 30 * 24 * 3600,
            will_bytes_max: 256 * 1024,
            wills_bytes_max: 64 * 1024 * 1024,
            topic_alias_max: 16,
            journal_bytes_max: 1024 * 1024 * 1024,
        }
    }
}

/// The largest packet that MQTT can express (MQTT 5, 2.1.4), with its header.
const PACKET_BYTES: usize = 268_435_455 + 5;

impl Limits {
    pub(crate) fn topic(&self) -> TopicLimits {
        TopicLimits { bytes_max: self.topic_bytes_max, levels_max: self.topic_levels_max }
    }

    /// What makes no sense, in words.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if !(256..=PACKET_BYTES).contains(&self.packet_bytes_max) {
            return Err("packet_bytes_max is 256 to 268,435,460");
        }
        if self.receive_max == 0 || self.inflight_max == 0 {
            return Err("receive_max and inflight_max are at least 1");
        }
        if self.queue_messages_max < 4 || self.queue_bytes_max < 4096 {
            return Err("queue_messages_max is at least 4, queue_bytes_max at least 4096");
        }
        if self.slow_time_max.is_zero() {
            return Err("slow_time_max is more than nothing");
        }
        if !(1..=512).contains(&self.topic_levels_max) {
            return Err("topic_levels_max is 1 to 512");
        }
        if self.local_messages_max == 0 || self.local_bytes_max == 0 {
            return Err("local_messages_max and local_bytes_max are at least 1");
        }
        if self.keep_alive_seconds_max == 0 {
            return Err("keep_alive_seconds_max is at least 1");
        }
        Ok(())
    }
}
