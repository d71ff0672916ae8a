//! Which files are a historian's, and what a block's file tells without a manifest.

use std::path::{Path, PathBuf};

use weir_model::{TenantId, Timestamp};

use crate::HistorianError;
use crate::block::{self, BlockEntry, read};
use crate::span::Span;

/// The blocks' files of a folder, in order of their names.
pub(crate) fn block_files(dir: &Path) -> Result<Vec<PathBuf>, HistorianError> {
    let mut found = Vec::new();
    let mut folders = vec![block::folder(dir)];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&folder).map_err(HistorianError::io("list", &folder))? {
            let path = entry.map_err(HistorianError::io("list", &folder))?.path();
            // Folders lie three deep at most; a link is not followed.
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if place_of(&path).is_some() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whose block it is, the days that its folder is of, and its number: all of it is in the name.
fn place_of(path: &Path) -> Option<BlockEntry> {
    let mut names = path.iter().rev().filter_map(|name| name.to_str());
    let id = names.next()?.strip_prefix("block-")?.strip_suffix(".parquet")?.parse().ok()?;
    let folder = names.next()?;
    let day = |date: &str| Some(Timestamp::parse(&format!("{date}T00:00:00Z")).ok()?.day());
    let tenant = names.next()?.strip_prefix("tenant=")?.parse().ok()?;
    let entry = |span| BlockEntry::new(id, TenantId(tenant), span);
    match folder.strip_prefix("month=") {
        Some(month) => Some(entry(Span::day(day(&format!("{month}-01"))?).month())),
        None => {
            let entry = entry(Span::day(day(folder.strip_prefix("day=")?)?));
            Some(BlockEntry { days: 0, ..entry })
        }
    }
}

/// What a manifest would say of a block that no manifest names; the bounds of its rows are as wide as
/// can be.
pub(crate) fn entry_of_file(dir: &Path, path: &Path) -> Result<BlockEntry, HistorianError> {
    let misplaced = || HistorianError::corrupt(path, 0, "it does not lie where its name says");
    let blank = place_of(path).ok_or_else(misplaced)?;
    if block::path(dir, &blank) != path {
        return Err(misplaced());
    }
    let blank = BlockEntry {
        tag_min: 0,
        tag_max: u32::MAX,
        time_min: i64::MIN,
        time_max: i64::MAX,
        position_max: u64::MAX,
        ..blank
    };
    read::entry_of(path, blank)
}
