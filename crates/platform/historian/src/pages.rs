//! Reading many tags at once, page by page: what an analysis asks for.

use std::sync::Arc;

use tokio::sync::mpsc;
use weir_model::{Samples, TagId, TenantId, Timestamp};

use crate::scan::Scan;
use crate::{Historian, HistorianError};

/// Most samples of a page.
pub const PAGE_SAMPLES_MAX: usize = 8192;

/// Bytes of texts and arrays after which a page ends.
const PAGE_HEAP_BYTES: usize = 4 << 20;

/// Pages that are read ahead of the reader.
const PAGES_AHEAD: usize = 2;

/// What [`Historian::scan`] reads, as it was stored when the scan began, and perhaps samples stored
/// since. Dropping it ends the scan.
#[derive(Debug)]
pub struct Pages {
    pages: mpsc::Receiver<Result<Samples, HistorianError>>,
}

impl Pages {
    /// The next page, which is never empty; none at the end. After an error there is no other page.
    ///
    /// # Errors
    /// [`HistorianError::Corrupt`] where a block that is needed is damaged; [`HistorianError::Io`].
    pub async fn next(&mut self) -> Option<Result<Samples, HistorianError>> {
        self.pages.recv().await
    }
}

impl Historian {
    /// The samples of several tags with `from <= time < to`: tag after tag in the order given, each
    /// in order of time. Waits while [`Options::scans_max`](crate::Options::scans_max) others read.
    ///
    /// # Errors
    /// [`HistorianError::Closed`].
    pub async fn scan(
        &self,
        tenant: TenantId,
        tags: Vec<TagId>,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Pages, HistorianError> {
        let shared = Arc::clone(self.shared());
        let place = Arc::clone(&shared.scans).acquire_owned().await;
        let place = place.map_err(|_| HistorianError::Closed)?;
        let (sender, pages) = mpsc::channel(PAGES_AHEAD);
        tokio::task::spawn_blocking(move || {
            let _place = place;
            let read = || -> Result<(), HistorianError> {
                let view = shared.view();
                let mut page = Page { sender: &sender, samples: Samples::default(), heap_bytes: 0 };
                for tag in tags {
                    let mut scan = Scan::new(&view, &shared.blocks, (tenant, tag), (from, to))?;
                    while let Some(row) = scan.next()? {
                        page.heap_bytes += row.heap_bytes();
                        page.samples.push(tag, row.into());
                        if page.is_full() && !page.send() {
                            return Ok(());
                        }
                    }
                }
                page.send();
                Ok(())
            };
            if let Err(error) = read() {
                // Whoever has gone away needs no error.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok(Pages { pages })
    }
}

/// A page that is being filled.
struct Page<'a> {
    sender: &'a mpsc::Sender<Result<Samples, HistorianError>>,
    samples: Samples,
    heap_bytes: usize,
}

impl Page<'_> {
    fn is_full(&self) -> bool {
        self.samples.len() >= PAGE_SAMPLES_MAX || self.heap_bytes >= PAGE_HEAP_BYTES
    }

    /// Sends what there is; gives false where nobody reads any more.
    fn send(&mut self) -> bool {
        if self.samples.is_empty() {
            return !self.sender.is_closed();
        }
        let capacity = self.samples.len().min(PAGE_SAMPLES_MAX);
        let full = std::mem::replace(&mut self.samples, Samples::with_capacity(capacity));
        self.heap_bytes = 0;
        self.sender.blocking_send(Ok(full)).is_ok()
    }
}
