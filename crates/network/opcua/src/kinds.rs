//! What the data types of a server come down to.

use std::collections::HashMap;

use opcua::types::{
    BrowseDirection, DataTypeId, NodeClassMask, NodeId, ReferenceTypeId, VariantScalarTypeId,
};
use weir_model::DataType;

use crate::link::Link;
use crate::link::requests::browse_of;
use crate::status::Failure;

/// Deepest derivation of a data type that is followed.
const DEPTH_MAX: usize = 16;

/// Most data types of a server that are remembered; the standard itself has some four hundred.
const KINDS_MAX: usize = 20_000;

/// What a data type comes down to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// A built-in type.
    Scalar(VariantScalarTypeId),
    /// Numbers that stand for named states.
    Enumeration,
    /// A structure or union.
    Structure,
    /// Anything, or nothing that is known.
    Any,
}

impl Kind {
    /// What values of it are in Weir; none for what may be anything.
    pub(crate) fn data_type(self) -> Option<DataType> {
        use VariantScalarTypeId as Id;
        match self {
            Self::Enumeration => Some(DataType::Enumeration),
            Self::Structure => Some(DataType::Text),
            Self::Any => None,
            Self::Scalar(id) => Some(match id {
                Id::Boolean => DataType::Bool,
                Id::SByte | Id::Int16 | Id::Int32 | Id::Int64 => DataType::I64,
                Id::Byte | Id::UInt16 | Id::UInt32 | Id::UInt64 | Id::StatusCode => DataType::U64,
                Id::Float | Id::Double => DataType::F64,
                Id::Variant | Id::DataValue | Id::DiagnosticInfo => return None,
                _ => DataType::Text,
            }),
        }
    }
}

/// The data types that were met, and what they come down to.
#[derive(Debug, Default)]
pub(crate) struct Kinds(HashMap<NodeId, Kind>);

impl Kinds {
    pub(crate) fn get(&self, data_type: &NodeId) -> Kind {
        built_in(data_type).or_else(|| self.0.get(data_type).copied()).unwrap_or(Kind::Any)
    }

    /// Learns what data types come down to, by asking the server for what each is derived from.
    pub(crate) async fn learn(
        &mut self,
        link: &Link,
        data_types: impl IntoIterator<Item = NodeId>,
    ) -> Result<(), Failure> {
        let mut asked: Vec<NodeId> = data_types
            .into_iter()
            .filter(|id| !id.is_null() && built_in(id).is_none() && !self.0.contains_key(id))
            .collect();
        asked.sort_by_cached_key(ToString::to_string);
        asked.dedup();
        asked.truncate(KINDS_MAX.saturating_sub(self.0.len()));
        // Each with the ancestor that it has been followed to.
        let mut open: Vec<(NodeId, NodeId)> =
            asked.into_iter().map(|id| (id.clone(), id)).collect();
        for _ in 0..DEPTH_MAX {
            if open.is_empty() {
                break;
            }
            let wanted: Vec<_> = open
                .iter()
                .map(|(_, at)| {
                    let (up, subtype) = (BrowseDirection::Inverse, ReferenceTypeId::HasSubtype);
                    browse_of(at.clone(), up, subtype, NodeClassMask::DATA_TYPE)
                })
                .collect();
            let results = link.browse(&wanted, 1).await?;
            let mut next = Vec::new();
            for ((id, _), result) in open.into_iter().zip(results) {
                let parent = result.references.and_then(|all| all.into_iter().next());
                match parent.map(|parent| parent.node_id.node_id) {
                    None => {
                        self.0.insert(id, Kind::Any);
                    }
                    Some(parent) => {
                        match built_in(&parent).or_else(|| self.0.get(&parent).copied()) {
                            Some(kind) => {
                                self.0.insert(id, kind);
                            }
                            None => next.push((id, parent)),
                        }
                    }
                }
            }
            open = next;
        }
        self.0.extend(open.into_iter().map(|(id, _)| (id, Kind::Any)));
        Ok(())
    }
}

/// The kind of a type of the standard that needs no question.
fn built_in(data_type: &NodeId) -> Option<Kind> {
    use VariantScalarTypeId as Id;
    Some(match data_type.as_data_type_id().ok()? {
        DataTypeId::Boolean => Kind::Scalar(Id::Boolean),
        DataTypeId::SByte => Kind::Scalar(Id::SByte),
        DataTypeId::Byte => Kind::Scalar(Id::Byte),
        DataTypeId::Int16 => Kind::Scalar(Id::Int16),
        DataTypeId::UInt16 => Kind::Scalar(Id::UInt16),
        DataTypeId::Int32 => Kind::Scalar(Id::Int32),
        DataTypeId::UInt32 => Kind::Scalar(Id::UInt32),
        DataTypeId::Int64 => Kind::Scalar(Id::Int64),
        DataTypeId::UInt64 => Kind::Scalar(Id::UInt64),
        DataTypeId::Float => Kind::Scalar(Id::Float),
        DataTypeId::Double | DataTypeId::Duration => Kind::Scalar(Id::Double),
        DataTypeId::String | DataTypeId::LocaleId => Kind::Scalar(Id::String),
        DataTypeId::DateTime | DataTypeId::UtcTime => Kind::Scalar(Id::DateTime),
        DataTypeId::Guid => Kind::Scalar(Id::Guid),
        DataTypeId::ByteString | DataTypeId::Image => Kind::Scalar(Id::ByteString),
        DataTypeId::XmlElement => Kind::Scalar(Id::XmlElement),
        DataTypeId::NodeId => Kind::Scalar(Id::NodeId),
        DataTypeId::ExpandedNodeId => Kind::Scalar(Id::ExpandedNodeId),
        DataTypeId::StatusCode => Kind::Scalar(Id::StatusCode),
        DataTypeId::QualifiedName => Kind::Scalar(Id::QualifiedName),
        DataTypeId::LocalizedText => Kind::Scalar(Id::LocalizedText),
        DataTypeId::Structure | DataTypeId::Union => Kind::Structure,
        DataTypeId::Enumeration => Kind::Enumeration,
        DataTypeId::BaseDataType
        | DataTypeId::Number
        | DataTypeId::Integer
        | DataTypeId::UInteger
        | DataTypeId::DataValue
        | DataTypeId::DiagnosticInfo => Kind::Any,
        _ => return None,
    })
}
