//! Which recorded row is due now, and what was written over it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::PlantError;
use crate::recording::{FAULT_MAX, FAULT_ROW, ROWS, Recording, STEP_SECONDS, VARIABLES};

/// The default speed: a row a second.
pub const SPEED_DEFAULT: f64 = 180.0;

/// The fastest replay: a hundred rows a second, beyond which no client could see them all.
pub const SPEED_MAX: f64 = 18_000.0;

/// How long a written value stands before the recording resumes: long enough to see it arrive in
/// a trend, short enough that the plant is itself again when one looks next.
pub(crate) const WRITE_HOLD: Duration = Duration::from_secs(15);

/// A fault starts this many rows (half an hour of process time) before it acts, so that one sees
/// the plant as it was and then the fault.
const ROWS_BEFORE_FAULT: usize = 10;

/// The recording that plays, shared by all devices.
pub(crate) struct Replay {
    state: Mutex<State>,
}

struct State {
    recording: Recording,
    fault: u16,
    clock: Clock,
    speed: f64,
    written: [Option<Written>; VARIABLES],
}

/// A position in rows that moves with time.
#[derive(Debug, Clone, Copy)]
struct Clock {
    /// Rows passed when the clock was last set, with their fraction.
    rows: f64,
    since: Instant,
    rows_per_second: f64,
}

#[derive(Debug, Clone, Copy)]
struct Written {
    value: f32,
    until: Instant,
}

/// The plant at one moment: all registers of one answer come from one of these.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    /// The recorded row, with written values in their places.
    pub(crate) values: [f32; VARIABLES],
    /// Which row of the recording, from 0.
    pub(crate) row: u32,
    /// Rows played since the recording was chosen, those of earlier rounds included.
    pub(crate) rows_played: u64,
    /// The fault that plays.
    pub(crate) fault: u16,
    /// Times real time; 0 while held.
    pub(crate) speed: f64,
    /// Whether the replay is held.
    pub(crate) held: bool,
}

impl Replay {
    pub(crate) fn start(fault: u16, speed: f64, now: Instant) -> Result<Self, PlantError> {
        check_speed(speed)?;
        let clock = Clock { rows: first_row(fault), since: now, rows_per_second: 0.0 };
        let state = State {
            recording: Recording::load(fault)?,
            fault,
            clock: clock.paced(speed, now),
            speed,
            written: [None; VARIABLES],
        };
        Ok(Self { state: Mutex::new(state) })
    }

    pub(crate) fn moment(&self, now: Instant) -> Moment {
        let state = self.lock();
        let rows = state.clock.rows(now);
        let mut values = [0.0; VARIABLES];
        values.copy_from_slice(state.recording.row((rows % ROWS as u64) as usize));
        for (value, written) in values.iter_mut().zip(&state.written) {
            if let Some(written) = written.filter(|w| now < w.until) {
                *value = written.value;
            }
        }
        Moment {
            values,
            row: (rows % ROWS as u64) as u32,
            rows_played: rows,
            fault: state.fault,
            speed: state.speed,
            held: state.clock.rows_per_second == 0.0,
        }
    }

    /// Another recording, from its start or from shortly before the fault acts.
    pub(crate) fn set_fault(&self, fault: u16, now: Instant) -> Result<(), PlantError> {
        if fault > FAULT_MAX {
            return Err(PlantError::UnknownFault(fault));
        }
        // Unpacked before the lock is taken: it takes milliseconds.
        let recording = Recording::load(fault)?;
        let mut state = self.lock();
        state.recording = recording;
        state.fault = fault;
        state.clock.rows = first_row(fault);
        state.clock.since = now;
        state.written = [None; VARIABLES];
        Ok(())
    }

    pub(crate) fn set_speed(&self, speed: f64, now: Instant) -> Result<(), PlantError> {
        check_speed(speed)?;
        let mut state = self.lock();
        state.clock = state.clock.paced(speed, now);
        state.speed = speed;
        Ok(())
    }

    /// Holds the replay where it is, or lets it go on at its speed.
    pub(crate) fn hold(&self, held: bool, now: Instant) {
        let mut state = self.lock();
        let speed = if held { 0.0 } else { state.speed };
        state.clock = state.clock.paced(speed, now);
    }

    /// Lets a value stand in the place of a recorded one for [`WRITE_HOLD`].
    pub(crate) fn write(&self, variable: usize, value: f32, now: Instant) {
        if let Some(slot) = self.lock().written.get_mut(variable) {
            *slot = Some(Written { value, until: now + WRITE_HOLD });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held; if something did, the state would still be whole,
        // since every change is a few plain stores.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock {
    fn position(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.rows + passed * self.rows_per_second
    }

    /// Whole rows passed. The tiny addition keeps a row that is due now from being lost to the
    /// rounding of 0.1 s times 10 rows/s.
    fn rows(&self, now: Instant) -> u64 {
        (self.position(now) + 1e-6) as u64
    }

    fn paced(self, speed: f64, now: Instant) -> Self {
        Self { rows: self.position(now), since: now, rows_per_second: speed / STEP_SECONDS }
    }
}

fn first_row(fault: u16) -> f64 {
    if fault == 0 { 0.0 } else { (FAULT_ROW - ROWS_BEFORE_FAULT) as f64 }
}

fn check_speed(speed: f64) -> Result<(), PlantError> {
    if (0.0..=SPEED_MAX).contains(&speed) { Ok(()) } else { Err(PlantError::Speed(speed)) }
}

#[cfg(test)]
mod tests;
