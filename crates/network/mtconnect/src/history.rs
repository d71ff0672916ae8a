//! What an agent's buffer still holds of the time that was missed.
//!
//! The buffer is counted by sequences, and what is known of a gap is a time; so the place to begin at
//! is sought by halving, in twenty questions for a buffer of a million, and then read page by page.

use std::collections::HashSet;
use std::sync::Arc;

use weir_connect::DriverError;
use weir_model::Timestamp;

use crate::agent::Failure;
use crate::session::{AgentSession, COUNT, Stage};
use crate::streams::Header;
use crate::value::Fold;

/// A buffer with fewer observations than this is read from its beginning.
const SEEK_MIN: u64 = 4 * COUNT;

/// Adapters tell with a delay, so times do not rise strictly; the search allows for this much.
const DISORDER: i64 = 60_000_000_000;

/// How often the reading begins anew because the buffer has moved on beneath it.
const RESTARTS_MAX: u32 = 3;

/// A walk through the buffer.
pub(crate) struct History {
    phase: Phase,
    /// What comes from here on is streamed.
    until: u64,
    /// What is not later than this is stored already.
    since: Timestamp,
    folds: Vec<Option<Fold>>,
    /// Points that had a value. Before it, that they have none is what the loss has told already.
    valued: HashSet<usize>,
    restarts: u32,
}

enum Phase {
    /// What is missed begins at `low` at the earliest and at `high` at the latest.
    Seek {
        low: u64,
        high: u64,
    },
    /// What the data items were there is asked for, where changes alone do not tell.
    Seed {
        from: u64,
    },
    Pages {
        from: u64,
    },
}

impl History {
    /// What was observed after a time.
    pub(crate) fn since(header: &Header, since: Timestamp) -> Self {
        Self::new(Phase::at(header.first, header.next), header, since)
    }

    /// What has a sequence, and what follows.
    pub(crate) fn from(sequence: u64, header: &Header) -> Self {
        Self::new(Phase::Seed { from: sequence }, header, Timestamp::MIN)
    }

    fn new(phase: Phase, header: &Header, since: Timestamp) -> Self {
        Self {
            phase,
            until: header.next,
            since,
            folds: Vec::new(),
            valued: HashSet::new(),
            restarts: 0,
        }
    }
}

impl Phase {
    fn at(low: u64, high: u64) -> Self {
        if high.saturating_sub(low) > SEEK_MIN {
            Self::Seek { low, high }
        } else {
            Self::Seed { from: low }
        }
    }
}

impl AgentSession {
    /// One question to the buffer.
    pub(crate) async fn read_history(&mut self, mut history: History) -> Result<(), DriverError> {
        let step = match history.phase {
            Phase::Seek { low, high } => self.seek(&mut history, low, high).await,
            Phase::Seed { from } => self.seed(&mut history, from).await,
            Phase::Pages { from } => self.page(&mut history, from).await,
        };
        match step {
            Ok(true) => self.stage = Stage::History(history),
            Ok(false) => self.go_live(),
            Err(failure) if failure.is_out_of_range() && history.restarts < RESTARTS_MAX => {
                // The oldest observations were overwritten since the last question.
                match self.agent.current(None, Some(&Arc::clone(&self.index))).await {
                    Ok((header, _)) => {
                        history.restarts += 1;
                        history.phase = Phase::at(header.first, history.until);
                        self.stage = Stage::History(history);
                    }
                    Err(failure) => return Err(self.failed(failure, "current")),
                }
            }
            // Without its history an agent still tells what is.
            Err(failure) if failure.is_refusal() => {
                let error = self.failed(failure, "sample");
                tracing::warn!(%error, "an agent's buffer cannot be read; what was missed stays missing");
                self.go_live();
            }
            Err(failure) => return Err(self.failed(failure, "sample")),
        }
        Ok(())
    }

    async fn seek(&mut self, history: &mut History, low: u64, high: u64) -> Result<bool, Failure> {
        if high.saturating_sub(low) <= COUNT {
            history.phase = Phase::Seed { from: low };
            return Ok(true);
        }
        let middle = low + (high - low) / 2;
        let (_, found) = self.agent.sample(middle, 1, None).await?;
        let bound = history.since.saturating_add(-DISORDER);
        let is_missed = found.first().is_none_or(|observation| self.time(observation) > bound);
        history.phase = if is_missed {
            Phase::Seek { low, high: middle }
        } else {
            Phase::Seek { low: middle, high }
        };
        Ok(true)
    }

    async fn seed(&mut self, history: &mut History, from: u64) -> Result<bool, Failure> {
        history.folds = self.empty_folds();
        history.phase = Phase::Pages { from };
        if !history.folds.iter().flatten().any(Fold::is_cumulative) {
            return Ok(true);
        }
        let index = Arc::clone(&self.index);
        match self.agent.current(Some(from), Some(&index)).await {
            Ok((_, mut found)) => {
                found.sort_by_key(|observation| observation.sequence);
                for observation in &found {
                    self.readings(&mut history.folds, observation);
                }
                Ok(true)
            }
            // Then what was set before stays unknown until it changes.
            Err(failure) if failure.is_refusal() && !failure.is_out_of_range() => Ok(true),
            Err(failure) => Err(failure),
        }
    }

    async fn page(&mut self, history: &mut History, from: u64) -> Result<bool, Failure> {
        if from >= history.until {
            return Ok(false);
        }
        let index = Arc::clone(&self.index);
        let count = COUNT.min(history.until - from);
        let (header, mut found) = self.agent.sample(from, count, Some(&index)).await?;
        found.sort_by_key(|observation| observation.sequence);
        let mut readings = Vec::new();
        for observation in &found {
            if (from..history.until).contains(&observation.sequence) {
                let told = self.readings(&mut history.folds, observation);
                readings.extend(told.into_iter().filter(|reading| {
                    if reading.outcome.is_ok() {
                        history.valued.insert(reading.point);
                    }
                    history.valued.contains(&reading.point) && reading.time > history.since
                }));
            }
        }
        self.tell_late(readings);
        history.phase = Phase::Pages { from: header.next };
        // An agent that does not move on is not asked for ever.
        Ok(header.next > from)
    }
}
