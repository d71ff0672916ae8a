//! Tiles: files of up to 256 hashes, laid out as C2SP tlog-tiles lays them out, except that a tile
//! that is not full yet is a shorter file of the same name.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::AuditError;
use crate::hash::Hash;

/// Hashes in a full tile.
pub(crate) const TILE_WIDTH: u64 = 256;

/// Tile levels of a tree of 2^63 leaves.
pub(crate) const TILE_LEVELS_MAX: u8 = 8;

const HASH_BYTES: usize = 32;

/// A tile: its level, and its number among the tiles of that level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TileId {
    pub(crate) level: u8,
    pub(crate) index: u64,
}

impl TileId {
    /// The first leaf under this tile.
    pub(crate) fn first_leaf(self) -> u64 {
        self.index << (8 * (u32::from(self.level) + 1)).min(63)
    }

    /// `tile/LEVEL/x001/x234/067` for number 1234067.
    fn path(self) -> String {
        let mut path = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            path = format!("x{:03}/{path}", rest % 1000);
            rest /= 1000;
        }
        format!("tile/{}/{path}", self.level)
    }
}

/// The folder that the tiles are in.
#[derive(Debug, Clone)]
pub(crate) struct Tiles {
    dir: PathBuf,
}

impl Tiles {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The hashes that a tile's file holds; none when there is no such file.
    pub(crate) fn read(&self, tile: TileId) -> Result<Option<Vec<Hash>>, AuditError> {
        let path = self.dir.join(tile.path());
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(AuditError::io("read the audit tile", &path)(error)),
        };
        Ok(Some(bytes.as_chunks::<HASH_BYTES>().0.iter().copied().map(Hash).collect()))
    }

    /// The hashes of a tile that must be full.
    pub(crate) fn read_full(&self, tile: TileId) -> Result<Vec<Hash>, AuditError> {
        let hashes = self.read(tile)?.ok_or_else(|| self.missing(tile))?;
        if hashes.len() as u64 != TILE_WIDTH {
            return Err(self.missing(tile));
        }
        Ok(hashes)
    }

    /// Appends hashes to a tile that has `already` of them.
    pub(crate) fn append(
        &self,
        tile: TileId,
        already: usize,
        hashes: &[Hash],
    ) -> Result<(), AuditError> {
        let path = self.dir.join(tile.path());
        let failed = |error| AuditError::io("write the audit tile", &path)(error);
        if already == 0
            && let Some(parent) = path.parent()
        {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let mut file =
            file.map_err(|error| AuditError::io("write the audit tile", &path)(error))?;
        // A longer file is what an interrupted group left behind; its hashes come again.
        let length = (already * HASH_BYTES) as u64;
        let write = |file: &mut File| {
            file.set_len(length)?;
            file.write_all(hashes.iter().map(|hash| hash.0).collect::<Vec<_>>().as_flattened())
        };
        write(&mut file).map_err(|error| AuditError::io("write the audit tile", &path)(error))
    }

    /// Makes a tile durable, with its place in its folders.
    pub(crate) fn sync(&self, tile: TileId) -> Result<(), AuditError> {
        let path = self.dir.join(tile.path());
        let failed = |error| AuditError::io("sync the audit tile", &path)(error);
        File::open(&path).and_then(|file| file.sync_all()).map_err(failed)?;
        for folder in path.ancestors().skip(1) {
            sync_dir(folder)?;
            if folder == self.dir {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn missing(&self, tile: TileId) -> AuditError {
        let reason = format!("the hashes in {} are missing", tile.path());
        AuditError::diverged(&self.dir, tile.first_leaf(), reason)
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), AuditError> {
    if cfg!(unix) {
        let sync = File::open(dir).and_then(|dir| dir.sync_all());
        sync.map_err(AuditError::io("sync the folder", dir))?;
    }
    Ok(())
}
