//! What is imported: a file or standard input, packed or not, row by row.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use anyhow::{Context, bail};
use weir_historian::ParquetImport;
use weir_model::Timestamp;

use crate::args::{ImportArgs, ImportFormat};

/// Changes when the same file would be cut into other batches: those of an earlier run are then not
/// taken for the same.
const CUT: u32 = 1;

/// Longest line of line protocol.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A sample as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// The line it begins in, from 1; in a Parquet file its row.
    pub(super) line: u64,
    pub(super) tag: String,
    /// Empty for the time of arrival.
    pub(super) time: String,
    pub(super) value: Option<String>,
    pub(super) quality: Option<String>,
}

/// The file.
pub(super) struct Input {
    pub(super) format: ImportFormat,
    /// Its bytes, where that is known.
    pub(super) size: Option<u64>,
    /// How many of them were read.
    pub(super) read: Arc<AtomicU64>,
    /// Who the batches are said to be of: the same for the same bytes.
    pub(super) producer: String,
    pub(super) from: From,
}

pub(super) enum From {
    Bytes(Box<dyn BufRead>),
    Parquet(Box<ParquetImport>),
}

impl Input {
    pub(super) fn open(args: &ImportArgs) -> anyhow::Result<Self> {
        let read = Arc::new(AtomicU64::new(0));
        let is_stdin = args.file == Path::new("-");
        let format = match args.format {
            Some(format) => format,
            None if is_stdin => bail!("say with --format what standard input is: csv or line"),
            None => format_of(&args.file)?,
        };
        if is_stdin {
            if format == ImportFormat::Parquet {
                bail!("a Parquet file is read from a file, not from standard input");
            }
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let once = format!("import {} {}", std::process::id(), now.as_nanos());
            let producer = args.producer.clone().unwrap_or(once);
            let from = unpacked(Counted { inner: io::stdin(), read: Arc::clone(&read) })?;
            return Ok(Self { format, size: None, read, producer, from: From::Bytes(from) });
        }
        let failed = || format!("could not read {}", args.file.display());
        let mut file = File::open(&args.file).with_context(failed)?;
        let size = file.metadata().with_context(failed)?.len();
        let producer = match &args.producer {
            Some(name) => name.clone(),
            None => {
                let hash = hash(&mut file).with_context(failed)?;
                file.rewind().with_context(failed)?;
                let way = u8::from(args.wide) + 2 * u8::from(args.skip_wrong);
                format!("import {CUT} {hash:016x} {size} {way}")
            }
        };
        let from = match format {
            ImportFormat::Parquet => From::Parquet(Box::new(ParquetImport::open(file)?)),
            _ => From::Bytes(unpacked(Counted { inner: file, read: Arc::clone(&read) })?),
        };
        Ok(Self { format, size: Some(size), read, producer, from })
    }
}

fn format_of(file: &Path) -> anyhow::Result<ImportFormat> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("csv" | "txt") => Ok(ImportFormat::Csv),
        Some("parquet") => Ok(ImportFormat::Parquet),
        Some("lp" | "line" | "influx") => Ok(ImportFormat::Line),
        _ => bail!("say with --format what {} is: csv, parquet or line", file.display()),
    }
}

/// FNV-1a of all bytes (64 bits; Fowler, Noll, Vo).
fn hash(file: &mut File) -> io::Result<u64> {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut bytes = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut bytes)?;
        if count == 0 {
            return Ok(hash);
        }
        for byte in &bytes[..count] {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Unpacks gzip and Zstandard, which their first bytes tell.
fn unpacked(from: impl Read + 'static) -> anyhow::Result<Box<dyn BufRead>> {
    let mut from = BufReader::with_capacity(1 << 16, from);
    let head = from.fill_buf().context("could not read what is to be imported")?;
    Ok(if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(from)))
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(BufReader::new(zstd::stream::read::Decoder::with_buffer(from)?))
    } else {
        Box::new(from)
    })
}

/// Rows of a CSV file, one sample a line or one column a tag.
pub(super) struct CsvRows {
    reader: csv::Reader<Box<dyn BufRead>>,
    record: csv::StringRecord,
    columns: Columns,
}

enum Columns {
    Long { tag: usize, time: Option<usize>, value: usize, quality: Option<usize> },
    Wide { time: usize, tags: Vec<(usize, String)> },
}

impl CsvRows {
    pub(super) fn new(from: Box<dyn BufRead>, wide: bool) -> anyhow::Result<Self> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(from);
        let header = reader.headers().context("the first line cannot be read")?.clone();
        let names: Vec<&str> =
            header.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
        let place = |name: &str| names.iter().position(|column| *column == name);
        let columns = if wide {
            let time = place("time").context("the first line has no column \"time\"")?;
            let tags = names.iter().enumerate().filter(|(at, _)| *at != time);
            Columns::Wide { time, tags: tags.map(|(at, name)| (at, (*name).to_owned())).collect() }
        } else {
            let missing = "the first line has no columns \"tag\" and \"value\"; with a column a tag, say --wide";
            Columns::Long {
                tag: place("tag").context(missing)?,
                value: place("value").context(missing)?,
                time: place("time"),
                quality: place("quality"),
            }
        };
        Ok(Self { reader, record: csv::StringRecord::new(), columns })
    }

    /// Appends the samples of the next line; false at the end.
    pub(super) fn next(&mut self, rows: &mut Vec<Row>) -> anyhow::Result<bool> {
        if !self.reader.read_record(&mut self.record).context("a line cannot be read")? {
            return Ok(false);
        }
        let record = &self.record;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |at: usize| record.get(at).unwrap_or_default().to_owned();
        match &self.columns {
            Columns::Long { tag, time, value, quality } => {
                let quality = quality.map(cell).filter(|text| !text.is_empty());
                let is_bad = quality.as_deref().is_some_and(|text| text.starts_with("bad"));
                // Nothing is no value where quality is bad, else a text of no characters.
                let value = Some(cell(*value)).filter(|text| !text.is_empty() || !is_bad);
                let time = time.map(cell).unwrap_or_default();
                rows.push(Row { line, tag: cell(*tag), time, value, quality });
            }
            Columns::Wide { time, tags } => {
                for (at, tag) in tags {
                    let value = cell(*at);
                    if !value.is_empty() {
                        let (tag, value) = (tag.clone(), Some(value));
                        rows.push(Row { line, tag, time: cell(*time), value, quality: None });
                    }
                }
            }
        }
        Ok(true)
    }
}

/// Rows of a Parquet file.
pub(super) struct ParquetRows {
    file: Box<ParquetImport>,
    read: Arc<AtomicU64>,
    size: u64,
    row: u64,
}

impl ParquetRows {
    pub(super) fn new(file: Box<ParquetImport>, size: u64, read: Arc<AtomicU64>) -> Self {
        Self { file, read, size, row: 0 }
    }

    /// Appends some samples; false at the end.
    pub(super) fn next(&mut self, rows: &mut Vec<Row>) -> anyhow::Result<bool> {
        let Some(found) = self.file.next_rows()? else { return Ok(false) };
        for row in found {
            self.row += 1;
            rows.push(Row {
                line: self.row,
                tag: row.tag,
                time: Timestamp::from_nanos(row.time).to_string(),
                value: row.value,
                quality: row.quality,
            });
        }
        // How far it is within the file, by rows.
        let share = self.row as f64 / self.file.rows().max(1) as f64;
        self.read.store((self.size as f64 * share) as u64, Ordering::Relaxed);
        Ok(true)
    }
}

/// Reads the next line of line protocol that is neither empty nor a comment, with its number; none at
/// the end.
pub(super) fn next_line(
    from: &mut dyn BufRead,
    number: &mut u64,
) -> anyhow::Result<Option<(u64, String)>> {
    loop {
        let mut line = String::new();
        let taken = (&mut *from).take(LINE_BYTES_MAX).read_line(&mut line);
        if taken.with_context(|| format!("line {} cannot be read", *number + 1))? == 0 {
            return Ok(None);
        }
        *number += 1;
        if line.len() as u64 >= LINE_BYTES_MAX {
            bail!("line {number} has more than {LINE_BYTES_MAX} bytes");
        }
        let text = line.trim();
        if !text.is_empty() && !text.starts_with('#') {
            return Ok(Some((*number, text.to_owned())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &'static str, wide: bool) -> Vec<(u64, String, Option<String>)> {
        let mut csv = CsvRows::new(Box::new(text.as_bytes()), wide).unwrap();
        let mut rows = Vec::new();
        while csv.next(&mut rows).unwrap() {}
        rows.into_iter().map(|row| (row.line, row.tag, row.value)).collect()
    }

    #[test]
    fn long_and_wide() {
        let some = |text: &str| Some(text.to_owned());
        let long = "value,tag,quality\n1,a/b,\n\"x\ny\",a/c,good\n,a/d,bad:0x80310000\n";
        assert_eq!(
            rows(long, false),
            [
                (2, "a/b".into(), some("1")),
                (3, "a/c".into(), some("x\ny")),
                (5, "a/d".into(), None)
            ]
        );
        let wide = "\u{feff}time,a/b,a/c\n2026-11-23T08:00:00Z,1,\n2026-11-23T08:00:01Z,2,3\n";
        assert_eq!(
            rows(wide, true),
            [
                (2, "a/b".into(), some("1")),
                (3, "a/b".into(), some("2")),
                (3, "a/c".into(), some("3"))
            ]
        );
    }

    #[test]
    fn packed_input_is_told_by_its_first_bytes() {
        let plain = b"a/b value=1 1\n# no\n\na/b value=2 2\n".to_vec();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut gzip, &plain).unwrap();
        let packed =
            [plain.clone(), gzip.finish().unwrap(), zstd::encode_all(&plain[..], 1).unwrap()];
        for bytes in packed {
            let mut from = unpacked(io::Cursor::new(bytes)).unwrap();
            let mut number = 0;
            assert_eq!(
                next_line(&mut *from, &mut number).unwrap(),
                Some((1, "a/b value=1 1".into()))
            );
            assert_eq!(
                next_line(&mut *from, &mut number).unwrap(),
                Some((4, "a/b value=2 2".into()))
            );
            assert_eq!(next_line(&mut *from, &mut number).unwrap(), None);
        }
    }
}
