//! The one thread that writes: many waiting entries, one fsync.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};
use weir_model::TenantId;

use crate::audit::{Leaf, QUEUE_MAX, Shared};
use crate::checkpoint::SignedCheckpoint;
use crate::entry::Entry;
use crate::error::AuditError;
use crate::frame::Header;
use crate::hash::{Hash, leaf_hash};
use crate::key::SigningKey;
use crate::lock::FolderLock;
use crate::segment::{
    self, BLOCK_LEAVES, SEGMENT_LEAVES, START_BYTES, Start, write_offsets, write_whole,
};
use crate::tile::{TILE_LEVELS_MAX, TILE_WIDTH, TileId, sync_dir};
use crate::tree::Edge;

/// How often the thread looks whether a flood window or the latest checkpoint has come of age.
const TICK: Duration = Duration::from_secs(1);

/// How old the latest checkpoint becomes when entries have been added since.
const CHECKPOINT_AGE_MAX: Duration = Duration::from_secs(5);

/// How often a checkpoint is kept for good, besides one a segment and one a run.
const KEPT_EVERY: Duration = Duration::from_secs(3600);

/// What the thread is asked for.
pub(crate) enum Request {
    Append(Append),
    Checkpoint(oneshot::Sender<Result<SignedCheckpoint, AuditError>>),
    Close(oneshot::Sender<()>),
}

/// An entry on its way to disk.
pub(crate) struct Append {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: Hash,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) position: Option<u64>,
    /// Its share of the queue's bytes, given back when it is written; none for the log's own.
    pub(crate) room: Option<OwnedSemaphorePermit>,
    /// Who waits for it; nobody for the log's own.
    pub(crate) reply: Option<oneshot::Sender<Result<Option<Leaf>, AuditError>>>,
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    key: SigningKey,
    /// Held as long as the thread runs.
    _lock: FolderLock,
    /// The last segment and its durable length; none when the next entry starts a new one.
    segment: Option<(File, u64)>,
    signed_at: Instant,
    kept_at: Instant,
    kept_size: u64,
}

impl Writer {
    /// Takes over a recovered log: seals a last segment that is full and writes the checkpoint over
    /// what was found.
    pub(crate) fn new(
        shared: Arc<Shared>,
        key: SigningKey,
        lock: FolderLock,
        segment: Option<(File, u64)>,
    ) -> Result<Self, AuditError> {
        let now = Instant::now();
        let mut writer = Self {
            shared,
            key,
            _lock: lock,
            segment,
            signed_at: now,
            kept_at: now,
            kept_size: u64::MAX,
        };
        let blocks = writer.shared.look(|durable| durable.offsets.len() as u64);
        if blocks * BLOCK_LEAVES == SEGMENT_LEAVES
            && writer.shared.look(|durable| durable.edge.size().is_multiple_of(SEGMENT_LEAVES))
        {
            writer.seal()?;
        }
        let checkpoint = writer.shared.look(|durable| durable.checkpoint.clone());
        // The one that is there needs no room, on a disk that may be full.
        let there = std::fs::read(writer.shared.dir.join("checkpoint")).unwrap_or_default();
        if there != checkpoint.as_str().as_bytes() {
            writer.write_checkpoint(&checkpoint)?;
        }
        Ok(writer)
    }

    /// Starts the thread. It ends when all senders are gone or one asks it to.
    pub(crate) fn start(self, requests: mpsc::Receiver<Request>) -> Result<(), AuditError> {
        let dir = self.shared.dir.clone();
        let failed = AuditError::io("start the writer of", &dir);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return Err(failed(error)),
        };
        let run = move || runtime.block_on(self.run(requests));
        thread::Builder::new().name("audit".to_owned()).spawn(run).map(drop).map_err(failed)
    }

    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut group = Vec::new();
        let closed = loop {
            tokio::select! {
                count = requests.recv_many(&mut group, QUEUE_MAX) => {
                    if count == 0 {
                        break None;
                    }
                    if let Some(reply) = self.serve(&mut group) {
                        break Some(reply);
                    }
                }
                _ = tick.tick() => self.tick(),
            }
        };
        requests.close();
        while requests.recv_many(&mut group, QUEUE_MAX).await > 0 {
            self.serve(&mut group);
        }
        self.write_floods(true);
        if let Err(error) = self.sign().and_then(|()| self.keep()) {
            tracing::error!(%error, "the last audit checkpoint is not written");
        }
        drop(self);
        if let Some(reply) = closed {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(());
        }
    }

    /// Answers the requests of a group, and says who asked to close.
    fn serve(&mut self, group: &mut Vec<Request>) -> Option<oneshot::Sender<()>> {
        let (mut appends, mut checkpoints, mut close) = (Vec::new(), Vec::new(), None);
        for request in group.drain(..) {
            match request {
                Request::Append(append) => appends.push(append),
                Request::Checkpoint(reply) => checkpoints.push(reply),
                Request::Close(reply) => close = Some(reply),
            }
        }
        self.append(appends);
        for reply in checkpoints {
            let signed = self.sign().map(|()| self.shared.look(|d| d.checkpoint.clone()));
            // Whoever asked may have stopped waiting.
            let _ = reply.send(signed);
        }
        close
    }

    fn tick(&mut self) {
        self.write_floods(false);
        if self.signed_at.elapsed() >= CHECKPOINT_AGE_MAX {
            let mut signed = self.sign();
            if self.kept_at.elapsed() >= KEPT_EVERY {
                signed = signed.and_then(|()| self.keep());
            }
            if let Err(error) = signed {
                tracing::error!(%error, "the audit checkpoint is not written");
            }
        }
    }

    /// Writes the counts of floods whose minute is over, or of all.
    fn write_floods(&mut self, all: bool) {
        let floods = self.shared.floods().close((self.shared.clock)(), all);
        let appends = floods.iter().filter_map(own).collect();
        self.append(appends);
    }

    /// Writes entries and tells those who wait for them.
    fn append(&mut self, appends: Vec<Append>) {
        let mut position = self.shared.look(|durable| durable.position);
        let (mut fresh, mut repeated) = (Vec::with_capacity(appends.len()), Vec::new());
        for append in appends {
            match append.position {
                Some(recorded) if recorded <= position => repeated.push(append),
                recorded => {
                    position = recorded.unwrap_or(position);
                    fresh.push(append);
                }
            }
        }
        while !fresh.is_empty() {
            let size = self.shared.look(|durable| durable.edge.size());
            let left = (SEGMENT_LEAVES - size % SEGMENT_LEAVES) as usize;
            let rest = fresh.split_off(fresh.len().min(left));
            let result = self.write_group(&fresh);
            for (index, append) in (size..).zip(fresh) {
                let leaf = Leaf { index, hash: append.hash };
                let answer = result.as_ref().map(|()| Some(leaf)).map_err(again);
                append.answer(answer);
            }
            fresh = rest;
        }
        for append in repeated {
            append.answer(Ok(None));
        }
    }

    /// Writes entries that fit into the current segment, all or none.
    fn write_group(&mut self, group: &[Append]) -> Result<(), AuditError> {
        if let Some(reason) = self.shared.look(|durable| durable.failed.clone()) {
            return Err(AuditError::Closed { reason: Some(reason) });
        }
        let mut durable = self.shared.look(Clone::clone);
        let first = durable.edge.size();
        if self.segment.is_none() {
            let start = Start { first, position: durable.position };
            self.segment = Some((segment::create(&self.shared.dir, start)?, START_BYTES));
        }
        if first.is_multiple_of(SEGMENT_LEAVES) {
            durable.offsets.clear();
        }
        let before = self.segment.as_ref().map_or(START_BYTES, |(_, length)| *length);
        let mut bytes = Vec::new();
        for (index, append) in (first..).zip(group) {
            durable.position = append.position.unwrap_or(durable.position);
            if index.is_multiple_of(BLOCK_LEAVES) {
                durable.offsets.push(before + bytes.len() as u64);
            }
            let header = Header {
                length: 0,
                checksum: 0,
                index,
                group: first,
                position: durable.position,
                tenant: append.tenant,
            };
            header.encode(&append.bytes, &mut bytes);
        }
        self.write_durably(&bytes)?;
        // The entries are on disk; from here on only what can be derived from them is written.
        let hashes = group.iter().map(|append| append.hash);
        if let Err(error) = self.write_tiles(&mut durable.edge, hashes) {
            self.fail(&error);
            return Err(error);
        }
        self.shared.update(|shared| {
            shared.edge = durable.edge;
            shared.position = durable.position;
            shared.offsets = durable.offsets;
        });
        if (first + group.len() as u64).is_multiple_of(SEGMENT_LEAVES)
            && let Err(error) = self.seal().and_then(|()| self.sign()).and_then(|()| self.keep())
        {
            self.fail(&error);
        }
        Ok(())
    }

    fn write_durably(&mut self, bytes: &[u8]) -> Result<(), AuditError> {
        let Some((file, length)) = &mut self.segment else { return Ok(()) };
        let path = segment::path(&self.shared.dir, self.shared.look(|d| d.edge.size()));
        if let Err(error) = file.write_all(bytes) {
            // The disk may be full: what was written of the group is taken back, and the log
            // goes on when there is room again.
            if let Err(error) = file.set_len(*length) {
                self.fail(&error);
            }
            return Err(AuditError::io("write", &path)(error));
        }
        if let Err(error) = file.sync_data() {
            // After a failed fsync nobody knows what is on disk; only opening anew finds out.
            let error = AuditError::io("sync", &path)(error);
            self.fail(&error);
            return Err(error);
        }
        *length += bytes.len() as u64;
        Ok(())
    }

    /// Adds leaves to the edge and writes full tiles, and of the lowest level the unfinished one.
    fn write_tiles(
        &self,
        edge: &mut Edge,
        leaves: impl Iterator<Item = Hash>,
    ) -> Result<(), AuditError> {
        let mut already = edge.tile(0).len();
        let mut full = Vec::new();
        for leaf in leaves {
            edge.push(leaf, |tile, hashes| full.push((tile, hashes.to_vec())));
        }
        for (tile, hashes) in full {
            let skip = if tile.level == 0 { std::mem::take(&mut already) } else { 0 };
            self.shared.tiles.append(tile, skip, &hashes[skip..])?;
        }
        let rest = edge.tile(0);
        if rest.len() > already {
            let tile = TileId { level: 0, index: edge.size() / TILE_WIDTH };
            self.shared.tiles.append(tile, already, &rest[already..])?;
        }
        Ok(())
    }

    /// Makes a full segment's tiles and offsets durable, before the next one is begun.
    fn seal(&mut self) -> Result<(), AuditError> {
        let (size, offsets) = self.shared.look(|d| (d.edge.size(), d.offsets.clone()));
        let first = size - SEGMENT_LEAVES;
        for level in 0..TILE_LEVELS_MAX {
            let tiles = |size: u64| size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            for index in tiles(first)..tiles(size) {
                self.shared.tiles.sync(TileId { level, index })?;
            }
        }
        write_offsets(&self.shared.dir, first, &offsets)?;
        self.segment = None;
        Ok(())
    }

    /// Signs a checkpoint over what is on disk, unless the latest one is just that.
    fn sign(&mut self) -> Result<(), AuditError> {
        self.signed_at = Instant::now();
        let (size, root, signed) =
            self.shared.look(|d| (d.edge.size(), d.edge.root(), d.checkpoint.checkpoint().size));
        if size == signed {
            return Ok(());
        }
        let checkpoint = SignedCheckpoint::sign(&self.key, size, root);
        self.write_checkpoint(&checkpoint)?;
        self.shared.update(|shared| shared.checkpoint = checkpoint);
        Ok(())
    }

    fn write_checkpoint(&self, checkpoint: &SignedCheckpoint) -> Result<(), AuditError> {
        let path = self.shared.dir.join("checkpoint");
        let written = write_whole(&path, checkpoint.as_str().as_bytes(), 0o644);
        written.map_err(AuditError::io("write", &path))?;
        sync_dir(&self.shared.dir)
    }

    /// Adds the latest checkpoint to those that are kept for good.
    fn keep(&mut self) -> Result<(), AuditError> {
        let checkpoint = self.shared.look(|durable| durable.checkpoint.clone());
        self.kept_at = Instant::now();
        if checkpoint.checkpoint().size == self.kept_size {
            return Ok(());
        }
        let path = self.shared.dir.join("checkpoints");
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            let before = file.metadata()?.len();
            let text = format!("{checkpoint}\n");
            let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
            written.inspect_err(|_| {
                // A part of it would spoil the next one; should this fail too, it is cut when the
                // log is opened.
                let _ = file.set_len(before);
            })
        };
        write().map_err(AuditError::io("write", &path))?;
        self.kept_size = checkpoint.checkpoint().size;
        sync_dir(&self.shared.dir)
    }

    fn fail(&self, error: &dyn std::error::Error) {
        tracing::error!(%error, "the audit log can no longer be written");
        self.shared.update(|durable| durable.failed = Some(error.to_string()));
    }
}

impl Append {
    fn answer(self, answer: Result<Option<Leaf>, AuditError>) {
        if let Some(reply) = self.reply {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(answer);
        }
        drop(self.room);
    }
}

/// An entry of the log's own, for which nobody waits.
fn own(entry: &Entry) -> Option<Append> {
    let bytes = serde_json::to_vec(entry).ok()?;
    let hash = leaf_hash(&bytes);
    let (tenant, position) = (entry.sole_tenant(), entry.position());
    Some(Append { bytes, hash, tenant, position, room: None, reply: None })
}

/// The same error once more, for each of those who shared a group.
fn again(error: &AuditError) -> AuditError {
    match error {
        AuditError::Io { what, path, source } => AuditError::Io {
            what,
            path: path.clone(),
            source: io::Error::new(source.kind(), source.to_string()),
        },
        other => AuditError::Closed { reason: Some(other.to_string()) },
    }
}
