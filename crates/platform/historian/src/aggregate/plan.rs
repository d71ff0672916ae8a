//! What of a tag's time is known from rollups, and what has to be read.
//!
//! A span is cut into the largest whole days, hours and minutes. Of each it is known what it holds
//! if every block that may have samples then has a rollup of it, or memory, and if these do not
//! interleave: then they follow each other, and nothing that one of them has replaces what another
//! has. Where that is not so, or where something was deleted, the next finer ones are looked at,
//! and samples are read at last. Hours that had to be read are remembered for as long as the same
//! blocks hold them.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::reader::{Memory, Reader, Sources};
use crate::HistorianError;
use crate::deletion::Deletion;
use crate::rollup::{Access, HourKey, Known, Partial, RollupLevel, Stored, look_in};

/// A step towards an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    /// Samples of which all is known.
    Known(Partial),
    /// Samples to read: `from <= time < to`.
    Read {
        from: i64,
        to: i64,
        /// The hour that they are, if nothing in memory is of it.
        key: Option<HourKey>,
    },
}

/// The steps for a tag, in order of time, each with the number of its bucket.
pub(super) struct Plan<'a> {
    reader: &'a Reader<'a>,
    access: Access<'a>,
    sources: &'a Sources,
    pub(super) tag: u32,
    memory: Option<Memory>,
    deletions: Vec<Deletion>,
    pub(super) ops: Vec<(u64, Op)>,
    /// Whether an hour has to be read that could be remembered.
    pub(super) is_cold: bool,
    bucket: u64,
    pieces: Vec<Partial>,
}

impl<'a> Plan<'a> {
    /// No steps yet.
    pub(super) fn new(
        reader: &'a Reader<'a>,
        access: Access<'a>,
        sources: &'a Sources,
        tag: u32,
        memory: Option<Memory>,
    ) -> Self {
        let deletions = reader.deletions(tag);
        let (ops, pieces) = (Vec::new(), Vec::new());
        Self {
            reader,
            access,
            sources,
            tag,
            memory,
            deletions,
            ops,
            is_cold: false,
            bucket: 0,
            pieces,
        }
    }

    /// Adds the steps for a span of a bucket.
    pub(super) fn add(&mut self, bucket: u64, span: (i64, i64)) -> Result<(), HistorianError> {
        self.bucket = bucket;
        self.add_days(self.reader.within_stored(span))
    }

    /// The days before one that may have samples, the newest first.
    pub(super) fn days_before(&self, day: i64) -> Vec<i64> {
        let of_memory = self.memory.iter().flat_map(|memory| &memory[RollupLevel::Day as usize]);
        let of_memory = of_memory.map(|stored| stored.index).filter(|index| *index < day);
        let mut days: Vec<i64> = self.sources.days_before(day).chain(of_memory).collect();
        days.sort_unstable();
        days.dedup();
        days.reverse();
        days
    }

    fn add_days(&mut self, (from, to): (i64, i64)) -> Result<(), HistorianError> {
        let day = RollupLevel::Day;
        let mut at = from;
        while at < to {
            let index = day.index(at);
            let end = day.start(index).saturating_add(day.nanos()).min(to);
            // A day of an hour or less is not worth looking at.
            let is_long = end - at > RollupLevel::Hour.nanos();
            if self.may_have(index) && !(is_long && self.add_known(day, index, (at, end))?) {
                self.add_hours((at, end))?;
            }
            at = end;
        }
        Ok(())
    }

    fn may_have(&self, day: i64) -> bool {
        self.memory.is_some() || self.sources.of(day, self.tag).next().is_some()
    }

    /// Adds the steps for a part of a day.
    fn add_hours(&mut self, (from, to): (i64, i64)) -> Result<(), HistorianError> {
        let hour = RollupLevel::Hour;
        let mut at = from;
        while at < to {
            let index = hour.index(at);
            let end = hour.start(index).saturating_add(hour.nanos()).min(to);
            if !self.add_known(hour, index, (at, end))? {
                match self.is_all_of_hour(index, (at, end))? {
                    _ if self.has_minutes(index)? => self.add_minutes((at, end))?,
                    true => self.read_hour(index),
                    false => self.read(at, end),
                }
            }
            at = end;
        }
        Ok(())
    }

    /// Adds the steps for a part of an hour.
    fn add_minutes(&mut self, (from, to): (i64, i64)) -> Result<(), HistorianError> {
        let minute = RollupLevel::Minute;
        let mut at = from;
        while at < to {
            let index = minute.index(at);
            let end = minute.start(index).saturating_add(minute.nanos()).min(to);
            if !self.add_known(minute, index, (at, end))? {
                self.read(at, end);
            }
            at = end;
        }
        Ok(())
    }

    /// Adds the samples of a part of a minute, hour or day where these are known: all that it has
    /// are in the part, or none of them is.
    fn add_known(
        &mut self,
        level: RollupLevel,
        index: i64,
        (from, to): (i64, i64),
    ) -> Result<bool, HistorianError> {
        match self.known(level, index)? {
            Known::Nothing => Ok(true),
            Known::Unknown => Ok(false),
            Known::Whole(partial) => {
                let (first, last) = (partial.first.0, partial.last.0);
                let is_inside = first >= from && last < to;
                if is_inside {
                    self.push_known(Known::Whole(partial));
                }
                Ok(is_inside || last < from || first >= to)
            }
        }
    }

    /// Whether a part of an hour has all samples of it, for all that is known of the day.
    fn is_all_of_hour(&self, hour: i64, (from, to): (i64, i64)) -> Result<bool, HistorianError> {
        let start = RollupLevel::Hour.start(hour);
        if from == start && to - from == RollupLevel::Hour.nanos() {
            return Ok(true);
        }
        let day = (self.tag, RollupLevel::Day.index(start));
        let mut span = (i64::MAX, i64::MIN);
        let mut add = |stored: &Stored| {
            let (first, last) = (stored.partial.first.0, stored.partial.last.0);
            span = (span.0.min(first), span.1.max(last));
        };
        for source in self.sources.of(day.1, self.tag) {
            let found = source.seek(self.access, RollupLevel::Day, day)?;
            found.iter().filter(|found| found.key() == day).for_each(&mut add);
        }
        let of_memory = self.memory.iter().flat_map(|memory| &memory[RollupLevel::Day as usize]);
        of_memory.filter(|found| found.key() == day).for_each(add);
        Ok((from == start || span.0 >= from) && span.1 < to)
    }

    fn push_known(&mut self, known: Known) {
        if let Known::Whole(partial) = known {
            self.ops.push((self.bucket, Op::Known(partial)));
        }
    }

    fn read(&mut self, from: i64, to: i64) {
        self.ops.push((self.bucket, Op::Read { from, to, key: None }));
    }

    fn read_hour(&mut self, index: i64) {
        let from = RollupLevel::Hour.start(index);
        let to = from.saturating_add(RollupLevel::Hour.nanos());
        let key = self.hour_key(index, (from, to));
        match key.and_then(|key| self.reader.known_hour(&key)) {
            Some(known) => self.push_known(known.map_or(Known::Nothing, Known::Whole)),
            None => {
                self.is_cold |= key.is_some();
                self.ops.push((self.bucket, Op::Read { from, to, key }));
            }
        }
    }

    /// What an hour is remembered by; none where memory has some of it.
    fn hour_key(&self, index: i64, (from, to): (i64, i64)) -> Option<HourKey> {
        let in_memory =
            self.memory.as_ref().map(|memory| look_in(memory, RollupLevel::Hour, self.tag, index));
        if in_memory.is_some_and(|known| !matches!(known, Known::Nothing)) {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        let day = RollupLevel::Day.index(from);
        for source in self.sources.of(day, self.tag) {
            if source.block().overlaps(self.tag, from, to) {
                source.block().entry().id.hash(&mut hasher);
            }
        }
        u64::MAX.hash(&mut hasher);
        for deletion in self.deletions.iter().filter(|one| one.from < to && from < one.to) {
            deletion.position.hash(&mut hasher);
        }
        let tenant = self.reader.tenant().0;
        Some(HourKey { tenant, tag: self.tag, index, of: hasher.finish() })
    }

    /// What all sources together know of a minute, hour or day.
    fn known(&mut self, level: RollupLevel, index: i64) -> Result<Known, HistorianError> {
        let start = level.start(index);
        let end = start.saturating_add(level.nanos());
        if self.deletions.iter().any(|deletion| deletion.from < end && start < deletion.to) {
            return Ok(Known::Unknown);
        }
        self.pieces.clear();
        if let Some(memory) = &self.memory {
            match look_in(memory, level, self.tag, index) {
                Known::Nothing => {}
                Known::Whole(partial) => self.pieces.push(partial),
                Known::Unknown => return Ok(Known::Unknown),
            }
        }
        for source in self.sources.of(RollupLevel::Day.index(start), self.tag) {
            if !source.block().overlaps(self.tag, start, end) {
                continue;
            }
            match source.look(self.access, level, self.tag, index)? {
                Known::Nothing => {}
                Known::Whole(partial) => self.pieces.push(partial),
                Known::Unknown => return Ok(Known::Unknown),
            }
        }
        let pieces = &mut self.pieces;
        pieces.sort_unstable_by_key(|piece| piece.first.0);
        if pieces.windows(2).any(|pair| pair[0].last.0 >= pair[1].first.0) {
            return Ok(Known::Unknown);
        }
        let Some((first, rest)) = pieces.split_first_mut() else { return Ok(Known::Nothing) };
        rest.iter().for_each(|piece| first.then(piece));
        Ok(Known::Whole(*first))
    }

    /// Whether any source has rollups of minutes of an hour.
    fn has_minutes(&self, hour: i64) -> Result<bool, HistorianError> {
        let start = RollupLevel::Hour.start(hour);
        let (first, minutes) = (
            RollupLevel::Minute.index(start),
            RollupLevel::Hour.nanos() / RollupLevel::Minute.nanos(),
        );
        for source in self.sources.of(RollupLevel::Day.index(start), self.tag) {
            let key = (self.tag, first);
            let found = source.seek(self.access, RollupLevel::Minute, key)?;
            if found.is_some_and(|found| found.tag == self.tag && found.index < first + minutes) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
