//! One tenant's assets and tags in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weir_model::{Grade, Identifier, Level, TagId};

use super::tag::{ByKey, ByName, ByNumber, Named, TagEntry};
use crate::{ASSET_DEPTH_MAX, Asset, Organisation};

/// What the directory keeps of an asset.
#[derive(Debug, Clone, PartialEq)]
pub struct AssetEntry {
    /// Its identifier.
    pub id: Identifier,
    /// The folded identifier of its parent.
    pub parent: Option<String>,
    /// Its level.
    pub level: Level,
    /// Its own grade.
    pub grade: Option<Grade>,
    search: Box<str>,
}

/// One tenant in memory.
#[derive(Debug, Default)]
pub struct TenantView {
    revision: u64,
    settled_revision: u64,
    organisation: Option<Organisation>,
    assets: BTreeMap<String, AssetEntry>,
    children: HashMap<String, BTreeSet<String>>,
    /// Tags in three orders, of which each has no more than a pointer to the tag: a plant has a million.
    by_key: BTreeSet<ByKey>,
    by_number: HashSet<ByNumber>,
    /// The order of a sorted list, and the way from a name to its tags.
    by_name: BTreeSet<ByName>,
}

impl TenantView {
    /// A number that no other state of this tenant has had since the program began: what was found with it
    /// may be remembered for as long as it is the same.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// As [`TenantView::revision`], but it stays when a tag is added whose name no other tag has: which tag
    /// an identifier, a number or a name has led to, that is the same then. No number is both.
    pub fn settled_revision(&self) -> u64 {
        self.settled_revision
    }

    /// Called by each change; by one that only adds a tag of a new name with `false`.
    fn renew(&mut self, settled: bool) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.revision = NEXT.fetch_add(1, Ordering::Relaxed);
        // Each state has a number of its own, also that of a tenant of which only tags are known yet.
        if settled || self.settled_revision == 0 {
            self.settled_revision = NEXT.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The organisation.
    pub fn organisation(&self) -> Option<&Organisation> {
        self.organisation.as_ref()
    }

    /// The tag of an identifier, folded as in [`Identifier::folded`].
    pub fn tag(&self, key: &str) -> Option<&Arc<TagEntry>> {
        self.by_key.get(key).map(|ByKey(tag)| tag)
    }

    /// The tag of a number.
    pub fn tag_by_number(&self, tag: TagId) -> Option<&Arc<TagEntry>> {
        self.by_number.get(&tag).map(|ByNumber(tag)| tag)
    }

    /// The tags that bear exactly this name.
    pub fn tags_by_name<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Arc<TagEntry>> {
        self.by_name_from(Bound::Included(&(name, "")), Bound::Unbounded)
            .take_while(move |tag| *tag.name == *name)
    }

    /// Tags by identifier, behind a key.
    pub fn tags_after<'a>(
        &'a self,
        after: Option<&'a str>,
    ) -> impl DoubleEndedIterator<Item = (&'a str, &'a Arc<TagEntry>)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tags = self.by_key.range::<str, _>((from, Bound::Unbounded));
        tags.map(|ByKey(tag)| (tag.key(), tag))
    }

    /// Tags by name and then identifier, behind or (descending) before a name and key.
    pub fn tags_by_name_after<'a>(
        &'a self,
        after: Option<(&str, &str)>,
        descending: bool,
    ) -> Box<dyn Iterator<Item = (&'a str, &'a Arc<TagEntry>)> + 'a> {
        let after = after.as_ref().map(|after| after as &dyn Named);
        let bound = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entry = |tag: &'a Arc<TagEntry>| (tag.key(), tag);
        if descending {
            Box::new(self.by_name_from(Bound::Unbounded, bound).rev().map(entry))
        } else {
            Box::new(self.by_name_from(bound, Bound::Unbounded).map(entry))
        }
    }

    fn by_name_from(
        &self,
        from: Bound<&dyn Named>,
        to: Bound<&dyn Named>,
    ) -> impl DoubleEndedIterator<Item = &Arc<TagEntry>> + use<'_> {
        self.by_name.range::<dyn Named, _>((from, to)).map(|ByName(tag)| tag)
    }

    /// How many tags there are.
    pub fn tag_count(&self) -> usize {
        self.by_key.len()
    }

    /// The asset of a key.
    pub fn asset(&self, key: &str) -> Option<&AssetEntry> {
        self.assets.get(key)
    }

    /// All assets by key, behind a key.
    pub fn assets_after<'a>(
        &'a self,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, &'a AssetEntry)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.assets.range::<str, _>((from, Bound::Unbounded)).map(|(k, asset)| (k.as_str(), asset))
    }

    /// The assets directly below an asset by key, behind a key.
    pub fn children_after<'a>(
        &'a self,
        parent: &str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, &'a AssetEntry)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let children = self.children.get(parent);
        let keys = children.map(|keys| keys.range::<str, _>((from, Bound::Unbounded)));
        keys.into_iter().flatten().filter_map(|key| Some((key.as_str(), self.assets.get(key)?)))
    }

    /// How many assets there are.
    pub fn asset_count(&self) -> usize {
        self.assets.len()
    }

    /// An asset and all that hangs below it, by key; empty where there is no such asset.
    pub fn subtree(&self, key: &str) -> HashSet<&str> {
        let mut found = HashSet::new();
        let mut open: Vec<&str> =
            self.assets.get_key_value(key).map(|(k, _)| k.as_str()).into_iter().collect();
        while let Some(next) = open.pop() {
            // An asset is visited once, so that even a damaged tree ends.
            if found.insert(next) {
                let children = self.children.get(next).into_iter().flatten();
                open.extend(children.map(String::as_str));
            }
        }
        found
    }

    /// An asset and what it is part of, upwards.
    pub fn ancestry<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a AssetEntry> {
        let parent = |asset: &&'a AssetEntry| self.assets.get(asset.parent.as_deref()?);
        std::iter::successors(self.assets.get(key), parent).take(ASSET_DEPTH_MAX)
    }

    /// The grade that holds for something with a grade of its own or none, on an asset or none:
    /// its own, else the nearest above it in the tree, else the organisation's, else core.
    pub fn grade(&self, own: Option<Grade>, asset: Option<&str>) -> Grade {
        if asset.is_some_and(|key| !self.assets.contains_key(key)) {
            // An asset that is not there cannot tell its grade; its things are then core.
            return own.unwrap_or_default();
        }
        let from_asset = || self.ancestry(asset?).find_map(|asset| asset.grade);
        let tenant = self.organisation.as_ref().and_then(|o| o.grade);
        Grade::inherited(own, own.or_else(from_asset), tenant)
    }

    /// The grade that holds for a tag.
    pub fn grade_of_tag(&self, tag: &TagEntry) -> Grade {
        self.grade(tag.grade, tag.asset.as_deref())
    }

    /// The grade that holds for an asset.
    pub fn grade_of_asset(&self, asset: &AssetEntry) -> Grade {
        self.grade(asset.grade, asset.parent.as_deref())
    }

    pub(super) fn set_organisation(&mut self, organisation: Organisation) {
        self.renew(true);
        self.organisation = Some(organisation);
    }

    pub(super) fn set_asset(&mut self, key: String, entry: Option<AssetEntry>) {
        self.renew(true);
        if let Some(parent) = self.assets.remove(&key).and_then(|old| old.parent)
            && let Some(siblings) = self.children.get_mut(&parent)
        {
            siblings.remove(&key);
            if siblings.is_empty() {
                self.children.remove(&parent);
            }
        }
        if let Some(entry) = entry {
            if let Some(parent) = &entry.parent {
                self.children.entry(parent.clone()).or_default().insert(key.clone());
            }
            self.assets.insert(key, entry);
        }
    }

    pub(super) fn set_tag(&mut self, key: &str, entry: Option<TagEntry>) {
        let old = self.by_key.take(key);
        let has_new_name = |new: &TagEntry| self.tags_by_name(&new.name).next().is_none();
        let is_addition = old.is_none() && entry.as_ref().is_some_and(has_new_name);
        self.renew(!is_addition);
        if let Some(ByKey(old)) = old {
            self.by_number.remove(&old.tag);
            self.by_name.remove(&ByName(old));
        }
        if let Some(entry) = entry {
            let entry = Arc::new(entry);
            self.by_number.insert(ByNumber(Arc::clone(&entry)));
            self.by_name.insert(ByName(Arc::clone(&entry)));
            self.by_key.insert(ByKey(entry));
        }
    }
}

impl AssetEntry {
    pub(super) fn of(asset: &Asset) -> Self {
        let words =
            std::iter::once(asset.name.as_str()).chain(asset.names.values().map(String::as_str));
        Self {
            id: asset.id.clone(),
            parent: asset.parent.as_ref().map(Identifier::folded),
            level: asset.level,
            grade: asset.grade,
            search: search_text(&asset.id, words),
        }
    }

    /// Whether identifier, name or a translation contains the words, given in lower case.
    pub fn matches(&self, words: &str) -> bool {
        words.split_whitespace().all(|word| self.search.contains(word))
    }
}

fn search_text<'a>(id: &Identifier, words: impl Iterator<Item = &'a str>) -> Box<str> {
    let mut text = id.as_str().to_lowercase();
    for word in words {
        text.push('\n');
        text.push_str(&word.to_lowercase());
    }
    text.into_boxed_str()
}
