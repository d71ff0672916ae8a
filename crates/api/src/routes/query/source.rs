//! What the caller may see, as SQL reads it.

mod rollups;

use std::collections::BTreeSet;
use std::fmt;

use futures::{StreamExt, stream};
use weir_access::Action;
use weir_model::{
    AssetRow, Identifier, RollupsWanted, SampleColumns, SamplePage, SamplesWanted, TagId, TagRow,
    Timestamp,
};
use weir_store::Collection;
use weir_twin::{Assets, TagEntry, Tags, TenantView};

use crate::door::Visit;
use crate::failure::Failure;
use crate::query::{QuerySource, QuerySourceError, RollupPages, SamplePages};
use crate::routes::tags;

/// The protocol of tags that are not read from a device.
const HTTP: &str = "http";

/// Entries that are read under one lock of the directory or one snapshot of the store.
const PAGE: usize = 1000;

/// What a caller may see.
pub(in crate::routes) struct Seen(Visit);

impl Seen {
    pub(in crate::routes) fn by(visit: Visit) -> Self {
        Self(visit)
    }
}

/// A failure on its way through the engine.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Failure);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.problem.detail)
    }
}

impl std::error::Error for Refused {}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl Seen {
    /// Something of each tag that is wanted and that the caller may see.
    fn each_tag<T>(
        &self,
        wanted: Option<&BTreeSet<String>>,
        mut of: impl FnMut(&TenantView, &TagEntry) -> T,
    ) -> Result<Vec<T>, Refused> {
        let visit = &self.0;
        let sees = |view: &TenantView, tag: &TagEntry| visit.sees(view.grade_of_tag(tag));
        let mut found = Vec::new();
        if let Some(ids) = wanted {
            visit.directory(|view| {
                let tags = ids.iter().filter_map(|id| {
                    let tag = view.tag(&id.to_ascii_lowercase())?;
                    (tag.id.as_str() == id && sees(view, tag)).then_some(tag)
                });
                found.extend(tags.map(|tag| of(view, tag)));
            })?;
            return Ok(found);
        }
        let mut after: Option<String> = None;
        loop {
            let last = visit.directory(|view| {
                let page = view.tags_after(after.as_deref()).take(PAGE);
                page.inspect(|(_, tag)| {
                    if sees(view, tag) {
                        found.push(of(view, tag));
                    }
                })
                .last()
                .map(|(key, _)| key.to_owned())
            })?;
            match last {
                Some(key) => after = Some(key),
                None => return Ok(found),
            }
        }
    }

    /// The documents of keys, with what is known of each beside it.
    fn documents<C: Collection, K>(
        &self,
        keys: Vec<(String, K)>,
        mut take: impl FnMut(C::Record, K) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let (store, tenant) = (&self.0.state().store, self.0.tenant());
        let mut keys = keys.into_iter().peekable();
        while keys.peek().is_some() {
            let page: Vec<(String, K)> = keys.by_ref().take(PAGE).collect();
            let found = store.read(|snap| {
                let records = page.iter().map(|(key, _)| snap.get::<C>(tenant, key));
                records.collect::<Result<Vec<_>, _>>()
            });
            let found = found.map_err(Failure::from)?;
            for (record, (_, known)) in found.into_iter().zip(page) {
                if let Some(found) = record {
                    take(found.record, known)?;
                }
            }
        }
        Ok(())
    }

    fn tag_rows(&self, wanted: Option<&BTreeSet<String>>) -> Result<Vec<TagRow>, Refused> {
        self.0.allow(Action::TagRead)?;
        let known = |view: &TenantView, tag: &TagEntry| (tag.id.folded(), view.grade_of_tag(tag));
        let keys = self.each_tag(wanted, known)?;
        let mut rows = Vec::with_capacity(keys.len());
        self.documents::<Tags, _>(keys, |tag, grade| {
            let protocol = tag.source.as_ref().map(|source| source.protocol.clone());
            let tag = tags::redacted(&self.0, tag)?;
            rows.push(TagRow {
                id: tag.id.to_string(),
                name: tag.name,
                description: tag.description,
                unit: tag.unit.as_ref().map(ToString::to_string),
                data_type: tag.data_type,
                asset: tag.asset.as_ref().map(ToString::to_string),
                device: tag.source.as_ref().map(|source| source.device.to_string()),
                protocol: protocol.unwrap_or_else(|| HTTP.to_owned()),
                grade,
            });
            Ok(())
        })?;
        Ok(rows)
    }

    fn asset_rows(&self) -> Result<Vec<AssetRow>, Refused> {
        let visit = &self.0;
        visit.allow(Action::AssetRead)?;
        let mut keys = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let last = visit.directory(|view| {
                let page = view.assets_after(after.as_deref()).take(PAGE);
                page.inspect(|(key, asset)| {
                    let grade = view.grade_of_asset(asset);
                    if visit.sees(grade) {
                        keys.push(((*key).to_owned(), grade));
                    }
                })
                .last()
                .map(|(key, _)| key.to_owned())
            })?;
            match last {
                Some(key) => after = Some(key),
                None => break,
            }
        }
        let mut rows = Vec::with_capacity(keys.len());
        self.documents::<Assets, _>(keys, |asset, grade| {
            let parent = match asset.parent {
                Some(parent) if visit.sees_asset(&parent.folded())? => Some(parent),
                _ => None,
            };
            rows.push(AssetRow {
                id: asset.id.to_string(),
                name: asset.name,
                description: asset.description,
                level: asset.level.as_str().to_owned(),
                parent: parent.as_ref().map(Identifier::to_string),
                grade,
            });
            Ok(())
        })?;
        Ok(rows)
    }
}

impl QuerySource for Seen {
    fn numbers(
        &self,
        wanted: Option<&BTreeSet<String>>,
    ) -> Result<Vec<(TagId, String)>, QuerySourceError> {
        Ok(self.each_tag(wanted, |_, tag| (tag.tag, tag.id.to_string()))?)
    }

    fn tags(&self, wanted: Option<&BTreeSet<String>>) -> Result<Vec<TagRow>, QuerySourceError> {
        Ok(self.tag_rows(wanted)?)
    }

    fn assets(&self) -> Result<Vec<AssetRow>, QuerySourceError> {
        Ok(self.asset_rows()?)
    }

    fn last(
        &self,
        tags: &[TagId],
        span: (Timestamp, Timestamp),
        columns: SampleColumns,
    ) -> Result<SamplePage, QuerySourceError> {
        Ok(self.0.state().historian.last_page(self.0.tenant(), tags, span, columns))
    }

    fn samples(&self, wanted: SamplesWanted) -> SamplePages {
        let reading = self.0.state().historian.bulk(self.0.tenant(), wanted);
        let pages = stream::try_unfold(reading, |mut reading| async move {
            let page = reading.next().await?;
            Ok::<_, QuerySourceError>(page.map(|page| (page, reading)))
        });
        pages.boxed()
    }

    fn rollups(&self, wanted: RollupsWanted) -> RollupPages {
        rollups::pages(self.0.state().historian.clone(), self.0.tenant(), wanted)
    }
}
