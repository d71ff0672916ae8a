//! Values of Weir, and JSON, as values of OPC UA.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opcua::types::{
    Array, ByteString, DateTime, ExpandedNodeId, Guid, LocalizedText, QualifiedName, StatusCode,
    UAString, Variant, VariantScalarTypeId, XmlElement,
};
use serde_json::Value as Json;
use weir_model::{DataType, Timestamp, Value};

use crate::kinds::Kind;
use crate::{Namespaces, NodeAddress};

/// 1970 in ticks of 100 ns since 1601.
const UNIX_EPOCH_TICKS: i64 = 116_444_736_000_000_000;

/// A value of a node's own data type.
///
/// # Errors
/// Why it does not fit, for people.
pub(crate) fn to_variant(
    value: &Value,
    kind: Kind,
    namespaces: &Namespaces,
) -> Result<Variant, String> {
    let id = match kind {
        Kind::Scalar(id) => id,
        Kind::Enumeration => VariantScalarTypeId::Int32,
        Kind::Structure => return Err("a structure cannot be written as a whole".to_owned()),
        Kind::Any => natural(value),
    };
    match value {
        Value::Array(items) => {
            let items = items
                .iter()
                .map(|item| scalar(item, id, namespaces))
                .collect::<Result<Vec<_>, _>>()?;
            let array = Array::new(id, items).map_err(|e| e.to_string())?;
            Ok(Variant::Array(Box::new(array)))
        }
        value => scalar(value, id, namespaces),
    }
}

/// What a value is where the node takes anything.
fn natural(value: &Value) -> VariantScalarTypeId {
    match value {
        Value::Bool(_) => VariantScalarTypeId::Boolean,
        Value::I64(_) => VariantScalarTypeId::Int64,
        Value::U64(_) => VariantScalarTypeId::UInt64,
        Value::Enumeration(_) => VariantScalarTypeId::Int32,
        Value::Text(_) => VariantScalarTypeId::String,
        Value::Array(items) => items.first().map_or(VariantScalarTypeId::Double, natural),
        _ => VariantScalarTypeId::Double,
    }
}

fn scalar(
    value: &Value,
    id: VariantScalarTypeId,
    namespaces: &Namespaces,
) -> Result<Variant, String> {
    use VariantScalarTypeId as Id;
    Ok(match id {
        Id::Boolean => Variant::Boolean(truth(value)?),
        Id::SByte => Variant::SByte(integer(value, id)?),
        Id::Byte => Variant::Byte(integer(value, id)?),
        Id::Int16 => Variant::Int16(integer(value, id)?),
        Id::UInt16 => Variant::UInt16(integer(value, id)?),
        Id::Int32 => Variant::Int32(integer(value, id)?),
        Id::UInt32 => Variant::UInt32(integer(value, id)?),
        Id::Int64 => Variant::Int64(integer(value, id)?),
        Id::UInt64 => Variant::UInt64(integer(value, id)?),
        Id::StatusCode => Variant::StatusCode(StatusCode::from(integer::<u32>(value, id)?)),
        Id::Float => {
            let number = number(value)?;
            let single = number as f32;
            if number.is_finite() && !single.is_finite() {
                return Err(format!("{number} does not fit a Float"));
            }
            Variant::Float(single)
        }
        Id::Double => Variant::Double(number(value)?),
        Id::DateTime => Variant::DateTime(Box::new(time(value)?)),
        Id::String => Variant::String(UAString::from(text(value)?)),
        Id::LocalizedText => Variant::LocalizedText(Box::new(LocalizedText::new("", text(value)?))),
        Id::XmlElement => Variant::XmlElement(XmlElement::from(text(value)?)),
        Id::Guid => {
            let guid: Guid = text(value)?.parse().map_err(|_| "a GUID is expected".to_owned())?;
            Variant::Guid(Box::new(guid))
        }
        Id::ByteString => {
            let bytes = STANDARD
                .decode(text(value)?)
                .map_err(|_| "bytes in Base64 are expected".to_owned())?;
            Variant::ByteString(ByteString::from(bytes))
        }
        Id::QualifiedName => {
            let text = text(value)?;
            let split =
                text.split_once(':').and_then(|(index, name)| Some((index.parse().ok()?, name)));
            let (index, name) = split.unwrap_or((0, text));
            Variant::QualifiedName(Box::new(QualifiedName::new(index, name)))
        }
        Id::NodeId | Id::ExpandedNodeId => {
            let node = NodeAddress::parse(text(value)?)?.resolve(namespaces)?;
            if id == Id::NodeId {
                Variant::NodeId(Box::new(node))
            } else {
                Variant::ExpandedNodeId(Box::new(ExpandedNodeId::new(node)))
            }
        }
        Id::Variant => {
            let inner = natural(value);
            scalar(value, inner, namespaces)?
        }
        other => return Err(format!("values of type {other} cannot be written")),
    })
}

fn truth(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        other => match other.as_f64() {
            Some(0.0) => Ok(false),
            Some(1.0) => Ok(true),
            _ => Err("true or false is expected".to_owned()),
        },
    }
}

/// Numbers are rounded to whole ones and must fit.
fn integer<T: TryFrom<i128>>(value: &Value, id: VariantScalarTypeId) -> Result<T, String> {
    let whole: i128 = match value {
        Value::I64(number) | Value::Enumeration(number) => (*number).into(),
        Value::U64(number) => (*number).into(),
        Value::Bool(truth) => i128::from(u8::from(*truth)),
        Value::F64(number) if number.is_finite() && number.abs() < 1e30 => number.round() as i128,
        _ => return Err("a whole number is expected".to_owned()),
    };
    T::try_from(whole).map_err(|_| format!("{whole} does not fit the node's type {id}"))
}

fn number(value: &Value) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| "a number is expected".to_owned())
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err("a text is expected".to_owned()),
    }
}

/// A time as RFC 3339, or as nanoseconds since 1970. OPC UA keeps tenths of a microsecond.
fn time(value: &Value) -> Result<DateTime, String> {
    let nanos = match value {
        Value::Text(text) => Timestamp::parse(text).map_err(|e| e.to_string())?.nanos(),
        other => integer::<i64>(other, VariantScalarTypeId::DateTime)?,
    };
    Ok(date_time(Timestamp::from_nanos(nanos)))
}

/// A time of Weir in the protocol's own, which begins in 1601.
pub(crate) fn date_time(time: Timestamp) -> DateTime {
    DateTime::from((time.nanos().div_euclid(100) + UNIX_EPOCH_TICKS).max(0))
}

/// An argument of a method.
///
/// # Errors
/// What is expected, for people.
pub(crate) fn json_to_variant(
    json: &Json,
    kind: Kind,
    namespaces: &Namespaces,
) -> Result<Variant, String> {
    if json.is_null() {
        return Ok(Variant::Empty);
    }
    let value = match json {
        Json::Array(items) => {
            let items =
                items.iter().map(|item| json_scalar(item, kind)).collect::<Result<Vec<_>, _>>()?;
            Value::array(items).map_err(|e| e.to_string())?
        }
        json => json_scalar(json, kind)?,
    };
    to_variant(&value, kind, namespaces)
}

fn json_scalar(json: &Json, kind: Kind) -> Result<Value, String> {
    let data_type = match (kind.data_type(), json) {
        (Some(DataType::Text), Json::Number(_)) => DataType::I64,
        (Some(data_type), _) => data_type,
        (None, Json::Bool(_)) => DataType::Bool,
        (None, Json::Number(number)) if number.is_i64() => DataType::I64,
        (None, Json::Number(number)) if number.is_u64() => DataType::U64,
        (None, Json::Number(_)) => DataType::F64,
        (None, _) => DataType::Text,
    };
    Value::from_json(json, data_type).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests;
