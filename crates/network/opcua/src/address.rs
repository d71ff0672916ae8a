//! Addresses of points: a node, and what of it.

use std::time::Duration;

use opcua::types::{AttributeId, NumericRange};
use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;

use crate::{NodeAddress, Settings};

/// Most dimensions of an index: matrices of more are unknown in the field.
const DIMENSIONS_MAX: usize = 8;

/// Deepest path into nested structures.
const FIELD_DEPTH_MAX: usize = 16;

/// Longest path of a structure's field.
const FIELD_BYTES_MAX: usize = 1024;

/// Attributes that can be read, by the names of OPC 10000-3, clause 5.
pub(crate) const ATTRIBUTES: &[(&str, AttributeId)] = &[
    ("Value", AttributeId::Value),
    ("DisplayName", AttributeId::DisplayName),
    ("BrowseName", AttributeId::BrowseName),
    ("Description", AttributeId::Description),
    ("NodeClass", AttributeId::NodeClass),
    ("DataType", AttributeId::DataType),
    ("ValueRank", AttributeId::ValueRank),
    ("AccessLevel", AttributeId::AccessLevel),
    ("UserAccessLevel", AttributeId::UserAccessLevel),
    ("MinimumSamplingInterval", AttributeId::MinimumSamplingInterval),
    ("Historizing", AttributeId::Historizing),
    ("EventNotifier", AttributeId::EventNotifier),
    ("Executable", AttributeId::Executable),
    ("UserExecutable", AttributeId::UserExecutable),
];

/// How far a number must move before the server reports it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deadband {
    /// Every change is reported.
    None,
    /// In the value's own unit.
    Absolute(f64),
    /// In percent of the node's EURange.
    Percent(f64),
}

/// Which elements of an array (OPC 10000-4, clause 7.27).
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// As it is sent.
    pub range: NumericRange,
    /// Whether it names one element, whose value is then no array.
    pub is_element: bool,
}

/// Where a point's value is.
#[derive(Debug, Clone, PartialEq)]
pub struct PointAddress {
    /// The node.
    pub node: NodeAddress,
    /// Which attribute of it; nearly always its value.
    pub attribute: AttributeId,
    /// Which elements of an array.
    pub index: Option<Index>,
    /// The path of a field within a structure; empty for the whole value.
    pub field: Vec<String>,
    /// How far a number must move, where the point says so itself.
    pub deadband: Option<Deadband>,
    /// How often the server looks, where the point says so itself.
    pub sampling: Option<Duration>,
    /// How many changes the server keeps between two reports, where the point says so itself.
    pub queue_size: Option<u32>,
}

impl PointAddress {
    /// Reads an address from JSON that stands at a JSON pointer; none where something is wrong, which is
    /// added to the errors.
    pub fn parse(json: &Json, pointer: &str, errors: &mut Vec<FieldError>) -> Option<Self> {
        let before = errors.len();
        let mut fields = Fields::of(json, pointer.to_owned(), errors);
        let node = parse_node(&mut fields);
        let attribute = fields.choice("attribute", ATTRIBUTES).unwrap_or(AttributeId::Value);
        let index = parse_index(&mut fields);
        let field = parse_field(&mut fields);
        let sampling = fields.number("sampling_ms", 0..=86_400_000).map(Duration::from_millis);
        let queue_size =
            fields.number("queue_size", 1..=Settings::QUEUE_SIZE_MAX).map(|n| n as u32);
        let deadband = fields.get("deadband").cloned();
        if attribute != AttributeId::Value {
            let of_values = [
                ("index", index.is_some()),
                ("field", !field.is_empty()),
                ("deadband", deadband.is_some()),
            ];
            for (name, _) in of_values.into_iter().filter(|(_, given)| *given) {
                fields.wrong(name, "only the Value attribute has this");
            }
        }
        fields.finish();
        let deadband =
            deadband.and_then(|json| parse_deadband(&json, format!("{pointer}/deadband"), errors));
        let node = node?;
        (errors.len() == before).then_some(Self {
            node,
            attribute,
            index,
            field,
            deadband,
            sampling,
            queue_size,
        })
    }

    /// How people of the protocol call the place.
    pub(crate) fn place(&self) -> String {
        let mut text = shorten(&self.node.to_string());
        if self.attribute != AttributeId::Value {
            text = format!("{text}, attribute {}", attribute_name(self.attribute));
        }
        if let Some(index) = &self.index {
            text = format!("{text} [{}]", range_text(&index.range));
        }
        if !self.field.is_empty() {
            text = format!("{text}, field {}", shorten(&self.field.join(".")));
        }
        text
    }

    /// Whether a value could be written there.
    pub(crate) fn is_writable(&self) -> bool {
        self.attribute == AttributeId::Value && self.field.is_empty()
    }
}

/// A text of a length that still reads well in a message.
pub(crate) fn shorten(text: &str) -> String {
    const CHARACTERS_MAX: usize = 120;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn attribute_name(attribute: AttributeId) -> &'static str {
    ATTRIBUTES.iter().find(|(_, id)| *id == attribute).map_or("?", |(name, _)| name)
}

fn parse_node(fields: &mut Fields<'_>) -> Option<NodeAddress> {
    let node = fields.get("node");
    let Some(text) = fields.require("node", node)?.as_str() else {
        fields.wrong("node", "a text is expected");
        return None;
    };
    // A node's name may begin or end with white space, so nothing is trimmed here.
    match NodeAddress::parse(text) {
        Ok(node) => Some(node),
        Err(expected) => {
            fields.wrong("node", expected);
            None
        }
    }
}

fn parse_index(fields: &mut Fields<'_>) -> Option<Index> {
    let json = fields.get("index")?;
    let text = match json {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.trim().to_owned(),
        _ => String::new(),
    };
    let index = Index::parse(&text);
    if index.is_none() {
        fields.wrong(
            "index",
            "a number such as 3, a range such as \"0:9\", or up to eight of them with commas",
        );
    }
    index
}

impl Index {
    /// Reads `3`, `0:9`, `1,0:3`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u32>().ok().filter(|_| is_number)
        };
        let one = |text: &str| match text.split_once(':') {
            None => number(text).map(NumericRange::Index),
            Some((from, to)) => {
                let (from, to) = (number(from)?, number(to)?);
                (from < to).then_some(NumericRange::Range(from, to))
            }
        };
        let parts: Option<Vec<_>> = text.split(',').take(DIMENSIONS_MAX + 1).map(one).collect();
        let parts = parts.filter(|parts| parts.len() <= DIMENSIONS_MAX)?;
        let is_element = parts.iter().all(|part| matches!(part, NumericRange::Index(_)));
        let range = match <[NumericRange; 1]>::try_from(parts) {
            Ok([single]) => single,
            Err(several) => NumericRange::MultipleRanges(several),
        };
        Some(Self { range, is_element })
    }

    /// How many elements it names at most; none for ranges of several dimensions.
    pub(crate) fn length_max(&self) -> Option<usize> {
        match &self.range {
            NumericRange::Index(_) => Some(1),
            NumericRange::Range(from, to) => usize::try_from(to - from).ok()?.checked_add(1),
            _ => None,
        }
    }
}

fn range_text(range: &NumericRange) -> String {
    match range {
        NumericRange::None => String::new(),
        NumericRange::Index(index) => index.to_string(),
        NumericRange::Range(from, to) => format!("{from}:{to}"),
        NumericRange::MultipleRanges(parts) => {
            parts.iter().map(range_text).collect::<Vec<_>>().join(",")
        }
    }
}

fn parse_field(fields: &mut Fields<'_>) -> Vec<String> {
    let Some(text) = fields.text("field", FIELD_BYTES_MAX) else { return Vec::new() };
    let path: Vec<String> = text.split('.').map(|part| part.trim().to_owned()).collect();
    if path.len() > FIELD_DEPTH_MAX || path.iter().any(String::is_empty) {
        fields.wrong("field", "names of fields with points between them, such as Axis.Position");
        return Vec::new();
    }
    path
}

pub(crate) fn parse_deadband(
    json: &Json,
    pointer: String,
    errors: &mut Vec<FieldError>,
) -> Option<Deadband> {
    let mut fields = Fields::of(json, pointer, errors);
    let kind = fields.choice("type", &["none", "absolute", "percent"].map(|name| (name, name)));
    let kind = fields.require("type", kind);
    let value = fields.get("value").map_or(Some(0.0), Json::as_f64);
    let deadband = kind.zip(value).map(|(kind, value)| match kind {
        "absolute" => Deadband::Absolute(value),
        "percent" => Deadband::Percent(value),
        _ => Deadband::None,
    });
    let fits = match deadband {
        Some(Deadband::None) => true,
        Some(Deadband::Absolute(value)) => value.is_finite() && value > 0.0,
        Some(Deadband::Percent(value)) => value > 0.0 && value <= 100.0,
        None => kind.is_none(),
    };
    if !fits {
        fields.wrong("value", "a number above zero is expected; a percentage is at most 100");
    }
    fields.finish();
    deadband.filter(|_| fits)
}

#[cfg(test)]
mod tests;
