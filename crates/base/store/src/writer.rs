//! The one thread that writes: it takes what waits, decides and applies commit by commit in one
//! transaction, flushes once, and answers them all.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;

use crate::apply::apply;
use crate::commit::{Commit, Receipt};
use crate::core::{Core, count};
use crate::decide::{Refusal, decide};
use crate::error::{CommitError, StoreError};
use crate::feed;
use crate::meta;
use crate::snapshot::Snapshot;

/// Most commits that wait to be written; one more is told that the store is busy. At some ten
/// thousand small commits a second this is a tenth of a second's work.
pub const COMMITS_WAITING_MAX: usize = 1024;

/// Most bytes of all commits that wait, because they wait in memory.
pub(crate) const WAITING_BYTES_MAX: u64 = 64 << 20;

/// Most bytes of commits that share a transaction. LMDB keeps the pages that a transaction
/// changes in memory, and keeps that memory for the next one.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// A commit and whom to answer.
pub(crate) struct Waiting {
    /// It alone, or what a large one was cut into: all of them, or none.
    pub(crate) parts: Vec<Commit>,
    pub(crate) bytes: usize,
    pub(crate) reply: oneshot::Sender<Result<Receipt, CommitError>>,
}

/// Writes until every sender is gone and nothing waits.
pub(crate) fn run(core: &Core, queue: &Receiver<Waiting>) {
    let mut carried = None;
    while let Some(first) = carried.take().or_else(|| queue.recv().ok()) {
        let mut bytes = first.bytes;
        let mut group = vec![first];
        while group.len() < COMMITS_WAITING_MAX {
            if group[0].parts.len() > 1 {
                break;
            }
            let Ok(next) = queue.try_recv() else { break };
            if bytes + next.bytes > GROUP_BYTES_MAX || next.parts.len() > 1 {
                carried = Some(next);
                break;
            }
            bytes += next.bytes;
            group.push(next);
        }
        let tally = &core.tally;
        tally.waiting.fetch_sub(group.len() as u64, Ordering::Relaxed);
        tally.waiting_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        core.room.notify_waiters();
        write(core, group);
    }
}

/// Writes a group and answers it. Where the whole cannot be written (the disk may be full for a
/// large commit, and not for a small one), each is tried alone.
fn write(core: &Core, group: Vec<Waiting>) {
    match write_together(core, &group) {
        Ok(outcomes) => {
            for (waiting, outcome) in group.into_iter().zip(outcomes) {
                answer(core, waiting, outcome);
            }
        }
        Err(error) if group.len() == 1 => {
            // Told once, however many commits follow: a full disk fills no log.
            if !core.tally.failing.swap(true, Ordering::Relaxed) {
                tracing::error!(error = error_text(&error), "commits cannot be written");
            }
            for waiting in group {
                answer(core, waiting, Err(error.clone().into()));
            }
        }
        Err(_) => {
            for waiting in group {
                write(core, vec![waiting]);
            }
        }
    }
}

fn answer(core: &Core, waiting: Waiting, outcome: Result<Receipt, CommitError>) {
    count(if outcome.is_ok() { &core.tally.commits } else { &core.tally.refused }, 1);
    // Whoever asked may have gone away; the commit stands all the same.
    let _ = waiting.reply.send(outcome);
}

type Outcomes = Vec<Result<Receipt, CommitError>>;

fn write_together(core: &Core, group: &[Waiting]) -> Result<Outcomes, StoreError> {
    let mut txn = core.env.write_txn().map_err(StoreError::storage("write"))?;
    let start = *core.head.borrow();
    let mut head = start;
    let mut outcomes = Vec::with_capacity(group.len());
    for waiting in group {
        let mut versions = Vec::new();
        let mut outcome = Ok(());
        for part in &waiting.parts {
            match decide(&Snapshot::new(core, &txn), part) {
                Ok(decision) => {
                    head += 1;
                    apply(core, &mut txn, part, &decision, head)?;
                    versions.extend(decision.versions);
                }
                Err(refusal) => {
                    outcome = Err(refused(part, refusal));
                    break;
                }
            }
        }
        outcomes.push(outcome.map(|()| Receipt { position: head, versions }));
    }
    // What was cut into parts is alone, and goes as a whole.
    if let ([alone], [Err(_)]) = (group, &outcomes[..])
        && alone.parts.len() > 1
    {
        txn.abort();
        return Ok(outcomes);
    }
    if head == start {
        txn.abort();
        return Ok(outcomes);
    }
    meta::put(core.tables.meta, &mut txn, meta::HEAD, &head.to_be_bytes())?;
    feed::trim(core, &mut txn, head)?;
    txn.commit().map_err(StoreError::storage("flush"))?;
    if core.tally.failing.swap(false, Ordering::Relaxed) {
        tracing::info!("commits are written again");
    }
    count(&core.tally.transactions, 1);
    core.tally.group_max.fetch_max(head - start, Ordering::Relaxed);
    core.head.send_replace(head);
    Ok(outcomes)
}

fn refused(commit: &Commit, refusal: Refusal<StoreError>) -> CommitError {
    match refusal {
        Refusal::Conflict { operation, current } => {
            let operation = &commit.operations[operation];
            CommitError::Conflict {
                collection: operation.collection,
                key: operation.key.clone(),
                expected: operation.expect,
                current,
            }
        }
        Refusal::Duplicate { operation, index, value, holder } => {
            let operation = &commit.operations[operation];
            CommitError::Duplicate {
                collection: operation.collection,
                index,
                value,
                key: operation.key.clone(),
                holder,
            }
        }
        Refusal::State(error) => error.into(),
    }
}

/// Starts the thread.
pub(crate) fn start(
    core: &Arc<Core>,
    queue: Receiver<Waiting>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let core = Arc::clone(core);
    std::thread::Builder::new().name("store-writer".into()).spawn(move || run(&core, &queue))
}

/// An error with its causes, for the log.
fn error_text(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
