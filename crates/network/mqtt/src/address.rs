//! Where a point's value is: a topic, and a place in its messages.

use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::{DataType, FieldError};

use crate::topic;

/// Longest JSON pointer.
pub(crate) const POINTER_BYTES_MAX: usize = 1024;

/// Longest template of a write.
const TEMPLATE_BYTES_MAX: usize = 16 * 1024;

/// Where a point's value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointAddress {
    /// The topic whose messages hold it.
    pub topic: String,
    /// What its messages are.
    pub format: Format,
    /// Where in a message the time is, and how it is written; else it is when the message arrives.
    pub time: Option<(String, TimeFormat)>,
    /// Where in a message the quality is, and what its numbers mean.
    pub quality: Option<(String, QualityCodes)>,
    /// Whether messages may lack the value: then they say nothing of it.
    pub partial: bool,
    /// How it is written, where it can be.
    pub write: Option<WriteTo>,
}

/// What the messages of a topic are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// JSON, and the value stands at a JSON pointer (RFC 6901); the empty one is the whole message.
    Json(String),
    /// The value as text.
    Text,
    /// Bytes, and the value stands at an offset.
    Raw {
        /// What stands there.
        raw_type: RawType,
        /// Whether the lowest byte comes first.
        little: bool,
        /// The first byte of the value, from 0.
        offset: usize,
    },
}

/// What stands in a raw message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawType {
    /// A byte, true unless it is 0.
    Bool,
    /// Unsigned, of so many bytes: 1, 2, 4 or 8.
    Unsigned(usize),
    /// Signed, two's complement, of so many bytes: 1, 2, 4 or 8.
    Signed(usize),
    /// IEEE 754, 4 bytes.
    F32,
    /// IEEE 754, 8 bytes.
    F64,
}

/// How times are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339 with a zone.
    #[default]
    Rfc3339,
    /// A number of units since 1970-01-01 UTC, so many nanoseconds each.
    Since1970(i64),
}

/// What a number means that stands for a quality.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum QualityCodes {
    /// An OPC UA status code: 0 is good.
    #[default]
    OpcUa,
    /// The quality byte of OPC DA: 192 is good, 0 is bad.
    OpcDa,
}

/// How a point is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteTo {
    /// The topic to publish to.
    pub topic: String,
    /// The message, with `{value}` and others in it; none for the value as the format has it.
    pub template: Option<String>,
    /// Whether the broker keeps the message.
    pub retain: bool,
}

const FORMATS: &[(&str, u8)] = &[("json", 0), ("text", 1), ("raw", 2)];

const TIMES: &[(&str, TimeFormat)] = &[
    ("rfc3339", TimeFormat::Rfc3339),
    ("s", TimeFormat::Since1970(1_000_000_000)),
    ("ms", TimeFormat::Since1970(1_000_000)),
    ("us", TimeFormat::Since1970(1000)),
    ("ns", TimeFormat::Since1970(1)),
];

const CODES: &[(&str, QualityCodes)] =
    &[("opcua", QualityCodes::OpcUa), ("opcda", QualityCodes::OpcDa)];

const TYPES: &[(&str, RawType)] = &[
    ("bool", RawType::Bool),
    ("u8", RawType::Unsigned(1)),
    ("i8", RawType::Signed(1)),
    ("u16", RawType::Unsigned(2)),
    ("i16", RawType::Signed(2)),
    ("u32", RawType::Unsigned(4)),
    ("i32", RawType::Signed(4)),
    ("u64", RawType::Unsigned(8)),
    ("i64", RawType::Signed(8)),
    ("f32", RawType::F32),
    ("f64", RawType::F64),
];

impl RawType {
    /// How many bytes it takes.
    pub fn width(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Unsigned(width) | Self::Signed(width) => width,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl PointAddress {
    /// Reads an address from JSON that stands at a JSON pointer; none where something is wrong, which is added
    /// to the errors.
    pub fn parse(json: &Json, pointer: &str, errors: &mut Vec<FieldError>) -> Option<Self> {
        let before = errors.len();
        let mut fields = Fields::of(json, pointer.to_owned(), errors);
        let topic = topic_of(&mut fields, "topic");
        let topic = fields.require("topic", topic).unwrap_or_default();
        let format = format(&mut fields);
        let is_json = matches!(format, Format::Json(_));
        let time = pointer_of(&mut fields, "time");
        let time_format = fields.choice("time_format", TIMES).unwrap_or_default();
        let quality = pointer_of(&mut fields, "quality");
        let codes = fields.choice("quality_codes", CODES).unwrap_or_default();
        let partial = fields.truth("partial").unwrap_or_default();
        if !is_json {
            for (name, given) in
                [("time", time.is_some()), ("quality", quality.is_some()), ("partial", partial)]
            {
                if given {
                    fields.wrong(name, "only messages in JSON have it");
                }
            }
        }
        let write = write(&mut fields, &format);
        fields.finish();
        (errors.len() == before).then_some(Self {
            topic,
            format,
            time: time.map(|time| (time, time_format)),
            quality: quality.map(|quality| (quality, codes)),
            partial,
            write,
        })
    }

    /// Whether values of a type can come from such messages.
    pub(crate) fn fits(&self, data_type: DataType) -> Result<(), &'static str> {
        match (&self.format, data_type) {
            (Format::Raw { .. }, DataType::Text | DataType::Array) => {
                Err("a raw value is a number, a truth value or an enumeration")
            }
            _ => Ok(()),
        }
    }
}

fn topic_of(fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
    let text = fields.get(name)?.as_str();
    let checked = text.ok_or_else(|| "a text is expected".to_owned());
    match checked.and_then(|text| topic::check_name(text).map(|()| text.to_owned())) {
        Ok(text) => Some(text),
        Err(reason) => {
            fields.wrong(name, reason);
            None
        }
    }
}

/// A JSON pointer; `$` is the whole message.
fn pointer_of(fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
    let text = fields.text(name, POINTER_BYTES_MAX)?;
    if text == "$" {
        return Some(String::new());
    }
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if !text.starts_with('/') || !escapes {
        fields.wrong(
            name,
            "a JSON pointer such as /a/b/0 is expected (RFC 6901), or $ for the whole message",
        );
        return None;
    }
    Some(text.to_owned())
}

fn format(fields: &mut Fields<'_>) -> Format {
    let format = fields.choice("format", FORMATS).unwrap_or_default();
    let path = pointer_of(fields, "path");
    let raw_type = fields.choice("type", TYPES);
    let order = fields.choice("byte_order", &[("big", false), ("little", true)]);
    let offset = fields.number("offset", 0..=(1 << 20));
    if format != 0 && path.is_some() {
        fields.wrong("path", "only messages in JSON have paths");
    }
    if format != 2 {
        for (name, given) in [
            ("type", raw_type.is_some()),
            ("byte_order", order.is_some()),
            ("offset", offset.is_some()),
        ] {
            if given {
                fields.wrong(name, "only raw messages have it");
            }
        }
    }
    match format {
        0 => Format::Json(path.unwrap_or_default()),
        1 => Format::Text,
        _ => Format::Raw {
            raw_type: raw_type.unwrap_or(RawType::F64),
            little: order.unwrap_or_default(),
            offset: offset.unwrap_or_default() as usize,
        },
    }
}

fn write(fields: &mut Fields<'_>, format: &Format) -> Option<WriteTo> {
    let topic = topic_of(fields, "write_topic");
    let template = fields.text("write_template", TEMPLATE_BYTES_MAX).map(str::to_owned);
    let retain = fields.truth("write_retain");
    if topic.is_none() {
        for (name, given) in
            [("write_template", template.is_some()), ("write_retain", retain.is_some())]
        {
            if given {
                fields.wrong(name, "it needs a write_topic");
            }
        }
    }
    if template.as_ref().is_some_and(|text| !text.contains("{value}") && !text.contains("{text}")) {
        fields.wrong("write_template", "it has neither {value} nor {text} in it");
    }
    if topic.is_some()
        && let Format::Raw { offset, .. } = format
        && *offset > 0
    {
        fields.wrong("write_topic", "of a raw message only the whole can be written, at offset 0");
    }
    topic.map(|topic| WriteTo { topic, template, retain: retain.unwrap_or_default() })
}

#[cfg(test)]
mod tests;
