//! Answering a query: tag by tag, from the rollups of all blocks and of memory.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError};

use weir_model::{TagId, TenantId, Timestamp, Value};

use super::buckets::{Buckets, Grid};
use super::plan::{Op, Plan};
use super::warm::{HOURS_MAX, Hours};
use super::{AGGREGATE_ROWS_MAX, Aggregate, AggregateQuery};
use crate::HistorianError;
use crate::block::Block;
use crate::block::read::Wanted;
use crate::historian::Caller;
use crate::merge::{Cursor, Merge};
use crate::rollup::{Access, Builder, HourKey, Partial, RollupLevel, Source, State, Stored};
use crate::scan::{Scan, View};
use crate::shared::Shared;

/// Tags whose rollups are looked for together, so that those made of samples stay few.
const TAGS_TOGETHER: usize = 1024;

/// Steps of a plan after which they are done.
const OPS_MAX: usize = 4096;

/// What a query is answered from.
pub(super) struct Reader<'a> {
    shared: &'a Shared,
    caller: &'a Caller,
    tenant: TenantId,
    query: AggregateQuery,
    grid: Grid,
    /// The days that samples are of.
    stored: (i64, i64),
    /// What is stored.
    view: View,
    /// The same without memory.
    files: View,
    /// The tags that have samples in memory.
    in_memory: HashSet<u32>,
}

/// The blocks that may have samples of some tags.
pub(super) struct Sources {
    all: Vec<Source>,
    /// Which of them may have samples of a day.
    days: BTreeMap<i32, Vec<usize>>,
}

/// Rollups of memory, by level.
pub(super) type Memory = [Vec<Stored>; 3];

impl<'a> Reader<'a> {
    /// What is stored at this moment.
    pub(super) fn new(
        shared: &'a Shared,
        caller: &'a Caller,
        tenant: TenantId,
        query: AggregateQuery,
    ) -> Result<Self, HistorianError> {
        let view = shared.view();
        let files = View { active: Arc::default(), frozen: None, ..view.clone() };
        let stored = stored_span(&view, tenant);
        let span = if query.with_empty { (i64::MIN, i64::MAX) } else { stored };
        let stored = days_around(stored);
        let grid = Grid::new(&query, span);
        let mut in_memory = HashSet::new();
        for (table, _) in view.tables() {
            let table = table.read().unwrap_or_else(PoisonError::into_inner);
            let before = days_around((0, query.to.nanos())).1;
            table.tags_before(tenant, before, &mut in_memory);
        }
        Ok(Self { shared, caller, tenant, query, grid, stored, view, files, in_memory })
    }

    /// The rows of tags.
    pub(super) fn read(&self, tags: &[TagId]) -> Result<Vec<Aggregate>, HistorianError> {
        let buckets = self.grid.count.saturating_mul(tags.len() as u64);
        if buckets > AGGREGATE_ROWS_MAX as u64 {
            let buckets_max = AGGREGATE_ROWS_MAX;
            return Err(HistorianError::TooManyBuckets { buckets, buckets_max });
        }
        let mut rows = Vec::new();
        for together in tags.chunks(TAGS_TOGETHER) {
            let mut sorted: Vec<u32> = together.iter().map(|tag| tag.0).collect();
            sorted.sort_unstable();
            let look = |rows| self.caller.look(rows);
            let access = Access {
                blocks: &self.shared.blocks,
                cache: &self.shared.rollups,
                tags: &sorted,
                span: self.days(),
                look: &look,
            };
            let sources = self.sources(access);
            let mut is_warm = false;
            for (place, tag) in together.iter().enumerate() {
                self.look()?;
                let from = rows.len();
                if !self.read_tag(*tag, access, &sources, is_warm, &mut rows)? {
                    is_warm = true;
                    self.warm(self.cold(&together[place..], access, &sources)?)?;
                    rows.truncate(from);
                    self.read_tag(*tag, access, &sources, is_warm, &mut rows)?;
                }
            }
        }
        Ok(rows)
    }

    /// The hours of tags that have to be read and can be remembered.
    fn cold(
        &self,
        tags: &[TagId],
        access: Access<'_>,
        sources: &Sources,
    ) -> Result<Hours, HistorianError> {
        let mut hours = Hours::new();
        for tag in tags {
            self.look()?;
            let mut plan = Plan::new(self, access, sources, tag.0, self.memory(*tag)?);
            for bucket in 0..self.grid.count {
                plan.add(bucket, self.grid.span(bucket))?;
                for (_, op) in plan.ops.drain(..) {
                    if let Op::Read { key: Some(key), .. } = op {
                        hours.insert((tag.0, key.index), key);
                    }
                }
                if hours.len() >= HOURS_MAX {
                    return Ok(hours);
                }
            }
        }
        Ok(hours)
    }

    /// Every block before the end of the span that may have samples of the tags.
    fn sources(&self, access: Access<'_>) -> Sources {
        let (Some(first), Some(last)) = (access.tags.first(), access.tags.last()) else {
            return Sources { all: Vec::new(), days: BTreeMap::new() };
        };
        let mut sources = Sources { all: Vec::new(), days: BTreeMap::new() };
        for block in self.view.version.blocks() {
            let entry = block.entry();
            let meets = entry.tenant == self.tenant
                && entry.time_min < access.span.1
                && entry.tag_min <= *last
                && entry.tag_max >= *first;
            if !meets {
                continue;
            }
            for day in day_of(entry.time_min)..=day_of(entry.time_max) {
                sources.days.entry(day).or_default().push(sources.all.len());
            }
            sources.all.push(Source::new(block));
        }
        sources
    }

    /// Answers a tag's buckets. Gives false, and part of an answer, where hours should be read that
    /// others may have to read as well.
    fn read_tag(
        &self,
        tag: TagId,
        access: Access<'_>,
        sources: &Sources,
        is_warm: bool,
        rows: &mut Vec<Aggregate>,
    ) -> Result<bool, HistorianError> {
        if self.grid.count == 0 {
            return Ok(true);
        }
        let memory = self.memory(tag)?;
        let mut plan = Plan::new(self, access, sources, tag.0, memory);
        let start = self.grid.span(0).0;
        let before = match self.query.weighted {
            true => self.newest_before(&mut plan, start)?,
            false => None,
        };
        plan.is_cold = false;
        let mut buckets = Buckets::new(tag, &self.query, self.grid, before, rows);
        for bucket in 0..self.grid.count {
            plan.add(bucket, self.grid.span(bucket))?;
            if plan.is_cold && !is_warm && access.tags.len() > 1 {
                return Ok(false);
            }
            if plan.ops.len() >= OPS_MAX {
                self.run(&mut plan, &mut buckets)?;
            }
        }
        self.run(&mut plan, &mut buckets)?;
        buckets.finish();
        Ok(true)
    }

    /// What memory has of a tag before the end of the span's last day.
    fn memory(&self, tag: TagId) -> Result<Option<Memory>, HistorianError> {
        if !self.in_memory.contains(&tag.0) {
            return Ok(None);
        }
        let (_, to) = days_around((0, self.query.to.nanos()));
        let wanted = Wanted { tag: tag.0, from: i64::MIN, to };
        let mut merge = Merge::default();
        for (table, position) in self.view.tables() {
            merge.add(Cursor::memory(Arc::clone(table), position, self.tenant, wanted))?;
        }
        let deletions = self.deletions(tag.0);
        let mut memory = Memory::default();
        let mut give = |level: RollupLevel, stored| memory[level as usize].push(stored);
        let (mut builder, mut seen) = (Builder::complete(), 0);
        while let Some(row) = merge.next()? {
            seen += 1;
            self.caller.look(seen)?;
            if !deletions.iter().any(|deletion| deletion.hides(row.time, row.position)) {
                builder.push(tag.0, (row.time, row.quality, State::of_row(&row)), &mut give);
            }
        }
        builder.finish(&mut give);
        Ok(Some(memory))
    }

    /// The deletions that hide samples of a tag in blocks.
    pub(super) fn deletions(&self, tag: u32) -> Vec<crate::deletion::Deletion> {
        let of_tag = |one: &&crate::deletion::Deletion| (one.tenant, one.tag) == (self.tenant, tag);
        self.view.deletions.iter().filter(of_tag).copied().collect()
    }

    /// Remembers an hour that was read from samples.
    pub(super) fn keep_hour(&self, key: HourKey, known: Option<Partial>) {
        self.shared.rollups.keep_hour(key, known);
    }

    /// Ends where the caller has gone away.
    pub(super) fn look(&self) -> Result<(), HistorianError> {
        self.caller.look(0)
    }

    /// What all answers share.
    pub(super) fn shared(&self) -> &Shared {
        self.shared
    }

    /// What is stored in blocks.
    pub(super) fn files(&self) -> View {
        self.files.clone()
    }

    /// An hour that was read from samples before.
    pub(super) fn known_hour(&self, key: &HourKey) -> Option<Option<Partial>> {
        self.shared.rollups.hour(key)
    }

    /// The part of a span where samples may be.
    pub(super) fn within_stored(&self, (from, to): (i64, i64)) -> (i64, i64) {
        let from = from.max(self.stored.0);
        (from, to.min(self.stored.1).max(from))
    }

    /// The days whose samples matter: what holds at the beginning may be from long before.
    fn days(&self) -> (i64, i64) {
        let span = self.within_stored((self.query.from.nanos(), self.query.to.nanos()));
        let (from, to) = days_around(span);
        (if self.query.weighted { i64::MIN } else { from }, to)
    }

    /// Whose samples are read.
    pub(super) fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Does the steps of a plan.
    fn run(&self, plan: &mut Plan<'_>, buckets: &mut Buckets<'_>) -> Result<(), HistorianError> {
        let ops = std::mem::take(&mut plan.ops);
        let mut at = 0;
        while let Some((bucket, op)) = ops.get(at) {
            match op {
                Op::Known(partial) => {
                    buckets.take(*bucket, partial);
                    at += 1;
                }
                Op::Read { .. } => at += self.read_run(plan.tag, &ops[at..], buckets)?,
            }
        }
        Ok(())
    }

    /// Reads the samples of steps that follow each other without a gap, and says how many those are.
    fn read_run(
        &self,
        tag: u32,
        ops: &[(u64, Op)],
        buckets: &mut Buckets<'_>,
    ) -> Result<usize, HistorianError> {
        let mut steps: Vec<(u64, i64, i64, Option<HourKey>)> = Vec::new();
        for (bucket, op) in ops {
            let Op::Read { from, to, key } = op else { break };
            let follows = steps
                .last()
                .is_none_or(|(_, _, end, last)| end == from && last.is_some() == key.is_some());
            if !follows {
                break;
            }
            steps.push((*bucket, *from, *to, *key));
        }
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Ok(1) };
        // What is kept must not hold what memory got since it was looked at.
        let view = if first.3.is_some() { &self.files } else { &self.view };
        let mut scan = self.scan(view, tag, (first.1, last.2))?;
        let mut next = scan.next()?;
        let mut seen = 0;
        for (bucket, _, to, key) in &steps {
            let mut read: Option<Partial> = None;
            while let Some(row) = next.as_ref().filter(|row| row.time < *to) {
                let state = State::of_row(row);
                match &mut read {
                    Some(read) => read.push(row.time, row.quality, state),
                    None => read = Some(Partial::new(row.time, row.quality, state)),
                }
                seen += 1;
                self.caller.look(seen)?;
                next = scan.next()?;
            }
            if let Some(key) = key {
                self.keep_hour(*key, read);
            }
            if let Some(read) = read {
                buckets.take(*bucket, &read);
            }
        }
        Ok(steps.len())
    }

    fn scan(
        &self,
        view: &View,
        tag: u32,
        (from, to): (i64, i64),
    ) -> Result<Scan<'_>, HistorianError> {
        let span = (Timestamp::from_nanos(from), Timestamp::from_nanos(to));
        Scan::new(view, &self.shared.blocks, (self.tenant, TagId(tag)), span)
    }

    /// What a tag's newest sample before a time says.
    fn newest_before(
        &self,
        plan: &mut Plan<'_>,
        before: i64,
    ) -> Result<Option<State>, HistorianError> {
        let Some(last) = self.shared.last().get(self.tenant, TagId(plan.tag)) else {
            return Ok(None);
        };
        if last.time.nanos() < before {
            let (kind, word) = last.value.as_ref().map_or((weir_model::Kind::None, 0), Value::word);
            return Ok(Some(State::of(last.quality.code(), kind, word)));
        }
        // Mostly it is in the hour before.
        let hour = RollupLevel::Hour.start(RollupLevel::Hour.index(before.saturating_sub(1)));
        let day = RollupLevel::Day.start(RollupLevel::Day.index(before.saturating_sub(1)));
        for span in [(hour, before), (day, hour)] {
            if let Some(state) = self.newest_in(plan, span)? {
                return Ok(Some(state));
            }
        }
        for day in plan.days_before(RollupLevel::Day.index(day)) {
            let start = RollupLevel::Day.start(day);
            let end = start.saturating_add(RollupLevel::Day.nanos());
            if let Some(state) = self.newest_in(plan, (start, end))? {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    fn newest_in(
        &self,
        plan: &mut Plan<'_>,
        span: (i64, i64),
    ) -> Result<Option<State>, HistorianError> {
        plan.add(0, span)?;
        let ops = std::mem::take(&mut plan.ops);
        for (_, op) in ops.iter().rev() {
            match op {
                Op::Known(partial) => return Ok(Some(partial.last_state())),
                Op::Read { from, to, .. } => {
                    let mut scan = self.scan(&self.view, plan.tag, (*from, *to))?;
                    let (mut newest, mut seen) = (None, 0);
                    while let Some(row) = scan.next()? {
                        seen += 1;
                        self.caller.look(seen)?;
                        newest = Some(row);
                    }
                    if let Some(row) = newest {
                        return Ok(Some(State::of_row(&row)));
                    }
                }
            }
        }
        Ok(None)
    }
}

impl Sources {
    /// The blocks that may have samples of a tag on a day.
    pub(super) fn of(&self, day: i64, tag: u32) -> impl Iterator<Item = &Source> {
        let day = i32::try_from(day).ok().and_then(|day| self.days.get(&day));
        let sources = day.into_iter().flatten().filter_map(|place| self.all.get(*place));
        sources.filter(move |source| source.has_tag(tag))
    }

    /// The days before one, the newest first.
    pub(super) fn days_before(&self, day: i64) -> impl Iterator<Item = i64> {
        let day = i32::try_from(day).unwrap_or(i32::MIN);
        self.days.range(..day).rev().map(|(day, _)| i64::from(*day))
    }
}

/// A span that holds all samples of a tenant; empty where there are none.
fn stored_span(view: &View, tenant: TenantId) -> (i64, i64) {
    let entries = view.version.blocks().map(|block: &Arc<Block>| block.entry());
    let entries = entries.filter(|entry| entry.tenant == tenant);
    let mut span = (i64::MAX, i64::MIN);
    for entry in entries {
        span = (span.0.min(entry.time_min), span.1.max(entry.time_max.saturating_add(1)));
    }
    for (table, _) in view.tables() {
        let days = table.read().unwrap_or_else(PoisonError::into_inner).days(tenant);
        if let (Some(first), Some(last)) = (days.first(), days.last()) {
            let (first, last) = (i64::from(*first), i64::from(*last));
            let end = RollupLevel::Day.start(last).saturating_add(RollupLevel::Day.nanos());
            span = (span.0.min(RollupLevel::Day.start(first)), span.1.max(end));
        }
    }
    span
}

/// The span of whole days around a span.
fn days_around((from, to): (i64, i64)) -> (i64, i64) {
    let day = RollupLevel::Day;
    let last = day.index(to.saturating_sub(1));
    (day.start(day.index(from)), day.start(last).saturating_add(day.nanos()))
}

fn day_of(nanos: i64) -> i32 {
    Timestamp::from_nanos(nanos).day()
}
