use crate::wire::Reader;
use crate::{Error, Version};

/// Bytes of an envelope.
pub const ENVELOPE_BYTES: usize = 20;
/// Largest message without its envelope, as the reference server has it.
pub const MESSAGE_BYTES_MAX: u32 = 262_144;
/// Where the request id stands in an envelope.
const REQUEST_ID_AT: usize = 8;

const COMPRESSED: u8 = 0x80;
const ENCRYPTED: u8 = 0x40;
const TRUNCATED: u8 = 0x20;
const SUGGESTED_MAJOR: u8 = 0x03;

/// What stands in front of every message and of every UDP packet (RFC 3652, 2.2.1; 20 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// Version of the message.
    pub version: Version,
    /// Version that the sender would like the answer in; major 0 to 3.
    pub suggested: Version,
    /// Never set by anyone, and ignored.
    pub compressed: bool,
    /// The message is encrypted with the key of its session.
    pub encrypted: bool,
    /// The packet is a fragment of a larger message.
    pub truncated: bool,
    /// 0 is none.
    pub session_id: u32,
    /// Chosen by the client, and copied into the answer.
    pub request_id: u32,
    /// Number of the fragment; 0 in whole messages.
    pub sequence: u32,
    /// Bytes of the whole message without envelope, also in a fragment.
    pub length: u32,
}

impl Envelope {
    /// An envelope of our version for a request; its length is written with the message.
    #[must_use]
    pub const fn request(request_id: u32) -> Self {
        Self {
            version: Version::CURRENT,
            suggested: Version::CURRENT,
            compressed: false,
            encrypted: false,
            truncated: false,
            session_id: 0,
            request_id,
            sequence: 0,
            length: 0,
        }
    }

    /// The envelope of an answer to a message with this envelope: the version by
    /// [`Version::of_answer`], the same request id, no session.
    #[must_use]
    pub fn answer(&self) -> Self {
        Self {
            version: Version::of_answer(self.version, self.suggested),
            ..Self::request(self.request_id)
        }
    }

    /// The envelope of an answer to bytes that could not be read as a request: version 2.3, so
    /// that everyone can read it. The reference server gives the request id up; with
    /// [`Envelope::request_id_of`] the client can tell what it is an answer to.
    #[must_use]
    pub const fn anonymous(request_id: u32) -> Self {
        Self { version: Version::ANONYMOUS, ..Self::request(request_id) }
    }

    /// Reads the first 20 bytes.
    ///
    /// # Errors
    /// [`Error::Short`] if there are fewer, [`Error::TooLong`] if the message would be above
    /// [`MESSAGE_BYTES_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let version = Version::new(reader.u8("an envelope")?, reader.u8("an envelope")?);
        let bits = reader.u8("an envelope")?;
        let suggested = Version::new(bits & SUGGESTED_MAJOR, reader.u8("an envelope")?);
        let session_id = reader.u32("an envelope")?;
        let request_id = reader.u32("an envelope")?;
        let sequence = reader.u32("an envelope")?;
        let length = reader.u32("an envelope")?;
        if length > MESSAGE_BYTES_MAX {
            let most = MESSAGE_BYTES_MAX;
            return Err(Error::TooLong { field: "an envelope", length, most });
        }
        Ok(Self {
            version,
            suggested,
            compressed: bits & COMPRESSED != 0,
            encrypted: bits & ENCRYPTED != 0,
            truncated: bits & TRUNCATED != 0,
            session_id,
            request_id,
            sequence,
            length,
        })
    }

    /// The request id of bytes that may be no message at all, so that an error can name it.
    #[must_use]
    pub fn request_id_of(bytes: &[u8]) -> Option<u32> {
        bytes.get(REQUEST_ID_AT..)?.first_chunk::<4>().map(|id| u32::from_be_bytes(*id))
    }

    /// The 20 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ENVELOPE_BYTES] {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut bytes = [0; ENVELOPE_BYTES];
        bytes[..4].copy_from_slice(&[
            self.version.major,
            self.version.minor,
            bit(self.compressed, COMPRESSED)
                | bit(self.encrypted, ENCRYPTED)
                | bit(self.truncated, TRUNCATED)
                | (self.suggested.major & SUGGESTED_MAJOR),
            self.suggested.minor,
        ]);
        bytes[4..8].copy_from_slice(&self.session_id.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.request_id.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[16..].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    /// Appends the 20 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes());
    }
}

/// Puts another request id into an encoded message, for answers that are kept ready. Bytes that
/// are too short for an envelope stay as they are.
pub fn set_request_id(message: &mut [u8], request_id: u32) {
    if let Some(place) = message.get_mut(REQUEST_ID_AT..REQUEST_ID_AT + 4) {
        place.copy_from_slice(&request_id.to_be_bytes());
    }
}
