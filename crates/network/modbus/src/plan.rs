//! Which requests read which points.

use std::time::Duration;

use crate::address::{PointAddress, Table};
use crate::{RawType, Settings};

/// Most registers of one request (Modbus Application Protocol 1.1b3, sections 6.3 and 6.4).
pub const REGISTERS_PER_REQUEST_MAX: u16 = 125;

/// Most bits of one request (sections 6.1 and 6.2).
pub const BITS_PER_REQUEST_MAX: u16 = 2000;

/// One point as the plan knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The point's index in the spec.
    pub(crate) point: usize,
    pub(crate) address: PointAddress,
    pub(crate) interval: Duration,
}

/// One request and the points it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) unit: u8,
    pub(crate) table: Table,
    pub(crate) start: u16,
    pub(crate) count: u16,
    pub(crate) interval: Duration,
    /// By address. Empty where the device has no points: then an answer of any kind shows that it
    /// is there.
    pub(crate) slots: Vec<Slot>,
}

/// Puts points into as few requests as limits and gaps allow. Points of different units, tables or
/// intervals never share one.
pub(crate) fn blocks(mut slots: Vec<Slot>, settings: &Settings) -> Vec<Block> {
    slots.sort_by_key(|slot| {
        let PointAddress { unit, table, address, .. } = slot.address;
        (unit, table, slot.interval, address, slot.address.end())
    });
    let mut blocks: Vec<Block> = Vec::new();
    for slot in slots {
        match blocks.last_mut() {
            Some(block) if block.takes(&slot, settings) => block.add(slot),
            _ => blocks.push(Block::of(slot)),
        }
    }
    blocks
}

impl Block {
    fn of(slot: Slot) -> Self {
        let PointAddress { unit, table, address, raw_type, .. } = slot.address;
        let (start, count, interval) = (address, raw_type.width(), slot.interval);
        Self { unit, table, start, count, interval, slots: vec![slot] }
    }

    /// Asks for one register, only to see whether the device answers.
    pub(crate) fn probe(unit: u8, interval: Duration) -> Self {
        Self { unit, table: Table::Holding, start: 0, count: 1, interval, slots: Vec::new() }
    }

    fn end(&self) -> u32 {
        u32::from(self.start) + u32::from(self.count)
    }

    fn takes(&self, slot: &Slot, settings: &Settings) -> bool {
        let (gap, length_max) = if self.table.is_bits() {
            (u32::from(settings.gap_registers) * 16, BITS_PER_REQUEST_MAX)
        } else {
            (u32::from(settings.gap_registers), settings.registers_max)
        };
        let address = &slot.address;
        let same =
            (self.unit, self.table, self.interval) == (address.unit, address.table, slot.interval);
        let end = self.end().max(address.end());
        same && u32::from(address.address) <= self.end() + gap
            && end - u32::from(self.start) <= length_max.into()
    }

    /// Adds a slot that does not start before the block does.
    fn add(&mut self, slot: Slot) {
        let end = self.end().max(slot.address.end());
        self.count = (end - u32::from(self.start)) as u16;
        self.slots.push(slot);
    }

    /// Two blocks for one that the device has no address of; none where all points stand at the
    /// same place. Halving finds one bad address among a hundred with seven more requests, and
    /// leaves out gaps at the cut.
    pub(crate) fn split(&self) -> Option<[Self; 2]> {
        let (first, last) = (self.slots.first()?.address, self.slots.last()?.address);
        if (first.address, first.end()) == (last.address, last.end()) {
            return None;
        }
        // The cut must not fall between points of one place, or the same request is made twice.
        let middle = self.slots.len() / 2;
        let place = |slot: &Slot| (slot.address.address, slot.address.end());
        let cut = (middle..self.slots.len())
            .chain((1..middle).rev())
            .find(|&i| i > 0 && place(&self.slots[i - 1]) != place(&self.slots[i]))?;
        let (left, right) = self.slots.split_at(cut);
        Some([Self::joined(left)?, Self::joined(right)?])
    }

    fn joined(slots: &[Slot]) -> Option<Self> {
        let (first, rest) = slots.split_first()?;
        let mut block = Self::of(*first);
        rest.iter().for_each(|slot| block.add(*slot));
        Some(block)
    }

    /// Where a slot's bits or registers stand in the answer.
    pub(crate) fn offset(&self, slot: &Slot) -> usize {
        usize::from(slot.address.address - self.start)
    }

    /// Whether it reads the whole range of one point and nothing else.
    pub(crate) fn is_single(&self) -> bool {
        self.split().is_none()
    }
}

impl Slot {
    /// Whether a bit is asked for that shares its register with others.
    pub(crate) fn is_bit_of_register(&self) -> bool {
        self.address.raw_type == RawType::Bool && self.address.bit.is_some()
    }
}

#[cfg(test)]
mod tests;
