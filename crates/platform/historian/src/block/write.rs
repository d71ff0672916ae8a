//! Writing a block.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::types::{
    Float64Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use weir_model::{TenantId, Value};

use super::checksum::{ChecksumWriter, METADATA_KEY};
use super::schema::{column, kind, schema};
use super::{BlockEntry, path};
use crate::disk::{self, Disk};
use crate::row::Row;

/// Rows of a page: what one read decodes at least. A multiple of the writer's own 1,024.
const PAGE_ROWS: usize = 8192;

/// Rows of a row group: what the writer holds in memory, compressed.
const ROW_GROUP_ROWS: usize = 16 * PAGE_ROWS;

/// Bytes of texts and arrays after which a row group ends early, because a reader may have to hold
/// all of them, unpacked.
const ROW_GROUP_HEAP_BYTES: usize = 8 << 20;

/// Bytes of texts and arrays after which rows are handed to the Parquet writer.
const BATCH_HEAP_BYTES: usize = 1 << 20;

/// Bytes of a column's dictionary, after which its values are written as they are: a read of any
/// page reads the dictionary first.
const DICTIONARY_BYTES: usize = 16 << 10;

/// Smaller by a tenth than level 1 on measured values, at the same speed within noise.
const ZSTD_LEVEL: i32 = 3;

/// A block being written, in the historian's `tmp` folder until it is whole.
pub(crate) struct BlockWriter {
    writer: ArrowWriter<ChecksumWriter>,
    columns: Columns,
    group_rows: usize,
    group_heap_bytes: usize,
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
        day: i32,
    ) -> io::Result<Self> {
        let folder = dir.join("tmp");
        disk::create_dir_all(&**disk, &folder)?;
        let path = folder.join(format!("block-{id:012}.parquet"));
        let draft = Draft { disk: Arc::clone(disk), path, done: false };
        let file = ChecksumWriter::new(disk.create(&draft.path)?);
        let writer = ArrowWriter::try_new(file, schema(), Some(properties())).map_err(io_error)?;
        let entry = BlockEntry {
            id,
            tenant,
            day,
            rows: 0,
            bytes: 0,
            tail_offset: 0,
            tail_crc32c: 0,
            tag_min: u32::MAX,
            tag_max: 0,
            time_min: i64::MAX,
            time_max: i64::MIN,
            position_max: 0,
        };
        let columns = Columns::default();
        Ok(Self { writer, columns, group_rows: 0, group_heap_bytes: 0, entry, draft })
    }

    /// Adds a row; rows come in the order of their keys.
    pub(crate) fn push(&mut self, row: &Row) -> io::Result<()> {
        let entry = &mut self.entry;
        entry.rows += 1;
        entry.tag_min = entry.tag_min.min(row.tag);
        entry.tag_max = entry.tag_max.max(row.tag);
        entry.time_min = entry.time_min.min(row.time);
        entry.time_max = entry.time_max.max(row.time);
        entry.position_max = entry.position_max.max(row.position);
        self.columns.push(row);
        if self.columns.rows >= PAGE_ROWS || self.columns.heap_bytes >= BATCH_HEAP_BYTES {
            self.write_columns()?;
        }
        Ok(())
    }

    /// Rows pushed so far.
    pub(crate) fn rows(&self) -> u64 {
        self.entry.rows
    }

    /// Ends the block: durable and under its name when this returns, live once the manifest names
    /// it.
    pub(crate) fn finish(mut self, dir: &Path) -> io::Result<BlockEntry> {
        self.write_columns()?;
        self.writer.flush().map_err(io_error)?;
        // The writer's own buffer goes to ours, so that the tail begins at the footer.
        self.writer.sync()?;
        let chunks = self.writer.inner_mut().begin_tail()?;
        self.writer.append_key_value_metadata(KeyValue::new(METADATA_KEY.to_owned(), Some(chunks)));
        let file = self.writer.into_inner().map_err(io_error)?;
        let mut entry = self.entry;
        (entry.bytes, entry.tail_offset, entry.tail_crc32c) = file.finish()?;
        let (mut draft, path) = (self.draft, path(dir, &entry));
        let disk = Arc::clone(&draft.disk);
        if let Some(folder) = path.parent() {
            disk::create_dir_all(&*disk, folder)?;
        }
        disk.rename(&draft.path, &path)?;
        draft.path = path;
        if let Some(folder) = draft.path.parent() {
            disk.sync_dir(folder)?;
        }
        draft.done = true;
        Ok(entry)
    }

    fn write_columns(&mut self) -> io::Result<()> {
        if self.columns.rows == 0 {
            return Ok(());
        }
        self.group_rows += self.columns.rows;
        self.group_heap_bytes += self.columns.heap_bytes;
        let batch = self.columns.take().map_err(io::Error::other)?;
        self.writer.write(&batch).map_err(io_error)?;
        if self.group_rows >= ROW_GROUP_ROWS || self.group_heap_bytes >= ROW_GROUP_HEAP_BYTES {
            self.writer.flush().map_err(io_error)?;
            (self.group_rows, self.group_heap_bytes) = (0, 0);
        }
        Ok(())
    }
}

/// Rows on their way into columns.
#[derive(Default)]
struct Columns {
    rows: usize,
    heap_bytes: usize,
    tag: PrimitiveBuilder<UInt32Type>,
    time: PrimitiveBuilder<TimestampMicrosecondType>,
    nanos: PrimitiveBuilder<UInt16Type>,
    kind: PrimitiveBuilder<UInt8Type>,
    f64: PrimitiveBuilder<Float64Type>,
    i64: PrimitiveBuilder<Int64Type>,
    u64: PrimitiveBuilder<UInt64Type>,
    text: StringBuilder,
    bytes: BinaryBuilder,
    quality: PrimitiveBuilder<UInt32Type>,
    position: PrimitiveBuilder<UInt64Type>,
    scratch: Vec<u8>,
}

impl Columns {
    fn push(&mut self, row: &Row) {
        self.rows += 1;
        self.heap_bytes += row.heap_bytes();
        self.tag.append_value(row.tag);
        self.time.append_value(row.time.div_euclid(1000));
        self.nanos.append_value(row.time.rem_euclid(1000) as u16);
        let (mut f64, mut i64, mut u64, mut text) = (None, None, None, None);
        self.scratch.clear();
        let kind = match &row.value {
            None => kind::NONE,
            Some(Value::F64(x)) => {
                f64 = Some(*x);
                kind::F64
            }
            Some(Value::I64(x)) => {
                i64 = Some(*x);
                kind::I64
            }
            Some(Value::U64(x)) => {
                u64 = Some(*x);
                kind::U64
            }
            Some(Value::Bool(x)) => {
                i64 = Some(i64::from(*x));
                kind::BOOL
            }
            Some(Value::Enumeration(x)) => {
                i64 = Some(*x);
                kind::ENUMERATION
            }
            Some(Value::Text(x)) => {
                text = Some(x.as_ref());
                kind::TEXT
            }
            // Arrays, and what the model may learn: the bytes say what they are.
            Some(value) => {
                value.encode(&mut self.scratch);
                kind::ARRAY
            }
        };
        self.kind.append_value(kind);
        self.f64.append_option(f64);
        self.i64.append_option(i64);
        self.u64.append_option(u64);
        self.text.append_option(text);
        self.bytes.append_option((kind == kind::ARRAY).then_some(&self.scratch));
        self.quality.append_value(row.quality);
        self.position.append_value(row.position);
    }

    fn take(&mut self) -> Result<RecordBatch, arrow_schema::ArrowError> {
        (self.rows, self.heap_bytes) = (0, 0);
        let time = self.time.finish().with_timezone("UTC");
        let columns: [ArrayRef; column::COUNT] = [
            Arc::new(self.tag.finish()),
            Arc::new(time),
            Arc::new(self.nanos.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.f64.finish()),
            Arc::new(self.i64.finish()),
            Arc::new(self.u64.finish()),
            Arc::new(self.text.finish()),
            Arc::new(self.bytes.finish()),
            Arc::new(self.quality.finish()),
            Arc::new(self.position.finish()),
        ];
        RecordBatch::try_new(schema(), columns.to_vec())
    }
}

fn properties() -> WriterProperties {
    let path = |name: &str| name.into();
    let by = |column_idx| SortingColumn { column_idx, descending: false, nulls_first: false };
    let sorting = [column::TAG, column::TIME, column::NANOS].map(|index| by(index as i32));
    let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_max_row_group_row_count(Some(2 * ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_sorting_columns(Some(sorting.to_vec()));
    for name in ["tag", "time"] {
        properties = properties.set_column_statistics_enabled(path(name), EnabledStatistics::Page);
    }
    for name in ["tag", "time", "i64", "u64", "position"] {
        properties = properties
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::DELTA_BINARY_PACKED);
    }
    properties.set_column_dictionary_enabled(path("bytes"), false).build()
}

fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
