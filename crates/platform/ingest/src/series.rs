//! Which tag a series is: asked once, remembered under the bytes that were sent.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use hashbrown::{DefaultHashBuilder, HashTable};
use weir_model::{DataType, TagId};

use crate::name::Series;

/// Most tags that one request makes: the first of a Telegraf with everything on has a few thousand.
pub const CREATED_MAX: usize = 10_000;

/// Longest series in bytes that is remembered; longer ones are asked for each time.
const KEY_BYTES_MAX: usize = 4096;

/// Most series that are remembered while one request is read, before the cache has them.
const FRESH_MAX: usize = 1 << 16;

/// Rows between two moments at which others may change the cache: some fifty microseconds.
const ROWS_BETWEEN_TURNS: u32 = 1024;

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

/// Looks tags up for one sender.
pub trait Lookup {
    /// The tag of a series.
    ///
    /// # Errors
    /// [`Unknown`].
    fn find(&self, series: &Series<'_>) -> Result<TagFacts, Unknown>;
}

/// The state of the documents that answers rest on; whenever an answer may change, it changes.
pub type Revision = u64;

/// Series and their tags, for senders who see the same tags. Bounded in bytes: when it is full, it
/// starts anew.
///
/// Entries lie in the order in which series came first, and so do their bytes. Who sends all series
/// again and again does so in one order: the entry behind the last one is then the right one, found by
/// comparing bytes that lie behind those just compared. Only where that fails is a table asked.
#[derive(Debug)]
pub struct SeriesCache {
    state: RwLock<Entries>,
    bytes_max: usize,
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
        Self { state: RwLock::default(), bytes_max: bytes_max.min(u32::MAX as usize) }
    }

    /// For a request that reads the documents in a state at least as new as the revision.
    pub fn at(&self, revision: Revision) -> SeriesView<'_> {
        SeriesView { cache: self, revision }
    }

    /// How many series are remembered.
    pub fn len(&self) -> usize {
        self.read().entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.read().bytes()
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, fresh: &Entries) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut last = None;
        for entry in &fresh.entries {
            if state.bytes() + KEY_BYTES_MAX + ENTRY_BYTES > self.bytes_max {
                *state = Entries::default();
                last = None;
            }
            let (series, field) = (fresh.text(entry.series()), fresh.text(entry.field()));
            let facts = TagFacts { tag: entry.tag, data_type: entry.data_type };
            last = state.put(series, field, last, facts, entry.revision);
        }
    }
}

/// Bytes of an entry and of its place in the table, which is at most half empty.
const ENTRY_BYTES: usize = size_of::<Entry>() + 2 * (size_of::<u32>() + 1);

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
    revision: Revision,
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
        revision: Revision,
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

/// The series of one request, in the order they come.
pub(crate) struct Walk<'c> {
    cache: &'c SeriesCache,
    revision: Revision,
    guard: Option<RwLockReadGuard<'c, Entries>>,
    turns: u32,
    /// The entry that is likely the next.
    next: usize,
    /// Where the series of the line begins in the cache's texts, if it is there.
    series: Option<u32>,
    fresh: Entries,
    lookup: &'c dyn Lookup,
}

impl<'c> Walk<'c> {
    pub(crate) fn new(view: &SeriesView<'c>, lookup: &'c dyn Lookup) -> Self {
        Self {
            cache: view.cache,
            revision: view.revision,
            guard: Some(view.cache.read()),
            turns: 0,
            next: 0,
            series: None,
            fresh: Entries::default(),
            lookup,
        }
    }

    /// Lets others change the cache now and then; whether a turn was given.
    pub(crate) fn turn(&mut self) -> bool {
        self.turns += 1;
        let due = self.turns >= ROWS_BETWEEN_TURNS;
        if due {
            self.turns = 0;
            // The lock is free in between, and a writer that waits comes first.
            self.guard = None;
            self.guard = Some(self.cache.read());
        }
        due
    }

    /// The tag of the line's first field if it is the expected one, and the bytes of `series field=`.
    pub(crate) fn expected_head(&mut self, line: &[u8]) -> Option<(TagFacts, usize)> {
        let entries = self.guard.as_deref()?;
        let entry = entries.entries.get(self.next)?;
        let text = entries.texts.get(entry.series as usize..)?.get(..entry.head_bytes())?;
        if !line.starts_with(text) || entry.revision != self.revision || !entry.is_head() {
            return None;
        }
        self.next += 1;
        self.series = Some(entry.series);
        Some((entry.facts(), text.len()))
    }

    /// The tag of another field of the line if it is the expected one, and the bytes of `field=`.
    pub(crate) fn expected_field(&mut self, rest: &[u8]) -> Option<(TagFacts, usize)> {
        let entries = self.guard.as_deref()?;
        let entry =
            entries.entries.get(self.next).filter(|entry| Some(entry.series) == self.series)?;
        let start = entry.field as usize;
        let text = entries.texts.get(start..start + usize::from(entry.field_bytes) + 1)?;
        if !rest.starts_with(text) || entry.revision != self.revision {
            return None;
        }
        self.next += 1;
        Some((entry.facts(), text.len()))
    }

    /// The tag of a field of a series, by the bytes of both.
    pub(crate) fn find<'t>(
        &mut self,
        series: &[u8],
        field: &[u8],
        read: impl FnOnce() -> Series<'t>,
    ) -> Result<TagFacts, Missing<'t>> {
        self.series = None;
        if let Some(entries) = self.guard.as_deref()
            && let Some(at) = entries.find(series, field)
        {
            let entry = &entries.entries[at];
            self.next = at + 1;
            self.series = Some(entry.series);
            if entry.revision == self.revision {
                return Ok(entry.facts());
            }
        }
        if let Some(at) = self.fresh.find(series, field) {
            return Ok(self.fresh.entries[at].facts());
        }
        let named = read();
        match self.lookup.find(&named) {
            Ok(facts) => {
                if series.len() + field.len() < KEY_BYTES_MAX
                    && self.fresh.entries.len() < FRESH_MAX
                {
                    let before = self.fresh.entries.len().checked_sub(1);
                    self.fresh.put(series, field, before, facts, self.revision);
                }
                Ok(facts)
            }
            Err(Unknown::Refused(detail)) => Err(Missing::Refused(detail)),
            Err(Unknown::New) => Err(Missing::New(named)),
        }
    }

    /// Gives the cache what was learned.
    pub(crate) fn finish(mut self) {
        self.guard = None;
        if !self.fresh.entries.is_empty() {
            self.cache.take(&self.fresh);
        }
    }
}

/// As [`Unknown`], with the series of which a tag may be made.
pub(crate) enum Missing<'t> {
    Refused(String),
    New(Series<'t>),
}

impl Entry {
    /// Bytes of `series field=`.
    fn head_bytes(&self) -> usize {
        usize::from(self.series_bytes) + usize::from(self.field_bytes) + 2
    }
}

#[cfg(test)]
mod tests;
