//! The tree: its right edge in memory, everything else in tiles.

use crate::error::AuditError;
use crate::hash::{Hash, empty_root, node_hash};
use crate::tile::{TILE_LEVELS_MAX, TILE_WIDTH, TileId, Tiles};

/// The hashes of the tiles that are not full yet, one list a tile level, lowest first. With the
/// full tiles on disk this is the whole tree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    levels: Vec<Vec<Hash>>,
    size: u64,
}

impl Edge {
    /// The edge of a tree whose `size` is a multiple of the tile width, from its full tiles.
    pub(crate) fn read(tiles: &Tiles, size: u64) -> Result<Self, AuditError> {
        debug_assert!(size.is_multiple_of(TILE_WIDTH), "only whole tiles can be read back");
        let mut levels = vec![Vec::new()];
        for level in 1..TILE_LEVELS_MAX {
            let hashes = size >> (8 * u32::from(level));
            if hashes == 0 {
                break;
            }
            let below = level - 1;
            let first = hashes / TILE_WIDTH * TILE_WIDTH;
            let read = |index| Ok(subtree_root(&tiles.read_full(TileId { level: below, index })?));
            levels.push((first..hashes).map(read).collect::<Result<_, AuditError>>()?);
        }
        Ok(Self { levels, size })
    }

    /// The number of leaves.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the tile of a level that is not full yet.
    pub(crate) fn tile(&self, level: u8) -> &[Hash] {
        self.levels.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// Adds a leaf and hands every tile that it makes full to `full`.
    pub(crate) fn push(&mut self, leaf: Hash, mut full: impl FnMut(TileId, &[Hash])) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0..TILE_LEVELS_MAX {
            let depth = usize::from(level);
            if self.levels.len() == depth {
                self.levels.push(Vec::new());
            }
            let tile = &mut self.levels[depth];
            tile.push(hash);
            if (tile.len() as u64) < TILE_WIDTH {
                return;
            }
            let hashes = self.size >> (8 * u32::from(level));
            full(TileId { level, index: hashes / TILE_WIDTH - 1 }, tile);
            hash = subtree_root(tile);
            tile.clear();
        }
    }

    /// The root of the whole tree.
    pub(crate) fn root(&self) -> Hash {
        let mut subtrees = Vec::new();
        for tile in self.levels.iter().rev() {
            let mut rest = tile.as_slice();
            while !rest.is_empty() {
                let (subtree, behind) = rest.split_at(1 << rest.len().ilog2());
                subtrees.push(subtree_root(subtree));
                rest = behind;
            }
        }
        subtrees
            .into_iter()
            .rev()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }
}

/// The root over a power of two of hashes.
fn subtree_root(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two(), "a subtree is complete");
    match hashes {
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&subtree_root(left), &subtree_root(right))
        }
    }
}

/// Where proofs get the hashes of complete subtrees from.
pub(crate) trait Nodes {
    /// The root of the complete subtree over the leaves `index << level` up to, without,
    /// `(index + 1) << level`.
    fn node(&self, level: u32, index: u64) -> Result<Hash, AuditError>;
}

/// A tree of which the full tiles are on disk and the rest is given.
pub(crate) struct Tree<'a> {
    pub(crate) tiles: &'a Tiles,
    pub(crate) edge: &'a Edge,
    /// Full tiles that are not on disk yet, while a log is being recovered.
    pub(crate) fresh: &'a [(TileId, Vec<Hash>)],
}

impl Nodes for Tree<'_> {
    fn node(&self, level: u32, index: u64) -> Result<Hash, AuditError> {
        let (tile_level, height) = ((level / 8) as u8, level % 8);
        let first = index << height;
        let tile = TileId { level: tile_level, index: first / TILE_WIDTH };
        let full_tiles = self.edge.size() >> (8 * (u32::from(tile_level) + 1));
        let read;
        let hashes = if let Some((_, hashes)) = self.fresh.iter().find(|(id, _)| *id == tile) {
            hashes
        } else if tile.index < full_tiles {
            read = self.tiles.read_full(tile)?;
            &read
        } else {
            self.edge.tile(tile_level)
        };
        let from = (first % TILE_WIDTH) as usize;
        let subtree = hashes.get(from..from + (1 << height));
        subtree.map(subtree_root).ok_or_else(|| self.tiles.missing(tile))
    }
}

/// The root over the leaves `from..to`, where `from` is a multiple of the smallest power of two
/// that is not below `to - from` (MTH of RFC 6962, section 2.1, over part of the tree).
pub(crate) fn range_root(nodes: &impl Nodes, from: u64, to: u64) -> Result<Hash, AuditError> {
    let length = to - from;
    if length == 0 {
        return Ok(empty_root());
    }
    if length.is_power_of_two() {
        let level = length.ilog2();
        return nodes.node(level, from >> level);
    }
    let split = from + split_at(length);
    Ok(node_hash(&range_root(nodes, from, split)?, &range_root(nodes, split, to)?))
}

/// The largest power of two below `length`, which is at least two.
pub(crate) fn split_at(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

#[cfg(test)]
mod tests;
