//! Opening a folder: manifest, checkpoint, then the log that is not in blocks yet.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::block::{self, Block};
use crate::deletion::Entry;
use crate::disk::{self, Disk};
use crate::last::LastValues;
use crate::live::{LiveBatch, LiveStream};
use crate::log::segment::{self, SEGMENT_BYTES_MAX, Segment};
use crate::log::{Closed, LogWriter, record};
use crate::manifest::{self, Manifest, Version};
use crate::memory::Table;
use crate::producers::Producers;
use crate::scan::View;
use crate::shared::Recovered;
use crate::{HistorianError, Options, checkpoint};

/// The part of a segment's size that an option may set.
const SEGMENT_BYTES_SET_MAX: u64 = SEGMENT_BYTES_MAX / 2;

/// Takes the folder for this process, until the file is closed.
pub(crate) fn lock(disk: &dyn Disk, dir: &Path) -> Result<File, HistorianError> {
    disk::create_dir_all(disk, dir).map_err(HistorianError::io("create", dir))?;
    let file = open_lock(dir).map_err(HistorianError::io("open", &lock_path(dir)))?;
    hold(dir, file)
}

fn lock_path(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// Opens the file that is locked, which is made where it is missing.
pub(crate) fn open_lock(dir: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(lock_path(dir))
}

/// Locks it.
pub(crate) fn hold(dir: &Path, file: File) -> Result<File, HistorianError> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(HistorianError::AlreadyOpen { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(HistorianError::io("lock", &lock_path(dir))(error)),
    }
}

/// Reads what the folder holds. Nothing of a damaged file is used: a damaged manifest, checkpoint
/// or log is an error; a damaged block is one for those who read it.
pub(crate) fn recover(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    options: &Options,
) -> Result<(Recovered, LogWriter, Manifest), HistorianError> {
    let manifest = load_manifest(&**disk, dir)?;
    let (last, producers) = load_checkpoint(dir, &manifest)?;
    let blocks = manifest.blocks.iter().map(|entry| Block::new(dir, disk, entry.clone()));
    let version = Version::new(blocks.inspect(|block| look_at(block)));
    let version = version.with_superseded(&manifest.superseded);
    let covered = manifest.covered;
    let live = LiveStream::new(covered, options.live_bytes_max, options.live_batches_max);
    let view = View {
        active: Arc::default(),
        frozen: None,
        version: Arc::new(version),
        deletions: Arc::new(manifest.deletions.clone()),
    };
    let mut recovered = Recovered {
        view,
        last,
        producers,
        live,
        covered,
        position: covered,
        samples: manifest.samples,
    };
    let log = dir.join("log");
    disk::create_dir_all(&**disk, &log).map_err(HistorianError::io("create", &log))?;
    let (closed, cut) = replay(&log, &mut recovered)?;
    let segment_bytes = options.segment_bytes.min(SEGMENT_BYTES_SET_MAX);
    let mut writer = LogWriter::new(Arc::clone(disk), &log, segment_bytes, closed, cut);
    // A process that was killed may have left what this one reads without having made it durable.
    // Where that does not work now, the first append does it before it stores anything.
    if let Err(error) = writer.settle().and_then(|()| writer.release(covered)) {
        tracing::warn!(%error, "log that is in blocks could not be removed");
    }
    Ok((recovered, writer, manifest))
}

fn load_manifest(disk: &dyn Disk, dir: &Path) -> Result<Manifest, HistorianError> {
    if let Some(manifest) = Manifest::load(dir)? {
        return Ok(manifest);
    }
    let path = manifest::path(dir);
    let log = dir.join("log");
    if block::folder(dir).exists() || log.exists() && !segment::list(&log)?.is_empty() {
        let reason = "it is missing, though the folder holds samples";
        return Err(HistorianError::corrupt(&path, 0, reason));
    }
    let manifest = Manifest::default();
    manifest.save(disk, dir).map_err(HistorianError::io("write", &path))?;
    Ok(manifest)
}

fn load_checkpoint(
    dir: &Path,
    manifest: &Manifest,
) -> Result<(LastValues, Producers), HistorianError> {
    let Some(entry) = &manifest.checkpoint else { return Ok(Default::default()) };
    let path = dir.join(&entry.file);
    let bytes = std::fs::read(&path).map_err(HistorianError::io("read", &path))?;
    if crc32c::crc32c(&bytes) != entry.crc32c {
        return Err(HistorianError::corrupt(&path, 0, "its checksum does not match"));
    }
    checkpoint::decode(&path, &bytes)
}

/// Tells the operator of a block that is missing or cut before anybody reads it.
fn look_at(block: &Block) {
    let found = std::fs::metadata(block.path()).map(|metadata| metadata.len());
    if !matches!(found, Ok(bytes) if bytes == block.entry().bytes) && block.mark_damaged() {
        let file = block.path().display();
        tracing::error!(%file, ?found, "a block of the historian is missing or cut");
    }
}

type Segments = (VecDeque<Closed>, Option<(PathBuf, u64)>);

/// Replays the log behind the blocks; gives the segments and what the last is to be cut to.
fn replay(log: &Path, recovered: &mut Recovered) -> Result<Segments, HistorianError> {
    let segments = segment::list(log)?;
    let mut closed = VecDeque::new();
    let mut cut = None;
    for (index, segment) in segments.iter().enumerate() {
        let next = segments.get(index + 1);
        if let Some(next) = next.filter(|next| next.first <= recovered.covered.saturating_add(1)) {
            let (segment, last) = (segment.clone(), next.first.saturating_sub(1));
            closed.push_back(Closed { segment, last, bytes: 0 });
            continue;
        }
        let expected = recovered.position + 1;
        let follows = if closed.is_empty() || recovered.position == recovered.covered {
            segment.first <= expected
        } else {
            segment.first == expected
        };
        if !follows {
            let (from, to) = (expected, segment.first.saturating_sub(1));
            let reason = format!("the log before it is missing: positions {from} to {to}");
            return Err(HistorianError::corrupt(&segment.path, 0, reason));
        }
        let bytes = read_segment(segment)?;
        let table = Arc::clone(&recovered.view.active);
        let end = segment::read(segment, &bytes, next.is_none(), |offset, frame| {
            apply(segment, offset, frame, &table, recovered)
        })?;
        let length = end.position.map_or(0, |_| end.offset);
        if next.is_none() {
            cut = Some((segment.path.clone(), length));
        }
        if end.torn > 0 {
            tracing::warn!(
                file = %segment.path.display(),
                offset = end.offset,
                bytes = end.torn,
                "cut a torn end of the log: what a crash left of a batch that was not acknowledged"
            );
        }
        if let Some(last) = end.position {
            closed.push_back(Closed { segment: segment.clone(), last, bytes: end.offset });
        }
    }
    Ok((closed, cut))
}

fn read_segment(segment: &Segment) -> Result<Vec<u8>, HistorianError> {
    let path = &segment.path;
    let bytes = std::fs::metadata(path).map_err(HistorianError::io("read", path))?.len();
    if bytes > SEGMENT_BYTES_MAX {
        return Err(HistorianError::corrupt(path, SEGMENT_BYTES_MAX, "it is too long"));
    }
    std::fs::read(path).map_err(HistorianError::io("read", path))
}

fn apply(
    segment: &Segment,
    offset: u64,
    frame: record::Frame<'_>,
    table: &RwLock<Table>,
    recovered: &mut Recovered,
) -> Result<(), HistorianError> {
    if frame.position <= recovered.covered {
        return Ok(());
    }
    let entry = record::decode(frame.payload, frame.position)
        .map_err(|error| HistorianError::corrupt(&segment.path, offset, error.0))?;
    let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
    recovered.position = frame.position;
    let batch = match entry {
        Entry::Batch(batch) => batch,
        Entry::Deletion(deletion, latest) => {
            table.delete(&deletion);
            recovered.last.delete(&deletion, latest.as_ref());
            Arc::make_mut(&mut recovered.view.deletions).push(deletion);
            recovered.live.pass(frame.position);
            return Ok(());
        }
    };
    let (tenant, position) = (batch.tenant, frame.position);
    table.insert(tenant, &batch.samples);
    recovered.last.insert(tenant, position, &batch.samples);
    if let Some(producer) = &batch.producer {
        recovered.producers.insert(tenant, producer, position);
    }
    recovered.samples += batch.samples.len() as u64;
    if batch.backfill {
        recovered.live.pass(position);
    } else {
        recovered.live.publish(LiveBatch { position, tenant, samples: batch.samples });
    }
    Ok(())
}
