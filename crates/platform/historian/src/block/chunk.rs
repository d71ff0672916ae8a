//! One column of a row group: its pages, compressed, and what the footer says of them.

use std::io::{self, Write};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Compresses pages. One context serves all columns.
pub(crate) struct Compressor {
    zstd: zstd::bulk::Compressor<'static>,
    level: i32,
    out: Vec<u8>,
}

impl Compressor {
    /// A compressor of a level of Zstandard.
    pub(crate) fn new(level: i32) -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Compressor::new(level)?, level, out: Vec::new() })
    }

    /// The compressed bytes, until the next call.
    pub(crate) fn compress(&mut self, bytes: &[u8]) -> io::Result<&[u8]> {
        let bound = zstd::zstd_safe::compress_bound(bytes.len());
        self.out.clear();
        self.out.reserve(bound);
        self.zstd.compress_to_buffer(bytes, &mut self.out)?;
        Ok(&self.out)
    }
}

/// What a page or a column says of the numbers in it, so that readers pass over it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bounds {
    /// Least and greatest of unsigned numbers of 32 bits.
    U32(u32, u32),
    /// Of signed numbers of 64 bits.
    I64(i64, i64),
    /// Of unsigned numbers of 64 bits.
    U64(u64, u64),
    /// Of doubles that are numbers.
    F64(f64, f64),
}

impl Bounds {
    fn statistics(self) -> Statistics {
        match self {
            Self::U32(a, b) => {
                Statistics::int32(Some(a as i32), Some(b as i32), None, Some(0), false)
            }
            Self::I64(a, b) => Statistics::int64(Some(a), Some(b), None, Some(0), false),
            Self::U64(a, b) => {
                Statistics::int64(Some(a as i64), Some(b as i64), None, Some(0), false)
            }
            Self::F64(a, b) => Statistics::double(Some(a), Some(b), None, Some(0), false),
        }
    }

    fn bytes(self) -> [Vec<u8>; 2] {
        match self {
            Self::U32(a, b) => [a.to_le_bytes().into(), b.to_le_bytes().into()],
            Self::I64(a, b) => [a.to_le_bytes().into(), b.to_le_bytes().into()],
            Self::U64(a, b) => [a.to_le_bytes().into(), b.to_le_bytes().into()],
            Self::F64(a, b) => [a.to_le_bytes().into(), b.to_le_bytes().into()],
        }
    }
}

/// A column on its way into the file.
pub(crate) struct Chunk {
    column: ColumnDescPtr,
    compressed: bool,
    pages: TrackedWrite<Vec<u8>>,
    locations: Vec<Location>,
    bounds: Option<Vec<Bounds>>,
    encodings: Vec<Encoding>,
    uncompressed_bytes: usize,
    rows: u64,
}

struct Location {
    offset: u64,
    bytes: usize,
    rows: u32,
}

impl Chunk {
    /// An empty column. One that is not compressed is one whose pages are a few bytes.
    pub(crate) fn new(column: ColumnDescPtr, compressed: bool) -> Self {
        Self {
            column,
            compressed,
            pages: TrackedWrite::new(Vec::new()),
            locations: Vec::new(),
            bounds: Some(Vec::new()),
            encodings: vec![Encoding::RLE],
            uncompressed_bytes: 0,
            rows: 0,
        }
    }

    /// Adds a page of rows: definition levels, where the column has any, then values.
    pub(crate) fn add_page(
        &mut self,
        compressor: &mut Compressor,
        body: &[u8],
        encoding: Encoding,
        rows: u32,
        bounds: Option<Bounds>,
    ) -> io::Result<()> {
        let buf = if self.compressed { compressor.compress(body)? } else { body };
        let page = Page::DataPage {
            buf: Bytes::copy_from_slice(buf),
            num_values: rows,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let spec = SerializedPageWriter::new(&mut self.pages)
            .write_page(CompressedPage::new(page, body.len()))
            .map_err(io_error)?;
        let location = Location { offset: spec.offset, bytes: spec.compressed_size, rows };
        self.locations.push(location);
        match (&mut self.bounds, bounds) {
            (Some(all), Some(bounds)) => all.push(bounds),
            _ => self.bounds = None,
        }
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        self.uncompressed_bytes += spec.uncompressed_size;
        self.rows += u64::from(rows);
        Ok(())
    }

    /// Ends the column: its bytes, and what the file is to say of them. A dictionary comes as plain
    /// values and their number.
    pub(crate) fn finish(
        mut self,
        compressor: &mut Compressor,
        dictionary: Option<(&[u8], usize)>,
        statistics: Statistics,
    ) -> io::Result<(Bytes, ColumnCloseResult)> {
        let mut bytes = Vec::new();
        if let Some((body, count)) = dictionary {
            let mut sink = TrackedWrite::new(Vec::new());
            let buf = if self.compressed { compressor.compress(body)? } else { body };
            let page = Page::DictionaryPage {
                buf: Bytes::copy_from_slice(buf),
                num_values: count as u32,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            let spec = SerializedPageWriter::new(&mut sink)
                .write_page(CompressedPage::new(page, body.len()))
                .map_err(io_error)?;
            self.uncompressed_bytes += spec.uncompressed_size;
            self.encodings.push(Encoding::PLAIN);
            bytes = sink.into_inner().map_err(io_error)?;
        }
        self.pages.flush()?;
        let data_offset = bytes.len();
        bytes.append(self.pages.inner_mut());
        let level = ZstdLevel::try_new(compressor.level).unwrap_or_default();
        let codec =
            if self.compressed { Compression::ZSTD(level) } else { Compression::UNCOMPRESSED };
        let metadata = ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(codec)
            .set_encodings(self.encodings.clone())
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(self.uncompressed_bytes as i64)
            .set_num_values(self.rows as i64)
            .set_data_page_offset(data_offset as i64)
            .set_dictionary_page_offset((data_offset > 0).then_some(0))
            .set_statistics(statistics)
            .build()
            .map_err(io_error)?;
        let column_index = self.column_index().map_err(io_error)?;
        let mut offsets = OffsetIndexBuilder::new();
        for location in &self.locations {
            offsets.append_row_count(i64::from(location.rows));
            let offset = data_offset as i64 + location.offset as i64;
            offsets.append_offset_and_size(offset, location.bytes as i32);
        }
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.rows,
            metadata,
            bloom_filter: None,
            column_index,
            offset_index: Some(offsets.build()),
        };
        Ok((bytes.into(), close))
    }

    /// Statistics of all pages; of a column whose pages have none, only how many values are none.
    pub(crate) fn statistics(&self, nulls: u64) -> Statistics {
        let pages = self.bounds.as_deref().unwrap_or_default().iter().copied();
        match (pages.reduce(Bounds::join), self.column.physical_type()) {
            (Some(bounds), _) => bounds.statistics(),
            (None, Type::INT32) => Statistics::int32(None, None, None, Some(nulls), false),
            (None, Type::INT64) => Statistics::int64(None, None, None, Some(nulls), false),
            (None, Type::DOUBLE) => Statistics::double(None, None, None, Some(nulls), false),
            (None, _) => Statistics::byte_array(None, None, None, Some(nulls), false),
        }
    }

    fn column_index(
        &self,
    ) -> Result<Option<parquet::file::page_index::column_index::ColumnIndexMetaData>, ParquetError>
    {
        // An index of one page tells no more than the column's own statistics.
        let Some(bounds) = self.bounds.as_ref().filter(|pages| pages.len() > 1) else {
            return Ok(None);
        };
        let mut index = ColumnIndexBuilder::new(self.column.physical_type());
        for page in bounds {
            let [min, max] = page.bytes();
            index.append(false, min, max, 0);
        }
        index.build().map(Some)
    }
}

impl Bounds {
    /// Those of both.
    pub(crate) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::U32(a, b), Self::U32(c, d)) => Self::U32(a.min(c), b.max(d)),
            (Self::I64(a, b), Self::I64(c, d)) => Self::I64(a.min(c), b.max(d)),
            (Self::U64(a, b), Self::U64(c, d)) => Self::U64(a.min(c), b.max(d)),
            (Self::F64(a, b), Self::F64(c, d)) => Self::F64(a.min(c), b.max(d)),
            // One column's pages have bounds of one type.
            (bounds, _) => bounds,
        }
    }
}

/// An error of the Parquet library as the error of the disk that it comes from.
pub(crate) fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
