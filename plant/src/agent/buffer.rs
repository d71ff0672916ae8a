//! The agent's buffer: observations by sequence, the oldest of which make room (MTConnect part 1,
//! clause 5.1).

use std::collections::VecDeque;

use weir_model::Timestamp;

use super::items::{COUNT, ITEMS, Told};
use crate::machining::Part;

/// Observations that the buffer holds: ten minutes of a part a second.
pub(crate) const OBSERVATIONS_MAX: usize = 4096;

/// One observation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Observation {
    pub(crate) sequence: u64,
    pub(crate) time: Timestamp,
    /// The index of its data item.
    pub(crate) item: usize,
    pub(crate) told: Told,
}

/// What every data item says.
pub(crate) type State = [Option<Observation>; COUNT];

/// Observations by sequence.
#[derive(Default)]
pub(crate) struct Buffer {
    observations: VecDeque<Observation>,
    /// What was before the oldest observation.
    before: State,
    now: State,
    last: u64,
}

impl Buffer {
    /// Takes a part that was made: what it changes is observed.
    pub(crate) fn take(&mut self, part: &Part, number: u64, time: Timestamp) {
        for (index, item) in ITEMS.iter().enumerate() {
            let told = item.told(part, number);
            if self.now[index].as_ref().is_some_and(|now| now.told == told) {
                continue;
            }
            self.last += 1;
            let observation = Observation { sequence: self.last, time, item: index, told };
            self.now[index] = Some(observation.clone());
            if self.observations.len() >= OBSERVATIONS_MAX
                && let Some(oldest) = self.observations.pop_front()
            {
                let slot = oldest.item;
                self.before[slot] = Some(oldest);
            }
            self.observations.push_back(observation);
        }
    }

    /// The sequence of the oldest observation.
    pub(crate) fn first(&self) -> u64 {
        self.observations.front().map_or(1, |oldest| oldest.sequence)
    }

    /// The sequence of the newest; 0 before there is one.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// At most `count` observations from a sequence on, and the sequence that follows them.
    pub(crate) fn page(&self, from: u64, count: usize) -> (Vec<Observation>, u64) {
        let skipped = from.saturating_sub(self.first()) as usize;
        let page: Vec<_> = self.observations.iter().skip(skipped).take(count).cloned().collect();
        let next = page.last().map_or(from, |last| last.sequence + 1);
        (page, next)
    }

    /// What every data item says now or, with a sequence in the buffer, said then.
    pub(crate) fn state(&self, at: Option<u64>) -> Vec<Observation> {
        let state = match at {
            None => self.now.clone(),
            Some(at) => {
                let mut state = self.before.clone();
                for observation in self.observations.iter().take_while(|o| o.sequence <= at) {
                    state[observation.item] = Some(observation.clone());
                }
                state
            }
        };
        state.into_iter().flatten().collect()
    }
}
