//! Samples in InfluxDB line protocol: `measurement[,tag=value…] field=value[,…] [timestamp]`.
//!
//! A field names a tag: `value` the one whose identifier is the measurement (or, failing that,
//! whose unique name it is); another field the one whose unique name is `measurement.field`. The
//! tag set is read and left aside: in Weir what a signal belongs to stands in its document.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::str::FromStr;

use serde_json::Value as Json;
use weir_model::{ProblemCode, Timestamp};

use super::{Assembly, Named, Raw, Row, Time};
use crate::failure::Failure;

/// Most fields of one line.
const FIELDS_MAX: usize = 4096;

/// What one unit of a timestamp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Precision {
    #[default]
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
}

impl FromStr for Precision {
    type Err = Failure;

    /// The words of InfluxDB 1 and 2.
    fn from_str(text: &str) -> Result<Self, Failure> {
        match text {
            "ns" | "n" => Ok(Self::Nanoseconds),
            "us" | "u" => Ok(Self::Microseconds),
            "ms" => Ok(Self::Milliseconds),
            "s" => Ok(Self::Seconds),
            _ => Err(Failure::field(
                ProblemCode::InvalidRequest,
                "precision",
                "a precision is ns, us, ms or s",
            )),
        }
    }
}

impl Precision {
    const fn nanos(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
        }
    }
}

/// Reads a body.
pub(super) fn read(
    text: &str,
    precision: Precision,
    assembly: &mut Assembly<'_>,
) -> Result<(), Failure> {
    let mut rest = text;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let (line, behind) = split_line(rest);
        // A quoted text may hold line ends, so lines are counted in what was read.
        number += line.matches('\n').count();
        rest = behind;
        let line = line.trim_matches([' ', '\t', '\r']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |detail: &str| {
            Failure::new(ProblemCode::InvalidRequest, format!("Line {number} {detail}."))
        };
        let point = Point::parse(line, precision).map_err(wrong)?;
        for (field, value) in point.fields {
            let measurement = point.measurement.clone();
            let row = Row {
                tag: Named::Measurement { measurement, field },
                time: point.time.map_or(Time::Arrival, Time::Known),
                value: match &value {
                    Field::Json(json) => Raw::Parsed(json),
                    Field::Text(text) => Raw::Text(Cow::Borrowed(text.as_ref())),
                },
                quality: None,
            };
            if let ControlFlow::Break(()) = assembly.row(row) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// One line.
#[derive(Debug, PartialEq)]
struct Point<'t> {
    measurement: Cow<'t, str>,
    fields: Vec<(Cow<'t, str>, Field<'t>)>,
    time: Option<Timestamp>,
}

#[derive(Debug, PartialEq)]
enum Field<'t> {
    Json(Json),
    Text(Cow<'t, str>),
}

impl<'t> Point<'t> {
    fn parse(line: &'t str, precision: Precision) -> Result<Self, &'static str> {
        let (measurement, mut rest) = until(line, &[',', ' ']);
        if measurement.is_empty() {
            return Err("has no measurement");
        }
        while let Some(tags) = rest.strip_prefix(',') {
            let (key, behind) = until(tags, &['=', ',', ' ']);
            let value = behind.strip_prefix('=').ok_or("has a tag without a value")?;
            let (value, behind) = until(value, &[',', ' ']);
            if key.is_empty() || value.is_empty() {
                return Err("has an empty tag");
            }
            rest = behind;
        }
        let mut rest = rest.trim_start_matches(' ');
        let mut fields = Vec::new();
        loop {
            if fields.len() == FIELDS_MAX {
                return Err("has more than 4096 fields");
            }
            let (key, behind) = until(rest, &['=', ',', ' ']);
            let value = behind.strip_prefix('=').ok_or("has a field without a value")?;
            if key.is_empty() {
                return Err("has a field without a name");
            }
            let (value, behind) = field(value)?;
            fields.push((unescape(key, &[',', '=', ' ']), value));
            match behind.strip_prefix(',') {
                Some(next) => rest = next,
                None => {
                    rest = behind;
                    break;
                }
            }
        }
        let time = match rest.trim_matches(' ') {
            "" => None,
            number => {
                let units: i64 =
                    number.parse().map_err(|_| "has a timestamp that is no integer")?;
                let nanos =
                    units.checked_mul(precision.nanos()).ok_or("has a timestamp out of range")?;
                Some(Timestamp::from_nanos(nanos))
            }
        };
        Ok(Self { measurement: unescape(measurement, &[',', ' ']), fields, time })
    }
}

/// The value of a field and what is behind it.
fn field(text: &str) -> Result<(Field<'_>, &str), &'static str> {
    if let Some(quoted) = text.strip_prefix('"') {
        let end = closing_quote(quoted).ok_or("has a quote that is never closed")?;
        let behind = &quoted[end + 1..];
        if !(behind.is_empty() || behind.starts_with([',', ' '])) {
            return Err("has text behind a closing quote");
        }
        return Ok((Field::Text(unescape(&quoted[..end], &['"', '\\'])), behind));
    }
    let end = text.find([',', ' ']).unwrap_or(text.len());
    let (word, behind) = text.split_at(end);
    let json = match word {
        "t" | "T" | "true" | "True" | "TRUE" => Json::Bool(true),
        "f" | "F" | "false" | "False" | "FALSE" => Json::Bool(false),
        _ => number(word).ok_or("has a value that is no number, truth value or quoted text")?,
    };
    Ok((Field::Json(json), behind))
}

/// `1.5`, `1e3` (double), `1i` (integer), `1u` (unsigned).
fn number(word: &str) -> Option<Json> {
    if let Some(digits) = word.strip_suffix('i') {
        return digits.parse::<i64>().ok().map(Json::from);
    }
    if let Some(digits) = word.strip_suffix('u') {
        return digits.parse::<u64>().ok().map(Json::from);
    }
    let numeric =
        word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    let number = word.parse::<f64>().ok().filter(|x| numeric && x.is_finite())?;
    serde_json::Number::from_f64(number).map(Json::Number)
}

/// A line and what is behind its end. A line end inside quotes of the field set belongs to the line.
fn split_line(text: &str) -> (&str, &str) {
    let Some(plain_end) = text.find('\n') else { return (text, "") };
    if text.trim_start().starts_with('#') || !text[..plain_end].contains('"') {
        return (&text[..plain_end], &text[plain_end + 1..]);
    }
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'\n' if !quoted => return (&text[..at], &text[at + 1..]),
            _ => {}
        }
    }
    (text, "")
}

/// Text up to the first of the characters that no backslash stands before, and the rest from it on.
fn until<'t>(text: &'t str, ends: &[char]) -> (&'t str, &'t str) {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if ends.contains(&c) {
            return text.split_at(at);
        }
    }
    (text, "")
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// Takes the backslash from before the characters that it may escape; before others it stays.
fn unescape<'t>(text: &'t str, escapable: &[char]) -> Cow<'t, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && escapable.contains(next) => {
                out.push(*next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}
