//! Rollups: what is known of a tag's samples of a minute, an hour or a day, without the samples.
//!
//! While a block is written, a [`RollupWriter`] sums up its rows, and the block keeps what stands
//! for many: see `docs/specs/block.md`. A rollup says what its own block holds and is never
//! corrected. Whether it is the whole truth of its time is found when it is read: where two
//! blocks, or a block and memory, have samples of a tag that interleave (late ones, corrections),
//! or where some were deleted, the samples themselves are read. Merging blocks makes new rollups
//! of the merged rows.
//!
//! What a sample is to them ([`State`]): **bad** if its quality is bad, if it has no value, or if
//! its value is a double that is not finite; else good or uncertain, as its quality says. What is
//! not bad is a **number** if it is a double, an integer, a truth value (0 or 1) or an enumeration
//! (its code): the time average of a switch is the share of time it was on. Texts and arrays are
//! counted and have their time, and nothing else.

mod build;
mod cache;
mod group;
mod partial;
mod source;
mod write;

pub(crate) use self::build::Builder;
pub(crate) use self::cache::{HourKey, RollupCache};
pub(crate) use self::group::{Directory, METADATA_KEY};
pub(crate) use self::partial::{Partial, State};
pub(crate) use self::source::{Access, Known, Source, look_in};
pub(crate) use self::write::RollupWriter;

const SECOND: i64 = 1_000_000_000;

/// What time a rollup is of, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RollupLevel {
    /// 60 s.
    Minute,
    /// 3,600 s.
    Hour,
    /// 86,400 s.
    Day,
}

impl RollupLevel {
    /// All, the finest first.
    pub(crate) const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its length in nanoseconds.
    pub const fn nanos(self) -> i64 {
        match self {
            Self::Minute => 60 * SECOND,
            Self::Hour => 3600 * SECOND,
            Self::Day => 86_400 * SECOND,
        }
    }

    /// The number, from the epoch, of the one that a time lies in.
    pub(crate) const fn index(self, time: i64) -> i64 {
        time.div_euclid(self.nanos())
    }

    /// When one begins.
    pub(crate) const fn start(self, index: i64) -> i64 {
        index.saturating_mul(self.nanos())
    }
}

/// A rollup of a tag's rows in one source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stored {
    /// The tag.
    pub(crate) tag: u32,
    /// Which minute, hour or day since the epoch.
    pub(crate) index: i64,
    /// Whether all of `partial` is known; else how many there are and the first and last time.
    pub(crate) is_whole: bool,
    /// What is known.
    pub(crate) partial: Partial,
}

impl Stored {
    /// What rollups of a level are sorted by.
    pub(crate) fn key(&self) -> (u32, i64) {
        (self.tag, self.index)
    }
}

#[cfg(test)]
mod tests;
