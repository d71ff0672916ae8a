//! The keeper: one thread that writes memory to blocks and merges blocks.

mod compact;
mod flush;
mod held;
mod merge;
mod plan;
mod room;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::held::Held;
pub(crate) use self::plan::Rules;
use crate::manifest::Manifest;
use crate::memory::Table;
use crate::shared::{Shared, refusal};
use crate::{AppendError, HistorianError};

/// First and longest pause before writing blocks is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// How long at most the keeper does not look whether days are over or samples old.
const LOOK: Duration = Duration::from_secs(60);

/// A table that is changed no more, to be written to blocks.
#[derive(Clone)]
pub(crate) struct Frozen {
    /// The rows.
    pub(crate) table: Arc<RwLock<Table>>,
    /// The newest position in it; all up to it are in it or in blocks.
    pub(crate) covered: u64,
    /// Samples ever stored up to that position.
    pub(crate) samples: u64,
}

/// Somebody who waits until what can be merged is merged.
pub(crate) struct Request {
    /// Whether that is all, or what is due.
    pub(crate) all: bool,
    /// Where to answer.
    pub(crate) done: oneshot::Sender<Result<(), HistorianError>>,
}

/// What the keeper does next.
enum Turn {
    Write(Frozen),
    Answer(Request),
    Tend,
    End,
}

/// What is asked of the keeper: one table at a time.
#[derive(Default)]
pub(crate) struct KeeperQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    frozen: Option<Frozen>,
    requests: VecDeque<Request>,
    failing: bool,
    /// Try again without a pause.
    nudged: bool,
    /// Begin nothing long: the end is asked for soon, once the last table was given.
    ending: bool,
    /// End when there is no table left.
    closing: bool,
    /// End at once.
    stopping: bool,
}

impl KeeperQueue {
    /// Gives a table; called only while it is not busy.
    pub(crate) fn give(&self, frozen: Frozen) {
        self.lock().frozen = Some(frozen);
        self.changed.notify_all();
    }

    /// Whether a table is being written.
    pub(crate) fn is_busy(&self) -> bool {
        self.lock().frozen.is_some()
    }

    /// Waits until a table was written or could not be.
    pub(crate) fn wait_for_change(&self) {
        let state = self.lock();
        if state.frozen.is_some() && !state.failing && !state.stopping {
            drop(self.changed.wait(state).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Waits until no table is being written; gives false where one cannot be, or none shall.
    pub(crate) fn wait_until_idle(&self) -> bool {
        let mut state = self.lock();
        while state.frozen.is_some() && !state.failing && !state.stopping {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.frozen.is_none() && !state.stopping
    }

    /// Asks for another attempt now, where the last one failed.
    pub(crate) fn nudge(&self) {
        self.lock().nudged = true;
        self.changed.notify_all();
    }

    /// Asks for a merge of blocks; refused where the keeper ends.
    pub(crate) fn ask(&self, request: Request) -> Result<(), HistorianError> {
        let mut state = self.lock();
        if state.closing || state.stopping {
            return Err(HistorianError::Closed);
        }
        state.requests.push_back(request);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Has the keeper end what takes long and begin no more of it; tables are written on.
    pub(crate) fn prepare_close(&self) {
        self.lock().ending = true;
    }

    /// Asks the keeper to end when it has nothing to do.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// Asks the keeper to end at once.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        state.requests.clear();
        drop(state);
        self.changed.notify_all();
    }

    /// Whether it was asked to end at once.
    pub(crate) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Whether it was asked to end, or is soon.
    fn is_closing(&self) -> bool {
        let state = self.lock();
        state.ending || state.closing || state.stopping
    }

    /// The table to write, without waiting.
    fn pending(&self) -> Option<Frozen> {
        self.lock().frozen.clone()
    }

    /// Waits for something to do, at most until a moment.
    fn next(&self, until: Instant) -> Turn {
        let mut state = self.lock();
        loop {
            if state.stopping {
                state.requests.clear();
                return Turn::End;
            }
            if let Some(frozen) = &state.frozen {
                return Turn::Write(frozen.clone());
            }
            if state.closing {
                state.requests.clear();
                return Turn::End;
            }
            if let Some(request) = state.requests.pop_front() {
                return Turn::Answer(request);
            }
            let wait = until.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Turn::Tend;
            }
            let waited = self.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Notes how writing the table went.
    fn settle(&self, written: bool) {
        let mut state = self.lock();
        if written {
            state.frozen = None;
        }
        state.failing = !written;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits before trying again; gives false to end.
    fn pause(&self, pause: Duration) -> bool {
        let state = self.lock();
        let pausing = |state: &mut State| !state.stopping && !state.closing && !state.nudged;
        let waited = self.changed.wait_timeout_while(state, pause, pausing);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.nudged = false;
        !state.stopping && !state.closing
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's state.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    /// The manifest as it is on disk, but for `next_block`, which counts on with every attempt.
    manifest: Manifest,
    /// Blocks that could not be merged.
    held: Held,
}

impl Keeper {
    /// A keeper of the historian's blocks.
    pub(crate) fn new(shared: Arc<Shared>, manifest: Manifest) -> Self {
        Self { shared, manifest, held: Held::default() }
    }

    /// Writes and merges blocks until asked to end.
    pub(crate) fn run(mut self) {
        self.sweep();
        let mut pause = RETRY.0;
        loop {
            match self.shared.keeper.next(Instant::now() + LOOK) {
                Turn::Write(frozen) => {
                    if self.write(&frozen) {
                        pause = RETRY.0;
                        self.tend_due();
                    } else if self.shared.keeper.pause(pause) {
                        pause = (pause * 2).min(RETRY.1);
                    } else {
                        break;
                    }
                }
                Turn::Answer(Request { all, done }) => {
                    let tended = self.tend(all);
                    // Who asked may have gone away.
                    let _ = done.send(tended);
                }
                Turn::Tend => self.tend_due(),
                Turn::End => break,
            }
        }
    }

    fn tend_due(&mut self) {
        // What fails is told where it does, and tried again after the next flush or look.
        let _ = self.tend(false);
    }

    /// Writes a table to blocks, and says how it went to those who wait for it.
    fn write(&mut self, frozen: &Frozen) -> bool {
        let written = self.flush(frozen);
        let failure: Option<AppendError> = written.as_ref().err().map(refusal);
        if let Some(reason) = &failure {
            tracing::error!(%reason, "memory could not be written to blocks; it stays in the log");
        }
        self.shared.progress.send_modify(|progress| {
            match failure {
                None => progress.covered = frozen.covered,
                Some(_) => progress.failures += 1,
            }
            progress.failure = failure;
        });
        self.shared.keeper.settle(written.is_ok());
        // The writer removes the log that is in blocks now, and may have a table waiting.
        self.shared.queue.wake();
        written.is_ok()
    }
}

/// Should the thread fail, nobody waits for it in vain.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.keeper.stop();
        if std::thread::panicking() {
            self.shared.progress.send_modify(|progress| {
                progress.failures += 1;
                progress.failure = Some(AppendError::Closed);
            });
        }
    }
}
