//! The writer: one thread that stores what is in the queue, many batches with one `fdatasync`.
//!
//! Order of things for a group: log, durable; then memory, last values and producers; then the
//! live stream; then the answers. So what is answered can be read, and what can be read is durable.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use weir_model::{Batch, TenantId};

use crate::deletion::{Deletion, Entry};
use crate::keeper::Frozen;
use crate::live::LiveBatch;
use crate::log::{LogWriter, record};
use crate::memory::Table;
use crate::producers::{Stored, Verdict};
use crate::queue::{Job, Turn};
use crate::shared::{Shared, refusal};
use crate::{AppendError, Appended};

/// How often it is looked whether a disk that refused takes something again, so that it is known
/// without anybody sending samples.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// The thread's state.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    log: LogWriter,
    /// Where new samples go: the view's active table.
    active: Arc<RwLock<Table>>,
    /// The newest position.
    position: u64,
    /// The newest position that is in the table being written to blocks, or in blocks.
    frozen_to: u64,
    /// Up to where the log was removed.
    released_to: u64,
    /// When the oldest batch in the active table was stored.
    oldest: Option<Instant>,
    /// When to look whether the disk takes something; none while it is known that it does.
    probe_at: Option<Instant>,
    records: Vec<u8>,
}

/// What becomes of a job of a group.
enum Fate {
    Store(u64),
    /// Sent again: the producer's newest position.
    Repeated(u64),
    Refuse(AppendError),
}

impl Writer {
    /// A writer that goes on where recovery ended.
    pub(crate) fn new(shared: Arc<Shared>, log: LogWriter) -> Self {
        let active = shared.view().active;
        let position = shared.counters.position.load(Ordering::Relaxed);
        let covered = shared.progress.borrow().covered;
        let oldest = (position > covered).then(Instant::now);
        shared.counters.log_bytes.store(log.bytes(), Ordering::Relaxed);
        Self {
            shared,
            log,
            active,
            position,
            frozen_to: covered,
            // Recovery may not have been able to.
            released_to: 0,
            oldest,
            probe_at: Some(Instant::now()),
            records: Vec::new(),
        }
    }

    /// Stores until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        loop {
            let deadline = self.oldest.and_then(|at| {
                // While a table is being written, no other can be: the keeper wakes us.
                let idle = !self.shared.keeper.is_busy();
                at.checked_add(self.shared.options.flush_age_max).filter(|_| idle)
            });
            let deadline = deadline.into_iter().chain(self.probe_at).min();
            match self.shared.queue.next(self.shared.options.group_batches_max.max(1), deadline) {
                Turn::Group(jobs) => self.store(jobs),
                Turn::Idle => self.probe(),
                Turn::End => break,
            }
            self.release();
            if self.flush_due() {
                self.freeze();
            }
        }
        // Asked for by a close; a handle that is only dropped asks for nothing.
        if self.shared.keeper.wait_until_idle() && self.flush_due() {
            self.freeze();
            self.shared.keeper.wait_until_idle();
        }
        // What was refused last goes as well, or the next start would take it for stored.
        if let Err(error) = self.log.settle() {
            tracing::warn!(%error, "a batch that was refused may be found stored at the next start");
        }
        self.log.seal();
        self.release();
    }

    fn store(&mut self, jobs: Vec<Job>) {
        if let Err(refusal) = self.make_room() {
            return self.refuse(jobs, &refusal);
        }
        let first = self.position + 1;
        let fates = self.decide(&jobs);
        self.records.clear();
        for (job, fate) in jobs.iter().zip(&fates) {
            if let Fate::Store(position) = fate {
                record::encode_frame(&job.payload, *position, first, &mut self.records);
            }
        }
        let last = fates.iter().rev().find_map(|fate| match fate {
            Fate::Store(position) => Some(*position),
            Fate::Repeated(_) | Fate::Refuse(_) => None,
        });
        // A batch that is told to be stored is durable, also where a killed process had stored it.
        if last.is_none()
            && let Err(error) = self.log.settle()
        {
            return self.refuse(jobs, &refusal(&error));
        }
        if let Some(last) = last {
            let appended = self.log.append(first, last, &self.records);
            self.shared.counters.log_bytes.store(self.log.bytes(), Ordering::Relaxed);
            if let Err(error) = appended {
                return self.refuse(jobs, &refusal(&error));
            }
            self.position = last;
            self.oldest.get_or_insert_with(Instant::now);
        }
        self.shared.set_unavailable(None);
        self.probe_at = None;
        self.publish(jobs, &fates);
        // A burst's room is not kept for ever.
        if self.records.capacity() > (1 << 20) {
            self.records = Vec::new();
        }
    }

    /// Which of the jobs are new, and their positions.
    fn decide(&self, jobs: &[Job]) -> Vec<Fate> {
        let mut position = self.position;
        let mut in_group: HashMap<(TenantId, &str), Stored> = HashMap::new();
        let producers = self.shared.producers();
        let mut fates = Vec::with_capacity(jobs.len());
        for Job { entry, .. } in jobs {
            if let Entry::Batch(batch) = entry
                && let Some(producer) = &batch.producer
            {
                let key = (batch.tenant, producer.name());
                let stored = in_group.get(&key).copied().or_else(|| producers.get(key.0, key.1));
                let sequence = producer.sequence;
                let mut noted = stored.unwrap_or(Stored::first(sequence, position + 1));
                if let Some(stored) = stored {
                    match stored.judge(sequence) {
                        Verdict::New => noted.note(sequence, position + 1),
                        Verdict::Repeated => {
                            fates.push(Fate::Repeated(stored.position));
                            continue;
                        }
                        Verdict::TooOld => {
                            fates.push(Fate::Refuse(AppendError::SequenceTooOld {
                                producer: producer.name().to_owned(),
                                sequence,
                                highest: stored.sequence,
                            }));
                            continue;
                        }
                    }
                }
                in_group.insert(key, noted);
            }
            position += 1;
            fates.push(Fate::Store(position));
        }
        fates
    }

    /// Makes a durable group readable, then answers.
    fn publish(&mut self, jobs: Vec<Job>, fates: &[Fate]) {
        let shared = &self.shared;
        let stored = || {
            jobs.iter().zip(fates).filter_map(|(job, fate)| match fate {
                Fate::Store(position) => Some((&job.entry, *position)),
                Fate::Repeated(_) | Fate::Refuse(_) => None,
            })
        };
        {
            let mut active = self.active.write().unwrap_or_else(PoisonError::into_inner);
            stored().for_each(|(entry, _)| match entry {
                Entry::Batch(batch) => active.insert(batch.tenant, &batch.samples),
                Entry::Deletion(deletion, _) => active.delete(deletion),
            });
        }
        {
            let mut last = shared.last_mut();
            stored().for_each(|(entry, position)| match entry {
                Entry::Batch(batch) => last.insert(batch.tenant, position, &batch.samples),
                Entry::Deletion(deletion, latest) => {
                    last.delete(&Deletion { position, ..*deletion }, latest.as_ref());
                }
            });
        }
        let deletions = stored().filter_map(|(entry, position)| match entry {
            Entry::Deletion(deletion, _) => Some(Deletion { position, ..*deletion }),
            Entry::Batch(_) => None,
        });
        let deletions: Vec<Deletion> = deletions.collect();
        if !deletions.is_empty() {
            Arc::make_mut(&mut shared.view_mut().deletions).extend(deletions);
        }
        {
            let mut producers = shared.producers();
            for (entry, position) in stored() {
                if let Entry::Batch(batch) = entry
                    && let Some(producer) = &batch.producer
                {
                    producers.insert(batch.tenant, producer, position);
                }
            }
        }
        let counters = &shared.counters;
        counters.position.store(self.position, Ordering::Relaxed);
        for (job, fate) in jobs.into_iter().zip(fates) {
            let Job { entry, done, room, .. } = job;
            let accepted = match &entry {
                Entry::Batch(batch) => batch.samples.len(),
                Entry::Deletion(..) => 0,
            };
            let (position, duplicate) = match fate {
                Fate::Store(position) => {
                    counters.appended.fetch_add(1, Ordering::Relaxed);
                    counters.samples.fetch_add(accepted as u64, Ordering::Relaxed);
                    self.tell(*position, entry);
                    (*position, false)
                }
                Fate::Repeated(position) => {
                    counters.duplicates.fetch_add(1, Ordering::Relaxed);
                    (*position, true)
                }
                Fate::Refuse(reason) => {
                    drop(room);
                    // Counted by the one who appends.
                    let _ = done.send(Err(reason.clone()));
                    continue;
                }
            };
            drop(room);
            // A caller that has gone away is not told.
            let _ = done.send(Ok(Appended { position, accepted, duplicate }));
        }
    }

    /// Publishes what was stored to the live stream, unless it is none of its business.
    fn tell(&self, position: u64, entry: Entry) {
        let live = &self.shared.live;
        match entry {
            Entry::Batch(Batch { tenant, samples, backfill: false, .. }) => {
                live.publish(LiveBatch { position, tenant, samples });
            }
            Entry::Batch(_) | Entry::Deletion(..) => live.pass(position),
        }
    }

    /// Looks whether the disk takes something, where that is not known.
    fn probe(&mut self) {
        if self.probe_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        let memory_max = self.shared.options.memory_bytes_max.max(1);
        let failure = self.shared.progress.borrow().failure.clone();
        let refused = match failure.filter(|_| self.memory_bytes() >= memory_max) {
            Some(failure) => Some(failure),
            None => {
                let probed = self.log.settle().and_then(|()| self.shared.probe());
                probed.err().map(|error| refusal(&error))
            }
        };
        self.probe_at = refused.is_some().then(|| Instant::now() + PROBE_EVERY);
        self.shared.set_unavailable(refused);
    }

    fn refuse(&mut self, jobs: Vec<Job>, reason: &AppendError) {
        self.shared.set_unavailable(Some(reason.clone()));
        self.probe_at = Some(Instant::now() + PROBE_EVERY);
        self.shared.counters.refused.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        for job in jobs {
            drop(job.room);
            let _ = job.done.send(Err(reason.clone()));
        }
    }

    /// Waits until memory has room; refuses where blocks cannot be written.
    fn make_room(&mut self) -> Result<(), AppendError> {
        // An empty table is not written, however small the bound: it would be for ever.
        while self.memory_bytes() >= self.shared.options.memory_bytes_max.max(1) {
            if !self.shared.keeper.is_busy() {
                self.freeze();
            } else if let Some(failure) = self.shared.progress.borrow().failure.clone() {
                return Err(failure);
            } else if self.shared.keeper.is_stopping() {
                return Err(AppendError::Closed);
            } else {
                self.shared.keeper.wait_for_change();
            }
        }
        Ok(())
    }

    /// Whether memory is to be written to blocks now.
    fn flush_due(&self) -> bool {
        let options = &self.shared.options;
        let asked = self.shared.counters.flush_asked.load(Ordering::Acquire);
        let old = |at: Instant| at.elapsed() >= options.flush_age_max;
        self.position > self.frozen_to
            && !self.shared.keeper.is_busy()
            && (asked > self.frozen_to
                || self.oldest.is_some_and(old)
                || self.log.bytes() >= options.log_bytes_max
                || self.memory_bytes() >= options.memory_bytes_max)
    }

    /// Hands the active table to the keeper and begins another, and another segment with it.
    fn freeze(&mut self) {
        self.log.seal();
        let full = {
            let mut view = self.shared.view_mut();
            let full = std::mem::take(&mut view.active);
            self.active = Arc::clone(&view.active);
            view.frozen = Some((Arc::clone(&full), self.position));
            full
        };
        (self.frozen_to, self.oldest) = (self.position, None);
        self.shared.keeper.give(Frozen {
            table: full,
            covered: self.position,
            samples: self.shared.counters.samples.load(Ordering::Relaxed),
        });
    }

    /// Removes the log that blocks cover.
    fn release(&mut self) {
        let covered = self.shared.progress.borrow().covered;
        if covered > self.released_to {
            match self.log.settle().and_then(|()| self.log.release(covered)) {
                Ok(()) => self.released_to = covered,
                // It is tried again at the next turn, and at the next start.
                Err(error) => tracing::warn!(%error, "log that is in blocks could not be removed"),
            }
            self.shared.counters.log_bytes.store(self.log.bytes(), Ordering::Relaxed);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.active.read().unwrap_or_else(PoisonError::into_inner).bytes()
    }
}

/// Should the thread fail, nobody waits for it in vain.
impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue.abandon();
    }
}
