//! Following one tag's samples from time to time.
//!
//! A sample counts if its quality is not bad and it has a value, on a line a finite number. At the time
//! of a sample that counts, the value is that sample's, with its quality as it is. Elsewhere:
//!
//! | | value | quality |
//! | --- | --- | --- |
//! | step, a sample before that counts | its value | good, interpolated |
//! | line, one before and one behind that count | on the line between them | good, interpolated |
//! | line, none behind | that of the one before | uncertain, interpolated |
//! | none before | none | `BadNoData` |
//!
//! Where a sample that does not count lies between (on a step between the one before and the time, on a line
//! between the two) or one used is uncertain, good becomes `UncertainDataSubNormal`. One farther
//! from the time than the greatest age does not count.

use weir_model::{Interpolation, Quality, Severity, Timestamp, Value};

use super::Signal;
use crate::HistorianError;
use crate::row::Row;

/// A value and its quality.
pub(super) type Cell = (Option<Value>, Quality);

/// A sample that counts.
#[derive(Debug, Clone)]
pub(super) struct Anchor {
    time: i64,
    pub(super) value: Value,
    /// The value as a number, on a line.
    number: f64,
    quality: Quality,
}

impl Anchor {
    /// The sample, if it counts.
    pub(super) fn of(row: &Row, signal: &Signal) -> Option<Self> {
        let value = row.value.as_ref().filter(|_| !row.is_bad())?;
        let value = match &signal.convert {
            Some(convert) => convert(Timestamp::from_nanos(row.time), value)?,
            None => value.clone(),
        };
        let number = match signal.interpolation {
            Interpolation::Linear => value.as_f64().filter(|number| number.is_finite())?,
            Interpolation::Step => 0.0,
        };
        let quality = Quality::from_code(row.quality);
        Some(Self { time: row.time, value, number, quality })
    }

    fn is_good(&self) -> bool {
        self.quality.severity() == Severity::Good
    }

    fn is_near(&self, time: i64, age_max: Option<u64>) -> bool {
        age_max.is_none_or(|age_max| self.time.abs_diff(time) <= age_max)
    }
}

/// What is known around the last time asked for.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Samples from this time on were not read. None before the first.
    read_to: Option<i64>,
    /// The last that counts, not after the time.
    before: Option<Anchor>,
    /// Whether one that does not count follows it: on a step up to the time, on a line up to `ahead`.
    spoiled: bool,
    /// On a line: the first that counts, after the time.
    ahead: Option<Anchor>,
    /// On a line: whether all that is to be read was.
    ended: bool,
}

impl Track {
    pub(super) fn is_new(&self) -> bool {
        self.read_to.is_none()
    }

    /// Begins behind the newest that counts before a time.
    pub(super) fn begin(&mut self, before: Option<Anchor>, time: i64) {
        self.read_to = Some(before.as_ref().map_or(time, |before| before.time.saturating_add(1)));
        self.before = before;
    }

    /// Where reading goes on.
    pub(super) fn read_to(&self) -> i64 {
        self.read_to.unwrap_or(i64::MIN)
    }

    /// Gives the value at each of some times, which rise, and the sample before it where that was not
    /// given yet. `next` gives the samples from [`Track::read_to`] on, as far as they matter.
    pub(super) fn follow(
        &mut self,
        signal: &Signal,
        times: &[i64],
        mut next: impl FnMut() -> Result<Option<Row>, HistorianError>,
        mut give: impl FnMut(Cell, Option<&Anchor>) -> Result<(), HistorianError>,
    ) -> Result<(), HistorianError> {
        // Read and after the time, on a step.
        let mut peeked: Option<Row> = None;
        let mut told: Option<i64> = None;
        self.ended = false;
        for &time in times {
            match signal.interpolation {
                Interpolation::Linear => self.reach_line(signal, time, &mut next)?,
                Interpolation::Step => self.reach_step(signal, time, &mut peeked, &mut next)?,
            }
            let anchor = self.before.as_ref().filter(|before| told != Some(before.time));
            told = anchor.map(|anchor| anchor.time).or(told);
            give(self.cell(signal, time), anchor)?;
        }
        Ok(())
    }

    fn reach_step(
        &mut self,
        signal: &Signal,
        time: i64,
        peeked: &mut Option<Row>,
        next: &mut impl FnMut() -> Result<Option<Row>, HistorianError>,
    ) -> Result<(), HistorianError> {
        loop {
            let row = match peeked.take() {
                Some(row) => row,
                None => match next()? {
                    Some(row) => row,
                    None => break,
                },
            };
            if row.time > time {
                *peeked = Some(row);
                break;
            }
            self.read_to = Some(row.time.saturating_add(1));
            self.take(Anchor::of(&row, signal));
        }
        Ok(())
    }

    fn reach_line(
        &mut self,
        signal: &Signal,
        time: i64,
        next: &mut impl FnMut() -> Result<Option<Row>, HistorianError>,
    ) -> Result<(), HistorianError> {
        while !self.ended && self.ahead.as_ref().is_none_or(|ahead| ahead.time <= time) {
            if let Some(ahead) = self.ahead.take() {
                self.before = Some(ahead);
                self.spoiled = false;
            }
            loop {
                let Some(row) = next()? else {
                    self.ended = true;
                    break;
                };
                self.read_to = Some(row.time.saturating_add(1));
                match Anchor::of(&row, signal) {
                    Some(anchor) => {
                        self.ahead = Some(anchor);
                        break;
                    }
                    None => self.spoiled = true,
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, anchor: Option<Anchor>) {
        match anchor {
            Some(anchor) => (self.before, self.spoiled) = (Some(anchor), false),
            None => self.spoiled = true,
        }
    }

    fn cell(&self, signal: &Signal, time: i64) -> Cell {
        let near = |anchor: &&Anchor| anchor.is_near(time, signal.age_max);
        let Some(before) = self.before.as_ref().filter(near) else {
            return (None, Quality::NO_DATA);
        };
        if before.time == time {
            return (Some(before.value.clone()), before.quality);
        }
        let sound = !self.spoiled && before.is_good();
        let (value, is_good) = match signal.interpolation {
            Interpolation::Step => (before.value.clone(), sound),
            Interpolation::Linear => match self.ahead.as_ref().filter(near) {
                Some(ahead) => (Value::F64(line(before, ahead, time)), sound && ahead.is_good()),
                None => (before.value.clone(), false),
            },
        };
        let quality =
            if is_good { Quality::INTERPOLATED } else { Quality::INTERPOLATED_SUB_NORMAL };
        (Some(value), quality)
    }
}

/// The number at a time on the line between two: never outside them, and never beyond a double.
fn line(before: &Anchor, ahead: &Anchor, time: i64) -> f64 {
    let (a, b) = (before.number, ahead.number);
    let share = before.time.abs_diff(time) as f64 / before.time.abs_diff(ahead.time) as f64;
    let rise = b - a;
    let number = if rise.is_finite() { a + rise * share } else { a * (1.0 - share) + b * share };
    number.clamp(a.min(b), a.max(b))
}
