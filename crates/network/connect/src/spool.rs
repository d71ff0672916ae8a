//! What the historian refused, kept on disk until it takes it.
//!
//! Segments are files `spool-{number:016x}.log`: eight bytes of magic, then frames (see
//! [`frame`]). They are appended to and read in order; a segment that was delivered whole is
//! deleted, so an empty spool has no file. Where a delivered frame is read again after a restart,
//! its producer and sequence make the sink store it once.

mod frame;

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_model::{Batch, TenantId};

use crate::ConnectError;

const MAGIC: &[u8; 8] = b"WEIRSPL1";

/// A spool is at least this many segments when full, so that dropping the oldest drops little.
const SEGMENTS_WHEN_FULL: u64 = 16;

/// Most batches read ahead for one round of delivery.
const WINDOW_BATCHES_MAX: usize = 64;

/// Most bytes read ahead for one round of delivery.
const WINDOW_BYTES_MAX: u64 = 8 << 20;

/// What happens to samples when the spool is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpoolFull {
    /// The oldest segment makes room: the newest values count most, as on a strip chart.
    #[default]
    DropOldest,
    /// New batches are dropped: how something began counts most, as in an accident recorder.
    DropNewest,
}

/// Whose batches: sequences are counted per tenant and producer.
pub(crate) type Key = (TenantId, Arc<str>);

/// The spool. Its methods do file I/O: not for async code.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    bytes_max: u64,
    full: SpoolFull,
    /// Oldest first; the last is appended to while `writer` is there.
    segments: VecDeque<Segment>,
    writer: Option<File>,
    next_number: u64,
    /// Where delivery stands in the oldest segment.
    offset: u64,
    pending: HashMap<Key, Load>,
    damaged: u64,
    /// Whether frames were appended, and a file was made, since the last [`Spool::unsynced`].
    new_frames: bool,
    new_file: bool,
}

/// What is not yet durable against loss of power.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    file: Option<File>,
    dir: Option<PathBuf>,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    /// What of it is not yet delivered.
    load: HashMap<Key, Load>,
}

/// Batches and samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) batches: u64,
    pub(crate) samples: u64,
}

/// A batch read from the spool and where it ends.
#[derive(Debug)]
pub(crate) struct Spooled {
    pub(crate) batch: Batch,
    segment: u64,
    end: u64,
}

/// What was lost, by whom, in samples.
pub(crate) type Losses = Vec<(Key, u64)>;

impl Unsynced {
    /// Waits for the disk.
    pub(crate) fn sync(self) -> io::Result<()> {
        self.file.map_or(Ok(()), |file| file.sync_data())?;
        self.dir.map_or(Ok(()), |dir| sync_dir(&dir))
    }
}

/// What [`Spool::append`] did.
#[derive(Debug)]
pub(crate) struct Appended {
    /// Whether the batch is in the spool; else it is among the losses.
    pub(crate) is_kept: bool,
    pub(crate) losses: Losses,
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

impl Load {
    fn add(&mut self, samples: usize) {
        self.batches += 1;
        self.samples += samples as u64;
    }

    fn subtract(&mut self, other: Self) {
        self.batches = self.batches.saturating_sub(other.batches);
        self.samples = self.samples.saturating_sub(other.samples);
    }
}

/// The key of a batch; batches without a producer share one.
pub(crate) fn key(batch: &Batch) -> Key {
    (batch.tenant, batch.producer.as_ref().map_or("", |p| p.name()).into())
}

impl Spool {
    /// Opens the folder, reads what is there, cuts a torn tail and says the highest sequence.
    pub(crate) fn open(
        dir: &Path,
        bytes_max: u64,
        full: SpoolFull,
    ) -> Result<(Self, u64), ConnectError> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| ConnectError::Spool { path, source }
        };
        fs::create_dir_all(dir).map_err(fail(dir))?;
        let mut spool = Self {
            dir: dir.to_owned(),
            bytes_max,
            full,
            segments: VecDeque::new(),
            writer: None,
            next_number: 1,
            offset: MAGIC.len() as u64,
            pending: HashMap::new(),
            damaged: 0,
            new_frames: false,
            new_file: false,
        };
        let mut sequence_max = 0;
        for number in segment_numbers(dir).map_err(fail(dir))? {
            let path = spool.path(number);
            let highest = spool.scan(number).map_err(fail(&path))?;
            sequence_max = sequence_max.max(highest);
        }
        Ok((spool, sequence_max))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("spool-{number:016x}.log"))
    }

    /// Reads one segment found at the start. Frames behind a damaged one cannot be found again:
    /// what is cut off is a torn tail or is counted and named.
    fn scan(&mut self, number: u64) -> io::Result<u64> {
        self.next_number = self.next_number.max(number.saturating_add(1));
        let path = self.path(number);
        let mut reader = io::BufReader::new(File::open(&path)?);
        let length = fs::metadata(&path)?.len();
        let mut bytes = 0;
        let mut load = HashMap::new();
        let mut sequence_max = 0;
        let mut magic = [0; MAGIC.len()];
        if reader.read_exact(&mut magic).is_ok() && &magic == MAGIC {
            bytes = MAGIC.len() as u64;
            while let Some((batch, size)) = frame::read(&mut reader)? {
                bytes += size;
                sequence_max = sequence_max.max(batch.producer.as_ref().map_or(0, |p| p.sequence));
                count(&mut load, &batch);
            }
        }
        if bytes < length {
            self.damaged += 1;
            tracing::warn!(path = %path.display(), at = bytes, lost_bytes = length - bytes,
                "the spool is torn or damaged here; the rest of this file is dropped");
            OpenOptions::new().write(true).open(&path)?.set_len(bytes)?;
        }
        if load.is_empty() {
            fs::remove_file(&path)?;
            return Ok(0);
        }
        for (key, load) in &load {
            let pending = self.pending.entry(key.clone()).or_default();
            pending.batches += load.batches;
            pending.samples += load.samples;
        }
        self.segments.push_back(Segment { number, bytes, load });
        Ok(sequence_max)
    }

    /// Whether batches of this producer wait: then a new one must wait behind them.
    pub(crate) fn waits(&self, key: &Key) -> bool {
        self.pending.contains_key(key)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum()
    }

    /// Everything that waits.
    pub(crate) fn load(&self) -> Load {
        let mut all = Load::default();
        for load in self.pending.values() {
            all.batches += load.batches;
            all.samples += load.samples;
        }
        all
    }

    /// Damaged places found since the start.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Appends a batch; where the spool is full, says what was lost instead or beside.
    pub(crate) fn append(&mut self, batch: &Batch) -> io::Result<Appended> {
        let frame = frame::encode(batch);
        let refused = || {
            let losses = vec![(key(batch), batch.samples.len() as u64)];
            Appended { is_kept: false, losses }
        };
        let size = frame.len() as u64;
        if frame::too_large(size) || size + MAGIC.len() as u64 > self.bytes_max {
            return Ok(refused());
        }
        let mut losses = Vec::new();
        while self.bytes() + size + MAGIC.len() as u64 > self.bytes_max {
            if self.full == SpoolFull::DropNewest {
                return Ok(refused());
            }
            losses.extend(self.drop_oldest()?);
        }
        if let Err(error) = self.write(&frame) {
            self.mend();
            return Err(error);
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes += size;
            count(&mut segment.load, batch);
        }
        self.pending.entry(key(batch)).or_default().add(batch.samples.len());
        Ok(Appended { is_kept: true, losses })
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let segment_bytes_max = self.bytes_max / SEGMENTS_WHEN_FULL;
        if self.segments.back().is_none_or(|s| s.bytes >= segment_bytes_max) {
            self.unsynced()?.sync()?;
            self.writer = None;
        }
        if self.writer.is_none() {
            self.begin_segment()?;
        }
        self.new_frames = true;
        self.writer.as_mut().map_or(Ok(()), |writer| writer.write_all(frame))
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let number = self.next_number;
        self.next_number += 1;
        let path = self.path(number);
        let mut file = OpenOptions::new().create_new(true).append(true).open(&path)?;
        self.new_file = true;
        if let Err(error) = file.write_all(MAGIC) {
            // On a full disk there is one such attempt after the other: none may leave a file.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        let bytes = MAGIC.len() as u64;
        self.segments.push_back(Segment { number, bytes, load: HashMap::new() });
        self.writer = Some(file);
        Ok(())
    }

    /// Cuts off a half-written frame, which would hide those behind it. Where that fails too, the
    /// segment is closed; what of the frame got to the disk is cut off when the segment is read.
    fn mend(&mut self) {
        let (Some(writer), Some(segment)) = (&self.writer, self.segments.back()) else { return };
        if writer.set_len(segment.bytes).is_err() {
            self.writer = None;
        }
    }

    /// What was appended since the last call, to be made durable against loss of power: without
    /// the spool's lock, because it may take as long as the disk likes.
    pub(crate) fn unsynced(&mut self) -> io::Result<Unsynced> {
        let frames = std::mem::take(&mut self.new_frames);
        let file = self.writer.as_ref().filter(|_| frames).map(File::try_clone).transpose()?;
        let dir = std::mem::take(&mut self.new_file).then(|| self.dir.clone());
        Ok(Unsynced { file, dir })
    }

    /// Takes back that what was appended is durable: the disk refused.
    pub(crate) fn not_synced(&mut self) {
        self.new_frames = true;
        self.new_file = true;
    }

    /// Reads the next batches without taking them out; [`Spool::advance`] does.
    pub(crate) fn window(&mut self) -> io::Result<(Vec<Spooled>, Losses)> {
        let mut window = Vec::new();
        let mut losses = Vec::new();
        let mut bytes = 0;
        let mut index = 0;
        // A segment without a frame is left behind where its first one could not be written.
        while self.segments.front().is_some_and(|s| self.offset >= s.bytes) {
            losses.extend(self.drop_oldest()?);
        }
        while let Some(segment) = self.segments.get(index) {
            let (number, length) = (segment.number, segment.bytes);
            let start = if index == 0 { self.offset } else { MAGIC.len() as u64 };
            let mut file = File::open(self.path(number))?;
            file.seek(SeekFrom::Start(start))?;
            let mut reader = io::BufReader::new(file.take(length - start));
            let mut at = start;
            while at < length {
                if window.len() >= WINDOW_BATCHES_MAX || bytes >= WINDOW_BYTES_MAX {
                    return Ok((window, losses));
                }
                let Some((batch, size)) = frame::read(&mut reader)? else { break };
                at += size;
                bytes += size;
                window.push(Spooled { batch, segment: number, end: at });
            }
            if at < length && window.is_empty() {
                // Damaged since it was written, and nothing before the damage is left to deliver.
                self.damaged += 1;
                tracing::error!(path = %self.path(number).display(), at,
                    "the spool is damaged here; the rest of this file is dropped");
                losses.extend(self.drop_oldest()?);
                continue;
            }
            if at < length {
                return Ok((window, losses));
            }
            index += 1;
        }
        Ok((window, losses))
    }

    /// Takes out a batch that was delivered (or never will be). Batches of a segment that was
    /// dropped in the meantime are gone already.
    pub(crate) fn advance(&mut self, spooled: &Spooled) -> io::Result<()> {
        let Some(segment) = self.segments.front_mut() else { return Ok(()) };
        if segment.number != spooled.segment {
            return Ok(());
        }
        let key = key(&spooled.batch);
        let one = Load { batches: 1, samples: spooled.batch.samples.len() as u64 };
        discharge(&mut segment.load, &key, one);
        discharge(&mut self.pending, &key, one);
        self.offset = spooled.end;
        if self.offset >= segment.bytes {
            self.drop_oldest()?;
        }
        Ok(())
    }

    fn drop_oldest(&mut self) -> io::Result<Losses> {
        let Some(segment) = self.segments.pop_front() else { return Ok(Vec::new()) };
        if self.segments.is_empty() {
            self.writer = None;
        }
        self.offset = MAGIC.len() as u64;
        for (key, load) in &segment.load {
            discharge(&mut self.pending, key, *load);
        }
        fs::remove_file(self.path(segment.number))?;
        Ok(segment.load.into_iter().map(|(key, load)| (key, load.samples)).collect())
    }
}

fn count(loads: &mut HashMap<Key, Load>, batch: &Batch) {
    loads.entry(key(batch)).or_default().add(batch.samples.len());
}

fn discharge(loads: &mut HashMap<Key, Load>, key: &Key, by: Load) {
    if let Some(load) = loads.get_mut(key) {
        load.subtract(by);
        if load.batches == 0 {
            loads.remove(key);
        }
    }
}

fn segment_numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|n| n.strip_prefix("spool-")?.strip_suffix(".log"));
        numbers.extend(digits.and_then(|d| u64::from_str_radix(d, 16).ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests;
