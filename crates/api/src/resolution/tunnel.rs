//! Messages of the Handle protocol in the body of a POST, to any path: what the reference clients
//! send where only HTTP gets through.

use std::net::IpAddr;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use weir_handle::{
    Answer, Draft, ENVELOPE_BYTES, Envelope, Header, MESSAGE_BYTES_MAX, ResponseCode,
};
use weir_resolver::{Origin, Read};

use super::{IdentifierState, sentence, set, text_of};

const MESSAGE: &str = "application/x-hdl-message";

/// The longest body: an envelope and the longest message.
const BODY_BYTES_MAX: usize = ENVELOPE_BYTES + MESSAGE_BYTES_MAX as usize;

/// Whether a request has a message in its body, by its content type. Whoever sends one takes one:
/// the reference server wants that said too.
pub(super) fn is_message(headers: &HeaderMap) -> bool {
    let kind = text_of(headers, header::CONTENT_TYPE);
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(MESSAGE))
}

/// Answers a message. An answer that comes in several messages comes whole; the reference server
/// sends the first of them.
pub(super) async fn answer(state: &IdentifierState, address: IpAddr, body: Body) -> Response {
    let Ok(bytes) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        let words = format!("A message has at most {BODY_BYTES_MAX} bytes with its envelope.");
        return sentence(StatusCode::PAYLOAD_TOO_LARGE, &words);
    };
    let now = state.now();
    if bytes.len() < ENVELOPE_BYTES {
        return message(no_envelope(&bytes, now.seconds()));
    }
    let authority = state.authority();
    let mut out = Vec::new();
    let store = authority.registry().store();
    let read = store.read(|snap| authority.read(snap, now.seconds(), &bytes, &mut out));
    match read {
        Ok(Read::Answered) => {}
        Ok(Read::Later) => {
            let origin = Origin { address, admin: true };
            out = authority.answer(now, bytes.to_vec(), origin).await;
        }
        Ok(Read::Ignored) => {}
        Err(error) => {
            tracing::error!(%error, "a message could not be answered");
            let words = "The records could not be read.";
            return sentence(StatusCode::INTERNAL_SERVER_ERROR, words);
        }
    }
    match out.is_empty() {
        true => sentence(StatusCode::BAD_REQUEST, "The message is no request."),
        false => message(out),
    }
}

/// The answer to bytes that do not even make an envelope.
fn no_envelope(bytes: &[u8], now: u32) -> Vec<u8> {
    let request_id = Envelope::request_id_of(bytes).unwrap_or(u32::MAX);
    let header = Header::anonymous(ResponseCode::ProtocolError, now);
    let mut out = Vec::new();
    let mut draft = Draft::begin(&mut out, &Envelope::anonymous(request_id), &header);
    Answer::Failed { message: Some(b"Invalid message length") }.encode(draft.body());
    draft.finish();
    out
}

fn message(bytes: Vec<u8>) -> Response {
    let mut response = bytes.into_response();
    set(&mut response, header::CONTENT_TYPE, MESSAGE);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}
