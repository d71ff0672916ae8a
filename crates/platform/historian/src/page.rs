//! Samples in pages that are bounded in bytes, too.

use weir_model::{Sample, TagId, TenantId, Timestamp};

use crate::historian::check_limit;
use crate::scan::Scan;
use crate::{Historian, HistorianError};

/// Bytes of texts and arrays after which a page ends: a few waveforms.
const PAGE_HEAP_BYTES: usize = 8 << 20;

/// Samples in order of time, and where those begin that follow.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The samples.
    pub samples: Vec<Sample>,
    /// The time of the next one; none at the end.
    pub next: Option<Timestamp>,
}

impl Historian {
    /// As [`Historian::range`], but where texts and arrays are many bytes, fewer samples than `limit`: one
    /// at the least, where there are any. The next page is from [`Page::next`] on.
    ///
    /// # Errors
    /// As [`Historian::range`], but for [`HistorianError::AnswerTooLarge`].
    pub async fn page(
        &self,
        tenant: TenantId,
        tag: TagId,
        (from, to): (Timestamp, Timestamp),
        limit: usize,
    ) -> Result<Page, HistorianError> {
        check_limit(limit)?;
        self.read(move |shared, caller| {
            let mut scan = Scan::new(&shared.view(), &shared.blocks, (tenant, tag), (from, to))?;
            let mut samples: Vec<Sample> = Vec::new();
            let mut heap_bytes = 0;
            while let Some(row) = scan.next()? {
                caller.look(samples.len())?;
                heap_bytes += row.heap_bytes();
                if samples.len() == limit || heap_bytes > PAGE_HEAP_BYTES && !samples.is_empty() {
                    return Ok(Page { samples, next: Some(Timestamp::from_nanos(row.time)) });
                }
                samples.push(row.into());
            }
            Ok(Page { samples, next: None })
        })
        .await
    }
}
