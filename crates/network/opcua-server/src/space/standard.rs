//! The standard's own namespace: types, and the `Server` object with what this server is and can.

use opcua::nodes::{DefaultTypeTree, NodeType, TypeTree as _};
use opcua::server::address_space::{AddressSpace, CoreNamespace};
use opcua::types::{
    AttributeId, BrowseDirection, BuildInfo, ByteString, DataEncoding, DataValue, DateTime,
    ExtensionObject, LocalizedText, NamespaceMap, NodeClass, NodeId, NumericRange, QualifiedName,
    ReferenceTypeId, ServerState, ServerStatusDataType, TimestampsToReturn, UAString, VariableId,
    Variant,
};
use weir_model::{ARRAY_LENGTH_MAX, TEXT_BYTES_MAX, Timestamp};

use super::{NAMESPACE, PROPERTY_NAMESPACE};
use crate::options::Limits;
use crate::session::{BROWSE_POINTS_MAX, HISTORY_POINTS_MAX};
use crate::values::{date_time, plain};

/// What the server tells about itself.
pub(crate) struct Facts {
    pub(crate) application_uri: String,
    pub(crate) started: Timestamp,
    pub(crate) limits: Limits,
}

/// Schemas of the standard's types in XML, of hundreds of kilobytes each. Clients have read types from
/// `DataTypeDefinition` for many years; a request that names one ten thousand times would cost
/// gigabytes.
const SCHEMAS: [VariableId; 2] = [VariableId::OpcUa_BinarySchema, VariableId::OpcUa_XmlSchema];

/// The standard's nodes.
pub(crate) struct Standard {
    space: AddressSpace,
    types: DefaultTypeTree,
    facts: Facts,
}

/// A reference from a node of the standard.
pub(crate) struct Link {
    pub(crate) reference: NodeId,
    pub(crate) forward: bool,
    pub(crate) target: NodeId,
}

impl Standard {
    /// Loads the namespace: some megabytes.
    pub(crate) fn new(facts: Facts) -> Self {
        let mut space = AddressSpace::new();
        let mut types = DefaultTypeTree::new();
        space.import_node_set(&CoreNamespace, &mut NamespaceMap::new());
        space.load_into_type_tree(&mut types);
        for id in SCHEMAS {
            if let Some(NodeType::Variable(schema)) = space.find_mut(&NodeId::from(id)) {
                schema.set_data_value(plain(ByteString::null()));
            }
        }
        Self { space, types, facts }
    }

    /// Whether a reference of a type is asked for by another, with or without its subtypes.
    pub(crate) fn is_wanted(&self, reference: &NodeId, wanted: &NodeId, subtypes: bool) -> bool {
        wanted.is_null()
            || reference == wanted
            || (subtypes && self.types.is_subtype_of(reference, wanted))
    }

    /// Whether a NodeId is a type of references.
    pub(crate) fn is_reference_type(&self, id: &NodeId) -> bool {
        self.types.get(id) == Some(NodeClass::ReferenceType)
    }

    pub(crate) fn exists(&self, id: &NodeId) -> bool {
        self.space.node_exists(id)
    }

    /// References from and to a node.
    pub(crate) fn links(&self, id: &NodeId) -> Vec<Link> {
        let all = None::<(NodeId, bool)>;
        let mut links = Vec::new();
        for (direction, forward) in
            [(BrowseDirection::Forward, true), (BrowseDirection::Inverse, false)]
        {
            let found = self.space.find_references(id, all.clone(), &self.types, direction);
            links.extend(found.map(|link| Link {
                reference: link.reference_type.clone(),
                forward,
                target: link.target_node.clone(),
            }));
        }
        links
    }

    /// Class, names and type of a node.
    pub(crate) fn describe(
        &self,
        id: &NodeId,
    ) -> Option<(NodeClass, QualifiedName, LocalizedText, NodeId)> {
        let node = self.space.find(id)?;
        let of = Some((NodeId::from(ReferenceTypeId::HasTypeDefinition), false));
        let mut types = self.space.find_references(id, of, &self.types, BrowseDirection::Forward);
        let definition = types.next().map_or_else(NodeId::null, |link| link.target_node.clone());
        let node = node.as_node();
        let (name, display) = (node.browse_name().clone(), node.display_name().clone());
        Some((node.node_class(), name, display, definition))
    }

    /// An attribute; none where the node has no such attribute.
    pub(crate) fn read(
        &self,
        id: &NodeId,
        attribute: AttributeId,
        now: Timestamp,
    ) -> Option<DataValue> {
        let node = self.space.find(id)?;
        if attribute == AttributeId::Value && matches!(node, NodeType::Variable(_)) {
            let own = id.as_variable_id().ok().and_then(|id| self.own(id, now));
            if let Some(own) = own {
                return Some(plain(own));
            }
        }
        let mut value = node.as_node().get_attribute_max_age(
            TimestampsToReturn::Neither,
            attribute,
            &NumericRange::None,
            &DataEncoding::Binary,
            0.0,
        )?;
        (value.source_timestamp, value.server_timestamp) = (None, None);
        Some(value)
    }

    /// What only the running server knows.
    fn own(&self, id: VariableId, now: Timestamp) -> Option<Variant> {
        use VariableId as Id;
        let limits = &self.facts.limits;
        let nodes = || Variant::from(limits.nodes_per_request_max as u32);
        let namespaces = [
            "http://opcfoundation.org/UA/",
            &self.facts.application_uri,
            NAMESPACE,
            PROPERTY_NAMESPACE,
        ];
        let time = |time| Variant::from(date_time(time).0);
        let build = build_info();
        Some(match id {
            Id::Server_NamespaceArray => {
                namespaces.map(UAString::from).to_vec().into()
            }
            Id::Server_ServerArray => {
                vec![UAString::from(self.facts.application_uri.as_str())].into()
            }
            Id::Server_ServiceLevel => 255_u8.into(),
            Id::Server_Auditing => false.into(),
            Id::Server_ServerStatus => ExtensionObject::from_message(ServerStatusDataType {
                start_time: date_time(self.facts.started).0,
                current_time: date_time(now).0,
                state: ServerState::Running,
                build_info: build,
                seconds_till_shutdown: 0,
                shutdown_reason: LocalizedText::null(),
            })
            .into(),
            Id::Server_ServerStatus_StartTime => time(self.facts.started),
            Id::Server_ServerStatus_CurrentTime => time(now),
            Id::Server_ServerStatus_State => (ServerState::Running as i32).into(),
            Id::Server_ServerStatus_SecondsTillShutdown => 0_u32.into(),
            Id::Server_ServerStatus_ShutdownReason => LocalizedText::null().into(),
            Id::Server_ServerStatus_BuildInfo => ExtensionObject::from_message(build).into(),
            Id::Server_ServerStatus_BuildInfo_ProductUri => build.product_uri.into(),
            Id::Server_ServerStatus_BuildInfo_ManufacturerName => build.manufacturer_name.into(),
            Id::Server_ServerStatus_BuildInfo_ProductName => build.product_name.into(),
            Id::Server_ServerStatus_BuildInfo_SoftwareVersion => build.software_version.into(),
            Id::Server_ServerStatus_BuildInfo_BuildNumber => build.build_number.into(),
            Id::Server_ServerStatus_BuildInfo_BuildDate => build.build_date.into(),
            Id::Server_ServerCapabilities_LocaleIdArray => {
                ["en", "zh-CN"].map(UAString::from).to_vec().into()
            }
            Id::Server_ServerCapabilities_ServerProfileArray => {
                let profile = "http://opcfoundation.org/UA-Profile/Server/StandardUA2017";
                vec![UAString::from(profile)].into()
            }
            Id::Server_ServerCapabilities_MinSupportedSampleRate => 0.0_f64.into(),
            Id::Server_ServerCapabilities_MaxBrowseContinuationPoints => {
                (BROWSE_POINTS_MAX as u16).into()
            }
            Id::Server_ServerCapabilities_MaxHistoryContinuationPoints => {
                (HISTORY_POINTS_MAX as u16).into()
            }
            Id::Server_ServerCapabilities_MaxQueryContinuationPoints => 0_u16.into(),
            Id::Server_ServerCapabilities_MaxArrayLength => (ARRAY_LENGTH_MAX as u32).into(),
            Id::Server_ServerCapabilities_MaxStringLength
            | Id::Server_ServerCapabilities_MaxByteStringLength => (TEXT_BYTES_MAX as u32).into(),
            Id::Server_ServerCapabilities_OperationLimits_MaxNodesPerRead
            | Id::Server_ServerCapabilities_OperationLimits_MaxNodesPerWrite
            | Id::Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse
            | Id::Server_ServerCapabilities_OperationLimits_MaxNodesPerRegisterNodes
            | Id::Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall
            | Id::Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIds => {
                nodes()
            }
            Id::Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData => {
                (limits.history_nodes_per_request_max as u32).into()
            }
            Id::HistoryServerCapabilities_AccessHistoryDataCapability => true.into(),
            Id::HistoryServerCapabilities_MaxReturnDataValues => {
                (limits.history_values_max as u32).into()
            }
            Id::HistoryServerCapabilities_AccessHistoryEventsCapability
            | Id::HistoryServerCapabilities_InsertDataCapability
            | Id::HistoryServerCapabilities_ReplaceDataCapability
            | Id::HistoryServerCapabilities_UpdateDataCapability
            | Id::HistoryServerCapabilities_DeleteRawCapability
            | Id::HistoryServerCapabilities_DeleteAtTimeCapability
            | Id::HistoryServerCapabilities_InsertEventCapability
            | Id::HistoryServerCapabilities_ReplaceEventCapability
            | Id::HistoryServerCapabilities_UpdateEventCapability
            | Id::HistoryServerCapabilities_DeleteEventCapability
            | Id::HistoryServerCapabilities_InsertAnnotationCapability
            | Id::HistoryServerCapabilities_ServerTimestampSupported => false.into(),
            _ => return None,
        })
    }
}

fn build_info() -> BuildInfo {
    BuildInfo {
        product_uri: UAString::from(crate::PRODUCT_URI),
        manufacturer_name: UAString::from("Weir"),
        product_name: UAString::from("Weir"),
        software_version: UAString::from(env!("CARGO_PKG_VERSION")),
        build_number: UAString::from(env!("CARGO_PKG_VERSION")),
        build_date: DateTime::null(),
    }
}
