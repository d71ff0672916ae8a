//! Reading everything there is, to find damage before it is needed.

use crate::core::Core;
use crate::environment::{Table, behind};
use crate::error::StoreError;
use crate::feed;
use crate::frame::Frame;
use crate::keys::Place;
use crate::snapshot::Snapshot;

/// Entries that one read looks at, so that no old page is kept in use for long.
const VERIFY_PAGE_ENTRIES: usize = 1000;

/// Damaged values that a report names; more are only counted.
const NAMED_MAX: usize = 100;

/// What there is, and what of it is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Current versions of records.
    pub records: u64,
    /// Superseded versions and deletions.
    pub versions: u64,
    /// Entries of indexes.
    pub index_entries: u64,
    /// Entries of the change feed.
    pub feed_entries: u64,
    /// How many values are damaged.
    pub damaged: u64,
    /// Which ones, the first hundred of them.
    pub names: Vec<String>,
}

pub(crate) fn verify(core: &Core) -> Result<VerifyReport, StoreError> {
    let mut report = VerifyReport::default();
    let tables = core.tables;
    report.records = walk(core, tables.records, &mut report, record)?;
    report.versions = walk(core, tables.history, &mut report, version)?;
    report.index_entries = walk(core, tables.indexes, &mut report, index_entry)?;
    report.feed_entries = walk(core, tables.feed, &mut report, feed_entry)?;
    Ok(report)
}

type Check = fn(&Snapshot<'_>, &[u8], &[u8]) -> Result<Result<(), String>, StoreError>;

/// Checks every entry of a table and tells how many there are.
fn walk(
    core: &Core,
    table: Table,
    report: &mut VerifyReport,
    check: Check,
) -> Result<u64, StoreError> {
    let (mut last, mut count, mut done) = (Vec::new(), 0, false);
    while !done {
        core.read(|snapshot| {
            for _ in 0..VERIFY_PAGE_ENTRIES {
                let Some((key, bytes)) = behind(table, snapshot.txn(), &last)? else {
                    done = true;
                    break;
                };
                count += 1;
                if let Err(name) = check(snapshot, key, bytes)? {
                    report.damaged += 1;
                    if report.names.len() < NAMED_MAX {
                        report.names.push(name);
                    }
                }
                last = key.to_vec();
            }
            Ok::<_, StoreError>(())
        })?;
    }
    Ok(count)
}

fn record(
    snapshot: &Snapshot<'_>,
    key: &[u8],
    bytes: &[u8],
) -> Result<Result<(), String>, StoreError> {
    let Some((place, part)) = Place::split(key) else { return Ok(Err(named(snapshot, key))) };
    let Ok(frame) = Frame::read(place, part, bytes) else { return Ok(Err(named(snapshot, key))) };
    for (number, value) in frame.index_values.iter() {
        let entry = place.index(number, value, part);
        let table = snapshot.core().tables.indexes;
        if table.get(snapshot.txn(), &entry).map_err(StoreError::storage("read"))?.is_none() {
            return Ok(Err(format!("{}, which an index misses", named(snapshot, key))));
        }
    }
    Ok(Ok(()))
}

fn version(
    snapshot: &Snapshot<'_>,
    key: &[u8],
    bytes: &[u8],
) -> Result<Result<(), String>, StoreError> {
    let sound = Place::split(key).is_some_and(|(place, rest)| {
        Place::split_history(rest).is_some_and(|(part, version)| {
            Frame::read(place, part, bytes).is_ok_and(|frame| frame.version == version)
        })
    });
    Ok(if sound { Ok(()) } else { Err(format!("{}, a superseded version", named(snapshot, key))) })
}

fn index_entry(
    snapshot: &Snapshot<'_>,
    key: &[u8],
    _: &[u8],
) -> Result<Result<(), String>, StoreError> {
    let damaged = || Ok(Err(format!("{}, an index entry", named(snapshot, key))));
    let Some((place, rest)) = Place::split(key) else { return damaged() };
    let Some((number, value, part)) = Place::split_index(rest) else { return damaged() };
    let table = snapshot.core().tables.records;
    let record = table.get(snapshot.txn(), &place.record(part));
    let Some(bytes) = record.map_err(StoreError::storage("read"))? else { return damaged() };
    let filed = Frame::read(place, part, bytes)
        .is_ok_and(|frame| frame.index_values.iter().any(|filed| filed == (number, value)));
    if filed { Ok(Ok(())) } else { damaged() }
}

fn feed_entry(
    _: &Snapshot<'_>,
    key: &[u8],
    bytes: &[u8],
) -> Result<Result<(), String>, StoreError> {
    Ok(feed::parse(key, bytes).map(drop).map_err(|error| error.to_string()))
}

/// A key as a person may look for it.
fn named(snapshot: &Snapshot<'_>, key: &[u8]) -> String {
    let Some((place, rest)) = Place::split(key) else { return format!("{} bytes", key.len()) };
    let collection = match snapshot.core().numbered(place.collection) {
        Some(entry) => entry.shape.name.to_owned(),
        None => format!("collection {}", place.collection),
    };
    let text: String = String::from_utf8_lossy(rest).chars().filter(|c| !c.is_control()).collect();
    format!("{text} of {collection}, tenant {}", place.tenant)
}
