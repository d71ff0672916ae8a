//! Which recorded rows are due now, and what was written over them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::PlantError;
use crate::machining::{FAILURE_MAX, Machining};
use crate::pace::{Clock, Reel};
use crate::recording::{FAULT_MAX, FAULT_ROW, ROWS, Recording, VARIABLES};

pub(crate) use crate::pace::Position;

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

/// The faults of the turbofans' recordings: 1 is the wear of the high-pressure compressor.
pub(crate) const WEAR_MAX: u16 = 1;

/// The recordings that play, shared by all devices.
pub(crate) struct Replay {
    state: Mutex<State>,
    machining: Machining,
}

struct State {
    recording: Recording,
    fault: u16,
    clock: Clock,
    speed: f64,
    written: [Option<Written>; VARIABLES],
    machining: Reel,
    fleet: Reel,
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
    /// The failure of the machine tool that plays.
    pub(crate) failure: u16,
    /// The fault of the turbofans that plays.
    pub(crate) wear: u16,
}

impl Replay {
    pub(crate) fn start(fault: u16, speed: f64, now: Instant) -> Result<Self, PlantError> {
        check_speed(speed)?;
        let other = Reel::new(Clock::at(0.0, speed, now));
        let state = State {
            recording: Recording::load(fault)?,
            fault,
            clock: Clock::at(first_row(fault), speed, now),
            speed,
            written: [None; VARIABLES],
            machining: other,
            fleet: other,
        };
        Ok(Self { state: Mutex::new(state), machining: Machining::load()? })
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
            held: state.clock.is_held(),
            failure: state.machining.position(now).fault,
            wear: state.fleet.position(now).fault,
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
        state.clock = state.clock.moved(first_row(fault), now);
        state.written = [None; VARIABLES];
        Ok(())
    }

    pub(crate) fn set_speed(&self, speed: f64, now: Instant) -> Result<(), PlantError> {
        check_speed(speed)?;
        let mut state = self.lock();
        state.pace(speed, now);
        state.speed = speed;
        Ok(())
    }

    /// Holds the replay where it is, or lets it go on at its speed.
    pub(crate) fn hold(&self, held: bool, now: Instant) {
        let mut state = self.lock();
        let speed = if held { 0.0 } else { state.speed };
        state.pace(speed, now);
    }

    /// Lets a value stand in the place of a recorded one for [`WRITE_HOLD`].
    pub(crate) fn write(&self, variable: usize, value: f32, now: Instant) {
        if let Some(slot) = self.lock().written.get_mut(variable) {
            *slot = Some(Written { value, until: now + WRITE_HOLD });
        }
    }

    /// What the machine tool has done by now.
    pub(crate) fn machining(&self) -> &Machining {
        &self.machining
    }

    /// Which part the machine tool makes.
    pub(crate) fn part(&self, now: Instant) -> Position {
        self.lock().machining.position(now)
    }

    /// Which cycle the turbofans fly.
    pub(crate) fn flight(&self, now: Instant) -> Position {
        self.lock().fleet.position(now)
    }

    /// Plays the machine tool from shortly before a failure, or from the first part.
    pub(crate) fn set_failure(&self, failure: u16, now: Instant) -> Result<(), PlantError> {
        if failure > FAILURE_MAX {
            return Err(PlantError::UnknownFault(failure));
        }
        let row = self.machining.first(failure).saturating_sub(ROWS_BEFORE_FAULT);
        self.lock().machining.choose(failure, row, now);
        Ok(())
    }

    /// Plays the turbofans from their first cycle, or from where their wear is about to end them.
    pub(crate) fn set_wear(&self, wear: u16, now: Instant) -> Result<(), PlantError> {
        if wear > WEAR_MAX {
            return Err(PlantError::UnknownFault(wear));
        }
        self.lock().fleet.choose(wear, 0, now);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held; if something did, the state would still be whole,
        // since every change is a few plain stores.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pace(&mut self, speed: f64, now: Instant) {
        self.clock = self.clock.paced(speed, now);
        for reel in [&mut self.machining, &mut self.fleet] {
            reel.clock = reel.clock.paced(speed, now);
        }
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
