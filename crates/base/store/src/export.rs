//! Documents as text: lines of JSON that a person can read, compare and import again.
//!
//! ```text
//! {"weir":"documents","format":1,"position":7}
//! {"tenant":1,"collection":"tags","key":"88.100/p","version":1,"time":"…","record":{…}}
//! {"tenant":1,"collection":"tags","key":"88.100/p","version":2,"time":"…","deleted":true}
//! {"end":true,"lines":2,"position":7}
//! ```
//!
//! All kept versions of a record stand together, oldest first, the last being the current one.
//! Records that exist come first, in the order of tenant, collection (the one first served comes
//! first) and key; those that were deleted follow. A large export takes many short reads, so that it keeps no old page in use:
//! where the two positions differ, commits came in between, and each record is as it was when it
//! was read.

use std::io::Write;

use heed::RoTxn;
use serde::Serialize;
use serde_json::Value;
use weir_model::{TenantId, Timestamp};

use crate::core::Core;
use crate::environment::{FORMAT, behind};
use crate::error::StoreError;
use crate::frame::Frame;
use crate::keys::{self, Place};
use crate::snapshot::{Drawer, Snapshot};

/// What one read gathers before it is written out.
const EXPORT_PAGE_BYTES: usize = 256 << 10;

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportReport {
    /// Lines between the first and the last.
    pub lines: u64,
    /// The position when it began.
    pub position: u64,
    /// Whether no commit came in between, so that it is one consistent image.
    pub consistent: bool,
    /// Collections in the data that this program does not serve, by number. They are not in it.
    pub unknown_collections: Vec<u16>,
}

#[derive(Serialize)]
struct Header {
    weir: &'static str,
    format: u32,
    position: u64,
}

#[derive(Serialize)]
struct Footer {
    end: bool,
    lines: u64,
    position: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    tenant: TenantId,
    collection: &'static str,
    key: &'a str,
    version: u64,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
}

/// Where the next read goes on.
struct Cursor {
    /// Whether records that exist are done, and those that were deleted are at hand.
    deleted: bool,
    /// The last key that was looked at, in `records` or `history`.
    key: Vec<u8>,
    /// The record behind `key` and the last of its versions that was written, where some remain.
    within: Option<(Vec<u8>, u64)>,
    done: bool,
}

pub(crate) fn export(
    core: &Core,
    tenant: Option<TenantId>,
    out: &mut dyn Write,
) -> Result<ExportReport, StoreError> {
    let start: Vec<u8> = tenant.map(|tenant| tenant.0.to_be_bytes().to_vec()).unwrap_or_default();
    let position = core.read(|snapshot| snapshot.position())?;
    let mut report = ExportReport { position, ..ExportReport::default() };
    let mut page = Vec::new();
    push(&mut page, &Header { weir: "documents", format: FORMAT, position })?;
    let mut cursor = Cursor { deleted: false, key: start.clone(), within: None, done: false };
    while !cursor.done {
        core.read(|snapshot| gather(snapshot, &start, &mut cursor, &mut page, &mut report))?;
        write_out(out, &mut page)?;
    }
    let position = core.read(|snapshot| snapshot.position())?;
    report.consistent = position == report.position;
    push(&mut page, &Footer { end: true, lines: report.lines, position })?;
    write_out(out, &mut page)?;
    out.flush().map_err(StoreError::io("write the export to", "its output"))?;
    Ok(report)
}

fn push(page: &mut Vec<u8>, line: &impl Serialize) -> Result<(), StoreError> {
    serde_json::to_writer(&mut *page, line)
        .map_err(|error| StoreError::encode("an export", "a line")(error.into()))?;
    page.push(b'\n');
    Ok(())
}

fn write_out(out: &mut dyn Write, page: &mut Vec<u8>) -> Result<(), StoreError> {
    out.write_all(page).map_err(StoreError::io("write the export to", "its output"))?;
    page.clear();
    Ok(())
}

/// Adds lines to the page until it is full or all is done.
fn gather(
    snapshot: &Snapshot<'_>,
    start: &[u8],
    cursor: &mut Cursor,
    page: &mut Vec<u8>,
    report: &mut ExportReport,
) -> Result<(), StoreError> {
    let tables = snapshot.core().tables;
    while page.len() < EXPORT_PAGE_BYTES {
        if cursor.within.is_some() {
            versions(snapshot, cursor, page, report)?;
            continue;
        }
        let table = if cursor.deleted { tables.history } else { tables.records };
        let next =
            behind(table, snapshot.txn(), &cursor.key)?.filter(|(key, _)| key.starts_with(start));
        let Some((key, _)) = next else {
            if cursor.deleted {
                cursor.done = true;
                return Ok(());
            }
            *cursor = Cursor { deleted: true, key: start.to_vec(), within: None, done: false };
            continue;
        };
        let Some((place, rest)) = Place::split(key) else {
            return Err(misplaced(key));
        };
        let Some(entry) = snapshot.core().numbered(place.collection) else {
            if !report.unknown_collections.contains(&place.collection) {
                report.unknown_collections.push(place.collection);
            }
            cursor.key = place.end();
            continue;
        };
        if entry.shape.secret {
            cursor.key = place.end();
            continue;
        }
        if cursor.deleted {
            let (part, _) = Place::split_history(rest).ok_or_else(|| misplaced(key))?;
            cursor.key = place.history(part, u64::MAX);
            if exists(snapshot.core(), snapshot.txn(), place, part)? {
                continue;
            }
            cursor.within = Some((place.record(part), 0));
        } else {
            cursor.key = key.to_vec();
            cursor.within = Some((key.to_vec(), 0));
        }
    }
    Ok(())
}

/// Adds the versions of one record that remain, as far as the page has room.
fn versions(
    snapshot: &Snapshot<'_>,
    cursor: &mut Cursor,
    page: &mut Vec<u8>,
    report: &mut ExportReport,
) -> Result<(), StoreError> {
    let Some((record, mut last)) = cursor.within.take() else { return Ok(()) };
    let Some((place, part)) = Place::split(&record) else { return Err(misplaced(&record)) };
    let Some(entry) = snapshot.core().numbered(place.collection) else { return Ok(()) };
    let drawer = snapshot.open(entry, place.tenant);
    let (tables, txn) = (snapshot.core().tables, snapshot.txn());
    let prefix = place.history(part, 0);
    let prefix = &prefix[..prefix.len() - size_of::<u64>()];
    while let Some((key, bytes)) = behind(tables.history, txn, &place.history(part, last))?
        && key.starts_with(prefix)
    {
        let (name, frame) = drawer.found(part, bytes)?;
        line(&drawer, &name, &frame, page, report)?;
        last = frame.version;
        if page.len() >= EXPORT_PAGE_BYTES {
            cursor.within = Some((record, last));
            return Ok(());
        }
    }
    let current = tables.records.get(txn, &record).map_err(StoreError::storage("read"))?;
    if let Some(bytes) = current {
        let (name, frame) = drawer.found(part, bytes)?;
        if frame.version > last {
            line(&drawer, &name, &frame, page, report)?;
        }
    }
    Ok(())
}

fn line(
    drawer: &Drawer<'_>,
    key: &str,
    frame: &Frame<'_>,
    page: &mut Vec<u8>,
    report: &mut ExportReport,
) -> Result<(), StoreError> {
    let shape = &drawer.entry.shape;
    let record = match frame.deletion {
        true => None,
        false => {
            let view = (shape.to_json)(&drawer.body(key, frame)?);
            let mut view = view.map_err(StoreError::decode(shape.name, key))?;
            // One order of fields whatever the record's type says, so that texts compare.
            view.sort_all_objects();
            Some(view)
        }
    };
    report.lines += 1;
    push(
        page,
        &Line {
            tenant: drawer.place.tenant,
            collection: shape.name,
            key,
            version: frame.version,
            time: frame.time,
            record,
            deleted: frame.deletion,
        },
    )
}

fn exists(core: &Core, txn: &RoTxn<'_>, place: Place, part: &[u8]) -> Result<bool, StoreError> {
    let found = core.tables.records.get(txn, &place.record(part));
    Ok(found.map_err(StoreError::storage("read"))?.is_some())
}

fn misplaced(key: &[u8]) -> StoreError {
    let what = format!(
        "a key of {} bytes{}",
        key.len(),
        if keys::is_hashed(key) { ", hashed" } else { "" }
    );
    StoreError::Corrupt { what, reason: "layout" }
}

#[cfg(test)]
mod tests;
