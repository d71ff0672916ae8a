//! The newest values of many tags, in columns.

use weir_model::{SampleColumns, SamplePage, TagId, TenantId, Timestamp, Value, push_run};

use super::{Apart, LastValues, PAGE_TAGS, Page, Slot};
use crate::Historian;

/// Tags whose last values are read under one lock: some hundred microseconds, in which no batch is stored.
const TAGS_PER_LOCK: usize = 1 << 14;

impl Historian {
    /// The newest samples of tags, each given at most once, that have one with `from <= time < to`: in
    /// columns, in the order of the tags given. Columns that are not wanted are empty.
    pub fn last_page(
        &self,
        tenant: TenantId,
        tags: &[TagId],
        (from, to): (Timestamp, Timestamp),
        columns: SampleColumns,
    ) -> SamplePage {
        let mut page = SamplePage::default();
        page.tags.reserve(tags.len());
        if columns.times {
            page.times.reserve(tags.len());
        }
        if columns.numbers {
            page.numbers.reserve(tags.len());
            page.present.reserve(tags.len());
        }
        for some in tags.chunks(TAGS_PER_LOCK) {
            let last = self.shared().last();
            last.fill(tenant, some, (from, to), columns, &mut page);
        }
        page
    }
}

impl LastValues {
    /// Adds the newest samples of tags that have one of that time to a page.
    fn fill(
        &self,
        tenant: TenantId,
        tags: &[TagId],
        (from, to): (Timestamp, Timestamp),
        columns: SampleColumns,
        out: &mut SamplePage,
    ) {
        for tags in tags.chunk_by(|a, b| a.0 / PAGE_TAGS == b.0 / PAGE_TAGS) {
            let Some(page) = self.pages.get(&(tenant, TagId(tags[0].0 / PAGE_TAGS))) else {
                continue;
            };
            for tag in tags {
                let index = (tag.0 % PAGE_TAGS) as usize;
                if let Some(slot) = page.slots[index]
                    && from <= slot.time
                    && slot.time < to
                {
                    page.put_into(index, slot, columns, out);
                    out.tags.push((*tag, 1));
                }
            }
        }
    }
}

impl Page {
    /// Adds what is wanted of a slot's sample.
    #[inline]
    fn put_into(&self, index: usize, slot: Slot, columns: SampleColumns, out: &mut SamplePage) {
        let Slot { time, word, quality, kind, .. } = slot;
        if columns.times {
            out.times.push(time.nanos());
        }
        if columns.numbers {
            let number = kind.value(word).and_then(|value| value.as_f64());
            out.numbers.push(number.unwrap_or_default());
            out.present.push(number.is_some());
        }
        if columns.qualities {
            push_run(&mut out.qualities, quality, 1);
        }
        if columns.texts {
            let apart = self.apart.as_ref().and_then(|apart| apart[index].as_ref());
            let value = kind.value(word).or_else(|| apart.and_then(Apart::value));
            if let Some(text) = value.as_ref().and_then(Value::as_text) {
                // Each tag has one row.
                out.texts.push(out.tags.len(), &text);
            }
        }
    }
}

#[cfg(test)]
mod tests;
