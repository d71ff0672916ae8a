//! Between Weir's values, times and qualities and those of OPC UA.

mod units;

use opcua::types::{
    Array, DataTypeId, DataValue, DateTime, LocalizedText, NodeId, NumericRange, StatusCode,
    TimestampsToReturn, UAString, Variant, VariantScalarTypeId,
};
use weir_model::{DataType, Quality, Sample, Timestamp, Value};

pub(crate) use units::eu_information;

/// Ticks of 100 ns from 1601 to 1970 (OPC 10000-6, clause 5.2.2.5).
const UNIX_EPOCH_TICKS: i64 = 116_444_736_000_000_000;

/// Nanoseconds in a tick.
const TICK_NANOS: i64 = 100;

/// A quality is an OPC UA status code already.
pub(crate) fn status(quality: Quality) -> StatusCode {
    StatusCode::from(quality.code())
}

/// The time in ticks of 100 ns, and the rest in units of 10 ps.
pub(crate) fn date_time(time: Timestamp) -> (DateTime, Option<u16>) {
    let nanos = time.nanos();
    let ticks = nanos.div_euclid(TICK_NANOS) + UNIX_EPOCH_TICKS;
    let rest = nanos.rem_euclid(TICK_NANOS) as u16 * 100;
    (DateTime::from(ticks), (rest != 0).then_some(rest))
}

/// The time of a client; times outside of Weir's range become its ends, as OPC 10000-6, clause
/// 5.2.2.5 asks.
pub(crate) fn timestamp(time: &DateTime) -> Timestamp {
    let nanos = (i128::from(time.ticks()) - i128::from(UNIX_EPOCH_TICKS)) * i128::from(TICK_NANOS);
    let nanos = nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    Timestamp::from_nanos(nanos as i64)
}

/// The value on the wire.
pub(crate) fn variant(value: &Value) -> Variant {
    match value {
        Value::F64(x) => Variant::Double(*x),
        Value::I64(x) | Value::Enumeration(x) => Variant::Int64(*x),
        Value::U64(x) => Variant::UInt64(*x),
        Value::Bool(x) => Variant::Boolean(*x),
        Value::Text(x) => Variant::String(UAString::from(x.as_ref())),
        Value::Array(items) => array(items),
        _ => Variant::Empty,
    }
}

/// An array of one type where all elements have it; numbers of several types become doubles, and
/// anything else an array of variants.
fn array(items: &[Value]) -> Variant {
    let of = |data_type| items.iter().all(|item| item.data_type() == data_type);
    let number = |item: &Value| {
        matches!(
            item.data_type(),
            DataType::F64 | DataType::I64 | DataType::U64 | DataType::Enumeration
        )
    };
    let kind = if of(DataType::F64) {
        VariantScalarTypeId::Double
    } else if of(DataType::I64) || of(DataType::Enumeration) {
        VariantScalarTypeId::Int64
    } else if of(DataType::U64) {
        VariantScalarTypeId::UInt64
    } else if of(DataType::Bool) {
        VariantScalarTypeId::Boolean
    } else if of(DataType::Text) {
        VariantScalarTypeId::String
    } else if items.iter().all(number) {
        VariantScalarTypeId::Double
    } else {
        VariantScalarTypeId::Variant
    };
    let element = |item: &Value| match kind {
        VariantScalarTypeId::Double => Variant::Double(item.as_f64().unwrap_or(f64::NAN)),
        VariantScalarTypeId::Variant => Variant::Variant(Box::new(variant(item))),
        _ => variant(item),
    };
    let values: Vec<Variant> = items.iter().map(element).collect();
    Array::new(kind, values).map_or(Variant::Empty, Variant::from)
}

/// The value that a client wrote, for a tag of the given type. The type is the tag's own, as the
/// `DataType` attribute says it; nothing is converted.
///
/// # Errors
/// `BadTypeMismatch`, or `BadOutOfRange` for texts and arrays that are too long.
pub(crate) fn value(variant: &Variant, data_type: DataType) -> Result<Value, StatusCode> {
    let value = match (data_type, variant) {
        (DataType::F64, Variant::Double(x)) => Value::F64(*x),
        (DataType::I64, Variant::Int64(x)) => Value::I64(*x),
        (DataType::U64, Variant::UInt64(x)) => Value::U64(*x),
        (DataType::Bool, Variant::Boolean(x)) => Value::Bool(*x),
        (DataType::Enumeration, Variant::Int64(x)) => Value::Enumeration(*x),
        (DataType::Text, Variant::String(_)) => return scalar(variant),
        (DataType::Array, Variant::Array(array)) => {
            let items: Result<Vec<_>, _> = array.values.iter().map(scalar).collect();
            return Value::array(items?).map_err(|_| StatusCode::BadOutOfRange);
        }
        _ => return Err(StatusCode::BadTypeMismatch),
    };
    Ok(value)
}

fn scalar(variant: &Variant) -> Result<Value, StatusCode> {
    Ok(match variant {
        Variant::Boolean(x) => Value::Bool(*x),
        Variant::SByte(x) => Value::I64(i64::from(*x)),
        Variant::Int16(x) => Value::I64(i64::from(*x)),
        Variant::Int32(x) => Value::I64(i64::from(*x)),
        Variant::Int64(x) => Value::I64(*x),
        Variant::Byte(x) => Value::U64(u64::from(*x)),
        Variant::UInt16(x) => Value::U64(u64::from(*x)),
        Variant::UInt32(x) => Value::U64(u64::from(*x)),
        Variant::UInt64(x) => Value::U64(*x),
        Variant::Float(x) => Value::F64(f64::from(*x)),
        Variant::Double(x) => Value::F64(*x),
        Variant::String(x) => {
            return Value::text(x.as_ref()).map_err(|_| StatusCode::BadOutOfRange);
        }
        _ => return Err(StatusCode::BadTypeMismatch),
    })
}

/// The `DataType` attribute of a tag.
pub(crate) fn data_type_id(data_type: DataType) -> NodeId {
    let id = match data_type {
        DataType::F64 => DataTypeId::Double,
        DataType::I64 | DataType::Enumeration => DataTypeId::Int64,
        DataType::U64 => DataTypeId::UInt64,
        DataType::Bool => DataTypeId::Boolean,
        DataType::Text => DataTypeId::String,
        _ => DataTypeId::BaseDataType,
    };
    id.into()
}

/// A sample as a read, a notification or a history answer carries it.
pub(crate) fn data_value(
    sample: &Sample,
    arrival: Timestamp,
    timestamps: TimestampsToReturn,
) -> DataValue {
    let mut value = DataValue {
        value: sample.value.as_ref().map(variant),
        // A good status is left out on the wire.
        status: (sample.quality != Quality::GOOD).then(|| status(sample.quality)),
        ..DataValue::default()
    };
    if matches!(timestamps, TimestampsToReturn::Source | TimestampsToReturn::Both) {
        // What never was has no time.
        if sample.time != Timestamp::MIN {
            let (time, rest) = date_time(sample.time);
            value.source_timestamp = Some(time);
            value.source_picoseconds = rest;
        }
    }
    if matches!(timestamps, TimestampsToReturn::Server | TimestampsToReturn::Both) {
        value.server_timestamp = Some(date_time(arrival).0);
    }
    value
}

/// What a tag reads as that never had a sample.
pub(crate) fn waiting() -> Sample {
    Sample::without_value(Timestamp::MIN, Quality::WAITING)
}

/// The elements that a client asked for.
pub(crate) fn ranged(mut value: DataValue, range: &NumericRange) -> DataValue {
    if range.is_none() {
        return value;
    }
    let Some(whole) = value.value.take() else { return value };
    match part(&whole, range) {
        Ok(part) => value.value = Some(part),
        Err(status) => value.status = Some(status),
    }
    value
}

/// What a range leaves of a value. Weir's values have one dimension at most.
fn part(whole: &Variant, range: &NumericRange) -> Result<Variant, StatusCode> {
    let (min, max) = match range {
        NumericRange::None => return Ok(whole.clone()),
        NumericRange::Index(at) => (*at as usize, *at as usize),
        NumericRange::Range(min, max) if min <= max => (*min as usize, *max as usize),
        _ => return Err(StatusCode::BadIndexRangeNoData),
    };
    match whole {
        // Counted in bytes. A part that would begin or end within a character is none: the library
        // would panic at it.
        Variant::String(text) => {
            let text = text.as_ref();
            let max = max.min(text.len().saturating_sub(1));
            let part = text.get(min..=max).filter(|part| !part.is_empty());
            part.map(Variant::from).ok_or(StatusCode::BadIndexRangeNoData)
        }
        whole => whole.range_of(range),
    }
}

/// A value that is no sample, such as a server's own.
pub(crate) fn plain(value: impl Into<Variant>) -> DataValue {
    DataValue { value: Some(value.into()), ..DataValue::default() }
}

/// Nothing but a status.
pub(crate) fn bad(status: StatusCode) -> DataValue {
    DataValue { status: Some(status), ..DataValue::default() }
}

/// Keeps the timestamps that a client asked for; those that are missing become `now`.
pub(crate) fn stamped(
    mut value: DataValue,
    timestamps: TimestampsToReturn,
    now: Timestamp,
) -> DataValue {
    let now = date_time(now).0;
    let source = matches!(timestamps, TimestampsToReturn::Source | TimestampsToReturn::Both);
    let server = matches!(timestamps, TimestampsToReturn::Server | TimestampsToReturn::Both);
    value.source_timestamp = source.then(|| value.source_timestamp.unwrap_or(now));
    value.source_picoseconds = value.source_picoseconds.filter(|_| source);
    value.server_timestamp = server.then(|| value.server_timestamp.unwrap_or(now));
    value
}

/// A text without a language.
pub(crate) fn text(text: &str) -> LocalizedText {
    LocalizedText { locale: UAString::null(), text: UAString::from(text) }
}

/// Bytes that a value takes in a message, not less than it does.
pub(crate) fn value_bytes(value: Option<&Value>) -> usize {
    /// Status, timestamps, client handle and masks.
    const BESIDE: usize = 48;
    BESIDE
        + match value {
            Some(Value::Text(text)) => text.len(),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| if let Value::Text(text) = item { text.len() + 6 } else { 10 })
                .sum(),
            _ => 8,
        }
}

#[cfg(test)]
mod tests;
