//! Opening a log: the torn tail of an interrupted write is cut, all else that is wrong is named.

use std::fs::{self, File};
use std::path::Path;

use crate::audit::GROUP_BYTES_MAX;
use crate::error::AuditError;
use crate::frame::{HEADER_BYTES, Header};
use crate::hash::{Hash, leaf_hash};
use crate::segment::{self, BLOCK_LEAVES, SEGMENT_LEAVES, START_BYTES, Scan, Scanned};
use crate::tile::{TILE_WIDTH, TileId, Tiles};
use crate::tree::Edge;

/// The log as it is found.
pub(crate) struct Recovered {
    pub(crate) edge: Edge,
    /// The highest feed position recorded.
    pub(crate) position: u64,
    /// The offsets of the last segment's blocks.
    pub(crate) offsets: Vec<u64>,
    /// The last segment and its length without a torn tail; none when there is none yet.
    pub(crate) segment: Option<(File, u64)>,
    /// Full tiles over the last segment, which may not be on disk yet.
    pub(crate) fresh: Vec<(TileId, Vec<Hash>)>,
}

impl Recovered {
    /// Cuts the torn tail and brings the tiles over the last segment up to date.
    pub(crate) fn settle(&self, dir: &Path, tiles: &Tiles) -> Result<(), AuditError> {
        let Some((file, end)) = &self.segment else { return Ok(()) };
        let path = segment::path(dir, self.edge.size().saturating_sub(1));
        let failed = |error| AuditError::io("cut the torn end of", &path)(error);
        let length = file.metadata().map_err(failed)?.len();
        if *end < length {
            tracing::warn!(bytes = length - end, leaf = self.edge.size(), "cut a torn audit entry");
            file.set_len(*end).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        for (tile, hashes) in &self.fresh {
            if tiles.read(*tile)?.as_ref() != Some(hashes) {
                tiles.append(*tile, 0, hashes)?;
            }
        }
        let partial = TileId { level: 0, index: self.edge.size() / TILE_WIDTH };
        if self.edge.tile(0).is_empty() {
            return Ok(());
        }
        tiles.append(partial, 0, self.edge.tile(0))
    }
}

/// Reads the last segment. Nothing is written yet.
pub(crate) fn recover(dir: &Path, tiles: &Tiles) -> Result<Recovered, AuditError> {
    let segments = segment::count(dir)?;
    if segments == 0 {
        let edge = Edge::default();
        let (offsets, fresh) = (Vec::new(), Vec::new());
        return Ok(Recovered { edge, position: 0, offsets, segment: None, fresh });
    }
    let first = (segments - 1) * SEGMENT_LEAVES;
    let mut edge = Edge::read(tiles, first)?;
    let mut scan = Scan::open(dir, first)?;
    let mut last = Last { group: first, position: scan.start.position };
    let mut offsets = Vec::new();
    let mut fresh = Vec::new();
    let end = loop {
        match scan.next()? {
            Scanned::Frame { offset, header } => {
                let expected = edge.size();
                last.accept(dir, &header, expected)?;
                if header.index.is_multiple_of(BLOCK_LEAVES) {
                    offsets.push(offset);
                }
                edge.push(leaf_hash(scan.entry()), |tile, hashes| {
                    fresh.push((tile, hashes.to_vec()))
                });
            }
            Scanned::End => break scan.length(),
            Scanned::Damaged { offset } => {
                torn_or_damaged(dir, first, offset, scan.length(), edge.size())?;
                break offset;
            }
        }
    };
    let path = segment::path(dir, first);
    let file = File::options().append(true).read(true).open(&path);
    let file = file.map_err(AuditError::io("open", &path))?;
    let segment = Some((file, end));
    Ok(Recovered { edge, position: last.position, offsets, segment, fresh })
}

/// What the frames before said; a frame must carry on from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Last {
    pub(crate) group: u64,
    pub(crate) position: u64,
}

impl Last {
    /// Checks that an intact frame stands where it belongs.
    pub(crate) fn accept(
        &mut self,
        dir: &Path,
        header: &Header,
        expected: u64,
    ) -> Result<(), AuditError> {
        if header.index != expected {
            let reason = format!("entry {} stands where entry {expected} belongs", header.index);
            return Err(AuditError::diverged(dir, expected, reason));
        }
        let group_fits = header.group == self.group || header.group == expected;
        if !group_fits || header.position < self.position {
            let reason = "the entry's frame does not carry on from the one before";
            return Err(AuditError::diverged(dir, expected, reason));
        }
        *self = Self { group: header.group, position: header.position };
        Ok(())
    }
}

/// Whether what starts at `offset` is the torn tail of one group: then nothing of a later group
/// stands behind it, and no more than one group does. Only what stood there when the segment was
/// `length` bytes long is looked at: a running server may have completed the group since, and
/// written others.
pub(crate) fn torn_or_damaged(
    dir: &Path,
    first: u64,
    offset: u64,
    length: u64,
    leaf: u64,
) -> Result<u64, AuditError> {
    let damaged = || AuditError::diverged(dir, leaf, "the entry's bytes are damaged");
    let path = segment::path(dir, first);
    let failed = |error| AuditError::io("read the audit segment", &path)(error);
    let tail = length.saturating_sub(offset);
    if tail > GROUP_BYTES_MAX || offset < START_BYTES {
        return Err(damaged());
    }
    let bytes = fs::File::open(&path)
        .and_then(|mut file| {
            use std::io::{Read, Seek, SeekFrom};
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::with_capacity(tail as usize);
            file.take(tail).read_to_end(&mut bytes)?;
            Ok(bytes)
        })
        .map_err(failed)?;
    for (at, window) in bytes.array_windows::<HEADER_BYTES>().enumerate() {
        let Some(header) = Header::decode(window) else { continue };
        let later = header.group > leaf && header.index >= header.group;
        if !later || header.index >= first + SEGMENT_LEAVES {
            continue;
        }
        let entry = bytes[at + HEADER_BYTES..].get(..header.length as usize);
        if entry.is_some_and(|entry| header.matches(window, entry)) {
            return Err(damaged());
        }
    }
    Ok(tail)
}
