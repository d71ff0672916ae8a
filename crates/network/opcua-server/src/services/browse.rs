//! Browse, BrowseNext and TranslateBrowsePaths (OPC 10000-4, clause 5.9).

use opcua::core::ResponseMessage;
use opcua::types::{
    BrowseDescription, BrowseDirection, BrowseNextRequest, BrowseNextResponse, BrowsePath,
    BrowsePathResult, BrowsePathTarget, BrowseRequest, BrowseResponse, BrowseResult, ByteString,
    ExpandedNodeId, LocalizedText, NodeClass, NodeId, ObjectId, ObjectTypeId, QualifiedName,
    ReferenceDescription, ReferenceTypeId, RelativePathElement, ResponseHeader, StatusCode,
    TranslateBrowsePathsToNodeIdsRequest, TranslateBrowsePathsToNodeIdsResponse, VariableTypeId,
};
use weir_model::Identifier;

use super::{Ask, Budget};
use crate::plant::{Node, Tag};
use crate::session::{BrowsePoint, Stage};
use crate::space::{self, Property, Target};
use crate::values::text;

/// Children that are asked of the plant at a time.
const PAGE: usize = 1_000;

/// Children that are looked at for one answer: more than any folder that a person has made.
const SCANNED_MAX: usize = 1_000_000;

/// Elements of a browse path: the asset tree, a tag and its property, with room.
const PATH_MAX: usize = 64;

/// Nodes that one browse path may lead to.
const TARGETS_MAX: usize = 100;

/// Bits of a result mask (OPC 10000-4, clause 5.9.2.2).
const REFERENCE_TYPE: u32 = 1;
const IS_FORWARD: u32 = 2;
const NODE_CLASS: u32 = 4;
const BROWSE_NAME: u32 = 8;
const DISPLAY_NAME: u32 = 16;
const TYPE_DEFINITION: u32 = 32;

/// Whether a page of children was cut off.
enum Children {
    All,
    UpTo(Option<Identifier>),
}

pub(super) async fn browse(
    ask: &Ask<'_>,
    request: BrowseRequest,
) -> Result<ResponseMessage, StatusCode> {
    if !request.view.view_id.is_null() {
        return Err(StatusCode::BadViewIdUnknown);
    }
    let wanted = ask.bounded(request.nodes_to_browse)?;
    let most = ask.shared.limits.references_per_node_max;
    let references_max = match request.requested_max_references_per_node as usize {
        0 => most,
        wished => wished.min(most),
    };
    let (mut results, mut budget) = (Vec::with_capacity(wanted.len()), Budget::new(ask.shared));
    for description in wanted {
        let stage = Stage::Fixed(0);
        let point = BrowsePoint { description, references_max, stage };
        let one = go_on(ask, point).await;
        add(ask, &mut budget, &mut results, one).await?;
    }
    Ok(BrowseResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    }
    .into())
}

pub(super) async fn browse_next(
    ask: &Ask<'_>,
    request: BrowseNextRequest,
) -> Result<ResponseMessage, StatusCode> {
    let points = ask.bounded(request.continuation_points)?;
    let (mut results, mut budget) = (Vec::with_capacity(points.len()), Budget::new(ask.shared));
    for id in points {
        let one = match ask.session.take_browse(&id) {
            Some(_) if request.release_continuation_points => failed(StatusCode::Good),
            Some(point) => go_on(ask, point).await,
            None => failed(StatusCode::BadContinuationPointInvalid),
        };
        add(ask, &mut budget, &mut results, one).await?;
    }
    Ok(BrowseNextResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    }
    .into())
}

/// Adds a node's answer, if the whole stays within bounds. If not, the request fails, and nothing of
/// it is to be gone on with.
async fn add(
    ask: &Ask<'_>,
    budget: &mut Budget,
    results: &mut Vec<BrowseResult>,
    one: BrowseResult,
) -> Result<(), StatusCode> {
    let fits = budget.take(&one, ask.shared).and_then(|()| ask.look(0));
    results.push(one);
    if fits.is_err() {
        for result in results.drain(..) {
            ask.session.take_browse(&result.continuation_point);
        }
    }
    // The standard's nodes are in memory: walking over them never waits by itself.
    tokio::task::yield_now().await;
    fits
}

fn failed(status_code: StatusCode) -> BrowseResult {
    BrowseResult { status_code, continuation_point: ByteString::null(), references: None }
}

/// One answer's worth of references, and a continuation point if there are more.
async fn go_on(ask: &Ask<'_>, mut point: BrowsePoint) -> BrowseResult {
    let (references, next) = match references(ask, &point).await {
        Ok(found) => found,
        Err(status) => return failed(status),
    };
    let mut result = failed(StatusCode::Good);
    result.references = Some(references);
    if let Some(stage) = next {
        point.stage = stage;
        match ask.session.keep_browse(point) {
            Ok(id) => result.continuation_point = id,
            Err(status) => return failed(status),
        }
    }
    result
}

async fn references(
    ask: &Ask<'_>,
    point: &BrowsePoint,
) -> Result<(Vec<ReferenceDescription>, Option<Stage>), StatusCode> {
    let wanted = &point.description;
    let standard = &ask.shared.standard;
    if !wanted.reference_type_id.is_null() && !standard.is_reference_type(&wanted.reference_type_id)
    {
        return Err(StatusCode::BadReferenceTypeIdInvalid);
    }
    if wanted.browse_direction == BrowseDirection::Invalid {
        return Err(StatusCode::BadBrowseDirectionInvalid);
    }
    let max = point.references_max;
    let mut found = Vec::new();
    let mut after = None;
    let target = Target::of(&wanted.node_id);
    match &point.stage {
        Stage::Fixed(told) => {
            let fixed = fixed(ask, &target).await?;
            let fits = fixed.into_iter().filter(|reference| is_wanted(ask, wanted, reference));
            let mut rest = fits.skip(*told);
            found.extend(rest.by_ref().take(max));
            if rest.next().is_some() {
                return Ok((masked(found, wanted), Some(Stage::Fixed(told + max))));
            }
        }
        Stage::Children(behind) => after.clone_from(behind),
    }
    let Some(parent) = folder(ask, &target).await? else {
        return Ok((masked(found, wanted), None));
    };
    let down = matches!(wanted.browse_direction, BrowseDirection::Forward | BrowseDirection::Both);
    let organizes = NodeId::from(ReferenceTypeId::Organizes);
    let asked = standard.is_wanted(&organizes, &wanted.reference_type_id, wanted.include_subtypes);
    if !down || !asked {
        return Ok((masked(found, wanted), None));
    }
    let fits = |node: &Node| {
        let reference = child(node, &ask.locales);
        is_wanted(ask, wanted, &reference).then_some(reference)
    };
    match children(ask, parent.as_ref(), after, max, fits, &mut found).await? {
        Children::All => Ok((masked(found, wanted), None)),
        Children::UpTo(last) => Ok((masked(found, wanted), Some(Stage::Children(last)))),
    }
}

/// Whether it is a folder of the plant, and whose children are in it: an asset's or the top's.
async fn folder(ask: &Ask<'_>, target: &Target) -> Result<Option<Option<Identifier>>, StatusCode> {
    Ok(match target {
        Target::Root => Some(None),
        Target::Thing(_) => match ask.nodes(std::iter::once(target)).await?.into_values().next() {
            Some(Node::Asset(asset)) => Some(Some(asset.id)),
            _ => None,
        },
        _ => None,
    })
}

/// Children behind one, until there are `max` in `found`.
async fn children<T>(
    ask: &Ask<'_>,
    parent: Option<&Identifier>,
    mut after: Option<Identifier>,
    max: usize,
    mut take: impl FnMut(&Node) -> Option<T>,
    found: &mut Vec<T>,
) -> Result<Children, StatusCode> {
    let plant = &ask.shared.plant;
    let mut scanned = 0;
    while scanned < SCANNED_MAX {
        let page =
            plant.children(ask.deadline, &ask.principal, parent, after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        scanned += page.len();
        for node in &page {
            if let Some(taken) = take(node) {
                // One more than fits is there: the answer ends before it.
                if found.len() >= max {
                    return Ok(Children::UpTo(after));
                }
                found.push(taken);
            }
            after = Some(node.id().clone());
        }
        if is_last {
            return Ok(Children::All);
        }
    }
    Ok(Children::UpTo(after))
}

/// References that are not to children.
async fn fixed(ask: &Ask<'_>, target: &Target) -> Result<Vec<ReferenceDescription>, StatusCode> {
    const UNKNOWN: StatusCode = StatusCode::BadNodeIdUnknown;
    let standard = &ask.shared.standard;
    let mut found = Vec::new();
    match target {
        Target::Standard(id) => {
            if !standard.exists(id) {
                return Err(UNKNOWN);
            }
            ask.look(0)?;
            let links = standard.links(id);
            // A node without any costs something as well.
            ask.look(links.len().max(1))?;
            for link in links {
                if let Some(reference) =
                    standard_reference(ask, link.reference, link.forward, &link.target)
                {
                    found.push(reference);
                }
            }
            if *id == ObjectId::ObjectsFolder {
                found.push(root(true));
            }
        }
        Target::Root => {
            let organizes = ReferenceTypeId::Organizes.into();
            let objects = ObjectId::ObjectsFolder.into();
            found.extend(standard_reference(ask, organizes, false, &objects));
            found.extend(type_reference(ask, &ObjectTypeId::FolderType.into()));
        }
        Target::Thing(id) => {
            let nodes = ask.nodes(std::iter::once(target)).await?;
            let node = nodes.get(id).ok_or(UNKNOWN)?;
            found.push(match parent(ask, node).await? {
                Some(parent) => {
                    ReferenceDescription { is_forward: false, ..child(&parent, &ask.locales) }
                }
                None => root(false),
            });
            found.extend(type_reference(ask, &space::type_definition(node)));
            if let Node::Tag(tag) = node {
                found.extend(Property::of(tag).map(|property| property_reference(tag, property)));
            }
        }
        Target::Property(property, id) => {
            let nodes = ask.nodes(std::iter::once(target)).await?;
            let Some(Node::Tag(tag)) = nodes.get(id) else { return Err(UNKNOWN) };
            if !space::has_property(tag, *property) {
                return Err(UNKNOWN);
            }
            let node = Node::Tag(tag.clone());
            found.push(ReferenceDescription {
                reference_type_id: ReferenceTypeId::HasProperty.into(),
                is_forward: false,
                ..child(&node, &ask.locales)
            });
            found.extend(type_reference(ask, &VariableTypeId::PropertyType.into()));
        }
        Target::Unknown => return Err(UNKNOWN),
    }
    Ok(found)
}

/// The asset above, if the principal may see it.
async fn parent(ask: &Ask<'_>, node: &Node) -> Result<Option<Node>, StatusCode> {
    let Some(parent) = node.parent() else { return Ok(None) };
    let target = Target::Thing(parent.clone());
    Ok(ask.nodes(std::iter::once(&target)).await?.into_values().next())
}

fn standard_reference(
    ask: &Ask<'_>,
    reference_type_id: NodeId,
    is_forward: bool,
    target: &NodeId,
) -> Option<ReferenceDescription> {
    let (node_class, browse_name, display_name, definition) =
        ask.shared.standard.describe(target)?;
    Some(ReferenceDescription {
        reference_type_id,
        is_forward,
        node_id: ExpandedNodeId::new(target.clone()),
        browse_name,
        display_name,
        node_class,
        type_definition: ExpandedNodeId::new(definition),
    })
}

fn type_reference(ask: &Ask<'_>, definition: &NodeId) -> Option<ReferenceDescription> {
    standard_reference(ask, ReferenceTypeId::HasTypeDefinition.into(), true, definition)
}

/// The reference from or to the plant's folder.
fn root(is_forward: bool) -> ReferenceDescription {
    ReferenceDescription {
        reference_type_id: ReferenceTypeId::Organizes.into(),
        is_forward,
        node_id: ExpandedNodeId::new(space::root_id()),
        browse_name: QualifiedName::new(space::WEIR, "Weir"),
        display_name: text("Weir"),
        node_class: NodeClass::Object,
        type_definition: ExpandedNodeId::new(NodeId::from(ObjectTypeId::FolderType)),
    }
}

/// The reference to an asset or tag from what it is in.
fn child(node: &Node, locales: &[String]) -> ReferenceDescription {
    ReferenceDescription {
        reference_type_id: ReferenceTypeId::Organizes.into(),
        is_forward: true,
        node_id: ExpandedNodeId::new(space::thing_id(node.id())),
        browse_name: space::browse_name(node),
        display_name: space::display_name(node, locales),
        node_class: space::node_class(node),
        type_definition: ExpandedNodeId::new(space::type_definition(node)),
    }
}

fn property_reference(tag: &Tag, property: Property) -> ReferenceDescription {
    ReferenceDescription {
        reference_type_id: ReferenceTypeId::HasProperty.into(),
        is_forward: true,
        node_id: ExpandedNodeId::new(space::property_id(property, &tag.id)),
        browse_name: QualifiedName::new(0, property.name()),
        display_name: text(property.name()),
        node_class: NodeClass::Variable,
        type_definition: ExpandedNodeId::new(NodeId::from(VariableTypeId::PropertyType)),
    }
}

fn is_wanted(ask: &Ask<'_>, wanted: &BrowseDescription, reference: &ReferenceDescription) -> bool {
    let direction = match wanted.browse_direction {
        BrowseDirection::Forward => reference.is_forward,
        BrowseDirection::Inverse => !reference.is_forward,
        _ => true,
    };
    let class =
        wanted.node_class_mask == 0 || wanted.node_class_mask & reference.node_class as u32 != 0;
    direction
        && class
        && ask.shared.standard.is_wanted(
            &reference.reference_type_id,
            &wanted.reference_type_id,
            wanted.include_subtypes,
        )
}

/// Leaves out what the client does not want to know.
fn masked(
    mut references: Vec<ReferenceDescription>,
    wanted: &BrowseDescription,
) -> Vec<ReferenceDescription> {
    let without = |bit: u32| wanted.result_mask & bit == 0;
    for reference in &mut references {
        if without(REFERENCE_TYPE) {
            reference.reference_type_id = NodeId::null();
        }
        if without(IS_FORWARD) {
            reference.is_forward = false;
        }
        if without(NODE_CLASS) {
            reference.node_class = NodeClass::Unspecified;
        }
        if without(BROWSE_NAME) {
            reference.browse_name = QualifiedName::null();
        }
        if without(DISPLAY_NAME) {
            reference.display_name = LocalizedText::null();
        }
        if without(TYPE_DEFINITION) {
            reference.type_definition = ExpandedNodeId::null();
        }
    }
    references
}

pub(super) async fn translate(
    ask: &Ask<'_>,
    request: TranslateBrowsePathsToNodeIdsRequest,
) -> Result<ResponseMessage, StatusCode> {
    let paths = ask.bounded(request.browse_paths)?;
    let mut results = Vec::with_capacity(paths.len());
    for path in paths {
        results.push(match follow(ask, path).await {
            Ok(targets) => {
                let target = |id| BrowsePathTarget {
                    target_id: ExpandedNodeId::new(id),
                    // The path was followed to its end.
                    remaining_path_index: u32::MAX,
                };
                let targets = Some(targets.into_iter().map(target).collect());
                BrowsePathResult { status_code: StatusCode::Good, targets }
            }
            Err(status_code) => BrowsePathResult { status_code, targets: None },
        });
        ask.look(0)?;
    }
    Ok(TranslateBrowsePathsToNodeIdsResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    }
    .into())
}

async fn follow(ask: &Ask<'_>, path: BrowsePath) -> Result<Vec<NodeId>, StatusCode> {
    let elements = path.relative_path.elements.unwrap_or_default();
    if elements.is_empty() {
        return Err(StatusCode::BadNothingToDo);
    }
    if elements.len() > PATH_MAX {
        return Err(StatusCode::BadTooManyOperations);
    }
    if elements.iter().any(|element| element.target_name.is_null()) {
        return Err(StatusCode::BadBrowseNameInvalid);
    }
    let mut here = vec![path.starting_node];
    for (at, element) in elements.iter().enumerate() {
        let mut next: Vec<NodeId> = Vec::new();
        for id in &here {
            let found = match step(ask, id, element).await {
                Ok(found) => found,
                // Only the start has to exist.
                Err(status) if at == 0 => return Err(status),
                Err(_) => Vec::new(),
            };
            for id in found {
                if next.len() < TARGETS_MAX && !next.contains(&id) {
                    next.push(id);
                }
            }
            tokio::task::yield_now().await;
            if next.len() >= TARGETS_MAX {
                break;
            }
        }
        here = next;
        if here.is_empty() {
            return Err(StatusCode::BadNoMatch);
        }
    }
    Ok(here)
}

/// The nodes that one element of a path leads to.
async fn step(
    ask: &Ask<'_>,
    from: &NodeId,
    element: &RelativePathElement,
) -> Result<Vec<NodeId>, StatusCode> {
    let direction =
        if element.is_inverse { BrowseDirection::Inverse } else { BrowseDirection::Forward };
    let wanted = BrowseDescription {
        node_id: from.clone(),
        browse_direction: direction,
        reference_type_id: element.reference_type_id.clone(),
        include_subtypes: element.include_subtypes,
        node_class_mask: 0,
        result_mask: u32::MAX,
    };
    let target = Target::of(from);
    let fits = |reference: &ReferenceDescription| {
        reference.browse_name == element.target_name && is_wanted(ask, &wanted, reference)
    };
    let mut found: Vec<NodeId> = fixed(ask, &target)
        .await?
        .into_iter()
        .filter(fits)
        .map(|reference| reference.node_id.node_id)
        .collect();
    if let (false, Some(parent)) = (element.is_inverse, folder(ask, &target).await?) {
        let take = |node: &Node| {
            let same = element.target_name.namespace_index == space::WEIR
                && element.target_name.name.as_ref() == node.name();
            (same && fits(&child(node, &[]))).then(|| space::thing_id(node.id()))
        };
        children(ask, parent.as_ref(), None, TARGETS_MAX, take, &mut found).await?;
    }
    Ok(found)
}
