use crate::wire::{List, Reader, put_blob, put_i32, put_u16};
use crate::{Error, OpCode, Reference, Value, ValueData};

/// The body of a request (RFC 3652, 3). Bytes after what is read are ignored, as others send some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Values of a handle: those of the indexes and those of the types; all if both are empty.
    Resolution {
        /// The handle.
        handle: &'a [u8],
        /// Indexes.
        indexes: List<'a, i32>,
        /// Types; one that ends in a dot means all below it.
        types: List<'a, &'a [u8]>,
    },
    /// The server's site record.
    GetSiteInfo {
        /// Means nothing.
        handle: &'a [u8],
    },
    /// A new handle.
    CreateHandle {
        /// The handle; with MINT, what the suffix is appended to.
        handle: &'a [u8],
        /// Its values.
        values: List<'a, Value<'a>>,
    },
    /// A handle less.
    DeleteHandle {
        /// The handle.
        handle: &'a [u8],
    },
    /// More values.
    AddValue {
        /// The handle.
        handle: &'a [u8],
        /// The values.
        values: List<'a, Value<'a>>,
    },
    /// Fewer values.
    RemoveValue {
        /// The handle.
        handle: &'a [u8],
        /// Their indexes.
        indexes: List<'a, i32>,
    },
    /// Other values in the place of those with the same indexes.
    ModifyValue {
        /// The handle.
        handle: &'a [u8],
        /// The values.
        values: List<'a, Value<'a>>,
    },
    /// All handles of a prefix.
    ListHandles {
        /// The handle that stands for the prefix, `0.NA/…`.
        prefix: &'a [u8],
    },
    /// The answer to a challenge.
    ChallengeResponse(ChallengeResponse<'a>),
    /// Whether an answer is right, asked of the server that has the key.
    VerifyResponse {
        /// The key.
        user: Reference<'a>,
        /// The challenge's nonce.
        nonce: &'a [u8],
        /// The challenge's digest of the request.
        request_digest: &'a [u8],
        /// The answer.
        answer: &'a [u8],
    },
    /// Serve a prefix.
    HomePrefix {
        /// The handle that stands for the prefix.
        prefix: &'a [u8],
    },
    /// Serve it no longer.
    UnhomePrefix {
        /// The handle that stands for the prefix.
        prefix: &'a [u8],
    },
    /// All prefixes that are served.
    ListHomedPrefixes {
        /// Means nothing.
        handle: &'a [u8],
    },
    /// Begin a session.
    SessionSetup(SessionSetup<'a>),
    /// End the session.
    SessionTerminate {
        /// Means nothing.
        handle: &'a [u8],
    },
    /// The key of a session of mode 2.
    SessionExchangeKey {
        /// Encrypted to the server's key.
        encrypted_key: &'a [u8],
    },
    /// The number of the next change.
    NextTransactionId {
        /// Means nothing.
        handle: &'a [u8],
    },
    /// A backup.
    Backup {
        /// Means nothing.
        handle: &'a [u8],
    },
    /// The body of another operation, as it is.
    Other {
        /// The operation.
        op: OpCode,
        /// The body.
        body: &'a [u8],
    },
}

/// The answer to a challenge. The envelope carries the session id that came with the challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChallengeResponse<'a> {
    /// [`ValueData::SECKEY`] or [`ValueData::PUBKEY`].
    pub authentication: &'a [u8],
    /// Where the key is.
    pub user: Reference<'a>,
    /// The answer.
    pub answer: &'a [u8],
}

impl ChallengeResponse<'_> {
    /// Whether the answer is made with a secret key.
    #[must_use]
    pub fn with_secret_key(&self) -> bool {
        self.authentication == ValueData::SECKEY
    }

    /// Whether the answer is made with a public key's private half.
    #[must_use]
    pub fn with_public_key(&self) -> bool {
        self.authentication == ValueData::PUBKEY
    }
}

/// How a session's key is agreed upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyExchange<'a> {
    /// Mode 1: the server encrypts it to this RSA key.
    ClientKey(&'a [u8]),
    /// Mode 2: the client encrypts it to the server's RSA key.
    ServerKey,
    /// Mode 3: the server encrypts it to the RSA key of a value.
    HandleKey(Reference<'a>),
    /// Mode 4: Diffie-Hellman; the client's public key.
    DiffieHellman(&'a [u8]),
    /// A mode that the protocol does not name, and what follows.
    Other(u16, &'a [u8]),
}

impl KeyExchange<'_> {
    /// The mode's number.
    #[must_use]
    pub const fn mode(&self) -> u16 {
        match self {
            Self::ClientKey(_) => 1,
            Self::ServerKey => 2,
            Self::HandleKey(_) => 3,
            Self::DiffieHellman(_) => 4,
            Self::Other(mode, _) => *mode,
        }
    }
}

/// Begin a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSetup<'a> {
    /// Seconds after which an unused session may end.
    pub timeout: i32,
    /// Who the session will be of, once a challenge was answered.
    pub identity: Reference<'a>,
    /// How its key is agreed upon.
    pub exchange: KeyExchange<'a>,
}

impl<'a> Request<'a> {
    /// All values of a handle.
    #[must_use]
    pub const fn resolution(handle: &'a [u8]) -> Self {
        Self::Resolution { handle, indexes: List::empty(), types: List::empty() }
    }

    /// Reads the body of a request of this operation.
    ///
    /// # Errors
    /// [`Error::Short`], [`Error::Count`].
    pub fn decode(op: OpCode, body: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(body);
        if matches!(op, OpCode::GetSiteInfo) && body.is_empty() {
            return Ok(Self::GetSiteInfo { handle: b"" });
        }
        let reader = &mut reader;
        let handle = |reader: &mut Reader<'a>| reader.blob("a handle");
        Ok(match op {
            OpCode::Resolution => {
                let handle = handle(reader)?;
                Self::Resolution { handle, indexes: reader.list()?, types: reader.list()? }
            }
            OpCode::GetSiteInfo => Self::GetSiteInfo { handle: handle(reader)? },
            OpCode::CreateHandle => {
                Self::CreateHandle { handle: handle(reader)?, values: reader.list()? }
            }
            OpCode::DeleteHandle => Self::DeleteHandle { handle: handle(reader)? },
            OpCode::AddValue => Self::AddValue { handle: handle(reader)?, values: reader.list()? },
            OpCode::RemoveValue => {
                Self::RemoveValue { handle: handle(reader)?, indexes: reader.list()? }
            }
            OpCode::ModifyValue => {
                Self::ModifyValue { handle: handle(reader)?, values: reader.list()? }
            }
            OpCode::ListHandles => Self::ListHandles { prefix: handle(reader)? },
            OpCode::ChallengeResponse => Self::ChallengeResponse(ChallengeResponse {
                authentication: reader.blob("an authentication type")?,
                user: reference(reader)?,
                answer: reader.blob("an answer to a challenge")?,
            }),
            OpCode::VerifyResponse => Self::VerifyResponse {
                user: reference(reader)?,
                nonce: reader.blob("a nonce")?,
                request_digest: digest(reader)?,
                answer: reader.blob("an answer to a challenge")?,
            },
            OpCode::HomePrefix => Self::HomePrefix { prefix: handle(reader)? },
            OpCode::UnhomePrefix => Self::UnhomePrefix { prefix: handle(reader)? },
            OpCode::ListHomedPrefixes => Self::ListHomedPrefixes { handle: handle(reader)? },
            OpCode::SessionSetup => Self::SessionSetup(SessionSetup::read(reader)?),
            OpCode::SessionTerminate => Self::SessionTerminate { handle: handle(reader)? },
            OpCode::SessionExchangeKey => {
                Self::SessionExchangeKey { encrypted_key: reader.blob("a session's key")? }
            }
            OpCode::NextTransactionId => Self::NextTransactionId { handle: handle(reader)? },
            OpCode::Backup => Self::Backup { handle: handle(reader)? },
            op => Self::Other { op, body },
        })
    }

    /// The operation.
    #[must_use]
    pub const fn op(&self) -> OpCode {
        match self {
            Self::Resolution { .. } => OpCode::Resolution,
            Self::GetSiteInfo { .. } => OpCode::GetSiteInfo,
            Self::CreateHandle { .. } => OpCode::CreateHandle,
            Self::DeleteHandle { .. } => OpCode::DeleteHandle,
            Self::AddValue { .. } => OpCode::AddValue,
            Self::RemoveValue { .. } => OpCode::RemoveValue,
            Self::ModifyValue { .. } => OpCode::ModifyValue,
            Self::ListHandles { .. } => OpCode::ListHandles,
            Self::ChallengeResponse(_) => OpCode::ChallengeResponse,
            Self::VerifyResponse { .. } => OpCode::VerifyResponse,
            Self::HomePrefix { .. } => OpCode::HomePrefix,
            Self::UnhomePrefix { .. } => OpCode::UnhomePrefix,
            Self::ListHomedPrefixes { .. } => OpCode::ListHomedPrefixes,
            Self::SessionSetup(_) => OpCode::SessionSetup,
            Self::SessionTerminate { .. } => OpCode::SessionTerminate,
            Self::SessionExchangeKey { .. } => OpCode::SessionExchangeKey,
            Self::NextTransactionId { .. } => OpCode::NextTransactionId,
            Self::Backup { .. } => OpCode::Backup,
            Self::Other { op, .. } => *op,
        }
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Resolution { handle, indexes, types } => {
                put_blob(out, handle);
                indexes.write(out);
                types.write(out);
            }
            Self::CreateHandle { handle, values }
            | Self::AddValue { handle, values }
            | Self::ModifyValue { handle, values } => {
                put_blob(out, handle);
                values.write(out);
            }
            Self::RemoveValue { handle, indexes } => {
                put_blob(out, handle);
                indexes.write(out);
            }
            Self::ChallengeResponse(ChallengeResponse { authentication, user, answer }) => {
                put_blob(out, authentication);
                put_reference(out, user);
                put_blob(out, answer);
            }
            Self::VerifyResponse { user, nonce, request_digest, answer } => {
                put_reference(out, user);
                put_blob(out, nonce);
                put_blob(out, request_digest);
                put_blob(out, answer);
            }
            Self::SessionSetup(setup) => setup.write(out),
            Self::SessionExchangeKey { encrypted_key } => put_blob(out, encrypted_key),
            Self::Other { body, .. } => out.extend_from_slice(body),
            Self::GetSiteInfo { handle }
            | Self::DeleteHandle { handle }
            | Self::ListHandles { prefix: handle }
            | Self::HomePrefix { prefix: handle }
            | Self::UnhomePrefix { prefix: handle }
            | Self::ListHomedPrefixes { handle }
            | Self::SessionTerminate { handle }
            | Self::NextTransactionId { handle }
            | Self::Backup { handle } => put_blob(out, handle),
        }
    }
}

impl<'a> SessionSetup<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let mode = reader.u16("a session's setup")?;
        let timeout = reader.i32("a session's setup")?;
        let identity = reference(reader)?;
        let exchange = match mode {
            1 => KeyExchange::ClientKey(reader.blob("a session's key")?),
            2 => KeyExchange::ServerKey,
            3 => KeyExchange::HandleKey(reference(reader)?),
            4 => KeyExchange::DiffieHellman(reader.blob("a session's key")?),
            mode => KeyExchange::Other(mode, reader.rest()),
        };
        Ok(Self { timeout, identity, exchange })
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_u16(out, self.exchange.mode());
        put_i32(out, self.timeout);
        put_reference(out, self.identity);
        match self.exchange {
            KeyExchange::ClientKey(key) | KeyExchange::DiffieHellman(key) => put_blob(out, key),
            KeyExchange::HandleKey(key) => put_reference(out, key),
            KeyExchange::ServerKey => {}
            KeyExchange::Other(_, rest) => out.extend_from_slice(rest),
        }
    }
}

fn reference<'a>(reader: &mut Reader<'a>) -> Result<Reference<'a>, Error> {
    crate::wire::Element::read(reader)
}

fn put_reference(out: &mut Vec<u8>, reference: Reference<'_>) {
    crate::wire::Element::write(&reference, out);
}

/// A digest with its length in front, or with the byte of its algorithm: the first byte of a
/// length is 0, and no algorithm is.
fn digest<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    match reader.rest().first().copied().and_then(crate::DigestAlgorithm::from_byte) {
        Some(algorithm) => {
            reader.u8("a digest")?;
            reader.take(algorithm.bytes(), "a digest")
        }
        None => reader.blob("a digest"),
    }
}
