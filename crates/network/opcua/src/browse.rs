//! The address space, a level and a page at a time.

use std::collections::HashSet;

use opcua::types::{
    AttributeId, BrowseDirection, BrowsePath, ByteString, DataValue, EUInformation, NodeClass,
    NodeClassMask, NodeId, NumericRange, QualifiedName, ReferenceDescription, ReferenceTypeId,
    RelativePath, RelativePathElement, TimestampsToReturn, Variant,
};
use serde_json::json;
use weir_connect::{BrowseItem, BrowsePage, ErrorKind};
use weir_model::{DataType, Value};

use crate::NodeAddress;
use crate::kinds::{Kind, Kinds};
use crate::link::Link;
use crate::link::requests::{browse_of, read_id};
use crate::status::{Failure, told};
use crate::value::{Want, to_value};

/// Things of one page.
const PAGE: usize = 200;

/// Most things below one node; a folder of more is unusable for people anyway.
const CHILDREN_MAX: usize = 200_000;

/// Things that the server tells at a time.
const REFERENCES_PER_REQUEST: u32 = 1000;

/// Longest name and description that are shown, in characters. Some servers have names of 64 kB.
const NAME_CHARACTERS_MAX: usize = 256;
const DESCRIPTION_CHARACTERS_MAX: usize = 2000;

/// Longest node identifier of a value or method that is offered: with what stands around it, an address has at most
/// 4096 bytes, as the standard's identifiers have characters (OPC 10000-3, clause 8.2.4).
const NODE_BYTES_MAX: usize = 4000;

/// Longest text, in bytes, and most elements of an array that are shown as a present value.
const VALUE_BYTES_MAX: usize = 1000;
const VALUE_LENGTH_MAX: usize = 64;

/// The bits of an access level that say that the value can be read and written (OPC 10000-3, clause 8.57).
const CURRENT_READ: u8 = 0x01;
const CURRENT_WRITE: u8 = 0x02;

/// What stands between a node and where to go on below it. A node's text may hold it, so the last one counts.
const PLACE_MARK: char = '|';

/// A place to browse: a node, and how many of the things below it to skip.
#[derive(Debug, PartialEq)]
pub(crate) struct Place {
    node: NodeAddress,
    skip: usize,
}

impl Place {
    /// Reads what an item's `at`, or a page's `next`, said; the Objects folder without anything.
    ///
    /// # Errors
    /// What is expected, for people.
    pub(crate) fn parse(at: Option<&str>) -> Result<Self, String> {
        let text = at.unwrap_or("0|i=85");
        let (skip, node) = match text.split_once(PLACE_MARK) {
            Some((skip, node)) => (skip.parse().ok(), node),
            None => (Some(0), text),
        };
        let skip = skip.filter(|skip| *skip <= CHILDREN_MAX);
        let skip = skip.ok_or("a place is a node, or what an answer said")?;
        Ok(Self { node: NodeAddress::parse(node)?, skip })
    }

    fn text(node: &NodeAddress, skip: usize) -> String {
        format!("{skip}{PLACE_MARK}{node}")
    }
}

/// Lists what is below a place.
pub(crate) async fn page(link: &Link, place: &Place) -> Result<BrowsePage, Failure> {
    let node = place.node.resolve(&link.namespaces);
    let node = node.map_err(|cause| Failure::new(ErrorKind::Misconfigured, cause))?;
    let (children, has_more) = children(link, &node, place.skip).await?;
    let next = has_more.then(|| Place::text(&place.node, place.skip + children.len()));
    let items = items(link, &node, children).await?;
    Ok(BrowsePage { items, next })
}

/// The page's things, and whether there are more.
async fn children(
    link: &Link,
    node: &NodeId,
    skip: usize,
) -> Result<(Vec<ReferenceDescription>, bool), Failure> {
    let classes = NodeClassMask::OBJECT
        | NodeClassMask::VARIABLE
        | NodeClassMask::METHOD
        | NodeClassMask::VIEW;
    let down = BrowseDirection::Forward;
    let wanted = browse_of(node.clone(), down, ReferenceTypeId::HierarchicalReferences, classes);
    let mut result = link.browse(&[wanted], REFERENCES_PER_REQUEST).await?.into_iter().next();
    let (mut seen, mut found, mut skipped) = (HashSet::new(), Vec::new(), 0);
    while let Some(part) = result.take() {
        if part.status_code.is_bad() {
            let cause = format!("{node}: {}", told(part.status_code));
            return Err(Failure::new(ErrorKind::Rejected, cause));
        }
        let references = part.references.unwrap_or_default();
        let count = references.len();
        for reference in references {
            // A thing may be below another in more ways than one, and things of other servers are not here.
            let is_here = reference.node_id.server_index == 0;
            if !is_here
                || seen.len() >= CHILDREN_MAX
                || !seen.insert(reference.node_id.node_id.clone())
            {
                continue;
            }
            if skipped < skip {
                skipped += 1;
            } else if found.len() < PAGE {
                found.push(reference);
            } else {
                link.forget(points(vec![part.continuation_point])).await;
                return Ok((found, true));
            }
        }
        if !part.continuation_point.is_null_or_empty() && count > 0 && seen.len() < CHILDREN_MAX {
            result = Some(link.browse_next(&part.continuation_point).await?);
        }
    }
    Ok((found, false))
}

fn points(points: Vec<ByteString>) -> Vec<ByteString> {
    points.into_iter().filter(|point| !point.is_null_or_empty()).collect()
}

/// What is asked of each thing, in this order.
const ATTRIBUTES: [AttributeId; 6] = [
    AttributeId::Description,
    AttributeId::DataType,
    AttributeId::ValueRank,
    AttributeId::AccessLevel,
    AttributeId::UserAccessLevel,
    AttributeId::Value,
];

async fn items(
    link: &Link,
    parent: &NodeId,
    children: Vec<ReferenceDescription>,
) -> Result<Vec<BrowseItem>, Failure> {
    let nodes: Vec<NodeId> = children.iter().map(|child| child.node_id.node_id.clone()).collect();
    let wanted: Vec<_> = nodes
        .iter()
        .flat_map(|node| ATTRIBUTES.map(|a| read_id(node.clone(), a, NumericRange::None)))
        .collect();
    let answers = link.read(&wanted, TimestampsToReturn::Neither).await?;
    let type_of = |answers: &[DataValue]| match answers.get(1)?.value.as_ref()? {
        Variant::NodeId(id) => Some((**id).clone()),
        _ => None,
    };
    let mut kinds = Kinds::default();
    kinds.learn(link, answers.chunks_exact(ATTRIBUTES.len()).filter_map(type_of)).await?;
    let expandable = expandable(link, &nodes).await?;
    let units = units(link, &children).await?;
    let object = link.namespaces.address_of(parent).to_string();
    let items =
        children.iter().zip(answers.chunks_exact(ATTRIBUTES.len())).zip(expandable).zip(units);
    let items = items.map(|(((child, answers), expandable), unit)| {
        let kind = type_of(answers).map_or(Kind::Any, |id| kinds.get(&id));
        let address = link.namespaces.address_of(&child.node_id.node_id);
        item(child, answers, kind, &address, &object, expandable, unit)
    });
    Ok(items.collect())
}

fn item(
    child: &ReferenceDescription,
    answers: &[DataValue],
    kind: Kind,
    node: &NodeAddress,
    object: &str,
    expandable: bool,
    unit: Option<String>,
) -> BrowseItem {
    let name = [child.display_name.text.as_ref(), child.browse_name.name.as_ref()];
    let name = name
        .into_iter()
        .find(|name| !name.is_empty())
        .map_or_else(|| node.to_string(), str::to_owned);
    let answer = |at: usize| answers.get(at).and_then(|answer| answer.value.as_ref());
    let description = match answer(0) {
        Some(Variant::LocalizedText(text)) => clip(text.text.as_ref(), DESCRIPTION_CHARACTERS_MAX),
        _ => String::new(),
    };
    let mut item = BrowseItem {
        at: Place::text(node, 0),
        name: clip(&name, NAME_CHARACTERS_MAX),
        description,
        expandable,
        ..BrowseItem::default()
    };
    let bytes = node.to_string().len();
    if bytes > NODE_BYTES_MAX {
        item.description = format!(
            "its node identifier of {bytes} bytes is longer than an address may be ({NODE_BYTES_MAX})"
        );
        return item;
    }
    match child.node_class {
        NodeClass::Method => {
            item.method = Some(json!({"object": object, "method": node.to_string()}))
        }
        NodeClass::Variable => {
            let rank = match answer(2) {
                Some(Variant::Int32(rank)) => *rank,
                _ => -1,
            };
            let access = match (answer(4), answer(3)) {
                (Some(Variant::Byte(user)), Some(Variant::Byte(all))) => Some(user & all),
                (Some(Variant::Byte(bits)), _) | (_, Some(Variant::Byte(bits))) => Some(*bits),
                _ => None,
            };
            item.address = Some(json!({"node": node.to_string()}));
            // Minus one is a scalar, zero and more are arrays, and what lies below may be either.
            item.data_type = if rank >= 0 { Some(DataType::Array) } else { kind.data_type() };
            item.writable = access.map(|bits| bits & CURRENT_WRITE != 0);
            item.unit = unit;
            let is_readable = access.is_none_or(|bits| bits & CURRENT_READ != 0);
            item.value = answers
                .get(5)
                .filter(|_| is_readable)
                .and_then(|value| present(value, kind, item.data_type));
        }
        _ => {}
    }
    item
}

fn present(value: &DataValue, kind: Kind, data_type: Option<DataType>) -> Option<Value> {
    if value.status.is_some_and(|status| status.is_bad()) {
        return None;
    }
    let want = Want {
        data_type: data_type.unwrap_or(DataType::F64),
        is_enumeration: kind == Kind::Enumeration,
        index: None,
        field: &[],
    };
    let value = to_value(value.value.as_ref()?, want, None).ok()?;
    let is_short = match &value {
        Value::Text(text) => text.len() <= VALUE_BYTES_MAX,
        Value::Array(items) => {
            let is_short = |item: &Value| !matches!(item, Value::Text(text) if text.len() > VALUE_BYTES_MAX / 10);
            items.len() <= VALUE_LENGTH_MAX && items.iter().all(is_short)
        }
        _ => true,
    };
    is_short.then_some(value)
}

/// Whether there is something below each node.
async fn expandable(link: &Link, nodes: &[NodeId]) -> Result<Vec<bool>, Failure> {
    let classes = NodeClassMask::OBJECT
        | NodeClassMask::VARIABLE
        | NodeClassMask::METHOD
        | NodeClassMask::VIEW;
    let (down, reference) = (BrowseDirection::Forward, ReferenceTypeId::HierarchicalReferences);
    let wanted: Vec<_> =
        nodes.iter().map(|node| browse_of(node.clone(), down, reference, classes)).collect();
    let results = link.browse(&wanted, 1).await?;
    let is_expandable =
        results.iter().map(|r| r.references.as_ref().is_some_and(|all| !all.is_empty())).collect();
    link.forget(points(results.into_iter().map(|result| result.continuation_point).collect()))
        .await;
    Ok(is_expandable)
}

/// The engineering units of variables (OPC 10000-8, clause 5.6.4), in the server's own words.
async fn units(
    link: &Link,
    children: &[ReferenceDescription],
) -> Result<Vec<Option<String>>, Failure> {
    let mut units = vec![None; children.len()];
    let variables: Vec<usize> = children
        .iter()
        .enumerate()
        .filter(|(_, child)| child.node_class == NodeClass::Variable)
        .map(|(index, _)| index)
        .collect();
    let mut properties = Vec::new();
    for group in variables.chunks(link.limits.translate.max(1)) {
        let paths: Vec<_> =
            group.iter().filter_map(|index| children.get(*index)).map(unit_path).collect();
        // A server that does not know the service has no units to tell.
        let Ok(results) = link.session.translate_browse_paths_to_node_ids(&paths).await else {
            return Ok(units);
        };
        for (index, result) in group.iter().zip(results) {
            let target = result.targets.unwrap_or_default().into_iter().next();
            if let Some(target) = target.filter(|_| !result.status_code.is_bad()) {
                properties.push((*index, target.target_id.node_id));
            }
        }
    }
    let wanted: Vec<_> = properties
        .iter()
        .map(|(_, node)| read_id(node.clone(), AttributeId::Value, NumericRange::None))
        .collect();
    if wanted.is_empty() {
        return Ok(units);
    }
    let values = link.read(&wanted, TimestampsToReturn::Neither).await?;
    for ((index, _), value) in properties.into_iter().zip(values) {
        let Some(Variant::ExtensionObject(object)) = value.value else { continue };
        let name = object
            .inner_as::<EUInformation>()
            .map(|unit| unit.display_name.text.as_ref().to_owned());
        if let (Some(unit), Some(name)) =
            (units.get_mut(index), name.filter(|name| !name.is_empty()))
        {
            *unit = Some(clip(&name, NAME_CHARACTERS_MAX));
        }
    }
    Ok(units)
}

fn unit_path(child: &ReferenceDescription) -> BrowsePath {
    BrowsePath {
        starting_node: child.node_id.node_id.clone(),
        relative_path: RelativePath {
            elements: Some(vec![RelativePathElement {
                reference_type_id: ReferenceTypeId::HasProperty.into(),
                is_inverse: false,
                include_subtypes: true,
                target_name: QualifiedName::new(0, "EngineeringUnits"),
            }]),
        },
    }
}

fn clip(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_end_is_shown_and_not_offered() {
        let shown = |characters: usize, name: &str| {
            let child = ReferenceDescription {
                node_class: NodeClass::Variable,
                browse_name: QualifiedName::new(1, name),
                ..ReferenceDescription::default()
            };
            let node = NodeAddress::parse(&format!("nsu=urn:x;s={}", "长".repeat(characters)));
            item(&child, &[], Kind::Any, &node.unwrap(), "i=85", false, None)
        };
        let long = "\u{1F6E2}\u{7}".repeat(16_000);
        let fits = shown(1000, &long);
        assert!(fits.address.is_some() && fits.description.is_empty());
        assert_eq!(fits.name.chars().count(), NAME_CHARACTERS_MAX + 1);
        let endless = shown(20_000, "");
        assert!(endless.address.is_none() && endless.description.contains("60012 bytes"));
    }

    #[test]
    fn places_say_where_to_go_on_whatever_a_node_is_called() {
        let root = Place::parse(None).unwrap();
        assert_eq!((root.node.to_string().as_str(), root.skip), ("i=85", 0));
        let node = NodeAddress::parse("nsu=urn:x;s=7|a|\n").unwrap();
        let place = Place { node, skip: 400 };
        assert_eq!(Place::parse(Some(&Place::text(&place.node, 400))), Ok(place));
        assert!(Place::parse(Some("ns=2;i=5")).is_ok());
        for wrong in ["", "x|i=85", "0|", "999999999|i=85"] {
            assert!(Place::parse(Some(wrong)).is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_place_is_read_or_refused(text in ".{0,40}") {
            let _ = Place::parse(Some(&text));
        }
    }
}
