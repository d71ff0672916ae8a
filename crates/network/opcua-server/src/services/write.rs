//! Write: values of tags that may be written, and nothing else (OPC 10000-4, clause 5.11.4).

use std::sync::Arc;
use std::time::Instant;

use opcua::core::ResponseMessage;
use opcua::types::{
    AttributeId, ResponseHeader, StatusCode, WriteRequest, WriteResponse, WriteValue,
};
use weir_model::{Identifier, Value};

use super::Ask;
use crate::plant::Node;
use crate::space::Target;
use crate::values;

/// Values of one request that are written at a time.
const WRITES_MAX: usize = 16;

pub(super) async fn write(
    ask: &Ask<'_>,
    request: WriteRequest,
) -> Result<ResponseMessage, StatusCode> {
    let wanted = ask.bounded(request.nodes_to_write)?;
    let targets: Vec<Target> = wanted.iter().map(|wanted| Target::of(&wanted.node_id)).collect();
    let nodes = ask.nodes(targets.iter()).await?;
    let checked: Vec<_> = wanted
        .iter()
        .zip(&targets)
        .map(|(wanted, target)| match target {
            Target::Thing(id) => check(wanted, nodes.get(id)),
            Target::Standard(id) if ask.shared.standard.exists(id) => {
                Err(StatusCode::BadNotWritable)
            }
            Target::Root => Err(StatusCode::BadNotWritable),
            Target::Property(_, id) if nodes.contains_key(id) => Err(StatusCode::BadNotWritable),
            _ => Err(StatusCode::BadNodeIdUnknown),
        })
        .collect();
    let mut results = Vec::with_capacity(checked.len());
    for group in checked.chunks(WRITES_MAX) {
        // Rights may have been taken away while earlier values were written.
        if ask.session.has_ended() {
            return Err(StatusCode::BadSessionClosed);
        }
        // Who was told that it took too long is not surprised by what is written long after.
        if ask.deadline <= Instant::now() {
            return Err(StatusCode::BadTimeout);
        }
        let begun: Vec<_> = group.iter().map(|one| one.clone().map(|it| begin(ask, it))).collect();
        for one in begun {
            results.push(match one {
                // A plant that panicked has not told how far it came.
                Ok(task) => task.await.unwrap_or(StatusCode::Uncertain),
                Err(status) => status,
            });
        }
    }
    Ok(WriteResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    }
    .into())
}

/// Starts to write. The task goes on when the client does not wait: half a write is worse.
fn begin(ask: &Ask<'_>, (id, value): (Identifier, Value)) -> tokio::task::JoinHandle<StatusCode> {
    let (shared, principal) = (Arc::clone(ask.shared), ask.principal.clone());
    let session = Arc::clone(ask.session);
    tokio::spawn(async move {
        if session.has_ended() {
            return StatusCode::BadSessionClosed;
        }
        shared.plant.write(&principal, &id, value).await
    })
}

fn check(wanted: &WriteValue, node: Option<&Node>) -> Result<(Identifier, Value), StatusCode> {
    let attribute = AttributeId::from_u32(wanted.attribute_id)
        .map_err(|_| StatusCode::BadAttributeIdInvalid)?;
    let tag = match node.ok_or(StatusCode::BadNodeIdUnknown)? {
        Node::Tag(tag) => tag,
        Node::Asset(_) if attribute == AttributeId::Value => {
            return Err(StatusCode::BadAttributeIdInvalid);
        }
        Node::Asset(_) => return Err(StatusCode::BadNotWritable),
    };
    if attribute != AttributeId::Value {
        return Err(StatusCode::BadNotWritable);
    }
    // A device takes whole values, and says itself what they are worth. The time that a client names
    // is the time of its wish, not of a measurement.
    let has_status = wanted.value.status.is_some_and(|status| status != StatusCode::Good);
    if has_status || wanted.index_range.has_range() {
        return Err(StatusCode::BadWriteNotSupported);
    }
    let value = wanted.value.value.as_ref().ok_or(StatusCode::BadTypeMismatch)?;
    Ok((tag.id.clone(), values::value(value, tag.data_type)?))
}
