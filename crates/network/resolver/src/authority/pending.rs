//! Challenges that wait for their answers.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use weir_handle::Digest;

/// How long a challenge may be answered, in milliseconds, as the reference server has it.
const ANSWERED_WITHIN_MS: u64 = 60_000;

/// For how long more it is known that a challenge was answered too late.
const REMEMBERED_MS: u64 = 60_000;

/// Most challenges that wait: any stranger can ask for one.
const WAITING_MAX: usize = 16_384;

/// Most ends that are remembered: those of challenges that were answered are among them, and are
/// swept out then.
const ORDER_MAX: usize = 4 * WAITING_MAX;

/// Most bytes of requests that wait with their challenges.
const BYTES_MAX: usize = 32 << 20;

/// Most challenges that wait for one address, so that none can fill the table for others.
const OF_ADDRESS_MAX: usize = 1_024;

/// A request that waits for proof of who asks.
#[derive(Debug)]
pub(super) struct Waiting {
    /// The request, whole.
    pub(super) message: Vec<u8>,
    /// What was asked to be signed.
    pub(super) nonce: [u8; 16],
    /// The digest of the request.
    pub(super) digest: Digest,
    /// Who asked.
    pub(super) address: IpAddr,
}

/// Why there is no request for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// There is no such challenge, or it was answered.
    Unknown,
    /// The answer came too late.
    Late,
}

#[derive(Default)]
pub(super) struct Pending {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    waiting: HashMap<u32, (u64, Waiting)>,
    /// In the order in which they end.
    order: VecDeque<(u64, u32)>,
    of_address: HashMap<IpAddr, usize>,
    bytes: usize,
}

impl Pending {
    /// Keeps a request under a number; false where too many wait. One that waits under this number
    /// is dropped: a session has one challenge at a time.
    pub(super) fn put(&self, now_ms: u64, number: u32, waiting: Waiting) -> bool {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.expire(now_ms);
        table.remove(number);
        let of_address = table.of_address.get(&waiting.address).copied().unwrap_or(0);
        let room = table.waiting.len() < WAITING_MAX
            && table.bytes + waiting.message.len() <= BYTES_MAX
            && of_address < OF_ADDRESS_MAX;
        if !room {
            return false;
        }
        table.bytes += waiting.message.len();
        *table.of_address.entry(waiting.address).or_default() += 1;
        let until = now_ms + ANSWERED_WITHIN_MS;
        if table.order.len() >= ORDER_MAX {
            let Table { waiting, order, .. } = &mut *table;
            order.retain(|(ends, number)| {
                waiting.get(number).is_some_and(|(until, _)| until + REMEMBERED_MS == *ends)
            });
        }
        table.order.push_back((until + REMEMBERED_MS, number));
        table.waiting.insert(number, (until, waiting));
        true
    }

    /// Takes a request out: each challenge is answered once.
    pub(super) fn take(&self, now_ms: u64, number: u32) -> Result<Waiting, Missing> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.expire(now_ms);
        match table.remove(number) {
            Some((until, _)) if until < now_ms => Err(Missing::Late),
            Some((_, waiting)) => Ok(waiting),
            None => Err(Missing::Unknown),
        }
    }

    /// Whether a challenge of this number waits.
    pub(super) fn has(&self, number: u32) -> bool {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.waiting.contains_key(&number)
    }
}

impl Table {
    fn expire(&mut self, now_ms: u64) {
        while let Some((until, number)) = self.order.front().copied() {
            if until >= now_ms {
                break;
            }
            self.order.pop_front();
            // The number may be another challenge's by now.
            if self.waiting.get(&number).is_some_and(|(of, _)| of + REMEMBERED_MS == until) {
                self.remove(number);
            }
        }
    }

    fn remove(&mut self, number: u32) -> Option<(u64, Waiting)> {
        let removed = self.waiting.remove(&number)?;
        let waiting = &removed.1;
        self.bytes -= waiting.message.len();
        if let Some(count) = self.of_address.get_mut(&waiting.address) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&waiting.address);
            }
        }
        Some(removed)
    }
}
