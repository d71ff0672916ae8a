//! Segments: the files that hold the entries, each a fixed number of leaves.
//!
//! A segment starts with 28 bytes: `WEIRAUD` and the format's number, the index of its first leaf,
//! the feed position recorded before it, and a CRC-32C of these. Frames follow. Once a segment is
//! full it is durable together with its tiles and its index of offsets, and never changes again.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::AuditError;
use crate::frame::{HEADER_BYTES, Header};
use crate::tile::sync_dir;

/// Leaves in a full segment: 64 full tiles. A file of some 8 MB, which opening the log reads whole.
pub(crate) const SEGMENT_LEAVES: u64 = 1 << 14;

/// Leaves between two offsets of the index.
pub(crate) const BLOCK_LEAVES: u64 = 256;

/// Bytes before the first frame.
pub(crate) const START_BYTES: u64 = 28;

const MAGIC: &[u8; 8] = b"WEIRAUD\x01";

/// Bytes read at once while scanning.
const READ_BYTES: usize = 128 << 10;

/// What stands at the start of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) first: u64,
    pub(crate) position: u64,
}

/// One frame as it is met while scanning.
#[derive(Debug)]
pub(crate) enum Scanned {
    /// An intact frame; its entry is in the scan's buffer.
    Frame { offset: u64, header: Header },
    /// The file ends here, at a frame's edge.
    End,
    /// What starts here is no intact frame.
    Damaged { offset: u64 },
}

/// The folder that the segments are in.
pub(crate) fn folder(dir: &Path) -> PathBuf {
    dir.join("entries")
}

/// The file of the segment that holds a leaf.
pub(crate) fn path(dir: &Path, leaf: u64) -> PathBuf {
    let first = leaf / SEGMENT_LEAVES * SEGMENT_LEAVES;
    folder(dir).join(format!("{first:016}.log"))
}

/// The file that holds a full segment's offsets, one a block.
fn offsets_path(dir: &Path, leaf: u64) -> PathBuf {
    path(dir, leaf).with_extension("idx")
}

/// The number of segments; an error when one is missing in their row.
pub(crate) fn count(dir: &Path) -> Result<u64, AuditError> {
    let folder = folder(dir);
    let failed = AuditError::io("list the audit folder", &folder);
    let mut names = Vec::new();
    match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
        Ok(files) => {
            for file in files {
                let file = file.map_err(AuditError::io("list the audit folder", &folder))?;
                if file.path().extension().is_some_and(|e| e == "log") {
                    names.push(file.path());
                }
            }
        }
    }
    names.sort();
    for (number, name) in (0..).zip(&names) {
        let first = number * SEGMENT_LEAVES;
        if *name != path(dir, first) {
            let reason = format!("{} is missing", path(dir, first).display());
            return Err(AuditError::diverged(dir, first, reason));
        }
    }
    Ok(names.len() as u64)
}

/// Creates the segment that starts with a leaf. It appears whole or not at all.
pub(crate) fn create(dir: &Path, start: Start) -> Result<File, AuditError> {
    let path = path(dir, start.first);
    let failed = |error| AuditError::io("create the audit segment", &path)(error);
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&start.first.to_le_bytes());
    bytes.extend_from_slice(&start.position.to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    fs::create_dir_all(folder(dir)).map_err(failed)?;
    write_whole(&path, &bytes, 0o600).map_err(failed)?;
    sync_dir(&folder(dir))?;
    sync_dir(dir)?;
    File::options().append(true).read(true).open(&path).map_err(failed)
}

/// Writes a file beside its place, makes it durable and puts it there, so that it is never seen
/// half written. The caller syncs the folder.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// Keeps a full segment's offsets beside it.
pub(crate) fn write_offsets(dir: &Path, first: u64, offsets: &[u64]) -> Result<(), AuditError> {
    let path = offsets_path(dir, first);
    let bytes: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
    write_whole(&path, &bytes, 0o600).map_err(AuditError::io("write the audit index", &path))?;
    sync_dir(&folder(dir))
}

/// The offsets of a full segment, from beside it or, where they are missing, from itself.
pub(crate) fn read_offsets(dir: &Path, first: u64) -> Result<Vec<u64>, AuditError> {
    let path = offsets_path(dir, first);
    if let Ok(bytes) = fs::read(&path)
        && bytes.len() as u64 == SEGMENT_LEAVES / BLOCK_LEAVES * 8
    {
        return Ok(bytes.as_chunks().0.iter().map(|offset| u64::from_le_bytes(*offset)).collect());
    }
    let mut scan = Scan::open(dir, first)?;
    let mut offsets = Vec::new();
    while let Scanned::Frame { offset, header } = scan.next()? {
        if header.index.is_multiple_of(BLOCK_LEAVES) {
            offsets.push(offset);
        }
    }
    Ok(offsets)
}

/// Reads a segment front to back.
pub(crate) struct Scan {
    file: BufReader<File>,
    path: PathBuf,
    offset: u64,
    length: u64,
    entry: Vec<u8>,
    pub(crate) start: Start,
}

impl Scan {
    /// Opens the segment that starts with a leaf.
    pub(crate) fn open(dir: &Path, first: u64) -> Result<Self, AuditError> {
        let path = path(dir, first);
        let failed = |error| AuditError::io("read the audit segment", &path)(error);
        let mut file = File::open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut bytes = [0; START_BYTES as usize];
        let read = file.read_exact(&mut bytes);
        let start = read.ok().and_then(|()| decode_start(&bytes));
        let Some(start) = start.filter(|start| start.first == first) else {
            let reason = format!("{} does not start as a segment does", path.display());
            return Err(AuditError::diverged(dir, first, reason));
        };
        let file = BufReader::with_capacity(READ_BYTES, file);
        Ok(Self { file, path, offset: START_BYTES, length, entry: Vec::new(), start })
    }

    /// The bytes of the entry of the frame that was met last.
    pub(crate) fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// The file's length when it was opened.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The next frame.
    pub(crate) fn next(&mut self) -> Result<Scanned, AuditError> {
        let offset = self.offset;
        if offset == self.length {
            return Ok(Scanned::End);
        }
        let Some((bytes, header)) = self.header()? else {
            return Ok(Scanned::Damaged { offset });
        };
        self.entry.resize(header.length as usize, 0);
        self.file.read_exact(&mut self.entry).map_err(AuditError::io("read", &self.path))?;
        if !header.matches(&bytes, &self.entry) {
            return Ok(Scanned::Damaged { offset });
        }
        self.offset += HEADER_BYTES as u64 + u64::from(header.length);
        Ok(Scanned::Frame { offset, header })
    }

    /// The next frame's header, its entry skipped and not checked.
    pub(crate) fn next_header(&mut self) -> Result<Option<(u64, Header)>, AuditError> {
        let offset = self.offset;
        if offset == self.length {
            return Ok(None);
        }
        let Some((_, header)) = self.header()? else { return Ok(None) };
        let skip = i64::from(header.length);
        self.file.seek_relative(skip).map_err(AuditError::io("read", &self.path))?;
        self.offset += HEADER_BYTES as u64 + u64::from(header.length);
        Ok(Some((offset, header)))
    }

    /// A header whose frame fits into what is left of the file.
    fn header(&mut self) -> Result<Option<([u8; HEADER_BYTES], Header)>, AuditError> {
        let left = self.length - self.offset;
        if left < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let mut bytes = [0; HEADER_BYTES];
        self.file.read_exact(&mut bytes).map_err(AuditError::io("read", &self.path))?;
        let fits = |header: &Header| HEADER_BYTES as u64 + u64::from(header.length) <= left;
        Ok(Header::decode(&bytes).filter(fits).map(|header| (bytes, header)))
    }

    /// Goes on at another offset, where a frame is known to start. What is buffered is kept, so that
    /// going through a block backwards reads it once.
    pub(crate) fn seek(&mut self, offset: u64) -> Result<(), AuditError> {
        let to = offset.min(self.length);
        let by = to as i64 - self.offset as i64;
        self.offset = to;
        self.file.seek_relative(by).map_err(AuditError::io("read", &self.path))
    }
}

fn decode_start(bytes: &[u8; START_BYTES as usize]) -> Option<Start> {
    let (head, sum) = bytes.split_last_chunk::<4>()?;
    let (magic, numbers) = head.split_first_chunk::<8>()?;
    if magic != MAGIC || crc32c::crc32c(head).to_le_bytes() != *sum {
        return None;
    }
    let (first, position) = numbers.split_first_chunk::<8>()?;
    let position = position.try_into().ok()?;
    Some(Start { first: u64::from_le_bytes(*first), position: u64::from_le_bytes(position) })
}
