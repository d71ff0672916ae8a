//! Structures whose types only the server knows, opened with the definitions that it gives.

mod standard;

use std::io::{Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use opcua::client::custom_types::DataTypeTreeBuilder;
use opcua::sync::RwLock;
use opcua::types::custom::{DataTypeTree, DynamicStructure, DynamicTypeLoader};
use opcua::types::{
    ByteString, ByteStringBody, Context, ContextOwned, DynEncodable, EncodingResult, Error,
    ExtensionObject, NodeId, StructureType, TypeLoader, TypeLoaderPriority, Variant,
};
use tokio::time::timeout;

use crate::link::{Link, MESSAGE_BYTES_MAX};

/// How long reading all the type definitions of a server may take. Without them, structures are opaque, and
/// all else goes on.
const LEARN_TIME_MAX: Duration = Duration::from_secs(20);

/// The structure types of a server.
pub(crate) struct Structures {
    tree: Arc<DataTypeTree>,
    loader: DynamicTypeLoader,
    context: Arc<RwLock<ContextOwned>>,
}

impl Structures {
    /// Reads the type definitions and has the session decode by them; none where that fails.
    pub(crate) async fn learn(link: &Link) -> Option<Arc<Self>> {
        let built = DataTypeTreeBuilder::new(|_: &NodeId| true)
            .values_per_read(link.limits.read)
            .build(&link.session);
        let namespaces = link.session.read_namespace_array();
        let tree = match timeout(LEARN_TIME_MAX, async { (namespaces.await, built.await) }).await {
            Ok((_, Ok(tree))) => Arc::new(tree),
            Ok((_, Err(error))) => {
                tracing::warn!(%error, "an OPC UA server does not tell its structure types");
                return None;
            }
            Err(_) => {
                tracing::warn!("an OPC UA server does not tell its structure types in time");
                return None;
            }
        };
        link.session.add_type_loader(Arc::new(Lenient(
            DynamicTypeLoader::new(Arc::clone(&tree)),
            Arc::clone(&tree),
        )));
        let loader = DynamicTypeLoader::new(Arc::clone(&tree));
        Some(Arc::new(Self { tree, loader, context: link.session.context() }))
    }

    fn fields(&self, object: &ExtensionObject) -> Option<Vec<(String, Variant)>> {
        let body = object.body.as_ref()?;
        if object.inner_is::<ByteStringBody>() {
            return None;
        }
        if let Some(dynamic) = object.inner_as::<DynamicStructure>() {
            return self.named(object, dynamic);
        }
        // A structure of the standard: by way of its bytes it becomes one like the others.
        let context = self.context.read();
        let context = context.context();
        let mut bytes = Vec::new();
        body.encode_binary(&mut bytes, &context).ok()?;
        let encoding = object.binary_type_id().node_id;
        let length = bytes.len();
        let loaded = self.loader.load_from_binary(
            &encoding,
            &mut Cursor::new(bytes),
            &context,
            Some(length),
        )?;
        let object = ExtensionObject { body: loaded.ok() };
        self.named(&object, object.inner_as::<DynamicStructure>()?)
    }

    fn named(
        &self,
        object: &ExtensionObject,
        dynamic: &DynamicStructure,
    ) -> Option<Vec<(String, Variant)>> {
        let definition = self.tree.get_struct_type(&object.data_type()?.node_id)?;
        let mut names = definition.fields.iter().map(|field| field.name.clone());
        let values = dynamic.values().iter().cloned();
        if definition.structure_type != StructureType::Union {
            return Some(names.zip(values).filter(|(_, value)| !value.is_empty()).collect());
        }
        // Which field of a union it is stands in front of its bytes only.
        let context = self.context.read();
        let mut bytes = Vec::new();
        object.body.as_ref()?.encode_binary(&mut bytes, &context.context()).ok()?;
        let chosen = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
        let Some(index) = chosen.checked_sub(1) else { return Some(Vec::new()) };
        Some(names.nth(index).into_iter().zip(values).collect())
    }
}

/// The fields of a structure that are there; none for a structure that cannot be opened.
pub(crate) fn fields(
    object: &ExtensionObject,
    known: Option<&Structures>,
) -> Option<Vec<(String, Variant)>> {
    standard::fields(object).or_else(|| known?.fields(object))
}

/// Decodes structures by the server's own definitions, and takes what does not fit them as mere bytes: else one
/// wrong definition would end the session for all points.
struct Lenient(DynamicTypeLoader, Arc<DataTypeTree>);

impl TypeLoader for Lenient {
    fn load_from_binary(
        &self,
        node: &NodeId,
        stream: &mut dyn Read,
        context: &Context<'_>,
        length: Option<usize>,
    ) -> Option<EncodingResult<Box<dyn DynEncodable>>> {
        let Some(length) = length else {
            return self.0.load_from_binary(node, stream, context, None);
        };
        let known = self.1.encoding_to_data_type().get(node).unwrap_or(node);
        self.1.get_struct_type(known).filter(|found| found.is_supported())?;
        let mut bytes = Vec::new();
        let limit = length.min(MESSAGE_BYTES_MAX);
        match stream.take(limit as u64).read_to_end(&mut bytes) {
            Ok(read) if read == length => {}
            _ => return Some(Err(Error::decoding("a structure ends too early"))),
        }
        let loaded = self.0.load_from_binary(node, &mut Cursor::new(&bytes), context, Some(length));
        Some(match loaded {
            Some(Ok(body)) => Ok(body),
            _ => Ok(Box::new(ByteStringBody::new(ByteString::from(bytes), node.clone()))),
        })
    }

    fn priority(&self) -> TypeLoaderPriority {
        TypeLoaderPriority::Dynamic(50)
    }
}
