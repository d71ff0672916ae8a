//! The live stream: what was just stored, in log order, with a bounded memory for those who
//! reconnect.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use weir_model::{Samples, TenantId};

/// What receivers may be behind, in times of what is remembered for those who reconnect.
const BEHIND_FACTOR: usize = 4;

/// What a batch takes beside its samples.
const BATCH_BYTES: usize = size_of::<LiveBatch>() + 32;

/// A batch that was stored and is not backfill.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveBatch {
    /// Its position in the log; positions grow, and those of backfill batches are left out.
    pub position: u64,
    /// Whose samples they are. One stream carries all tenants: its readers filter.
    pub tenant: TenantId,
    /// The samples as they were appended.
    pub samples: Samples,
}

impl LiveBatch {
    /// Bytes that it takes in memory, with its place in the queue.
    fn bytes(&self) -> usize {
        BATCH_BYTES + self.samples.bytes()
    }
}

/// What [`Historian::live`](crate::Historian::live) gives: first read `replay`, then `receiver`;
/// no batch is between them or in both.
#[derive(Debug)]
pub struct Live {
    /// Stored batches after the position asked for, oldest first.
    pub replay: Vec<Arc<LiveBatch>>,
    /// Whether batches after the position asked for are no longer remembered: read current values
    /// instead.
    pub missed: bool,
    /// Batches from now on. A receiver that falls too far behind is told by
    /// [`broadcast::error::RecvError::Lagged`]: it subscribes anew, after the last position it
    /// had, and most often has missed nothing. A batch without samples means nothing.
    pub receiver: broadcast::Receiver<Arc<LiveBatch>>,
}

/// The sending side.
pub(crate) struct LiveStream {
    state: Mutex<Replay>,
    bytes_max: usize,
    /// Batches that the channel holds.
    behind_max: usize,
}

struct Replay {
    batches: VecDeque<Arc<LiveBatch>>,
    /// What the batches take in memory.
    bytes: usize,
    /// Every live batch after this position is in `batches`.
    floor: u64,
    /// The newest position, backfill included.
    head: u64,
    /// Bytes of the batches that were sent last, as far as any receiver has still to take them.
    behind: VecDeque<usize>,
    /// Their sum.
    behind_bytes: usize,
    sender: broadcast::Sender<Arc<LiveBatch>>,
}

impl LiveStream {
    /// An empty stream after the given position, that remembers so many bytes and lets receivers
    /// be so many batches behind, or [`BEHIND_FACTOR`] times the bytes.
    pub(crate) fn new(floor: u64, bytes_max: usize, batches_max: usize) -> Self {
        // The channel's size is rounded up to a power of two anyway; here it must be known.
        let behind_max = batches_max.max(1).next_power_of_two();
        let (sender, _) = broadcast::channel(behind_max);
        let (batches, behind) = (VecDeque::new(), VecDeque::new());
        let state =
            Replay { batches, bytes: 0, floor, head: floor, behind, behind_bytes: 0, sender };
        Self { state: Mutex::new(state), bytes_max, behind_max }
    }

    /// Publishes a batch; called in log order.
    pub(crate) fn publish(&self, batch: LiveBatch) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = batch.bytes();
        state.head = state.head.max(batch.position);
        state.bytes += bytes;
        let batch = Arc::new(batch);
        state.batches.push_back(Arc::clone(&batch));
        while state.bytes > self.bytes_max {
            let Some(oldest) = state.batches.pop_front() else { break };
            state.bytes -= oldest.bytes();
            state.floor = oldest.position;
        }
        state.forget_what_was_taken();
        if state.behind_bytes + bytes > BEHIND_FACTOR * self.bytes_max {
            // The channel keeps what its slowest receiver has not taken, whatever its size: batches
            // without samples push it out. Who has taken everything gets these and misses nothing.
            let nothing =
                LiveBatch { position: 0, tenant: TenantId::NODE, samples: Samples::default() };
            let nothing = Arc::new(nothing);
            (1..self.behind_max).for_each(|_| state.send(Arc::clone(&nothing), 0));
        }
        state.send(batch, bytes);
    }

    /// Notes a stored batch that is not published.
    pub(crate) fn pass(&self, position: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.head = state.head.max(position);
    }

    /// Subscribes, with what is remembered after the given position.
    pub(crate) fn subscribe(&self, after: Option<u64>) -> Live {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = state.sender.subscribe();
        let Some(after) = after else {
            return Live { replay: Vec::new(), missed: false, receiver };
        };
        // A position beyond the head is of another data folder: what it missed is unknown.
        let missed = after < state.floor || after > state.head;
        let first = state.batches.partition_point(|batch| batch.position <= after);
        let replay = state.batches.iter().skip(first).cloned().collect();
        Live { replay, missed, receiver }
    }
}

impl Replay {
    fn send(&mut self, batch: Arc<LiveBatch>, bytes: usize) {
        // Nobody listening is no failure.
        if self.sender.send(batch).is_ok() {
            self.behind.push_back(bytes);
            self.behind_bytes += bytes;
            self.forget_what_was_taken();
        }
    }

    fn forget_what_was_taken(&mut self) {
        while self.behind.len() > self.sender.len() {
            self.behind_bytes -= self.behind.pop_front().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests;
