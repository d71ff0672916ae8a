//! A device's tables at one moment, and what a write into them means.

use crate::devices::{Controller, Register, Source};
use crate::frame::Exception;
use crate::replay::Moment;

/// The four Modbus tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Coil,
    Discrete,
    Input,
    Holding,
}

impl Table {
    /// Its name in a point's address.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Input => "input",
            Self::Holding => "holding",
        }
    }
}

/// How a number is written in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Bit,
    U16,
    U32,
    I32,
    U64,
    F32,
    F64,
}

impl Wire {
    /// Its name in a point's address.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bit => "bool",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// Registers (or bits) that it takes.
    pub(crate) fn width(self) -> u16 {
        match self {
            Self::Bit | Self::U16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::F64 => 4,
        }
    }

    /// A raw number as registers, most significant byte first. Numbers beyond the type's range
    /// become its nearest end, as a transmitter's would.
    fn words(self, raw: f64) -> Vec<u16> {
        // `as` saturates, which is the rounding to the nearest end.
        let bytes: Vec<u8> = match self {
            Self::Bit | Self::U16 => (raw.round() as u16).to_be_bytes().to_vec(),
            Self::U32 => (raw.round() as u32).to_be_bytes().to_vec(),
            Self::I32 => (raw.round() as i32).to_be_bytes().to_vec(),
            Self::U64 => (raw.round() as u64).to_be_bytes().to_vec(),
            Self::F32 => (raw as f32).to_be_bytes().to_vec(),
            Self::F64 => raw.to_be_bytes().to_vec(),
        };
        bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
    }

    /// The raw number of registers, most significant first; none for a wrong count.
    fn raw(self, words: &[u16]) -> Option<f64> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        let bytes = bytes.as_slice();
        Some(match self {
            Self::Bit | Self::U16 => f64::from(u16::from_be_bytes(bytes.try_into().ok()?)),
            Self::U32 => f64::from(u32::from_be_bytes(bytes.try_into().ok()?)),
            Self::I32 => f64::from(i32::from_be_bytes(bytes.try_into().ok()?)),
            Self::U64 => u64::from_be_bytes(bytes.try_into().ok()?) as f64,
            Self::F32 => f64::from(f32::from_be_bytes(bytes.try_into().ok()?)),
            Self::F64 => f64::from_be_bytes(bytes.try_into().ok()?),
        })
    }
}

/// In which order the bytes of a long number stand, A being the most significant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::upper_case_acronyms, reason = "the order itself, as every manual writes it")]
pub(crate) enum WordOrder {
    ABCD,
    CDAB,
    BADC,
    DCBA,
}

impl WordOrder {
    /// Its name in a device's settings.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ABCD => "ABCD",
            Self::CDAB => "CDAB",
            Self::BADC => "BADC",
            Self::DCBA => "DCBA",
        }
    }

    /// From the most significant first to this order; the same step leads back. A number of one
    /// register has no order.
    fn arrange(self, words: &mut [u16]) {
        if words.len() < 2 {
            return;
        }
        if matches!(self, Self::CDAB | Self::DCBA) {
            words.reverse();
        }
        if matches!(self, Self::BADC | Self::DCBA) {
            words.iter_mut().for_each(|word| *word = word.swap_bytes());
        }
    }
}

/// A write that is allowed: what changes, and to which value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    pub(crate) source: Source,
    pub(crate) value: f64,
}

impl Controller {
    /// `count` registers from `start` of a table. Registers between points are zero, as in a
    /// controller's memory; beyond the first and the last point there are none.
    pub(crate) fn registers(
        &self,
        table: Table,
        start: u16,
        count: u16,
        moment: &Moment,
    ) -> Result<Vec<u16>, Exception> {
        self.check_addresses(table, start, count)?;
        let mut out = vec![0; usize::from(count)];
        for point in self.points.iter().filter(|p| p.table == table) {
            for (at, word) in (point.address..).zip(self.words(point, moment)) {
                if let Some(slot) = at.checked_sub(start).and_then(|i| out.get_mut(usize::from(i)))
                {
                    *slot = word;
                }
            }
        }
        Ok(out)
    }

    /// What writing `words` from `start` of the holding registers changes. Every register has to
    /// belong to a point that may be written, and every value has to be within its limits.
    pub(crate) fn write(
        &self,
        table: Table,
        start: u16,
        words: &[u16],
        moment: &Moment,
    ) -> Result<Vec<Change>, Exception> {
        let end = u32::from(start) + words.len() as u32;
        let mut changes = Vec::new();
        let mut written = 0;
        for point in self.points.iter().filter(|p| p.table == table) {
            let mut image = self.words(point, moment);
            let mut touched = 0;
            for (at, word) in (point.address..).zip(&mut image) {
                if at >= start && u32::from(at) < end {
                    *word = words[usize::from(at - start)];
                    touched += 1;
                }
            }
            if touched > 0 {
                changes.push(self.change(point, image)?);
                written += touched;
            }
        }
        // Registers of no point.
        if written != words.len() { Err(Exception::IllegalDataAddress) } else { Ok(changes) }
    }

    fn change(&self, point: &Register, mut words: Vec<u16>) -> Result<Change, Exception> {
        let limits = point.write.ok_or(Exception::IllegalDataAddress)?;
        self.order.arrange(&mut words);
        let raw = point.wire.raw(&words).ok_or(Exception::IllegalDataValue)?;
        let value = raw * point.step.unwrap_or(1.0);
        // A NaN is within no limits.
        if !(limits.min..=limits.max).contains(&value) {
            return Err(Exception::IllegalDataValue);
        }
        Ok(Change { source: point.source, value })
    }

    fn words(&self, point: &Register, moment: &Moment) -> Vec<u16> {
        let raw = point.source.value(moment) / point.step.unwrap_or(1.0);
        let mut words = point.wire.words(raw);
        self.order.arrange(&mut words);
        words
    }

    fn check_addresses(&self, table: Table, start: u16, count: u16) -> Result<(), Exception> {
        let points = || self.points.iter().filter(|p| p.table == table);
        let first = points().map(|p| u32::from(p.address)).min();
        let end = points().map(|p| u32::from(p.address) + u32::from(p.wire.width())).max();
        match (first, end) {
            (Some(first), Some(end))
                if u32::from(start) >= first && u32::from(start) + u32::from(count) <= end =>
            {
                Ok(())
            }
            _ => Err(Exception::IllegalDataAddress),
        }
    }
}

#[cfg(test)]
mod tests;
