//! What is known of the points of a session.

use opcua::types::{AttributeId, NodeId, NumericRange, ReadValueId, TimestampsToReturn, Variant};
use weir_model::Timestamp;

use super::OpcUaSession;
use crate::kinds::Kind;
use crate::link::requests::read_id;
use crate::status::Failure;
use crate::structures::Structures;
use crate::{Namespaces, PointAddress};

/// The bit of an access level that says that a history can be read (OPC 10000-3, clause 8.57).
const HISTORY_READ: u8 = 0x04;

/// A point and what the server said of it.
pub(super) struct PointState {
    pub(super) address: PointAddress,
    /// The node as this server numbers it, or why it has none.
    pub(super) node: Result<NodeId, String>,
    pub(super) kind: Kind,
    is_described: bool,
    pub(super) has_history: bool,
    /// Whether it is read at its interval, because the server does not watch it.
    pub(super) is_polled: bool,
    /// Whether a deadband that it takes over from the device does not suit it.
    pub(super) without_deadband: bool,
    /// The newest time that was told of it in this session.
    pub(super) newest: Option<Timestamp>,
    /// The time to which an older one was moved.
    pub(super) moved_to: Option<Timestamp>,
}

impl PointState {
    pub(super) fn new(address: PointAddress, namespaces: &Namespaces) -> Self {
        Self {
            node: address.node.resolve(namespaces),
            address,
            kind: Kind::Any,
            is_described: false,
            has_history: false,
            is_polled: false,
            without_deadband: false,
            newest: None,
            moved_to: None,
        }
    }

    pub(super) fn range(&self) -> NumericRange {
        self.address.index.as_ref().map_or(NumericRange::None, |index| index.range.clone())
    }

    /// What to read for its value; none where the server has no such namespace.
    pub(super) fn read_id(&self) -> Option<ReadValueId> {
        let node = self.node.as_ref().ok()?.clone();
        Some(read_id(node, self.address.attribute, self.range()))
    }
}

impl OpcUaSession {
    /// Learns the data types of points, and the definitions of structures where there are any.
    pub(super) async fn describe(&mut self, indexes: &[usize]) -> Result<(), Failure> {
        let mut asked = Vec::new();
        for index in indexes {
            let Some(point) = self.points.get_mut(*index) else { continue };
            let is_value = point.address.attribute == AttributeId::Value;
            if let (Ok(node), true, false) = (&point.node, is_value, point.is_described) {
                asked.push((*index, node.clone()));
            }
            point.is_described = true;
        }
        if asked.is_empty() {
            return Ok(());
        }
        let attributes = [AttributeId::DataType, AttributeId::AccessLevel];
        let wanted: Vec<_> = asked
            .iter()
            .flat_map(|(_, node)| attributes.map(|a| read_id(node.clone(), a, NumericRange::None)))
            .collect();
        let answers = self.link.read(&wanted, TimestampsToReturn::Neither).await?;
        let mut types = Vec::with_capacity(asked.len());
        for ((index, _), answers) in asked.iter().zip(answers.chunks_exact(attributes.len())) {
            let [data_type, access] = answers else { continue };
            if let Some(Variant::NodeId(id)) = &data_type.value {
                types.push((*index, (**id).clone()));
            }
            if let (Some(Variant::Byte(bits)), Some(point)) =
                (&access.value, self.points.get_mut(*index))
            {
                point.has_history = bits & HISTORY_READ != 0;
            }
        }
        self.kinds.learn(&self.link, types.iter().map(|(_, id)| id.clone())).await?;
        for (index, id) in &types {
            if let Some(point) = self.points.get_mut(*index) {
                point.kind = self.kinds.get(id);
            }
        }
        let has_structures = asked
            .iter()
            .any(|(i, _)| self.points.get(*i).is_some_and(|p| p.kind == Kind::Structure));
        if has_structures && !self.structures_asked {
            self.structures_asked = true;
            self.structures = Structures::learn(&self.link).await;
        }
        Ok(())
    }
}
