//! S7comm messages: header, parameters, data.

use super::{CodecError, head, word};

/// The protocol's number.
const PROTOCOL: u8 = 0x32;

/// Bytes of the header of a request.
pub(crate) const REQUEST_HEADER_BYTES: usize = 10;

/// Bytes of the header of an answer, which has an error word besides.
pub(crate) const ANSWER_HEADER_BYTES: usize = 12;

const JOB: u8 = 1;
const ACK: u8 = 2;
const ACK_DATA: u8 = 3;
const USER_DATA: u8 = 7;

/// The function that negotiates the size of messages.
pub(crate) const SETUP: u8 = 0xF0;

/// Smallest message size that is accepted: below it there is no room for anything.
const PDU_BYTES_MIN: u16 = 64;

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads, writes and the negotiation.
    Job,
    /// Lists of blocks, system status lists.
    UserData,
}

/// An answer. Its kind and reference are those that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Error class and code; zero where all is well.
    pub(crate) error: u16,
    pub(crate) parameters: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// A request.
pub(crate) fn request(kind: Kind, reference: u16, parameters: &[u8], data: &[u8]) -> Vec<u8> {
    let number = match kind {
        Kind::Job => JOB,
        Kind::UserData => USER_DATA,
    };
    let mut message = vec![PROTOCOL, number, 0, 0];
    message.extend(reference.to_be_bytes());
    message.extend((parameters.len() as u16).to_be_bytes());
    message.extend((data.len() as u16).to_be_bytes());
    message.extend(parameters);
    message.extend(data);
    message
}

/// The answer to a request, from a whole message. What stands behind the lengths that it gives is ignored, as
/// some peers fill their frames.
pub(crate) fn answer(message: &[u8], kind: Kind, reference: u16) -> Result<Answer, CodecError> {
    let [protocol, number] = head(message)?;
    if protocol != PROTOCOL {
        return Err(CodecError::NotS7);
    }
    let fits = match kind {
        Kind::Job => matches!(number, ACK | ACK_DATA),
        // A CPU that does not know a service may answer with a plain refusal.
        Kind::UserData => matches!(number, USER_DATA | ACK | ACK_DATA),
    };
    if !fits {
        return Err(CodecError::Kind(number));
    }
    let found = word(message, 4)?;
    if found != reference {
        return Err(CodecError::Reference { asked: reference, found });
    }
    let (error, start) = match number {
        USER_DATA => (0, REQUEST_HEADER_BYTES),
        _ => (word(message, 10)?, ANSWER_HEADER_BYTES),
    };
    let parameters_end = start + usize::from(word(message, 6)?);
    let data_end = parameters_end + usize::from(word(message, 8)?);
    let part = |from, to| message.get(from..to).map(<[u8]>::to_vec).ok_or(CodecError::Truncated);
    if number != USER_DATA && kind == Kind::UserData && error == 0 {
        return Err(CodecError::Kind(number));
    }
    Ok(Answer {
        error,
        parameters: part(start, parameters_end)?,
        data: part(parameters_end, data_end)?,
    })
}

/// Parameters that offer a size of messages, with one request in flight.
pub(crate) fn setup(pdu_bytes: u16) -> Vec<u8> {
    let mut parameters = vec![SETUP, 0, 0, 1, 0, 1];
    parameters.extend(pdu_bytes.to_be_bytes());
    parameters
}

/// The size of messages that the peer agrees to.
pub(crate) fn setup_answer(answer: &Answer, offered: u16) -> Result<u16, CodecError> {
    if answer.parameters.first() != Some(&SETUP) {
        return Err(CodecError::Function);
    }
    let agreed = word(&answer.parameters, 6)?;
    if (PDU_BYTES_MIN..=offered).contains(&agreed) {
        Ok(agreed)
    } else {
        Err(CodecError::PduSize(agreed))
    }
}
