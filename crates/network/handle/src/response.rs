use crate::wire::{List, Reader, put_blob, put_u16};
use crate::{
    DigestAlgorithm, Error, Flags, Header, OpCode, RequestDigest, ResponseCode, Site, Value,
    Version,
};

/// The body of a response (RFC 3652, 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// The digest of the request that is answered, with the flag RRDG.
    pub request_digest: Option<RequestDigest<'a>>,
    /// What follows it.
    pub answer: Answer<'a>,
}

/// What a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Values of a handle.
    Resolution {
        /// The handle as it was asked for.
        handle: &'a [u8],
        /// Values.
        values: List<'a, Value<'a>>,
    },
    /// The server's site.
    SiteInfo(Site<'a>),
    /// The name of a handle that was created or minted; servers before that was answered say
    /// nothing.
    Created(Option<&'a [u8]>),
    /// Handles, or prefixes as handles.
    Handles(List<'a, &'a [u8]>),
    /// Whether an answer to a challenge is right.
    Verified(bool),
    /// A session's beginning.
    SessionSetup {
        /// Mode of the key exchange.
        mode: u16,
        /// The server's half of the exchange.
        data: &'a [u8],
    },
    /// The number of the next change.
    NextTransactionId(i64),
    /// Done, and nothing to say.
    Done,
    /// Prove who you are.
    Challenge {
        /// 16 random bytes.
        nonce: &'a [u8],
    },
    /// Ask another service.
    Referral {
        /// The handle whose values describe it; empty if they are here.
        handle: &'a [u8],
        /// The values that describe it.
        values: Option<List<'a, Value<'a>>>,
    },
    /// It did not go well.
    Failed {
        /// Words for people, often none; none at all in an empty body.
        message: Option<&'a [u8]>,
    },
    /// The body of an operation whose answers the protocol does not name.
    Other(&'a [u8]),
}

impl<'a> Response<'a> {
    /// Reads the body of a response.
    ///
    /// # Errors
    /// [`Error::Short`], [`Error::Count`]; [`Error::Unknown`] for a digest of another algorithm.
    pub fn decode(version: Version, header: &Header, body: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(body);
        let reader = &mut reader;
        let mut request_digest = match header.flags.has(Flags::RRDG) {
            true => Some(RequestDigest::read(reader)?),
            false => None,
        };
        let answer = match header.response {
            ResponseCode::Success => Answer::read(header.op, reader)?,
            ResponseCode::AuthenticationNeeded => {
                let nonce = reader.blob("a nonce")?;
                if !version.has(Version::DIGEST_FLAG) && !reader.is_empty() {
                    let bytes = reader.blob("a digest")?;
                    request_digest = Some(RequestDigest { algorithm: DigestAlgorithm::Md5, bytes });
                }
                Answer::Challenge { nonce }
            }
            ResponseCode::ServiceReferral | ResponseCode::PrefixReferral => {
                let handle = reader.blob("a handle")?;
                let values = if reader.is_empty() { None } else { Some(reader.list()?) };
                Answer::Referral { handle, values }
            }
            _ if reader.is_empty() => Answer::Failed { message: None },
            _ => Answer::Failed { message: Some(reader.blob("a message")?) },
        };
        Ok(Self { request_digest, answer })
    }

    /// Appends the body of a response of this version. The header must say the same: RRDG if
    /// there is a digest and the version knows the flag, and the code that goes with the answer.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let flagged = version.has(Version::DIGEST_FLAG);
        if let (Some(digest), true) = (&self.request_digest, flagged) {
            digest.write(out);
        }
        self.answer.encode(out);
        if let (Some(digest), Answer::Challenge { .. }, false) =
            (&self.request_digest, &self.answer, flagged)
        {
            put_blob(out, digest.bytes);
        }
    }
}

impl<'a> Answer<'a> {
    fn read(op: OpCode, reader: &mut Reader<'a>) -> Result<Self, Error> {
        Ok(match op {
            OpCode::Resolution => {
                Self::Resolution { handle: reader.blob("a handle")?, values: reader.list()? }
            }
            OpCode::GetSiteInfo => Self::SiteInfo(Site::read(reader)?),
            OpCode::ListHandles | OpCode::ListHomedPrefixes => Self::Handles(reader.list()?),
            OpCode::CreateHandle if reader.is_empty() => Self::Created(None),
            OpCode::CreateHandle => Self::Created(Some(reader.blob("a handle")?)),
            OpCode::VerifyResponse => Self::Verified(reader.u8("a verification")? & 1 == 1),
            OpCode::SessionSetup => Self::SessionSetup {
                mode: reader.u16("a session's setup")?,
                data: reader.blob("a session's setup")?,
            },
            OpCode::NextTransactionId => Self::NextTransactionId(reader.i64("a transaction id")?),
            _ if reader.is_empty() => Self::Done,
            _ => Self::Other(reader.rest()),
        })
    }

    /// Appends the answer without a digest in front.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Resolution { handle, values } => {
                put_blob(out, handle);
                values.write(out);
            }
            Self::SiteInfo(site) => site.encode(out),
            Self::Created(handle) => {
                if let Some(handle) = handle {
                    put_blob(out, handle);
                }
            }
            Self::Handles(handles) => handles.write(out),
            Self::Verified(valid) => out.push(u8::from(valid)),
            Self::SessionSetup { mode, data } => {
                put_u16(out, mode);
                put_blob(out, data);
                // Every peer of the reference software sends and expects two bytes more.
                put_u16(out, 0);
            }
            Self::NextTransactionId(id) => out.extend_from_slice(&id.to_be_bytes()),
            Self::Done => {}
            Self::Challenge { nonce } => put_blob(out, nonce),
            Self::Referral { handle, values } => {
                put_blob(out, handle);
                if let Some(values) = values {
                    values.write(out);
                }
            }
            Self::Failed { message } => {
                if let Some(message) = message {
                    put_blob(out, message);
                }
            }
            Self::Other(body) => out.extend_from_slice(body),
        }
    }
}
