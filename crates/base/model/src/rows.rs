//! Tags, assets and rollups as rows: what SQL sees of them, whoever keeps them.

use std::sync::Arc;

use crate::{DataType, Grade, TagId, Timestamp};

/// A tag as a row.
#[derive(Debug, Clone, PartialEq)]
pub struct TagRow {
    /// The identifier.
    pub id: String,
    /// The name.
    pub name: String,
    /// What it measures, for people.
    pub description: String,
    /// The unit as a UCUM code or as the plant's own text in curly brackets.
    pub unit: Option<String>,
    /// What its values are.
    pub data_type: DataType,
    /// The identifier of the asset it tells about.
    pub asset: Option<String>,
    /// The identifier of the device it is read from.
    pub device: Option<String>,
    /// The protocol it is read over; `http` where samples are sent.
    pub protocol: String,
    /// The grade that holds for it.
    pub grade: Grade,
}

/// An asset as a row.
#[derive(Debug, Clone, PartialEq)]
pub struct AssetRow {
    /// The identifier.
    pub id: String,
    /// The name.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Its level in the hierarchy of ISA-95.
    pub level: String,
    /// The identifier of what it is part of.
    pub parent: Option<String>,
    /// The grade that holds for it.
    pub grade: Grade,
}

/// How long the stretches of time are that rollups are of. They begin at multiples of it since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RollupStep {
    /// 60 s.
    Minute,
    /// 3,600 s.
    Hour,
    /// 86,400 s: a day in UTC.
    Day,
}

impl RollupStep {
    /// All of them, the shortest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// The length in nanoseconds.
    pub const fn nanos(self) -> i64 {
        match self {
            Self::Minute => 60_000_000_000,
            Self::Hour => 3_600_000_000_000,
            Self::Day => 86_400_000_000_000,
        }
    }
}

/// Rollups that are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct RollupsWanted {
    /// Of these tags, tag by tag in this order; each at most once.
    pub tags: Arc<[TagId]>,
    /// Those that begin from this time on.
    pub from: Timestamp,
    /// Those that begin before this time.
    pub to: Timestamp,
    /// Of what length.
    pub step: RollupStep,
}

/// What is known of a tag's samples in a stretch of time. Bad are those of bad quality, without a value,
/// and doubles that are not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RollupRow {
    /// The tag.
    pub tag: TagId,
    /// When the stretch begins.
    pub time: Timestamp,
    /// Samples in it.
    pub samples: u64,
    /// Samples that are not bad.
    pub count: u64,
    /// Of the numbers among these: sum, least, greatest, first and last; none where there is no number.
    pub numbers: Option<RollupNumbers>,
    /// The mean of the numbers by the time that they held; none where no number held.
    pub time_average: Option<f64>,
    /// Nanoseconds of good quality.
    pub good_ns: u64,
    /// Nanoseconds of uncertain quality.
    pub uncertain_ns: u64,
    /// Nanoseconds of bad quality, and before the tag's first sample.
    pub bad_ns: u64,
}

/// Aggregates of the numbers of a [`RollupRow`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RollupNumbers {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The first.
    pub first: f64,
    /// The last.
    pub last: f64,
}

/// The value of a parameter of an SQL statement.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlParameter {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A double.
    F64(f64),
    /// A text.
    Text(String),
    /// A time, in nanoseconds since 1970 in UTC.
    Time(i64),
}
