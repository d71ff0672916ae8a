//! Values of OPC UA as values of Weir.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opcua::types::{ByteStringBody, DateTime, ExtensionObject, StatusCode, Variant};
use serde_json::{Map, Value as Json};
use weir_model::{ARRAY_LENGTH_MAX, DataType, Quality, TEXT_BYTES_MAX, Timestamp, Value};

use crate::address::Index;
use crate::link::watch::nanos;
use crate::status::told;
use crate::structures::{Structures, fields};

/// Deepest nesting of structures that becomes JSON; the library itself decodes ten levels.
const DEPTH_MAX: usize = 16;

/// What is wanted of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want<'a> {
    /// What the tag's values are, where a value could be several things.
    pub(crate) data_type: DataType,
    /// Whether numbers stand for named states.
    pub(crate) is_enumeration: bool,
    /// Which elements were asked for. One alone comes as an array of one.
    pub(crate) index: Option<&'a Index>,
    /// The path of a field within a structure.
    pub(crate) field: &'a [String],
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unusable {
    pub(crate) quality: Quality,
    pub(crate) cause: String,
}

fn unusable<T>(quality: Quality, cause: impl Into<String>) -> Result<T, Unusable> {
    Err(Unusable { quality, cause: cause.into() })
}

/// The value, in as much of its own type as Weir has. Integers stay integers; times and bytes become text, times
/// for a numeric tag nanoseconds since 1970; a structure becomes JSON.
pub(crate) fn to_value(
    variant: &Variant,
    want: Want<'_>,
    structures: Option<&Structures>,
) -> Result<Value, Unusable> {
    let elements;
    let mut variant = variant;
    if let (Some(index), Variant::Array(_)) = (want.index, variant) {
        elements = elements_of(variant, index)?;
        variant = &elements;
    }
    let found;
    if !want.field.is_empty() {
        found = field(variant, want.field, structures)?;
        variant = &found;
    }
    match variant {
        Variant::Array(array) if want.data_type == DataType::Text => {
            check_length(array.values.len())?;
            text(&to_json(variant, structures, 0).to_string())
        }
        Variant::Array(array) => {
            check_length(array.values.len())?;
            let items = array.values.iter().map(|item| scalar(item, want, structures));
            let items = items.collect::<Result<Vec<_>, _>>()?;
            Value::array(items).or_else(|e| unusable(Quality::CONFIGURATION_ERROR, e.to_string()))
        }
        variant => scalar(variant, want, structures),
    }
}

/// The elements that were asked for. Servers that do not know index ranges send the whole array.
fn elements_of(variant: &Variant, index: &Index) -> Result<Variant, Unusable> {
    let Variant::Array(array) = variant else { return Ok(variant.clone()) };
    let is_whole = index.length_max().is_some_and(|length_max| array.values.len() > length_max);
    let ranged = if is_whole { variant.range_of(&index.range) } else { Ok(variant.clone()) };
    let ranged = match ranged {
        Ok(ranged) => ranged,
        Err(status) => return unusable(Quality::from_code(status.bits()), told(status)),
    };
    match &ranged {
        Variant::Array(array) if index.is_element => match array.values.as_slice() {
            [only] => Ok(only.clone()),
            _ => {
                let status = StatusCode::BadIndexRangeNoData;
                unusable(Quality::from_code(status.bits()), told(status))
            }
        },
        _ => Ok(ranged),
    }
}

fn check_length(length: usize) -> Result<(), Unusable> {
    if length <= ARRAY_LENGTH_MAX {
        return Ok(());
    }
    let cause = format!(
        "an array of {length} elements; at most {ARRAY_LENGTH_MAX} are taken: give the point an index range"
    );
    unusable(Quality::OUT_OF_RANGE, cause)
}

fn scalar(
    variant: &Variant,
    want: Want<'_>,
    structures: Option<&Structures>,
) -> Result<Value, Unusable> {
    let signed = |number: i64| {
        Ok(if want.is_enumeration { Value::Enumeration(number) } else { Value::I64(number) })
    };
    let unsigned = |number: u64| {
        let state = i64::try_from(number).ok().filter(|_| want.is_enumeration);
        Ok(state.map_or(Value::U64(number), Value::Enumeration))
    };
    match variant {
        Variant::Boolean(truth) => Ok(Value::Bool(*truth)),
        Variant::SByte(number) => signed((*number).into()),
        Variant::Int16(number) => signed((*number).into()),
        Variant::Int32(number) => signed((*number).into()),
        Variant::Int64(number) => signed(*number),
        Variant::Byte(number) => unsigned((*number).into()),
        Variant::UInt16(number) => unsigned((*number).into()),
        Variant::UInt32(number) => unsigned((*number).into()),
        Variant::UInt64(number) => unsigned(*number),
        Variant::Float(number) => Ok(Value::F64((*number).into())),
        Variant::Double(number) => Ok(Value::F64(*number)),
        Variant::StatusCode(status) if want.data_type == DataType::Text => text(&told(*status)),
        Variant::StatusCode(status) => Ok(Value::U64(status.bits().into())),
        Variant::DateTime(time) if is_numeric(want.data_type) => match nanos(**time) {
            Some(nanos) => Ok(Value::I64(nanos)),
            None => unusable(Quality::OUT_OF_RANGE, "the time is outside of 1677 to 2262"),
        },
        Variant::Empty => unusable(Quality::WAITING, "the server has no value yet (null)"),
        Variant::Variant(inner) => match &**inner {
            Variant::Array(_) | Variant::Variant(_) => {
                text(&to_json(inner, structures, 0).to_string())
            }
            inner => scalar(inner, want, structures),
        },
        Variant::DataValue(inner) => match &inner.value {
            Some(inner @ (Variant::Array(_) | Variant::Variant(_) | Variant::DataValue(_))) => {
                text(&to_json(inner, structures, 0).to_string())
            }
            Some(inner) => scalar(inner, want, structures),
            None => unusable(Quality::WAITING, "the server has no value yet (null)"),
        },
        Variant::ExtensionObject(object) if object.is_null() => {
            unusable(Quality::WAITING, "the server has no value yet (null)")
        }
        variant => match to_json(variant, structures, 0) {
            Json::String(plain) => text(&plain),
            json => text(&json.to_string()),
        },
    }
}

fn is_numeric(data_type: DataType) -> bool {
    matches!(data_type, DataType::I64 | DataType::U64 | DataType::F64)
}

fn text(text: &str) -> Result<Value, Unusable> {
    Value::text(text).or_else(|_| {
        let cause = format!("a text of {} bytes; at most {TEXT_BYTES_MAX} are taken", text.len());
        unusable(Quality::OUT_OF_RANGE, cause)
    })
}

/// A field within a structure, and within structures in it; a number goes into an array.
fn field(
    variant: &Variant,
    path: &[String],
    structures: Option<&Structures>,
) -> Result<Variant, Unusable> {
    let mut at = variant.clone();
    for name in path {
        at = match &at {
            Variant::ExtensionObject(object) => member(object, name, structures)?,
            Variant::Array(array) => {
                let item = name.parse::<usize>().ok().and_then(|index| array.values.get(index));
                match item {
                    Some(item) => item.clone(),
                    None => {
                        let cause =
                            format!("the array of {} has no element {name:?}", array.values.len());
                        return unusable(Quality::CONFIGURATION_ERROR, cause);
                    }
                }
            }
            Variant::Variant(inner) => field(inner, std::slice::from_ref(name), structures)?,
            Variant::Empty => {
                return unusable(Quality::WAITING, "the server has no value yet (null)");
            }
            _ => {
                let cause = format!("the value is no structure, so it has no field {name:?}");
                return unusable(Quality::CONFIGURATION_ERROR, cause);
            }
        };
    }
    Ok(at)
}

fn member(
    object: &ExtensionObject,
    name: &str,
    structures: Option<&Structures>,
) -> Result<Variant, Unusable> {
    if object.is_null() {
        return unusable(Quality::WAITING, "the server has no value yet (null)");
    }
    let Some(members) = fields(object, structures) else {
        let cause = "the server does not describe this structure's type, so its fields cannot be told apart";
        return unusable(Quality::CONFIGURATION_ERROR, cause);
    };
    let names: Vec<_> = members.iter().map(|(name, _)| name.clone()).collect();
    match members.into_iter().find(|(found, _)| found == name) {
        Some((_, value)) => Ok(value),
        None => {
            let names = crate::address::shorten(&names.join(", "));
            let cause = format!("the structure has no field {name:?}; it has {names}");
            unusable(Quality::CONFIGURATION_ERROR, cause)
        }
    }
}

/// A value as JSON: structures as objects, integers beyond 2^53 as texts, bytes in Base64.
pub(crate) fn to_json(variant: &Variant, structures: Option<&Structures>, depth: usize) -> Json {
    if depth > DEPTH_MAX {
        return Json::Null;
    }
    match variant {
        Variant::Empty => Json::Null,
        Variant::Boolean(truth) => (*truth).into(),
        Variant::SByte(number) => (*number).into(),
        Variant::Int16(number) => (*number).into(),
        Variant::Int32(number) => (*number).into(),
        Variant::Int64(number) => Value::I64(*number).to_json(),
        Variant::Byte(number) => (*number).into(),
        Variant::UInt16(number) => (*number).into(),
        Variant::UInt32(number) => (*number).into(),
        Variant::UInt64(number) => Value::U64(*number).to_json(),
        Variant::Float(number) => Value::F64((*number).into()).to_json(),
        Variant::Double(number) => Value::F64(*number).to_json(),
        Variant::String(text) => text.as_ref().into(),
        Variant::DateTime(time) => time_text(**time).into(),
        Variant::Guid(guid) => guid.to_string().into(),
        Variant::StatusCode(status) => status_json(*status),
        Variant::ByteString(bytes) => STANDARD.encode(bytes.as_ref()).into(),
        Variant::XmlElement(element) => element.to_string().into(),
        Variant::QualifiedName(name) => match name.namespace_index {
            0 => name.name.as_ref().into(),
            index => format!("{index}:{}", name.name.as_ref()).into(),
        },
        Variant::LocalizedText(text) => text.text.as_ref().into(),
        Variant::NodeId(node) => node.to_string().into(),
        Variant::ExpandedNodeId(node) => node.to_string().into(),
        Variant::ExtensionObject(object) => structure_json(object, structures, depth),
        Variant::Variant(inner) => to_json(inner, structures, depth + 1),
        Variant::DataValue(inner) => {
            inner.value.as_ref().map_or(Json::Null, |inner| to_json(inner, structures, depth + 1))
        }
        Variant::DiagnosticInfo(_) => Json::Null,
        Variant::Array(array) => {
            array.values.iter().map(|item| to_json(item, structures, depth + 1)).collect()
        }
    }
}

fn structure_json(object: &ExtensionObject, structures: Option<&Structures>, depth: usize) -> Json {
    if let Some(members) = fields(object, structures) {
        let members =
            members.into_iter().map(|(name, value)| (name, to_json(&value, structures, depth + 1)));
        return Json::Object(members.collect::<Map<_, _>>());
    }
    let mut json = Map::new();
    if let Some(body) = object.inner_as::<ByteStringBody>() {
        json.insert("encoding".to_owned(), body.encoding_id().to_string().into());
        json.insert("body".to_owned(), STANDARD.encode(body.raw_body().as_ref()).into());
    } else if !object.is_null() {
        json.insert("encoding".to_owned(), object.binary_type_id().node_id.to_string().into());
    } else {
        return Json::Null;
    }
    Json::Object(json)
}

fn status_json(status: StatusCode) -> Json {
    Json::from(status.bits())
}

/// A time as RFC 3339, to a tenth of a microsecond.
fn time_text(time: DateTime) -> String {
    match nanos(time) {
        Some(nanos) => Timestamp::from_nanos(nanos).to_string(),
        None => time.to_rfc3339(),
    }
}

#[cfg(test)]
mod tests;
