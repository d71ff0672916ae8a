//! Data types and values (Sparkplug 3.0.0, 6.4.10 to 6.4.17).

use weir_model::{ARRAY_LENGTH_MAX, DataType, Quality, Value};

use crate::proto::{Cell, DataSet, MetricValue};

/// Cells of a table that are read.
pub(crate) const CELLS_MAX: usize = ARRAY_LENGTH_MAX;

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the specification, 6.4.16")]
pub enum Type {
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float,
    Double,
    Boolean,
    String,
    DateTime,
    Text,
    Uuid,
    DataSet,
    Bytes,
    File,
    Template,
    Int8Array,
    Int16Array,
    Int32Array,
    Int64Array,
    UInt8Array,
    UInt16Array,
    UInt32Array,
    UInt64Array,
    FloatArray,
    DoubleArray,
    BooleanArray,
    StringArray,
    DateTimeArray,
}

use Type as T;

const TYPES: [(u32, Type); 32] = [
    (1, T::Int8),
    (2, T::Int16),
    (3, T::Int32),
    (4, T::Int64),
    (5, T::UInt8),
    (6, T::UInt16),
    (7, T::UInt32),
    (8, T::UInt64),
    (9, T::Float),
    (10, T::Double),
    (11, T::Boolean),
    (12, T::String),
    (13, T::DateTime),
    (14, T::Text),
    (15, T::Uuid),
    (16, T::DataSet),
    (17, T::Bytes),
    (18, T::File),
    (19, T::Template),
    (22, T::Int8Array),
    (23, T::Int16Array),
    (24, T::Int32Array),
    (25, T::Int64Array),
    (26, T::UInt8Array),
    (27, T::UInt16Array),
    (28, T::UInt32Array),
    (29, T::UInt64Array),
    (30, T::FloatArray),
    (31, T::DoubleArray),
    (32, T::BooleanArray),
    (33, T::StringArray),
    (34, T::DateTimeArray),
];

/// Why a metric has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit(pub(crate) String);

impl Type {
    /// The type of a code.
    pub fn from_code(code: u32) -> Option<Self> {
        TYPES.iter().find(|(known, _)| *known == code).map(|(_, t)| *t)
    }

    /// Its code.
    pub fn code(self) -> u32 {
        TYPES.iter().find(|(_, t)| *t == self).map_or(0, |(code, _)| *code)
    }

    /// What a tag of such values is.
    pub fn data_type(self) -> DataType {
        match self {
            T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::DateTime => DataType::I64,
            T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => DataType::U64,
            T::Float | T::Double => DataType::F64,
            T::Boolean => DataType::Bool,
            T::String | T::Text | T::Uuid => DataType::Text,
            _ => DataType::Array,
        }
    }

    /// Bytes of an integer within a list or alone; 0 for other types.
    fn width(self) -> u32 {
        match self {
            T::Int8 | T::UInt8 | T::Int8Array | T::UInt8Array => 1,
            T::Int16 | T::UInt16 | T::Int16Array | T::UInt16Array => 2,
            T::Int32 | T::UInt32 | T::Int32Array | T::UInt32Array | T::FloatArray => 4,
            T::Int64
            | T::UInt64
            | T::DateTime
            | T::Int64Array
            | T::UInt64Array
            | T::DoubleArray
            | T::DateTimeArray => 8,
            _ => 0,
        }
    }

    fn is_signed(self) -> bool {
        matches!(
            self,
            T::Int8
                | T::Int16
                | T::Int32
                | T::Int64
                | T::DateTime
                | T::Int8Array
                | T::Int16Array
                | T::Int32Array
                | T::Int64Array
                | T::DateTimeArray
        )
    }
}

/// A value as raw as can be. Structures and tables are taken apart before.
pub(crate) fn decode(value: &MetricValue, data_type: Type) -> Result<Value, Misfit> {
    let misfit = || Misfit(format!("the value is not of type {data_type:?}, which its birth says"));
    match (data_type, value) {
        (T::Boolean, MetricValue::Boolean(truth)) => Ok(Value::Bool(*truth)),
        (T::Boolean, MetricValue::Int(number)) => Ok(Value::Bool(*number != 0)),
        (T::Float | T::Double, MetricValue::Float(x)) => Ok(Value::F64((*x).into())),
        (T::Float | T::Double, MetricValue::Double(x)) => Ok(Value::F64(*x)),
        (T::String | T::Text | T::Uuid, MetricValue::String(text)) => {
            Value::text(text).map_err(|error| Misfit(error.to_string()))
        }
        (T::Bytes | T::File, MetricValue::Bytes(bytes)) => {
            list(bytes.iter().map(|b| Value::U64((*b).into())))
        }
        (_, MetricValue::Int(word)) => integer((*word).into(), data_type).ok_or_else(misfit),
        (_, MetricValue::Long(word)) => integer(*word, data_type).ok_or_else(misfit),
        (_, MetricValue::Bytes(bytes)) => array(bytes, data_type).unwrap_or_else(|| Err(misfit())),
        _ => Err(misfit()),
    }
}

/// Negative numbers stand in two's complement in as many bits as their type has, or in more.
fn integer(word: u64, data_type: Type) -> Option<Value> {
    if matches!(data_type, T::Int8Array | T::UInt8Array) || data_type.width() == 0 {
        return None;
    }
    let is_scalar = matches!(data_type.data_type(), DataType::I64 | DataType::U64);
    is_scalar.then(|| number(word, data_type))
}

fn number(word: u64, data_type: Type) -> Value {
    let unused = 64 - 8 * data_type.width().clamp(1, 8);
    if data_type.is_signed() {
        Value::I64((word << unused) as i64 >> unused)
    } else {
        Value::U64(word << unused >> unused)
    }
}

fn list(items: impl ExactSizeIterator<Item = Value>) -> Result<Value, Misfit> {
    if items.len() > ARRAY_LENGTH_MAX {
        return Err(Misfit(format!(
            "a list of {} elements: at most {ARRAY_LENGTH_MAX}",
            items.len()
        )));
    }
    Ok(items.collect())
}

/// A list packed into bytes, the lowest byte first (6.4.17); none where the type is no list.
fn array(bytes: &[u8], data_type: Type) -> Option<Result<Value, Misfit>> {
    match data_type {
        T::BooleanArray => Some(booleans(bytes)),
        T::StringArray => Some(texts(bytes)),
        T::Int8Array
        | T::Int16Array
        | T::Int32Array
        | T::Int64Array
        | T::UInt8Array
        | T::UInt16Array
        | T::UInt32Array
        | T::UInt64Array
        | T::FloatArray
        | T::DoubleArray
        | T::DateTimeArray => {
            let width = data_type.width() as usize;
            let chunks = bytes.chunks_exact(width);
            if !chunks.remainder().is_empty() {
                return Some(Err(Misfit(format!(
                    "{} bytes are no list of {data_type:?}",
                    bytes.len()
                ))));
            }
            Some(list(chunks.map(|chunk| {
                let word =
                    chunk.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
                match data_type {
                    T::FloatArray => Value::F64(f32::from_bits(word as u32).into()),
                    T::DoubleArray => Value::F64(f64::from_bits(word)),
                    _ => number(word, data_type),
                }
            })))
        }
        _ => None,
    }
}

/// A count in four bytes, then bits, the highest one first.
fn booleans(bytes: &[u8]) -> Result<Value, Misfit> {
    let misfit = || Misfit("the bytes are no list of truth values".to_owned());
    let (count, bits) = bytes.split_first_chunk::<4>().ok_or_else(misfit)?;
    let count = u32::from_le_bytes(*count) as usize;
    if count > bits.len().saturating_mul(8) {
        return Err(misfit());
    }
    let bit =
        |index: usize| bits.get(index / 8).is_some_and(|byte| byte >> (7 - index % 8) & 1 == 1);
    list((0..count).map(|index| Value::Bool(bit(index))))
}

/// Texts, each with a zero behind it.
fn texts(bytes: &[u8]) -> Result<Value, Misfit> {
    let misfit = || Misfit("the bytes are no list of texts".to_owned());
    let Some((0, bytes)) = bytes.split_last() else {
        return if bytes.is_empty() { list(std::iter::empty()) } else { Err(misfit()) };
    };
    let mut items = Vec::new();
    for text in bytes.split(|byte| *byte == 0).take(ARRAY_LENGTH_MAX + 1) {
        let text = std::str::from_utf8(text).map_err(|_| misfit())?;
        items.push(Value::text(text).map_err(|error| Misfit(error.to_string()))?);
    }
    list(items.into_iter())
}

/// The columns of a table as lists, by name. Of a table beyond the bound, nothing is read.
pub(crate) fn columns(table: &DataSet) -> Vec<(String, Result<Value, Misfit>)> {
    let cells = table.rows.len().saturating_mul(table.columns.len());
    let column = |(index, name): (usize, &String)| {
        if cells > CELLS_MAX {
            return (
                name.clone(),
                Err(Misfit(format!("a table of {cells} cells: at most {CELLS_MAX}"))),
            );
        }
        let data_type = table.types.get(index).and_then(|code| Type::from_code(*code));
        let cell = |row: &crate::proto::Row| {
            let value = row.elements.get(index).and_then(|cell| cell.value.as_ref());
            let misfit = || Misfit("a row of the table lacks a cell".to_owned());
            decode(&of_cell(value.ok_or_else(misfit)?), data_type.ok_or_else(misfit)?)
        };
        let items: Result<Vec<_>, _> = table.rows.iter().map(cell).collect();
        (name.clone(), items.and_then(|items| list(items.into_iter())))
    };
    table.columns.iter().enumerate().take(CELLS_MAX).map(column).collect()
}

fn of_cell(cell: &Cell) -> MetricValue {
    match cell {
        Cell::Int(word) => MetricValue::Int(*word),
        Cell::Long(word) => MetricValue::Long(*word),
        Cell::Float(x) => MetricValue::Float(*x),
        Cell::Double(x) => MetricValue::Double(*x),
        Cell::Boolean(truth) => MetricValue::Boolean(*truth),
        Cell::String(text) => MetricValue::String(text.clone()),
    }
}

/// Whether a negative number of less than four bytes stands in its own width (0xFF) or in four bytes
/// (0xFFFFFFFF); none where that cannot be seen. The specification does not say, and edge nodes that write the
/// one may not read the other.
pub(crate) fn is_narrow(value: &MetricValue, data_type: Type) -> Option<bool> {
    let (MetricValue::Int(word), T::Int8 | T::Int16) = (value, data_type) else { return None };
    let bits = 8 * data_type.width();
    let is_negative = word >> (bits - 1) & 1 == 1;
    is_negative.then(|| word >> bits == 0)
}

/// The value of a command, in the metric's type; negative numbers as [`is_narrow`] says.
///
/// # Errors
/// Why the metric cannot hold it, for people.
pub(crate) fn encode(value: &Value, data_type: Type, narrow: bool) -> Result<MetricValue, String> {
    let number =
        || value.as_f64().ok_or_else(|| format!("a metric of type {data_type:?} takes numbers"));
    Ok(match data_type {
        T::Float => {
            let single = number()? as f32;
            if single.is_infinite() {
                return Err(format!("the value does not fit {data_type:?}"));
            }
            MetricValue::Float(single)
        }
        T::Double => MetricValue::Double(number()?),
        T::Boolean => MetricValue::Boolean(number()? != 0.0),
        T::String | T::Text | T::Uuid => match value {
            Value::Text(text) => MetricValue::String(text.to_string()),
            _ => return Err(format!("a metric of type {data_type:?} takes texts")),
        },
        T::Int8
        | T::Int16
        | T::Int32
        | T::Int64
        | T::UInt8
        | T::UInt16
        | T::UInt32
        | T::UInt64
        | T::DateTime => {
            let word = word(value, data_type)?;
            match data_type {
                T::Int64 | T::UInt64 | T::DateTime => MetricValue::Long(word),
                T::Int8 if narrow => MetricValue::Int((word as u8).into()),
                T::Int16 if narrow => MetricValue::Int((word as u16).into()),
                _ => MetricValue::Int(word as u32),
            }
        }
        _ => return Err(format!("a metric of type {data_type:?} cannot be written")),
    })
}

fn word(value: &Value, data_type: Type) -> Result<u64, String> {
    let whole: i128 = match value {
        Value::I64(n) | Value::Enumeration(n) => (*n).into(),
        Value::U64(n) => (*n).into(),
        Value::Bool(truth) => (*truth).into(),
        Value::F64(x) if x.fract() == 0.0 && x.abs() < 1e19 => *x as i128,
        _ => return Err(format!("a metric of type {data_type:?} takes whole numbers")),
    };
    let bits = 8 * data_type.width();
    let (lowest, highest) = if data_type.is_signed() {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    } else {
        (0, (1_i128 << bits) - 1)
    };
    if !(lowest..=highest).contains(&whole) {
        return Err(format!("{whole} does not fit {data_type:?}"));
    }
    Ok(whole as u64)
}

/// The quality that the property `Quality` says (6.4.13): the bytes of OPC DA, and 500 for stale.
pub(crate) fn quality(code: u64) -> Quality {
    match code {
        192 => Quality::GOOD,
        500 => Quality::LAST_USABLE,
        0 => Quality::BAD,
        code if code & 0xC0 == 0xC0 => Quality::GOOD,
        code if code & 0xC0 == 0x40 => Quality::UNCERTAIN,
        _ => Quality::BAD,
    }
}

#[cfg(test)]
mod tests;
