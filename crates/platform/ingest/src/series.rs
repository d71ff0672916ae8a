//! Which tag a series is: asked once, remembered under the bytes that were sent.

mod walk;

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use hashbrown::{DefaultHashBuilder, HashTable};
use weir_model::{DataType, TagId};

use crate::budget::Budget;
use crate::name::Series;
pub(crate) use walk::{Missing, Walk};

/// Most tags that one request makes: the first of a Telegraf with everything on has a few thousand.
pub const CREATED_MAX: usize = 10_000;

/// Longest series in bytes: measurement and tag set of line protocol as they are sent, all labels of
/// remote write. InfluxDB has this bound for a series' key.
pub const SERIES_BYTES_MAX: usize = 65_535;

/// Longest series in bytes that is remembered; longer ones are asked for each time.
const KEY_BYTES_MAX: usize = 4096;

/// What must be known of a tag to take its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagFacts {
    /// Its number.
    pub tag: TagId,
    /// What its values are.
    pub data_type: DataType,
}

/// Why a series has no tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// There is none, or its sender may not know of it; the text is for people.
    Refused(String),
    /// There is none, and one may be made.
    New,
}

/// A tag that is to be made for a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewTag {
    /// Its name.
    pub name: String,
    /// Its whole name where that is too long, else nothing.
    pub description: String,
    /// What its values are.
    pub data_type: DataType,
}

/// The tag that was found for a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What must be known of it.
    pub facts: TagFacts,
    /// Whether tags that are added leave this answer as it is, as far as [`Revision::settled`] stays.
    pub is_settled: bool,
}

impl From<TagFacts> for Found {
    /// An answer that may change with any tag that is added.
    fn from(facts: TagFacts) -> Self {
        Self { facts, is_settled: false }
    }
}

/// Looks tags up for one sender.
pub trait Lookup {
    /// The tag of a series.
    ///
    /// # Errors
    /// [`Unknown`].
    fn find(&self, series: &Series<'_>) -> Result<Found, Unknown>;
}

/// The state of the documents that answers rest on. Two states that share a number give the same answers
/// of that number's kind, and no number of one kind is ever one of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
    /// Changes whenever an answer may.
    pub all: u64,
    /// Changes whenever an answer that [is settled](Found::is_settled) may: while machines are connected
    /// one after the other, tags are added all the time, and the series of those that are there stay.
    pub settled: u64,
}

impl Revision {
    /// What an answer that was found in this state is remembered with.
    fn of(self, found: Found) -> u64 {
        if found.is_settled { self.settled } else { self.all }
    }

    /// Whether what is remembered with this number holds.
    #[inline]
    fn holds(self, revision: u64) -> bool {
        revision == self.settled || revision == self.all
    }
}

impl From<u64> for Revision {
    /// A state with which every answer may change.
    fn from(number: u64) -> Self {
        Self { all: number, settled: number }
    }
}

/// Series and their tags, for senders who see the same tags. Bounded in bytes: when it is full, it
/// starts anew.
///
/// Entries lie in the order in which series came first, and so do their bytes. Who sends all series
/// again and again does so in one order: the entry behind the last one is then the right one, found by
/// comparing bytes that lie behind those just compared. Only where that fails is a table asked.
#[derive(Debug)]
pub struct SeriesCache {
    state: RwLock<Entries>,
    /// Bytes that the state takes, to be read without waiting for anybody.
    bytes: AtomicUsize,
    budget: Arc<Budget>,
}

/// The cache as one request uses it.
#[derive(Debug, Clone, Copy)]
pub struct SeriesView<'c> {
    cache: &'c SeriesCache,
    revision: Revision,
}

impl SeriesCache {
    /// An empty cache of at most so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self::within(Arc::new(Budget::new(bytes_max)))
    }

    /// An empty cache of at most what is left of a budget that others share.
    pub fn within(budget: Arc<Budget>) -> Self {
        Self { state: RwLock::default(), bytes: AtomicUsize::new(0), budget }
    }

    /// For a request that reads the documents in a state at least as new as the revision.
    pub fn at(&self, revision: impl Into<Revision>) -> SeriesView<'_> {
        SeriesView { cache: self, revision: revision.into() }
    }

    /// How many series are remembered.
    pub fn len(&self) -> usize {
        self.read().entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it takes. Waits for nobody.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, fresh: &Entries) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut last = None;
        for entry in &fresh.entries {
            if !self.grows(&state) {
                *state = Entries::default();
                self.settle(0);
                last = None;
                if !self.grows(&state) {
                    return;
                }
            }
            let (series, field) = (fresh.text(entry.series()), fresh.text(entry.field()));
            let facts = TagFacts { tag: entry.tag, data_type: entry.data_type };
            last = state.put(series, field, last, facts, entry.revision);
            self.settle(state.bytes());
        }
    }

    /// Takes from the budget what one more entry may make the state grow by; false where that is too much.
    fn grows(&self, state: &Entries) -> bool {
        let more = state.growth();
        if state.texts.len() + KEY_BYTES_MAX > u32::MAX as usize || !self.budget.take(more) {
            return false;
        }
        self.bytes.fetch_add(more, Ordering::Relaxed);
        true
    }

    /// Notes what the state takes by now, and gives back what it did not need.
    fn settle(&self, bytes: usize) {
        self.budget.settle(self.bytes.swap(bytes, Ordering::Relaxed), bytes);
    }
}

impl Drop for SeriesCache {
    fn drop(&mut self) {
        self.settle(0);
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Where the series begins in `texts`.
    series: u32,
    series_bytes: u16,
    field_bytes: u16,
    /// Where the field begins; behind the series and a blank where it was the line's first.
    field: u32,
    tag: TagId,
    data_type: DataType,
    /// One number of a [`Revision`].
    revision: u64,
}

impl Entry {
    fn series(&self) -> Range<usize> {
        let start = self.series as usize;
        start..start + usize::from(self.series_bytes)
    }

    fn field(&self) -> Range<usize> {
        let start = self.field as usize;
        start..start + usize::from(self.field_bytes)
    }

    /// Whether its field lies behind its series, as it does in a line.
    fn is_head(&self) -> bool {
        self.field == self.series + u32::from(self.series_bytes) + 1
    }

    fn facts(&self) -> TagFacts {
        TagFacts { tag: self.tag, data_type: self.data_type }
    }
}

#[derive(Debug, Default)]
struct Entries {
    /// `series field=` of first fields, `field=` of others, one after the other.
    texts: Vec<u8>,
    entries: Vec<Entry>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Entries {
    fn text(&self, range: Range<usize>) -> &[u8] {
        &self.texts[range]
    }

    fn bytes(&self) -> usize {
        self.texts.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.table.capacity() * 5
    }

    /// The most bytes that one more entry adds: columns that are full double.
    fn growth(&self) -> usize {
        const FEW: usize = 64;
        let doubled = |is_full: bool, capacity: usize, least: usize| match is_full {
            true => capacity.max(least),
            false => 0,
        };
        let texts = self.texts.capacity();
        let (entries, places) = (self.entries.capacity(), self.table.capacity());
        doubled(texts - self.texts.len() < KEY_BYTES_MAX, texts, 4 * KEY_BYTES_MAX)
            + doubled(self.entries.len() == entries, entries, FEW) * size_of::<Entry>()
            // One more bucket than twice as many when the table is small.
            + doubled(self.table.len() == places, 2 * places, FEW) * 5
    }

    fn hash(&self, series: &[u8], field: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_usize(series.len());
        hasher.write(series);
        hasher.write(field);
        hasher.finish()
    }

    fn find(&self, series: &[u8], field: &[u8]) -> Option<usize> {
        let same = |at: &u32| {
            let entry = &self.entries[*at as usize];
            self.text(entry.series()) == series && self.text(entry.field()) == field
        };
        self.table.find(self.hash(series, field), same).map(|at| *at as usize)
    }

    /// Adds a series or renews it; gives its place. `before` is the place of what was put before it.
    fn put(
        &mut self,
        series: &[u8],
        field: &[u8],
        before: Option<usize>,
        facts: TagFacts,
        revision: u64,
    ) -> Option<usize> {
        let TagFacts { tag, data_type } = facts;
        if let Some(at) = self.find(series, field) {
            let entry = &mut self.entries[at];
            (entry.tag, entry.data_type, entry.revision) = (tag, data_type, revision);
            return Some(at);
        }
        let (series_bytes, field_bytes) =
            (series.len().try_into().ok()?, field.len().try_into().ok()?);
        let (at, start) = (self.entries.len(), u32::try_from(self.texts.len()).ok()?);
        let place = u32::try_from(at).ok()?;
        let neighbour = before.map(|before| self.entries[before]);
        let same = neighbour.filter(|entry| self.text(entry.series()) == series);
        let (series_at, field_at) = match same {
            Some(entry) => (entry.series, start),
            None => {
                self.texts.extend_from_slice(series);
                self.texts.push(b' ');
                (start, start + u32::from(series_bytes) + 1)
            }
        };
        self.texts.extend_from_slice(field);
        self.texts.push(b'=');
        let entry = Entry {
            series: series_at,
            series_bytes,
            field_bytes,
            field: field_at,
            tag,
            data_type,
            revision,
        };
        self.entries.push(entry);
        let hash = self.hash(series, field);
        let Self { texts, entries, table, hasher } = self;
        let rehash = |at: &u32| {
            let entry = &entries[*at as usize];
            let mut hasher = hasher.build_hasher();
            hasher.write_usize(usize::from(entry.series_bytes));
            hasher.write(&texts[entry.series()]);
            hasher.write(&texts[entry.field()]);
            hasher.finish()
        };
        table.insert_unique(hash, place, rehash);
        Some(at)
    }
}

impl Entry {
    /// Bytes of `series field=`.
    fn head_bytes(&self) -> usize {
        usize::from(self.series_bytes) + usize::from(self.field_bytes) + 2
    }
}

#[cfg(test)]
mod tests;
