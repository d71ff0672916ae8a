//! The days that a block is of: one, or those of a calendar month (UTC).

use weir_model::Timestamp;

/// Most days of a span: those of the longest month.
pub(crate) const SPAN_DAYS_MAX: u16 = 31;

/// Days that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    first: i32,
    days: u16,
}

impl Span {
    /// Some days from one on, at least one and at most [`SPAN_DAYS_MAX`].
    pub(crate) fn new(first: i32, days: u16) -> Self {
        Self { first, days: days.clamp(1, SPAN_DAYS_MAX) }
    }

    /// One day.
    pub(crate) fn day(day: i32) -> Self {
        Self::new(day, 1)
    }

    /// The month that the span begins in.
    pub(crate) fn month(self) -> Self {
        // Every time that a sample may have is of a year that the calendar has.
        let epoch = jiff::civil::Date::constant(1970, 1, 1);
        let date = epoch.saturating_add(jiff::Span::new().try_days(self.first).unwrap_or_default());
        let days = date.days_in_month().unsigned_abs();
        Self::new(self.first - i32::from(date.day()) + 1, days.into())
    }

    /// The first day, in days since the epoch.
    pub(crate) fn first(self) -> i32 {
        self.first
    }

    /// The last day.
    pub(crate) fn last(self) -> i32 {
        self.first.saturating_add(i32::from(self.days) - 1)
    }

    /// How many days.
    pub(crate) fn days(self) -> u16 {
        self.days
    }

    /// Whether it is one day.
    pub(crate) fn is_day(self) -> bool {
        self.days == 1
    }

    /// The first instant.
    pub(crate) fn start(self) -> Timestamp {
        Timestamp::start_of_day(self.first)
    }

    /// The first instant after it.
    pub(crate) fn end(self) -> Timestamp {
        Timestamp::start_of_day(self.last().saturating_add(1))
    }

    /// The date of the first day, `2026-11-23`.
    pub(crate) fn date(self) -> String {
        // RFC 3339 begins with it.
        let start = self.start().to_string();
        start.split('T').next().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests;
