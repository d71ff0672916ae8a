//! The blocks themselves, for whoever copies them elsewhere: such that no two of them have a row
//! of the same tag and time, and none has a row that was deleted.
//!
//! Blocks of one day may overlap until they are merged, and what came late may replace rows of a
//! month's blocks. [`Overlaps`] compares the keys of blocks that overlap and says which rows others
//! replace. Of a block that is being merged, the rows up to some key may be in what was made of it: they
//! are superseded without being compared, however many they are. An [`ExactBlock`] is a block without these and without rows of tags that are not to
//! leave, which is nearly always the file as it is.
//! Nothing here changes the history.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use weir_model::TenantId;

use crate::block::keys::{self, Corner, Key, Keys};
use crate::block::read::{BlockCursor, OpenBlock, OpenBlocks};
use crate::block::write::BlockWriter;
use crate::block::{Block, BlockEntry};
use crate::deletion::Deletion;
use crate::disk::{Disk, LocalDisk};
use crate::manifest::{Manifest, Superseded};
use crate::merge::{Cursor, Merge};
use crate::{Historian, HistorianError};

/// Most rows of one block that others replace: 64 MiB of keys. A block with more is soon merged,
/// because then it is worth it.
const REPLACED_MAX: usize = 1 << 22;

/// Pairs of blocks of which it is remembered which rows they share.
const PAIRS_MAX: usize = 1 << 16;

/// Runs of tags of blocks that are remembered: 32 MiB. Of blocks beyond, they are read again.
const RUNS_MAX: usize = 1 << 22;

/// The tags of a tenant whose rows are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedTags {
    /// All that blocks have, also those that nobody knows any more.
    All,
    /// These numbers, in order.
    Only(Arc<[u32]>),
}

impl WantedTags {
    /// Whether rows of a tag are wanted.
    fn has(&self, tag: u32) -> bool {
        match self {
            Self::All => true,
            Self::Only(tags) => tags.binary_search(&tag).is_ok(),
        }
    }

    /// Whether rows of every number from one to another are wanted.
    fn has_all(&self, (from, to): (u32, u32)) -> bool {
        let Self::Only(tags) = self else { return true };
        let (a, b) =
            (tags.partition_point(|tag| *tag < from), tags.partition_point(|tag| *tag <= to));
        b.saturating_sub(a) as u64 == u64::from(to.saturating_sub(from)) + 1
    }
}

/// The blocks of one state of the history. Their files stay as long as this does where a historian
/// has them open; where none has, they may be gone when they are read.
pub struct Blocks {
    position: u64,
    blocks: Vec<Arc<Block>>,
    deletions: Arc<Vec<Deletion>>,
    superseded: Superseded,
}

/// The blocks of a folder, whether a historian has it open or not: what its manifest names at this
/// moment. What is only in the log is not among them.
///
/// # Errors
/// [`HistorianError::Corrupt`], [`HistorianError::Format`], [`HistorianError::Io`].
pub fn blocks(dir: &Path) -> Result<Blocks, HistorianError> {
    let manifest = Manifest::load(dir)?.unwrap_or_default();
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    let blocks = manifest.blocks.into_iter().map(|entry| Block::new(dir, &disk, entry));
    Ok(Blocks {
        position: manifest.covered,
        blocks: blocks.collect(),
        deletions: Arc::new(manifest.deletions),
        superseded: manifest.superseded,
    })
}

impl Historian {
    /// The blocks at this moment. What was stored since the last flush is not among them.
    pub fn blocks(&self) -> Blocks {
        let shared = self.shared();
        // Read first: what the view has is then at least as new.
        let position = shared.progress.borrow().covered;
        let view = shared.view();
        Blocks {
            position,
            blocks: view.version.blocks().cloned().collect(),
            superseded: view.version.superseded().clone(),
            deletions: view.deletions,
        }
    }
}

impl Blocks {
    /// Every position of the log up to this one is in them.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The tenants that have blocks.
    pub fn tenants(&self) -> Vec<TenantId> {
        let mut tenants: Vec<_> = self.blocks.iter().map(|block| block.entry().tenant).collect();
        tenants.sort_unstable();
        tenants.dedup();
        tenants
    }
}

/// A tenant's blocks of one month (UTC), `2026-11`, or why they cannot be told apart.
pub struct ExactMonth {
    /// Whose.
    pub tenant: TenantId,
    /// The month.
    pub month: String,
    /// The blocks: no two have a row of the same tag and time.
    pub blocks: Result<Vec<ExactBlock>, HistorianError>,
}

/// Which rows of a pair of blocks have the same key: those that the first one loses, and those
/// that the second one does.
type Shared = Arc<[Vec<Key>; 2]>;

/// A block, by number, and the key before which its rows are in others.
type Part = (u64, Option<Key>);

/// Compares blocks, and remembers what it found: blocks never change.
#[derive(Default)]
pub struct Overlaps {
    pairs: HashMap<[Part; 2], Shared>,
    /// The tags of blocks, as runs.
    tags: HashMap<u64, Runs>,
}

/// Numbers of tags, in order, as runs without a gap: both ends included.
type Runs = Arc<[(u32, u32)]>;

impl Overlaps {
    /// The blocks of some tenants by month, without the rows that others replace, without those that
    /// were deleted and without those of tags that are not wanted. Reads keys of blocks that overlap
    /// and were not compared before, and the tags of blocks between whose lowest and highest one is
    /// not wanted. A tenant for which nothing is said has no months.
    pub fn exact(
        &mut self,
        blocks: &Blocks,
        wanted: impl Fn(TenantId) -> Option<WantedTags>,
    ) -> Vec<ExactMonth> {
        let mut months: BTreeMap<(TenantId, String), Vec<Arc<Block>>> = BTreeMap::new();
        let tenants = blocks.tenants().into_iter();
        let wanted: HashMap<TenantId, WantedTags> =
            tenants.filter_map(|tenant| Some((tenant, wanted(tenant)?))).collect();
        for block in blocks.blocks.iter().filter(|block| wanted.contains_key(&block.entry().tenant))
        {
            let mut month = block.entry().span().date();
            month.truncate(7);
            months.entry((block.entry().tenant, month)).or_default().push(Arc::clone(block));
        }
        self.forget(blocks);
        let exact = months.into_iter().map(|((tenant, month), of_month)| ExactMonth {
            blocks: match wanted.get(&tenant) {
                Some(wanted) => self.exact_month(&of_month, blocks, wanted),
                None => Ok(Vec::new()),
            },
            tenant,
            month,
        });
        exact.collect()
    }

    fn exact_month(
        &mut self,
        blocks: &[Arc<Block>],
        Blocks { deletions, superseded, .. }: &Blocks,
        wanted: &WantedTags,
    ) -> Result<Vec<ExactBlock>, HistorianError> {
        let before = |block: &Block| superseded.get(&block.entry().id).copied();
        let mut replaced: Vec<Vec<Key>> = vec![Vec::new(); blocks.len()];
        for (a, first) in blocks.iter().enumerate() {
            for (b, second) in blocks.iter().enumerate().skip(a + 1) {
                let Some(corner) = Corner::shared(first, second) else { continue };
                let shared =
                    self.shared((first, before(first)), (second, before(second)), corner)?;
                let [of_first, of_second] = &*shared;
                replaced[a].extend(of_first);
                replaced[b].extend(of_second);
                if replaced[a].len().max(replaced[b].len()) > REPLACED_MAX {
                    return Err(HistorianError::TooManyReplaced { rows_max: REPLACED_MAX });
                }
            }
        }
        let mut exact = Vec::with_capacity(blocks.len());
        for (block, mut replaced) in blocks.iter().zip(replaced) {
            replaced.sort_unstable();
            replaced.dedup();
            if replaced.len() as u64 == block.entry().rows {
                continue;
            }
            let withheld = self.withheld(block, wanted)?;
            let hidden = deletions.iter().filter(|one| block.may_have(one)).copied().collect();
            let (block, before) = (Arc::clone(block), before(block));
            exact.push(ExactBlock { block, before, replaced, hidden, withheld });
        }
        Ok(exact)
    }

    /// The tags of a block whose rows are not wanted.
    fn withheld(&mut self, block: &Block, wanted: &WantedTags) -> Result<Vec<u32>, HistorianError> {
        let BlockEntry { id, tag_min, tag_max, .. } = *block.entry();
        if wanted.has_all((tag_min, tag_max)) {
            return Ok(Vec::new());
        }
        let runs = match self.tags.get(&id) {
            Some(known) => Arc::clone(known),
            None => {
                let found: Runs = keys::tags(block)?.into();
                if self.tags.values().map(|runs| runs.len()).sum::<usize>() < RUNS_MAX {
                    self.tags.insert(id, Arc::clone(&found));
                }
                found
            }
        };
        let doubtful = runs.iter().filter(|run| !wanted.has_all(**run));
        let tags = doubtful.flat_map(|(from, to)| *from..=*to);
        Ok(tags.filter(|tag| !wanted.has(*tag)).collect())
    }

    fn shared(
        &mut self,
        a: (&Block, Option<Key>),
        b: (&Block, Option<Key>),
        corner: Corner,
    ) -> Result<Shared, HistorianError> {
        let parts = [a, b].map(|(block, before)| (block.entry().id, before));
        if let Some(known) = self.pairs.get(&parts) {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(compare(a, b, corner)?);
        if self.pairs.len() < PAIRS_MAX {
            self.pairs.insert(parts, Arc::clone(&found));
        }
        Ok(found)
    }

    /// Forgets what is known of blocks that are no more.
    fn forget(&mut self, blocks: &Blocks) {
        let live: HashSet<u64> = blocks.blocks.iter().map(|block| block.entry().id).collect();
        self.pairs.retain(|parts, _| parts.iter().all(|(id, _)| live.contains(id)));
        self.tags.retain(|id, _| live.contains(id));
    }
}

/// The keys that two blocks share, by which of them has the lower position there; none of those that
/// are superseded in one of them.
fn compare(
    (a, a_before): (&Block, Option<Key>),
    (b, b_before): (&Block, Option<Key>),
    corner: Corner,
) -> Result<[Vec<Key>; 2], HistorianError> {
    let before = a_before.max(b_before);
    let ends_before = |block: &Block, before: Option<Key>| before > Some(block.entry().last_key());
    if ends_before(a, b_before) || ends_before(b, a_before) {
        return Ok(Default::default());
    }
    let (mut left, mut right) = (Keys::new(a, corner)?, Keys::new(b, corner)?);
    let mut lost = [Vec::new(), Vec::new()];
    let (mut x, mut y) = (left.next()?, right.next()?);
    while let (Some((key_x, at_x)), Some((key_y, at_y))) = (x, y) {
        match key_x.cmp(&key_y) {
            std::cmp::Ordering::Less => x = left.next()?,
            std::cmp::Ordering::Greater => y = right.next()?,
            std::cmp::Ordering::Equal if before.is_some_and(|before| key_x < before) => {
                (x, y) = (left.next()?, right.next()?);
            }
            std::cmp::Ordering::Equal => {
                let loser = usize::from((at_x, a.entry().id) > (at_y, b.entry().id));
                lost[loser].push(key_x);
                if lost[loser].len() > REPLACED_MAX {
                    return Err(HistorianError::TooManyReplaced { rows_max: REPLACED_MAX });
                }
                (x, y) = (left.next()?, right.next()?);
            }
        }
    }
    Ok(lost)
}

/// A block without the rows that others replace, without those that were deleted and without those
/// of tags that are not wanted.
pub struct ExactBlock {
    block: Arc<Block>,
    /// The key before which rows are left out, because others have them.
    before: Option<Key>,
    /// Keys of rows that are left out, in order.
    replaced: Vec<Key>,
    /// Deletions whose rows are left out.
    hidden: Vec<Deletion>,
    /// Tags whose rows are left out, in order.
    withheld: Vec<u32>,
}

impl ExactBlock {
    /// A file name that no other content ever has: the block's number and checksum, and a checksum
    /// of what is left out, where something is.
    pub fn name(&self) -> String {
        let BlockEntry { id, tail_crc32c, .. } = self.block.entry();
        if self.is_whole() {
            return format!("block-{id:012}-{tail_crc32c:08x}.parquet");
        }
        let (mut a, mut b) = (0, *tail_crc32c);
        let mut add = |bytes: &[u8]| {
            a = crc32c::crc32c_append(a, bytes);
            b = crc32c::crc32c_append(b.rotate_left(1), bytes);
        };
        for (tag, time) in self.before.iter().chain(&self.replaced) {
            add(&tag.to_le_bytes());
            add(&time.to_le_bytes());
        }
        for one in &self.hidden {
            add(&one.tag.to_le_bytes());
            [one.from, one.to, one.position.cast_signed()]
                .iter()
                .for_each(|x| add(&x.to_le_bytes()));
        }
        self.withheld.iter().for_each(|tag| add(&tag.to_le_bytes()));
        format!("block-{id:012}-{tail_crc32c:08x}-{a:08x}{b:08x}.parquet")
    }

    /// Whether nothing is left out: the file is the block as it is.
    pub fn is_whole(&self) -> bool {
        self.before.is_none()
            && self.replaced.is_empty()
            && self.hidden.is_empty()
            && self.withheld.is_empty()
    }

    /// Opens the file; one of which something is left out is written to a folder first, and removed
    /// from there when it is let go. None where nothing is left.
    ///
    /// # Errors
    /// [`HistorianError::Corrupt`], also where the file is gone; [`HistorianError::Io`].
    pub fn open(&self, scratch: &Path) -> Result<Option<BlockFile>, HistorianError> {
        if self.is_whole() {
            return BlockFile::open(Arc::clone(&self.block), None).map(Some);
        }
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
        let failed = || HistorianError::io("write a block without replaced rows in", scratch);
        std::fs::create_dir_all(scratch).map_err(failed())?;
        let Some(entry) = self.write(&disk, scratch)? else { return Ok(None) };
        let block = Block::new(scratch, &disk, entry);
        let written = Written(block.path().to_owned());
        BlockFile::open(block, Some(written)).map(Some)
    }

    fn write(
        &self,
        disk: &Arc<dyn Disk>,
        scratch: &Path,
    ) -> Result<Option<BlockEntry>, HistorianError> {
        let failed = || HistorianError::io("write a block without replaced rows in", scratch);
        let BlockEntry { id, tenant, .. } = *self.block.entry();
        let span = self.block.entry().span();
        let writer = BlockWriter::create(disk, scratch, id, tenant, span);
        let mut writer = writer.and_then(BlockWriter::merged).map_err(failed())?;
        let mut rows = Merge::default();
        let opened = OpenBlocks::default();
        rows.add(Cursor::block(BlockCursor::new(&opened, &self.block, None)?))?;
        let mut replaced = self.replaced.iter().peekable();
        let mut count = 0;
        while let Some(row) = rows.next()? {
            while replaced.next_if(|key| **key < row.key()).is_some() {}
            let is_hidden =
                |one: &Deletion| one.tag == row.tag && one.hides(row.time, row.position);
            if self.before.is_some_and(|before| row.key() < before)
                || replaced.peek() == Some(&&row.key())
                || self.hidden.iter().any(is_hidden)
                || self.withheld.binary_search(&row.tag).is_ok()
            {
                continue;
            }
            writer.push(&row).map_err(failed())?;
            count += 1;
        }
        // A draft that is given up removes itself.
        if count == 0 { Ok(None) } else { writer.finish(scratch).map(Some).map_err(failed()) }
    }
}

/// A file that was written for its reader alone.
struct Written(PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(file = %self.0.display(), %error, "a temporary block could not be removed");
        }
    }
}

/// A block's file, open: it can be read whatever becomes of the block.
pub struct BlockFile {
    block: Arc<Block>,
    open: Arc<OpenBlock>,
    /// Page indexes and footer, verified.
    tail: Bytes,
    _written: Option<Written>,
}

impl BlockFile {
    fn open(block: Arc<Block>, written: Option<Written>) -> Result<Self, HistorianError> {
        let open = OpenBlocks::default().open(&block)?;
        let (entry, path) = (block.entry(), block.path());
        let file = File::open(path).map_err(HistorianError::io("open", path))?;
        // Opening has looked that the file has these bytes.
        let mut tail = vec![0; (entry.bytes - entry.tail_offset) as usize];
        file.read_exact_at(&mut tail, entry.tail_offset)
            .map_err(HistorianError::io("read", path))?;
        if crc32c::crc32c(&tail) != entry.tail_crc32c {
            let reason = "the checksum of its footer does not match";
            return Err(HistorianError::corrupt(path, entry.tail_offset, reason));
        }
        Ok(Self { block, open, tail: tail.into(), _written: written })
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.block.entry().bytes
    }

    /// Rows of it.
    pub fn rows(&self) -> u64 {
        self.block.entry().rows
    }

    /// The lowest and the highest tag.
    pub fn tags(&self) -> (u32, u32) {
        (self.block.entry().tag_min, self.block.entry().tag_max)
    }

    /// The earliest and the latest time, in nanoseconds.
    pub fn times(&self) -> (i64, i64) {
        (self.block.entry().time_min, self.block.entry().time_max)
    }

    /// Reads a part of it, with its checksums verified; fewer bytes only at its end.
    ///
    /// # Errors
    /// [`HistorianError::Corrupt`], [`HistorianError::Io`].
    pub fn read(&self, offset: u64, length: usize) -> Result<Bytes, HistorianError> {
        let (pages_end, end) = (self.block.entry().tail_offset, self.bytes());
        let to = offset.saturating_add(length as u64).min(end);
        let mut bytes = BytesMut::with_capacity(to.saturating_sub(offset) as usize);
        if offset < pages_end {
            bytes.extend_from_slice(
                &self.open.read_part(offset, (to.min(pages_end) - offset) as usize)?,
            );
        }
        if to > pages_end {
            let from = offset.max(pages_end).min(to) - pages_end;
            bytes.extend_from_slice(&self.tail[from as usize..(to - pages_end) as usize]);
        }
        Ok(bytes.freeze())
    }
}

#[cfg(test)]
mod tests;
