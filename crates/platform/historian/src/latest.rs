//! The newest sample before a time, and deleting what is newer.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use tokio::sync::oneshot;
use weir_model::{Sample, TagId, TenantId, Timestamp};

use crate::deletion::{DELETIONS_MAX, Deletion, Entry};
use crate::log::record;
use crate::queue::Job;
use crate::scan::Scan;
use crate::shared::Shared;
use crate::{AppendError, Appended, Historian, HistorianError};

/// Bytes of memory that a deletion on its way to the log is counted as.
const DELETION_BYTES: usize = 1024;

impl Historian {
    /// The newest sample of a tag with `time < before`: what held then.
    ///
    /// # Errors
    /// As [`Historian::range`].
    pub async fn latest_before(
        &self,
        tenant: TenantId,
        tag: TagId,
        before: Timestamp,
    ) -> Result<Option<Sample>, HistorianError> {
        self.read(move |shared, caller| {
            for day in days_with(shared, (tenant, tag), before).into_iter().rev() {
                let span = (Timestamp::start_of_day(day), end_of_day(day).min(before));
                let mut scan = Scan::new(&shared.view(), &shared.blocks, (tenant, tag), span)?;
                let (mut latest, mut rows) = (None, 0);
                while let Some(row) = scan.next()? {
                    rows += 1;
                    caller.look(rows)?;
                    latest = Some(row);
                }
                if latest.is_some() {
                    return Ok(latest.map(Sample::from));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Deletes the samples of a tag with `from <= time < to` that are stored by now. They are in no
    /// answer from here on, and in no file once its day was merged. Samples of that time that are
    /// stored later count as any. `now` is when it was asked for.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn delete(
        &self,
        tenant: TenantId,
        tag: TagId,
        (from, to): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        let shared = self.shared();
        if shared.view().deletions.len() >= DELETIONS_MAX {
            return Err(AppendError::TooManyDeletions { deletions_max: DELETIONS_MAX });
        }
        let is_deleted = |sample: &Sample| from <= sample.time && sample.time < to;
        let latest = match self.last(tenant, tag).filter(is_deleted) {
            None => None,
            Some(_) => match self.latest_before(tenant, tag, from).await {
                Ok(latest) => latest,
                // What is damaged is not known; that need not keep the rest from being deleted.
                Err(HistorianError::Corrupt { .. }) => None,
                Err(error) => return Err(AppendError::Unavailable { reason: error.to_string() }),
            },
        };
        let (from, to) = (from.nanos(), to.nanos());
        let deletion = Deletion { tenant, tag: tag.0, from, to, position: 0 };
        let mut payload = Vec::new();
        record::encode_deletion(&deletion, latest.as_ref(), now, &mut payload);
        let room = shared.queue.room(payload.len() + DELETION_BYTES).await?;
        let (done, stored) = oneshot::channel();
        let entry = Entry::Deletion(deletion, latest);
        shared.queue.push(Job { entry, payload, done, room })?;
        stored.await.unwrap_or(Err(AppendError::Closed))
    }
}

/// The days up to a time on which there may be samples of a tag.
fn days_with(
    shared: &Shared,
    (tenant, tag): (TenantId, TagId),
    before: Timestamp,
) -> BTreeSet<i32> {
    let view = shared.view();
    let mut days: BTreeSet<i32> = BTreeSet::new();
    let frozen = view.frozen.as_ref().map(|(table, _)| table);
    for table in [Some(&view.active), frozen].into_iter().flatten() {
        days.extend(table.read().unwrap_or_else(PoisonError::into_inner).days(tenant));
    }
    for (day, blocks) in view.version.days(tenant, i32::MIN, before.day()) {
        if blocks.iter().any(|block| block.overlaps(tag.0, i64::MIN, before.nanos())) {
            days.insert(day);
        }
    }
    days.split_off(&before.day().saturating_add(1));
    days
}

fn end_of_day(day: i32) -> Timestamp {
    Timestamp::start_of_day(day.saturating_add(1))
}
