//! Requests within the limits of the server.

use opcua::types::{
    AttributeId, BrowseDescription, BrowseDirection, BrowseResult, BrowseResultMaskFlags,
    ByteString, DataValue, NodeClassMask, NodeId, NumericRange, QualifiedName, ReadValueId,
    ReferenceTypeId, StatusCode, TimestampsToReturn, VariableId, Variant,
};
use weir_connect::ErrorKind;

use super::Link;
use crate::Namespaces;
use crate::status::{Failure, plain};

/// Most items of one request, where the server allows more.
const ITEMS_MAX: usize = 1000;

/// Most namespaces of a server; its index has 16 bits.
const NAMESPACES_MAX: usize = 1 << 16;

/// How many items the server takes in one request of each kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) read: usize,
    pub(crate) browse: usize,
    pub(crate) translate: usize,
    pub(crate) monitor: usize,
    pub(crate) history: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read: ITEMS_MAX,
            browse: ITEMS_MAX,
            translate: ITEMS_MAX,
            monitor: ITEMS_MAX,
            history: ITEMS_MAX,
        }
    }
}

/// The variables that tell the limits, in the order of the fields.
const LIMITS: [VariableId; 5] = [
    VariableId::Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    VariableId::Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
    VariableId::Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIds,
    VariableId::Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    VariableId::Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData,
];

pub(crate) fn read_id(node: NodeId, attribute: AttributeId, range: NumericRange) -> ReadValueId {
    ReadValueId {
        node_id: node,
        attribute_id: attribute as u32,
        index_range: range,
        data_encoding: QualifiedName::null(),
    }
}

/// What lies in one direction of a node.
pub(crate) fn browse_of(
    node: NodeId,
    direction: BrowseDirection,
    reference: ReferenceTypeId,
    classes: NodeClassMask,
) -> BrowseDescription {
    let result = BrowseResultMaskFlags::NodeClass
        | BrowseResultMaskFlags::DisplayName
        | BrowseResultMaskFlags::BrowseName;
    BrowseDescription {
        node_id: node,
        browse_direction: direction,
        reference_type_id: reference.into(),
        include_subtypes: true,
        node_class_mask: classes.bits(),
        result_mask: result.bits(),
    }
}

impl Link {
    /// Learns the server's namespaces and limits; its first answer within the session.
    pub(super) async fn learn(&mut self) -> Result<(), Failure> {
        super::watch::ask(&self.session, &self.pulse).await?;
        let mut wanted = vec![read_id(
            VariableId::Server_NamespaceArray.into(),
            AttributeId::Value,
            NumericRange::None,
        )];
        wanted.extend(LIMITS.map(|id| read_id(id.into(), AttributeId::Value, NumericRange::None)));
        let values = self.read(&wanted, TimestampsToReturn::Neither).await?;
        let mut values = values.into_iter().map(|value| value.value);
        let namespaces = match values.next().flatten() {
            Some(Variant::Array(array)) => array.values,
            _ => Vec::new(),
        };
        let text = |variant: Variant| match variant {
            Variant::String(text) => text.as_ref().to_owned(),
            _ => String::new(),
        };
        self.namespaces =
            Namespaces(namespaces.into_iter().take(NAMESPACES_MAX).map(text).collect());
        let mut limit = || {
            let told = match values.next().flatten() {
                Some(Variant::UInt32(told)) if told > 0 => told as usize,
                _ => ITEMS_MAX,
            };
            told.min(ITEMS_MAX)
        };
        self.limits = Limits {
            read: limit(),
            browse: limit(),
            translate: limit(),
            monitor: limit(),
            history: limit(),
        };
        Ok(())
    }

    /// Reads in requests of a size that the server takes. Values that are too large together are asked for in
    /// smaller groups; one that is too large alone is told by its status.
    pub(crate) async fn read(
        &self,
        wanted: &[ReadValueId],
        stamps: TimestampsToReturn,
    ) -> Result<Vec<DataValue>, Failure> {
        let mut values = Vec::with_capacity(wanted.len());
        let mut waiting: Vec<&[ReadValueId]> =
            wanted.chunks(self.limits.read.max(1)).rev().collect();
        while let Some(group) = waiting.pop() {
            match self.session.read(group, stamps, 0.0).await {
                Ok(answers) if answers.len() == group.len() => values.extend(answers),
                Ok(answers) => {
                    let cause = format!(
                        "{} values were asked for, and {} came",
                        group.len(),
                        answers.len()
                    );
                    return Err(Failure::new(ErrorKind::Protocol, cause));
                }
                Err(error) => match plain(error.status()) {
                    StatusCode::BadResponseTooLarge
                    | StatusCode::BadRequestTooLarge
                    | StatusCode::BadTooManyOperations
                        if group.len() > 1 =>
                    {
                        let (first, second) = group.split_at(group.len() / 2);
                        waiting.push(second);
                        waiting.push(first);
                    }
                    StatusCode::BadResponseTooLarge | StatusCode::BadRequestTooLarge => {
                        values
                            .push(DataValue { status: Some(error.status()), ..DataValue::null() });
                    }
                    _ => return Err(Failure::of("reading failed", &error)),
                },
            }
        }
        Ok(values)
    }

    /// Browses nodes, in requests of a size that the server takes.
    pub(crate) async fn browse(
        &self,
        wanted: &[BrowseDescription],
        references_max: u32,
    ) -> Result<Vec<BrowseResult>, Failure> {
        let mut results = Vec::with_capacity(wanted.len());
        for group in wanted.chunks(self.limits.browse.max(1)) {
            let browsed = self.session.browse(group, references_max, None).await;
            let browsed = browsed.map_err(|e| Failure::of("browsing failed", &e))?;
            if browsed.len() != group.len() {
                let cause = format!(
                    "{} nodes were browsed, and {} answers came",
                    group.len(),
                    browsed.len()
                );
                return Err(Failure::new(ErrorKind::Protocol, cause));
            }
            results.extend(browsed);
        }
        Ok(results)
    }

    /// The rest of what was browsed.
    pub(crate) async fn browse_next(&self, point: &ByteString) -> Result<BrowseResult, Failure> {
        let next = self.session.browse_next(false, std::slice::from_ref(point)).await;
        let next = next.map_err(|e| Failure::of("browsing on failed", &e))?;
        let next = next.into_iter().next();
        next.ok_or_else(|| {
            Failure::new(ErrorKind::Protocol, "browsing on was answered with nothing")
        })
    }

    /// Tells the server that the rest is not wanted. Servers have few places for it.
    pub(crate) async fn forget(&self, points: Vec<ByteString>) {
        for group in points.chunks(self.limits.browse.max(1)) {
            // The server frees them at the end of the session anyway.
            let _ = self.session.browse_next(true, group).await;
        }
    }
}
