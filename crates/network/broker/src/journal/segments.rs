//! The journal's files: segments of records, numbered, read in order, given up from the oldest.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::BrokerError;
use crate::journal::index::{Index, Place};
use crate::journal::record::{self, Record};
use crate::journal::recovered::Recovered;

/// Then the next segment begins. Small enough that giving one up delays acknowledgements by some
/// ten milliseconds, large enough that files are few.
pub(crate) const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// The first bytes of a segment: what it is, and the version of its format.
const MAGIC: &[u8; 8] = b"WEIRBRK1";
/// The part of [`MAGIC`] before the version.
const MAGIC_KIND: &[u8; 7] = b"WEIRBRK";
const HEADER_BYTES: u64 = 16;

/// Live records are copied in writes of about this size.
const COPY_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Segments {
    dir: PathBuf,
    /// Number and bytes of each segment, the current one included.
    sizes: BTreeMap<u64, u64>,
    current: u64,
    file: File,
    /// The last write failed: what stands in the file is unknown, and it is not written further.
    broken: bool,
    segment_bytes: u64,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> BrokerError {
    let path = path.to_owned();
    move |source| BrokerError::Journal { path, source }
}

fn name(number: u64) -> String {
    format!("journal-{number:010}.log")
}

impl Segments {
    /// Reads all segments, cuts a torn tail, and begins a new segment if there is none.
    pub(crate) fn open(
        dir: &Path,
        segment_bytes: u64,
    ) -> Result<(Self, Index, Recovered), BrokerError> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(dir).map_err(failed(dir))? {
            let entry = entry.map_err(failed(dir))?;
            let file_name = entry.file_name();
            let number = file_name.to_str().and_then(|n| {
                n.strip_prefix("journal-")?.strip_suffix(".log")?.parse::<u64>().ok()
            });
            numbers.extend(number);
        }
        numbers.sort_unstable();
        let (mut index, mut recovered) = (Index::default(), Recovered::default());
        let mut sizes = BTreeMap::new();
        let last = numbers.last().copied();
        for number in numbers {
            let path = dir.join(name(number));
            let bytes = fs::read(&path).map_err(failed(&path))?;
            let valid = read(&path, number, &bytes, |record, place| {
                index.apply(record.clone(), place, true);
                recovered.apply(record);
            })?;
            if (valid as usize) < bytes.len() {
                set_aside(&path, bytes.get(valid as usize..).unwrap_or_default());
                if Some(number) == last {
                    cut(&path, valid).map_err(failed(&path))?;
                }
            }
            sizes.insert(number, valid);
        }
        index.forget_orphans();
        recovered.forget_orphans();
        let whole = last.filter(|n| sizes.get(n).is_some_and(|bytes| *bytes >= HEADER_BYTES));
        let (current, file) = match whole {
            Some(number) => {
                let path = dir.join(name(number));
                let mut file = OpenOptions::new().write(true).open(&path).map_err(failed(&path))?;
                file.seek(SeekFrom::End(0)).map_err(failed(&path))?;
                (number, file)
            }
            None => {
                // A last segment without a whole header holds nothing; its number is used again.
                let number = last.unwrap_or(1);
                let path = dir.join(name(number));
                (number, create(dir, number).map_err(failed(&path))?)
            }
        };
        sizes.entry(current).and_modify(|b| *b = (*b).max(HEADER_BYTES)).or_insert(HEADER_BYTES);
        Ok((
            Self { dir: dir.to_owned(), sizes, current, file, broken: false, segment_bytes },
            index,
            recovered,
        ))
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.sizes.values().sum()
    }

    fn end(&self) -> u64 {
        self.sizes.get(&self.current).copied().unwrap_or(HEADER_BYTES)
    }

    /// Appends frames and waits for the disk; says where they stand. After an error nothing of them
    /// counts, and the next attempt is made in a new segment, since what a failed synchronisation
    /// left in the file is unknown.
    pub(crate) fn append(&mut self, frames: &[u8]) -> io::Result<(u64, u64)> {
        if self.broken || self.end() >= self.segment_bytes {
            self.roll()?;
        }
        let start = self.end();
        let written = self.file.write_all(frames).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // The file must not hold half a frame before whole ones, should it be read again.
            let _ = self.file.set_len(start).and_then(|()| self.file.sync_data());
            self.broken = true;
            return Err(error);
        }
        self.sizes.insert(self.current, start + frames.len() as u64);
        Ok((self.current, start))
    }

    fn roll(&mut self) -> io::Result<()> {
        let next = self.current + 1;
        self.file = create(&self.dir, next)?;
        self.current = next;
        self.broken = false;
        self.sizes.insert(next, HEADER_BYTES);
        Ok(())
    }

    /// Makes the next write fail.
    #[cfg(test)]
    pub(crate) fn fail_next(&mut self) {
        self.file = File::open(self.dir.join(name(self.current))).unwrap();
    }

    /// Gives up the oldest segment when more than half of all bytes are dead: its live records are
    /// appended again, then it is deleted. True when there may be more to do.
    pub(crate) fn give_up_oldest(&mut self, index: &mut Index) -> io::Result<bool> {
        let all = self.bytes();
        let Some((&oldest, _)) = self.sizes.first_key_value() else { return Ok(false) };
        if oldest == self.current || all <= 2 * index.live_bytes() + 2 * self.segment_bytes {
            return Ok(false);
        }
        let path = self.dir.join(name(oldest));
        let mut bytes = Vec::new();
        File::open(&path)?.read_to_end(&mut bytes)?;
        let mut live = Vec::new();
        let scanned = read(&path, oldest, &bytes, |record, place| {
            if index.place_mut(&record).is_some_and(|p| *p == place) {
                live.push((record, place));
            }
        });
        scanned.map_err(|error| io::Error::other(error.to_string()))?;
        let mut rest = live.as_slice();
        let mut frames = Vec::new();
        while !rest.is_empty() {
            frames.clear();
            let mut count = 0;
            for (_, place) in rest {
                if !frames.is_empty() && frames.len() >= COPY_BYTES {
                    break;
                }
                let from = usize::try_from(place.offset).unwrap_or(usize::MAX);
                let frame = bytes.get(from..from.saturating_add(place.bytes as usize));
                frames.extend_from_slice(frame.unwrap_or_default());
                count += 1;
            }
            let (segment, mut offset) = self.append(&frames)?;
            let (copied, later) = rest.split_at(count);
            for (record, place) in copied {
                if let Some(current) = index.place_mut(record) {
                    *current = Place { segment, offset, bytes: place.bytes };
                }
                offset += u64::from(place.bytes);
            }
            rest = later;
        }
        fs::remove_file(&path)?;
        let _ = fs::remove_file(path.with_extension("cut"));
        self.sizes.remove(&oldest);
        Ok(true)
    }
}

/// Reads the records of a segment and says how many bytes are good.
fn read(
    path: &Path,
    number: u64,
    bytes: &[u8],
    mut each: impl FnMut(Record, Place),
) -> Result<u64, BrokerError> {
    let Some((header, mut rest)) = bytes.split_at_checked(HEADER_BYTES as usize) else {
        return Ok(0);
    };
    if header.get(..8) != Some(MAGIC.as_slice()) {
        if header.starts_with(MAGIC_KIND) {
            return Err(BrokerError::Format(path.to_owned()));
        }
        return Ok(0);
    }
    if header.get(8..) != Some(number.to_le_bytes().as_slice()) {
        return Ok(0);
    }
    let mut offset = HEADER_BYTES;
    while let Some((body, length)) = record::frame(rest) {
        let Some(record) = record::decode(body) else { break };
        let bytes = u32::try_from(length).unwrap_or(u32::MAX);
        each(record, Place { segment: number, offset, bytes });
        offset += length as u64;
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(offset)
}

fn create(dir: &Path, number: u64) -> io::Result<File> {
    let path = dir.join(name(number));
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
    file.write_all(MAGIC)?;
    file.write_all(&number.to_le_bytes())?;
    file.sync_all()?;
    File::open(dir)?.sync_all()?;
    Ok(file)
}

fn cut(path: &Path, valid: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(valid)?;
    file.sync_all()
}

/// Keeps what was cut off beside the segment, one file a segment, so that somebody can look at it:
/// after a crash it is half a record, anything else is damage.
fn set_aside(path: &Path, rest: &[u8]) {
    tracing::warn!(
        segment = %path.display(),
        bytes = rest.len(),
        "the journal of the MQTT broker ends with bytes that are no record; they are set aside"
    );
    if rest.iter().any(|byte| *byte != 0) {
        let _ = fs::write(path.with_extension("cut"), rest);
    }
}
