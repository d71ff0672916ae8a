//! Dates and times of day without a zone, as a CPU has them: in its own local time.

use std::fmt;

/// A date and a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    pub(crate) nanos: u32,
}

impl Civil {
    /// Whether there is such a date and time.
    pub(crate) fn is_valid(&self) -> bool {
        (1..=12).contains(&self.month)
            && (1..=days_of_month(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.nanos < 1_000_000_000
    }

    /// Reads `2026-11-26T06:30:00.123`, with up to nine decimals, or none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.trim().split_once(['T', ' '])?;
        let (year, month, day) = parse_date(date)?;
        let (hour, minute, second, nanos) = parse_time(time)?;
        Some(Self { year, month, day, hour, minute, second, nanos }).filter(Self::is_valid)
    }

    /// Days since 1970-01-01.
    pub(crate) fn days(&self) -> i64 {
        days(self.year.into(), self.month, self.day)
    }

    /// 1 for a Sunday to 7 for a Saturday.
    pub(crate) fn weekday(&self) -> u8 {
        // The first of January 1970 was a Thursday.
        (self.days() + 4).rem_euclid(7) as u8 + 1
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, .. } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// `2026-11-26`.
pub(crate) fn parse_date(text: &str) -> Option<(u16, u8, u8)> {
    let mut parts = text.trim().split('-');
    let year = digits(parts.next()?, 4)? as u16;
    let month = digits(parts.next()?, 2)? as u8;
    let day = digits(parts.next()?, 2)? as u8;
    let fits = parts.next().is_none()
        && (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day);
    fits.then_some((year, month, day))
}

/// `06:30:00.123`: hour, minute, second, nanoseconds.
pub(crate) fn parse_time(text: &str) -> Option<(u8, u8, u8, u32)> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = whole.split(':');
    let hour = digits(parts.next()?, 2)? as u8;
    let minute = digits(parts.next()?, 2)? as u8;
    let second = digits(parts.next()?, 2)? as u8;
    let length = fraction.len();
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 || length > 9 {
        return None;
    }
    let nanos = digits(fraction, length)? * 10_u32.pow(9 - length as u32);
    Some((hour, minute, second, nanos))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
pub(crate) fn days(year: i64, month: u8, day: u8) -> i64 {
    // Years are counted from March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year =
        (153 * (i64::from(month) + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a number of days since 1970-01-01.
pub(crate) fn date(days: i64) -> (i64, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * from_march + 2) / 5 + 1) as u8;
    let month = (if from_march < 10 { from_march + 3 } else { from_march - 9 }) as u8;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn days_of_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

fn digits(text: &str, length: usize) -> Option<u32> {
    let fits = text.len() == length && length > 0 && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_and_back() {
        for (days_since, expected) in [
            (0, (1970, 1, 1)),
            (7305, (1990, 1, 1)),
            (20_783, (2026, 11, 26)),
            (-1, (1969, 12, 31)),
        ] {
            assert_eq!(date(days_since), expected);
            let (year, month, day) = expected;
            assert_eq!(days(year, month, day), days_since);
        }
        for day in -800_000..800_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn texts_are_read_strictly() {
        let time = Civil::parse("2024-02-29T23:59:59.123").unwrap();
        assert_eq!((time.nanos, time.weekday()), (123_000_000, 5));
        assert_eq!(time.to_string(), "2024-02-29T23:59:59");
        for wrong in [
            "2023-02-29T00:00:00",
            "2024-02-29",
            "2024-02-29T24:00:00",
            "2024-2-9T00:00:00",
            "2024-02-29T00:00:00.1234567890",
            "2024-02-29T00:00:00.",
            "2024-02-29T00:00:00Z",
            "温度",
        ] {
            assert_eq!(Civil::parse(wrong), None, "{wrong}");
        }
    }
}
