//! Reading a block: the pages that may hold what is asked for, verified, row by row.

mod stretch;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::{Buf, Bytes};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use weir_model::NumberRange;

use super::Block;
use super::batches::{Batches, Chosen};
use super::bounds;
use super::checksum::{METADATA_KEY, Verified, VerifiedFile, parse_list};
use super::decode::{self, Constants};
use super::schema::{column, format_of};
use super::sums::{self, Place, RunSum};
use crate::HistorianError;
use crate::rollup::{self, Directory};
use crate::row::Row;

pub(crate) use stretch::{Stretch, entry_of};

/// Blocks whose footers stay in memory: the days of a chart and some more.
const OPEN_BLOCKS_MAX: usize = 32;

/// Rows decoded at a time.
const BATCH_ROWS: usize = 4096;

/// Bytes of a footer that are accepted: far more than one of 16 million rows has.
const TAIL_BYTES_MAX: u64 = 256 << 20;

/// A block's file with its footer.
pub(crate) struct OpenBlock {
    id: u64,
    format: u32,
    verified: Arc<Verified>,
    metadata: ArrowReaderMetadata,
    /// Between which numbers the values of each page are, where the file tells.
    numbers: Option<Vec<NumberRange>>,
    /// What its rows sum up to, once it was asked for.
    sums: OnceLock<Vec<RunSum>>,
}

/// The blocks opened last.
#[derive(Default)]
pub(crate) struct OpenBlocks {
    recent: Mutex<VecDeque<Arc<OpenBlock>>>,
}

impl OpenBlocks {
    /// Opens a block, or gives it as it was opened before.
    ///
    /// # Errors
    /// [`HistorianError::Corrupt`], [`HistorianError::Io`].
    pub(crate) fn open(&self, block: &Block) -> Result<Arc<OpenBlock>, HistorianError> {
        let lock = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut recent = lock();
            if let Some(index) = recent.iter().position(|open| open.id == block.entry().id)
                && let Some(open) = recent.remove(index)
            {
                recent.push_back(Arc::clone(&open));
                return Ok(open);
            }
        }
        let open = Arc::new(OpenBlock::open(block)?);
        let mut recent = lock();
        recent.push_back(Arc::clone(&open));
        if recent.len() > OPEN_BLOCKS_MAX {
            recent.pop_front();
        }
        Ok(open)
    }

    /// Closes a block that no version has any more.
    pub(crate) fn forget(&self, id: u64) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).retain(|open| open.id != id);
    }
}

impl OpenBlock {
    fn open(block: &Block) -> Result<Self, HistorianError> {
        let (entry, path) = (block.entry(), block.path());
        let damage = |offset, reason: &str| HistorianError::corrupt(path, offset, reason);
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damage(0, "the file is missing"));
            }
            file => file.map_err(HistorianError::io("open", path))?,
        };
        let length = file.metadata().map_err(HistorianError::io("read", path))?.len();
        if length != entry.bytes || entry.tail_offset > length {
            let reason = format!("it has {length} bytes instead of {}", entry.bytes);
            return Err(damage(length.min(entry.bytes), &reason));
        }
        let tail_bytes = length - entry.tail_offset;
        if tail_bytes > TAIL_BYTES_MAX {
            return Err(damage(entry.tail_offset, "its footer is too large"));
        }
        let mut bytes = vec![0; tail_bytes as usize];
        file.read_exact_at(&mut bytes, entry.tail_offset)
            .map_err(HistorianError::io("read", path))?;
        if crc32c::crc32c(&bytes) != entry.tail_crc32c {
            return Err(damage(entry.tail_offset, "the checksum of its footer does not match"));
        }
        let unreadable = |error: ParquetError| {
            damage(entry.tail_offset, &format!("its footer is unreadable: {error}"))
        };
        let tail = Tail { offset: entry.tail_offset, bytes: bytes.into() };
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let metadata = sound(|| ArrowReaderMetadata::load(&tail, options)).map_err(unreadable)?;
        let format = format_of(metadata.schema());
        let format = format.ok_or_else(|| damage(entry.tail_offset, "it has other columns"))?;
        let values = metadata.metadata().file_metadata().key_value_metadata();
        let list = values.into_iter().flatten().find(|pair| pair.key == METADATA_KEY);
        let chunks = list.and_then(|pair| parse_list(pair.value.as_deref()?));
        let chunks = chunks.ok_or_else(|| damage(entry.tail_offset, "it has no checksums"))?;
        let data_bytes = entry.tail_offset;
        let verified = Arc::new(Verified { file, path: path.to_owned(), data_bytes, chunks });
        let numbers = values.into_iter().flatten().find(|pair| pair.key == bounds::METADATA_KEY);
        let numbers = numbers.and_then(|pair| bounds::parse(pair.value.as_deref()?));
        Ok(Self { id: entry.id, format, verified, metadata, numbers, sums: OnceLock::new() })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.verified.path
    }

    /// The format of the file.
    pub(super) fn format(&self) -> u32 {
        self.format
    }

    /// The file, to read from it.
    pub(super) fn file(&self) -> VerifiedFile {
        VerifiedFile::new(Arc::clone(&self.verified))
    }

    /// What the footer says.
    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    /// The same as the library's readers take it.
    pub(super) fn reader_metadata(&self) -> &ArrowReaderMetadata {
        &self.metadata
    }

    /// Between which numbers the values of each page are, in order; none where the file does not tell.
    pub(super) fn numbers(&self) -> Option<&[NumberRange]> {
        self.numbers.as_deref()
    }

    /// What its rows sum up to, by page; nothing where the file does not tell.
    pub(super) fn sums(&self) -> &[RunSum] {
        self.sums.get_or_init(|| {
            let Some(place) = self.metadata_of(sums::METADATA_KEY).and_then(Place::parse) else {
                return Vec::new();
            };
            let packed = self.read_part(place.offset, place.bytes as usize);
            let sums = packed.map(|packed| sums::unpack(&packed));
            sums.ok().flatten().unwrap_or_else(|| {
                let file = self.path().display();
                tracing::error!(%file, "sums of a block are damaged; its samples are read instead");
                Vec::new()
            })
        })
    }

    fn metadata_of(&self, key: &str) -> Option<&str> {
        let values = self.metadata.metadata().file_metadata().key_value_metadata();
        values?.iter().find(|pair| pair.key == key)?.value.as_deref()
    }

    /// Where its rollups are; none where it has none.
    pub(crate) fn rollups(&self) -> Option<Arc<Directory>> {
        self.metadata_of(rollup::METADATA_KEY).and_then(Directory::parse).map(Arc::new)
    }

    /// Bytes of the file that are no pages.
    ///
    /// # Errors
    /// [`HistorianError::Corrupt`], [`HistorianError::Io`].
    pub(crate) fn read_part(&self, offset: u64, length: usize) -> Result<Bytes, HistorianError> {
        self.verified.read(offset, length)
    }

    /// The rows of a row group's pages that may hold what is asked for; none to skip the group.
    fn select(&self, group: usize, wanted: Wanted) -> Option<RowSelection> {
        let metadata = self.metadata.metadata();
        let rows = metadata.row_group(group).num_rows() as usize;
        let pages = |column: usize, overlaps: &dyn Fn(&ColumnIndexMetaData, usize) -> bool| {
            let index = metadata.column_index()?.get(group)?.get(column)?;
            let locations = metadata.offset_index()?.get(group)?.get(column)?.page_locations();
            let ranges = locations.iter().enumerate().filter(|(page, _)| overlaps(index, *page));
            let ranges = ranges.map(|(page, location)| {
                let end =
                    locations.get(page + 1).map_or(rows, |next| next.first_row_index as usize);
                location.first_row_index as usize..end
            });
            Some(RowSelection::from_consecutive_ranges(ranges, rows))
        };
        let tag = pages(column::TAG, &|index, page| match index {
            ColumnIndexMetaData::INT32(index) => within(
                index.min_value(page).map(|min| *min as u32),
                index.max_value(page).map(|max| *max as u32),
                wanted.tag,
                wanted.tag,
            ),
            _ => true,
        });
        let (from, to) = self.times(group, wanted.from, wanted.to);
        let time = pages(column::TIME, &|index, page| match index {
            ColumnIndexMetaData::INT64(index) => {
                within(index.min_value(page).copied(), index.max_value(page).copied(), from, to)
            }
            _ => true,
        });
        let selection = match (tag, time) {
            (Some(tag), Some(time)) => tag.intersection(&time),
            // A page index is always written; without one, every row is looked at.
            _ => RowSelection::from_consecutive_ranges(std::iter::once(0..rows), rows),
        };
        selection.selects_any().then_some(selection)
    }

    /// The span wanted in the unit of the `time` column, which is what a time is rounded down to.
    pub(super) fn times(&self, group: usize, from: i64, to: i64) -> (i64, i64) {
        if self.format == 1 {
            return (from.div_euclid(1000), to.div_euclid(1000));
        }
        let nanos = self.metadata.metadata().row_group(group).column(column::NANOS).statistics();
        let nanos = match nanos {
            Some(Statistics::Int32(nanos)) => nanos.max_opt().map(|max| *max as u32),
            _ => None,
        };
        let after = i64::from(nanos.unwrap_or(u32::MAX));
        let from = from.saturating_sub(after).div_euclid(1_000_000);
        (from, to.div_euclid(1_000_000))
    }

    /// The columns that have one value in all rows of a row group.
    pub(super) fn constants(&self, group: usize) -> Constants {
        match self.format {
            1 => Constants::default(),
            _ => Constants::of(self.metadata.metadata().row_group(group)),
        }
    }
}

/// Takes a panic of the Parquet library for the error that it is: some bytes that no writer makes
/// end in one, although their checksums are right.
pub(super) fn sound<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    read.unwrap_or_else(|_| Err(ParquetError::General("its bytes make no sense".to_owned())))
}

/// Whether a page's bounds meet the wanted ones; a page without bounds may.
fn within<T: PartialOrd>(min: Option<T>, max: Option<T>, low: T, high: T) -> bool {
    min.is_none_or(|min| min <= high) && max.is_none_or(|max| max >= low)
}

/// Rows of one tag with `from <= time < to`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) tag: u32,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// All columns, of both formats.
pub(super) const COLUMNS: &[&str] = &[
    "tag", "time", "nanos", "kind", "k", "o", "g", "p", "f64", "i64", "u64", "text", "bytes",
    "quality", "position",
];

/// Rows of a block in the order of their keys.
pub(crate) struct BlockCursor {
    block: Arc<Block>,
    format: u32,
    batches: Batches,
    wanted: Option<Wanted>,
}

impl BlockCursor {
    /// The rows wanted, or all.
    pub(crate) fn new(
        blocks: &OpenBlocks,
        block: &Arc<Block>,
        wanted: Option<Wanted>,
    ) -> Result<Self, HistorianError> {
        let open = blocks.open(block).inspect_err(|error| note_damage(block, error))?;
        let groups = 0..open.metadata.metadata().num_row_groups();
        let groups = groups.filter_map(|group| match wanted {
            None => Some((group, None)),
            Some(wanted) => open.select(group, wanted).map(|rows| (group, Some(rows))),
        });
        Ok(Self::of(block, &open, groups, wanted))
    }

    fn of(
        block: &Arc<Block>,
        open: &Arc<OpenBlock>,
        groups: impl IntoIterator<Item = Chosen>,
        wanted: Option<Wanted>,
    ) -> Self {
        let batches = Batches::new(open, groups, COLUMNS.to_vec(), BATCH_ROWS);
        Self { block: Arc::clone(block), format: open.format, batches, wanted }
    }

    /// Appends the next rows; none are appended at the end only.
    pub(crate) fn read(&mut self, rows: &mut VecDeque<Row>) -> Result<(), HistorianError> {
        let read = self.try_read(rows);
        read.inspect_err(|error| note_damage(&self.block, error))
    }

    fn try_read(&mut self, rows: &mut VecDeque<Row>) -> Result<(), HistorianError> {
        while rows.is_empty() {
            let Some(batch) = self.batches.next()? else { return Ok(()) };
            let decoded = match self.format {
                1 => decode::format_1(&batch, self.wanted, rows),
                _ => decode::format_2(&self.batches.with_constants(&batch), self.wanted, rows),
            };
            decoded.ok_or_else(|| self.batches.failure(&"a value is none"))?;
        }
        Ok(())
    }
}

/// Reports a damaged block once.
pub(super) fn note_damage(block: &Block, error: &HistorianError) {
    if matches!(error, HistorianError::Corrupt { .. }) && block.mark_damaged() {
        tracing::error!(%error, "a block of the historian is damaged; reads that touch it fail");
    }
}

/// A footer that is in memory, for the Parquet library to read as if it were the file.
struct Tail {
    offset: u64,
    bytes: Bytes,
}

impl Length for Tail {
    fn len(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl ChunkReader for Tail {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let length = self.len().saturating_sub(start) as usize;
        self.get_bytes(start, length).map(Buf::reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let from = start.checked_sub(self.offset).map(|from| from as usize);
        let range = from.and_then(|from| Some(from..from.checked_add(length)?));
        range
            .filter(|range| range.end <= self.bytes.len())
            .map(|range| self.bytes.slice(range))
            .ok_or_else(|| ParquetError::EOF(format!("{length} bytes at {start}")))
    }
}

#[cfg(test)]
mod tests;
