//! What the keeper does besides writing memory to blocks: merging them, and leaving out what was
//! deleted or is no longer kept.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use weir_model::{TenantId, Timestamp};

use super::Keeper;
use super::merge::Job;
use super::plan::Plan;
use crate::block::{Block, BlockEntry};
use crate::deletion::Deletion;
use crate::manifest::Version;
use crate::scan::View;
use crate::span::Span;
use crate::{HistorianError, MergeWait};

/// How far the clock may be ahead of the newest block for samples to grow old by it.
const AHEAD_MAX_NANOS: i64 = 86_400_000_000_000;

/// Rows of a block that closing does not wait for: a second's work.
const LONG_ROWS: u64 = 1 << 20;

impl Keeper {
    /// Does all that is due; or, where `all` is asked for, merges all that can be. What fails does
    /// not keep the rest from being done.
    ///
    /// # Errors
    /// The first failure; [`HistorianError::NoRoom`] where all was asked for and some of it waits for
    /// space; [`HistorianError::Closed`] where it was interrupted.
    pub(super) fn tend(&mut self, all: bool) -> Result<(), HistorianError> {
        let version = self.shared.view().version;
        let live: HashSet<u64> = version.blocks().map(|block| block.entry().id).collect();
        drop(version);
        self.held.retain(|block| live.contains(&block));
        if all {
            self.held.clear();
        }
        self.held.look_again();
        let expired = self.expire();
        self.merge_small(None);
        let erased = self.erase();
        let merged = self.merge_while(
            |plan, version| plan.thinned(version).or_else(|| plan.settled(version)),
            all,
        );
        let erased_more = self.erase();
        let wait = self.held.waits();
        self.shared.set_merge_wait(wait);
        let tended = expired.and(erased).and(merged).and(erased_more);
        match wait.filter(|_| all) {
            None => tended,
            Some(MergeWait { needed_bytes, free_bytes }) => {
                tended.and(Err(HistorianError::NoRoom { needed_bytes, free_bytes }))
            }
        }
    }

    /// Merges the small blocks of every day that has too many, but those of one month.
    pub(super) fn merge_small(&mut self, but: Option<(TenantId, Span)>) {
        // It is tried again after the next flush.
        let _ = self.merge_while(|plan, version| plan.small(version, but), false);
    }

    /// Merges as long as there is something to merge; what cannot be is left alone for a while.
    fn merge_while(
        &mut self,
        next: impl Fn(&Plan<'_>, &Version) -> Option<Job>,
        all: bool,
    ) -> Result<(), HistorianError> {
        let shared = Arc::clone(&self.shared);
        let (mut failure, mut last) = (Ok(()), Vec::new());
        loop {
            self.write_pending();
            let Some(job) = self.plan(all, |plan, version| next(plan, version)) else {
                return failure;
            };
            if shared.keeper.is_stopping() || job.is_long && shared.keeper.is_closing() {
                return Err(HistorianError::Closed);
            }
            let inputs: Vec<u64> = job.inputs.iter().map(|input| input.entry().id).collect();
            if inputs == last {
                tracing::error!(blocks = ?inputs, "a merge has changed nothing: it is left out");
                self.hold(&job.inputs);
                continue;
            }
            if !self.has_room(&job) {
                continue;
            }
            last = inputs;
            match self.merged(job) {
                Ok(true) => {}
                Ok(false) => return Err(HistorianError::Closed),
                Err(error) => failure = failure.and(Err(error)),
            }
        }
    }

    /// Decides something about what there is at this moment.
    fn plan<T>(&self, all: bool, decide: impl FnOnce(&Plan<'_>, &Version) -> T) -> T {
        let (retention, now) = (self.shared.retention(), self.shared.options.clock.now());
        let version = self.shared.view().version;
        // A clock that jumps ahead makes nothing old before something was written by it.
        let newest = version.blocks().map(|block| block.entry().written).max().unwrap_or_default();
        let aged = now.min(Timestamp::from_nanos(newest.saturating_add(AHEAD_MAX_NANOS)));
        let (options, held) = (&self.shared.options, &self.held);
        decide(&Plan { now, aged, held, options, retention: &retention, all }, &version)
    }

    fn hold(&mut self, blocks: &[Arc<Block>]) {
        let now = Instant::now();
        blocks.iter().for_each(|block| self.held.hold(block.entry().id, now));
    }

    /// Removes the blocks of which nothing is kept, all at once.
    fn expire(&mut self) -> Result<(), HistorianError> {
        let shared = Arc::clone(&self.shared);
        if shared.retention().is_empty() {
            return Ok(());
        }
        let expired = self.plan(false, |plan, version| plan.expired(version));
        if expired.is_empty() {
            return Ok(());
        }
        let replaced = self.replace(&expired, Vec::new());
        replaced.map_err(HistorianError::io("remove old blocks in", &shared.dir)).inspect_err(
            |error| {
                tracing::warn!(%error, "blocks that are no longer kept could not be removed");
            },
        )
    }

    /// Writes the blocks that have deleted rows without them, and forgets the deletions that are of
    /// no block any more.
    fn erase(&mut self) -> Result<(), HistorianError> {
        let mut failure = Ok(());
        loop {
            self.write_pending();
            let view = self.shared.view();
            if view.deletions.is_empty() {
                return failure;
            }
            let now = Instant::now();
            let has_deleted = |block: &&Arc<Block>| {
                !block.is_damaged()
                    && !self.held.has(block.entry().id, now)
                    && view.deletions.iter().any(|one| block.may_have(one))
            };
            let Some(block) = view.version.blocks().find(has_deleted) else { break };
            if self.shared.keeper.is_closing() {
                // The manifest has the deletions.
                return Err(HistorianError::Closed);
            }
            let BlockEntry { tenant, keep, rows, .. } = *block.entry();
            let span = block.entry().span();
            let is_long = !span.is_day() || rows > LONG_ROWS;
            let job = Job { tenant, span, inputs: vec![Arc::clone(block)], keep, is_long };
            drop(view);
            if !self.has_room(&job) {
                continue;
            }
            match self.merged(job) {
                Ok(true) => {}
                Ok(false) => return Err(HistorianError::Closed),
                Err(error) => failure = failure.and(Err(error)),
            }
        }
        let is_open = |view: &View, deletion: &Deletion| {
            view.frozen.as_ref().is_some_and(|(_, covered)| *covered < deletion.position)
                || view.version.blocks().any(|block| block.may_have(deletion))
        };
        let view = self.shared.view();
        let mut manifest = self.manifest.clone();
        manifest.deletions.retain(|deletion| is_open(&view, deletion));
        if manifest.deletions.len() < self.manifest.deletions.len()
            && let Err(error) = self.commit(manifest)
        {
            tracing::warn!(%error, "deletions that are done could not be forgotten");
            return failure;
        }
        let mut view = self.shared.view_mut();
        let open = view.deletions.iter().filter(|deletion| is_open(&view, deletion));
        let open = open.copied().collect();
        view.deletions = Arc::new(open);
        failure
    }

    /// Merges blocks; gives false where it was interrupted. Leaves alone for a while what could not
    /// be read, or all of them where something else failed.
    fn merged(&mut self, job: Job) -> Result<bool, HistorianError> {
        let inputs = job.inputs.clone();
        match self.merge(job) {
            // Its block is marked and chosen no more; the others can still be merged.
            Err(HistorianError::Corrupt { .. }) => Ok(true),
            Err(error) => {
                tracing::warn!(%error, "blocks could not be merged");
                let is_of = |block: &&Arc<Block>| match &error {
                    HistorianError::Io { path, .. } => path == block.path(),
                    _ => false,
                };
                match inputs.iter().find(is_of) {
                    Some(block) => self.hold(std::slice::from_ref(block)),
                    None => self.hold(&inputs),
                }
                Err(error)
            }
            merged => merged,
        }
    }
}
