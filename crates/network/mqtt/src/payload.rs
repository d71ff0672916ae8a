//! Messages to values, and values to messages.

mod raw;
mod template;

use std::fmt::Write;

use bytes::Bytes;
use serde_json::Value as Json;
use weir_model::{DataType, Quality, Timestamp, Value};

pub(crate) use template::render;

use crate::{Format, PointAddress, QualityCodes, TimeFormat};

/// Largest payload that is decoded: a waveform of 2^16 numbers in JSON.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 4 << 20;

/// Characters of a payload that are shown.
const EXCERPT_CHARS_MAX: usize = 80;

/// A source's time that lies this far behind the arrival's future is a wrong clock: the historian refuses a
/// whole batch for one time that lies ten minutes ahead.
const AHEAD_MAX_NS: i64 = 60_000_000_000;

/// A message that is being decoded; its JSON is read once, for all points of its topic.
#[derive(Debug)]
pub struct Payload<'a> {
    bytes: &'a [u8],
    arrived: Timestamp,
    json: Option<Result<Json, String>>,
}

/// What a message says of a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The source's time where the message has one, else when it arrived.
    pub time: Timestamp,
    /// The raw value.
    pub value: Value,
    /// The quality where the message has one, else good.
    pub quality: Quality,
}

/// Why a message has no value for a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadError {
    /// Stored in the place of a value.
    pub quality: Quality,
    /// What was expected and what came, for people.
    pub cause: String,
}

fn misfit(cause: impl Into<String>) -> PayloadError {
    PayloadError { quality: Quality::CONFIGURATION_ERROR, cause: cause.into() }
}

impl<'a> Payload<'a> {
    /// A message that arrived.
    pub fn new(bytes: &'a [u8], arrived: Timestamp) -> Self {
        Self { bytes, arrived, json: None }
    }

    /// What the message says of a point; none where it may lack the value, and does.
    ///
    /// # Errors
    /// [`PayloadError`] where it does not fit the address.
    pub fn decode(
        &mut self,
        address: &PointAddress,
        data_type: DataType,
    ) -> Result<Option<Decoded>, PayloadError> {
        if self.bytes.len() > PAYLOAD_BYTES_MAX {
            return Err(misfit(format!(
                "a message of {} bytes: at most {PAYLOAD_BYTES_MAX} are decoded",
                self.bytes.len()
            )));
        }
        let arrived = self.arrived;
        let good = |value| Some(Decoded { time: arrived, value, quality: Quality::GOOD });
        match &address.format {
            Format::Text => {
                let text = std::str::from_utf8(self.bytes).map_err(|_| {
                    misfit(format!("text in UTF-8 is expected, {} came", excerpt(self.bytes)))
                })?;
                of_text(text, data_type).map(good)
            }
            Format::Raw { raw_type, little, offset } => {
                let value = raw::decode(self.bytes, *raw_type, *little, *offset);
                value.map(good).ok_or_else(|| {
                    let end = offset + raw_type.width();
                    misfit(format!(
                        "a message of {} bytes has no value up to byte {end}",
                        self.bytes.len()
                    ))
                })
            }
            Format::Json(path) => self.decode_json(address, path, data_type),
        }
    }

    fn json(&mut self) -> Result<&Json, PayloadError> {
        let bytes = self.bytes;
        let read = self.json.get_or_insert_with(|| {
            serde_json::from_slice(bytes)
                .map_err(|error| format!("JSON is expected, {} came ({error})", excerpt(bytes)))
        });
        read.as_ref().map_err(|cause| misfit(cause.clone()))
    }

    fn decode_json(
        &mut self,
        address: &PointAddress,
        path: &str,
        data_type: DataType,
    ) -> Result<Option<Decoded>, PayloadError> {
        let (bytes, arrived) = (self.bytes, self.arrived);
        let json = self.json()?;
        let Some(found) = json.pointer(path) else {
            if address.partial {
                return Ok(None);
            }
            return Err(PayloadError {
                quality: Quality::ADDRESS_UNKNOWN,
                cause: format!("there is nothing at {path} in {}", excerpt(bytes)),
            });
        };
        let quality = match &address.quality {
            None => Quality::GOOD,
            Some((path, codes)) => match json.pointer(path) {
                None | Some(Json::Null) => Quality::GOOD,
                Some(json) => quality(json, *codes)?,
            },
        };
        let time = match &address.time {
            None => arrived,
            Some((path, format)) => match json.pointer(path) {
                None | Some(Json::Null) => arrived,
                Some(json) => time(json, *format)?,
            },
        };
        let latest = arrived.saturating_add(AHEAD_MAX_NS);
        let time = if time > latest { arrived } else { time };
        if found.is_null() {
            let quality = if quality.is_bad() { quality } else { Quality::BAD };
            return Err(PayloadError {
                quality,
                cause: format!("the value at {} is null", shown_path(path)),
            });
        }
        Ok(Some(Decoded { time, value: of_json(found, data_type)?, quality }))
    }
}

fn shown_path(path: &str) -> &str {
    if path.is_empty() { "$" } else { path }
}

/// A value from JSON as raw as can be: numbers keep their kind, so that scaling sees what was sent.
fn of_json(json: &Json, data_type: DataType) -> Result<Value, PayloadError> {
    let misses = || {
        let text = json.to_string();
        misfit(format!(
            "a value of type {data_type} is expected, {} came",
            excerpt(text.as_bytes())
        ))
    };
    match (data_type, json) {
        (DataType::Text, Json::String(text)) => {
            Value::text(text).map_err(|error| misfit(error.to_string()))
        }
        (DataType::Text, other) => {
            Value::text(&other.to_string()).map_err(|error| misfit(error.to_string()))
        }
        (DataType::Array, json) => Value::from_json(json, DataType::Array).map_err(|_| misses()),
        (_, Json::Bool(truth)) => Ok(Value::Bool(*truth)),
        (_, Json::Number(number)) => number
            .as_i64()
            .map(Value::I64)
            .or_else(|| number.as_u64().map(Value::U64))
            .or_else(|| number.as_f64().map(Value::F64))
            .ok_or_else(misses),
        (_, Json::String(text)) => of_text(text, data_type).map_err(|_| misses()),
        _ => Err(misses()),
    }
}

/// A value from a text. Switches say on and off.
fn of_text(text: &str, data_type: DataType) -> Result<Value, PayloadError> {
    let trimmed = text.trim();
    let misses = || {
        misfit(format!(
            "a value of type {data_type} is expected, {} came",
            excerpt(text.as_bytes())
        ))
    };
    let truth = match trimmed.to_ascii_lowercase().as_str() {
        "true" | "on" => Some(true),
        "false" | "off" => Some(false),
        _ => None,
    };
    match data_type {
        DataType::Text => Value::text(text).map_err(|error| misfit(error.to_string())),
        DataType::Array => Value::from_text(trimmed, data_type).map_err(|_| misses()),
        DataType::Bool if truth.is_some() => truth.map(Value::Bool).ok_or_else(misses),
        _ => number(trimmed).ok_or_else(misses),
    }
}

/// A number of whichever kind it is.
fn number(text: &str) -> Option<Value> {
    let whole = text.parse().ok().map(Value::I64).or_else(|| text.parse().ok().map(Value::U64));
    whole.or_else(|| text.parse().ok().filter(|x: &f64| x.is_finite()).map(Value::F64))
}

fn time(json: &Json, format: TimeFormat) -> Result<Timestamp, PayloadError> {
    let read = match (format, json) {
        (TimeFormat::Rfc3339, Json::String(text)) => Timestamp::parse(text.trim()).ok(),
        (TimeFormat::Since1970(unit), Json::String(text)) => {
            number(text.trim()).and_then(|n| since(&n, unit))
        }
        (TimeFormat::Since1970(unit), json) => {
            of_json(json, DataType::F64).ok().and_then(|n| since(&n, unit))
        }
        _ => None,
    };
    read.ok_or_else(|| {
        let text = json.to_string();
        misfit(format!("a time is expected as the address says, {} came", excerpt(text.as_bytes())))
    })
}

fn since(number: &Value, unit_ns: i64) -> Option<Timestamp> {
    match number {
        Value::I64(n) => n.checked_mul(unit_ns).map(Timestamp::from_nanos),
        Value::F64(x) => {
            // Whole units first, and the rest to the microsecond: a double has no more to give.
            let step = if unit_ns > 1000 { 1000 } else { 1 };
            let whole = (x.floor() as i64).checked_mul(unit_ns)?;
            let part = ((x - x.floor()) * (unit_ns / step) as f64).round() as i64 * step;
            let inside = x.abs() < i64::MAX as f64;
            inside.then(|| whole.checked_add(part)).flatten().map(Timestamp::from_nanos)
        }
        _ => None,
    }
}

fn quality(json: &Json, codes: QualityCodes) -> Result<Quality, PayloadError> {
    let read = match json {
        Json::Bool(true) => Some(Quality::GOOD),
        Json::Bool(false) => Some(Quality::BAD),
        Json::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
        Json::Number(number) => number.as_u64().and_then(|code| match codes {
            QualityCodes::OpcUa => u32::try_from(code).ok().map(Quality::from_code),
            // The two highest bits of the byte; the vendor's byte above it does not count.
            QualityCodes::OpcDa => u16::try_from(code).ok().map(|code| match code >> 6 & 0b11 {
                0b11 => Quality::GOOD,
                0b01 => Quality::UNCERTAIN,
                _ => Quality::BAD,
            }),
        }),
        _ => None,
    };
    read.ok_or_else(|| {
        let text = json.to_string();
        misfit(format!("a quality is expected, {} came", excerpt(text.as_bytes())))
    })
}

/// The beginning of a payload for people, with what cannot be shown escaped.
pub fn excerpt(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".to_owned();
    }
    // A character has at most four bytes.
    let beginning = bytes.get(..4 * EXCERPT_CHARS_MAX).unwrap_or(bytes);
    let text = String::from_utf8_lossy(beginning);
    let mut shown = String::from("\"");
    for character in text.chars().take(EXCERPT_CHARS_MAX) {
        if character.is_control() {
            // Writing to a text cannot fail.
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown.push('"');
    if text.chars().count() > EXCERPT_CHARS_MAX || beginning.len() < bytes.len() {
        let _ = write!(shown, "… ({} bytes)", bytes.len());
    }
    shown
}

/// The message that writes a value.
///
/// # Errors
/// Why there is none, for people.
pub(crate) fn encode(
    address: &PointAddress,
    template: Option<&str>,
    value: &Value,
    now: Timestamp,
) -> Result<Bytes, String> {
    if let Some(template) = template {
        return Ok(Bytes::from(render(template, value, now)));
    }
    match &address.format {
        Format::Json(path) => Ok(Bytes::from(template::nested(path, value).to_string())),
        Format::Text => Ok(Bytes::from(template::plain(value))),
        Format::Raw { raw_type, little, .. } => raw::encode(value, *raw_type, *little),
    }
}

#[cfg(test)]
mod tests;
