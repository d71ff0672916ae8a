//! A block in stretches, for those who look for damage and save what is not damaged.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::reader::ChunkReader;
use parquet::file::statistics::Statistics;

use super::{BlockCursor, OpenBlock, OpenBlocks, sound};
use crate::HistorianError;
use crate::block::checksum::{CHUNK_BYTES, VerifiedFile};
use crate::block::schema::column;
use crate::block::{Block, BlockEntry};

/// Rows of a row group that begin and end with pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Which row group.
    pub(crate) group: usize,
    /// Which of its rows.
    pub(crate) rows: Range<usize>,
    /// Lowest and highest tag.
    pub(crate) tags: (u32, u32),
    /// Two times in nanoseconds that all of them lie between, ends included.
    pub(crate) times: (i64, i64),
}

impl OpenBlock {
    /// The row groups.
    pub(crate) fn groups(&self) -> Vec<Stretch> {
        let groups = 0..self.metadata.metadata().num_row_groups();
        groups
            .filter_map(|group| {
                let pages = self.pages(group);
                let rows = 0..self.rows_of(group);
                let first = pages.first()?.clone();
                Some(pages.into_iter().fold(Stretch { rows, ..first }, |all, page| Stretch {
                    tags: (all.tags.0.min(page.tags.0), all.tags.1.max(page.tags.1)),
                    times: (all.times.0.min(page.times.0), all.times.1.max(page.times.1)),
                    ..all
                }))
            })
            .collect()
    }

    /// The pages of a row group; all of it where it has no index of pages.
    pub(crate) fn pages(&self, group: usize) -> Vec<Stretch> {
        let rows = self.rows_of(group);
        let whole =
            Stretch { group, rows: 0..rows, tags: (0, u32::MAX), times: (i64::MIN, i64::MAX) };
        let metadata = self.metadata.metadata();
        let index = |column: usize| metadata.column_index()?.get(group)?.get(column);
        let locations = metadata
            .offset_index()
            .and_then(|index| Some(index.get(group)?.get(column::TAG)?.page_locations()));
        let (Some(locations), Some(tags), Some(times)) =
            (locations, index(column::TAG), index(column::TIME))
        else {
            return vec![whole];
        };
        let pages = locations.iter().enumerate().map(|(page, location)| {
            let next = locations.get(page + 1).map_or(rows, |next| next.first_row_index as usize);
            let tags = match tags {
                ColumnIndexMetaData::INT32(tags) => tags.min_value(page).zip(tags.max_value(page)),
                _ => None,
            };
            let tags = tags.map(|(min, max)| (*min as u32, *max as u32));
            let times = match times {
                ColumnIndexMetaData::INT64(times) => {
                    times.min_value(page).zip(times.max_value(page))
                }
                _ => None,
            };
            let times = times.map(|(min, max)| self.nanos(group, (*min, *max)));
            Stretch {
                group,
                rows: location.first_row_index as usize..next,
                tags: tags.unwrap_or(whole.tags),
                times: times.unwrap_or(whole.times),
            }
        });
        pages.collect()
    }

    fn rows_of(&self, group: usize) -> usize {
        self.metadata.metadata().row_group(group).num_rows() as usize
    }

    /// What times of the `time` column may stand for, in nanoseconds.
    fn nanos(&self, group: usize, (min, max): (i64, i64)) -> (i64, i64) {
        let unit = if self.format == 1 { 1000 } else { 1_000_000 };
        let nanos = self.metadata.metadata().row_group(group).column(column::NANOS).statistics();
        let after = match nanos {
            Some(Statistics::Int32(nanos)) => nanos.max_opt().map(|max| i64::from(*max as u32)),
            _ => None,
        };
        let after = after.unwrap_or(unit - 1);
        (min.saturating_mul(unit), max.saturating_mul(unit).saturating_add(after))
    }

    /// Compares the checksum of every chunk before the footer; `each` is given how many bytes were
    /// read or what is wrong with them, and says whether to go on.
    pub(crate) fn scan(&self, mut each: impl FnMut(Result<u64, HistorianError>) -> bool) {
        let file = VerifiedFile::new(Arc::clone(&self.verified));
        let length = self.verified.data_bytes;
        let mut offset = 0;
        while offset < length {
            let bytes = (length - offset).min(CHUNK_BYTES as u64);
            let read = file.get_bytes(offset, bytes as usize).map(|_| bytes);
            let read = read.map_err(|error| {
                let unknown =
                    || HistorianError::corrupt(&self.verified.path, offset, error.to_string());
                file.take_failure().unwrap_or_else(unknown)
            });
            if !each(read) {
                return;
            }
            offset += bytes;
        }
    }
}

impl OpenBlocks {
    /// Opens a block for one who reads it once, and keeps it not open for others.
    pub(crate) fn open_once(block: &Block) -> Result<Arc<OpenBlock>, HistorianError> {
        OpenBlock::open(block).map(Arc::new)
    }
}

impl BlockCursor {
    /// The rows of a stretch.
    pub(crate) fn stretch(block: &Arc<Block>, open: &Arc<OpenBlock>, stretch: &Stretch) -> Self {
        let rows = open.rows_of(stretch.group);
        let selection = (stretch.rows != (0..rows)).then(|| {
            RowSelection::from_consecutive_ranges(std::iter::once(stretch.rows.clone()), rows)
        });
        Self::of(block, open, [(stretch.group, selection)], None)
    }
}

/// What a manifest would say of a block, from the file alone: all but the bounds of its rows, which
/// are as wide as can be.
///
/// # Errors
/// [`HistorianError::Corrupt`] where it is no block; [`HistorianError::Io`].
pub(crate) fn entry_of(path: &Path, blank: BlockEntry) -> Result<BlockEntry, HistorianError> {
    let file = File::open(path).map_err(HistorianError::io("open", path))?;
    let bytes = file.metadata().map_err(HistorianError::io("read", path))?.len();
    let unreadable = |error: ParquetError| {
        HistorianError::corrupt(path, bytes, format!("its footer is unreadable: {error}"))
    };
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = sound(|| ArrowReaderMetadata::load(&file, options)).map_err(unreadable)?;
    let groups = metadata.metadata().row_groups();
    // What is behind the pages and what belongs to them begins with the indexes of pages.
    let columns = groups.iter().flat_map(|group| group.columns());
    let indexes = columns.flat_map(|c| [c.column_index_offset(), c.offset_index_offset()]);
    let tail_offset = indexes.flatten().filter_map(|offset| u64::try_from(offset).ok()).min();
    let no_index = || HistorianError::corrupt(path, bytes, "it has no index of pages");
    let tail_offset = tail_offset.filter(|offset| *offset < bytes).ok_or_else(no_index)?;
    let mut tail = vec![0; (bytes - tail_offset).min(super::TAIL_BYTES_MAX) as usize];
    let read: io::Result<()> =
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut tail, tail_offset);
    read.map_err(HistorianError::io("read", path))?;
    let rows = groups.iter().map(|group| group.num_rows() as u64).sum();
    Ok(BlockEntry { rows, bytes, tail_offset, tail_crc32c: crc32c::crc32c(&tail), ..blank })
}
