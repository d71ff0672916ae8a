//! The address space: which NodeId is what, and what its attributes are. Nothing of the plant is
//! kept; only the standard's own namespace is in memory.

pub(crate) mod standard;

use opcua::types::{
    AttributeId, DataTypeId, EnumValueType, ExtensionObject, Identifier as NodeName, LocalizedText,
    NodeClass, NodeId, ObjectTypeId, QualifiedName, Range, UAString, VariableTypeId, Variant,
};
use weir_model::{DataType, Identifier, Sample, Value};

use crate::plant::{Node, Tag};
use crate::values::{data_type_id, eu_information, text};

/// The namespace of the plant's nodes: their names are Weir identifiers.
pub const NAMESPACE: &str = "urn:weir";

/// The namespace of the properties of tags: their names are `Property:identifier`.
pub const PROPERTY_NAMESPACE: &str = "urn:weir:properties";

/// Index of [`NAMESPACE`]; 1 is the server's own.
pub(crate) const WEIR: u16 = 2;

/// Index of [`PROPERTY_NAMESPACE`].
pub(crate) const PROPERTY: u16 = 3;

/// The name of the folder that everything of the plant is in. An identifier always has a slash.
pub(crate) const ROOT: &str = "weir";

/// `AccessLevel` bits (OPC 10000-3, clause 8.57).
const READ: u8 = 1;
const WRITE: u8 = 2;
const HISTORY_READ: u8 = 4;

/// What a NodeId names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// A node of the standard's namespace, if it exists.
    Standard(NodeId),
    /// The folder of the plant.
    Root,
    /// An asset or a tag, if it exists.
    Thing(Identifier),
    /// A property of a tag, if it exists.
    Property(Property, Identifier),
    /// Nothing.
    Unknown,
}

/// Properties of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Property {
    EuRange,
    EngineeringUnits,
    EnumValues,
    ValueAsText,
}

impl Property {
    const ALL: [Self; 4] =
        [Self::EuRange, Self::EngineeringUnits, Self::EnumValues, Self::ValueAsText];

    /// Its name in the standard.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EuRange => "EURange",
            Self::EngineeringUnits => "EngineeringUnits",
            Self::EnumValues => "EnumValues",
            Self::ValueAsText => "ValueAsText",
        }
    }

    /// The properties that a tag has.
    pub(crate) fn of(tag: &Tag) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |property| property.is_of(tag))
    }

    fn is_of(self, tag: &Tag) -> bool {
        match self {
            Self::EuRange => tag.range.is_some() && is_numeric(tag),
            Self::EngineeringUnits => tag.unit.is_some() && is_numeric(tag),
            Self::EnumValues | Self::ValueAsText => {
                tag.data_type == DataType::Enumeration && !tag.labels.is_empty()
            }
        }
    }

    /// Its value; the newest sample is needed for [`Property::ValueAsText`] only.
    fn value(self, tag: &Tag, sample: Option<&Sample>) -> Option<Variant> {
        if !self.is_of(tag) {
            return None;
        }
        Some(match self {
            Self::EuRange => {
                let (low, high) = tag.range?;
                ExtensionObject::from_message(Range { low, high }).into()
            }
            Self::EngineeringUnits => {
                ExtensionObject::from_message(eu_information(tag.unit.as_ref()?)).into()
            }
            Self::EnumValues => {
                let value = |(value, name): (&i64, &String)| {
                    let display_name = text(name);
                    let description = LocalizedText::null();
                    let value = EnumValueType { value: *value, display_name, description };
                    ExtensionObject::from_message(value)
                };
                tag.labels.iter().map(value).collect::<Vec<_>>().into()
            }
            Self::ValueAsText => {
                let label = match sample.and_then(|sample| sample.value.as_ref()) {
                    Some(Value::Enumeration(code)) => tag.labels.get(code),
                    _ => None,
                };
                text(label.map_or("", String::as_str)).into()
            }
        })
    }

    fn data_type(self) -> DataTypeId {
        match self {
            Self::EuRange => DataTypeId::Range,
            Self::EngineeringUnits => DataTypeId::EUInformation,
            Self::EnumValues => DataTypeId::EnumValueType,
            Self::ValueAsText => DataTypeId::LocalizedText,
        }
    }
}

impl Target {
    /// What a NodeId names.
    pub(crate) fn of(id: &NodeId) -> Self {
        let name = match &id.identifier {
            NodeName::String(name) => name.as_ref(),
            _ => "",
        };
        match id.namespace {
            0 => Self::Standard(id.clone()),
            WEIR if name == ROOT => Self::Root,
            WEIR => Identifier::parse(name).map_or(Self::Unknown, Self::Thing),
            PROPERTY => {
                let property = name.split_once(':').and_then(|(property, id)| {
                    let property = Property::ALL.into_iter().find(|p| p.name() == property)?;
                    Some(Self::Property(property, Identifier::parse(id).ok()?))
                });
                property.unwrap_or(Self::Unknown)
            }
            _ => Self::Unknown,
        }
    }

    /// The asset or tag that has to be looked up for it.
    pub(crate) fn identifier(&self) -> Option<&Identifier> {
        match self {
            Self::Thing(id) | Self::Property(_, id) => Some(id),
            _ => None,
        }
    }
}

/// The NodeId of an asset or tag.
pub(crate) fn thing_id(id: &Identifier) -> NodeId {
    NodeId::new(WEIR, id.as_str())
}

/// The NodeId of the plant's folder.
pub(crate) fn root_id() -> NodeId {
    NodeId::new(WEIR, ROOT)
}

/// The NodeId of a tag's property.
pub(crate) fn property_id(property: Property, id: &Identifier) -> NodeId {
    NodeId::new(PROPERTY, format!("{}:{id}", property.name()))
}

fn is_numeric(tag: &Tag) -> bool {
    matches!(tag.data_type, DataType::F64 | DataType::I64 | DataType::U64)
}

/// The type of an asset's or tag's node.
pub(crate) fn type_definition(node: &Node) -> NodeId {
    match node {
        Node::Asset(_) => ObjectTypeId::FolderType.into(),
        Node::Tag(tag) if is_numeric(tag) && tag.range.is_some() => {
            VariableTypeId::AnalogItemType.into()
        }
        Node::Tag(tag) if is_numeric(tag) && tag.unit.is_some() => {
            VariableTypeId::AnalogUnitType.into()
        }
        Node::Tag(tag) if Property::EnumValues.is_of(tag) => {
            VariableTypeId::MultiStateValueDiscreteType.into()
        }
        Node::Tag(_) => VariableTypeId::BaseDataVariableType.into(),
    }
}

/// The class of an asset's or tag's node.
pub(crate) fn node_class(node: &Node) -> NodeClass {
    match node {
        Node::Asset(_) => NodeClass::Object,
        Node::Tag(_) => NodeClass::Variable,
    }
}

/// The name within the parent.
pub(crate) fn browse_name(node: &Node) -> QualifiedName {
    QualifiedName::new(WEIR, node.name())
}

/// The name in the first of the languages that there is a translation for, else the plant's own.
pub(crate) fn display_name(node: &Node, locales: &[String]) -> LocalizedText {
    let names = node.names();
    for locale in locales {
        let same = |tag: &&String| tag.eq_ignore_ascii_case(locale);
        let related = |tag: &&String| language(tag).eq_ignore_ascii_case(language(locale));
        let found = names.keys().find(same).or_else(|| names.keys().find(related));
        if let Some((tag, name)) = found.and_then(|tag| names.get_key_value(tag)) {
            let locale = UAString::from(tag.as_str());
            return LocalizedText { locale, text: UAString::from(name.as_str()) };
        }
    }
    text(node.name())
}

/// `zh` of `zh-CN`.
fn language(tag: &str) -> &str {
    tag.split('-').next().unwrap_or(tag)
}

/// An attribute that all nodes have.
fn common(
    attribute: AttributeId,
    id: NodeId,
    class: NodeClass,
    browse_name: QualifiedName,
    display_name: LocalizedText,
    description: &str,
) -> Option<Variant> {
    Some(match attribute {
        AttributeId::NodeId => id.into(),
        AttributeId::NodeClass => (class as i32).into(),
        AttributeId::BrowseName => browse_name.into(),
        AttributeId::DisplayName => display_name.into(),
        AttributeId::Description if !description.is_empty() => text(description).into(),
        AttributeId::WriteMask | AttributeId::UserWriteMask => 0_u32.into(),
        AttributeId::EventNotifier if class == NodeClass::Object => 0_u8.into(),
        _ => return None,
    })
}

/// An attribute of the plant's folder.
pub(crate) fn root_attribute(attribute: AttributeId) -> Option<Variant> {
    let name = QualifiedName::new(WEIR, "Weir");
    common(attribute, root_id(), NodeClass::Object, name, text("Weir"), "")
}

/// An attribute of an asset or tag, except for a tag's value; none where it has no such attribute.
pub(crate) fn attribute(
    node: &Node,
    attribute: AttributeId,
    locales: &[String],
) -> Option<Variant> {
    let known = common(
        attribute,
        thing_id(node.id()),
        node_class(node),
        browse_name(node),
        display_name(node, locales),
        node.description(),
    );
    let Node::Tag(tag) = node else { return known };
    let access = READ | HISTORY_READ | if tag.writable { WRITE } else { 0 };
    known.or_else(|| {
        let array = tag.data_type == DataType::Array;
        Some(match attribute {
            AttributeId::DataType => data_type_id(tag.data_type).into(),
            AttributeId::ValueRank => (if array { 1 } else { -1 }).into(),
            // One dimension of any length.
            AttributeId::ArrayDimensions if array => vec![0_u32].into(),
            AttributeId::ArrayDimensions => Vec::<u32>::new().into(),
            AttributeId::AccessLevel | AttributeId::UserAccessLevel => access.into(),
            AttributeId::AccessLevelEx => u32::from(access).into(),
            // Values are reported when they change.
            AttributeId::MinimumSamplingInterval => 0.0_f64.into(),
            AttributeId::Historizing => true.into(),
            _ => return None,
        })
    })
}

/// An attribute of a tag's property; the newest sample is needed for the value of
/// [`Property::ValueAsText`] only.
pub(crate) fn property_attribute(
    property: Property,
    tag: &Tag,
    sample: Option<&Sample>,
    attribute: AttributeId,
) -> Option<Variant> {
    let name = QualifiedName::new(0, property.name());
    let id = property_id(property, &tag.id);
    let known = common(attribute, id, NodeClass::Variable, name, text(property.name()), "");
    known.or_else(|| {
        let array = property == Property::EnumValues;
        Some(match attribute {
            AttributeId::Value => property.value(tag, sample)?,
            AttributeId::DataType => NodeId::from(property.data_type()).into(),
            AttributeId::ValueRank => (if array { 1 } else { -1 }).into(),
            AttributeId::ArrayDimensions if array => vec![0_u32].into(),
            AttributeId::ArrayDimensions => Vec::<u32>::new().into(),
            AttributeId::AccessLevel | AttributeId::UserAccessLevel => READ.into(),
            AttributeId::MinimumSamplingInterval => 0.0_f64.into(),
            AttributeId::Historizing => false.into(),
            _ => return None,
        })
    })
}

/// Whether a tag has a property.
pub(crate) fn has_property(tag: &Tag, property: Property) -> bool {
    property.is_of(tag)
}

#[cfg(test)]
mod tests;
