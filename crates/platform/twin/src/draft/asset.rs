//! Creating, changing, moving and deleting assets.

use weir_model::{Identifier, Level};
use weir_store::Expect;

use super::organisation::keeps;
use super::{Draft, required};
use crate::{ASSET_DEPTH_MAX, Asset, Assets, Tags, TwinError};

/// Most children read in one step of a walk through the tree.
const CHILDREN_PAGE: usize = 1000;

/// Most assets that one move may take along: the walk that measures the subtree ends here.
const MOVED_ASSETS_MAX: usize = 100_000;

impl Draft<'_> {
    /// Adds an asset.
    ///
    /// # Errors
    /// [`TwinError::Invalid`] for a field, an unknown parent, a level that does not fit under the
    /// parent's, or a tree that would become too deep.
    pub fn create_asset(&mut self, asset: &Asset) -> Result<(), TwinError> {
        asset.check().map_err(TwinError::Invalid)?;
        self.check_place(asset, 1)?;
        self.put_asset(asset, Expect::Absent)?;
        self.shaped = true;
        Ok(())
    }

    /// Changes an asset; another parent moves it with all that hangs below.
    ///
    /// # Errors
    /// [`TwinError`]; a move under the asset's own descendant is invalid.
    pub fn update_asset(&mut self, asset: &Asset, expected: Option<u64>) -> Result<(), TwinError> {
        let key = asset.id.folded();
        let found = self.snap.get::<Assets>(self.tenant, &key)?;
        let found = required(&asset.id, found, expected)?;
        keeps(&asset.id, &found.record.id)?;
        asset.check().map_err(TwinError::Invalid)?;
        let moved = asset.parent != found.record.parent;
        let relevelled = asset.level != found.record.level;
        if relevelled {
            self.check_children(&key, asset.level)?;
        }
        if moved || relevelled {
            let height = self.height(&key)?;
            self.check_place(asset, height)?;
            self.shaped = true;
        }
        self.put_asset(asset, Expect::Version(found.version))
    }

    /// Deletes an asset that nothing hangs on.
    ///
    /// # Errors
    /// [`TwinError::InTheWay`] while it has children or tags.
    pub fn delete_asset(
        &mut self,
        id: &Identifier,
        expected: Option<u64>,
    ) -> Result<Asset, TwinError> {
        let key = id.folded();
        let found = required(id, self.snap.get::<Assets>(self.tenant, &key)?, expected)?;
        let children =
            self.snap.by_index::<Assets>(self.tenant, Assets::PARENT, &key, None, 1)?.items;
        // Names are left out: the caller may not be allowed to see what is in the way.
        if !children.is_empty() {
            return Err(TwinError::InTheWay(format!("{id} still has assets below")));
        }
        let tags = self.snap.by_index::<Tags>(self.tenant, Tags::ASSET, &key, None, 1)?.items;
        if !tags.is_empty() {
            return Err(TwinError::InTheWay(format!("{id} still has tags")));
        }
        self.commit.delete::<Assets>(&key, Expect::Version(found.version));
        self.shaped = true;
        Ok(found.record)
    }

    /// The asset of a key, as this draft leaves it.
    pub(super) fn asset(&self, key: &str) -> Result<Option<Asset>, TwinError> {
        if let Some(asset) = self.assets.get(key) {
            return Ok(Some(asset.clone()));
        }
        Ok(self.snap.get::<Assets>(self.tenant, key)?.map(|found| found.record))
    }

    fn put_asset(&mut self, asset: &Asset, expect: Expect) -> Result<(), TwinError> {
        let key = asset.id.folded();
        self.commit.put::<Assets>(&key, asset, expect);
        self.assets.insert(key, asset.clone());
        Ok(())
    }

    /// The parent exists, takes this level, is no descendant, and the tree stays within its depth
    /// with `height` levels from this asset on.
    fn check_place(&self, asset: &Asset, height: usize) -> Result<(), TwinError> {
        let invalid = |detail: String| Err(TwinError::field("/parent", detail));
        let Some(parent_id) = &asset.parent else { return Ok(()) };
        let Some(parent) = self.asset(&parent_id.folded())? else {
            return invalid(format!("there is no asset {parent_id}"));
        };
        if !asset.level.fits_under(parent.level) {
            let (child, parent) = (asset.level, parent.level);
            return invalid(format!("a {child} does not stand under a {parent} (ISA-95)"));
        }
        let mut above = Some(parent);
        let mut depth = height;
        while let Some(ancestor) = above {
            if ancestor.id == asset.id {
                return invalid("an asset is not part of its own descendant".to_owned());
            }
            depth += 1;
            if depth > ASSET_DEPTH_MAX {
                return invalid(format!("the tree has at most {ASSET_DEPTH_MAX} levels"));
            }
            above = match &ancestor.parent {
                Some(id) => self.asset(&id.folded())?,
                None => None,
            };
        }
        Ok(())
    }

    /// Every child still fits under the asset's new level.
    fn check_children(&self, key: &str, level: Level) -> Result<(), TwinError> {
        for child in self.children(key)? {
            if !child.level.fits_under(level) {
                let child = child.level;
                let detail = format!("a {child} below does not stand under a {level} (ISA-95)");
                return Err(TwinError::field("/level", detail));
            }
        }
        Ok(())
    }

    /// How many levels the subtree of an asset has, itself included.
    fn height(&self, key: &str) -> Result<usize, TwinError> {
        let mut row = vec![key.to_owned()];
        let (mut height, mut seen) = (0, 0);
        while !row.is_empty() && height <= ASSET_DEPTH_MAX {
            height += 1;
            seen += row.len();
            if seen > MOVED_ASSETS_MAX {
                let detail = format!("more than {MOVED_ASSETS_MAX} assets would move along");
                return Err(TwinError::field("/parent", detail));
            }
            let mut below = Vec::new();
            for key in &row {
                below.extend(self.children(key)?.iter().map(|child| child.id.folded()));
            }
            row = below;
        }
        Ok(height)
    }

    fn children(&self, key: &str) -> Result<Vec<Asset>, TwinError> {
        let mut children = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.snap.by_index::<Assets>(
                self.tenant,
                Assets::PARENT,
                key,
                after.as_deref(),
                CHILDREN_PAGE,
            )?;
            children.extend(page.items.into_iter().map(|child| child.record));
            after = page.next;
            if after.is_none() {
                return Ok(children);
            }
        }
    }
}
