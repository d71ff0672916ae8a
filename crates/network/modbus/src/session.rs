//! A connection to one device: what is due when, and what the answers mean.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};
use weir_connect::dial::Lookups;
use weir_connect::{
    Clock, Collected, DeviceSpec, DriverError, ErrorKind, RawWrite, Reading, Session,
};
use weir_model::{Quality, Timestamp, Value};

use crate::client::{CallError, Client, Data};
use crate::exception::{exception_quality, exception_text};
use crate::plan::{Block, Slot, blocks};
use crate::words::decode_words;
use crate::{PointAddress, Settings, Table};

mod write;

/// The exception by which a block is split (illegal data address).
const ILLEGAL_ADDRESS: u8 = 0x02;

/// An address that the device does not have is asked for this seldom, so that a table full of
/// wrong addresses does not cost a request each at every poll.
const WRONG_ADDRESS_INTERVAL: Duration = Duration::from_secs(30);

/// A unit that lets a gateway time out is asked this seldom, so that it does not stall the others.
const SILENT_UNIT_INTERVAL: Duration = Duration::from_secs(10);

pub(crate) struct ModbusSession {
    spec: Arc<DeviceSpec>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    client: Client,
    slots: Vec<Slot>,
    queue: BinaryHeap<Reverse<Due>>,
    serial: u64,
    /// How many units the points name.
    units: usize,
    /// Time-outs since the last answer.
    timeouts: usize,
}

/// A block and when it is due; of those due at the same time the one that waits longest is first.
struct Due {
    at: Instant,
    serial: u64,
    block: Block,
}

impl ModbusSession {
    pub(crate) async fn connect(
        spec: Arc<DeviceSpec>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        addresses: Vec<PointAddress>,
        lookups: Lookups,
    ) -> Result<Self, DriverError> {
        let slots: Vec<Slot> = addresses
            .into_iter()
            .zip(&spec.points)
            .enumerate()
            .map(|(point, (address, found))| {
                let own = found.poll_ms.map(|ms| Duration::from_millis(ms.into()));
                Slot { point, address, interval: own.unwrap_or(settings.poll) }
            })
            .collect();
        let mut units: Vec<u8> = slots.iter().map(|s| s.address.unit).collect();
        units.sort_unstable();
        units.dedup();
        let mut session = Self {
            client: Client::new(&settings, lookups),
            spec,
            clock,
            queue: BinaryHeap::new(),
            serial: 0,
            units: units.len(),
            timeouts: 0,
            slots,
            settings,
        };
        if let Err(error) = session.client.connect().await {
            return Err(session.lost(&session.settings.endpoint(), error));
        }
        let now = Instant::now();
        let mut planned = blocks(session.slots.clone(), &session.settings);
        if planned.is_empty() {
            planned.push(Block::probe(session.settings.unit, session.settings.poll));
        }
        for block in planned {
            session.enqueue(block, now);
        }
        Ok(session)
    }

    fn enqueue(&mut self, block: Block, at: Instant) {
        self.serial += 1;
        self.queue.push(Reverse(Due { at, serial: self.serial, block }));
    }

    fn place(&self, unit: u8, table: Table, start: u16, count: u16) -> String {
        let endpoint = self.settings.endpoint();
        let table = table.as_str();
        if count == 1 {
            format!("{endpoint}, unit {unit}, {table} {start}")
        } else {
            let last = u32::from(start) + u32::from(count) - 1;
            format!("{endpoint}, unit {unit}, {table} {start} to {last}")
        }
    }

    fn place_of_block(&self, block: &Block) -> String {
        self.place(block.unit, block.table, block.start, block.count)
    }

    fn place_of_slot(&self, slot: &Slot) -> String {
        let PointAddress { unit, table, address, raw_type, .. } = slot.address;
        self.place(unit, table, address, raw_type.width())
    }

    fn lost(&self, place: &str, error: CallError) -> DriverError {
        let (kind, cause) = match error {
            CallError::Exception(code) => (ErrorKind::Rejected, exception_text(code)),
            CallError::Failed(kind, cause) => (kind, cause),
        };
        DriverError::new(kind, self.spec.label(), place, cause)
    }

    /// Readings of a block's points from its answer.
    fn decode(&self, block: &Block, data: &Data, time: Timestamp) -> Vec<Reading> {
        let reading = |slot: &Slot| {
            let offset = block.offset(slot);
            let value = match data {
                Data::Bits(bits) => bits.get(offset).map(|bit| Value::Bool(*bit)),
                Data::Words(words) => {
                    let PointAddress { raw_type, word_order, bit, .. } = slot.address;
                    let words = words.get(offset..).unwrap_or_default();
                    decode_words(words, raw_type, word_order, bit)
                }
            };
            match value {
                Some(raw) => Reading::good(slot.point, time, raw),
                // The client has checked the length, so this is a mistake in the plan.
                None => self.fault(slot, time, Quality::BAD, "the answer lacks this address"),
            }
        };
        block.slots.iter().map(reading).collect()
    }

    fn fault(&self, slot: &Slot, time: Timestamp, quality: Quality, cause: &str) -> Reading {
        let cause = format!("{}: {cause}", self.place_of_slot(slot));
        Reading::fault(slot.point, time, quality, cause)
    }

    fn faults(&self, block: &Block, quality: Quality, cause: &str) -> Vec<Reading> {
        let time = self.clock.now();
        block.slots.iter().map(|slot| self.fault(slot, time, quality, cause)).collect()
    }

    async fn read_block(&mut self, block: &Block) -> Result<Data, CallError> {
        let data = self.client.read(block.unit, block.table, block.start, block.count).await;
        if !matches!(data, Err(CallError::Failed(..))) {
            self.timeouts = 0;
        }
        data
    }

    /// Whether a time-out is likely that of one unit behind a gateway: there are others, and one of
    /// them may still answer.
    fn is_one_unit_silent(&mut self, error: &CallError) -> bool {
        if !matches!(error, CallError::Failed(ErrorKind::Timeout, _)) {
            return false;
        }
        self.timeouts += 1;
        self.timeouts < self.units
    }

    /// Puts off everything of a unit that does not answer, and says so of its points.
    fn put_off(&mut self, silent: Block, now: Instant, error: CallError) -> Vec<Reading> {
        let unit = silent.unit;
        let cause = self.lost("", error).cause;
        self.enqueue(silent, now);
        let mut readings = Vec::new();
        for Reverse(due) in std::mem::take(&mut self.queue) {
            let mut at = due.at;
            if due.block.unit == unit {
                readings.extend(self.faults(&due.block, Quality::TIMEOUT, &cause));
                at = now + due.block.interval.max(SILENT_UNIT_INTERVAL);
            }
            self.enqueue(due.block, at);
        }
        readings
    }
}

#[async_trait]
impl Session for ModbusSession {
    fn peer(&self) -> String {
        self.settings.endpoint()
    }

    async fn due(&mut self) {
        match self.queue.peek() {
            Some(Reverse(due)) => sleep_until(due.at).await,
            None => std::future::pending().await,
        }
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        let now = Instant::now();
        let Some(Reverse(Due { at, block, .. })) = self.queue.pop_if_due(now) else {
            return Ok(Collected::default());
        };
        let (next, missed) = next_poll(at, now, block.interval);
        let requests_before = self.client.requests;
        let readings = match self.read_block(&block).await {
            Ok(data) => {
                let readings = self.decode(&block, &data, self.clock.now());
                self.enqueue(block, next);
                readings
            }
            Err(CallError::Exception(ILLEGAL_ADDRESS)) if !block.is_single() => {
                for half in block.split().into_iter().flatten() {
                    self.enqueue(half, at);
                }
                Vec::new()
            }
            Err(CallError::Exception(code)) => {
                let readings = self.faults(&block, exception_quality(code), &exception_text(code));
                let is_wrong = code == ILLEGAL_ADDRESS && !block.slots.is_empty();
                let later = now + WRONG_ADDRESS_INTERVAL;
                self.enqueue(block, if is_wrong { next.max(later) } else { next });
                readings
            }
            Err(error) if self.is_one_unit_silent(&error) => self.put_off(block, now, error),
            Err(error) => return Err(self.lost(&self.place_of_block(&block), error)),
        };
        let now = Instant::now();
        Ok(Collected {
            readings,
            requests: self.client.requests.wrapping_sub(requests_before),
            missed,
            latency: self.client.latency,
            more: self.queue.peek().is_some_and(|Reverse(due)| due.at <= now),
            ..Collected::default()
        })
    }

    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let slots = points.iter().filter_map(|i| self.slots.get(*i).copied()).collect();
        let mut queue = blocks(slots, &self.settings);
        let mut readings = Vec::new();
        // Bounded: a block is split at most once for each of its points.
        while let Some(block) = queue.pop() {
            match self.read_block(&block).await {
                Ok(data) => readings.extend(self.decode(&block, &data, self.clock.now())),
                Err(CallError::Exception(ILLEGAL_ADDRESS)) if !block.is_single() => {
                    queue.extend(block.split().into_iter().flatten());
                }
                Err(CallError::Exception(code)) => {
                    let quality = exception_quality(code);
                    readings.extend(self.faults(&block, quality, &exception_text(code)));
                }
                Err(error) if self.is_one_unit_silent(&error) => {
                    let cause = self.lost("", error).cause;
                    readings.extend(self.faults(&block, Quality::TIMEOUT, &cause));
                }
                Err(error) => return Err(self.lost(&self.place_of_block(&block), error)),
            }
        }
        Ok(readings)
    }

    async fn write(&mut self, point: usize, raw: &Value) -> Result<RawWrite, DriverError> {
        self.write_point(point, raw).await
    }
}

/// The next poll on the grid that the first one started, and how many were skipped: an interval
/// that is too short for the device makes polls rarer, never later and later.
fn next_poll(at: Instant, now: Instant, interval: Duration) -> (Instant, u32) {
    let late = now.saturating_duration_since(at);
    let skipped = late.as_nanos() / interval.as_nanos().max(1);
    let skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
    (at + interval.saturating_mul(skipped.saturating_add(1)), skipped)
}

trait PopIfDue {
    fn pop_if_due(&mut self, now: Instant) -> Option<Reverse<Due>>;
}

impl PopIfDue for BinaryHeap<Reverse<Due>> {
    fn pop_if_due(&mut self, now: Instant) -> Option<Reverse<Due>> {
        if self.peek()?.0.at <= now { self.pop() } else { None }
    }
}

impl Due {
    fn order(&self) -> (Instant, u64) {
        (self.at, self.serial)
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Due {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_stay_on_their_grid_and_skip_when_late() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        assert_eq!(next_poll(start, start + ms(3), ms(100)), (start + ms(100), 0));
        assert_eq!(next_poll(start, start + ms(99), ms(100)), (start + ms(100), 0));
        assert_eq!(next_poll(start, start + ms(100), ms(100)), (start + ms(200), 1));
        assert_eq!(next_poll(start, start + ms(350), ms(100)), (start + ms(400), 3));
    }
}
