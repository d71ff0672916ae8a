//! The newest sample of each tag, as pages like those of all samples: the table `last_values`.

use std::sync::Arc;

use futures::{StreamExt, stream};
use weir_model::{Sample, SamplePage, SamplesWanted, TagId, Value, push_run};

use crate::source::{Pages, Source, SourceError};

/// Tags of one page.
const PAGE_TAGS: usize = 4096;

/// The newest samples of the tags wanted, as far as they are wanted themselves.
pub(super) fn pages(source: Arc<dyn Source>, wanted: SamplesWanted) -> Pages {
    let starts = (0..wanted.tags.len()).step_by(PAGE_TAGS);
    let pages = stream::iter(starts).map(move |from| {
        let tags = &wanted.tags[from..wanted.tags.len().min(from + PAGE_TAGS)];
        Ok::<_, SourceError>(page(source.last(tags)?, &wanted))
    });
    let is_page = |page: &Result<SamplePage, _>| {
        std::future::ready(page.as_ref().map_or(true, |page| !page.is_empty()))
    };
    pages.filter(is_page).boxed()
}

fn page(samples: Vec<(TagId, Sample)>, wanted: &SamplesWanted) -> SamplePage {
    let mut page = SamplePage::default();
    let within =
        |(_, sample): &(TagId, Sample)| wanted.from <= sample.time && sample.time < wanted.to;
    for (row, (tag, sample)) in samples.into_iter().filter(within).enumerate() {
        page.tags.push((tag, 1));
        page.times.push(sample.time.nanos());
        push_run(&mut page.qualities, sample.quality, 1);
        let number = sample.value.as_ref().and_then(Value::as_f64);
        page.numbers.push(number.unwrap_or_default());
        page.present.push(number.is_some());
        if let Some(text) = sample.value.as_ref().and_then(Value::as_text) {
            page.texts.push(row, &text);
        }
    }
    if let Some(passed) = page.passed(wanted.numbers, wanted.severities) {
        page.retain(&passed);
    }
    page.restrict(wanted.columns);
    page
}
