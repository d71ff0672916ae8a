//! Values at given times: of one tag at some times, and of several tags row by row.
//!
//! Between its samples a tag is worth what [`Interpolation`] says. Which samples count, and how far the
//! result can be trusted, follows OPC UA: OPC 10000-11, clause 6.5.5 (ReadAtTime) and OPC 10000-13, clauses
//! 3.1.8 (interpolated bounding values) and 5.4.3.4, with TreatUncertainAsBad and UseSlopedExtrapolation off. It
//! differs in one: a stepped value holds, and stays good, behind the last sample as well. What is told when
//! it changes is silent in between, and a device that fell silent itself leaves a bad sample.

mod track;

use std::fmt;
use std::sync::Arc;

use weir_model::{Interpolation, Quality, Sample, TagId, TenantId, Timestamp, Value};

use crate::historian::Caller;
use crate::latest::latest;
use crate::row::Row;
use crate::scan::Scan;
use crate::shared::Shared;
use crate::{Historian, HistorianError, RANGE_HEAP_BYTES_MAX};
use track::{Anchor, Cell, Track};

/// Cells that are read at one time: about 5 MB of them.
const CHUNK_CELLS: usize = 1 << 17;

/// Most times of one [`Historian::at`].
pub const AT_TIMES_MAX: usize = 10_000;

/// Times closer than this are reached by reading on, others by looking anew.
const NEAR_NANOS: u64 = 3_600_000_000_000;

/// Turns the values of a tag's samples into others before anything is computed of them, such as into
/// another unit; none for one that cannot be, which then counts as a bad one.
pub type Convert = Arc<dyn Fn(Timestamp, &Value) -> Option<Value> + Send + Sync>;

/// How one tag is read.
#[derive(Clone)]
pub struct Signal {
    /// The tag.
    pub tag: TagId,
    /// What it is worth between samples. On a line, values that are no finite numbers count as bad.
    pub interpolation: Interpolation,
    /// Samples farther than so many nanoseconds from a time tell nothing of it.
    pub age_max: Option<u64>,
    /// What its values are turned into.
    pub convert: Option<Convert>,
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tag, interpolation, age_max, convert } = self;
        let mut out = f.debug_struct("Signal");
        out.field("tag", tag).field("interpolation", interpolation).field("age_max", age_max);
        out.field("converted", &convert.is_some()).finish()
    }
}

/// Values of tags at times.
#[derive(Debug, Clone, PartialEq)]
pub struct AtTimes {
    /// Of each tag, in the order asked for, a sample for each time.
    pub samples: Vec<Vec<Sample>>,
    /// Bytes of their texts and arrays, each counted as often as it is a value.
    pub heap_bytes: usize,
}

/// Rows at equal distances, a column a signal.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The times of the rows.
    pub times: Vec<Timestamp>,
    /// A column for each signal, in the order asked for; each with a value and its quality for each row.
    pub columns: Vec<Vec<(Option<Value>, Quality)>>,
}

/// Frames on their way: at most [`CHUNK_CELLS`] cells, and a row at the least, are in memory.
pub struct Frames {
    historian: Historian,
    tenant: TenantId,
    signals: Arc<[Signal]>,
    tracks: Vec<Track>,
    next: Option<i64>,
    to: i64,
    step: i64,
}

impl Historian {
    /// The values of a tag at times, which are in order and at most [`AT_TIMES_MAX`]: a sample for each.
    ///
    /// # Errors
    /// As [`Historian::range`]; [`HistorianError::LimitTooLarge`] for more times.
    pub async fn at(
        &self,
        tenant: TenantId,
        signal: Signal,
        times: Vec<Timestamp>,
    ) -> Result<Vec<Sample>, HistorianError> {
        let values = self.at_each(tenant, vec![signal], times).await?;
        Ok(values.samples.into_iter().next().unwrap_or_default())
    }

    /// As [`Historian::at`], of several tags: at most [`AT_TIMES_MAX`] values in all.
    ///
    /// # Errors
    /// As [`Historian::at`]; [`HistorianError::AnswerTooLarge`] for more than [`RANGE_HEAP_BYTES_MAX`] of
    /// texts and arrays in all values together, each counted as often as it is a value.
    pub async fn at_each(
        &self,
        tenant: TenantId,
        signals: Vec<Signal>,
        times: Vec<Timestamp>,
    ) -> Result<AtTimes, HistorianError> {
        let limit = times.len().saturating_mul(signals.len());
        if limit > AT_TIMES_MAX {
            return Err(HistorianError::LimitTooLarge { limit, limit_max: AT_TIMES_MAX });
        }
        self.read(move |shared, caller| {
            let mut told = Heap::default();
            let of_each = signals.iter();
            let samples = of_each
                .map(|signal| read_at(shared, caller, tenant, signal, &times, &mut told))
                .collect::<Result<_, _>>()?;
            Ok(AtTimes { samples, heap_bytes: told.0 })
        })
        .await
    }

    /// Rows at `from`, `from + step` and on, as long as they are before `to`, with a column for each
    /// signal. Nothing is read yet. A step below 1 counts as 1 nanosecond.
    pub fn frames(
        &self,
        tenant: TenantId,
        signals: Vec<Signal>,
        (from, to): (Timestamp, Timestamp),
        step: i64,
    ) -> Frames {
        Frames {
            historian: self.clone(),
            tenant,
            tracks: signals.iter().map(|_| Track::default()).collect(),
            signals: signals.into(),
            next: Some(from.nanos()),
            to: to.nanos(),
            step: step.max(1),
        }
    }
}

impl Frames {
    /// The next rows; none behind the last. What is stored while frames are read may be in those that are
    /// read later.
    ///
    /// # Errors
    /// As [`Historian::range`].
    pub async fn next(&mut self) -> Result<Option<Frame>, HistorianError> {
        let rows = (CHUNK_CELLS / self.signals.len().max(1)).max(1);
        let times = std::iter::successors(self.next, |time| time.checked_add(self.step));
        let times: Vec<i64> = times.take_while(|time| *time < self.to).take(rows).collect();
        let Some(last) = times.last() else { return Ok(None) };
        self.next = last.checked_add(self.step);
        let (signals, tenant) = (Arc::clone(&self.signals), self.tenant);
        let mut tracks = std::mem::take(&mut self.tracks);
        let read = self.historian.read(move |shared, caller| {
            let mut heap = Heap::default();
            let columns = signals.iter().zip(&mut tracks).map(|(signal, track)| {
                read(shared, caller, tenant, signal, track, &times, &mut heap)
            });
            let columns = columns.collect::<Result<_, _>>()?;
            let times = times.into_iter().map(Timestamp::from_nanos).collect();
            Ok((Frame { times, columns }, tracks))
        });
        let (frame, tracks) = read.await?;
        self.tracks = tracks;
        Ok(Some(frame))
    }
}

/// The samples of a tag at times. `told` counts each value, whether others share its memory or not: as much
/// is written.
fn read_at(
    shared: &Shared,
    caller: &Caller,
    tenant: TenantId,
    signal: &Signal,
    times: &[Timestamp],
    told: &mut Heap,
) -> Result<Vec<Sample>, HistorianError> {
    let mut samples = Vec::with_capacity(times.len());
    let is_near = |a: &Timestamp, b: &Timestamp| a.nanos().abs_diff(b.nanos()) < NEAR_NANOS;
    for times in times.chunk_by(is_near) {
        let mut track = Track::default();
        let nanos: Vec<i64> = times.iter().map(|time| time.nanos()).collect();
        let mut held = Heap::default();
        let cells = read(shared, caller, tenant, signal, &mut track, &nanos, &mut held)?;
        for (time, (value, quality)) in times.iter().zip(cells) {
            value.as_ref().map_or(Ok(()), |value| told.take(value))?;
            samples.push(Sample { time: *time, value, quality });
        }
    }
    Ok(samples)
}

/// Bytes of texts and arrays of an answer.
#[derive(Default)]
struct Heap(usize);

impl Heap {
    fn take(&mut self, value: &Value) -> Result<(), HistorianError> {
        self.0 = self.0.saturating_add(value.heap_bytes());
        if self.0 > RANGE_HEAP_BYTES_MAX {
            return Err(HistorianError::AnswerTooLarge { bytes_max: RANGE_HEAP_BYTES_MAX });
        }
        Ok(())
    }
}

/// The values of a signal at times, read on from where its track is.
fn read(
    shared: &Shared,
    caller: &Caller,
    tenant: TenantId,
    signal: &Signal,
    track: &mut Track,
    times: &[i64],
    heap: &mut Heap,
) -> Result<Vec<Cell>, HistorianError> {
    let Some(first) = times.first() else { return Ok(Vec::new()) };
    let key = (tenant, signal.tag);
    let anchor = |row: &Row| Anchor::of(row, signal);
    if track.is_new() {
        let is_usable = |row: &Row| anchor(row).is_some();
        let oldest = signal.age_max.map_or(i64::MIN, |max| first.saturating_sub_unsigned(max));
        let span = (Timestamp::from_nanos(oldest), Timestamp::from_nanos(*first));
        let before = latest(shared, caller, key, span, is_usable)?;
        track.begin(before.as_ref().and_then(anchor), *first);
    }
    let from = Timestamp::from_nanos(track.read_to());
    let to = Timestamp::from_nanos(behind(signal, *times.last().unwrap_or(first)));
    let mut scan = Scan::new(&shared.view(), &shared.blocks, key, (from, to))?;
    let mut rows = 0;
    let mut cells = Vec::with_capacity(times.len());
    let next = || {
        rows += 1;
        caller.look(rows)?;
        scan.next()
    };
    track.follow(signal, times, next, |cell, anchor| {
        anchor.map_or(Ok(()), |anchor| heap.take(&anchor.value))?;
        cells.push(cell);
        Ok(())
    })?;
    Ok(cells)
}

/// Up to where, exclusively, samples matter to a time: a line needs the one behind it, as far as that may
/// be.
fn behind(signal: &Signal, time: i64) -> i64 {
    let after = time.saturating_add(1);
    match (signal.interpolation, signal.age_max) {
        (Interpolation::Step, _) => after,
        (Interpolation::Linear, None) => i64::MAX,
        (Interpolation::Linear, Some(max)) => after.saturating_add_unsigned(max),
    }
}

#[cfg(test)]
mod tests;
