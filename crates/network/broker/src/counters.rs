//! Counters since the start, and what runs now.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicUsize,
    pub(crate) handshakes: AtomicUsize,
    pub(crate) messages_in: AtomicU64,
    pub(crate) messages_out: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) unacknowledged: AtomicU64,
    pub(crate) rejected_connections: AtomicU64,
    pub(crate) protocol_errors: AtomicU64,
}

/// What the broker does and has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrokerStatus {
    /// Connections now, those included that have not sent their CONNECT.
    pub connections: usize,
    /// Sessions now, connected or kept.
    pub sessions: usize,
    /// Retained messages now.
    pub retained: usize,
    /// Messages that clients published.
    pub messages_in: u64,
    /// Messages that were sent to clients.
    pub messages_out: u64,
    /// Bytes read from clients, inside TLS and WebSocket.
    pub bytes_in: u64,
    /// Bytes written to clients.
    pub bytes_out: u64,
    /// Messages that were dropped for a session: its queue was full, they were too large for it, or
    /// they expired while they waited.
    pub dropped: u64,
    /// Messages that a local subscriber refused, or rights or a quota forbade.
    pub refused: u64,
    /// Messages that were not acknowledged because a local subscriber dropped them.
    pub unacknowledged: u64,
    /// Connections that were not let in.
    pub rejected_connections: u64,
    /// Connections that ended because the client broke the protocol.
    pub protocol_errors: u64,
    /// Live bytes in the journal.
    pub journal_live_bytes: u64,
    /// Bytes of the journal's files.
    pub journal_file_bytes: u64,
    /// How often the journal was synchronised with the disk.
    pub journal_syncs: u64,
    /// The disk refuses what the journal has to write: nothing that needs it is acknowledged.
    pub journal_failing: bool,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        if count > 0 {
            counter.fetch_add(count, Relaxed);
        }
    }

    pub(crate) fn status(&self) -> BrokerStatus {
        BrokerStatus {
            connections: self.connections.load(Relaxed),
            messages_in: self.messages_in.load(Relaxed),
            messages_out: self.messages_out.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            refused: self.refused.load(Relaxed),
            unacknowledged: self.unacknowledged.load(Relaxed),
            rejected_connections: self.rejected_connections.load(Relaxed),
            protocol_errors: self.protocol_errors.load(Relaxed),
            ..BrokerStatus::default()
        }
    }
}
