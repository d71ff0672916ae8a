//! A connection to one CPU: what is due when, and what the answers mean.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};
use weir_connect::dial::Lookups;
use weir_connect::{
    Circumstances, Clock, Collected, DeviceSpec, DriverError, RawWrite, Reading, Session,
};
use weir_model::{Quality, Timestamp, Value};

use crate::client::{CallError, Client};
use crate::codec::variables::{self, ItemAnswer};
use crate::codes::{header_quality, is_lasting, is_of_extent, is_of_service, item_quality};
use crate::identify::Identity;
use crate::plan::{Block, Limits, Slot, blocks};
use crate::values::{DecodeError, value};
use crate::{PointAddress, Settings, header_error_text, item_error_text};

mod write;

/// What the device refuses is asked for this seldom, so that a table full of wrong addresses does not cost an
/// item each at every poll.
const REFUSED_INTERVAL: Duration = Duration::from_secs(30);

pub(crate) struct S7Session {
    spec: Arc<DeviceSpec>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    client: Client,
    slots: Vec<Slot>,
    queue: BinaryHeap<Reverse<Due>>,
    serial: u64,
    /// What the CPU says of itself, where it was asked.
    identity: Identity,
}

/// A block and when it is due; of those due at the same time the one that waits longest is first.
struct Due {
    at: Instant,
    serial: u64,
    block: Block,
}

/// What came of one block of a request.
enum Settled {
    /// Readings of its points. Where the refusal will last, it is asked for seldom.
    Read { readings: Vec<Reading>, is_lasting: bool },
    /// The blocks to ask for instead.
    Instead(Vec<Block>),
}

impl S7Session {
    pub(crate) async fn connect(
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
        settings: Settings,
        addresses: Vec<PointAddress>,
        lookups: Lookups,
    ) -> Result<Self, DriverError> {
        let Circumstances { clock, since } = circumstances;
        let slots: Vec<Slot> = addresses
            .into_iter()
            .zip(&spec.points)
            .enumerate()
            .map(|(point, (address, found))| {
                let own = found.poll_ms.map(|ms| Duration::from_millis(ms.into()));
                Slot { point, address, interval: own.unwrap_or(settings.poll) }
            })
            .collect();
        let client = Client::new(settings.clone(), lookups);
        let (queue, serial, identity) = (BinaryHeap::new(), 0, Identity::default());
        let mut session = Self { spec, settings, clock, client, slots, queue, serial, identity };
        session.client.connect().await.map_err(|error| session.lost("", error))?;
        // In a test, and before the first sample, it is worth a few requests to know who is there.
        if since.is_none() {
            session.identify().await?;
        }
        let now = Instant::now();
        let mut planned = blocks(session.slots.clone(), session.limits());
        if planned.is_empty() {
            planned.push(Block::probe(session.settings.poll));
        }
        for block in planned {
            session.enqueue(block, now);
        }
        Ok(session)
    }

    /// Asks who is there. A device that drops the connection over that is connected to once more.
    async fn identify(&mut self) -> Result<(), DriverError> {
        self.identity = Identity::of(&mut self.client).await;
        if !self.client.is_connected() {
            self.client.connect().await.map_err(|error| self.lost("", error))?;
        }
        Ok(())
    }

    fn limits(&self) -> Limits {
        let bytes_max = variables::read_bytes_max(self.client.pdu_bytes);
        Limits { gap_bytes: self.settings.gap_bytes, bytes_max }
    }

    fn enqueue(&mut self, block: Block, at: Instant) {
        self.serial += 1;
        self.queue.push(Reverse(Due { at, serial: self.serial, block }));
    }

    /// The device and, where something is said of it, a place in it.
    fn place(&self, place: &str) -> String {
        let device = self.settings.place();
        if place.is_empty() { device } else { format!("{device}, {place}") }
    }

    fn lost(&self, place: &str, error: CallError) -> DriverError {
        let (kind, cause) = error.told();
        DriverError::new(kind, self.spec.label(), self.place(place), cause)
    }

    fn lost_blocks(&self, blocks: &[Block], error: CallError) -> DriverError {
        let first = blocks.first().map(Block::place).unwrap_or_default();
        let place = match blocks.len() {
            0 | 1 => first,
            count => format!("{first} and {} more", count - 1),
        };
        self.lost(&place, error)
    }

    fn fault(&self, slot: &Slot, time: Timestamp, quality: Quality, cause: &str) -> Reading {
        let place = self.place(&slot.address.to_string());
        Reading::fault(slot.point, time, quality, format!("{place}: {cause}"))
    }

    fn faults(&self, block: &Block, quality: Quality, cause: &str) -> Vec<Reading> {
        let time = self.clock.now();
        block.slots.iter().map(|slot| self.fault(slot, time, quality, cause)).collect()
    }

    /// Readings of a block's points from its bytes.
    fn decode(&self, block: &Block, bytes: &[u8], time: Timestamp) -> Vec<Reading> {
        let reading = |slot: &Slot| {
            let own = bytes.get(block.offset(slot)..).unwrap_or_default();
            match value(own, &slot.address, self.settings.encoding) {
                Ok(raw) => Reading::good(slot.point, time, raw),
                Err(error) => {
                    let quality = match error {
                        DecodeError::Short => Quality::BAD,
                        DecodeError::Longer { .. } => Quality::CONFIGURATION_ERROR,
                        DecodeError::Not(..) | DecodeError::NotText { .. } => Quality::OUT_OF_RANGE,
                    };
                    self.fault(slot, time, quality, &error.to_string())
                }
            }
        };
        block.slots.iter().map(reading).collect()
    }

    /// Asks for blocks: several that fit one request, or one in as many requests as it needs.
    async fn fetch(&mut self, blocks: &[Block]) -> Result<Vec<ItemAnswer>, CallError> {
        let bytes_max = self.limits().bytes_max;
        let [block] = blocks else {
            let items: Vec<_> = blocks.iter().flat_map(|b| b.items(bytes_max)).collect();
            return self.client.read(&items).await;
        };
        let mut whole = Vec::with_capacity(block.bytes());
        for item in block.items(bytes_max) {
            match self.client.read(&[item]).await?.pop() {
                Some(Ok(bytes)) => whole.extend(bytes),
                Some(Err(code)) => return Ok(vec![Err(code)]),
                None => {}
            }
        }
        Ok(vec![Ok(whole)])
    }

    /// What an answer means, block by block and in their order.
    fn settle(
        &self,
        blocks: &[Block],
        result: Result<Vec<ItemAnswer>, CallError>,
    ) -> Result<Vec<Settled>, DriverError> {
        let time = self.clock.now();
        match result {
            Ok(answers) => {
                let settled = blocks.iter().zip(answers);
                Ok(settled.map(|(block, answer)| self.settle_block(block, answer, time)).collect())
            }
            Err(CallError::Refused(error)) => {
                let is_shared = blocks.len() > 1;
                let refuse = |block| self.settle_refusal(block, error, is_shared);
                Ok(blocks.iter().map(refuse).collect())
            }
            Err(error) => Err(self.lost_blocks(blocks, error)),
        }
    }

    fn settle_block(&self, block: &Block, answer: ItemAnswer, time: Timestamp) -> Settled {
        match answer {
            Ok(bytes) => {
                let readings = self.decode(block, &bytes, time);
                Settled::Read { readings, is_lasting: false }
            }
            Err(code) => match block.split().filter(|_| is_of_extent(code)) {
                Some(halves) => Settled::Instead(halves.to_vec()),
                None => {
                    let text = item_error_text(code, block.area);
                    let readings = self.faults(block, item_quality(code), &text);
                    Settled::Read { readings, is_lasting: is_lasting(code) }
                }
            },
        }
    }

    /// A refusal of the whole request, which may be due to one block only.
    fn settle_refusal(&self, block: &Block, error: u16, is_shared: bool) -> Settled {
        if !is_of_service(error) {
            if is_shared {
                return Settled::Instead(vec![Block { is_alone: true, ..block.clone() }]);
            }
            if let Some(halves) = block.split() {
                return Settled::Instead(halves.to_vec());
            }
        }
        let readings = self.faults(block, header_quality(error), &header_error_text(error));
        // What is busy now may not be so at the next poll.
        Settled::Read { readings, is_lasting: error >> 8 != 0x83 }
    }

    /// The block that is due first, and as many others that are due as fit its request.
    fn pop_due(&mut self, now: Instant) -> Vec<Due> {
        let mut taken: Vec<Due> = Vec::new();
        let (bytes_max, pdu_bytes) = (self.limits().bytes_max, self.client.pdu_bytes);
        while let Some(Reverse(next)) = self.queue.peek() {
            let waiting = taken.iter().map(|due| &due.block);
            if next.at > now || !share(waiting, &next.block, bytes_max, pdu_bytes) {
                break;
            }
            taken.extend(self.queue.pop().map(|Reverse(due)| due));
        }
        taken
    }
}

/// Whether a block joins others in a request.
fn share<'a>(
    taken: impl Iterator<Item = &'a Block> + Clone,
    next: &'a Block,
    bytes_max: usize,
    pdu_bytes: u16,
) -> bool {
    if taken.clone().next().is_none() {
        return true;
    }
    let goes_alone = |block: &Block| block.is_alone || block.bytes() > bytes_max;
    let lengths = taken.clone().chain([next]).map(Block::bytes);
    !taken.clone().chain([next]).any(goes_alone) && variables::fit(lengths, pdu_bytes)
}

#[async_trait]
impl Session for S7Session {
    fn peer(&self) -> String {
        let parts = [self.settings.place(), self.identity.name(), self.identity.detail()];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{}, {} bytes a message", parts.join(", "), self.client.pdu_bytes)
    }

    async fn due(&mut self) {
        match self.queue.peek() {
            Some(Reverse(due)) => sleep_until(due.at).await,
            None => std::future::pending().await,
        }
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        let now = Instant::now();
        let requests_before = self.client.requests;
        let taken = self.pop_due(now);
        if taken.is_empty() {
            return Ok(Collected::default());
        }
        let grid: Vec<_> = taken.iter().map(|due| due.at).collect();
        let blocks: Vec<_> = taken.into_iter().map(|due| due.block).collect();
        let result = self.fetch(&blocks).await;
        let settled = self.settle(&blocks, result)?;
        let mut collected = Collected::default();
        for ((block, at), settled) in blocks.into_iter().zip(grid).zip(settled) {
            let (next, missed) = next_poll(at, now, block.interval);
            match settled {
                Settled::Read { readings, is_lasting } => {
                    let later = now + REFUSED_INTERVAL;
                    let is_put_off = is_lasting && !block.slots.is_empty();
                    collected.readings.extend(readings);
                    collected.missed = collected.missed.max(missed);
                    self.enqueue(block, if is_put_off { next.max(later) } else { next });
                }
                // They are due as the whole was, so the next request asks for them.
                Settled::Instead(blocks) => blocks.into_iter().for_each(|b| self.enqueue(b, at)),
            }
        }
        let now = Instant::now();
        collected.requests = self.client.requests.wrapping_sub(requests_before);
        collected.latency = self.client.latency;
        collected.more = self.queue.peek().is_some_and(|Reverse(due)| due.at <= now);
        Ok(collected)
    }

    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let slots = points.iter().filter_map(|i| self.slots.get(*i).copied()).collect();
        let limits = self.limits();
        let mut queue: VecDeque<Block> = blocks(slots, limits).into();
        let mut readings = Vec::new();
        // Bounded: a block is split at most once for each of its points, and set apart once.
        while !queue.is_empty() {
            let mut taken: Vec<Block> = Vec::new();
            while let Some(next) = queue.pop_front() {
                if !share(taken.iter(), &next, limits.bytes_max, self.client.pdu_bytes) {
                    queue.push_front(next);
                    break;
                }
                taken.push(next);
            }
            let result = self.fetch(&taken).await;
            for settled in self.settle(&taken, result)? {
                match settled {
                    Settled::Read { readings: read, .. } => readings.extend(read),
                    Settled::Instead(blocks) => queue.extend(blocks),
                }
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
