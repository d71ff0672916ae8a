//! From rows in order to rollups of all levels.

use super::{Partial, RollupLevel, State, Stored};

/// Samples that a minute or an hour stands for at least, and a day to be whole: a rollup takes
/// about as many bytes as so many samples take a tenth of.
pub(crate) const SAMPLES_MIN: u64 = 256;

/// Makes rollups of rows that come in the order of their keys.
pub(crate) struct Builder {
    /// Samples below which an hour is left out and a day is not whole.
    samples_min: u64,
    /// Whether numbers mixed with texts or arrays can be told.
    takes_mixed: bool,
    open: Option<Open>,
}

/// What the last row was of.
struct Open {
    tag: u32,
    minute: Cell,
    hour: Option<Cell>,
    day: Option<Cell>,
}

#[derive(Clone, Copy)]
struct Cell {
    index: i64,
    /// When it ends; the last of all never does.
    end: i64,
    partial: Partial,
}

impl Cell {
    fn new(level: RollupLevel, partial: Partial) -> Self {
        let index = level.index(partial.first.0);
        Self { index, end: level.start(index).saturating_add(level.nanos()), partial }
    }
}

impl Builder {
    /// For a file.
    pub(crate) fn stored() -> Self {
        Self { samples_min: SAMPLES_MIN, takes_mixed: false, open: None }
    }

    /// For memory: every hour and day is whole. Minutes stand for as many as in a file.
    pub(crate) fn complete() -> Self {
        Self { samples_min: 1, takes_mixed: true, open: None }
    }

    /// Takes a row; `give` gets the rollups that it ends.
    pub(crate) fn push(
        &mut self,
        tag: u32,
        (time, quality, state): (i64, u32, State),
        give: &mut impl FnMut(RollupLevel, Stored),
    ) {
        if let Some(open) = &mut self.open
            && open.tag == tag
            && time < open.minute.end
        {
            return open.minute.partial.push(time, quality, state);
        }
        self.end(Some((tag, time)), give);
        let minute = Cell::new(RollupLevel::Minute, Partial::new(time, quality, state));
        match &mut self.open {
            Some(open) => open.minute = minute,
            None => self.open = Some(Open { tag, minute, hour: None, day: None }),
        }
    }

    /// Gives what is left.
    pub(crate) fn finish(mut self, give: &mut impl FnMut(RollupLevel, Stored)) {
        self.end(None, give);
    }

    /// Ends what the next row is not of.
    fn end(&mut self, next: Option<(u32, i64)>, give: &mut impl FnMut(RollupLevel, Stored)) {
        let Some(mut open) = self.open.take() else { return };
        let tag = open.tag;
        let continues = |cell: &Cell| next.is_some_and(|(of, time)| of == tag && time < cell.end);
        self.give(RollupLevel::Minute, tag, &open.minute, give);
        let hour = into(open.hour, RollupLevel::Hour, &open.minute.partial);
        if continues(&hour) {
            open.hour = Some(hour);
            self.open = Some(open);
            return;
        }
        self.give(RollupLevel::Hour, tag, &hour, give);
        let day = into(open.day, RollupLevel::Day, &hour.partial);
        if continues(&day) {
            (open.hour, open.day) = (None, Some(day));
            self.open = Some(open);
            return;
        }
        self.give(RollupLevel::Day, tag, &day, give);
    }

    fn give(
        &self,
        level: RollupLevel,
        tag: u32,
        cell: &Cell,
        give: &mut impl FnMut(RollupLevel, Stored),
    ) {
        let partial = cell.partial;
        let samples_min = match level {
            RollupLevel::Minute => SAMPLES_MIN,
            _ => self.samples_min,
        };
        let is_whole = partial.samples >= samples_min && (self.takes_mixed || !partial.is_mixed());
        // Of every day it is known whether the tag has any sample.
        if is_whole || level == RollupLevel::Day {
            give(level, Stored { tag, index: cell.index, is_whole, partial });
        }
    }
}

fn into(cell: Option<Cell>, level: RollupLevel, later: &Partial) -> Cell {
    match cell {
        Some(mut cell) => {
            cell.partial.then(later);
            cell
        }
        None => Cell::new(level, *later),
    }
}
