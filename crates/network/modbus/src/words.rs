//! Registers to values and back.

use weir_model::Value;

use crate::{RawType, WordOrder};

/// Why a value cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Not a number or truth value.
    #[error("a register takes numbers and truth values only")]
    Kind,
    /// Not finite, or outside what the type can hold.
    #[error("the value {value} does not fit the register's type (raw, after scaling)")]
    Range {
        /// The raw value.
        value: String,
    },
}

/// The value in the words of one point; none where there are not enough words. A bool is a bit of
/// the word where one is given, else whether the word is not zero.
pub fn decode_words(
    words: &[u16],
    raw_type: RawType,
    order: WordOrder,
    bit: Option<u8>,
) -> Option<Value> {
    let words = words.get(..raw_type.width().into())?;
    Some(match raw_type {
        RawType::Bool => {
            let word = words[0];
            Value::Bool(bit.map_or(word != 0, |bit| (word >> (bit & 15)) & 1 == 1))
        }
        RawType::U16 => Value::U64(words[0].into()),
        RawType::I16 => Value::I64((words[0] as i16).into()),
        RawType::U32 => Value::U64(u32::from_be_bytes(two(words, order)).into()),
        RawType::I32 => Value::I64(i32::from_be_bytes(two(words, order)).into()),
        RawType::F32 => Value::F64(f32::from_be_bytes(two(words, order)).into()),
        RawType::U64 => Value::U64(u64::from_be_bytes(four(words, order))),
        RawType::I64 => Value::I64(i64::from_be_bytes(four(words, order))),
        RawType::F64 => Value::F64(f64::from_be_bytes(four(words, order))),
    })
}

/// The words of a value: what [`decode_words`] reads. Doubles are rounded to the nearest integer
/// for integer types. A bool without a bit is the word 0 or 1; bits of a word are set by masks.
///
/// # Errors
/// [`EncodeError`].
pub fn encode_words(
    value: &Value,
    raw_type: RawType,
    order: WordOrder,
) -> Result<Vec<u16>, EncodeError> {
    Ok(match raw_type {
        RawType::Bool => vec![u16::from(truth(value)?)],
        RawType::U16 => vec![narrow::<u16>(value)?],
        RawType::I16 => vec![narrow::<i16>(value)? as u16],
        RawType::U32 => words(narrow::<u32>(value)?.to_be_bytes(), order),
        RawType::I32 => words(narrow::<i32>(value)?.to_be_bytes(), order),
        RawType::U64 => words(narrow::<u64>(value)?.to_be_bytes(), order),
        RawType::I64 => words(narrow::<i64>(value)?.to_be_bytes(), order),
        RawType::F32 => {
            let number = float(value)? as f32;
            if !number.is_finite() {
                return Err(range(value));
            }
            words(number.to_be_bytes(), order)
        }
        RawType::F64 => words(float(value)?.to_be_bytes(), order),
    })
}

/// The value as a truth value: itself, 0 or 1.
pub(crate) fn truth(value: &Value) -> Result<bool, EncodeError> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        _ => match integer(value)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(range(value)),
        },
    }
}

fn range(value: &Value) -> EncodeError {
    EncodeError::Range { value: value.to_json().to_string() }
}

fn narrow<T: TryFrom<i128>>(value: &Value) -> Result<T, EncodeError> {
    T::try_from(integer(value)?).map_err(|_| range(value))
}

fn integer(value: &Value) -> Result<i128, EncodeError> {
    match value {
        Value::I64(x) | Value::Enumeration(x) => Ok((*x).into()),
        Value::U64(x) => Ok((*x).into()),
        Value::Bool(x) => Ok((*x).into()),
        // The cast saturates, and what saturates fits no register type.
        Value::F64(x) if x.is_finite() => Ok(x.round() as i128),
        Value::F64(_) => Err(range(value)),
        _ => Err(EncodeError::Kind),
    }
}

fn float(value: &Value) -> Result<f64, EncodeError> {
    let number = value.as_f64().ok_or(EncodeError::Kind)?;
    if number.is_finite() { Ok(number) } else { Err(range(value)) }
}

fn two(words: &[u16], order: WordOrder) -> [u8; 4] {
    let mut bytes = [0; 4];
    bytes_of(words, order, &mut bytes);
    bytes
}

fn four(words: &[u16], order: WordOrder) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes_of(words, order, &mut bytes);
    bytes
}

/// The bytes of a value, highest first, from its registers.
fn bytes_of(words: &[u16], order: WordOrder, bytes: &mut [u8]) {
    let last = words.len() - 1;
    for (index, pair) in bytes.chunks_exact_mut(2).enumerate() {
        let word = words[if order.is_lowest_first() { last - index } else { index }];
        let word = if order.is_swapped() { word.swap_bytes() } else { word };
        pair.copy_from_slice(&word.to_be_bytes());
    }
}

fn words<const N: usize>(bytes: [u8; N], order: WordOrder) -> Vec<u16> {
    let mut words: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| {
            let word = u16::from_be_bytes([pair[0], pair[1]]);
            if order.is_swapped() { word.swap_bytes() } else { word }
        })
        .collect();
    if order.is_lowest_first() {
        words.reverse();
    }
    words
}

impl WordOrder {
    fn is_lowest_first(self) -> bool {
        matches!(self, Self::Cdab | Self::Dcba)
    }

    fn is_swapped(self) -> bool {
        matches!(self, Self::Badc | Self::Dcba)
    }
}

#[cfg(test)]
mod tests;
