//! Appending to the log.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::encode_header;
use super::segment::{self, Segment};
use crate::disk::{Disk, DiskFile};

/// Zeros written ahead of the records: within them, an `fdatasync` changes no length and so costs
/// the file system no commit of its journal. Few in tests, which make thousands of segments.
const AHEAD_BYTES: usize = if cfg!(test) { 4 << 10 } else { 128 << 10 };

/// The end of the log. It survives a disk that refuses: what was written of a group that failed is
/// cut before anything else is written.
pub(crate) struct LogWriter {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment_bytes: u64,
    /// Segments behind the open one, oldest first.
    closed: VecDeque<Closed>,
    open: Option<Open>,
    /// A file whose end must be cut to this length, and made durable, before the log goes on; 0
    /// removes it.
    cut: Option<(PathBuf, u64)>,
    /// Whether what is before the cut was written by another process, which may have been told by the
    /// disk that it is not durable: the operating system shows it all the same, and takes it for done.
    inherited: bool,
    /// Folders whose names are made durable before the log goes on.
    names: Vec<PathBuf>,
    scratch: Vec<u8>,
}

/// A segment that is written no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    /// The file.
    pub(crate) segment: Segment,
    /// The position of its last record.
    pub(crate) last: u64,
    /// Bytes up to the end of its last record.
    pub(crate) bytes: u64,
}

struct Open {
    segment: Segment,
    file: Box<dyn DiskFile>,
    /// The position of the last record.
    last: u64,
    /// Where the records end.
    offset: u64,
    /// Where the file ends.
    length: u64,
}

impl LogWriter {
    /// A log that goes on behind the given segments, after a torn tail has been cut.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: &Path,
        segment_bytes: u64,
        closed: VecDeque<Closed>,
        cut: Option<(PathBuf, u64)>,
    ) -> Self {
        let dir = dir.to_owned();
        // A process that was killed may have made the folders and not have made that durable.
        let names = dir.ancestors().take(3).filter(|name| !name.as_os_str().is_empty());
        let names = names.map(Path::to_owned).collect();
        Self {
            disk,
            dir,
            segment_bytes,
            closed,
            open: None,
            cut,
            inherited: true,
            names,
            scratch: Vec::new(),
        }
    }

    /// Appends a group's records, which have the positions `first` to `last`, durably.
    ///
    /// # Errors
    /// The operating system's; then nothing was appended.
    pub(crate) fn append(&mut self, first: u64, last: u64, records: &[u8]) -> io::Result<()> {
        self.settle()?;
        let full = |open: &Open| open.offset + records.len() as u64 > self.segment_bytes;
        if self.open.as_ref().is_some_and(full) {
            self.seal();
        }
        let appended = self.try_append(first, last, records);
        if appended.is_err() {
            // What reached the file is unknown: it goes before the log goes on.
            if let Some(open) = self.open.take() {
                self.cut = Some((open.segment.path.clone(), open.offset));
                if open.offset > 0 {
                    self.closed.push_back(open.into());
                }
            }
            // Tried again by the next append.
            let _ = self.settle();
        }
        appended
    }

    fn try_append(&mut self, first: u64, last: u64, records: &[u8]) -> io::Result<()> {
        let created = self.open.is_none();
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let path = segment::path(&self.dir, first);
                // Until the file is complete, only its removal brings back a sound log.
                self.cut = Some((path.clone(), 0));
                let file = self.disk.create(&path)?;
                self.cut = None;
                let segment = Segment { first, path };
                self.open.insert(Open { segment, file, last, offset: 0, length: 0 })
            }
        };
        let header = encode_header(first);
        let header = if created { &header[..] } else { &[] };
        let end = open.offset + (header.len() + records.len()) as u64;
        if end <= open.length && header.is_empty() {
            open.file.write_all_at(records, open.offset)?;
        } else {
            self.scratch.clear();
            self.scratch.extend_from_slice(header);
            self.scratch.extend_from_slice(records);
            if records.len() < AHEAD_BYTES {
                self.scratch.resize(self.scratch.len() + AHEAD_BYTES, 0);
            }
            open.file.write_all_at(&self.scratch, open.offset)?;
            open.length = open.length.max(open.offset + self.scratch.len() as u64);
            if self.scratch.capacity() > 2 * AHEAD_BYTES {
                self.scratch = Vec::new();
            }
        }
        open.file.sync()?;
        if created {
            self.disk.sync_dir(&self.dir)?;
        }
        (open.offset, open.last) = (end, last);
        Ok(())
    }

    /// Cuts what a failure or a crash left behind the last record, and makes durable what is before
    /// it: a process that was killed may have written it without having done so.
    ///
    /// # Errors
    /// The operating system's; the next append tries it again.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        while let Some(folder) = self.names.last() {
            match self.disk.sync_dir(folder) {
                // The data folder may lie where others may look nothing up.
                Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
                _ => self.names.pop(),
            };
        }
        let Some((path, length)) = &self.cut else { return Ok(()) };
        if *length == 0 {
            match self.disk.remove(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.disk.sync_dir(&self.dir)?,
            }
        } else {
            match self.disk.open(path) {
                Ok(mut file) => {
                    file.set_len(*length)?;
                    if self.inherited {
                        // The same bytes in the same place: a crash meanwhile harms nothing.
                        let bytes = std::fs::read(path)?;
                        file.write_all_at(&bytes, 0)?;
                    }
                    file.sync()?;
                }
                // Its records are in blocks by now and the segment was released with its torn end.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        (self.cut, self.inherited) = (None, false);
        Ok(())
    }

    /// Ends the open segment; the next append begins another. Segments behind are never written.
    pub(crate) fn seal(&mut self) {
        if let Some(mut open) = self.open.take() {
            // The zeros behind the records are only room: a failure to give it back harms nothing.
            let _ = open.file.set_len(open.offset);
            self.closed.push_back(open.into());
        }
    }

    /// Removes the segments that hold no position above `covered`.
    pub(crate) fn release(&mut self, covered: u64) -> io::Result<()> {
        while let Some(oldest) = self.closed.front().filter(|closed| closed.last <= covered) {
            match self.disk.remove(&oldest.segment.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.closed.pop_front(),
            };
        }
        Ok(())
    }

    /// Bytes of records and headers.
    pub(crate) fn bytes(&self) -> u64 {
        let open = self.open.as_ref().map_or(0, |open| open.offset);
        open + self.closed.iter().map(|closed| closed.bytes).sum::<u64>()
    }
}

impl From<Open> for Closed {
    fn from(open: Open) -> Self {
        Self { segment: open.segment, last: open.last, bytes: open.offset }
    }
}
