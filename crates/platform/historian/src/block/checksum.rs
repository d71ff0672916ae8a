//! Checksums of a block's bytes, so that a flipped bit is found by the read that meets it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::HistorianError;
use crate::disk::DiskFile;

/// Bytes that one checksum is of: small against what a read of an hour touches, large enough that
/// the list is a ten-thousandth of the file.
pub(crate) const CHUNK_BYTES: usize = 32 << 10;

/// The key in the file's metadata of the list: eight hexadecimal digits a chunk, in order.
pub(crate) const METADATA_KEY: &str = "weir.crc32c.32768";

/// A file being written, with the checksums of what was written.
pub(crate) struct ChecksumWriter {
    file: Box<dyn DiskFile>,
    offset: u64,
    chunk: Vec<u8>,
    chunks: Vec<u32>,
    tail: Option<(u64, u32)>,
}

impl ChecksumWriter {
    /// Writes a new file from its start.
    pub(crate) fn new(file: Box<dyn DiskFile>) -> Self {
        let chunk = Vec::with_capacity(CHUNK_BYTES);
        Self { file, offset: 0, chunk, chunks: Vec::new(), tail: None }
    }

    /// Ends the part that chunks are of: gives their checksums as text and begins the tail.
    pub(crate) fn begin_tail(&mut self) -> io::Result<String> {
        self.end_chunk()?;
        self.tail = Some((self.offset, 0));
        Ok(self.chunks.iter().map(|crc| format!("{crc:08x}")).collect())
    }

    /// Makes the file durable and gives its length, where the tail begins and the tail's checksum.
    pub(crate) fn finish(mut self) -> io::Result<(u64, u64, u32)> {
        self.end_chunk()?;
        self.file.sync()?;
        let (tail_offset, tail_crc) = self.tail.unwrap_or((self.offset, 0));
        Ok((self.offset, tail_offset, tail_crc))
    }

    fn end_chunk(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        match &mut self.tail {
            Some((_, crc)) => *crc = crc32c::crc32c_append(*crc, &self.chunk),
            None => self.chunks.push(crc32c::crc32c(&self.chunk)),
        }
        self.file.write_all_at(&self.chunk, self.offset)?;
        self.offset += self.chunk.len() as u64;
        self.chunk.clear();
        Ok(())
    }
}

impl Write for ChecksumWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK_BYTES - self.chunk.len();
        let taken = bytes.len().min(room);
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == CHUNK_BYTES {
            self.end_chunk()?;
        }
        Ok(taken)
    }

    /// Chunks are written when they are full: what makes the file whole is [`Self::finish`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the list of checksums.
pub(crate) fn parse_list(text: &str) -> Option<Vec<u32>> {
    let chunks = text.as_bytes().chunks(8);
    chunks.map(|digits| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).collect()
}

/// A block's file, of which only bytes with the right checksum are read.
#[derive(Debug)]
pub(crate) struct Verified {
    /// The file.
    pub(crate) file: File,
    /// Its path, for errors.
    pub(crate) path: PathBuf,
    /// Where the chunks end and the tail begins.
    pub(crate) data_bytes: u64,
    /// The checksum of every chunk.
    pub(crate) chunks: Vec<u32>,
}

/// What one reader sees of a file. The Parquet library passes errors on as text only: the first
/// one is kept here as it was.
#[derive(Debug, Clone)]
pub(crate) struct VerifiedFile {
    verified: Arc<Verified>,
    failure: Arc<Mutex<Option<HistorianError>>>,
}

impl Verified {
    /// Reads bytes of the part before the tail.
    pub(crate) fn read(&self, start: u64, length: usize) -> Result<Bytes, HistorianError> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.data_bytes);
        let end = end.ok_or_else(|| {
            HistorianError::corrupt(&self.path, start, "a page lies beyond the pages")
        })?;
        let first = start / CHUNK_BYTES as u64;
        let from = first * CHUNK_BYTES as u64;
        let to = end.next_multiple_of(CHUNK_BYTES as u64).min(self.data_bytes);
        let mut bytes = vec![0; (to - from) as usize];
        match self.file.read_exact_at(&mut bytes, from) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(HistorianError::corrupt(&self.path, from, "the file ends too early"));
            }
            read => read.map_err(HistorianError::io("read", &self.path))?,
        }
        for (index, chunk) in bytes.chunks(CHUNK_BYTES).enumerate() {
            let index = first as usize + index;
            if self.chunks.get(index) != Some(&crc32c::crc32c(chunk)) {
                let offset = (index * CHUNK_BYTES) as u64;
                let reason = format!("the checksum of {} bytes does not match", chunk.len());
                return Err(HistorianError::corrupt(&self.path, offset, reason));
            }
        }
        let skip = (start - from) as usize;
        Ok(Bytes::from(bytes).slice(skip..skip + length))
    }
}

impl VerifiedFile {
    /// A reader of a file.
    pub(crate) fn new(verified: Arc<Verified>) -> Self {
        Self { verified, failure: Arc::default() }
    }

    /// The first error since this was asked for last.
    pub(crate) fn take_failure(&self) -> Option<HistorianError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn read(&self, start: u64, length: usize) -> Result<Bytes, String> {
        self.verified.read(start, length).map_err(|error| {
            let text = error.to_string();
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(error);
            text
        })
    }
}

impl Length for VerifiedFile {
    fn len(&self) -> u64 {
        self.verified.data_bytes
    }
}

impl ChunkReader for VerifiedFile {
    type T = VerifiedRead;

    fn get_read(&self, start: u64) -> Result<VerifiedRead, ParquetError> {
        Ok(VerifiedRead { file: self.clone(), offset: start, bytes: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.read(start, length).map_err(ParquetError::General)
    }
}

/// Reads a [`VerifiedFile`] from an offset onwards, a chunk at a time.
pub(crate) struct VerifiedRead {
    file: VerifiedFile,
    offset: u64,
    bytes: Bytes,
}

impl Read for VerifiedRead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            let chunk_end = (self.offset + 1).next_multiple_of(CHUNK_BYTES as u64);
            let end = chunk_end.min(self.file.len());
            let length = end.saturating_sub(self.offset) as usize;
            self.bytes = self.file.read(self.offset, length).map_err(io::Error::other)?;
            self.offset += length as u64;
        }
        let taken = out.len().min(self.bytes.len());
        self.bytes.copy_to_slice(&mut out[..taken]);
        Ok(taken)
    }
}
