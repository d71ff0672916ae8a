//! Looking for damage: every file of a folder, every page of every block.
//!
//! What is found is told as [`Fault`]s: the file, where in it and in what way, and which samples
//! cannot be read because of it. Nothing is changed. One block's pages are in memory at a time, a
//! page after the other; of the log one segment.

pub(crate) mod block;
mod files;
pub(crate) mod log;

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use weir_model::{TenantId, Timestamp};

pub(crate) use files::{block_files, entry_of_file};

use crate::block::Block;
use crate::disk::{Disk, LocalDisk};
use crate::manifest::{self, Manifest};
use crate::{Historian, HistorianError, checkpoint, recovery};

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file, from the historian's folder on.
    pub file: PathBuf,
    /// Where in it, in bytes from its start.
    pub offset: u64,
    /// What is wrong there.
    pub cause: String,
    /// Whether no stored sample is lost by it and no start is held up by it: what a crash has left.
    pub harmless: bool,
    /// The samples that cannot be read because of it, as far as it is known.
    pub lost: Vec<Lost>,
}

/// Samples that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Whose.
    pub tenant: TenantId,
    /// Their lowest and highest tag.
    pub tags: (u32, u32),
    /// Not before this time.
    pub from: Timestamp,
    /// Not after this time.
    pub to: Timestamp,
    /// How many.
    pub rows: u64,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, tags: (first, last), from, to, rows } = self;
        write!(f, "{rows} samples of tenant {tenant}, ")?;
        match first == last {
            true => write!(f, "tag {first}")?,
            false => write!(f, "tags {first} to {last}")?,
        }
        write!(f, ", from {from} to {to}")
    }
}

/// What is told while a folder is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Bytes that were looked at, and how many there are.
    Progress {
        /// So far.
        bytes: u64,
        /// In all.
        bytes_total: u64,
    },
    /// Something is wrong.
    Fault(Fault),
}

/// Takes what is told; says whether to go on.
pub type Watch<'a> = dyn FnMut(Seen) -> ControlFlow<()> + 'a;

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows of blocks that were read and found good.
    pub rows: u64,
    /// Faults that are not harmless.
    pub faults: u64,
    /// Faults that are.
    pub harmless: u64,
    /// Whether it was ended before everything had been looked at.
    pub ended: bool,
}

/// Looks at every file of a folder that no historian has open.
///
/// # Errors
/// [`HistorianError::AlreadyOpen`]; [`HistorianError::Format`] of a newer version;
/// [`HistorianError::Io`]. Damage is no error, but told.
pub fn check(dir: &Path, watch: &mut Watch<'_>) -> Result<Checked, HistorianError> {
    let _lock = lock(dir)?;
    let mut check = Check::new(dir, watch);
    let manifest = match Manifest::load(dir) {
        Ok(Some(manifest)) => Some(manifest),
        Ok(None) => {
            if !log::segments(dir)?.is_empty() || crate::block::folder(dir).exists() {
                check.fault(Fault::of(&manifest::path(dir), "it is missing"));
            }
            None
        }
        Err(HistorianError::Corrupt { file, offset, reason }) => {
            check.fault(Fault { offset, ..Fault::of(&file, reason) });
            None
        }
        Err(error) => return Err(error),
    };
    check.files(manifest.as_ref())?;
    Ok(check.done)
}

impl Historian {
    /// Looks at every block that reads may need, at the manifest and at the checkpoint. The log of an
    /// open historian is looked at when it is opened. Blocks the thread for as long as it takes.
    ///
    /// # Errors
    /// [`HistorianError::Io`]. Damage is no error, but told.
    pub fn check(&self, watch: &mut Watch<'_>) -> Result<Checked, HistorianError> {
        let shared = self.shared();
        let mut check = Check::new(&shared.dir, watch);
        match Manifest::load(&shared.dir) {
            Err(HistorianError::Corrupt { file, offset, reason }) => {
                check.fault(Fault { offset, ..Fault::of(&file, reason) });
            }
            loaded => drop(loaded?),
        }
        check.done.files += 1;
        let version = shared.view().version;
        let blocks: Vec<_> = version.blocks().cloned().collect();
        drop(version);
        check.total = blocks.iter().map(|block| block.entry().bytes).sum();
        for block in blocks {
            check.block(&block)?;
            if check.done.ended {
                break;
            }
        }
        Ok(check.done)
    }
}

impl Fault {
    pub(crate) fn of(file: &Path, cause: impl Into<String>) -> Self {
        let (file, cause) = (file.to_owned(), cause.into());
        Self { file, offset: 0, cause, harmless: false, lost: Vec::new() }
    }

    fn harmless(self) -> Self {
        Self { harmless: true, ..self }
    }
}

/// A folder being looked at.
struct Check<'a> {
    dir: &'a Path,
    watch: &'a mut dyn FnMut(Seen) -> ControlFlow<()>,
    done: Checked,
    total: u64,
}

impl<'a> Check<'a> {
    fn new(dir: &'a Path, watch: &'a mut Watch<'_>) -> Self {
        Self { dir, watch, done: Checked::default(), total: 0 }
    }

    fn tell(&mut self, seen: Seen) -> bool {
        self.done.ended |= (self.watch)(seen).is_break();
        !self.done.ended
    }

    fn fault(&mut self, mut fault: Fault) {
        if let Ok(relative) = fault.file.strip_prefix(self.dir).map(Path::to_owned) {
            fault.file = relative;
        }
        let count = if fault.harmless { &mut self.done.harmless } else { &mut self.done.faults };
        *count += 1;
        self.tell(Seen::Fault(fault));
    }

    fn passed(&mut self, bytes: u64) -> bool {
        self.done.bytes += bytes;
        let progress = Seen::Progress { bytes: self.done.bytes, bytes_total: self.total };
        self.tell(progress)
    }

    fn files(&mut self, manifest: Option<&Manifest>) -> Result<(), HistorianError> {
        let (dir, unknown) = (self.dir, Manifest::default());
        let files = block_files(dir)?;
        let segments = log::segments(dir)?;
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let named = manifest.unwrap_or(&unknown);
        let checkpoint = named.checkpoint.as_ref().map(|entry| dir.join(&entry.file));
        self.total = files.iter().chain(&checkpoint).map(|path| bytes(path)).sum::<u64>()
            + segments.iter().map(|segment| bytes(&segment.path)).sum::<u64>();
        if let Some(entry) = &named.checkpoint {
            self.checkpoint(&dir.join(&entry.file), Some(entry.crc32c))?;
        }
        self.log(&segments, manifest.map(|manifest| manifest.covered))?;
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
        let mut live = std::collections::HashSet::new();
        for entry in &named.blocks {
            if self.done.ended {
                return Ok(());
            }
            let block = Block::new(dir, &disk, entry.clone());
            if !live.insert(block.path().to_owned()) {
                self.fault(Fault::of(
                    &manifest::path(dir),
                    format!("it names block {} twice", entry.id),
                ));
                continue;
            }
            self.block(&block)?;
        }
        for path in files {
            if self.done.ended {
                return Ok(());
            }
            match manifest {
                Some(_) if live.contains(&path) => {}
                Some(_) => {
                    let cause = "the manifest does not name it: a crash has left it, and the next start \
                                 removes it";
                    self.fault(Fault::of(&path, cause).harmless());
                    self.passed(bytes(&path));
                }
                None => self.unnamed(&path, &disk)?,
            }
        }
        Ok(())
    }

    /// A block of which no manifest tells anything.
    fn unnamed(&mut self, path: &Path, disk: &Arc<dyn Disk>) -> Result<(), HistorianError> {
        match entry_of_file(self.dir, path) {
            Ok(entry) => self.block(&Block::new(self.dir, disk, entry)),
            Err(HistorianError::Corrupt { file, offset, reason }) => {
                self.fault(Fault { offset, ..Fault::of(&file, reason) });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn checkpoint(&mut self, path: &Path, crc: Option<u32>) -> Result<(), HistorianError> {
        self.done.files += 1;
        let found = std::fs::read(path);
        if let Err(error) = &found
            && error.kind() == io::ErrorKind::NotFound
        {
            self.fault(Fault::of(
                path,
                "it is missing: the newest values and who sent what are in it",
            ));
            return Ok(());
        }
        let bytes = found.map_err(HistorianError::io("read", path))?;
        if crc.is_some_and(|crc| crc32c::crc32c(&bytes) != crc) {
            self.fault(Fault::of(path, "its checksum is not the one in the manifest"));
        } else if let Err(error) = checkpoint::decode(path, &bytes) {
            match error {
                HistorianError::Corrupt { file, offset, reason } => {
                    self.fault(Fault { offset, ..Fault::of(&file, reason) });
                }
                error => return Err(error),
            }
        }
        self.passed(bytes.len() as u64);
        Ok(())
    }

    fn block(&mut self, block: &Arc<Block>) -> Result<(), HistorianError> {
        self.done.files += 1;
        let before = self.done.bytes;
        let found = block::look(block, &mut |bytes| self.passed(bytes))?;
        // What could not be read counts as looked at.
        let bytes = std::fs::metadata(block.path()).map_or(0, |metadata| metadata.len());
        self.done.bytes = before + bytes;
        self.done.rows += found.rows();
        for fault in found.faults {
            self.fault(fault);
        }
        Ok(())
    }

    fn log(
        &mut self,
        segments: &[crate::log::segment::Segment],
        covered: Option<u64>,
    ) -> Result<(), HistorianError> {
        let mut follows = log::Follows::new(covered);
        for (place, segment) in segments.iter().enumerate() {
            if self.done.ended {
                return Ok(());
            }
            self.done.files += 1;
            let bytes = log::read(segment)?;
            let is_last = place + 1 == segments.len();
            for fault in follows.faults(segment, &bytes, is_last)? {
                self.fault(fault);
            }
            self.passed(bytes.len() as u64);
        }
        Ok(())
    }
}

/// Takes a folder for as long as the file is open. A folder that nobody can write needs no lock.
pub(crate) fn lock(dir: &Path) -> Result<Option<File>, HistorianError> {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match recovery::open_lock(dir) {
        Err(error) if matches!(error.kind(), ReadOnlyFilesystem | PermissionDenied) => Ok(None),
        file => {
            let file = file.map_err(HistorianError::io("open", &dir.join("lock")))?;
            recovery::hold(dir, file).map(Some)
        }
    }
}
