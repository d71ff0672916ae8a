//! The table's log in its store: replaying it, committing to it, keeping it short.
//!
//! A commit is one object, `_delta_log/<version>.json`, that is put only if it is not there. Of two
//! writers one has the version; the other finds it taken. Where an answer was lost, the object
//! itself says whose it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    UpdateVersion,
};
use serde_json::json;

use crate::action::{self, Line};
use crate::snapshot::{Author, Snapshot};
use crate::{LakeError, checkpoint};

/// Largest object of the log that is read: a commit or checkpoint of some million files.
const OBJECT_BYTES_MAX: u64 = 1 << 30;

/// Attempts to commit one version while the store's answers are lost.
const ATTEMPTS_MAX: u32 = 4;

/// Commits of the log that are read at the same time.
const READS_AT_ONCE: usize = 8;

/// Highest versions of protocol that are understood: what every reader of Delta can read.
const PROTOCOL: (i32, i32) = (1, 2);

/// The newest checkpoint, for those who look for one.
const LAST_CHECKPOINT: &str = "_last_checkpoint";

/// What became of an attempt to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Committed {
    /// The version is ours.
    Done,
    /// Somebody else has it.
    Taken,
}

/// The log of a table.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    store: Arc<dyn ObjectStore>,
    dir: Path,
    /// Between attempts.
    pause: Duration,
}

/// What is in the log's folder.
#[derive(Debug, Default)]
struct Listed {
    /// The versions of commits.
    commits: BTreeMap<u64, u64>,
    /// The versions of checkpoints that are one file.
    checkpoints: BTreeMap<u64, u64>,
}

impl Log {
    /// The log of the table at a place of a store.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, root: &Path, pause: Duration) -> Self {
        Self { store, dir: root.clone().join("_delta_log"), pause }
    }

    fn commit_path(&self, version: u64) -> Path {
        self.dir.clone().join(format!("{version:020}.json"))
    }

    fn checkpoint_path(&self, version: u64) -> Path {
        self.dir.clone().join(format!("{version:020}.checkpoint.parquet"))
    }

    /// The newest version of the table.
    pub(crate) async fn load(&self) -> Result<Snapshot, LakeError> {
        let listed = self.list().await?;
        let newest = listed.checkpoints.keys().next_back().copied();
        let mut snapshot = match newest {
            None => Snapshot::default(),
            Some(version) => self.read_checkpoint(version).await?,
        };
        let first = newest.map_or(0, |version| version + 1);
        let versions: Vec<u64> =
            listed.commits.range(first..).map(|(version, _)| *version).collect();
        let expected = first..first + versions.len() as u64;
        if !versions.iter().copied().eq(expected) {
            let file = self.commit_path(first).to_string();
            return Err(LakeError::Log {
                file,
                reason: "commits after it are there and it is not".into(),
            });
        }
        self.replay(&mut snapshot, versions).await?;
        check(&snapshot)?;
        Ok(snapshot)
    }

    /// Replays what was committed since a snapshot was taken, and gives who did it, where it was a
    /// node.
    pub(crate) async fn update(&self, snapshot: &mut Snapshot) -> Result<Vec<Author>, LakeError> {
        let mut authors = Vec::new();
        loop {
            let next = snapshot.version.map_or(0, |version| version + 1);
            let Some(bytes) = self.get(&self.commit_path(next)).await? else { break };
            snapshot.commit(next, self.parse(next, &bytes)?);
            authors.extend(snapshot.author.clone());
        }
        check(snapshot)?;
        Ok(authors)
    }

    async fn replay(&self, snapshot: &mut Snapshot, versions: Vec<u64>) -> Result<(), LakeError> {
        let commits = versions.into_iter().map(|version| async move {
            let path = self.commit_path(version);
            let bytes = self.get(&path).await?.ok_or_else(|| LakeError::Log {
                file: path.to_string(),
                reason: "it went away".to_owned(),
            })?;
            Ok::<_, LakeError>((version, self.parse(version, &bytes)?))
        });
        let mut commits = futures::stream::iter(commits).buffered(READS_AT_ONCE);
        while let Some((version, lines)) = commits.try_next().await? {
            snapshot.commit(version, lines);
        }
        Ok(())
    }

    fn parse(&self, version: u64, bytes: &[u8]) -> Result<Vec<Line>, LakeError> {
        action::parse(bytes).map_err(|error| LakeError::Log {
            file: self.commit_path(version).to_string(),
            reason: error.to_string(),
        })
    }

    async fn read_checkpoint(&self, version: u64) -> Result<Snapshot, LakeError> {
        let path = self.checkpoint_path(version);
        let failed = |reason: String| LakeError::Log { file: path.to_string(), reason };
        let bytes = self.get(&path).await?.ok_or_else(|| failed("it went away".to_owned()))?;
        // A panic of the library on bytes that make no sense is an error of this task alone.
        let lines = tokio::task::spawn_blocking(move || checkpoint::decode(bytes)).await;
        let lines = lines.map_err(|_| failed("its bytes make no sense".to_owned()))?;
        let at = Some(version);
        let mut snapshot = Snapshot { version: at, checkpoint: at, ..Snapshot::default() };
        lines
            .map_err(|error| failed(error.to_string()))?
            .into_iter()
            .for_each(|line| snapshot.apply(line));
        Ok(snapshot)
    }

    async fn list(&self) -> Result<Listed, LakeError> {
        let failed = LakeError::store;
        let mut objects = self.store.list(Some(&self.dir));
        let mut listed = Listed::default();
        while let Some(object) = objects.try_next().await.map_err(failed("list the table's log"))? {
            let Some(name) = object.location.filename() else { continue };
            let age = object.last_modified.timestamp_millis().max(0).unsigned_abs();
            if let Some(version) = numbered(name, ".json") {
                listed.commits.insert(version, age);
            } else if let Some(version) = numbered(name, ".checkpoint.parquet") {
                listed.checkpoints.insert(version, age);
            }
        }
        Ok(listed)
    }

    async fn get(&self, path: &Path) -> Result<Option<Bytes>, LakeError> {
        let found = match self.store.get(path).await {
            Err(StoreError::NotFound { .. }) => return Ok(None),
            found => found.map_err(LakeError::store("read the table's log"))?,
        };
        if found.meta.size > OBJECT_BYTES_MAX {
            let reason = format!("it has {} bytes", found.meta.size);
            return Err(LakeError::Log { file: path.to_string(), reason });
        }
        found.bytes().await.map(Some).map_err(LakeError::store("read the table's log"))
    }

    /// Commits lines as a version. An answer that is lost is made up for by looking: who has the
    /// version is in it.
    pub(crate) async fn commit(
        &self,
        version: u64,
        lines: &[Line],
        author: &Author,
    ) -> Result<Committed, LakeError> {
        let path = self.commit_path(version);
        let bytes = action::to_bytes(lines).map_err(|error| LakeError::Log {
            file: path.to_string(),
            reason: error.to_string(),
        })?;
        let bytes = Bytes::from(bytes);
        let mut pause = self.pause;
        for attempt in 1.. {
            let options = PutOptions::from(PutMode::Create);
            let put = self.store.put_opts(&path, bytes.clone().into(), options).await;
            let Err(error) = put else { return Ok(Committed::Done) };
            let looked = self.get(&path).await;
            match looked {
                Ok(Some(found)) => {
                    let found = Author::of(&self.parse(version, &found)?);
                    let ours = found.as_ref() == Some(author);
                    return Ok(if ours { Committed::Done } else { Committed::Taken });
                }
                // Whether it is there is not known: the next round looks.
                _ if attempt >= ATTEMPTS_MAX => {
                    return Err(LakeError::store("commit to the table")(error));
                }
                _ => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
        Err(LakeError::Busy)
    }

    /// Writes a checkpoint of a version, and tells where it is. It is never needed, so that a
    /// failure is not the end of a commit.
    pub(crate) async fn checkpoint(
        &self,
        snapshot: &Snapshot,
        gone_after: i64,
    ) -> Result<(), LakeError> {
        let Some(version) = snapshot.version else { return Ok(()) };
        let path = self.checkpoint_path(version);
        let lines = snapshot.lines(gone_after);
        let size = lines.len();
        let encoded = tokio::task::spawn_blocking(move || checkpoint::encode(&lines)).await;
        let failed = |reason: String| LakeError::Log { file: path.to_string(), reason };
        let bytes = encoded.map_err(|error| failed(error.to_string()))?;
        let bytes = bytes.map_err(|error| failed(error.to_string()))?;
        let writing = || LakeError::store("write a checkpoint of the table's log");
        self.store.put(&path, PutPayload::from(bytes)).await.map_err(writing())?;
        self.tell_checkpoint(version, size).await.map_err(writing())
    }

    /// Replaces `_last_checkpoint`, but not by an older one: where the store can, only if it is the
    /// one that was read.
    async fn tell_checkpoint(&self, version: u64, size: usize) -> Result<(), StoreError> {
        let path = self.dir.clone().join(LAST_CHECKPOINT);
        let text = json!({ "version": version, "size": size }).to_string();
        let payload = || PutPayload::from(text.clone().into_bytes());
        let mode = match self.store.get(&path).await {
            Err(StoreError::NotFound { .. }) => PutMode::Create,
            Err(error) => return Err(error),
            Ok(found) => {
                let at = UpdateVersion {
                    e_tag: found.meta.e_tag.clone(),
                    version: found.meta.version.clone(),
                };
                let told: serde_json::Value =
                    serde_json::from_slice(&found.bytes().await?).unwrap_or_default();
                if told["version"].as_u64() > Some(version) {
                    return Ok(());
                }
                PutMode::Update(at)
            }
        };
        match self.store.put_opts(&path, payload(), mode.into()).await {
            // Somebody else was faster, with one that is as good.
            Err(StoreError::Precondition { .. } | StoreError::AlreadyExists { .. }) => Ok(()),
            Err(StoreError::NotImplemented { .. }) => {
                self.store.put(&path, payload()).await.map(drop)
            }
            put => put.map(drop),
        }
    }

    /// Removes commits and checkpoints that are older than a time in milliseconds and from before
    /// the newest checkpoint but one, and gives how many.
    pub(crate) async fn clean(&self, before: i64) -> Result<usize, LakeError> {
        let listed = self.list().await?;
        let Some(kept) = listed.checkpoints.keys().rev().nth(1).copied() else { return Ok(0) };
        let is_old = |age: &u64| i64::try_from(*age).is_ok_and(|age| age < before);
        let old = |versions: &BTreeMap<u64, u64>, to: u64| -> Vec<u64> {
            // In order and without gaps, so that what stays can be replayed.
            let old = versions.range(..to).take_while(|(_, age)| is_old(age));
            old.map(|(version, _)| *version).collect()
        };
        let commits =
            old(&listed.commits, kept).into_iter().map(|version| self.commit_path(version));
        let checkpoints =
            old(&listed.checkpoints, kept).into_iter().map(|version| self.checkpoint_path(version));
        // Checkpoints first: one whose commits are gone is of no use to anybody.
        let paths: Vec<Path> = checkpoints.chain(commits).collect();
        for path in &paths {
            match self.store.delete(path).await {
                Ok(()) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(LakeError::store("clean the table's log")(error)),
            }
        }
        Ok(paths.len())
    }
}

/// The number that a name begins with, where it ends as given.
fn numbered(name: &str, end: &str) -> Option<u64> {
    let digits = name.strip_suffix(end)?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

fn check(snapshot: &Snapshot) -> Result<(), LakeError> {
    match snapshot.protocol {
        Some(protocol)
            if protocol.min_reader_version > PROTOCOL.0
                || protocol.min_writer_version > PROTOCOL.1 =>
        {
            let (reader, writer) = (protocol.min_reader_version, protocol.min_writer_version);
            Err(LakeError::Protocol { reader, writer })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
