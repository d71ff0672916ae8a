//! Many tags at once, in columns: what SQL reads.
//!
//! Pages are decoded from blocks and memory as they are asked for, each on a thread that may block
//! and with a place among the reads; between two pages nothing is held but a view of what is stored.
//! The next page is decoded while the one before it is looked at. Columns that nobody asks for
//! are not decoded, pages of blocks without a number that is asked for are passed over, and rows of
//! several blocks are compared only where these are of the same tags and times.

mod memory;
mod merge;
mod rest;
mod source;

use std::collections::VecDeque;
use std::sync::PoisonError;

use tokio::task::JoinHandle;
use weir_model::{Sample, SamplePage, SamplesWanted, TagId, TenantId, Timestamp};

use crate::historian::Caller;
use crate::shared::Shared;
use crate::{Historian, HistorianError};
pub(crate) use merge::Merging;

/// Tags whose last values are read under one lock.
const LAST_TAGS: usize = 4096;

/// A reading of many tags, page by page. Dropping it ends it.
pub struct Bulk {
    historian: Historian,
    /// What was read and not asked for yet.
    ready: VecDeque<SamplePage>,
    /// How many pages are read next.
    ahead: usize,
    state: State,
}

enum State {
    /// Nothing was read yet.
    Wanted(Option<(TenantId, SamplesWanted)>),
    /// The next page is on its way.
    Reading(JoinHandle<Result<Step, HistorianError>>),
    /// There are no more pages.
    Done,
}

/// Pages, and the reading as it goes on.
struct Step {
    pages: VecDeque<SamplePage>,
    rest: Option<Box<Merging>>,
}

/// Most pages that are read in one go: the first ones alone, so that who looks at a few rows only does
/// not wait for more, and later twice as many each time, so that few go from thread to thread.
const PAGES_MAX: usize = 8;

impl Historian {
    /// Reads samples of many tags in columns, as of the moment of the first page and with what is
    /// stored later or not. Of each tag they come in order of time, each time once.
    pub fn bulk(&self, tenant: TenantId, wanted: SamplesWanted) -> Bulk {
        let state = State::Wanted(Some((tenant, wanted)));
        Bulk { historian: self.clone(), ready: VecDeque::new(), ahead: 1, state }
    }

    /// From when to when a tenant has samples, both included; none where it has none.
    pub fn stored_times(&self, tenant: TenantId) -> Option<(Timestamp, Timestamp)> {
        let view = self.shared().view();
        let of_tenant = view.version.blocks().map(|block| block.entry());
        let of_tenant = of_tenant.filter(|entry| entry.tenant == tenant);
        let blocks = of_tenant.map(|entry| (entry.time_min, entry.time_max));
        let memory = view.tables().filter_map(|(table, _)| {
            table.read().unwrap_or_else(PoisonError::into_inner).times(tenant)
        });
        let spans = blocks.chain(memory);
        let span = spans.reduce(|(a, b), (from, to)| (a.min(from), b.max(to)))?;
        Some((Timestamp::from_nanos(span.0), Timestamp::from_nanos(span.1)))
    }

    /// The newest samples of tags that have any, in the order of the tags given.
    pub fn last_of(&self, tenant: TenantId, tags: &[TagId]) -> Vec<(TagId, Sample)> {
        let mut found = Vec::with_capacity(tags.len());
        for some in tags.chunks(LAST_TAGS) {
            let last = self.shared().last();
            last.each(tenant, some, |tag, sample| found.push((tag, sample)));
        }
        found
    }
}

impl Bulk {
    /// The next page, which has at least one sample; none at the end and after an error.
    ///
    /// # Errors
    /// [`HistorianError::Corrupt`] where a block that is needed is damaged; [`HistorianError::Io`].
    pub async fn next(&mut self) -> Result<Option<SamplePage>, HistorianError> {
        loop {
            if let Some(page) = self.ready.pop_front() {
                return Ok(Some(page));
            }
            let read = match &mut self.state {
                State::Done => return Ok(None),
                State::Wanted(wanted) => {
                    let Some((tenant, wanted)) = wanted.take() else { return Ok(None) };
                    self.begin(move |shared, caller, pages| {
                        let merging = Box::new(Merging::new(shared, tenant, wanted));
                        step(merging, shared, caller, pages)
                    });
                    continue;
                }
                // Waited for where it is: whoever gives up waiting can ask again.
                State::Reading(reading) => reading.await,
            };
            self.state = State::Done;
            let Step { pages, rest } = read.unwrap_or(Err(HistorianError::Closed))?;
            self.ready = pages;
            if let Some(rest) = rest {
                self.begin(move |shared, caller, pages| step(rest, shared, caller, pages));
            }
        }
    }

    fn begin(
        &mut self,
        read: impl FnOnce(&Shared, &Caller, usize) -> Result<Step, HistorianError> + Send + 'static,
    ) {
        let (historian, pages) = (self.historian.clone(), self.ahead);
        self.ahead = (pages * 2).min(PAGES_MAX);
        let reading =
            async move { historian.read(move |shared, caller| read(shared, caller, pages)).await };
        self.state = State::Reading(tokio::spawn(reading));
    }
}

/// Reads some pages.
fn step(
    mut merging: Box<Merging>,
    shared: &Shared,
    caller: &Caller,
    pages_max: usize,
) -> Result<Step, HistorianError> {
    let mut pages = VecDeque::with_capacity(pages_max);
    for _ in 0..pages_max {
        if merging.is_done() {
            return Ok(Step { pages, rest: None });
        }
        caller.look(0)?;
        let page = merging.next(shared)?;
        if !page.is_empty() {
            pages.push_back(page);
        }
    }
    let rest = (!merging.is_done()).then_some(merging);
    Ok(Step { pages, rest })
}

impl Drop for Bulk {
    fn drop(&mut self) {
        if let State::Reading(reading) = &self.state {
            reading.abort();
        }
    }
}

impl std::fmt::Debug for Bulk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bulk").finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
