//! Rollups of a block that is being written.

use std::io;

use super::build::Builder;
use super::group::{GROUP_ROWS, Groups};
use super::{RollupLevel, State, Stored};

/// Samples after which it is looked whether rollups are of any use.
const HOPE_SAMPLES: u64 = 1 << 16;

/// Sums up the rows of a block, and packs the sums as they come: a few bytes stay in memory for each
/// tag and day.
pub(crate) struct RollupWriter {
    builder: Builder,
    waiting: [Vec<Stored>; 3],
    groups: Groups,
    /// Samples so far, in days that ended.
    samples: u64,
    /// Those of them whose day is whole.
    whole: u64,
    /// Whether there are too few samples a tag for any use.
    is_hopeless: bool,
    /// Whether what becomes of the first samples says nothing of the rest.
    is_patient: bool,
    failure: Option<io::Error>,
}

impl RollupWriter {
    /// For a new block.
    pub(crate) fn new() -> Self {
        Self {
            builder: Builder::stored(),
            waiting: Default::default(),
            groups: Groups::default(),
            samples: 0,
            whole: 0,
            is_hopeless: false,
            is_patient: false,
            failure: None,
        }
    }

    /// The same for a block that stays: it is not given up early.
    pub(crate) fn patient(self) -> Self {
        Self { is_patient: true, ..self }
    }

    /// Takes a row; rows come in the order of their keys.
    pub(crate) fn push(&mut self, tag: u32, time: i64, quality: u32, state: State) {
        if self.is_hopeless {
            return;
        }
        let Self { builder, waiting, groups, samples, whole, failure, .. } = self;
        let mut ended = false;
        builder.push(tag, (time, quality, state), &mut |level, stored| {
            if level == RollupLevel::Day {
                ended = true;
                *samples += stored.partial.samples;
                *whole += if stored.is_whole { stored.partial.samples } else { 0 };
            }
            let waiting = &mut waiting[level as usize];
            waiting.push(stored);
            if waiting.len() == GROUP_ROWS {
                let added = groups.add(level, waiting);
                *failure = failure.take().or(added.err());
                waiting.clear();
            }
        });
        let tried = ended && !self.is_patient && self.samples >= HOPE_SAMPLES;
        if tried && !self.is_worth_it(8) {
            *self = Self { is_hopeless: true, ..Self::new() };
        }
    }

    /// Whether whole days have at least one of so many samples.
    fn is_worth_it(&self, of: u64) -> bool {
        self.whole >= (self.samples / of).max(1)
    }

    /// The rollups; none where most samples are of tags with few, which are read faster themselves.
    pub(crate) fn finish(self) -> io::Result<Option<Groups>> {
        if self.is_hopeless {
            return Ok(None);
        }
        let mut this = self;
        let builder = std::mem::replace(&mut this.builder, Builder::stored());
        let (waiting, mut samples, mut whole) = (&mut this.waiting, this.samples, this.whole);
        builder.finish(&mut |level, stored| {
            if level == RollupLevel::Day {
                samples += stored.partial.samples;
                whole += if stored.is_whole { stored.partial.samples } else { 0 };
            }
            waiting[level as usize].push(stored);
        });
        (this.samples, this.whole) = (samples, whole);
        if let Some(failure) = this.failure {
            return Err(failure);
        }
        if !this.is_worth_it(2) {
            return Ok(None);
        }
        for level in RollupLevel::ALL {
            this.groups.add(level, &this.waiting[level as usize])?;
        }
        Ok(Some(this.groups))
    }
}
