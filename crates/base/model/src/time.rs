//! Time: UTC nanoseconds since 1970-01-01, written as RFC 3339 with up to nine decimals.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in UTC nanoseconds since the Unix epoch (1677-09-21 to 2262-04-11).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// A text is not an RFC 3339 instant within the range of [`Timestamp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time is written as RFC 3339 with a zone, such as 2026-11-23T08:00:00.123456789Z, between 1677-09-22 and 2262-04-11"
)]
pub struct TimestampError;

impl Timestamp {
    /// The earliest instant.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// From milliseconds since the epoch; none outside the range.
    pub fn from_millis(millis: i64) -> Option<Self> {
        millis.checked_mul(1_000_000).map(Self)
    }

    /// From what the system clock says; saturates outside the range.
    pub fn from_system(time: std::time::SystemTime) -> Self {
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => Self(i64::try_from(after.as_nanos()).unwrap_or(i64::MAX)),
            Err(before) => {
                Self(i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n))
            }
        }
    }

    /// Parses RFC 3339 (`2026-11-23T08:00:00.123456789+08:00`); the zone is required.
    ///
    /// # Errors
    /// [`TimestampError`].
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        if !is_rfc3339(text) {
            return Err(TimestampError);
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| TimestampError)?;
        i64::try_from(time.as_nanosecond()).map(Self).map_err(|_| TimestampError)
    }

    /// This instant plus nanoseconds, saturating at the ends of the range.
    pub const fn saturating_add(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Days since the epoch, rounded down: the day a sample is filed under.
    pub const fn day(self) -> i32 {
        self.0.div_euclid(NANOS_PER_DAY) as i32
    }

    /// The first instant of a day since the epoch.
    pub const fn start_of_day(day: i32) -> Self {
        Self((day as i64).saturating_mul(NANOS_PER_DAY))
    }
}

const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// The shape of RFC 3339, section 5.6: jiff's own parser also takes shapes that other programs
/// would refuse (a space for `T`, no seconds, RFC 9557 suffixes, more than nine decimals).
fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    if bytes.len() < shape.len() + 1 {
        return false;
    }
    let fits = |b: &u8, s: &u8| match s {
        b'd' => b.is_ascii_digit(),
        b'T' => matches!(b, b'T' | b't'),
        other => b == other,
    };
    let (head, mut rest) = bytes.split_at(shape.len());
    if !head.iter().zip(shape).all(|(b, s)| fits(b, s)) {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return false;
        }
        rest = &fraction[digits..];
    }
    match rest {
        b"Z" | b"z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()),
        _ => false,
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => time.fmt(f),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
