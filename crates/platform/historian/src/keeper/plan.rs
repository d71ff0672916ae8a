//! Which blocks are merged next: decisions over what a version has, without any effect.
//!
//! A day that is not over has its small blocks merged, so that they stay few. A day that is over
//! and quiet is merged into blocks that share no tag, a month that is over and quiet likewise, so
//! that a tag's month is in one file. What comes late lies beside that until it is worth rewriting
//! what is there.
//!
//! What retention leaves out is left out only of blocks that overlap no others in tags and times:
//! a row that is left out may be what replaced another one, which would be read again. Those that
//! overlap are thinned as one, or removed as one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_model::{Keep, Retention, TenantId, Timestamp};

use super::held::Held;
use super::merge::Job;
use crate::Options;
use crate::block::Block;
use crate::block::keys::Corner;
use crate::manifest::{Group, Version};
use crate::span::Span;

/// Small blocks of a day that is not over that are merged at least, so that a row is not rewritten
/// at every flush.
const MERGED_MIN: usize = 4;

/// Runs of blocks that are merged at most, because each takes memory while it is read.
pub(super) const MERGED_MAX: usize = 32;

/// Rows of a run are rewritten for the sake of others only if it has at most so many times as many
/// as they have together: each row is then rewritten a few times in all, however much comes late.
const WORTH_RATIO: u64 = 32;

/// Rows that are rewritten whatever for: a second's work.
const WORTH_ROWS: u64 = 1 << 20;

/// What decides.
pub(super) struct Plan<'a> {
    pub(super) now: Timestamp,
    /// Up to when samples grow old, at most `now`.
    pub(super) aged: Timestamp,
    /// Blocks that are left alone, as those that are damaged.
    pub(super) held: &'a Held,
    pub(super) options: &'a Options,
    /// What is kept, by tenant.
    pub(super) retention: &'a Rules,
    /// Merge what can be merged, whether it is over, quiet and worth it or not.
    pub(super) all: bool,
}

/// The rules of the tenants that have any.
pub(crate) type Rules = HashMap<TenantId, Retention>;

impl Plan<'_> {
    /// Small blocks of a day that is not over and has too many; none of the month given, whose
    /// blocks are being merged.
    pub(super) fn small(&self, version: &Version, but: Option<(TenantId, Span)>) -> Option<Job> {
        let days = version.all_spans().filter(|(_, (span, _))| span.is_day());
        let mut days = days.filter(|(tenant, (span, _))| but != Some((*tenant, span.month())));
        days.find_map(|(tenant, (span, blocks))| {
            let options = self.options;
            let blocks = self.sound(blocks.iter());
            let inputs = choose(&blocks, options.day_blocks_max, options.block_rows_max)?;
            Some(Job { tenant, span, inputs, keep: Keep::All, is_long: false })
        })
    }

    /// Blocks of a day or a month that is over.
    pub(super) fn settled(&self, version: &Version) -> Option<Job> {
        each_month(version, |tenant, month, groups| {
            let (span, inputs) = self.month(month, groups)?;
            Some(Job { tenant, span, inputs, keep: Keep::All, is_long: true })
        })
    }

    /// Blocks with samples of which retention has less kept, and all that overlap them, whether
    /// that is worth it or not; or some of those, to be one first where they are too many at once.
    pub(super) fn thinned(&self, version: &Version) -> Option<Job> {
        each_month(version, |tenant, month, groups| {
            self.retention.get(&tenant)?;
            let overlapping = overlapping(blocks_of(groups)).into_iter();
            overlapping.filter_map(|blocks| self.thin(tenant, month, &blocks)).next()
        })
    }

    /// Blocks of which nothing is kept, nor of any that overlaps them.
    pub(super) fn expired(&self, version: &Version) -> Vec<Arc<Block>> {
        let mut expired = Vec::new();
        each_month(version, |tenant, _, groups| {
            self.retention.get(&tenant)?;
            let overlapping = overlapping(blocks_of(groups)).into_iter();
            expired.extend(
                overlapping.filter(|blocks| self.keep(tenant, blocks) == Keep::Nothing).flatten(),
            );
            None::<()>
        });
        expired
    }

    /// The job that thins some blocks, which no other one overlaps.
    fn thin(&self, tenant: TenantId, month: Span, blocks: &[Arc<Block>]) -> Option<Job> {
        let keep = self.keep(tenant, blocks);
        keep.stretch_nanos()?;
        let first = blocks.first()?.entry().span();
        let is_of_one = blocks.iter().all(|block| block.entry().span() == first);
        let span = if is_of_one { first } else { month };
        let options = self.options;
        let quiet = if span.is_day() { options.day_quiet } else { options.month_quiet };
        // However often something late comes, all is rewritten once in that time only.
        let waits = |block: &Arc<Block>| {
            let entry = block.entry();
            entry.keep < keep && (self.all || self.is_old(entry.written, quiet))
        };
        if !blocks.iter().any(waits) || self.sound(blocks.iter()).len() < blocks.len() {
            return None;
        }
        let mut runs = runs(blocks);
        let mut keep = keep;
        if runs.len() > MERGED_MAX {
            runs.sort_by_cached_key(|run| rows(run));
            runs.truncate(merged_most(runs.len()));
            keep = Keep::All;
        }
        Some(Job { tenant, span, inputs: runs.concat(), keep, is_long: true })
    }

    /// Those that can be merged.
    fn sound<'b>(&self, blocks: impl Iterator<Item = &'b Arc<Block>>) -> Vec<Arc<Block>> {
        let now = Instant::now();
        let is_sound =
            |block: &&Arc<Block>| !block.is_damaged() && !self.held.has(block.entry().id, now);
        blocks.filter(is_sound).cloned().collect()
    }

    /// What is kept of the newest sample of some blocks.
    fn keep(&self, tenant: TenantId, blocks: &[Arc<Block>]) -> Keep {
        let newest = blocks.iter().map(|block| block.entry().time_max).max();
        let age = |newest| i128::from(self.aged.nanos()) - i128::from(newest);
        let rules = self.retention.get(&tenant);
        rules.zip(newest).map_or(Keep::All, |(rules, newest)| rules.keep(age(newest)))
    }

    fn month(
        &self,
        month: Span,
        groups: &[(TenantId, Group<'_>)],
    ) -> Option<(Span, Vec<Arc<Block>>)> {
        let blocks = || blocks_of(groups);
        if groups.len() == 1 && blocks().count() == 1 {
            return None;
        }
        let is_quiet = self.is_quiet(month, self.options.month_quiet, blocks());
        // Late samples that never cease make no more files of a month than of its days.
        let small = blocks().filter(|block| block.entry().rows < self.options.block_rows_max);
        let small_max = usize::from(month.days()) + self.options.day_blocks_max;
        let is_crowded = self.now > month.end() && small.count() > small_max;
        if is_quiet || is_crowded {
            let inputs = self.settle(blocks());
            if let Some(inputs) = inputs {
                return Some((month, inputs));
            }
        }
        let days = groups.iter().filter(|(_, (span, _))| span.is_day());
        days.map(|(_, group)| *group).find_map(|(span, blocks)| {
            let is_quiet = self.is_quiet(span, self.options.day_quiet, blocks.iter());
            let inputs = is_quiet.then(|| self.settle(blocks.iter()))??;
            Some((span, inputs))
        })
    }

    /// Whether a span is over, and nothing new was written of it, for so long.
    fn is_quiet<'b>(
        &self,
        span: Span,
        quiet: Duration,
        mut blocks: impl Iterator<Item = &'b Arc<Block>>,
    ) -> bool {
        let is_over = self.is_past(span.end().nanos(), quiet);
        self.all || is_over && blocks.all(|block| self.is_old(block.entry().written, quiet))
    }

    /// Whether something was written so long ago, or at a time that tells nothing because the
    /// clock has not come to it.
    fn is_old(&self, written: i64, quiet: Duration) -> bool {
        written > self.now.nanos() || self.is_past(written, quiet)
    }

    fn is_past(&self, time: i64, quiet: Duration) -> bool {
        let quiet = i64::try_from(quiet.as_nanos()).unwrap_or(i64::MAX);
        self.now.nanos().saturating_sub(time) >= quiet
    }

    /// Blocks that are to be one run: those that overlap, or neighbours that fit one block.
    fn settle<'b>(&self, blocks: impl Iterator<Item = &'b Arc<Block>>) -> Option<Vec<Arc<Block>>> {
        let parts = parts(self.sound(blocks));
        let parts = parts.into_iter().map(|part| runs(&part)).collect::<Vec<_>>();
        let overlapping = parts.iter().filter(|runs| runs.len() > 1);
        let affordable = overlapping.filter_map(|runs| self.affordable(runs.clone())).next();
        let apart = || {
            let apart = parts.split(|runs| runs.len() > 1);
            apart.map(|parts| parts.iter().flatten().flatten().cloned().collect::<Vec<_>>())
        };
        affordable.or_else(|| apart().find_map(|blocks| self.neighbours(&blocks)))
    }

    /// The runs, of those that overlap each other, that are worth merging, the smallest first.
    fn affordable(&self, mut runs: Vec<Vec<Arc<Block>>>) -> Option<Vec<Arc<Block>>> {
        runs.sort_by_cached_key(|run| rows(run));
        let most = merged_most(runs.len());
        (0..runs.len().saturating_sub(1)).find_map(|first| {
            let mut rows_before = rows(&runs[first]);
            let worth = |run: &&Vec<Arc<Block>>| {
                let is_worth = self.is_worth(rows(run), rows_before);
                rows_before += rows(run);
                is_worth
            };
            let more = runs[first + 1..].iter().take(most - 1).take_while(worth).count();
            let chosen = &runs[first..=first + more];
            (more > 0).then(|| chosen.concat())
        })
    }

    /// Blocks that follow one another and fit one block.
    fn neighbours(&self, blocks: &[Arc<Block>]) -> Option<Vec<Arc<Block>>> {
        let rows_max = self.options.block_rows_max;
        (0..blocks.len()).find_map(|first| {
            let mut sum = 0;
            let fits = |block: &&Arc<Block>| {
                sum += block.entry().rows;
                sum <= rows_max
            };
            let count = blocks[first..].iter().take_while(fits).count();
            let chosen = &blocks[first..first + count];
            let largest = chosen.iter().map(|block| block.entry().rows).max()?;
            let is_worth = self.is_worth(largest, rows(chosen) - largest);
            (count > 1 && is_worth).then(|| chosen.to_vec())
        })
    }

    fn is_worth(&self, rows: u64, for_rows: u64) -> bool {
        let is_near = rows <= for_rows.saturating_mul(WORTH_RATIO);
        self.all || is_near || rows.saturating_add(for_rows) <= WORTH_ROWS
    }
}

/// How many of so many runs are merged: as many as must be so that those that are left can be
/// merged at once.
fn merged_most(runs: usize) -> usize {
    if runs > MERGED_MAX { (runs - MERGED_MAX + 1).clamp(2, MERGED_MAX) } else { runs }
}

/// The first that is found in a tenant's month.
fn each_month<T>(
    version: &Version,
    mut find: impl FnMut(TenantId, Span, &[(TenantId, Group<'_>)]) -> Option<T>,
) -> Option<T> {
    let groups: Vec<(TenantId, Group<'_>)> = version.all_spans().collect();
    let same = |(one, (a, _)): &(TenantId, Group<'_>), (other, (b, _)): &(_, Group<'_>)| {
        one == other && a.month() == b.month()
    };
    groups.chunk_by(same).find_map(|groups| {
        let (tenant, (first, _)) = groups.first()?;
        find(*tenant, first.month(), groups)
    })
}

fn blocks_of<'a>(groups: &[(TenantId, Group<'a>)]) -> impl Iterator<Item = &'a Arc<Block>> {
    groups.iter().flat_map(|(_, (_, blocks))| *blocks)
}

/// Blocks in parts, no block of one of which overlaps one of another in both tags and times.
fn overlapping<'a>(blocks: impl Iterator<Item = &'a Arc<Block>>) -> Vec<Vec<Arc<Block>>> {
    let mut rest: Vec<Arc<Block>> = blocks.cloned().collect();
    let mut parts = Vec::new();
    while let Some(first) = rest.pop() {
        let mut part = vec![first];
        let mut at = 0;
        while let Some(block) = part.get(at).cloned() {
            part.extend(rest.extract_if(.., |other| Corner::shared(&block, other).is_some()));
            at += 1;
        }
        parts.push(part);
    }
    parts
}

fn rows(blocks: &[Arc<Block>]) -> u64 {
    blocks.iter().map(|block| block.entry().rows).sum()
}

/// Parts in order, no two of which have a tag in common, and each as small as that allows.
pub(super) fn parts(mut blocks: Vec<Arc<Block>>) -> Vec<Vec<Arc<Block>>> {
    blocks.sort_by_key(|block| block.entry().first_key());
    let mut parts: Vec<Vec<Arc<Block>>> = Vec::new();
    let mut last = None;
    for block in blocks {
        let (tag_min, tag_max) = (block.entry().tag_min, block.entry().tag_max);
        match parts.last_mut() {
            Some(part) if last >= Some(tag_min) => part.push(block),
            _ => parts.push(vec![block]),
        }
        last = last.max(Some(tag_max));
    }
    parts
}

/// The same blocks as few runs, in each of which keys only rise.
pub(super) fn runs(blocks: &[Arc<Block>]) -> Vec<Vec<Arc<Block>>> {
    let mut blocks = blocks.to_vec();
    blocks.sort_by_key(|block| block.entry().first_key());
    let mut runs: Vec<Vec<Arc<Block>>> = Vec::new();
    for block in blocks {
        let first = block.entry().first_key();
        let last = |run: &[Arc<Block>]| run.last().map(|block| block.entry().last_key());
        // The one that ends nearest, so that what was written as a run stays one.
        let free = runs.iter_mut().filter(|run| last(run) < Some(first));
        match free.max_by_key(|run| last(run)) {
            Some(run) => run.push(block),
            None => runs.push(vec![block]),
        }
    }
    runs
}

/// The smallest blocks of a day that has too many: as many as are of a kind, so that large ones
/// are rewritten seldom. None where there are not too many.
fn choose(blocks: &[Arc<Block>], blocks_max: usize, rows_max: u64) -> Option<Vec<Arc<Block>>> {
    let small = |block: &&Arc<Block>| block.entry().rows < rows_max;
    let mut small: Vec<_> = blocks.iter().filter(small).cloned().collect();
    if small.len() <= blocks_max.max(MERGED_MIN) {
        return None;
    }
    small.sort_by_key(|block| block.entry().rows);
    let (mut count, mut rows) = (0, 0);
    for block in small.iter().take(MERGED_MAX) {
        if count >= MERGED_MIN && block.entry().rows > rows || count >= 2 && rows >= rows_max {
            break;
        }
        rows += block.entry().rows;
        count += 1;
    }
    small.truncate(count);
    Some(small)
}

#[cfg(test)]
mod tests;
