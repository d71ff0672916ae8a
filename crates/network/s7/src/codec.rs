//! The bytes of the protocol, without any I/O: TPKT and COTP frames, S7comm messages, items of read and write
//! requests, and the "user data" services (lists of blocks, system status lists).

pub(crate) mod frame;
pub(crate) mod message;
pub(crate) mod services;
pub(crate) mod variables;

#[cfg(test)]
mod tests;

/// Bytes that are not what the protocol says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The first byte of a frame is not the version of RFC 1006.
    #[error("something that is not ISO-on-TCP (RFC 1006)")]
    NotTpkt,
    /// A frame shorter or longer than any that the protocol needs.
    #[error("a frame of {0} bytes")]
    FrameLength(usize),
    /// A transport unit (ISO 8073) of a kind that has no place here.
    #[error("an unexpected transport unit of kind {0:02X}")]
    TransportUnit(u8),
    /// A message ends before its own lengths say.
    #[error("a message that ends too early")]
    Truncated,
    /// A message that is not S7comm.
    #[error("a message that is not S7comm")]
    NotS7,
    /// A message of a kind that does not answer what was asked.
    #[error("a message of kind {0} that answers nothing")]
    Kind(u8),
    /// An answer with another reference than the request.
    #[error("an answer to another request (reference {found} instead of {asked})")]
    Reference {
        /// Which was asked for.
        asked: u16,
        /// Which came.
        found: u16,
    },
    /// An answer to another function than was asked for.
    #[error("an answer to another function than asked for")]
    Function,
    /// An answer with another number of items, or with items of another length, than was asked for.
    #[error("an answer of another length than asked for")]
    Length,
    /// A negotiated message size that no request fits into, or larger than was offered.
    #[error("a message size of {0} bytes, which nobody offered")]
    PduSize(u16),
}

/// The first bytes of a slice as an array, or an error.
fn head<const N: usize>(bytes: &[u8]) -> Result<[u8; N], CodecError> {
    bytes.first_chunk().copied().ok_or(CodecError::Truncated)
}

/// A big-endian word at a place.
fn word(bytes: &[u8], at: usize) -> Result<u16, CodecError> {
    let bytes = bytes.get(at..).ok_or(CodecError::Truncated)?;
    head(bytes).map(u16::from_be_bytes)
}
