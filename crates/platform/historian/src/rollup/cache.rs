//! Rollups that were read or made last, in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Partial, RollupLevel, Stored};

/// Bytes of rollups that stay in memory: a month of hours of 400 tags, or an hour of 300,000.
const BYTES_MAX: usize = 64 << 20;

/// Bytes of hours that were read from samples and stay in memory.
const HOURS_BYTES_MAX: usize = 32 << 20;

/// Bytes that an entry takes besides its rollups.
const ENTRY_BYTES: usize = 128;

/// Which rollups of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// Those of a group of its file.
    Group(usize),
    /// Those of a level, of all tags, made of its rows.
    Made(u8),
}

/// An hour of a tag that no rollups could tell, and of which blocks and deletions what is known is
/// true: a number that stands for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct HourKey {
    pub(crate) tenant: u32,
    pub(crate) tag: u32,
    pub(crate) index: i64,
    pub(crate) of: u64,
}

/// Keeps what was used last, within bounds.
#[derive(Default)]
pub(crate) struct RollupCache {
    parts: Mutex<Parts>,
    hours: Mutex<Hours>,
}

#[derive(Default)]
struct Parts {
    entries: HashMap<(u64, Part), Entry>,
    bytes: usize,
    clock: u64,
}

struct Entry {
    rows: Arc<Vec<Stored>>,
    bytes: usize,
    used: u64,
}

/// Two generations: what is asked for of the older one joins the younger one, and when that is
/// full the older one is forgotten.
#[derive(Default)]
struct Hours {
    young: HashMap<HourKey, Option<Partial>>,
    old: HashMap<HourKey, Option<Partial>>,
}

impl RollupCache {
    /// Rollups of a block.
    pub(crate) fn get(&self, block: u64, part: Part) -> Option<Arc<Vec<Stored>>> {
        let mut parts = lock(&self.parts);
        parts.clock += 1;
        let clock = parts.clock;
        let entry = parts.entries.get_mut(&(block, part))?;
        entry.used = clock;
        Some(Arc::clone(&entry.rows))
    }

    /// Keeps rollups of a block.
    pub(crate) fn put(&self, block: u64, part: Part, rows: &Arc<Vec<Stored>>) {
        let bytes = ENTRY_BYTES + rows.capacity() * size_of::<Stored>();
        if bytes > BYTES_MAX / 2 {
            return;
        }
        let mut parts = lock(&self.parts);
        parts.clock += 1;
        let entry = Entry { rows: Arc::clone(rows), bytes, used: parts.clock };
        parts.bytes += bytes;
        if let Some(before) = parts.entries.insert((block, part), entry) {
            parts.bytes -= before.bytes;
        }
        while parts.bytes > BYTES_MAX {
            let oldest = parts.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(key) = oldest.map(|(key, _)| *key) else { return };
            if let Some(entry) = parts.entries.remove(&key) {
                parts.bytes -= entry.bytes;
            }
        }
    }

    /// Rollups of a level that were made of all of a block's rows.
    pub(crate) fn made(&self, block: u64) -> Option<[Arc<Vec<Stored>>; 3]> {
        let [minutes, hours, days] =
            RollupLevel::ALL.map(|level| self.get(block, Part::Made(level as u8)));
        Some([minutes?, hours?, days?])
    }

    /// An hour that was read from samples: none where it was not, none in it where there are none.
    pub(crate) fn hour(&self, key: &HourKey) -> Option<Option<Partial>> {
        let mut hours = lock(&self.hours);
        if let Some(known) = hours.young.get(key) {
            return Some(*known);
        }
        let known = hours.old.remove(key)?;
        hours.keep(*key, known);
        Some(known)
    }

    /// Keeps an hour that was read from samples.
    pub(crate) fn keep_hour(&self, key: HourKey, known: Option<Partial>) {
        lock(&self.hours).keep(key, known);
    }
}

impl Hours {
    fn keep(&mut self, key: HourKey, known: Option<Partial>) {
        const ENTRIES_MAX: usize =
            HOURS_BYTES_MAX / 2 / (size_of::<HourKey>() + size_of::<Option<Partial>>());
        if self.young.len() >= ENTRIES_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, known);
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
