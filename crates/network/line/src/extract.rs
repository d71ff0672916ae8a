//! Lines to values.

use std::cell::OnceCell;
use std::net::IpAddr;

use serde_json::Value as Json;
use weir_model::{DataType, Value};

use crate::PointAddress;
use crate::address::Format;

/// Characters of a line that are shown to people.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// A line, read as JSON at most once however many points look at it.
pub(crate) struct Line<'a> {
    pub(crate) text: &'a str,
    pub(crate) source: IpAddr,
    json: OnceCell<Option<Json>>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(text: &'a str, source: IpAddr) -> Self {
        Self { text, source, json: OnceCell::new() }
    }

    fn json(&self) -> Option<&Json> {
        self.json.get_or_init(|| serde_json::from_str(self.text).ok()).as_ref()
    }
}

/// What a line is to a point: none where it does not take it, else a value or why there is none.
pub(crate) fn extract(
    line: &Line<'_>,
    address: &PointAddress,
    data_type: DataType,
) -> Option<Result<Value, String>> {
    if address.source.is_some_and(|source| source != line.source) {
        return None;
    }
    let rest = match &address.prefix {
        Some(prefix) => line.text.strip_prefix(prefix.as_str())?,
        None => line.text,
    };
    let picked = match &address.pattern {
        Some(pattern) => {
            let captures = pattern.captures(rest)?;
            captures.get(1).or_else(|| captures.get(0))?.as_str()
        }
        None => rest,
    };
    match &address.format {
        Format::Text => Some(of_text(picked, data_type)),
        Format::Field { number, separator } => {
            let field = rest.split(separator.as_str()).nth(number - 1)?;
            Some(of_text(field, data_type))
        }
        Format::NamedField { name, separator } => {
            let field = rest.split(separator.as_str()).find_map(|field| named(field, name))?;
            Some(of_text(field, data_type))
        }
        Format::Json { path } => {
            let own;
            let json = match address.prefix {
                Some(_) => {
                    own = serde_json::from_str::<Json>(rest).ok()?;
                    &own
                }
                None => line.json()?,
            };
            of_json(json.pointer(path)?, data_type)
        }
        Format::Command { .. } => None,
    }
}

/// The value of `name=value` or `name:value`.
fn named<'a>(field: &'a str, name: &str) -> Option<&'a str> {
    let rest = field.trim_start().strip_prefix(name)?.trim_start();
    rest.strip_prefix(['=', ':']).map(str::trim)
}

/// A text as a raw value for a tag of a type. Texts stay as they are, control characters included; the others
/// may have blanks around them.
fn of_text(text: &str, data_type: DataType) -> Result<Value, String> {
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let value = match data_type {
        DataType::Text => return Value::text(text).map_err(|error| error.to_string()),
        DataType::Bool => truth(trimmed).map(Value::Bool),
        _ => number(trimmed),
    };
    value.ok_or_else(|| format!("\"{}\" is not of type {data_type}", shown(text)))
}

fn of_json(json: &Json, data_type: DataType) -> Option<Result<Value, String>> {
    Some(match (json, data_type) {
        (Json::Null, _) => return None,
        (Json::String(text), _) => of_text(text, data_type),
        (json, DataType::Text) => Value::text(&json.to_string()).map_err(|error| error.to_string()),
        (Json::Bool(truth), _) => Ok(Value::Bool(*truth)),
        (Json::Number(found), _) => {
            number(&found.to_string()).ok_or_else(|| format!("{found} is not of type {data_type}"))
        }
        (Json::Array(_) | Json::Object(_), _) => {
            Err(format!("\"{}\" is not of type {data_type}", shown(&json.to_string())))
        }
    })
}

fn truth(text: &str) -> Option<bool> {
    let is = |names: [&str; 4]| names.iter().any(|name| text.eq_ignore_ascii_case(name));
    if is(["1", "true", "on", "yes"]) {
        Some(true)
    } else if is(["0", "false", "off", "no"]) {
        Some(false)
    } else {
        None
    }
}

/// A number, as an integer where it is one.
fn number(text: &str) -> Option<Value> {
    // Scales write a sign in front of every number.
    let text = text.strip_prefix('+').unwrap_or(text);
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
    let float = || text.parse::<f64>().ok().filter(|x| x.is_finite() && is_number).map(Value::F64);
    let integer = || text.parse().map(Value::I64).or_else(|_| text.parse().map(Value::U64));
    integer().ok().or_else(float)
}

/// The beginning of a line, for people, without control characters.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARACTERS_MAX)
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect();
    if text.chars().nth(SHOWN_CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
