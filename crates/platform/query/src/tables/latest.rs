//! The newest sample of each tag, as pages like those of all samples: the table `last_values`.

use std::sync::Arc;

use futures::{StreamExt, stream};
use weir_model::{SampleColumns, SamplePage, SamplesWanted, Severities};

use crate::source::{Pages, Source, SourceError};

/// Tags of one page.
const PAGE_TAGS: usize = 4096;

/// The newest samples of the tags wanted, as far as they are wanted themselves.
pub(super) fn pages(source: Arc<dyn Source>, wanted: SamplesWanted) -> Pages {
    let starts = (0..wanted.tags.len()).step_by(PAGE_TAGS);
    let pages = stream::iter(starts).map(move |from| page(&*source, &wanted, from));
    let is_page = |page: &Result<SamplePage, _>| {
        std::future::ready(page.as_ref().map_or(true, |page| !page.is_empty()))
    };
    pages.filter(is_page).boxed()
}

/// Those of the tags from one on.
fn page(
    source: &dyn Source,
    wanted: &SamplesWanted,
    from: usize,
) -> Result<SamplePage, SourceError> {
    let tags = &wanted.tags[from..wanted.tags.len().min(from + PAGE_TAGS)];
    // What is compared is needed, whether it is asked for or not.
    let columns = SampleColumns {
        numbers: wanted.columns.numbers || wanted.numbers.is_some(),
        qualities: wanted.columns.qualities || wanted.severities != Severities::ALL,
        ..wanted.columns
    };
    let mut page = source.last(tags, (wanted.from, wanted.to), columns)?;
    if let Some(passed) = page.passed(wanted.numbers, wanted.severities) {
        page.retain(&passed);
    }
    page.restrict(wanted.columns);
    Ok(page)
}
