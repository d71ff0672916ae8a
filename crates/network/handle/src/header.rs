use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use crate::wire::Reader;
use crate::{Error, Version};

/// Bytes of a header.
pub const HEADER_BYTES: usize = 24;
/// The serial number of a site that the client does not know.
pub const SERIAL_UNKNOWN: u16 = 0xffff;
/// Seconds that a message is said to be valid for, as the reference software has it.
pub const EXPIRES_AFTER_SECONDS: u32 = 43_200;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$each])* $variant,)*
            /// A code that the protocol does not name.
            Other(u32),
        }

        impl From<u32> for $name {
            fn from(code: u32) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }

        impl $name {
            /// Every code that has a name.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> u32 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Other(code) => code,
                }
            }
        }
    };
}

codes! {
    /// What a message is about (RFC 3652, 2.2.2.1).
    OpCode {
        /// Stands in errors about messages that could not be read.
        Reserved = 0,
        /// Values of a handle.
        Resolution = 1,
        /// The site record of the server that is asked.
        GetSiteInfo = 2,
        /// A new handle with values.
        CreateHandle = 100,
        /// A handle and all its values.
        DeleteHandle = 101,
        /// More values.
        AddValue = 102,
        /// Fewer values.
        RemoveValue = 103,
        /// Other values under the same indexes.
        ModifyValue = 104,
        /// All handles under a prefix.
        ListHandles = 105,
        /// The answer to a challenge.
        ChallengeResponse = 200,
        /// Asks the server that has the key whether an answer is right.
        VerifyResponse = 201,
        /// Serve a prefix from now on.
        HomePrefix = 300,
        /// Serve it no longer.
        UnhomePrefix = 301,
        /// All prefixes that are served.
        ListHomedPrefixes = 302,
        /// Begin a session.
        SessionSetup = 400,
        /// End it.
        SessionTerminate = 401,
        /// The session's key, encrypted to the server's key.
        SessionExchangeKey = 402,
        /// Mirrors: the number that the next change will have.
        NextTransactionId = 1000,
        /// Mirrors: changes from a number on.
        RetrieveTransactionLog = 1001,
        /// Mirrors: everything.
        DumpHandles = 1002,
        /// A backup on the server's disk.
        Backup = 1003,
    }
}

codes! {
    /// How a request went (RFC 3652, 2.2.2.2); 0 in requests.
    ResponseCode {
        /// A request.
        Request = 0,
        /// Done.
        Success = 1,
        /// Failed in the server.
        Error = 2,
        /// Failed for lack of resources.
        ServerTooBusy = 3,
        /// The request could not be read.
        ProtocolError = 4,
        /// The request can be read, and is not for this server.
        OperationNotSupported = 5,
        /// The request went through too many servers.
        RecursionCountTooHigh = 6,
        /// Only reading for now.
        ServerBackup = 7,
        /// No such handle.
        HandleNotFound = 100,
        /// The handle is there already.
        HandleAlreadyExists = 101,
        /// No handle can have this name.
        InvalidHandle = 102,
        /// The handle has no such values.
        ValuesNotFound = 200,
        /// A value with this index is there already.
        ValueAlreadyExists = 201,
        /// No value can be like this.
        InvalidValue = 202,
        /// The site changed since the client learnt of it.
        OutOfDateSiteInfo = 300,
        /// Another server has the handle.
        ServerNotResponsible = 301,
        /// Another service has the handle.
        ServiceReferral = 302,
        /// Another service has the prefix.
        PrefixReferral = 303,
        /// Whoever asks is no administrator of this.
        InvalidAdmin = 400,
        /// Not even administrators may.
        InsufficientPermissions = 401,
        /// A challenge.
        AuthenticationNeeded = 402,
        /// The answer to the challenge is wrong.
        AuthenticationFailed = 403,
        /// The kind of authentication is not known, or a MAC is missing.
        InvalidCredential = 404,
        /// The answer to the challenge came too late.
        AuthenticationTimeout = 405,
        /// The answer to the challenge cannot be checked.
        AuthenticationError = 406,
        /// The session is not known, or no longer.
        SessionTimeout = 500,
        /// The session cannot be had.
        SessionFailed = 501,
        /// A MAC is wrong.
        InvalidSessionKey = 502,
        /// The key for the exchange cannot be had.
        NeedRsaKeyForSessionExchange = 503,
        /// The session cannot be had like this.
        InvalidSessionSetup = 504,
        /// A message of a session came again.
        SessionMessageRejected = 505,
    }
}

impl ResponseCode {
    /// The code as clients of `version` know it: before 2.5, 7 was sent as 303 and 202 as 201.
    #[must_use]
    pub fn for_version(self, version: Version) -> Self {
        match self {
            _ if version.has(Version::CODES_DISTINCT) => self,
            Self::ServerBackup => Self::PrefixReferral,
            Self::InvalidValue => Self::ValueAlreadyExists,
            other => other,
        }
    }
}

/// The bits of a header (RFC 3652, 2.2.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u32);

impl Flags {
    /// Only a primary site may answer; an answer says that one did.
    pub const AUTH: Self = Self(0x8000_0000);
    /// The answer shall be signed.
    pub const CERT: Self = Self(0x4000_0000);
    /// The answer shall be encrypted, inside a session.
    pub const ENCR: Self = Self(0x2000_0000);
    /// The server may ask others.
    pub const RECU: Self = Self(0x1000_0000);
    /// A cache may sign the answer.
    pub const CACR: Self = Self(0x0800_0000);
    /// More messages follow.
    pub const CONT: Self = Self(0x0400_0000);
    /// The connection shall stay open.
    pub const KPAL: Self = Self(0x0200_0000);
    /// Only values that all may read are wanted.
    pub const PUBL: Self = Self(0x0100_0000);
    /// The digest of the request shall be, or is, in the answer.
    pub const RRDG: Self = Self(0x0080_0000);
    /// What exists may be replaced; an answer says that it was.
    pub const OVRW: Self = Self(0x0040_0000);
    /// The server shall make the suffix; an answer says that it did.
    pub const MINT: Self = Self(0x0020_0000);
    /// No referral is wanted.
    pub const DNRF: Self = Self(0x0010_0000);

    const NAMES: [(Self, &'static str); 12] = [
        (Self::AUTH, "AUTH"),
        (Self::CERT, "CERT"),
        (Self::ENCR, "ENCR"),
        (Self::RECU, "RECU"),
        (Self::CACR, "CACR"),
        (Self::CONT, "CONT"),
        (Self::KPAL, "KPAL"),
        (Self::PUBL, "PUBL"),
        (Self::RRDG, "RRDG"),
        (Self::OVRW, "OVRW"),
        (Self::MINT, "MINT"),
        (Self::DNRF, "DNRF"),
    ];

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of `other` set or cleared.
    #[must_use]
    pub const fn with(self, other: Self, set: bool) -> Self {
        if set { Self(self.0 | other.0) } else { Self(self.0 & !other.0) }
    }

    /// The flags of an answer: CERT, CACR, ENCR, PUBL, DNRF and RRDG are copied, RECU is always
    /// set, and AUTH says whether the server is of a primary site.
    #[must_use]
    pub const fn answer(self, primary: bool) -> Self {
        const COPIED: u32 = Flags::CERT.0
            | Flags::CACR.0
            | Flags::ENCR.0
            | Flags::PUBL.0
            | Flags::DNRF.0
            | Flags::RRDG.0;
        Self(self.0 & COPIED | Self::RECU.0).with(Self::AUTH, primary)
    }

    /// The names of the bits that are set, highest first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, name)| name)
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#010x}", self.0)?;
        formatter.debug_list().entries(self.names()).finish()
    }
}

/// What stands in front of every body (RFC 3652, 2.2.2; 24 bytes with the body's length).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The operation.
    pub op: OpCode,
    /// How it went; [`ResponseCode::Request`] in requests.
    pub response: ResponseCode,
    /// Options.
    pub flags: Flags,
    /// Serial number of the site record: the server's in answers, the one that the client
    /// knows, or [`SERIAL_UNKNOWN`], in requests.
    pub site_serial: u16,
    /// Servers that the request went through.
    pub recursion: u8,
    /// Seconds since 1970 after which the message means nothing.
    pub expiration: u32,
}

impl Header {
    /// A request that expires as the reference software's do; `now` in seconds since 1970.
    #[must_use]
    pub const fn request(op: OpCode, flags: Flags, now: u32) -> Self {
        Self {
            op,
            response: ResponseCode::Request,
            flags,
            site_serial: SERIAL_UNKNOWN,
            recursion: 0,
            expiration: now.saturating_add(EXPIRES_AFTER_SECONDS),
        }
    }

    /// Reads the header and the length of the body that follows.
    ///
    /// # Errors
    /// [`Error::Short`].
    pub fn decode(bytes: &[u8]) -> Result<(Self, u32), Error> {
        let mut reader = Reader::new(bytes);
        let op = reader.u32("a header")?.into();
        let response = reader.u32("a header")?.into();
        let flags = Flags(reader.u32("a header")?);
        let site_serial = reader.u16("a header")?;
        let recursion = reader.u8("a header")?;
        let _reserved = reader.u8("a header")?;
        let expiration = reader.u32("a header")?;
        let length = reader.u32("a header")?;
        Ok((Self { op, response, flags, site_serial, recursion, expiration }, length))
    }

    /// The header of an answer to bytes that could not be read as a request.
    #[must_use]
    pub const fn anonymous(response: ResponseCode, now: u32) -> Self {
        let flags = Flags(Flags::RECU.0 | Flags::CACR.0 | Flags::PUBL.0);
        Self { response, ..Self::request(OpCode::Reserved, flags, now) }
    }

    /// The header of an answer to a request with this header: its operation and recursion count,
    /// flags by [`Flags::answer`], and an expiration from `now`, in seconds since 1970.
    #[must_use]
    pub const fn answer(
        &self,
        response: ResponseCode,
        primary: bool,
        site_serial: u16,
        now: u32,
    ) -> Self {
        Self {
            response,
            site_serial,
            recursion: self.recursion,
            ..Self::request(self.op, self.flags.answer(primary), now)
        }
    }

    /// Appends the 24 bytes.
    pub fn encode(&self, body_length: u32, out: &mut Vec<u8>) {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.op.code().to_be_bytes());
        bytes[4..8].copy_from_slice(&self.response.code().to_be_bytes());
        bytes[8..12].copy_from_slice(&self.flags.0.to_be_bytes());
        bytes[12..14].copy_from_slice(&self.site_serial.to_be_bytes());
        bytes[14] = self.recursion;
        bytes[16..20].copy_from_slice(&self.expiration.to_be_bytes());
        bytes[20..].copy_from_slice(&body_length.to_be_bytes());
        out.extend_from_slice(&bytes);
    }
}
