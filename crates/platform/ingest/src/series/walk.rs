//! The series of one request: found in the cache where they are, asked for where not, within bounds.

use std::sync::RwLockReadGuard;

use super::{Entries, KEY_BYTES_MAX, Lookup, Revision, SeriesCache, SeriesView, TagFacts, Unknown};
use crate::name::Series;

/// Most series that are remembered while one request is read, before the cache has them.
const FRESH_MAX: usize = 1 << 16;

/// Most bytes of them: the first request of a hundred thousand series of a hundred bytes.
pub(super) const FRESH_BYTES_MAX: usize = 16 << 20;

/// Rows between two moments at which others may change the cache: some fifty microseconds.
const ROWS_BETWEEN_TURNS: u32 = 1024;

/// Bytes of a series that is asked for which count as a row: naming it takes some nanoseconds a byte.
const BYTES_PER_TURN: usize = 64;

/// Bytes of series that any request may have asked for, one that is sent again counted again.
const ASKED_BYTES_MIN: usize = 16 << 20;

/// The same for each byte of a request: lines of twenty short fields behind a long tag set need ten.
const ASKED_PER_BYTE: usize = 16;

/// The same for the largest request: a second or two of one thread.
const ASKED_BYTES_MAX: usize = 256 << 20;

/// The series of one request, in the order they come.
pub(crate) struct Walk<'c> {
    cache: &'c SeriesCache,
    revision: Revision,
    pub(super) guard: Option<RwLockReadGuard<'c, Entries>>,
    turns: u32,
    /// Bytes of series that may still be asked for; nothing once they were too many.
    asked_left: Option<usize>,
    /// The entry that is likely the next.
    next: usize,
    /// Where the series of the line begins in the cache's texts, if it is there.
    series: Option<u32>,
    fresh: Entries,
    lookup: &'c dyn Lookup,
}

impl<'c> Walk<'c> {
    /// For a request of so many bytes.
    pub(crate) fn new(view: &SeriesView<'c>, lookup: &'c dyn Lookup, request_bytes: usize) -> Self {
        let asked_left =
            ASKED_BYTES_MIN.saturating_add(request_bytes.saturating_mul(ASKED_PER_BYTE));
        Self {
            cache: view.cache,
            revision: view.revision,
            guard: Some(view.cache.read()),
            turns: 0,
            asked_left: Some(asked_left.min(ASKED_BYTES_MAX)),
            next: 0,
            series: None,
            fresh: Entries::default(),
            lookup,
        }
    }

    /// Lets others change the cache now and then; whether a turn was given.
    #[inline]
    pub(crate) fn turn(&mut self) -> bool {
        self.turns += 1;
        let due = self.turns >= ROWS_BETWEEN_TURNS;
        if due {
            self.turns = 0;
            // The lock is free in between, and a writer that waits comes first.
            self.guard = None;
            self.guard = Some(self.cache.read());
            // Another may stand there by now; whole lines are compared, fields of one are not.
            self.series = None;
        }
        due
    }

    /// Whether more was asked for than one request may.
    pub(crate) fn is_over(&self) -> bool {
        self.asked_left.is_none()
    }

    /// Bytes of what was learned.
    pub(crate) fn bytes(&self) -> usize {
        self.fresh.bytes()
    }

    /// The tag of the line's first field if it is the expected one, and the bytes of `series field=`.
    #[inline]
    pub(crate) fn expected_head(&mut self, line: &[u8]) -> Option<(TagFacts, usize)> {
        let entries = self.guard.as_deref()?;
        let entry = entries.entries.get(self.next)?;
        let text = entries.texts.get(entry.series as usize..)?.get(..entry.head_bytes())?;
        if !line.starts_with(text) || !self.revision.holds(entry.revision) || !entry.is_head() {
            return None;
        }
        self.next += 1;
        self.series = Some(entry.series);
        Some((entry.facts(), text.len()))
    }

    /// The tag of another field of the line if it is the expected one, and the bytes of `field=`.
    #[inline]
    pub(crate) fn expected_field(&mut self, rest: &[u8]) -> Option<(TagFacts, usize)> {
        let entries = self.guard.as_deref()?;
        let entry =
            entries.entries.get(self.next).filter(|entry| Some(entry.series) == self.series)?;
        let start = entry.field as usize;
        let text = entries.texts.get(start..start + usize::from(entry.field_bytes) + 1)?;
        if !rest.starts_with(text) || !self.revision.holds(entry.revision) {
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
        let bytes = series.len() + field.len();
        let is_short = bytes < KEY_BYTES_MAX;
        if is_short
            && let Some(entries) = self.guard.as_deref()
            && let Some(at) = entries.find(series, field)
        {
            let entry = &entries.entries[at];
            self.next = at + 1;
            self.series = Some(entry.series);
            if self.revision.holds(entry.revision) {
                return Ok(entry.facts());
            }
        }
        if is_short && let Some(at) = self.fresh.find(series, field) {
            return Ok(self.fresh.entries[at].facts());
        }
        self.turns = self.turns.saturating_add((bytes / BYTES_PER_TURN) as u32);
        self.asked_left = self.asked_left.and_then(|left| left.checked_sub(bytes));
        if self.is_over() {
            return Err(Missing::Refused(String::new()));
        }
        let named = read();
        match self.lookup.find(&named) {
            Ok(found) => {
                if is_short
                    && self.fresh.entries.len() < FRESH_MAX
                    && self.fresh.bytes() < FRESH_BYTES_MAX
                {
                    let before = self.fresh.entries.len().checked_sub(1);
                    let revision = self.revision.of(found);
                    self.fresh.put(series, field, before, found.facts, revision);
                }
                Ok(found.facts)
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
