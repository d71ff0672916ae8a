//! Raw values: bytes at an offset.

use bytes::Bytes;
use weir_model::Value;

use crate::RawType;

/// The value at an offset; none where the message ends before.
pub(super) fn decode(
    bytes: &[u8],
    raw_type: RawType,
    little: bool,
    offset: usize,
) -> Option<Value> {
    let end = offset.checked_add(raw_type.width())?;
    let bytes = bytes.get(offset..end)?;
    // In the eight bytes of the largest type, the first byte of the wire being the highest.
    let mut word = 0_u64;
    let mut add = |byte: &u8| word = word << 8 | u64::from(*byte);
    if little {
        bytes.iter().rev().for_each(&mut add)
    } else {
        bytes.iter().for_each(&mut add)
    }
    Some(match raw_type {
        RawType::Bool => Value::Bool(word != 0),
        RawType::Unsigned(_) => Value::U64(word),
        RawType::Signed(width) => {
            let unused = 64 - 8 * width as u32;
            Value::I64((word << unused) as i64 >> unused)
        }
        RawType::F32 => Value::F64(f32::from_bits(word as u32).into()),
        RawType::F64 => Value::F64(f64::from_bits(word)),
    })
}

/// The bytes of a value.
pub(super) fn encode(value: &Value, raw_type: RawType, little: bool) -> Result<Bytes, String> {
    let width = raw_type.width();
    let word = match raw_type {
        RawType::Bool => u64::from(value.as_f64().ok_or("a number is expected")? != 0.0),
        RawType::Unsigned(_) => {
            let whole = whole(value)?;
            u64::try_from(whole)
                .ok()
                .filter(|n| width == 8 || *n >> (8 * width) == 0)
                .ok_or_else(|| misfit(whole, width))?
        }
        RawType::Signed(_) => {
            let whole = whole(value)?;
            let number = i64::try_from(whole).map_err(|_| misfit(whole, width))?;
            let unused = 64 - 8 * width as u32;
            if number << unused >> unused != number {
                return Err(misfit(whole, width));
            }
            number as u64
        }
        RawType::F32 => {
            let number = value.as_f64().ok_or("a number is expected")?;
            let single = number as f32;
            if single.is_infinite() && number.is_finite() {
                return Err(format!("{number} does not fit 32 bits"));
            }
            single.to_bits().into()
        }
        RawType::F64 => value.as_f64().ok_or("a number is expected")?.to_bits(),
    };
    let mut bytes: Vec<u8> = word.to_be_bytes().into_iter().skip(8 - width).collect();
    if little {
        bytes.reverse();
    }
    Ok(Bytes::from(bytes))
}

fn misfit(number: i128, width: usize) -> String {
    format!("{number} does not fit {} bits", 8 * width)
}

fn whole(value: &Value) -> Result<i128, String> {
    match value {
        Value::I64(n) | Value::Enumeration(n) => Ok((*n).into()),
        Value::U64(n) => Ok((*n).into()),
        Value::Bool(truth) => Ok((*truth).into()),
        Value::F64(x) if x.fract() == 0.0 && x.abs() < 1e19 => Ok(*x as i128),
        Value::F64(x) => Err(format!("{x} is not a whole number")),
        _ => Err("a number is expected".to_owned()),
    }
}
