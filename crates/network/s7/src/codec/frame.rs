//! TPKT (RFC 1006) around COTP (ISO 8073, RFC 905), class 0.

use super::CodecError;

/// Bytes of a TPKT header.
pub(crate) const HEADER_BYTES: usize = 4;

/// Longest frame that is read. The largest message is 960 bytes; some peers send more than they agreed to,
/// and nobody sends four times as much.
pub(crate) const FRAME_BYTES_MAX: usize = 4096;

/// Shortest frame: the header and the shortest transport unit.
const FRAME_BYTES_MIN: usize = 7;

const CONNECT_REQUEST: u8 = 0xE0;
const CONNECT_CONFIRM: u8 = 0xD0;
const DISCONNECT_REQUEST: u8 = 0x80;
const DATA: u8 = 0xF0;
const ERROR: u8 = 0x70;

/// The bit that says that a data unit is the last of its message.
const END_OF_MESSAGE: u8 = 0x80;

/// What one frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit<'a> {
    /// The peer accepts the connection.
    Confirm,
    /// The peer refuses or ends the connection.
    Disconnect { reason: u8 },
    /// The peer did not understand a unit.
    Error { cause: u8 },
    /// A message, or a part of one.
    Data { last: bool, payload: &'a [u8] },
}

/// The whole length of a frame whose header this is.
pub(crate) fn frame_length(header: [u8; HEADER_BYTES]) -> Result<usize, CodecError> {
    let [version, _, high, low] = header;
    if version != 3 {
        return Err(CodecError::NotTpkt);
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if (FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(&length) {
        Ok(length)
    } else {
        Err(CodecError::FrameLength(length))
    }
}

/// What stands behind a frame's TPKT header.
pub(crate) fn unit(body: &[u8]) -> Result<Unit<'_>, CodecError> {
    let [length, kind] = super::head(body)?;
    // The length does not count itself.
    let (header, payload) =
        body.split_at_checked(usize::from(length) + 1).ok_or(CodecError::Truncated)?;
    let at = |index: usize| header.get(index).copied().ok_or(CodecError::Truncated);
    match kind & 0xF0 {
        CONNECT_CONFIRM => Ok(Unit::Confirm),
        DISCONNECT_REQUEST => Ok(Unit::Disconnect { reason: at(6)? }),
        ERROR => Ok(Unit::Error { cause: at(4)? }),
        DATA => Ok(Unit::Data { last: at(2)? & END_OF_MESSAGE != 0, payload }),
        _ => Err(CodecError::TransportUnit(kind)),
    }
}

/// A request for a connection between two transport selectors, with units of at most 1024 bytes.
pub(crate) fn connect_request(local_tsap: u16, remote_tsap: u16) -> Vec<u8> {
    let mut unit = vec![17, CONNECT_REQUEST, 0, 0, 0, 1, 0, 0xC0, 1, 0x0A];
    unit.extend([0xC1, 2]);
    unit.extend(local_tsap.to_be_bytes());
    unit.extend([0xC2, 2]);
    unit.extend(remote_tsap.to_be_bytes());
    frame(&unit)
}

/// A whole message in one data unit.
pub(crate) fn data(message: &[u8]) -> Vec<u8> {
    let mut unit = vec![2, DATA, END_OF_MESSAGE];
    unit.extend(message);
    frame(&unit)
}

fn frame(unit: &[u8]) -> Vec<u8> {
    let mut frame = vec![3, 0];
    frame.extend(((HEADER_BYTES + unit.len()) as u16).to_be_bytes());
    frame.extend(unit);
    frame
}

/// Why a peer refused a connection (ISO 8073, clause 13.5.3), where the reason has a name.
pub(crate) fn disconnect_reason(reason: u8) -> &'static str {
    match reason {
        1 => "congestion",
        2 => "no such service",
        3 => "unknown address",
        0x80 => "normal end",
        0x81 => "congestion of the remote station",
        0x82 => "negotiation failed",
        0x85 => "protocol error",
        0x87 => "no more connections",
        0x88 => "connection refused",
        _ => "no reason given",
    }
}
