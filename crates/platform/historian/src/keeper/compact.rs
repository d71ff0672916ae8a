//! What the keeper does besides writing memory to blocks: merging them, and leaving out what was
//! deleted or is no longer kept.

use std::sync::Arc;

use weir_model::TenantId;

use super::Keeper;
use super::merge::Job;
use super::plan::Plan;
use crate::HistorianError;
use crate::block::Block;
use crate::deletion::Deletion;
use crate::manifest::Version;
use crate::scan::View;
use crate::span::Span;

impl Keeper {
    /// Does all that is due; or, where `all` is asked for, merges all that can be.
    pub(super) fn tend(&mut self, all: bool) -> Result<(), HistorianError> {
        self.expire()?;
        self.merge_small(None);
        self.erase();
        self.merge_while(
            |plan, version| plan.settled(version).or_else(|| plan.thinned(version)),
            all,
        )?;
        self.erase();
        Ok(())
    }

    /// Merges the small blocks of every day that has too many, but those of one month.
    pub(super) fn merge_small(&mut self, but: Option<(TenantId, Span)>) {
        // It is tried again after the next flush.
        let _ = self.merge_while(|plan, version| plan.small(version, but), false);
    }

    /// Merges as long as there is something to merge.
    fn merge_while(
        &mut self,
        next: impl Fn(&Plan<'_>, &Version) -> Option<Job>,
        all: bool,
    ) -> Result<(), HistorianError> {
        let shared = Arc::clone(&self.shared);
        loop {
            let (retention, now) = (shared.retention(), shared.options.clock.now());
            let plan = Plan { now, options: &shared.options, retention: &retention, all };
            let Some(job) = next(&plan, &shared.view().version) else { return Ok(()) };
            if shared.keeper.is_stopping() || job.is_long && shared.keeper.is_closing() {
                return Err(HistorianError::Closed);
            }
            if !self.merged(job)? {
                return Err(HistorianError::Closed);
            }
        }
    }

    /// Removes the blocks of which nothing is kept, all at once.
    fn expire(&mut self) -> Result<(), HistorianError> {
        let shared = Arc::clone(&self.shared);
        let (retention, now) = (shared.retention(), shared.options.clock.now());
        if retention.is_empty() {
            return Ok(());
        }
        let plan = Plan { now, options: &shared.options, retention: &retention, all: false };
        let expired = plan.expired(&shared.view().version);
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
    fn erase(&mut self) {
        loop {
            let view = self.shared.view();
            if view.deletions.is_empty() {
                return;
            }
            let has_deleted = |block: &&Arc<Block>| {
                !block.is_damaged() && view.deletions.iter().any(|one| block.may_have(one))
            };
            let Some(block) = view.version.blocks().find(has_deleted) else { break };
            let (tenant, span) = (block.entry().tenant, block.entry().span());
            let keep = block.entry().keep;
            let job = Job { tenant, span, inputs: vec![Arc::clone(block)], keep, is_long: false };
            drop(view);
            if !matches!(self.merged(job), Ok(true)) {
                return;
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
            return;
        }
        let mut view = self.shared.view_mut();
        let open = view.deletions.iter().filter(|deletion| is_open(&view, deletion));
        let open = open.copied().collect();
        view.deletions = Arc::new(open);
    }

    /// Merges blocks; gives false where it was interrupted.
    fn merged(&mut self, job: Job) -> Result<bool, HistorianError> {
        match self.merge(job) {
            // Its block is marked and chosen no more; the others can still be merged.
            Err(HistorianError::Corrupt { .. }) => Ok(true),
            merged => merged.inspect_err(|error| {
                tracing::warn!(%error, "blocks could not be merged");
            }),
        }
    }
}
