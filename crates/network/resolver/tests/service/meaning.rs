//! What an answer means.

use weir_handle::{Answer, Message, Response, ResponseCode, Value};

/// A name without the random suffix that a server may have given it.
pub(crate) fn without_minted(name: String) -> String {
    match name.len().checked_sub(36) {
        Some(start) if name.as_bytes()[start + 8] == b'-' => name[..start].to_owned(),
        _ => name,
    }
}

/// What an answer means: without clocks, random numbers and words for people.
#[derive(Debug, PartialEq)]
pub(crate) struct Meaning {
    pub(crate) version: String,
    pub(crate) op: u32,
    pub(crate) code: ResponseCode,
    pub(crate) flags: u32,
    pub(crate) request_id: u32,
    pub(crate) serial: u16,
    pub(crate) digest: Option<Vec<u8>>,
    pub(crate) signed: Option<Vec<u8>>,
    pub(crate) body: String,
}

/// None of a message that the reference server got wrong: before 2.1 it puts a digest where no flag
/// tells of it.
pub(crate) fn meaning(message: &[u8]) -> Option<Meaning> {
    let message = Message::decode(message).unwrap();
    let Response { request_digest, answer } = message.response().ok()?;
    let body = match answer {
        Answer::Resolution { handle, values } => {
            let values = values.iter().map(|value| {
                let fresh = value.timestamp > 1_780_000_000;
                Value { timestamp: if fresh { 0 } else { value.timestamp }, ..value }
            });
            format!("{:?} {:?}", String::from_utf8_lossy(handle), values.collect::<Vec<_>>())
        }
        Answer::Handles(handles) => {
            // The reference server stores names in upper case, and we as they were given.
            let mut names: Vec<_> = handles
                .iter()
                .map(|name| String::from_utf8_lossy(name).to_ascii_uppercase())
                .map(without_minted)
                .collect();
            names.sort_unstable();
            format!("{names:?}")
        }
        Answer::Created(name) => {
            let name = String::from_utf8_lossy(name.unwrap_or_default()).to_ascii_uppercase();
            without_minted(name)
        }
        Answer::Challenge { nonce } => format!("a nonce of {} bytes", nonce.len()),
        Answer::Failed { .. } => "a failure".to_owned(),
        other => format!("{other:?}"),
    };
    Some(Meaning {
        version: message.envelope.version.to_string(),
        op: message.header.op.code(),
        code: message.header.response,
        flags: message.header.flags.0,
        request_id: message.envelope.request_id,
        serial: message.header.site_serial,
        digest: request_digest.map(|digest| digest.bytes.to_vec()),
        signed: message.credential().unwrap().map(|credential| credential.algorithm.to_vec()),
        body,
    })
}
