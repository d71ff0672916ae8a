//! Writing a block.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescPtr;
use weir_model::{Kind, NumberRange, Samples, TenantId, Timestamp, Value, push_run};

use super::array;
use super::bounds;
use super::checksum::{ChecksumWriter, METADATA_KEY};
use super::chunk::io_error;
use super::group::{Group, Pending, Press};
use super::schema::{FORMAT, FORMAT_KEY, column, schema};
use super::sums::{self, SumsWriter};
use super::{BlockEntry, path};
use crate::disk::{self, Disk};
use crate::rollup::{self, RollupWriter, State};
use crate::row::Row;
use crate::span::Span;

/// Rows of one tag after which a page ends: what one read decodes at least.
const PAGE_ROWS_MAX: usize = 16 * 1024;

/// Rows from which on a page ends with its tag, so that long runs have pages of their own.
const PAGE_ROWS_MIN: usize = 4096;

/// Rows of a row group: what the writer holds in memory, compressed.
const GROUP_ROWS: usize = 1 << 18;

/// Bytes of texts and arrays after which a row group ends early, because a reader may have to hold
/// all of them, unpacked.
const GROUP_HEAP_BYTES: usize = 8 << 20;

/// Bytes of texts and arrays after which a page ends.
const PAGE_HEAP_BYTES: usize = 1 << 20;

/// Level of a block that is soon merged with others.
const LEVEL: i32 = 3;

/// Level of a block that stays.
const LEVEL_MERGED: i32 = 9;

/// A block being written, in the historian's `tmp` folder until it is whole.
pub(crate) struct BlockWriter {
    file: SerializedFileWriter<ChecksumWriter>,
    schema: SchemaDescPtr,
    press: Press,
    group: Group,
    group_heap_bytes: usize,
    pending: Pending,
    pending_heap_bytes: usize,
    scratch: Vec<u8>,
    /// Between which numbers the values of each page are.
    numbers: Vec<NumberRange>,
    sums: SumsWriter,
    rollups: RollupWriter,
    entry: BlockEntry,
    draft: Draft,
}

/// A block's file that no manifest can name yet. It is removed when the block is given up: on a
/// full disk, what is left of every attempt would keep the disk full.
struct Draft {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Whether the block is whole and the file its caller's.
    done: bool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.done {
            // One that stays is removed at the next start.
            let _ = self.disk.remove(&self.path);
        }
    }
}

impl BlockWriter {
    /// Begins a block.
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        id: u64,
        tenant: TenantId,
        span: Span,
    ) -> io::Result<Self> {
        let folder = dir.join("tmp");
        disk::create_dir_all(&**disk, &folder)?;
        let path = folder.join(format!("block-{id:012}.parquet"));
        let draft = Draft { disk: Arc::clone(disk), path, done: false };
        let file = ChecksumWriter::new(disk.create(&draft.path)?);
        let schema = schema().map_err(io_error)?;
        let root = schema.root_schema_ptr();
        let file = SerializedFileWriter::new(file, root, properties().into()).map_err(io_error)?;
        let entry = BlockEntry::new(id, tenant, span);
        Ok(Self {
            file,
            press: Press::new(LEVEL, false)?,
            group: Group::new(&schema),
            schema,
            group_heap_bytes: 0,
            pending: Pending::default(),
            pending_heap_bytes: 0,
            scratch: Vec::new(),
            numbers: Vec::new(),
            sums: SumsWriter::default(),
            rollups: RollupWriter::new(),
            entry,
            draft,
        })
    }

    /// The same, to be written smaller and slower: for what is read often and written once.
    pub(crate) fn merged(mut self) -> io::Result<Self> {
        self.press = Press::new(LEVEL_MERGED, true)?;
        self.rollups = self.rollups.patient();
        Ok(self)
    }

    /// Adds a row; rows come in the order of their keys.
    pub(crate) fn push(&mut self, row: &Row) -> io::Result<()> {
        self.begin(row.tag, row.position, &[Timestamp::from_nanos(row.time)])?;
        self.push_quality(row.quality, 1);
        self.push_value(row.value.as_ref())?;
        self.rollups.push(row.tag, row.time, row.quality, State::of_row(row));
        self.end_full_page()
    }

    /// Adds samples of one tag, in order of time, all of one position.
    pub(crate) fn push_run(
        &mut self,
        samples: &Samples,
        places: Range<usize>,
        position: u64,
    ) -> io::Result<()> {
        let mut from = places.start;
        while from < places.end {
            let room = PAGE_ROWS_MAX + PAGE_ROWS_MIN - self.pending.times.len();
            let room = room.max(1);
            let to = places.end.min(from + room);
            let kinds = &samples.kinds()[from..to];
            // Texts and arrays one by one, because their bytes may end a page.
            let apart = kinds.iter().position(|kind| kind.is_apart());
            let to = match apart {
                Some(0) => from + 1,
                Some(before) => from + before,
                None => to,
            };
            self.begin(samples.tags()[from].0, position, &samples.times()[from..to])?;
            self.roll_up(samples, from..to);
            for run in samples.qualities()[from..to].chunk_by(|a, b| a == b) {
                self.push_quality(run[0].code(), run.len());
            }
            if apart == Some(0) {
                self.push_value(samples.value(from).as_ref())?;
            } else {
                for run in samples.kinds()[from..to].chunk_by(|a, b| a == b) {
                    push_run(&mut self.pending.kinds, run[0] as u32, run.len() as u32);
                }
                self.pending.numbers.extend_from_slice(&samples.words()[from..to]);
                self.group.text.skip(to - from);
                self.group.bytes.skip(to - from);
            }
            self.end_full_page()?;
            from = to;
        }
        Ok(())
    }

    fn roll_up(&mut self, samples: &Samples, places: Range<usize>) {
        let (times, qualities) = (samples.times(), samples.qualities());
        let (kinds, words) = (samples.kinds(), samples.words());
        for place in places {
            let quality = qualities[place].code();
            let state = State::of(quality, kinds[place], words[place]);
            self.rollups.push(samples.tags()[place].0, times[place].nanos(), quality, state);
        }
    }

    /// Begins rows of a tag, in a page of their own where there are enough before them.
    fn begin(&mut self, tag: u32, position: u64, times: &[Timestamp]) -> io::Result<()> {
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return Ok(()) };
        let same = self.pending.tags.last().is_some_and(|(last, _)| *last == tag);
        if !same && self.pending.times.len() >= PAGE_ROWS_MIN {
            self.end_page()?;
        }
        let entry = &mut self.entry;
        entry.first_time.get_or_insert(first.nanos());
        entry.last_time = Some(last.nanos());
        entry.rows += times.len() as u64;
        entry.tag_min = entry.tag_min.min(tag);
        entry.tag_max = entry.tag_max.max(tag);
        entry.time_min = entry.time_min.min(first.nanos());
        entry.time_max = entry.time_max.max(last.nanos());
        entry.position_max = entry.position_max.max(position);
        push_run(&mut self.pending.tags, tag, times.len() as u32);
        self.pending.times.extend(times.iter().map(|time| time.nanos()));
        self.group.position.push(position, times.len());
        Ok(())
    }

    fn push_quality(&mut self, code: u32, rows: usize) {
        self.group.quality.push(code.into(), rows);
        push_run(&mut self.pending.qualities, code, rows as u32);
    }

    fn push_value(&mut self, value: Option<&Value>) -> io::Result<()> {
        let (group, press) = (&mut self.group, &mut self.press);
        let (kind, number) = value.map_or((Kind::None, 0), Value::word);
        let text = match value {
            Some(Value::Text(text)) => Some(text.as_bytes()),
            _ => None,
        };
        self.scratch.clear();
        if let Some(value) = value.filter(|_| kind == Kind::Array) {
            array::encode(value, &mut self.scratch);
        }
        push_run(&mut self.pending.kinds, kind as u32, 1);
        self.pending.numbers.push(number);
        match text {
            Some(text) => group.text.push(text, &mut press.compressor, &mut press.scratch)?,
            None => group.text.skip(1),
        }
        // Of an array what it takes once it is read, which is more than is written of it.
        self.pending_heap_bytes += value.map_or(0, Value::heap_bytes);
        if kind == Kind::Array {
            let bytes = &mut group.bytes;
            return bytes.push(&self.scratch, &mut press.compressor, &mut press.scratch);
        }
        group.bytes.skip(1);
        Ok(())
    }

    fn end_full_page(&mut self) -> io::Result<()> {
        let rows = self.pending.times.len();
        let group_rows = self.group.rows() + rows;
        if self.pending_heap_bytes >= PAGE_HEAP_BYTES || group_rows >= GROUP_ROWS + PAGE_ROWS_MAX {
            return self.end_page();
        }
        // What stays is enough for a page of its own, should it be the last of its tag.
        if rows >= PAGE_ROWS_MAX + PAGE_ROWS_MIN {
            let rest = self.pending.split_off(PAGE_ROWS_MAX);
            self.add_page()?;
            self.pending = rest;
        }
        Ok(())
    }

    fn end_page(&mut self) -> io::Result<()> {
        if self.pending.times.is_empty() {
            return Ok(());
        }
        self.add_page()?;
        self.group_heap_bytes += std::mem::take(&mut self.pending_heap_bytes);
        if self.group.rows() >= GROUP_ROWS || self.group_heap_bytes >= GROUP_HEAP_BYTES {
            self.end_group()?;
        }
        Ok(())
    }

    fn add_page(&mut self) -> io::Result<()> {
        self.numbers.push(bounds::of(&self.pending.kinds, &self.pending.numbers));
        self.sums.add(&self.pending);
        self.group.add(&mut self.pending, &mut self.press)
    }

    fn end_group(&mut self) -> io::Result<()> {
        if self.group.rows() > 0 {
            let group = std::mem::replace(&mut self.group, Group::new(&self.schema));
            group.write(&mut self.file, &mut self.press)?;
            self.group_heap_bytes = 0;
        }
        Ok(())
    }

    /// Whether a block of so many rows ends before a row of a tag: with the tag before it, or within
    /// one that alone has more rows than that.
    pub(crate) fn ends_before(&self, tag: u32, rows_max: u64) -> bool {
        let rows = self.entry.rows;
        rows > 0
            && rows >= rows_max
            && (tag != self.entry.tag_max || rows >= rows_max.saturating_mul(2))
    }

    /// Ends the block: durable and under its name when this returns, live once the manifest names
    /// it.
    pub(crate) fn finish(mut self, dir: &Path) -> io::Result<BlockEntry> {
        self.end_page()?;
        self.end_group()?;
        let sums = match self.sums.finish()? {
            Some(bytes) => {
                let place = sums::Place::new(self.file.bytes_written() as u64, bytes.len());
                self.file.write_all(&bytes)?;
                Some(place.to_text()?)
            }
            None => None,
        };
        let rollups = match self.rollups.finish()? {
            // Behind the pages, where nobody looks who does not know of them.
            Some(groups) => {
                let offset = self.file.bytes_written() as u64;
                Some(groups.write(offset, |bytes| self.file.write_all(bytes))?)
            }
            None => None,
        };
        // The writer's own buffer goes to ours, so that the tail begins at the footer.
        self.file.flush()?;
        let chunks = self.file.inner_mut().begin_tail()?;
        let mut add = |key: &str, value: String| {
            self.file.append_key_value_metadata(KeyValue::new(key.to_owned(), Some(value)));
        };
        add(FORMAT_KEY, FORMAT.to_owned());
        add(METADATA_KEY, chunks);
        add(bounds::METADATA_KEY, bounds::to_text(&self.numbers));
        if let Some(place) = sums {
            add(sums::METADATA_KEY, place);
        }
        if let Some(directory) = rollups {
            add(rollup::METADATA_KEY, directory);
        }
        let file = self.file.into_inner().map_err(io_error)?;
        let mut entry = self.entry;
        (entry.bytes, entry.tail_offset, entry.tail_crc32c) = file.finish()?;
        let (mut draft, path) = (self.draft, path(dir, &entry));
        let disk = Arc::clone(&draft.disk);
        if let Some(folder) = path.parent() {
            disk::create_dir_all(&*disk, folder)?;
        }
        disk.rename(&draft.path, &path)?;
        draft.path = path;
        // With the folders that it lies in: whoever made them may not have made them durable.
        for folder in draft.path.ancestors().skip(1).take_while(|folder| *folder != dir) {
            disk.sync_dir(folder)?;
        }
        draft.done = true;
        Ok(entry)
    }
}

fn properties() -> WriterProperties {
    let by = |column_idx| SortingColumn { column_idx, descending: false, nulls_first: false };
    // Not by time: a page may take its times apart in another way than the one before it.
    let sorting = [by(column::TAG as i32)];
    WriterProperties::builder()
        .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_sorting_columns(Some(sorting.to_vec()))
        .build()
}
