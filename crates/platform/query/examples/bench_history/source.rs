//! All tags of the points, for SQL.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use weir_historian::Historian;
use weir_model::{
    AssetRow, RollupsWanted, SampleColumns, SamplePage, SamplesWanted, TagId, TagRow, Timestamp,
};
use weir_query::{Pages, RollupPages, Source, SourceError, Wanted};

use super::TENANT;

/// Tags numbered from 0.
pub(super) struct AllTags {
    pub(super) historian: Historian,
    pub(super) tags: u32,
}

/// A tag's identifier.
pub(super) fn identifier(tag: TagId) -> String {
    format!("bench/tag-{:07}", tag.0)
}

/// The tag that an identifier is of.
pub(super) fn number(identifier: &str) -> Option<TagId> {
    identifier.strip_prefix("bench/tag-")?.parse().ok().map(TagId)
}

impl Source for AllTags {
    fn numbers(&self, wanted: Wanted<'_>) -> Result<Vec<(TagId, String)>, SourceError> {
        let of = |ids: &BTreeSet<String>| {
            ids.iter().filter_map(|id| Some((number(id)?, id.clone()))).collect()
        };
        let all = || (0..self.tags).map(|tag| (TagId(tag), identifier(TagId(tag)))).collect();
        Ok(wanted.map_or_else(all, of))
    }

    fn tags(&self, _: Wanted<'_>) -> Result<Vec<TagRow>, SourceError> {
        Ok(Vec::new())
    }

    fn assets(&self) -> Result<Vec<AssetRow>, SourceError> {
        Ok(Vec::new())
    }

    fn last(
        &self,
        tags: &[TagId],
        span: (Timestamp, Timestamp),
        columns: SampleColumns,
    ) -> Result<SamplePage, SourceError> {
        Ok(self.historian.last_page(TENANT, tags, span, columns))
    }

    fn rollups(&self, _: RollupsWanted) -> RollupPages {
        stream::empty().boxed()
    }

    fn samples(&self, wanted: SamplesWanted) -> Pages {
        let reading = self.historian.bulk(TENANT, wanted);
        let pages = stream::try_unfold(reading, |mut reading| async move {
            let page = reading.next().await?;
            Ok::<_, SourceError>(page.map(|page| (page, reading)))
        });
        pages.boxed()
    }
}
