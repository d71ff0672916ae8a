use md5::{Digest as _, Md5};
use ring::digest;

use crate::wire::Reader;
use crate::{Error, Version};

/// What requests are digested with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigestAlgorithm {
    /// 16 bytes; before 2.1.
    Md5,
    /// 20 bytes; 2.1 to 2.6.
    Sha1,
    /// 32 bytes; from 2.7.
    Sha256,
}

impl DigestAlgorithm {
    /// The algorithm of a byte on the wire.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Md5),
            2 => Some(Self::Sha1),
            3 => Some(Self::Sha256),
            _ => None,
        }
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Md5 => 1,
            Self::Sha1 => 2,
            Self::Sha256 => 3,
        }
    }

    /// Bytes of a digest.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The algorithm that a server digests a request with when it answers in `version`.
    #[must_use]
    pub fn of(version: Version) -> Self {
        if version.has(Version::SHA256) {
            Self::Sha256
        } else if version.has(Version::DIGEST_FLAG) {
            Self::Sha1
        } else {
            Self::Md5
        }
    }

    /// The digest of all parts, one after another.
    #[must_use]
    pub fn digest(self, parts: &[&[u8]]) -> Digest {
        let mut bytes = [0; 32];
        match self {
            Self::Md5 => {
                let mut md5 = Md5::new();
                parts.iter().for_each(|part| md5.update(part));
                bytes[..16].copy_from_slice(&md5.finalize());
            }
            Self::Sha1 => {
                let made = of_ring(&digest::SHA1_FOR_LEGACY_USE_ONLY, parts);
                bytes[..20].copy_from_slice(made.as_ref());
            }
            Self::Sha256 => {
                bytes.copy_from_slice(of_ring(&digest::SHA256, parts).as_ref());
            }
        }
        Digest { algorithm: self, bytes }
    }
}

fn of_ring(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> digest::Digest {
    let mut context = digest::Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    context.finish()
}

/// A digest that was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    algorithm: DigestAlgorithm,
    bytes: [u8; 32],
}

impl Digest {
    /// The digest's bytes, as many as the algorithm has.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.bytes()]
    }

    /// The same as it stands in a response.
    #[must_use]
    pub fn in_response(&self) -> RequestDigest<'_> {
        RequestDigest { algorithm: self.algorithm, bytes: self.as_bytes() }
    }
}

/// The digest of the request in a response: over header and body of the request, without envelope
/// and credential. After a challenge it is that of the original request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestDigest<'a> {
    /// What it was made with.
    pub algorithm: DigestAlgorithm,
    /// The digest.
    pub bytes: &'a [u8],
}

impl<'a> RequestDigest<'a> {
    /// Whether it is the digest of a request's [`crate::Message::signed_part`].
    #[must_use]
    pub fn is_of(&self, signed_part: &[u8]) -> bool {
        self.algorithm.digest(&[signed_part]).as_bytes() == self.bytes
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let byte = reader.u8("a request digest")?;
        let algorithm = DigestAlgorithm::from_byte(byte)
            .ok_or(Error::Unknown { field: "a request digest", value: byte.into() })?;
        Ok(Self { algorithm, bytes: reader.take(algorithm.bytes(), "a request digest")? })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.algorithm.byte());
        out.extend_from_slice(self.bytes);
    }
}
