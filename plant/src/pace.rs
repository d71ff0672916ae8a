//! Positions in recordings that move with time.

use tokio::time::Instant;

use crate::recording::STEP_SECONDS;

/// A position in rows that moves with time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Rows passed when the clock was last set, with their fraction.
    rows: f64,
    since: Instant,
    rows_per_second: f64,
}

impl Clock {
    /// A clock at a row, at times the plant's own speed.
    pub(crate) fn at(rows: f64, speed: f64, now: Instant) -> Self {
        Self { rows, since: now, rows_per_second: speed / STEP_SECONDS }
    }

    fn position(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.rows + passed * self.rows_per_second
    }

    /// Whole rows passed. The tiny addition keeps a row that is due now from being lost to the
    /// rounding of 0.1 s times 10 rows/s.
    pub(crate) fn rows(&self, now: Instant) -> u64 {
        (self.position(now) + 1e-6) as u64
    }

    /// The same position at another speed.
    pub(crate) fn paced(self, speed: f64, now: Instant) -> Self {
        Self::at(self.position(now), speed, now)
    }

    /// Another row at the same speed.
    pub(crate) fn moved(self, rows: f64, now: Instant) -> Self {
        Self { rows, since: now, ..self }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.rows_per_second == 0.0
    }
}

/// Where a recording plays that shares the plant's speed and has faults of its own to choose from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reel {
    pub(crate) clock: Clock,
    fault: u16,
    chosen: u64,
}

/// Where a recording plays at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Rows passed, those of earlier rounds included.
    pub(crate) rows: u64,
    /// The fault that was chosen; 0 for none.
    pub(crate) fault: u16,
    /// How often one was chosen: rows before and after a choice do not follow one another.
    pub(crate) chosen: u64,
}

impl Reel {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, fault: 0, chosen: 0 }
    }

    pub(crate) fn position(&self, now: Instant) -> Position {
        Position { rows: self.clock.rows(now), fault: self.fault, chosen: self.chosen }
    }

    /// Plays a fault, from a row on.
    pub(crate) fn choose(&mut self, fault: u16, row: usize, now: Instant) {
        self.clock = self.clock.moved(row as f64, now);
        self.fault = fault;
        self.chosen += 1;
    }
}
