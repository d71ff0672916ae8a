//! Bytes to values and back.

use weir_model::Value;

use crate::civil::{self, Civil};
use crate::settings::TextEncoding;
use crate::{PointAddress, RawType};

/// Days from 1970-01-01 to 1990-01-01, where `DATE` begins.
const DATE_EPOCH_DAYS: i64 = 7305;

const MILLIS_PER_DAY: u32 = 86_400_000;

/// Milliseconds of the four time bases of `S5TIME`.
const S5TIME_BASES: [u64; 4] = [10, 100, 1000, 10_000];

/// Why bytes are not a value of their type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("the answer lacks this address")]
    Short,
    #[error("it is not a {0}: the bytes are {1}; check the address and the type")]
    Not(&'static str, String),
    #[error(
        "the text says that {length} of {capacity} characters are used, so it is not initialised or not a text; check the address and the type"
    )]
    NotText { length: u16, capacity: u16 },
    #[error(
        "the text has {length} characters and the address has room for {room}; give it a greater length"
    )]
    Longer { length: u16, room: u16 },
}

/// Why a value cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A text where a number belongs, or the other way round.
    #[error("a {0} takes {1}")]
    Kind(&'static str, &'static str),
    /// Not finite, or outside what the type can hold.
    #[error("the value {value} does not fit a {name} (raw, after scaling)")]
    Range {
        /// The raw value.
        value: String,
        /// The type.
        name: &'static str,
    },
    /// A text with more characters than there is room for.
    #[error("the text has {length} characters, and there is room for {room}")]
    Longer {
        /// How many it has.
        length: usize,
        /// How many fit.
        room: u16,
    },
    /// A text with characters that the encoding does not have.
    #[error("the text has characters that the device's encoding does not have")]
    Characters,
}

/// The value in the bytes of one point.
///
/// # Errors
/// Why there is none, for people.
pub fn decode(
    bytes: &[u8],
    address: &PointAddress,
    encoding: TextEncoding,
) -> Result<Value, String> {
    value(bytes, address, encoding).map_err(|error| error.to_string())
}

pub(crate) fn value(
    bytes: &[u8],
    address: &PointAddress,
    encoding: TextEncoding,
) -> Result<Value, DecodeError> {
    let raw_type = address.raw_type;
    Ok(match raw_type {
        RawType::Bool => {
            let [byte] = head(bytes)?;
            Value::Bool((byte >> (address.bit & 7)) & 1 == 1)
        }
        RawType::Byte => Value::U64(head::<1>(bytes)?[0].into()),
        RawType::Sint => Value::I64(i8::from_be_bytes(head(bytes)?).into()),
        RawType::Word => Value::U64(u16::from_be_bytes(head(bytes)?).into()),
        RawType::Int => Value::I64(i16::from_be_bytes(head(bytes)?).into()),
        RawType::Dword => Value::U64(u32::from_be_bytes(head(bytes)?).into()),
        RawType::Dint | RawType::Time => Value::I64(i32::from_be_bytes(head(bytes)?).into()),
        RawType::Lword => Value::U64(u64::from_be_bytes(head(bytes)?)),
        RawType::Lint => Value::I64(i64::from_be_bytes(head(bytes)?)),
        RawType::Real => Value::F64(f32::from_be_bytes(head(bytes)?).into()),
        RawType::Lreal => Value::F64(f64::from_be_bytes(head(bytes)?)),
        RawType::Char => Value::Text(encoding.decode(&head::<1>(bytes)?).into()),
        RawType::String => {
            Value::Text(encoding.decode(string_bytes(bytes, address.length)?).into())
        }
        RawType::Wstring => Value::Text(wide_text(bytes, address.length)?.into()),
        RawType::S5time => Value::U64(s5time(head(bytes)?)?),
        RawType::Bcd => {
            let word = head(bytes)?;
            Value::U64(
                decimals(u16::from_be_bytes(word) & 0x0FFF).ok_or_else(|| not(raw_type, &word))?,
            )
        }
        RawType::Date => {
            let (year, month, day) =
                civil::date(DATE_EPOCH_DAYS + i64::from(u16::from_be_bytes(head(bytes)?)));
            Value::Text(format!("{year:04}-{month:02}-{day:02}").into())
        }
        RawType::TimeOfDay => Value::Text(time_of_day(head(bytes)?)?.into()),
        RawType::DateAndTime => {
            let time = date_and_time(head(bytes)?).ok_or_else(|| not(raw_type, bytes))?;
            Value::Text(format!("{time}.{:03}", time.nanos / 1_000_000).into())
        }
        RawType::Dtl => {
            let time = dtl(head(bytes)?).ok_or_else(|| not(raw_type, bytes))?;
            Value::Text(format!("{time}.{:09}", time.nanos).into())
        }
    })
}

/// The bytes to write for a value, [`write_offset`] bytes behind the address: the capacity of a text stays as
/// it is. Doubles are rounded to the nearest integer for integer types. A bool is the byte 0 or 1; it is
/// written as a bit.
///
/// # Errors
/// [`EncodeError`].
pub fn encode(
    value: &Value,
    address: &PointAddress,
    encoding: TextEncoding,
) -> Result<Vec<u8>, EncodeError> {
    let raw_type = address.raw_type;
    Ok(match raw_type {
        RawType::Bool => vec![u8::from(truth(value)?)],
        RawType::Byte => vec![narrow::<u8>(value, raw_type)?],
        RawType::Sint => narrow::<i8>(value, raw_type)?.to_be_bytes().to_vec(),
        RawType::Word => narrow::<u16>(value, raw_type)?.to_be_bytes().to_vec(),
        RawType::Int => narrow::<i16>(value, raw_type)?.to_be_bytes().to_vec(),
        RawType::Dword => narrow::<u32>(value, raw_type)?.to_be_bytes().to_vec(),
        RawType::Dint | RawType::Time => narrow::<i32>(value, raw_type)?.to_be_bytes().to_vec(),
        RawType::Lword => narrow::<u64>(value, raw_type)?.to_be_bytes().to_vec(),
        RawType::Lint => narrow::<i64>(value, raw_type)?.to_be_bytes().to_vec(),
        RawType::Real => {
            let number = float(value, raw_type)? as f32;
            if !number.is_finite() {
                return Err(range(value, raw_type));
            }
            number.to_be_bytes().to_vec()
        }
        RawType::Lreal => float(value, raw_type)?.to_be_bytes().to_vec(),
        RawType::Char => narrow_text(value, raw_type, 1, encoding)?,
        RawType::String => {
            let text = narrow_text(value, raw_type, address.length, encoding)?;
            let mut bytes = vec![text.len() as u8];
            bytes.extend(text);
            bytes
        }
        RawType::Wstring => wide_bytes(text(value, raw_type)?, address.length)?,
        RawType::S5time => s5time_bytes(value)?,
        RawType::Bcd => {
            let number = narrow::<u16>(value, raw_type)?;
            binary_coded(number).ok_or_else(|| range(value, raw_type))?.to_be_bytes().to_vec()
        }
        RawType::Date => date_bytes(value)?,
        RawType::TimeOfDay => time_of_day_bytes(value)?,
        RawType::DateAndTime => date_and_time_bytes(value)?,
        RawType::Dtl => dtl_bytes(value)?,
    })
}

/// How many bytes behind the address writing begins: behind the capacity of a text.
pub(crate) fn write_offset(raw_type: RawType) -> u16 {
    match raw_type {
        RawType::String => 1,
        RawType::Wstring => 2,
        _ => 0,
    }
}

/// How many characters the device itself has room for, from the first bytes of a text.
pub(crate) fn capacity(bytes: &[u8], raw_type: RawType) -> Option<u16> {
    match raw_type {
        RawType::String => bytes.first().map(|n| u16::from(*n)),
        RawType::Wstring => bytes.first_chunk().map(|n| u16::from_be_bytes(*n)),
        _ => None,
    }
}

/// The value as a truth value: itself, 0 or 1.
pub(crate) fn truth(value: &Value) -> Result<bool, EncodeError> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        _ => match integer(value, RawType::Bool)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(range(value, RawType::Bool)),
        },
    }
}

fn head<const N: usize>(bytes: &[u8]) -> Result<[u8; N], DecodeError> {
    bytes.first_chunk().copied().ok_or(DecodeError::Short)
}

fn not(raw_type: RawType, bytes: &[u8]) -> DecodeError {
    let told: Vec<_> = bytes.iter().take(12).map(|b| format!("{b:02X}")).collect();
    DecodeError::Not(raw_type.as_str(), told.join(" "))
}

/// The characters in use.
fn string_bytes(bytes: &[u8], room: u16) -> Result<&[u8], DecodeError> {
    let [capacity, length] = head(bytes)?;
    let (capacity, length) = (u16::from(capacity), u16::from(length));
    check_length(capacity, length, room)?;
    bytes.get(2..2 + usize::from(length)).ok_or(DecodeError::Short)
}

/// The text in use; halves of characters become U+FFFD.
fn wide_text(bytes: &[u8], room: u16) -> Result<String, DecodeError> {
    let [a, b, c, d] = head(bytes)?;
    let (capacity, length) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    check_length(capacity, length, room)?;
    let bytes = bytes.get(4..4 + 2 * usize::from(length)).ok_or(DecodeError::Short)?;
    let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    Ok(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

fn check_length(capacity: u16, length: u16, room: u16) -> Result<(), DecodeError> {
    if length > capacity {
        Err(DecodeError::NotText { length, capacity })
    } else if length > room {
        Err(DecodeError::Longer { length, room })
    } else {
        Ok(())
    }
}

fn wide_bytes(text: &str, room: u16) -> Result<Vec<u8>, EncodeError> {
    let units: Vec<u16> = text.encode_utf16().collect();
    if units.len() > room.into() {
        return Err(EncodeError::Longer { length: units.len(), room });
    }
    let mut bytes = (units.len() as u16).to_be_bytes().to_vec();
    bytes.extend(units.into_iter().flat_map(u16::to_be_bytes));
    Ok(bytes)
}

fn narrow_text(
    value: &Value,
    raw_type: RawType,
    room: u16,
    encoding: TextEncoding,
) -> Result<Vec<u8>, EncodeError> {
    let bytes = encoding.encode(text(value, raw_type)?).ok_or(EncodeError::Characters)?;
    if raw_type == RawType::Char && bytes.len() != 1 {
        return Err(EncodeError::Kind(raw_type.as_str(), "one character of one byte"));
    }
    if bytes.len() > room.into() {
        return Err(EncodeError::Longer { length: bytes.len(), room });
    }
    Ok(bytes)
}

fn text(value: &Value, raw_type: RawType) -> Result<&str, EncodeError> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(EncodeError::Kind(raw_type.as_str(), "a text")),
    }
}

fn range(value: &Value, raw_type: RawType) -> EncodeError {
    EncodeError::Range { value: value.to_json().to_string(), name: raw_type.as_str() }
}

fn narrow<T: TryFrom<i128>>(value: &Value, raw_type: RawType) -> Result<T, EncodeError> {
    T::try_from(integer(value, raw_type)?).map_err(|_| range(value, raw_type))
}

fn integer(value: &Value, raw_type: RawType) -> Result<i128, EncodeError> {
    match value {
        Value::I64(x) | Value::Enumeration(x) => Ok((*x).into()),
        Value::U64(x) => Ok((*x).into()),
        Value::Bool(x) => Ok((*x).into()),
        // The cast saturates, and what saturates fits no type.
        Value::F64(x) if x.is_finite() => Ok(x.round() as i128),
        Value::F64(_) => Err(range(value, raw_type)),
        _ => Err(EncodeError::Kind(raw_type.as_str(), "numbers and truth values")),
    }
}

fn float(value: &Value, raw_type: RawType) -> Result<f64, EncodeError> {
    let kind = EncodeError::Kind(raw_type.as_str(), "numbers and truth values");
    let number = value.as_f64().ok_or(kind)?;
    if number.is_finite() { Ok(number) } else { Err(range(value, raw_type)) }
}

/// Three binary coded decimals.
fn decimals(word: u16) -> Option<u64> {
    let digits = [word >> 8, word >> 4, word].map(|n| n & 0x0F);
    if digits.iter().any(|digit| *digit > 9) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(*digit)))
}

fn binary_coded(number: u16) -> Option<u16> {
    (number <= 999).then_some(((number / 100) << 8) | ((number / 10 % 10) << 4) | (number % 10))
}

fn s5time(bytes: [u8; 2]) -> Result<u64, DecodeError> {
    let word = u16::from_be_bytes(bytes);
    let base = S5TIME_BASES[usize::from((word >> 12) & 3)];
    let count = decimals(word & 0x0FFF).ok_or_else(|| not(RawType::S5time, &bytes))?;
    Ok(count * base)
}

/// With the finest base that holds it exactly.
fn s5time_bytes(value: &Value) -> Result<Vec<u8>, EncodeError> {
    let millis = narrow::<u32>(value, RawType::S5time)?;
    for (index, base) in S5TIME_BASES.into_iter().enumerate() {
        let count = u64::from(millis) / base;
        if count <= 999 && u64::from(millis) % base == 0 {
            let digits = binary_coded(count as u16).unwrap_or_default();
            return Ok((digits | ((index as u16) << 12)).to_be_bytes().to_vec());
        }
    }
    Err(range(value, RawType::S5time))
}

fn date_bytes(value: &Value) -> Result<Vec<u8>, EncodeError> {
    let text = text(value, RawType::Date)?;
    let kind = EncodeError::Kind("date", "a text such as 2026-11-26");
    let (year, month, day) = civil::parse_date(text).ok_or(kind)?;
    let days = civil::days(year.into(), month, day) - DATE_EPOCH_DAYS;
    let days = u16::try_from(days).map_err(|_| range(value, RawType::Date))?;
    Ok(days.to_be_bytes().to_vec())
}

fn time_of_day(bytes: [u8; 4]) -> Result<String, DecodeError> {
    let millis = u32::from_be_bytes(bytes);
    if millis >= MILLIS_PER_DAY {
        return Err(not(RawType::TimeOfDay, &bytes));
    }
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Ok(format!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03}"))
}

fn time_of_day_bytes(value: &Value) -> Result<Vec<u8>, EncodeError> {
    let text = text(value, RawType::TimeOfDay)?;
    let kind = EncodeError::Kind("time_of_day", "a text such as 06:30:00.000");
    let (hour, minute, second, nanos) = civil::parse_time(text).ok_or(kind)?;
    let seconds = (u32::from(hour) * 60 + u32::from(minute)) * 60 + u32::from(second);
    Ok((seconds * 1000 + nanos / 1_000_000).to_be_bytes().to_vec())
}

/// Two binary coded decimals.
fn pair(byte: u8) -> Option<u8> {
    let (high, low) = (byte >> 4, byte & 0x0F);
    (high <= 9 && low <= 9).then_some(high * 10 + low)
}

fn date_and_time(bytes: [u8; 8]) -> Option<Civil> {
    let [year, month, day, hour, minute, second, millis, last] = bytes;
    let year = u16::from(pair(year)?);
    let millis = u32::from(pair(millis)?) * 10 + u32::from(last >> 4);
    let time = Civil {
        // Two digits stand for 1990 to 2089.
        year: if year >= 90 { 1900 + year } else { 2000 + year },
        month: pair(month)?,
        day: pair(day)?,
        hour: pair(hour)?,
        minute: pair(minute)?,
        second: pair(second)?,
        nanos: millis * 1_000_000,
    };
    (last >> 4 <= 9 && time.is_valid()).then_some(time)
}

fn date_and_time_bytes(value: &Value) -> Result<Vec<u8>, EncodeError> {
    let raw_type = RawType::DateAndTime;
    let time = civil_of(value, raw_type)?;
    if !(1990..=2089).contains(&time.year) {
        return Err(range(value, raw_type));
    }
    let coded = |n: u8| ((n / 10) << 4) | (n % 10);
    let millis = time.nanos / 1_000_000;
    Ok(vec![
        coded((time.year % 100) as u8),
        coded(time.month),
        coded(time.day),
        coded(time.hour),
        coded(time.minute),
        coded(time.second),
        coded((millis / 10) as u8),
        (((millis % 10) as u8) << 4) | time.weekday(),
    ])
}

fn dtl(bytes: [u8; 12]) -> Option<Civil> {
    let [y1, y2, month, day, _, hour, minute, second, n1, n2, n3, n4] = bytes;
    let year = u16::from_be_bytes([y1, y2]);
    let nanos = u32::from_be_bytes([n1, n2, n3, n4]);
    let time = Civil { year, month, day, hour, minute, second, nanos };
    ((1970..=2554).contains(&year) && time.is_valid()).then_some(time)
}

fn dtl_bytes(value: &Value) -> Result<Vec<u8>, EncodeError> {
    let time = civil_of(value, RawType::Dtl)?;
    if !(1970..=2554).contains(&time.year) {
        return Err(range(value, RawType::Dtl));
    }
    let mut bytes = time.year.to_be_bytes().to_vec();
    bytes.extend([time.month, time.day, time.weekday(), time.hour, time.minute, time.second]);
    bytes.extend(time.nanos.to_be_bytes());
    Ok(bytes)
}

fn civil_of(value: &Value, raw_type: RawType) -> Result<Civil, EncodeError> {
    let kind = EncodeError::Kind(raw_type.as_str(), "a text such as 2026-11-26T06:30:00.000");
    Civil::parse(text(value, raw_type)?).ok_or(kind)
}

#[cfg(test)]
mod tests;
