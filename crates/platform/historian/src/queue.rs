//! Batches on their way to the writer: bounded in bytes, in the order they came.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::deletion::Entry;
use crate::{AppendError, Appended};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Callers that may wait for room; more are refused at once, because each holds a batch.
const WAITING_MAX: usize = 256;

/// Bytes of batches that share one write. Small, because memory overshoots its bound by as much.
const GROUP_BYTES_MAX: usize = 2 << 20;

/// A batch waiting to be stored.
pub(crate) struct Job {
    /// What is to be stored.
    pub(crate) entry: Entry,
    /// The same as the log holds it.
    pub(crate) payload: Vec<u8>,
    /// Whom to tell.
    pub(crate) done: oneshot::Sender<Result<Appended, AppendError>>,
    /// Its room in the queue, given back when it is stored.
    pub(crate) room: OwnedSemaphorePermit,
}

/// What the writer does next.
pub(crate) enum Turn {
    /// Store these together.
    Group(Vec<Job>),
    /// Look after the log and memory.
    Idle,
    /// Everything is stored and nothing more will come.
    End,
}

/// The queue.
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    room: Arc<Semaphore>,
    waiting: Semaphore,
    bytes_max: usize,
    wait_max: Duration,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    woken: bool,
    closed: bool,
}

impl Queue {
    /// A queue of so many bytes, in which callers wait so long for room.
    pub(crate) fn new(bytes_max: usize, wait_max: Duration) -> Self {
        // The semaphore counts to u32::MAX at a time.
        let bytes_max = bytes_max.min(u32::MAX as usize);
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            room: Arc::new(Semaphore::new(bytes_max)),
            waiting: Semaphore::new(WAITING_MAX),
            bytes_max,
            wait_max,
        }
    }

    /// Waits for room for so many bytes, or for all there is where that is less.
    pub(crate) async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, AppendError> {
        let permits = u32::try_from(bytes.min(self.bytes_max)).unwrap_or(u32::MAX);
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(permits) {
            return Ok(room);
        }
        let _place = self.waiting.try_acquire().map_err(|_| AppendError::Overloaded)?;
        let room = Arc::clone(&self.room).acquire_many_owned(permits);
        match tokio::time::timeout(self.wait_max, room).await {
            Ok(room) => room.map_err(|_| AppendError::Closed),
            Err(_) => Err(AppendError::Overloaded),
        }
    }

    /// Adds a batch.
    pub(crate) fn push(&self, job: Job) -> Result<(), AppendError> {
        let mut state = self.lock();
        if state.closed {
            return Err(AppendError::Closed);
        }
        state.jobs.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits until there is something to store, the writer is woken or the deadline has passed.
    pub(crate) fn next(&self, batches_max: usize, deadline: Option<Instant>) -> Turn {
        let mut state = self.lock();
        loop {
            if !state.jobs.is_empty() {
                return Turn::Group(take_group(&mut state.jobs, batches_max));
            }
            if std::mem::take(&mut state.woken) {
                return Turn::Idle;
            }
            if state.closed {
                return Turn::End;
            }
            state = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Turn::Idle,
                Some(rest) => {
                    let woken = self.changed.wait_timeout(state, rest);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Gives the writer a turn although nothing is to be stored.
    pub(crate) fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_one();
    }

    /// Refuses batches from now on.
    pub(crate) fn close(&self) {
        self.room.close();
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Refuses batches from now on, and those that are waiting, because nobody will store them.
    pub(crate) fn abandon(&self) {
        self.close();
        let jobs = std::mem::take(&mut self.lock().jobs);
        // Dropped without the lock: a caller that wakes up may look at the queue.
        drop(jobs);
    }

    /// Bytes that are taken.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes_max.saturating_sub(self.room.available_permits())
    }

    /// Bytes that there are.
    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_group(jobs: &mut VecDeque<Job>, batches_max: usize) -> Vec<Job> {
    let mut bytes = 0;
    let fits = |job: &&Job| {
        bytes += job.payload.len();
        bytes <= GROUP_BYTES_MAX
    };
    let count = jobs.iter().take(batches_max).take_while(fits).count();
    let group = jobs.drain(..count.max(1)).collect();
    // A burst's room is not kept for ever.
    if jobs.is_empty() && jobs.capacity() > 1024 {
        jobs.shrink_to(64);
    }
    group
}
