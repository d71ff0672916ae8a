//! Read (OPC 10000-4, clause 5.11.2).

use std::collections::HashMap;
use std::time::Instant;

use opcua::core::ResponseMessage;
use opcua::types::{
    AttributeId, DataEncoding, DataValue, NodeId, ReadRequest, ReadResponse, ReadValueId,
    ResponseHeader, StatusCode, TimestampsToReturn,
};
use weir_model::{Identifier, Sample, TagId, Timestamp};

use super::{Ask, Budget, nodes};
use crate::plant::{Node, Principal, Tag};
use crate::shared::Shared;
use crate::space::{self, Property, Target};
use crate::values::{bad, data_value, plain, ranged, stamped, value_bytes, waiting};

pub(super) async fn read(
    ask: &Ask<'_>,
    request: ReadRequest,
) -> Result<ResponseMessage, StatusCode> {
    if request.max_age < 0.0 {
        return Err(StatusCode::BadMaxAgeInvalid);
    }
    let timestamps = request.timestamps_to_return;
    if timestamps == TimestampsToReturn::Invalid {
        return Err(StatusCode::BadTimestampsToReturnInvalid);
    }
    let wanted = ask.bounded(request.nodes_to_read)?;
    let parsed: Vec<_> = wanted.iter().map(attribute).collect();
    let good: Vec<_> = wanted
        .iter()
        .zip(&parsed)
        .filter_map(|(wanted, attribute)| Some((&wanted.node_id, attribute.ok()?)))
        .collect();
    let view = View::load(ask.shared, ask.deadline, &ask.principal, &good).await?;
    if view.bytes(&wanted) > ask.shared.limits.message_bytes_max {
        return Err(StatusCode::BadResponseTooLarge);
    }
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let one = |(wanted, attribute): (&ReadValueId, &Result<AttributeId, StatusCode>)| {
        let attribute = match attribute {
            Ok(attribute) => *attribute,
            Err(status) => return bad(*status),
        };
        let target = Target::of(&wanted.node_id);
        let value = view.value(ask.shared, &target, attribute, &ask.locales, timestamps, now);
        let value = ranged(value, &wanted.index_range);
        match (attribute, value.status) {
            (_, Some(status)) if value.value.is_none() && is_fault(status) => bad(status),
            (AttributeId::Value, _) => stamped(value, timestamps, now),
            // Other attributes have no source time (OPC 10000-4, clause 7.39).
            _ => DataValue { source_timestamp: None, ..stamped(value, timestamps, now) },
        }
    };
    let mut budget = Budget::new(ask.shared);
    let mut results = Vec::with_capacity(wanted.len());
    for wanted in wanted.iter().zip(&parsed) {
        let value = one(wanted);
        budget.take(&value, ask.shared)?;
        results.push(value);
    }
    Ok(ReadResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    }
    .into())
}

/// Whether a status is about the read and not about the value.
fn is_fault(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BadNodeIdUnknown
            | StatusCode::BadAttributeIdInvalid
            | StatusCode::BadIndexRangeInvalid
            | StatusCode::BadIndexRangeNoData
    )
}

/// Which attribute is wanted, if it can be.
pub(super) fn attribute(wanted: &ReadValueId) -> Result<AttributeId, StatusCode> {
    let attribute = AttributeId::from_u32(wanted.attribute_id)
        .map_err(|_| StatusCode::BadAttributeIdInvalid)?;
    let encoding = DataEncoding::from_browse_name(wanted.data_encoding.clone());
    match encoding {
        Ok(DataEncoding::Binary) => {}
        Ok(DataEncoding::XML | DataEncoding::JSON) => {
            return Err(StatusCode::BadDataEncodingUnsupported);
        }
        _ => return Err(StatusCode::BadDataEncodingInvalid),
    }
    if !wanted.data_encoding.is_null() && attribute != AttributeId::Value {
        return Err(StatusCode::BadDataEncodingInvalid);
    }
    if wanted.index_range.has_range() && attribute != AttributeId::Value {
        return Err(StatusCode::BadIndexRangeNoData);
    }
    Ok(attribute)
}

/// Attributes for items that watch them; what is too much altogether is `BadResponseTooLarge`.
pub(crate) async fn attributes(
    shared: &Shared,
    deadline: Instant,
    principal: &Principal,
    locales: &[String],
    wanted: &[(&NodeId, AttributeId)],
) -> Vec<DataValue> {
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let both = TimestampsToReturn::Both;
    let mut budget = Budget::new(shared);
    match View::load(shared, deadline, principal, wanted).await {
        Ok(view) => wanted
            .iter()
            .map(|(id, attribute)| {
                let value = view.value(shared, &Target::of(id), *attribute, locales, both, now);
                match budget.take(&value, shared) {
                    Ok(()) => value,
                    Err(status) => bad(status),
                }
            })
            .collect(),
        Err(status) => wanted.iter().map(|_| bad(status)).collect(),
    }
}

/// What a request needs of the plant, asked for at once.
pub(super) struct View {
    nodes: HashMap<Identifier, Node>,
    samples: HashMap<TagId, Sample>,
}

impl View {
    async fn load(
        shared: &Shared,
        deadline: Instant,
        principal: &Principal,
        wanted: &[(&NodeId, AttributeId)],
    ) -> Result<Self, StatusCode> {
        let targets: Vec<_> = wanted.iter().map(|(id, at)| (Target::of(id), *at)).collect();
        let things = targets.iter().map(|(target, _)| target);
        let nodes = nodes(shared, deadline, principal, things).await?;
        let mut tags: Vec<TagId> = targets
            .iter()
            .filter(|(target, attribute)| {
                *attribute == AttributeId::Value
                    && matches!(
                        target,
                        Target::Thing(_) | Target::Property(Property::ValueAsText, _)
                    )
            })
            .filter_map(|(target, _)| match nodes.get(target.identifier()?)? {
                Node::Tag(tag) => Some(tag.tag),
                Node::Asset(_) => None,
            })
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let mut samples = HashMap::new();
        if !tags.is_empty() {
            let last = shared.plant.last(deadline, principal, &tags).await?;
            samples.extend(tags.into_iter().zip(last).filter_map(|(tag, s)| Some((tag, s?))));
        }
        Ok(Self { nodes, samples })
    }

    /// Bytes of the samples in an answer, before they are made into one.
    fn bytes(&self, wanted: &[ReadValueId]) -> usize {
        let sample = |wanted: &ReadValueId| {
            let Target::Thing(id) = Target::of(&wanted.node_id) else { return None };
            let Node::Tag(tag) = self.nodes.get(&id)? else { return None };
            self.samples.get(&tag.tag)?.value.as_ref()
        };
        wanted.iter().map(|wanted| value_bytes(sample(wanted))).sum()
    }

    fn value(
        &self,
        shared: &Shared,
        target: &Target,
        attribute: AttributeId,
        locales: &[String],
        timestamps: TimestampsToReturn,
        now: Timestamp,
    ) -> DataValue {
        const UNKNOWN: StatusCode = StatusCode::BadNodeIdUnknown;
        let found = match target {
            Target::Standard(id) if !shared.standard.exists(id) => return bad(UNKNOWN),
            Target::Standard(id) => shared.standard.read(id, attribute, now),
            Target::Root => space::root_attribute(attribute).map(plain),
            Target::Thing(id) => match self.nodes.get(id) {
                None => return bad(UNKNOWN),
                Some(Node::Tag(tag)) if attribute == AttributeId::Value => {
                    Some(self.sample(tag, timestamps, now))
                }
                Some(node) => space::attribute(node, attribute, locales).map(plain),
            },
            Target::Property(property, id) => match self.nodes.get(id) {
                Some(Node::Tag(tag)) if space::has_property(tag, *property) => {
                    let sample = self.samples.get(&tag.tag);
                    space::property_attribute(*property, tag, sample, attribute).map(plain)
                }
                _ => return bad(UNKNOWN),
            },
            Target::Unknown => return bad(UNKNOWN),
        };
        found.unwrap_or_else(|| bad(StatusCode::BadAttributeIdInvalid))
    }

    fn sample(&self, tag: &Tag, timestamps: TimestampsToReturn, now: Timestamp) -> DataValue {
        match self.samples.get(&tag.tag) {
            Some(sample) => data_value(sample, now, timestamps),
            None => data_value(&waiting(), now, timestamps),
        }
    }
}
