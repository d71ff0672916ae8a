//! What may be read: folders below the allowed roots, and the columns of a folder's newest file.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use weir_connect::{BrowseItem, BrowsePage, Discovered, ErrorKind};
use weir_model::{DataType, Timestamp, Value};

use super::folder::matches;
use super::{Plan, chunk, folder};
use crate::cell;

/// Columns of one page.
const PAGE: usize = 500;

/// Most folders that are found.
const FOLDERS_MAX: usize = 200;

/// Most entries of a folder that are counted.
const COUNTED_MAX: usize = 10_000;

/// The roots and the folders in them, those with the most CSV files first.
pub(super) fn discover(
    allowed: &[PathBuf],
    settings: &Json,
) -> Result<Vec<Discovered>, (ErrorKind, String)> {
    if allowed.is_empty() {
        let cause = "no folder may be read; add one to connect.pickup_dirs in the node's settings";
        return Err((ErrorKind::Misconfigured, cause.to_owned()));
    }
    let pattern = settings["pattern"].as_str().unwrap_or("*.csv");
    let mut folders: Vec<PathBuf> = Vec::new();
    for root in allowed {
        folders.push(root.clone());
        let entries = fs::read_dir(root).into_iter().flatten().flatten().take(COUNTED_MAX);
        folders
            .extend(entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()));
        folders.truncate(FOLDERS_MAX);
    }
    let mut counted: Vec<(usize, PathBuf)> =
        folders.into_iter().map(|folder| (count(&folder, pattern), folder)).collect();
    counted.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let found = |(files, folder): (usize, PathBuf)| {
        let mut settings = settings.clone();
        settings["folder"] = folder.display().to_string().into();
        Discovered {
            name: folder.display().to_string(),
            detail: format!("{files} files match {pattern}"),
            settings,
            certificate: None,
        }
    };
    Ok(counted.into_iter().map(found).collect())
}

fn count(folder: &Path, pattern: &str) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(COUNTED_MAX);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| matches(pattern, name)).count()
}

/// The columns of the newest file, with what stands in its last row.
pub(super) fn browse(plan: &Plan, skip: usize) -> Result<BrowsePage, (ErrorKind, String)> {
    let Some(newest) = folder::scan(plan)?.pop() else {
        return Ok(BrowsePage::default());
    };
    let failed = |error: std::io::Error| {
        (ErrorKind::Unreachable, format!("could not read {}: {error}", newest.name))
    };
    let header = chunk::header(plan, &newest.name).map_err(failed)?;
    let (_, last) = chunk::tail(plan, &newest.name, Timestamp::MIN).map_err(failed)?;
    let last = last.unwrap_or_default();
    let count = header.as_ref().map_or(last.len(), Vec::len);
    let column = |at: usize| {
        let name = header.as_ref().and_then(|names| names.get(at)).filter(|name| !name.is_empty());
        let value = last.get(at).and_then(|cell| guess(cell, plan.settings.decimal_comma));
        BrowseItem {
            at: (at + 1).to_string(),
            name: name.cloned().unwrap_or_else(|| format!("column {}", at + 1)),
            description: newest.name.clone(),
            address: Some(
                name.map_or_else(|| json!({"column": at + 1}), |name| json!({"column": name})),
            ),
            data_type: value.as_ref().map(Value::data_type),
            writable: Some(false),
            value,
            ..BrowseItem::default()
        }
    };
    let items = (skip..count).take(PAGE).map(column).collect();
    let next = (skip + PAGE < count).then(|| (skip + PAGE).to_string());
    Ok(BrowsePage { items, next })
}

/// A cell as a number where it is one, else as a text.
fn guess(text: &str, decimal_comma: bool) -> Option<Value> {
    let number = cell::value(text, DataType::F64, decimal_comma);
    number.or_else(|_| cell::value(text, DataType::Text, decimal_comma)).ok().flatten()
}
