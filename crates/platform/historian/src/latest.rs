//! The newest sample before a time, and deleting what is newer.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use tokio::sync::oneshot;
use weir_model::{Sample, TagId, TenantId, Timestamp};

use crate::deletion::{DELETIONS_MAX, Deletion, Entry};
use crate::historian::Caller;
use crate::log::record;
use crate::queue::Job;
use crate::row::Row;
use crate::scan::Scan;
use crate::shared::Shared;
use crate::{AppendError, Appended, Historian, HistorianError};

/// What is looked through first before the rest of a day.
const NEAR_NANOS: i64 = 600_000_000_000;

/// Bytes of memory that a deletion on its way to the log is counted as.
const DELETION_BYTES: usize = 1024;

impl Historian {
    /// The time of a tag's newest sample: what [`Historian::last`] says of it, without its value.
    pub fn last_time(&self, tenant: TenantId, tag: TagId) -> Option<Timestamp> {
        self.shared().last().time(tenant, tag)
    }

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
            let span = (Timestamp::MIN, before);
            Ok(latest(shared, caller, (tenant, tag), span, |_| true)?.map(Sample::from))
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

/// The newest sample of a tag with `from <= time < before` that is wanted.
pub(crate) fn latest(
    shared: &Shared,
    caller: &Caller,
    key: (TenantId, TagId),
    (from, before): (Timestamp, Timestamp),
    is_wanted: impl Fn(&Row) -> bool,
) -> Result<Option<Row>, HistorianError> {
    let mut rows = 0;
    let mut newest_of = |span| -> Result<Option<Row>, HistorianError> {
        let mut scan = Scan::new(&shared.view(), &shared.blocks, key, span)?;
        let mut latest = None;
        while let Some(row) = scan.next()? {
            rows += 1;
            caller.look(rows)?;
            if is_wanted(&row) {
                latest = Some(row);
            }
        }
        Ok(latest)
    };
    for day in days_with(shared, key, before).into_iter().rev() {
        let (start, end) = (Timestamp::start_of_day(day).max(from), end_of_day(day).min(before));
        if start >= end {
            continue;
        }
        // Mostly it lies just before the end, and the rest of the day need not be read.
        let near = end.saturating_add(-NEAR_NANOS).max(start);
        for span in [(near, end), (start, near)] {
            if let Some(latest) = newest_of(span)? {
                return Ok(Some(latest));
            }
        }
    }
    Ok(None)
}

/// The days up to a time on which there may be samples of a tag.
fn days_with(
    shared: &Shared,
    (tenant, tag): (TenantId, TagId),
    before: Timestamp,
) -> BTreeSet<i32> {
    let view = shared.view();
    let mut days: BTreeSet<i32> = BTreeSet::new();
    for (table, _) in view.tables() {
        days.extend(table.read().unwrap_or_else(PoisonError::into_inner).days(tenant));
    }
    for (_, blocks) in view.version.spans(tenant, i32::MIN, before.day()) {
        for block in blocks.iter().filter(|b| b.overlaps(tag.0, i64::MIN, before.nanos())) {
            let (first, last) = (block.entry().time_min, block.entry().time_max);
            let [first, last] = [first, last].map(|time| Timestamp::from_nanos(time).day());
            days.extend(first..=last);
        }
    }
    days.split_off(&before.day().saturating_add(1));
    days
}

fn end_of_day(day: i32) -> Timestamp {
    Timestamp::start_of_day(day.saturating_add(1))
}
