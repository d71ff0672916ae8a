//! The parts of one line.

use std::borrow::Cow;
use std::ops::Range;

use super::Wrong;
use crate::columns::Written;
use crate::name::Series;
use crate::number::{digits, integer};
use crate::series::SERIES_BYTES_MAX;

/// What a backslash escapes in a measurement.
const MEASUREMENT: &[u8] = b", ";

/// What a backslash escapes in keys and in values of the tag set.
const KEY: &[u8] = b",= ";

/// What a backslash escapes in a text.
const TEXT: &[u8] = b"\"\\";

/// Longest text in bytes as it is written: an array of as many numbers as there may be, and more.
const QUOTED_BYTES_MAX: usize = 4 << 20;

const LONG_SERIES: Wrong = Wrong::Syntax("has a series of more than 65535 bytes");

const LONG_FIELD: Wrong = Wrong::Syntax("has a field name of more than 65535 bytes");

/// The text from a place on as far as a series or a name may go, with the byte behind it, and whether
/// that is not all.
fn window(text: &str, start: usize) -> (&[u8], bool) {
    let end = text.len().min(start.saturating_add(SERIES_BYTES_MAX + 1));
    (&text.as_bytes()[..end], end < text.len())
}

/// Where the series (measurement and tag set) that begins at a place ends. Its parts are there.
pub(super) fn series_end(text: &str, start: usize) -> Result<usize, Wrong> {
    let (bytes, is_cut) = window(text, start);
    let stop = |from, ends| match until(bytes, from, ends) {
        at if is_cut && at == bytes.len() => Err(LONG_SERIES),
        at => Ok(at),
    };
    let mut at = stop(start, b", \n")?;
    if at == start {
        return Err(Wrong::Syntax("has no measurement"));
    }
    while bytes.get(at) == Some(&b',') {
        let key = at + 1;
        let equals = stop(key, b"=, \n")?;
        if bytes.get(equals) != Some(&b'=') {
            return Err(Wrong::Syntax("has a tag without a value"));
        }
        at = stop(equals + 1, b", \n")?;
        if equals == key || at == equals + 1 {
            return Err(Wrong::Syntax("has an empty tag"));
        }
    }
    match bytes.get(at) {
        Some(b' ') => Ok(at),
        _ => Err(Wrong::Syntax("has a measurement and no field")),
    }
}

/// The name of the field that begins at a place; behind it stands an equals sign.
pub(super) fn field_key(text: &str, start: usize) -> Result<Range<usize>, Wrong> {
    let (bytes, is_cut) = window(text, start);
    let end = until(bytes, start, b"=, \n");
    if is_cut && end == bytes.len() {
        return Err(LONG_FIELD);
    }
    if bytes.get(end) != Some(&b'=') {
        return Err(Wrong::Syntax("has a field without a value"));
    }
    if end == start {
        return Err(Wrong::Syntax("has a field without a name"));
    }
    Ok(start..end)
}

/// A series that was found sound, and a field of it, without escapes.
pub(super) fn series<'t>(series: &'t str, field: &'t str) -> Series<'t> {
    let bytes = series.as_bytes();
    let mut at = until(bytes, 0, b",");
    let measurement = unescape(&series[..at], MEASUREMENT);
    let mut labels = Vec::new();
    while at < bytes.len() {
        let equals = until(bytes, at + 1, b"=");
        let end = until(bytes, equals + 1, b",");
        let value = series.get(equals + 1..end).unwrap_or_default();
        labels.push((unescape(&series[at + 1..equals], KEY), unescape(value, KEY)));
        at = end;
    }
    Series { measurement, field: unescape(field, KEY), labels, labels_optional: true }
}

/// The value that begins at a place, and where it ends.
#[inline]
pub(super) fn value(text: &str, start: usize) -> Result<(Written<'_>, usize), Wrong> {
    let bytes = text.as_bytes();
    let (value, end) = match bytes.get(start) {
        Some(b'0'..=b'9' | b'-' | b'+' | b'.') => number(bytes, start),
        Some(b'"') => return quoted(text, start),
        Some(b't' | b'T' | b'f' | b'F') => truth(bytes, start),
        _ => None,
    }
    .ok_or(NO_VALUE)?;
    match bytes.get(end) {
        None | Some(b',' | b' ' | b'\n' | b'\r' | b'\t') => Ok((value, end)),
        Some(_) => Err(NO_VALUE),
    }
}

const NO_VALUE: Wrong = Wrong::Syntax("has a value that is no number, truth value or quoted text");

/// `1.5`, `1e3` (double), `1i` (integer), `1u` (unsigned).
fn number(bytes: &[u8], start: usize) -> Option<(Written<'static>, usize)> {
    let rest = &bytes[start..];
    let (double, used) = fast_float2::parse_partial::<f64, _>(rest).ok()?;
    match rest.get(used) {
        Some(b'i') => {
            let (number, digits) = integer(rest)?;
            (digits == used).then_some((Written::Signed(number), start + used + 1))
        }
        Some(b'u') => {
            let sign = usize::from(rest.first() == Some(&b'+'));
            let (number, digits) = digits(&rest[sign..])?;
            (sign + digits == used).then_some((Written::Unsigned(number), start + used + 1))
        }
        _ => double.is_finite().then_some((Written::Float(double), start + used)),
    }
}

fn truth(bytes: &[u8], start: usize) -> Option<(Written<'static>, usize)> {
    let rest = &bytes[start..];
    let words = [
        (&b"true"[..], true),
        (b"True", true),
        (b"TRUE", true),
        (b"false", false),
        (b"False", false),
        (b"FALSE", false),
        (b"t", true),
        (b"T", true),
        (b"f", false),
        (b"F", false),
    ];
    let (word, truth) = words.into_iter().find(|(word, _)| rest.starts_with(word))?;
    Some((Written::Bool(truth), start + word.len()))
}

/// A text in quotes.
fn quoted(text: &str, start: usize) -> Result<(Written<'_>, usize), Wrong> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    let stop = bytes.len().min(at.saturating_add(QUOTED_BYTES_MAX + 1));
    let end = loop {
        let rest = bytes.get(at..stop).unwrap_or_default();
        let found = memchr::memchr2(b'"', b'\\', rest);
        at += found.ok_or(match stop == bytes.len() {
            true => Wrong::Syntax("has a quote that is never closed"),
            false => Wrong::Syntax("has a text of more than 4194304 bytes"),
        })?;
        if bytes[at] == b'"' {
            break at;
        }
        at += 2;
    };
    match bytes.get(end + 1) {
        None | Some(b',' | b' ' | b'\n' | b'\r' | b'\t') => {
            Ok((Written::Text(unescape(&text[start + 1..end], TEXT)), end + 1))
        }
        Some(_) => Err(Wrong::Syntax("has text behind a closing quote")),
    }
}

/// The place of the first of these bytes from a place on that no backslash stands before; else the end.
fn until(bytes: &[u8], start: usize, ends: &[u8]) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'\\' && bytes.get(at + 1) != Some(&b'\n') {
            at += 1;
        } else if ends.contains(byte) {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

/// Takes the backslash from before what it may escape; before anything else it stays.
fn unescape<'t>(text: &'t str, escapable: &[u8]) -> Cow<'t, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.next_if(|next| c == '\\' && escapable.iter().any(|b| char::from(*b) == *next)) {
            Some(next) => out.push(next),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}
