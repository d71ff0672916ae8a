//! Lists of tags: filtered and ordered in memory, read from the documents only where they are shown.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use weir_model::{Identifier, Timestamp};
use weir_twin::{TagEntry, Tags, TenantView};

use super::view::{HTTP, TagView, listed};
use crate::body::Query;
use crate::cursor;
use crate::door::Visit;
use crate::failure::Failure;
use crate::routes::{Listing, limit, words};
use crate::state::ApiState;

/// Which tags are wanted and in what order.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TagQuery {
    /// Only those whose identifier, name or description contains each of these words.
    q: Option<String>,
    /// Only those of this asset and of all below it.
    asset: Option<String>,
    /// Only those of this device.
    device: Option<String>,
    /// Only those of this protocol; `http` for tags without a device.
    protocol: Option<String>,
    /// The order: by identifier if not given, by name, or by the time of the newest sample.
    #[serde(default)]
    #[param(inline)]
    sort: Sort,
    /// Most items of the page, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// From `next` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Sort {
    #[default]
    Id,
    Name,
    #[serde(rename = "-name")]
    NameDescending,
    /// Newest sample first.
    Time,
}

impl Sort {
    /// The name of the list for its cursors: those of another order do not fit.
    const fn list(self) -> &'static str {
        match self {
            Self::Id => "tags",
            Self::Name => "tags-by-name",
            Self::NameDescending => "tags-by-name-down",
            Self::Time => "tags-by-time",
        }
    }
}

/// List tags
#[utoipa::path(
    get,
    path = "/api/v1/tags",
    operation_id = "listTags",
    tag = "tags",
    params(TagQuery),
    responses((status = 200, description = "Tags with their newest values", body = Listing<TagView>)),
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<TagQuery>,
) -> Result<Json<Listing<TagView>>, Failure> {
    let limit = limit(query.limit)?;
    let after = match &query.cursor {
        Some(cursor) => Some(cursor::decode::<2>(query.sort.list(), cursor)?),
        None => None,
    };
    let filter = Filter::of(&query)?;
    if !filter.is_about_seen_things(&visit)? {
        return Ok(Json(Listing { items: Vec::new(), next: None }));
    }
    let (found, more) =
        visit.directory(|view| page(view, &visit, &query, &filter, after, limit))?;
    let next = found
        .last()
        .filter(|_| more)
        .map(|(mark, tag)| cursor::encode(query.sort.list(), &[mark, &tag.id.folded()]));
    let documents = state.store.read(|snap| {
        let keys = found.iter().map(|(_, tag)| tag.id.folded());
        keys.filter_map(|key| snap.get::<Tags>(visit.tenant(), &key).transpose())
            .collect::<Result<Vec<_>, weir_store::StoreError>>()
    })?;
    let items = documents.into_iter().map(|found| listed(&visit, found));
    Ok(Json(Listing { items: items.collect::<Result<_, _>>()?, next }))
}

struct Filter {
    words: String,
    asset: Option<String>,
    device: Option<String>,
    protocol: Option<String>,
}

impl Filter {
    fn of(query: &TagQuery) -> Result<Self, Failure> {
        let folded = |id: &Option<String>| id.as_ref().map(|id| id.to_ascii_lowercase());
        Ok(Self {
            words: words(query.q.as_deref())?,
            asset: folded(&query.asset),
            device: folded(&query.device),
            protocol: query.protocol.clone(),
        })
    }
}

impl Filter {
    /// Whether the asset and the device that are asked for are ones that the caller may know of.
    /// What belongs to others is told of by no filter.
    fn is_about_seen_things(&self, visit: &Visit) -> Result<bool, Failure> {
        if let Some(asset) = &self.asset
            && !visit.sees_asset(asset)?
        {
            return Ok(false);
        }
        match self.device.as_deref().map(Identifier::parse) {
            None => Ok(true),
            Some(Ok(device)) => crate::routes::devices::is_seen(visit, &device),
            Some(Err(_)) => Ok(false),
        }
    }
}

/// The tags of one page, each with what its cursor needs besides the key, and whether more follow.
type Found = (Vec<(String, Arc<TagEntry>)>, bool);

fn page(
    view: &TenantView,
    visit: &Visit,
    query: &TagQuery,
    filter: &Filter,
    after: Option<[String; 2]>,
    limit: usize,
) -> Found {
    let subtree = filter.asset.as_ref().map(|asset| view.subtree(asset));
    let fits = |tag: &TagEntry| {
        subtree.as_ref().is_none_or(|tree| tag.asset.as_deref().is_some_and(|a| tree.contains(a)))
            && (filter.device.is_none() || tag.device == filter.device)
            && filter
                .protocol
                .as_deref()
                .is_none_or(|p| tag.protocol.as_deref().unwrap_or(HTTP) == p)
            && tag.matches(&filter.words)
            && visit.sees(view.grade_of_tag(tag))
    };
    let keys = after.as_ref().map(|[mark, key]| (mark.as_str(), key.as_str()));
    let mut found: Vec<(String, Arc<TagEntry>)> = match query.sort {
        Sort::Id => {
            let tags = view.tags_after(keys.map(|(_, key)| key)).filter(|(_, tag)| fits(tag));
            tags.take(limit + 1).map(|(_, tag)| (String::new(), Arc::clone(tag))).collect()
        }
        Sort::Name | Sort::NameDescending => {
            let down = matches!(query.sort, Sort::NameDescending);
            let tags = view.tags_by_name_after(keys, down).filter(|(_, tag)| fits(tag));
            tags.take(limit + 1).map(|(_, tag)| (tag.name.to_string(), Arc::clone(tag))).collect()
        }
        Sort::Time => by_time(view, visit, fits, keys, limit),
    };
    let more = found.len() > limit;
    found.truncate(limit);
    (found, more)
}

/// By the time of the newest sample, newest first and those without any last; equal times by key.
fn by_time(
    view: &TenantView,
    visit: &Visit,
    fits: impl Fn(&TagEntry) -> bool,
    after: Option<(&str, &str)>,
    limit: usize,
) -> Vec<(String, Arc<TagEntry>)> {
    let historian = &visit.state().historian;
    let time = |tag: &TagEntry| {
        historian.last_time(visit.tenant(), tag.tag).unwrap_or(Timestamp::MIN).nanos()
    };
    let after = after.map(|(mark, key)| (std::cmp::Reverse(mark.parse().unwrap_or(i64::MAX)), key));
    let mut found: Vec<_> = view
        .tags_after(None)
        .filter(|(_, tag)| fits(tag))
        .map(|(key, tag)| (std::cmp::Reverse(time(tag)), key, tag))
        .filter(|(time, key, _)| after.is_none_or(|after| (*time, *key) > after))
        .collect();
    found.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    found.truncate(limit + 1);
    found.into_iter().map(|(time, _, tag)| (time.0.to_string(), Arc::clone(tag))).collect()
}
