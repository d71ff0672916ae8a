//! Values of samples: the types, their JSON and their bytes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Longest text value in UTF-8 bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Most elements of an array value: a vibration snapshot of 2^16 samples.
pub const ARRAY_LENGTH_MAX: usize = 1 << 16;

/// Integers beyond this magnitude lose digits in programs that read JSON numbers as doubles, so
/// they are written as strings.
const JSON_SAFE_INTEGER_MAX: u64 = 1 << 53;

/// What a tag's values are.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DataType {
    /// IEEE 754 double.
    F64,
    /// Signed 64-bit integer.
    I64,
    /// Unsigned 64-bit integer.
    U64,
    /// Truth value.
    Bool,
    /// UTF-8 text.
    Text,
    /// A number that stands for a named state; the names are in the tag's document.
    Enumeration,
    /// A row of numbers, truth values or texts.
    Array,
}

/// One value. Cloning is cheap.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Value {
    /// IEEE 754 double.
    F64(f64),
    /// Signed 64-bit integer.
    I64(i64),
    /// Unsigned 64-bit integer.
    U64(u64),
    /// Truth value.
    Bool(bool),
    /// UTF-8 text of at most [`TEXT_BYTES_MAX`] bytes.
    Text(Arc<str>),
    /// The code of a named state.
    Enumeration(i64),
    /// At most [`ARRAY_LENGTH_MAX`] values, none of which is an array.
    Array(Arc<[Value]>),
}

/// Why a JSON value, a text or a number is not a value of the type asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Another kind, or out of the type's range.
    #[error("the value is not of type {0}")]
    Mismatch(DataType),
    /// A text of more than [`TEXT_BYTES_MAX`] bytes.
    #[error("a text value has at most {TEXT_BYTES_MAX} bytes")]
    TextTooLong,
    /// An array of more than [`ARRAY_LENGTH_MAX`] elements.
    #[error("an array value has at most {ARRAY_LENGTH_MAX} elements")]
    ArrayTooLong,
}

/// Bytes that no [`Value`] encodes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a value")]
pub struct ValueDecodeError;

impl Value {
    /// The type.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::F64(_) => DataType::F64,
            Self::I64(_) => DataType::I64,
            Self::U64(_) => DataType::U64,
            Self::Bool(_) => DataType::Bool,
            Self::Text(_) => DataType::Text,
            Self::Enumeration(_) => DataType::Enumeration,
            Self::Array(_) => DataType::Array,
        }
    }

    /// The value as a double for charts and arithmetic; none for texts and arrays. Integers beyond
    /// 2^53 are rounded.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::F64(x) => Some(*x),
            Self::I64(x) | Self::Enumeration(x) => Some(*x as f64),
            Self::U64(x) => Some(*x as f64),
            Self::Bool(x) => Some(f64::from(u8::from(*x))),
            Self::Text(_) | Self::Array(_) => None,
        }
    }

    /// Reads JSON as a value of the given type. Integers may be strings; doubles may be `"NaN"`,
    /// `"Infinity"` and `"-Infinity"`; truth values may be 0 and 1.
    ///
    /// # Errors
    /// [`ValueError`].
    pub fn from_json(json: &Json, data_type: DataType) -> Result<Self, ValueError> {
        let mismatch = || ValueError::Mismatch(data_type);
        let value = match (data_type, json) {
            (DataType::F64, Json::Number(n)) => n.as_f64().map(Self::F64),
            (DataType::F64, Json::String(s)) => non_finite(s).map(Self::F64),
            (DataType::I64, _) => json_i64(json).map(Self::I64),
            (DataType::Enumeration, _) => json_i64(json).map(Self::Enumeration),
            (DataType::U64, Json::Number(n)) => {
                n.as_u64().or_else(|| whole(n.as_f64()?)).map(Self::U64)
            }
            (DataType::U64, Json::String(s)) => s.parse().ok().map(Self::U64),
            (DataType::Bool, Json::Bool(b)) => Some(Self::Bool(*b)),
            (DataType::Bool, Json::Number(n)) => match n.as_u64() {
                Some(0) => Some(Self::Bool(false)),
                Some(1) => Some(Self::Bool(true)),
                _ => None,
            },
            (DataType::Text, Json::String(s)) => return Self::text(s),
            (DataType::Array, Json::Array(items)) => {
                let items: Option<Vec<_>> = items.iter().map(Self::scalar_from_json).collect();
                return Self::array(items.ok_or_else(mismatch)?);
            }
            _ => None,
        };
        value.ok_or_else(mismatch)
    }

    /// Reads a text (a CSV cell, a line-protocol field) as a value of the given type.
    ///
    /// # Errors
    /// [`ValueError`].
    pub fn from_text(text: &str, data_type: DataType) -> Result<Self, ValueError> {
        let parsed = match data_type {
            DataType::F64 => non_finite(text)
                .or_else(|| text.parse().ok().filter(|x: &f64| x.is_finite()))
                .map(Self::F64),
            DataType::Bool => match text {
                "true" | "1" => Some(Self::Bool(true)),
                "false" | "0" => Some(Self::Bool(false)),
                _ => None,
            },
            DataType::Text => return Self::text(text),
            DataType::Array => serde_json::from_str(text)
                .ok()
                .and_then(|json| Self::from_json(&json, data_type).ok()),
            _ => Self::from_json(&Json::String(text.to_owned()), data_type).ok(),
        };
        parsed.ok_or(ValueError::Mismatch(data_type))
    }

    /// A text within [`TEXT_BYTES_MAX`].
    ///
    /// # Errors
    /// [`ValueError::TextTooLong`].
    pub fn text(text: &str) -> Result<Self, ValueError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(ValueError::TextTooLong);
        }
        Ok(Self::Text(text.into()))
    }

    /// An array within [`ARRAY_LENGTH_MAX`] whose elements are no arrays.
    ///
    /// # Errors
    /// [`ValueError`].
    pub fn array(items: Vec<Value>) -> Result<Self, ValueError> {
        if items.len() > ARRAY_LENGTH_MAX {
            return Err(ValueError::ArrayTooLong);
        }
        if items.iter().any(|item| matches!(item, Self::Array(_))) {
            return Err(ValueError::Mismatch(DataType::Array));
        }
        Ok(Self::Array(items.into()))
    }

    /// JSON without a type to guide it, as the elements of arrays are read.
    fn scalar_from_json(json: &Json) -> Option<Self> {
        match json {
            Json::Bool(b) => Some(Self::Bool(*b)),
            Json::Number(n) => n
                .as_i64()
                .map(Self::I64)
                .or_else(|| n.as_u64().map(Self::U64))
                .or_else(|| n.as_f64().map(Self::F64)),
            Json::String(s) => Self::text(s).ok(),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    /// The value as JSON: integers beyond 2^53 as strings, doubles that JSON cannot hold as
    /// `"NaN"`, `"Infinity"` and `"-Infinity"`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::F64(x) => serde_json::Number::from_f64(*x)
                .map_or_else(|| Json::from(non_finite_text(*x)), Json::Number),
            Self::I64(x) | Self::Enumeration(x) => {
                if x.unsigned_abs() > JSON_SAFE_INTEGER_MAX {
                    x.to_string().into()
                } else {
                    (*x).into()
                }
            }
            Self::U64(x) => {
                if *x > JSON_SAFE_INTEGER_MAX {
                    x.to_string().into()
                } else {
                    (*x).into()
                }
            }
            Self::Bool(x) => (*x).into(),
            Self::Text(x) => x.as_ref().into(),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
        }
    }

    /// Appends the bytes that [`Value::decode`] reads: a type tag, then the value in little
    /// endian. Stored in logs and files, so a tag's meaning never changes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::F64(x) => put(out, 1, &x.to_bits().to_le_bytes()),
            Self::I64(x) => put(out, 2, &x.to_le_bytes()),
            Self::U64(x) => put(out, 3, &x.to_le_bytes()),
            Self::Bool(x) => put(out, 4, &[u8::from(*x)]),
            Self::Text(x) => {
                put(out, 5, &(x.len() as u32).to_le_bytes());
                out.extend_from_slice(x.as_bytes());
            }
            Self::Enumeration(x) => put(out, 6, &x.to_le_bytes()),
            Self::Array(items) => {
                put(out, 7, &(items.len() as u32).to_le_bytes());
                items.iter().for_each(|item| item.encode(out));
            }
        }
    }

    /// Bytes that it takes outside itself.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Array(items) => {
                size_of_val::<[Self]>(items) + items.iter().map(Self::heap_bytes).sum::<usize>()
            }
            _ => 0,
        }
    }

    /// Reads one value from the front of `bytes` and moves `bytes` behind it.
    ///
    /// # Errors
    /// [`ValueDecodeError`] for a tag, a length or a text that [`Value::encode`] never writes.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, ValueDecodeError> {
        Self::decode_nested(bytes, true)
    }

    fn decode_nested(bytes: &mut &[u8], array_allowed: bool) -> Result<Self, ValueDecodeError> {
        let [tag] = take(bytes)?;
        Ok(match tag {
            1 => Self::F64(f64::from_bits(u64::from_le_bytes(take(bytes)?))),
            2 => Self::I64(i64::from_le_bytes(take(bytes)?)),
            3 => Self::U64(u64::from_le_bytes(take(bytes)?)),
            4 => match take(bytes)? {
                [0] => Self::Bool(false),
                [1] => Self::Bool(true),
                _ => return Err(ValueDecodeError),
            },
            5 => {
                let length = u32::from_le_bytes(take(bytes)?) as usize;
                if length > TEXT_BYTES_MAX || length > bytes.len() {
                    return Err(ValueDecodeError);
                }
                let (text, rest) = bytes.split_at(length);
                *bytes = rest;
                Self::Text(std::str::from_utf8(text).map_err(|_| ValueDecodeError)?.into())
            }
            6 => Self::Enumeration(i64::from_le_bytes(take(bytes)?)),
            7 if array_allowed => {
                let length = u32::from_le_bytes(take(bytes)?) as usize;
                // An element takes two bytes at the least, so a length beyond that is a lie.
                if length > ARRAY_LENGTH_MAX || length > bytes.len() / 2 {
                    return Err(ValueDecodeError);
                }
                (0..length).map(|_| Self::decode_nested(bytes, false)).collect::<Result<_, _>>()?
            }
            _ => return Err(ValueDecodeError),
        })
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::Array(items.into_iter().collect())
    }
}

/// Bit-exact for doubles, so that a NaN equals itself and a log can be compared with its copy.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
            (Self::I64(a), Self::I64(b)) | (Self::Enumeration(a), Self::Enumeration(b)) => a == b,
            (Self::U64(a), Self::U64(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            _ => false,
        }
    }
}

impl DataType {
    /// The type's stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::I64 => "i64",
            Self::U64 => "u64",
            Self::Bool => "bool",
            Self::Text => "text",
            Self::Enumeration => "enumeration",
            Self::Array => "array",
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DataType {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::F64, Self::I64, Self::U64, Self::Bool, Self::Text, Self::Enumeration, Self::Array]
            .into_iter()
            .find(|t| t.as_str() == text)
            .ok_or(ValueError::Mismatch(Self::Text))
    }
}

fn put(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], ValueDecodeError> {
    let (head, rest) = bytes.split_first_chunk().ok_or(ValueDecodeError)?;
    *bytes = rest;
    Ok(*head)
}

fn json_i64(json: &Json) -> Option<i64> {
    match json {
        Json::Number(n) => n.as_i64().or_else(|| whole(n.as_f64()?)),
        Json::String(s) => s.parse().ok(),
        _ => None,
    }
}

/// A double such as `5.0` as the integer it is, where a double can hold it exactly.
fn whole<T: TryFrom<i64>>(x: f64) -> Option<T> {
    let exact = x.fract() == 0.0 && x.abs() <= JSON_SAFE_INTEGER_MAX as f64;
    exact.then(|| T::try_from(x as i64).ok()).flatten()
}

fn non_finite(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn non_finite_text(x: f64) -> &'static str {
    if x.is_nan() {
        "NaN"
    } else if x > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

#[cfg(test)]
mod tests;
