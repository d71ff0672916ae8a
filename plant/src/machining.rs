//! What the machine tool did: the AI4I 2020 data set, part by part.
//!
//! S. Matzka, "Explainable artificial intelligence for predictive maintenance applications", 3rd
//! International Conference on Artificial Intelligence for Industries (2020).

use std::io::{BufRead, BufReader, Read};

use flate2::read::GzDecoder;

use crate::PlantError;

/// Parts of the data set.
pub(crate) const PARTS: usize = 10_000;

/// The kinds of failure, 1 to 5: [`FAILURES`] counted from 1.
pub(crate) const FAILURE_MAX: u16 = 5;

/// The kinds of failure by their names in the data set, in the order of its columns.
pub(crate) const FAILURES: [&str; FAILURE_MAX as usize] = ["TWF", "HDF", "PWF", "OSF", "RNF"];

/// Longest line, so that a damaged file cannot ask for more.
const LINE_BYTES_MAX: u64 = 256;

/// Columns of a line.
const COLUMNS: usize = 14;

static PACKED: &[u8] = include_bytes!("../data/ai4i2020.csv.gz");

/// One part as it was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    /// Its quality: L, M or H.
    pub(crate) quality: char,
    /// Its serial number.
    pub(crate) serial: u32,
    /// Kelvin.
    pub(crate) air: f32,
    /// Kelvin.
    pub(crate) process: f32,
    /// Revolutions a minute.
    pub(crate) speed: f32,
    /// Newton metres.
    pub(crate) torque: f32,
    /// Minutes that the tool was used.
    pub(crate) wear: f32,
    /// Whether the machine failed.
    pub(crate) failed: bool,
    /// Of which kind of failure, in the order of [`FAILURES`].
    pub(crate) failures: [bool; FAILURE_MAX as usize],
}

/// The data set, unpacked: half a megabyte.
pub(crate) struct Machining {
    parts: Box<[Part]>,
}

impl Machining {
    /// Unpacks the data set.
    pub(crate) fn load() -> Result<Self, PlantError> {
        let name = "of the machine tool".to_owned();
        Self::unpack(PACKED).map_err(|reason| PlantError::Recording { name, reason })
    }

    fn unpack(packed: &[u8]) -> Result<Self, String> {
        let mut reader = BufReader::new(GzDecoder::new(packed));
        let mut parts = Vec::with_capacity(PARTS);
        let mut line = Vec::with_capacity(LINE_BYTES_MAX as usize);
        for row in 0..=PARTS {
            line.clear();
            let mut bounded = (&mut reader).take(LINE_BYTES_MAX);
            bounded.read_until(b'\n', &mut line).map_err(|e| format!("row {row}: {e}"))?;
            let text = std::str::from_utf8(&line).map_err(|e| format!("row {row}: {e}"))?;
            // The first line names the columns.
            if row > 0 {
                parts.push(part(text.trim_end()).ok_or_else(|| format!("row {row}: {text:?}"))?);
            }
        }
        Ok(Self { parts: parts.into_boxed_slice() })
    }

    /// The part at `index`, counted from 0 and taken modulo the length of the data set.
    pub(crate) fn part(&self, index: u64) -> &Part {
        &self.parts[(index % PARTS as u64) as usize]
    }

    /// The index of the first part with a kind of failure, 1 to [`FAILURE_MAX`]; 0 for any other
    /// number.
    pub(crate) fn first(&self, failure: u16) -> usize {
        let Some(kind) = failure.checked_sub(1).map(usize::from) else { return 0 };
        let failed = |part: &Part| part.failures.get(kind).is_some_and(|failed| *failed);
        self.parts.iter().position(failed).unwrap_or(0)
    }
}

fn part(line: &str) -> Option<Part> {
    let mut cells: [&str; COLUMNS] = [""; COLUMNS];
    let mut found = line.split(',');
    for cell in &mut cells {
        *cell = found.next()?;
    }
    let [_, product, _, air, process, speed, torque, wear, failed, failures @ ..] = cells;
    let quality = product.chars().next().filter(|q| matches!(q, 'L' | 'M' | 'H'))?;
    let serial = product.get(1..)?.parse().ok()?;
    let number = |cell: &str| cell.parse::<f32>().ok().filter(|number| number.is_finite());
    Some(Part {
        quality,
        serial,
        air: number(air)?,
        process: number(process)?,
        speed: number(speed)?,
        torque: number(torque)?,
        wear: number(wear)?,
        failed: failed == "1",
        failures: failures.map(|cell| cell == "1"),
    })
}

#[cfg(test)]
mod tests;
