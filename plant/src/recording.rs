//! The recorded runs: embedded gzipped, unpacked one at a time.

use std::io::{BufRead, BufReader, Read};

use flate2::read::GzDecoder;

use crate::PlantError;

/// Recorded variables: 41 measured, then 11 manipulated.
pub const VARIABLES: usize = 52;

/// Rows of one recording: 48 hours.
pub const ROWS: usize = 960;

/// Process time between two rows.
pub const STEP_SECONDS: f64 = 180.0;

/// The highest recorded fault; 0 is the normal run.
pub const FAULT_MAX: u16 = 10;

/// The row (from 0) from which on a fault acts, after eight hours of normal running.
pub(crate) const FAULT_ROW: usize = 160;

/// Longest line that a recording may have, so that a damaged file cannot ask for more.
const LINE_BYTES_MAX: usize = 4096;

macro_rules! run {
    ($name:literal) => {
        include_bytes!(concat!("../data/", $name, ".dat.gz"))
    };
}

static RUNS: [&[u8]; FAULT_MAX as usize + 1] = [
    run!("d00_te"),
    run!("d01_te"),
    run!("d02_te"),
    run!("d03_te"),
    run!("d04_te"),
    run!("d05_te"),
    run!("d06_te"),
    run!("d07_te"),
    run!("d08_te"),
    run!("d09_te"),
    run!("d10_te"),
];

/// One unpacked run of 200 kB: the five digits of the originals fit a single-precision float.
pub(crate) struct Recording {
    values: Box<[f32]>,
}

impl Recording {
    /// Unpacks the run of a fault.
    pub(crate) fn load(fault: u16) -> Result<Self, PlantError> {
        let packed = RUNS.get(usize::from(fault)).ok_or(PlantError::UnknownFault(fault))?;
        Self::unpack(packed)
            .map_err(|reason| PlantError::Recording { name: format!("of fault {fault}"), reason })
    }

    fn unpack(packed: &[u8]) -> Result<Self, String> {
        let mut reader = BufReader::new(GzDecoder::new(packed));
        let mut values = Vec::with_capacity(ROWS * VARIABLES);
        let mut line = Vec::with_capacity(1024);
        for row in 0..ROWS {
            line.clear();
            let mut bounded = (&mut reader).take(LINE_BYTES_MAX as u64);
            bounded.read_until(b'\n', &mut line).map_err(|e| format!("row {row}: {e}"))?;
            let text = std::str::from_utf8(&line).map_err(|e| format!("row {row}: {e}"))?;
            let before = values.len();
            for cell in text.split_ascii_whitespace() {
                let value: f32 = cell.parse().map_err(|_| format!("row {row}: {cell:?}"))?;
                values.push(value);
            }
            let found = values.len() - before;
            if found != VARIABLES {
                return Err(format!("row {row} has {found} numbers, not {VARIABLES}"));
            }
        }
        Ok(Self { values: values.into_boxed_slice() })
    }

    /// The row at `index`, counted from 0 and taken modulo the recording's length.
    pub(crate) fn row(&self, index: usize) -> &[f32] {
        let start = index % ROWS * VARIABLES;
        &self.values[start..start + VARIABLES]
    }
}

#[cfg(test)]
mod tests;
