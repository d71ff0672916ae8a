//! Requests and answers as bytes (OPC 10000-6, clause 5.2).

use std::io::Cursor;

use opcua::core::{Message as _, RequestMessage, ResponseMessage};
use opcua::types::type_loader::ContextOwned;
use opcua::types::{
    BinaryDecodable as _, BinaryEncodable as _, DecodingOptions, NamespaceMap, NodeId, ObjectId,
    RequestHeader, StatusCode,
};
use weir_model::{ARRAY_LENGTH_MAX, TEXT_BYTES_MAX};

/// A request that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The number by which the client knows the request, as far as it could be read.
    pub(crate) handle: u32,
    pub(crate) status: StatusCode,
}

/// Bounds of what is read, and the types of the standard.
pub(crate) fn context(message_bytes_max: usize) -> ContextOwned {
    let options = DecodingOptions {
        max_message_size: message_bytes_max,
        max_string_length: TEXT_BYTES_MAX,
        max_byte_string_length: TEXT_BYTES_MAX,
        max_array_length: ARRAY_LENGTH_MAX,
        ..DecodingOptions::default()
    };
    ContextOwned::new_default(NamespaceMap::new(), options)
}

/// Which service a request is for, if that can be read.
pub(crate) fn service(body: &[u8], context: &ContextOwned) -> Option<ObjectId> {
    let id = NodeId::decode(&mut Cursor::new(body), &context.context()).ok()?;
    id.as_object_id().ok()
}

/// Reads a request.
pub(crate) fn decode(body: &[u8], context: &ContextOwned) -> Result<RequestMessage, Unreadable> {
    let context = context.context();
    let mut stream = Cursor::new(body);
    let unreadable = |status| Unreadable { handle: 0, status };
    let id = NodeId::decode(&mut stream, &context)
        .map_err(|_| unreadable(StatusCode::BadDecodingError))?;
    let header = stream.position();
    let id = id.as_object_id().map_err(|_| unreadable(StatusCode::BadServiceUnsupported))?;
    RequestMessage::decode_by_object_id(&mut stream, id, &context).map_err(|error| {
        stream.set_position(header);
        let handle = RequestHeader::decode(&mut stream, &context).map_or(0, |h| h.request_handle);
        let status = match error.status() {
            StatusCode::BadEncodingLimitsExceeded => StatusCode::BadEncodingLimitsExceeded,
            _ => StatusCode::BadDecodingError,
        };
        Unreadable { handle, status }
    })
}

/// Writes an answer of at most `bytes_max`.
pub(crate) fn encode(
    message: &ResponseMessage,
    bytes_max: usize,
    context: &ContextOwned,
) -> Result<Vec<u8>, StatusCode> {
    let context = context.context();
    let id = message.type_id();
    let length = id.byte_len(&context) + message.byte_len(&context);
    if length > bytes_max {
        return Err(StatusCode::BadResponseTooLarge);
    }
    let mut bytes = Vec::with_capacity(length);
    id.encode(&mut bytes, &context).map_err(|_| StatusCode::BadEncodingError)?;
    message.encode(&mut bytes, &context).map_err(|_| StatusCode::BadEncodingError)?;
    Ok(bytes)
}
