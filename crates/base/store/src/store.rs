//! The store: what a program opens, commits to and reads from.

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};
use weir_model::{Author, TenantId, Timestamp};

use crate::backup::{self, BackupReport};
use crate::collection::Collection;
use crate::commit::{Commit, Receipt};
use crate::core::Core;
use crate::error::{CommitError, FeedError, StoreError};
use crate::export::{self, ExportReport};
use crate::feed::{self, FeedEntry};
use crate::import::{self, ImportReport};
use crate::options::Options;
use crate::schema::Schema;
use crate::snapshot::{Page, Revision, Snapshot, Versioned};
use crate::stats::Stats;
use crate::verify::{self, VerifyReport};
use crate::writer::{self, COMMITS_WAITING_MAX, WAITING_BYTES_MAX, Waiting};

/// A data folder that is open. Clones share it; when the last one is dropped, what waits is
/// written, the writer ends and the folder is free for others.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What the writer will say.
type Answer = oneshot::Receiver<Result<Receipt, CommitError>>;

/// Why a commit was not accepted, and the commit, where it found no room to wait and was not in parts.
type Returned = (CommitError, Option<Box<Commit>>);

struct Inner {
    queue: Option<SyncSender<Waiting>>,
    writer: Option<JoinHandle<()>>,
    core: Arc<Core>,
}

impl Store {
    /// Opens a data folder, making it where it does not exist.
    ///
    /// # Errors
    /// [`StoreError::AlreadyOpen`], [`StoreError::NewerFormat`], [`StoreError::NotAStore`],
    /// [`StoreError::SecretKeyMissing`] and [`StoreError::SecretKeyWrong`] name what an operator
    /// can mend; see [`StoreError`] for the rest.
    pub fn open(dir: &Path, schema: Schema, options: Options) -> Result<Self, StoreError> {
        let core = Arc::new(Core::open(dir, schema, options)?);
        let (queue, waiting) = sync_channel(COMMITS_WAITING_MAX);
        let writer =
            writer::start(&core, waiting).map_err(StoreError::io("start the writer of", dir))?;
        Ok(Self { inner: Arc::new(Inner { queue: Some(queue), writer: Some(writer), core }) })
    }

    /// Commits. When it returns, the commit is on the disk and every read sees it.
    ///
    /// A future that is dropped takes nothing back: the commit may still be written.
    ///
    /// # Errors
    /// See [`CommitError`].
    pub async fn commit(&self, mut commit: Commit) -> Result<Receipt, CommitError> {
        commit.check()?;
        self.commit_checked(commit).await
    }

    /// Commits what may be too large for one entry of the change feed: all of it or nothing, in one transaction, and as
    /// several entries in a row where one cannot hold it. Unique values are judged on what each part leaves, so a swap
    /// must lie within [`crate::COMMIT_OPERATIONS_MAX`] operations. The receipt tells the position of the last entry.
    ///
    /// # Errors
    /// As [`Store::commit`]; too large is what exceeds [`crate::LARGE_COMMIT_OPERATIONS_MAX`] or
    /// [`crate::LARGE_COMMIT_BYTES_MAX`].
    pub async fn commit_in_parts(&self, mut commit: Commit) -> Result<Receipt, CommitError> {
        commit.check_large()?;
        self.commit_checked(commit).await
    }

    async fn commit_checked(&self, commit: Commit) -> Result<Receipt, CommitError> {
        for operation in &commit.operations {
            self.core().named(operation.collection)?;
        }
        self.commit_or_return(commit).await.map_err(|(error, _)| error)
    }

    /// Commits what was checked, and gives it back where there was no room for it to wait.
    pub(crate) async fn commit_or_return(&self, commit: Commit) -> Result<Receipt, Returned> {
        let answer = self.enqueue(commit)?;
        let answer = answer.await.map_err(|_| (CommitError::Stopped, None))?;
        answer.map_err(|error| (error, None))
    }

    fn enqueue(&self, commit: Commit) -> Result<Answer, Returned> {
        let Some(queue) = self.inner.queue.as_ref() else {
            return Err((CommitError::Stopped, None));
        };
        let bytes = commit.bytes();
        let parts = match commit.is_large() {
            true => commit.into_parts(),
            false => vec![commit],
        };
        let tally = &self.core().tally;
        let uncount = || {
            tally.waiting_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
            tally.waiting.fetch_sub(1, Ordering::Relaxed);
        };
        tally.waiting.fetch_add(1, Ordering::Relaxed);
        let before = tally.waiting_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if before + bytes as u64 > WAITING_BYTES_MAX {
            uncount();
            return Err((CommitError::Busy, only(parts)));
        }
        let (reply, answer) = oneshot::channel();
        queue.try_send(Waiting { parts, bytes, reply }).map_err(|error| {
            uncount();
            match error {
                TrySendError::Full(back) => (CommitError::Busy, only(back.parts)),
                TrySendError::Disconnected(_) => (CommitError::Stopped, None),
            }
        })?;
        Ok(answer)
    }

    /// Reads one consistent image. The closure should end within milliseconds: as long as it
    /// runs, no page that it may still see is used again.
    ///
    /// # Errors
    /// See [`StoreError`]; and whatever the closure returns.
    pub fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.core().read(read)
    }

    /// [`Snapshot::get`] of the newest image.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn get<C: Collection>(
        &self,
        tenant: TenantId,
        key: &str,
    ) -> Result<Option<Versioned<C::Record>>, StoreError> {
        self.read(|snapshot| snapshot.get::<C>(tenant, key))
    }

    /// [`Snapshot::list`] of the newest image.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list<C: Collection>(
        &self,
        tenant: TenantId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Versioned<C::Record>>, StoreError> {
        self.read(|snapshot| snapshot.list::<C>(tenant, prefix, after, limit))
    }

    /// [`Snapshot::by_index`] of the newest image.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn by_index<C: Collection>(
        &self,
        tenant: TenantId,
        index: &str,
        value: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Versioned<C::Record>>, StoreError> {
        self.read(|snapshot| snapshot.by_index::<C>(tenant, index, value, after, limit))
    }

    /// [`Snapshot::count`] of the newest image.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn count<C: Collection>(&self, tenant: TenantId) -> Result<u64, StoreError> {
        self.read(|snapshot| snapshot.count::<C>(tenant))
    }

    /// [`Snapshot::version`] of the newest image.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn version<C: Collection>(
        &self,
        tenant: TenantId,
        key: &str,
        version: u64,
    ) -> Result<Option<Versioned<C::Record>>, StoreError> {
        self.read(|snapshot| snapshot.version::<C>(tenant, key, version))
    }

    /// [`Snapshot::at`] of the newest image.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn at<C: Collection>(
        &self,
        tenant: TenantId,
        key: &str,
        time: Timestamp,
    ) -> Result<Option<Versioned<C::Record>>, StoreError> {
        self.read(|snapshot| snapshot.at::<C>(tenant, key, time))
    }

    /// [`Snapshot::history`] of the newest image.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn history<C: Collection>(
        &self,
        tenant: TenantId,
        key: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Revision<C::Record>>, StoreError> {
        self.read(|snapshot| snapshot.history::<C>(tenant, key, before, limit))
    }

    /// The entries of the change feed behind position `after`, oldest first; none where `after`
    /// is the newest position. Position 0 stands before the first commit.
    ///
    /// # Errors
    /// [`FeedError::TooOld`] where entries behind `after` are no longer kept,
    /// [`FeedError::Ahead`] where there is no such position yet.
    pub fn feed(&self, after: u64, limit: usize) -> Result<Vec<FeedEntry>, FeedError> {
        self.read(|snapshot| feed::read(snapshot, after, limit))
    }

    /// The newest position, to be woken by. It changes after the commit is on the disk.
    pub fn head(&self) -> watch::Receiver<u64> {
        self.core().head.subscribe()
    }

    /// Writes the documents of a tenant, or of all, as lines of JSON; `export.rs` tells the form.
    /// Secret collections are left out. It blocks on the disk and on `out`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn export(
        &self,
        tenant: Option<TenantId>,
        out: &mut dyn Write,
    ) -> Result<ExportReport, StoreError> {
        export::export(self.core(), tenant, out)
    }

    /// Takes in what [`Store::export`] wrote, or lines written by hand, as new commits. What is
    /// stored already is left alone, so that an import can be repeated. An author of the node may
    /// import for every tenant, any other for its own.
    ///
    /// # Errors
    /// [`StoreError::Import`] names the line; what stands before it may have been committed.
    pub async fn import(
        &self,
        author: Author,
        time: Timestamp,
        text: &mut (dyn BufRead + Send),
    ) -> Result<ImportReport, StoreError> {
        import::import(self, author, time, text).await
    }

    /// Copies the data folder, as it is now, into an empty or new one, while the store goes on.
    /// Opening that folder restores it. The copy holds the key of the secret collections, without
    /// which they are lost: keep it as safe as the original. It blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::BackupExists`] where there is data already; see [`StoreError`] for the rest.
    pub fn backup(&self, dir: &Path) -> Result<BackupReport, StoreError> {
        backup::backup(self.core(), dir)
    }

    /// Reads everything there is and checks it. It blocks on the disk.
    ///
    /// # Errors
    /// See [`StoreError`]; damage is in the report and is no error.
    pub fn verify(&self) -> Result<VerifyReport, StoreError> {
        verify::verify(self.core())
    }

    /// What was done since the store was opened.
    pub fn stats(&self) -> Stats {
        let core = self.core();
        let head = *core.head.borrow();
        core.tally.read(head, core.env.real_disk_size().unwrap_or(0))
    }

    /// The data folder.
    pub fn dir(&self) -> &Path {
        self.core().dir()
    }

    pub(crate) fn core(&self) -> &Core {
        &self.inner.core
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir()).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without senders the writer ends once nothing waits.
        drop(self.queue.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of the store had ended in a panic");
        }
    }
}

/// The one part of a commit that is not in several.
fn only(mut parts: Vec<Commit>) -> Option<Box<Commit>> {
    parts.pop().filter(|_| parts.is_empty()).map(Box::new)
}

#[cfg(test)]
mod tests;
