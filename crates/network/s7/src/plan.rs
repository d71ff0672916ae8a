//! Which items read which points.

use std::time::Duration;

use crate::codec::variables::ReadItem;
use crate::{Area, PointAddress};

/// One point as the plan knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The point's index in the spec.
    pub(crate) point: usize,
    pub(crate) address: PointAddress,
    pub(crate) interval: Duration,
}

/// A run of bytes, timers or counters that is one item of a request, and the points in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) area: Area,
    pub(crate) db: u16,
    pub(crate) start: u32,
    /// Bytes, or timers or counters.
    pub(crate) count: u16,
    pub(crate) interval: Duration,
    /// By address. Empty where the device has no points: then an answer of any kind shows that it is there.
    pub(crate) slots: Vec<Slot>,
    /// Whether it needs a request of its own, because the device refused one that it shared.
    pub(crate) is_alone: bool,
}

/// What bounds a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes between two points that are read along.
    pub(crate) gap_bytes: u16,
    /// Most bytes of one item. A point that is longer is a block of its own, read in pieces.
    pub(crate) bytes_max: usize,
}

/// Puts points into as few items as limits and gaps allow. Points of different areas, data blocks or intervals
/// never share one.
pub(crate) fn blocks(mut slots: Vec<Slot>, limits: Limits) -> Vec<Block> {
    slots.sort_by_key(|slot| {
        let PointAddress { area, db, start, .. } = slot.address;
        (area, db, slot.interval, start, slot.address.end())
    });
    let mut blocks: Vec<Block> = Vec::new();
    for slot in slots {
        match blocks.last_mut() {
            Some(block) if block.takes(&slot, limits) => block.add(slot),
            _ => blocks.push(Block::of(slot)),
        }
    }
    blocks
}

impl Block {
    fn of(slot: Slot) -> Self {
        let PointAddress { area, db, start, .. } = slot.address;
        let (count, interval) = (slot.address.units(), slot.interval);
        Self { area, db, start, count, interval, slots: vec![slot], is_alone: false }
    }

    /// One point and nothing else.
    pub(crate) fn single(slot: Slot) -> Self {
        Self::of(slot)
    }

    /// Asks for one merker, only to see whether the device answers.
    pub(crate) fn probe(interval: Duration) -> Self {
        let (area, slots) = (Area::Merker, Vec::new());
        Self { area, db: 0, start: 0, count: 1, interval, slots, is_alone: true }
    }

    fn end(&self) -> u32 {
        self.start + u32::from(self.count)
    }

    fn takes(&self, slot: &Slot, limits: Limits) -> bool {
        let address = &slot.address;
        let same = (self.area, self.db, self.interval) == (address.area, address.db, slot.interval);
        let unit = u32::from(self.area.unit_bytes());
        let gap = u32::from(limits.gap_bytes) / unit;
        let count = self.end().max(address.end()) - self.start;
        same && address.start <= self.end() + gap && (count * unit) as usize <= limits.bytes_max
    }

    /// Adds a slot that does not start before the block does.
    fn add(&mut self, slot: Slot) {
        let end = self.end().max(slot.address.end());
        self.count = (end - self.start) as u16;
        self.slots.push(slot);
    }

    /// Two blocks for one that the device does not have as a whole; none where all points stand at the same
    /// place. Halving finds one bad address among a hundred with seven more requests.
    pub(crate) fn split(&self) -> Option<[Self; 2]> {
        let (first, last) = (self.slots.first()?, self.slots.last()?);
        if place(first) == place(last) {
            return None;
        }
        // The cut must not fall between points of one place, or the same item is asked for twice.
        let middle = self.slots.len() / 2;
        let is_cut = |i: &usize| match (self.slots.get(i.wrapping_sub(1)), self.slots.get(*i)) {
            (Some(left), Some(right)) => place(left) != place(right),
            _ => false,
        };
        let cut = (middle..self.slots.len()).chain((1..middle).rev()).find(is_cut)?;
        let (left, right) = self.slots.split_at(cut);
        Some([self.joined(left)?, self.joined(right)?])
    }

    fn joined(&self, slots: &[Slot]) -> Option<Self> {
        let (first, rest) = slots.split_first()?;
        let mut block = Self { is_alone: self.is_alone, ..Self::of(*first) };
        rest.iter().for_each(|slot| block.add(*slot));
        Some(block)
    }

    /// Where a slot's bytes stand in the answer.
    pub(crate) fn offset(&self, slot: &Slot) -> usize {
        (slot.address.start - self.start) as usize * usize::from(self.area.unit_bytes())
    }

    /// Bytes of its data.
    pub(crate) fn bytes(&self) -> usize {
        usize::from(self.count) * usize::from(self.area.unit_bytes())
    }

    /// The items that read it: one, or several where it is longer than one can be.
    pub(crate) fn items(&self, bytes_max: usize) -> Vec<ReadItem> {
        let units_max = (bytes_max / usize::from(self.area.unit_bytes())).max(1);
        let step = u16::try_from(units_max).unwrap_or(u16::MAX);
        let item = |offset: u16| ReadItem {
            area: self.area,
            db: self.db,
            start: self.start + u32::from(offset),
            count: step.min(self.count - offset),
        };
        (0..self.count).step_by(step.into()).map(item).collect()
    }

    /// What it is, as engineers write it.
    pub(crate) fn place(&self) -> String {
        let area = match self.area {
            Area::Db => format!("DB{}", self.db),
            area => area.as_str().to_owned(),
        };
        let unit = if self.area.is_numbered() { "" } else { " byte" };
        match self.count {
            0 | 1 => format!("{area}{unit} {}", self.start),
            _ => format!("{area}{unit} {} to {}", self.start, self.end() - 1),
        }
    }
}

fn place(slot: &Slot) -> (u32, u32) {
    (slot.address.start, slot.address.end())
}

#[cfg(test)]
mod tests;
