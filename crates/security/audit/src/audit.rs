//! The log as the rest of Weir holds it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde::Serialize;
use tokio::sync::{Semaphore, mpsc, oneshot};
use weir_model::Timestamp;

use crate::checkpoint::SignedCheckpoint;
use crate::entry::{ENTRY_BYTES_MAX, Entry};
use crate::error::AuditError;
use crate::flood::{Floods, Verdict};
use crate::hash::{Hash, leaf_hash};
use crate::key::{PublicKey, SigningKey};
use crate::lock::FolderLock;
use crate::page::{Filter, Page, Source};
use crate::proof::{ConsistencyProof, InclusionProof, ProofError};
use crate::recover::{Recovered, recover};
use crate::tile::Tiles;
use crate::tree::{Edge, Tree, range_root};
use crate::verify::{Report, VerifyOptions, cut_torn_checkpoint, read_checkpoints, verify};
use crate::writer::{Append, Request, Writer};

/// Most bytes of entries that wait to be written. Whoever would exceed them waits for room.
pub const QUEUE_BYTES_MAX: usize = 16 << 20;

/// Most entries that wait to be written, and that share one fsync.
pub(crate) const QUEUE_MAX: usize = 1024;

/// Most bytes that one group of entries takes on disk.
pub(crate) const GROUP_BYTES_MAX: u64 = (QUEUE_BYTES_MAX + 2 * QUEUE_MAX * 1024) as u64;

/// How a log is opened.
#[derive(Clone)]
pub struct Options {
    /// The log's name, the first line of its checkpoints. Taken once, when the log is made; holds
    /// neither spaces nor `+`.
    pub name: String,
    /// What time it is. Only the end of flood windows is measured with it.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Default for Options {
    fn default() -> Self {
        let clock = || Timestamp::from_system(std::time::SystemTime::now());
        Self { name: "weir.audit".to_owned(), clock: Arc::new(clock) }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An entry's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Leaf {
    /// Its index.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
}

/// What was done with a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is an entry of its own, on disk.
    Copied(Leaf),
    /// It was one of many alike and is counted; the count becomes an entry when the minute is over.
    Counted,
}

/// The audit log of one node. Cloning is cheap; the log is closed when the last clone is dropped,
/// or by [`Audit::close`].
#[derive(Clone)]
pub struct Audit {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
}

/// What writer and readers share.
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) tiles: Tiles,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub(crate) public: PublicKey,
    durable: RwLock<Durable>,
    floods: Mutex<Floods>,
}

/// The log as far as it is on disk.
#[derive(Debug, Clone)]
pub(crate) struct Durable {
    pub(crate) edge: Edge,
    pub(crate) position: u64,
    /// The offsets of the last segment's blocks.
    pub(crate) offsets: Vec<u64>,
    pub(crate) checkpoint: SignedCheckpoint,
    /// Why nothing can be written any more.
    pub(crate) failed: Option<String>,
}

impl Shared {
    /// Changes what readers see.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Durable)) {
        change(&mut self.durable.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Looks at what readers see.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Durable) -> T) -> T {
        look(&self.durable.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn floods(&self) -> MutexGuard<'_, Floods> {
        self.floods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audit {
    /// Opens the log in a folder, which is made when it is missing. The torn tail of an interrupted
    /// write is cut; anything else that is wrong is an error that names the leaf.
    ///
    /// # Errors
    /// [`AuditError`]; above all [`AuditError::Diverged`] and [`AuditError::InUse`].
    pub fn open(dir: &Path, options: Options) -> Result<Self, AuditError> {
        fs::create_dir_all(dir).map_err(AuditError::io("create the audit folder", dir))?;
        let lock = FolderLock::take(dir)?;
        let tiles = Tiles::new(dir);
        let recovered = recover(dir, &tiles)?;
        let is_new = recovered.edge.size() == 0 && !dir.join("checkpoint").exists();
        let key = SigningKey::open(dir, &options.name, is_new)?;
        if !is_new {
            check_against_checkpoints(dir, &tiles, &recovered, key.public())?;
            cut_torn_checkpoint(dir)?;
        }
        // Only a log that is what it was signed to be is written to; another is left as evidence.
        recovered.settle(dir, &tiles)?;
        let (size, root) = (recovered.edge.size(), recovered.edge.root());
        let durable = Durable {
            edge: recovered.edge,
            position: recovered.position,
            offsets: recovered.offsets,
            checkpoint: SignedCheckpoint::sign(&key, size, root),
            failed: None,
        };
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            tiles,
            clock: options.clock,
            public: key.public().clone(),
            durable: RwLock::new(durable),
            floods: Mutex::default(),
        });
        let (requests, receiver) = mpsc::channel(QUEUE_MAX);
        let writer = Writer::new(Arc::clone(&shared), key, lock, recovered.segment)?;
        writer.start(receiver)?;
        Ok(Self { shared, requests, room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)) })
    }

    /// Adds an entry; it is on disk when this returns. A change whose feed position is not above
    /// [`Audit::feed_position`] is there already and is not added again: the answer is none.
    ///
    /// # Errors
    /// [`AuditError`].
    pub async fn append(&self, entry: Entry) -> Result<Option<Leaf>, AuditError> {
        let bytes = serde_json::to_vec(&entry).map_err(AuditError::Encode)?;
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(AuditError::TooLarge { bytes: bytes.len() });
        }
        let room = Arc::clone(&self.room).acquire_many_owned(bytes.len() as u32).await;
        let room = room.map_err(|_| self.closed())?;
        let (reply, answer) = oneshot::channel();
        let append = Append {
            hash: leaf_hash(&bytes),
            bytes,
            tenant: entry.sole_tenant(),
            position: entry.position(),
            room: Some(room),
            reply: Some(reply),
        };
        self.requests.send(Request::Append(append)).await.map_err(|_| self.closed())?;
        answer.await.map_err(|_| self.closed())?
    }

    /// Adds a refusal or a failed sign-in, or counts it when there have been many alike: the first
    /// [`crate::FLOOD_COPIES`] of a kind (tenant, principal, action, reason, address) within a
    /// minute are entries of their own.
    ///
    /// # Errors
    /// [`AuditError::NotARefusal`] for anything else, and as [`Audit::append`].
    pub async fn refuse(&self, entry: Entry) -> Result<Refused, AuditError> {
        let verdict = self.shared.floods().meet(&entry)?;
        match verdict {
            Verdict::Count => Ok(Refused::Counted),
            Verdict::Copy => match self.append(entry.clone()).await {
                Ok(Some(leaf)) => Ok(Refused::Copied(leaf)),
                Ok(None) => Ok(Refused::Counted),
                Err(error) => {
                    self.shared.floods().not_copied(&entry);
                    Err(error)
                }
            },
        }
    }

    /// The number of entries on disk.
    pub fn size(&self) -> u64 {
        self.shared.look(|durable| durable.edge.size())
    }

    /// The highest position of the store's change feed that is recorded, 0 when none is. Whoever
    /// follows the feed goes on behind it, also after a crash.
    pub fn feed_position(&self) -> u64 {
        self.shared.look(|durable| durable.position)
    }

    /// The newest entries below `before` (all when none) that fit the filter.
    ///
    /// # Errors
    /// [`AuditError`] when files cannot be read or are damaged.
    pub async fn page(
        &self,
        before: Option<u64>,
        limit: usize,
        filter: Filter,
    ) -> Result<Page, AuditError> {
        self.blocking(move |shared| {
            let (size, offsets) = shared.look(|d| (d.edge.size(), d.offsets.clone()));
            Source { dir: &shared.dir, size, offsets: &offsets }.page(before, limit, &filter)
        })
        .await
    }

    /// A signed checkpoint over all entries that are on disk, which is also kept.
    ///
    /// # Errors
    /// [`AuditError`] when it cannot be written.
    pub async fn checkpoint(&self) -> Result<SignedCheckpoint, AuditError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Checkpoint(reply)).await.map_err(|_| self.closed())?;
        answer.await.map_err(|_| self.closed())?
    }

    /// The key that checkpoints are signed with.
    pub fn public_key(&self) -> &PublicKey {
        &self.shared.public
    }

    /// Proves that a leaf is in the tree of a size (the current one when none).
    ///
    /// # Errors
    /// [`AuditError::Proof`] for an index or size beyond the log.
    pub async fn prove_inclusion(
        &self,
        index: u64,
        size: Option<u64>,
    ) -> Result<InclusionProof, AuditError> {
        self.prove(size, move |tree, size| InclusionProof::build(tree, index, size)).await
    }

    /// Proves that the tree of the size `old` is the beginning of that of the size `new` (the
    /// current one when none).
    ///
    /// # Errors
    /// [`AuditError::Proof`] for sizes beyond the log or in the wrong order.
    pub async fn prove_consistency(
        &self,
        old: u64,
        new: Option<u64>,
    ) -> Result<ConsistencyProof, AuditError> {
        self.prove(new, move |tree, new| ConsistencyProof::build(tree, old, new)).await
    }

    /// Verifies the log in a folder from its files alone, also while a server writes it: recomputes
    /// every hash and compares it with the tiles and with every checkpoint.
    ///
    /// # Errors
    /// [`AuditError::Diverged`] with the first leaf that is not what it was.
    pub fn verify(dir: &Path) -> Result<Report, AuditError> {
        verify(dir, &VerifyOptions::default())
    }

    /// As [`Audit::verify`], with what is known from elsewhere.
    ///
    /// # Errors
    /// As [`Audit::verify`].
    pub fn verify_with(dir: &Path, options: &VerifyOptions) -> Result<Report, AuditError> {
        verify(dir, options)
    }

    /// Writes what is still to be written (the counts of floods among it), signs a last checkpoint
    /// and closes the log for all its clones.
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.requests.send(Request::Close(reply)).await.is_ok() {
            // An error means that the writer ended for another reason, and then it is closed too.
            let _ = answer.await;
        }
    }

    async fn prove<T: Send + 'static>(
        &self,
        size: Option<u64>,
        build: impl FnOnce(&Tree<'_>, u64) -> Result<T, AuditError> + Send + 'static,
    ) -> Result<T, AuditError> {
        self.blocking(move |shared| {
            let edge = shared.look(|durable| durable.edge.clone());
            let asked = size.unwrap_or(edge.size());
            if asked > edge.size() {
                return Err(ProofError::Beyond { asked, size: edge.size() }.into());
            }
            build(&Tree { tiles: &shared.tiles, edge: &edge, fresh: &[] }, asked)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, AuditError> + Send + 'static,
    ) -> Result<T, AuditError> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::task::spawn_blocking(move || work(&shared));
        task.await.map_err(|error| AuditError::Closed { reason: Some(error.to_string()) })?
    }

    fn closed(&self) -> AuditError {
        AuditError::Closed { reason: self.shared.look(|durable| durable.failed.clone()) }
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("dir", &self.shared.dir).finish_non_exhaustive()
    }
}

/// Whoever cut the log short or rewrote it cannot have signed that.
fn check_against_checkpoints(
    dir: &Path,
    tiles: &Tiles,
    recovered: &Recovered,
    key: &PublicKey,
) -> Result<(), AuditError> {
    let (edge, fresh) = (&recovered.edge, &recovered.fresh[..]);
    let Some(latest) = read_checkpoints(dir, key)?.into_iter().max_by_key(|c| c.size) else {
        return Ok(());
    };
    if latest.size > edge.size() {
        let reason = format!(
            "the log ends after {} entries, and a checkpoint was signed over {}",
            edge.size(),
            latest.size
        );
        return Err(AuditError::diverged(dir, edge.size(), reason));
    }
    let root = range_root(&Tree { tiles, edge, fresh }, 0, latest.size)?;
    if root == latest.root {
        return Ok(());
    }
    // The whole log tells the leaf; it is read only now that it is known to be worth it.
    verify(dir, &VerifyOptions::default())?;
    let reason = "the entries are not those that the latest checkpoint was signed over";
    Err(AuditError::diverged(dir, 0, reason))
}
