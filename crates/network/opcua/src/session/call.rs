//! Calls of methods.

use opcua::types::{
    Argument, AttributeId, BrowseDirection, CallMethodRequest, NodeClassMask, NodeId, NumericRange,
    ReferenceTypeId, TimestampsToReturn, Variant,
};
use serde_json::Value as Json;
use weir_connect::{DriverError, ErrorKind, Fields};

use super::OpcUaSession;
use crate::address::shorten;
use crate::encode::json_to_variant;
use crate::link::requests::{browse_of, read_id};
use crate::status::{Failure, told};
use crate::value::to_json;
use crate::{NodeAddress, node::NODE_BYTES_MAX};

/// Most arguments of a method.
const ARGUMENTS_MAX: usize = 256;

/// Most properties of a method that are looked at for its arguments.
const PROPERTIES_MAX: u32 = 64;

impl OpcUaSession {
    pub(super) async fn call_method(
        &mut self,
        method: &Json,
        given: &[Json],
    ) -> Result<Vec<Json>, DriverError> {
        let label = self.spec.label();
        let (object, method) = parse(method).map_err(|cause| {
            DriverError::new(ErrorKind::Misconfigured, label.as_str(), "", cause)
        })?;
        let place =
            format!("method {} of {}", shorten(&method.to_string()), shorten(&object.to_string()));
        let refuse = |kind, cause: String| {
            Err(DriverError::new(kind, label.as_str(), place.as_str(), cause))
        };
        let nodes = [&object, &method].map(|node| node.resolve(&self.link.namespaces));
        let [Ok(object), Ok(method)] = nodes else {
            let cause = nodes.into_iter().find_map(Result::err).unwrap_or_default();
            return refuse(ErrorKind::Misconfigured, cause);
        };
        let expected = match self.arguments(&method).await {
            Ok(expected) => expected,
            Err(failure) => return Err(self.lost(failure.with("the call was not sent"))),
        };
        if given.len() != expected.len() {
            let names: Vec<_> = expected.iter().map(|argument| argument.name.as_ref()).collect();
            let names = shorten(&names.join(", "));
            let cause = format!(
                "{} arguments are given, but the method takes {} ({names})",
                given.len(),
                expected.len()
            );
            return refuse(ErrorKind::Misconfigured, cause);
        }
        let mut arguments = Vec::with_capacity(given.len());
        for (json, argument) in given.iter().zip(&expected) {
            let kind = self.kinds.get(&argument.data_type);
            match json_to_variant(json, kind, &self.link.namespaces) {
                Ok(variant) => arguments.push(variant),
                Err(cause) => {
                    let cause = format!("argument {}: {cause}", shorten(argument.name.as_ref()));
                    return refuse(ErrorKind::OutOfLimits, cause);
                }
            }
        }
        let request = CallMethodRequest {
            object_id: object,
            method_id: method,
            input_arguments: Some(arguments),
        };
        let result = self.link.session.call(vec![request]).await.map_err(|error| {
            let failure = Failure::of("the call failed", &error);
            self.lost(match failure.kind.ends_session() {
                true => failure.with("whether the method was carried out is not known"),
                false => failure,
            })
        })?;
        let Some(result) = result.into_iter().next() else {
            let cause = "the call was answered with nothing; whether the method was carried out is not known";
            return Err(self.lost(Failure::new(ErrorKind::Protocol, cause)));
        };
        if result.status_code.is_bad() {
            let wrong = result.input_argument_results.unwrap_or_default();
            let wrong = wrong.iter().zip(&expected).find(|(status, _)| status.is_bad());
            let cause = match wrong {
                Some((status, argument)) => {
                    format!(
                        "{}; argument {}: {}",
                        told(result.status_code),
                        shorten(argument.name.as_ref()),
                        told(*status)
                    )
                }
                None => told(result.status_code),
            };
            return refuse(ErrorKind::Rejected, cause);
        }
        let outputs = result.output_arguments.unwrap_or_default();
        Ok(outputs.iter().map(|output| to_json(output, self.structures.as_deref(), 0)).collect())
    }

    /// What the method takes, as its property says; nothing where it has none.
    async fn arguments(&mut self, method: &NodeId) -> Result<Vec<Argument>, Failure> {
        let properties = browse_of(
            method.clone(),
            BrowseDirection::Forward,
            ReferenceTypeId::HasProperty,
            NodeClassMask::VARIABLE,
        );
        let browsed = self.link.browse(&[properties], PROPERTIES_MAX).await?;
        let found = browsed.into_iter().flat_map(|result| result.references.unwrap_or_default());
        let found = found
            .filter(|r| r.browse_name.name.as_ref() == "InputArguments")
            .map(|r| r.node_id.node_id);
        let Some(property) = found.into_iter().next() else { return Ok(Vec::new()) };
        let wanted = [read_id(property, AttributeId::Value, NumericRange::None)];
        let values = self.link.read(&wanted, TimestampsToReturn::Neither).await?;
        let arguments: Vec<Argument> = match values.into_iter().next().and_then(|value| value.value)
        {
            Some(Variant::Array(array)) => {
                array.values.into_iter().take(ARGUMENTS_MAX).filter_map(argument).collect()
            }
            Some(single) => argument(single).into_iter().collect(),
            None => Vec::new(),
        };
        self.kinds
            .learn(&self.link, arguments.iter().map(|argument| argument.data_type.clone()))
            .await?;
        Ok(arguments)
    }
}

fn argument(variant: Variant) -> Option<Argument> {
    match variant {
        Variant::ExtensionObject(object) => {
            object.into_inner_as::<Argument>().map(|argument| *argument)
        }
        _ => None,
    }
}

/// Reads `{"object": node, "method": node}`.
fn parse(json: &Json) -> Result<(NodeAddress, NodeAddress), String> {
    let mut errors = Vec::new();
    let mut fields = Fields::of(json, String::new(), &mut errors);
    let mut node = |name: &'static str| {
        let text = fields.text(name, NODE_BYTES_MAX);
        let node = NodeAddress::parse(fields.require(name, text)?);
        node.map_err(|expected| fields.wrong(name, expected)).ok()
    };
    let (object, method) = (node("object"), node("method"));
    fields.finish();
    match (object, method, errors.first()) {
        (Some(object), Some(method), None) => Ok((object, method)),
        (_, _, Some(error)) => {
            Err(format!("the method's address: {}: {}", error.field, error.detail))
        }
        _ => Err("the method's address has an object and a method".to_owned()),
    }
}
