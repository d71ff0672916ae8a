//! The lake: what the historian's files are to the table that follows them, and who may leave.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir_api::{LakeStatus, LakeView};
use weir_historian::{BlockFile, ExactBlock, Historian, HistorianError, Overlaps, WantedTags};
use weir_lake::{
    Brought, FollowerOptions, History, LakeError, Month, Piece, PieceFile, PlaceSettings, State,
    Status, TableContents, TableOptions,
};
use weir_model::{TenantId, Timestamp};
use weir_twin::Directory;

use crate::config;

/// Largest file with a secret key.
const SECRET_BYTES_MAX: u64 = 4096;

/// What says that every organisation's samples go to the lake.
const EVERYBODY: &str = "*";

/// A lake that follows this node.
pub(crate) struct Lake {
    pub(crate) view: Arc<dyn LakeView>,
    pub(crate) follower: JoinHandle<()>,
}

/// Starts to follow, where settings name a place.
pub(crate) fn start(
    config: &config::Config,
    historian: &Historian,
    directory: &Directory,
    stop: CancellationToken,
) -> io::Result<Option<Lake>> {
    let lake = &config.lake;
    if lake.url.is_empty() {
        return Ok(None);
    }
    let dir = dir(&config.data.dir);
    let history = Exact {
        blocks: Box::new({
            let historian = historian.clone();
            move || Ok(historian.blocks())
        }),
        overlaps: Mutex::default(),
        scratch: dir.join("tmp"),
        leaving: Arc::new({
            let (directory, lake) = (directory.clone(), lake.clone());
            let known = Mutex::default();
            move || leaving_of(&directory, &lake, &known)
        }),
    };
    history.clear();
    let options = FollowerOptions {
        place: place(lake)?,
        table: TableOptions::new(weir_lake::identity(&dir)?, retain(lake)),
        every: Duration::from_secs(u64::from(lake.every_min.max(1)) * 60),
    };
    tracing::warn!(
        url = lake.url, organisations = ?lake.organisations, grade = %lake.grade,
        "samples leave this node for the lake, whose readers Weir does not check"
    );
    let (status, seen) = watch::channel(Status::default());
    let following = weir_lake::follow(options, Arc::new(history), status, stop);
    let view = Arc::new(Seen { url: lake.url.clone(), status: seen });
    Ok(Some(Lake { view, follower: tokio::spawn(following) }))
}

/// Where a node keeps what it knows of its lakes.
fn dir(data: &Path) -> PathBuf {
    data.join("lake")
}

fn retain(lake: &config::Lake) -> Duration {
    Duration::from_secs(u64::from(lake.retain_hours.max(1)) * 3600)
}

/// The place that settings say, with its secret.
fn place(lake: &config::Lake) -> io::Result<PlaceSettings> {
    let secret_key = match lake.secret_key_file.as_os_str().is_empty() {
        true => lake.secret_key.as_str().to_owned(),
        false => secret(&lake.secret_key_file)?,
    };
    Ok(PlaceSettings {
        url: lake.url.clone(),
        endpoint: lake.endpoint.clone(),
        region: lake.region.clone(),
        access_key: lake.access_key.clone(),
        secret_key,
    })
}

fn secret(file: &Path) -> io::Result<String> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    if std::fs::metadata(file).map_err(named)?.len() > SECRET_BYTES_MAX {
        let reason = format!("{} is too large to hold a secret key", file.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    let text = std::fs::read_to_string(file).map_err(named)?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The samples that may leave, by tenant: those of tags that there are. A tag that is no more may
/// have been of any grade, so that its samples stay.
type Leave = HashMap<TenantId, WantedTags>;

/// What may leave, and of which revisions of which tenants that was found.
type Known = Mutex<Option<(Vec<(TenantId, u64)>, Leave)>>;

/// As [`leaving`], which is asked only where a tenant has changed since.
fn leaving_of(directory: &Directory, lake: &config::Lake, known: &Known) -> Result<Leave, String> {
    let mut revisions = Vec::new();
    for organisation in directory.organisations().map_err(unread)? {
        let tenant = organisation.tenant;
        let revision = directory.with(tenant, |view| view.revision()).map_err(unread)?;
        revisions.push((tenant, revision.unwrap_or_default()));
    }
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    match &*known {
        Some((of, leave)) if *of == revisions => Ok(leave.clone()),
        _ => {
            let leave = leaving(directory, lake)?;
            *known = Some((revisions, leave.clone()));
            Ok(leave)
        }
    }
}

fn unread(error: impl std::fmt::Display) -> String {
    format!("the organisations cannot be read: {error}")
}

/// The samples that may leave: those of the tags of organisations that settings name, as long as
/// none of these tags is of a higher grade than what the lake may hold. A file has the samples of
/// many tags, so that all of an organisation go or none.
fn leaving(directory: &Directory, lake: &config::Lake) -> Result<Leave, String> {
    let mut tenants = Leave::new();
    for organisation in directory.organisations().map_err(unread)? {
        let is_named =
            |name: &String| name == EVERYBODY || *name == organisation.prefix.to_string();
        if !lake.organisations.iter().any(is_named) {
            continue;
        }
        let found = directory.with(organisation.tenant, |view| {
            let tags = || view.tags_after(None).map(|(_, tag)| tag);
            let highest = tags().map(|tag| view.grade_of_tag(tag)).max();
            let mut numbers: Vec<u32> = tags().map(|tag| tag.tag.0).collect();
            numbers.sort_unstable();
            (highest, numbers)
        });
        let (highest, numbers) = found.map_err(unread)?.unwrap_or_default();
        if let Some(highest) = highest.filter(|highest| *highest > lake.grade) {
            return Err(format!(
                "organisation {} has tags of grade {highest} and the lake may hold {} at most: grade \
                 them lower, take the organisation off lake.organisations, or set lake.grade",
                organisation.prefix, lake.grade
            ));
        }
        tenants.insert(organisation.tenant, WantedTags::Only(numbers.into()));
    }
    if tenants.is_empty() {
        let reason =
            "lake.organisations names no organisation of this node: name prefixes, or \"*\"";
        return Err(reason.to_owned());
    }
    Ok(tenants)
}

/// Whether all that might leave then still may. What came since changes nothing.
fn still(then: &Leave, leaving: &Leaving) -> Result<(), String> {
    let of_then: Vec<(&TenantId, &Arc<[u32]>)> = then
        .iter()
        .filter_map(|(tenant, tags)| match tags {
            WantedTags::All => None,
            WantedTags::Only(tags) => Some((tenant, tags)),
        })
        .collect();
    if of_then.is_empty() {
        return Ok(());
    }
    let now = leaving()?;
    let is_there = |(tenant, then): (&TenantId, &Arc<[u32]>)| match now.get(tenant) {
        Some(WantedTags::All) => true,
        Some(WantedTags::Only(now)) => {
            Arc::ptr_eq(now, then) || then.iter().all(|tag| now.binary_search(tag).is_ok())
        }
        None => false,
    };
    match of_then.into_iter().all(is_there) {
        true => Ok(()),
        false => {
            Err("a tag was deleted while files were copied; the next round goes on without its \
                      samples"
                .to_owned())
        }
    }
}

/// Copies the history of a data folder into a table, once, whether a node runs on it or not. Of a
/// running node, what is not in files yet is left out: the last two minutes.
///
/// # Errors
/// [`LakeError`].
pub async fn export(
    data: &Path,
    lake: &config::Lake,
    tenants: Option<&[u32]>,
    stop: &CancellationToken,
    watch: &mut (dyn FnMut(&Brought) + Send),
) -> Result<(Brought, TableContents), LakeError> {
    let failed = |error: io::Error| LakeError::Source(error.to_string());
    let (folder, dir) = (crate::historian_dir(data), dir(data));
    let all = |tenant| (tenant, WantedTags::All);
    let tenants =
        tenants.map(|tenants| tenants.iter().copied().map(TenantId).map(all).collect::<Leave>());
    let found = {
        let folder = folder.clone();
        move || weir_historian::blocks(&folder)
    };
    let history = Exact {
        leaving: Arc::new({
            let found = found.clone();
            move || match &tenants {
                Some(tenants) => Ok(tenants.clone()),
                None => {
                    let blocks = found().map_err(told)?;
                    Ok(blocks.tenants().into_iter().map(all).collect())
                }
            }
        }),
        blocks: Box::new(found),
        overlaps: Mutex::default(),
        scratch: dir.join("export"),
    };
    history.clear();
    let identity = weir_lake::identity(&dir).map_err(failed)?;
    let options = TableOptions::new(identity, retain(lake));
    weir_lake::export(&place(lake).map_err(failed)?, options, Arc::new(history), stop, watch).await
}

type FoundBlocks = dyn Fn() -> Result<weir_historian::Blocks, HistorianError> + Send + Sync;
type Leaving = dyn Fn() -> Result<Leave, String> + Send + Sync;

/// The historian's blocks without what others replace and what may not leave.
struct Exact {
    blocks: Box<FoundBlocks>,
    overlaps: Mutex<Overlaps>,
    /// Where blocks are written of which something is left out.
    scratch: PathBuf,
    leaving: Arc<Leaving>,
}

impl Exact {
    /// Removes what a crash has left in the folder for temporary files.
    fn clear(&self) {
        match std::fs::remove_dir_all(&self.scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(dir = %self.scratch.display(), %error, "temporary files stay");
            }
            _ => {}
        }
    }
}

impl History for Exact {
    fn state(&self) -> Result<State, String> {
        let leaving = (self.leaving)()?;
        let blocks = (self.blocks)().map_err(told)?;
        let mut overlaps = self.overlaps.lock().unwrap_or_else(PoisonError::into_inner);
        let months = overlaps.exact(&blocks, |tenant| leaving.get(&tenant).cloned());
        let piece = |block: ExactBlock| -> Arc<dyn Piece> {
            Arc::new(Block { block, scratch: self.scratch.clone() })
        };
        let months = months.into_iter().map(|month| Month {
            tenant: month.tenant,
            month: month.month,
            pieces: month
                .blocks
                .map(|blocks| blocks.into_iter().map(piece).collect())
                .map_err(told),
        });
        let asked = Arc::clone(&self.leaving);
        Ok(State {
            position: blocks.position(),
            months: months.collect(),
            still: Arc::new(move || still(&leaving, &*asked)),
        })
    }
}

fn told(error: HistorianError) -> String {
    weir_lake::chain(&error)
}

struct Block {
    block: ExactBlock,
    scratch: PathBuf,
}

impl Piece for Block {
    fn name(&self) -> String {
        self.block.name()
    }

    fn open(&self) -> Result<Option<Box<dyn PieceFile>>, String> {
        let file = self.block.open(&self.scratch).map_err(told)?;
        Ok(file.map(|file| Box::new(File(file)) as Box<dyn PieceFile>))
    }
}

struct File(BlockFile);

impl PieceFile for File {
    fn bytes(&self) -> u64 {
        self.0.bytes()
    }
    fn rows(&self) -> u64 {
        self.0.rows()
    }
    fn tags(&self) -> (u32, u32) {
        self.0.tags()
    }
    fn times(&self) -> (i64, i64) {
        self.0.times()
    }
    fn read(&self, offset: u64, length: usize) -> Result<weir_lake::Bytes, String> {
        self.0.read(offset, length).map_err(told)
    }
}

/// The lake as the interface shows it.
struct Seen {
    url: String,
    status: watch::Receiver<Status>,
}

impl LakeView for Seen {
    fn status(&self, now: Timestamp) -> LakeStatus {
        let status = self.status.borrow().clone();
        LakeStatus {
            url: self.url.clone(),
            state: status.phase.as_str().to_owned(),
            version: status.contents.version,
            files: status.contents.files,
            bytes: status.contents.bytes,
            position: status.position,
            committed: status.committed,
            as_of: status.as_of,
            behind_s: weir_lake::behind_s(&status, now),
            commits: status.commits,
            uploaded_files: status.uploaded_files,
            uploaded_bytes: status.uploaded_bytes,
            failures: status.failures,
            error: status.error,
            advice: status.advice,
            waiting: status.waiting,
        }
    }
}

#[cfg(test)]
mod tests;
