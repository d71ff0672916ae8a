//! The table: a version of Delta's log, brought to where the history is.

mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use weir_model::{TenantId, Timestamp};

use crate::action::{Add, Format, Line, Metadata, Protocol, Remove, Txn};
use crate::history::{Month, Piece, PieceFile, State};
use crate::log::{Committed, Log};
use crate::snapshot::{Author, Snapshot};
use crate::upload::{PART_BYTES, upload};
use crate::{LakeError, Place, schema};

/// Commits from one checkpoint to the next.
const CHECKPOINT_COMMITS: u64 = 100;

/// Bytes uploaded after which what is complete is committed, so that a long copy shows results and a
/// crash loses little of it.
const COMMIT_BYTES: u64 = 1 << 30;

/// Versions that others may take before us in one round.
const TAKEN_MAX: u32 = 8;

/// The key in the table's configuration of the node that writes it.
const OWNER: &str = "weir.node";

/// How a table is written.
#[derive(Debug, Clone)]
pub struct TableOptions {
    /// The identity of the node.
    pub node: String,
    /// How long files and log entries that are replaced stay for those who read an older version.
    pub retain: Duration,
    /// Between attempts to commit while answers are lost.
    pub pause: Duration,
    /// Commits from one checkpoint to the next.
    pub checkpoint_commits: u64,
    /// Bytes of a part of an upload.
    pub part_bytes: u64,
    /// Reads the time.
    pub now: fn() -> Timestamp,
}

impl TableOptions {
    /// Those of a node.
    pub fn new(node: String, retain: Duration) -> Self {
        let now = || Timestamp::from_system(std::time::SystemTime::now());
        let pause = Duration::from_millis(500);
        let (checkpoint_commits, part_bytes) = (CHECKPOINT_COMMITS, PART_BYTES);
        Self { node, retain, pause, checkpoint_commits, part_bytes, now }
    }
}

/// What a round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brought {
    /// Commits.
    pub commits: u64,
    /// Files uploaded, and their bytes.
    pub uploaded: (u64, u64),
    /// Files that came into the table.
    pub added: u64,
    /// Files that left it.
    pub removed: u64,
    /// Months that were left as they are, each with why.
    pub waiting: Vec<String>,
}

/// What a table has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableContents {
    /// The version; none of a table without a commit.
    pub version: Option<u64>,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A table that is open for writing.
pub struct Table {
    place: Place,
    log: Log,
    options: TableOptions,
    /// This process of the node.
    process: String,
    snapshot: Snapshot,
}

/// What is to be committed next.
#[derive(Default)]
struct Draft {
    adds: Vec<Add>,
    removes: Vec<Remove>,
    uploaded_bytes: u64,
}

impl Table {
    /// Opens the table of a place, which may have none yet; makes sure that the store can keep two
    /// writers apart.
    ///
    /// # Errors
    /// [`LakeError`].
    pub async fn open(place: Place, options: TableOptions) -> Result<Self, LakeError> {
        let process = token();
        place.check(&process).await?;
        let log = Log::new(Arc::clone(&place.store), &place.root, options.pause);
        let snapshot = log.load().await?;
        let table = Self { place, log, options, process, snapshot };
        table.check_owner()?;
        Ok(table)
    }

    /// What it has.
    pub fn contents(&self) -> TableContents {
        TableContents {
            version: self.snapshot.version,
            files: self.snapshot.files.len() as u64,
            bytes: self.snapshot.bytes(),
        }
    }

    /// How far the history was when this node committed last.
    pub fn position(&self) -> Option<u64> {
        let txn = self.snapshot.txns.get(&self.options.node)?;
        u64::try_from(txn.version).ok()
    }

    /// When this node committed last, whichever process of it.
    pub fn committed(&self) -> Option<Timestamp> {
        let txn = self.snapshot.txns.get(&self.options.node)?;
        Some(Timestamp::from_nanos(txn.last_updated?.saturating_mul(1_000_000)))
    }

    /// Brings the table to a state of the history: uploads what it has not, and commits, month by
    /// month or several at once, what came and what left. Whoever reads sees of each month one state
    /// or the next.
    ///
    /// # Errors
    /// [`LakeError`]; what was committed by then stays.
    pub async fn bring(
        &mut self,
        state: &State,
        stop: &CancellationToken,
        watch: &mut (dyn FnMut(&Brought) + Send),
    ) -> Result<Brought, LakeError> {
        let mut brought = Brought::default();
        for _ in 0..TAKEN_MAX {
            self.update().await?;
            if self.try_bring(state, stop, &mut brought, watch).await? {
                self.upkeep().await;
                return Ok(brought);
            }
        }
        Err(LakeError::Busy)
    }

    /// Takes up what was committed since; an error where that was done in this node's name.
    async fn update(&mut self) -> Result<(), LakeError> {
        let authors = self.log.update(&mut self.snapshot).await?;
        let in_our_name = |by: &Author| by.node == self.options.node && by.process != self.process;
        if authors.iter().any(in_our_name) {
            return Err(LakeError::Fenced);
        }
        self.check_owner()
    }

    fn check_owner(&self) -> Result<(), LakeError> {
        if self.snapshot.version.is_none() {
            return Ok(());
        }
        let metadata = self.snapshot.metadata.as_ref();
        let owner = metadata.and_then(|metadata| metadata.configuration.get(OWNER));
        match owner {
            Some(owner) if *owner == self.options.node => Ok(()),
            Some(owner) => Err(LakeError::Foreign { owner: format!("node {owner}") }),
            None => Err(LakeError::Foreign { owner: "another program".to_owned() }),
        }
    }

    /// Gives false where somebody else committed meanwhile.
    async fn try_bring(
        &mut self,
        state: &State,
        stop: &CancellationToken,
        brought: &mut Brought,
        watch: &mut (dyn FnMut(&Brought) + Send),
    ) -> Result<bool, LakeError> {
        let mut draft = Draft::default();
        brought.waiting.clear();
        let known: BTreeSet<(u32, &str)> =
            state.months.iter().map(|month| (month.tenant.0, month.month.as_str())).collect();
        // What is of no month of the history has left it, or is no longer to leave the node.
        for add in self.snapshot.files.values() {
            if !partition(add).is_some_and(|of| known.contains(&of)) {
                draft.removes.push(self.removal(add));
            }
        }
        // The newest first: it is what most readers wait for.
        let mut months: Vec<&Month> = state.months.iter().collect();
        months.sort_by(|a, b| (&b.month, a.tenant).cmp(&(&a.month, b.tenant)));
        for month in months {
            let place = folder(month.tenant, &month.month);
            match &month.pieces {
                Err(reason) => brought.waiting.push(format!("{place}: {reason}")),
                Ok(pieces) => {
                    let staged =
                        self.stage(state, (month, pieces), &mut draft, stop, brought, watch).await;
                    match staged {
                        // Damage of one month is no reason to keep back the others.
                        Err(LakeError::Source(reason)) => {
                            brought.waiting.push(format!("{place}: {reason}"));
                        }
                        staged => staged?,
                    }
                }
            }
            if draft.uploaded_bytes >= COMMIT_BYTES
                && !self.commit(std::mem::take(&mut draft), state, brought).await?
            {
                return Ok(false);
            }
        }
        self.commit(draft, state, brought).await
    }

    /// Uploads what the table has not of a month, and notes what is to be committed.
    async fn stage(
        &self,
        state: &State,
        (month, pieces): (&Month, &[Arc<dyn Piece>]),
        draft: &mut Draft,
        stop: &CancellationToken,
        brought: &mut Brought,
        watch: &mut (dyn FnMut(&Brought) + Send),
    ) -> Result<(), LakeError> {
        let folder = folder(month.tenant, &month.month);
        let wanted: BTreeMap<String, &Arc<dyn Piece>> =
            pieces.iter().map(|piece| (format!("{folder}/{}", piece.name()), piece)).collect();
        let mut adds = Vec::new();
        for (path, piece) in &wanted {
            if self.snapshot.files.contains_key(path) {
                continue;
            }
            if stop.is_cancelled() {
                return Err(LakeError::Interrupted);
            }
            // Opening may write the file first.
            let opening = Arc::clone(piece);
            let opened = tokio::task::spawn_blocking(move || opening.open()).await;
            let opened = opened.map_err(|_| LakeError::Interrupted)?.map_err(LakeError::Source)?;
            let Some(file) = opened else { continue };
            let file: Arc<dyn PieceFile> = Arc::from(file);
            still_may_leave(state).await?;
            if self.put(path, Arc::clone(&file), stop).await? {
                draft.uploaded_bytes += file.bytes();
                brought.uploaded.0 += 1;
                brought.uploaded.1 += file.bytes();
                watch(brought);
            }
            adds.push(self.addition(path.clone(), month, &*file));
        }
        let prefix = format!("{folder}/");
        let here = self.snapshot.files.range(prefix.clone()..);
        let here = here.take_while(|(path, _)| path.starts_with(&prefix));
        let left = here.filter(|(path, _)| !wanted.contains_key(*path));
        draft.removes.extend(left.map(|(_, add)| self.removal(add)));
        draft.adds.append(&mut adds);
        Ok(())
    }

    /// Uploads a file unless it is there; gives whether it was not.
    async fn put(
        &self,
        path: &str,
        file: Arc<dyn PieceFile>,
        stop: &CancellationToken,
    ) -> Result<bool, LakeError> {
        let at = self.at(path);
        match self.place.store.head(&at).await {
            // Its name says what is in it, and no object is ever there in part.
            Ok(found) if found.size == file.bytes() => return Ok(false),
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(LakeError::store("look for a file")(error)),
        }
        let part_bytes = self.options.part_bytes;
        upload(&*self.place.store, &at, file, part_bytes, stop).await.map(|()| true)
    }

    fn at(&self, path: &str) -> Path {
        path.split('/').fold(self.place.root.clone(), |at, part| at.join(part))
    }

    fn addition(&self, path: String, month: &Month, file: &dyn PieceFile) -> Add {
        let partition = [("tenant", month.tenant.to_string()), ("month", month.month.clone())];
        let values = partition.into_iter().map(|(name, value)| (name.to_owned(), Some(value)));
        Add {
            path,
            partition_values: values.collect(),
            size: i64::try_from(file.bytes()).unwrap_or(i64::MAX),
            modification_time: self.now(),
            data_change: true,
            stats: Some(schema::stats(file.rows(), file.tags(), file.times())),
        }
    }

    fn removal(&self, add: &Add) -> Remove {
        Remove {
            path: add.path.clone(),
            deletion_timestamp: Some(self.now()),
            data_change: true,
            extended_file_metadata: Some(true),
            partition_values: Some(add.partition_values.clone()),
            size: Some(add.size),
        }
    }

    /// Commits a draft; gives false where somebody else has the version.
    async fn commit(
        &mut self,
        draft: Draft,
        state: &State,
        brought: &mut Brought,
    ) -> Result<bool, LakeError> {
        if draft.adds.is_empty() && draft.removes.is_empty() && self.snapshot.version.is_some() {
            return Ok(true);
        }
        still_may_leave(state).await?;
        let (added, removed) = (draft.adds.len() as u64, draft.removes.len() as u64);
        let author = Author {
            node: self.options.node.clone(),
            process: self.process.clone(),
            commit: token(),
        };
        let lines = self.lines(draft, state.position, &author);
        let version = self.snapshot.version.map_or(0, |version| version + 1);
        if self.log.commit(version, &lines, &author).await? == Committed::Taken {
            return Ok(false);
        }
        self.snapshot.commit(version, lines);
        brought.commits += 1;
        brought.added += added;
        brought.removed += removed;
        Ok(true)
    }

    fn lines(&self, draft: Draft, position: u64, author: &Author) -> Vec<Line> {
        let of = Line::default;
        let mut info = json!({
            "timestamp": self.now(),
            "operation": "WRITE",
            "engineInfo": concat!("weir/", env!("CARGO_PKG_VERSION")),
        });
        for (key, value) in Author::KEYS.iter().zip([&author.node, &author.process, &author.commit])
        {
            info[*key] = value.as_str().into();
        }
        let mut lines = vec![Line { commit_info: Some(info), ..of() }];
        if self.snapshot.version.is_none() {
            let protocol = Some(Protocol { min_reader_version: 1, min_writer_version: 2 });
            lines.push(Line { protocol, ..of() });
            lines.push(Line { meta_data: Some(self.metadata()), ..of() });
        }
        let txn = Txn {
            app_id: self.options.node.clone(),
            version: i64::try_from(position).unwrap_or(i64::MAX),
            last_updated: Some(self.now()),
        };
        lines.push(Line { txn: Some(txn), ..of() });
        lines.extend(draft.removes.into_iter().map(|remove| Line { remove: Some(remove), ..of() }));
        lines.extend(draft.adds.into_iter().map(|add| Line { add: Some(add), ..of() }));
        lines
    }

    fn metadata(&self) -> Metadata {
        let hours = self.options.retain.as_secs().div_ceil(3600);
        let configuration = [
            (OWNER, self.options.node.clone()),
            ("delta.logRetentionDuration", format!("interval {hours} hours")),
            ("delta.deletedFileRetentionDuration", format!("interval {hours} hours")),
        ];
        Metadata {
            id: uuid(),
            name: Some("samples".to_owned()),
            description: None,
            format: Format { provider: "parquet".to_owned(), options: BTreeMap::new() },
            schema_string: schema::schema_string(),
            partition_columns: schema::PARTITIONS.map(str::to_owned).to_vec(),
            configuration: configuration.map(|(key, value)| (key.to_owned(), value)).into(),
            created_time: Some(self.now()),
        }
    }

    fn now(&self) -> i64 {
        (self.options.now)().nanos().div_euclid(1_000_000)
    }

    /// What was replaced before this time in milliseconds is needed no more.
    fn retained_from(&self) -> i64 {
        let retain = i64::try_from(self.options.retain.as_millis()).unwrap_or(i64::MAX);
        self.now().saturating_sub(retain)
    }
}

/// Gives [`LakeError::Withheld`] where what a state has may no longer leave.
async fn still_may_leave(state: &State) -> Result<(), LakeError> {
    let still = Arc::clone(&state.still);
    let asked = tokio::task::spawn_blocking(move || still()).await;
    asked.map_err(|_| LakeError::Interrupted)?.map_err(LakeError::Withheld)
}

/// Where the files of a month are.
fn folder(tenant: TenantId, month: &str) -> String {
    format!("tenant={tenant}/month={month}")
}

/// The tenant and month of a file.
fn partition(add: &Add) -> Option<(u32, &str)> {
    let value = |name: &str| add.partition_values.get(name)?.as_deref();
    Some((value("tenant")?.parse().ok()?, value("month")?))
}

/// 128 random bits.
fn token() -> String {
    let mut bytes = [0; 16];
    // Without randomness from the system, two processes could take each other's commits for theirs;
    // the time at least tells them apart.
    if getrandom::fill(&mut bytes).is_err() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        bytes = now.map(|now| now.as_nanos()).unwrap_or_default().to_be_bytes();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Random bits as a UUID of version 4.
fn uuid() -> String {
    let mut digits: Vec<char> = token().chars().collect();
    digits[12] = '4';
    digits[16] = '8';
    let part = |from: usize, to: usize| digits[from..to].iter().collect::<String>();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// A new identity for a node.
pub(crate) fn new_identity() -> String {
    token()
}

#[cfg(test)]
mod tests;
