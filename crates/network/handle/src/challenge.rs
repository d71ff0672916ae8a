//! Challenges and their answers (RFC 3652, 3.5): whoever asks for what not all may do proves to
//! have a key by an answer over nonce and request digest.

use std::num::NonZeroU32;

use ring::{hmac, pbkdf2};
use subtle::ConstantTimeEq;

use crate::wire::{Reader, put_blob, put_u32};
use crate::{DigestAlgorithm, Error, HashName, PublicKey, SigningKey, Version};

/// Most iterations of PBKDF2 that an answer may ask for: the client chooses them and the server
/// computes them. The reference software uses 10,000.
pub const ITERATIONS_MAX: u32 = 100_000;
/// Iterations of our own answers.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
/// Largest key in bytes that an answer may have derived.
const DERIVED_BYTES_MAX: usize = 64;
const DERIVED_BYTES: usize = 20;

const HMAC_SHA1: u8 = 0x12;
const HMAC_SHA256: u8 = 0x13;
const PBKDF2: u8 = 0x22;

/// What is answered: both parts as the challenge has them, the digest without the byte of its
/// algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// 16 random bytes.
    pub nonce: &'a [u8],
    /// The digest of the request, by which the client knows what it confirms.
    pub request_digest: &'a [u8],
}

/// An answer that is made with a secret key. Comparing takes the same time wherever it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKeyAnswer<'a> {
    /// A digest of secret, challenge and secret again: before 2.7.
    Digest {
        /// Of what algorithm.
        algorithm: DigestAlgorithm,
        /// The digest.
        mac: &'a [u8],
    },
    /// An HMAC of the challenge.
    Hmac {
        /// With SHA-256 rather than SHA-1.
        sha256: bool,
        /// The MAC.
        mac: &'a [u8],
    },
    /// HMAC-SHA1 of the challenge under a key that PBKDF2 derived from the secret: from 2.7.
    Pbkdf2 {
        /// The client's salt.
        salt: &'a [u8],
        /// How often.
        iterations: u32,
        /// Bits of the derived key.
        key_bits: u32,
        /// The MAC.
        mac: &'a [u8],
    },
}

impl<'a> SecretKeyAnswer<'a> {
    /// Reads the answer of a message of this version; before 2.1 it is a bare MD5.
    ///
    /// # Errors
    /// [`Error::Algorithm`] for another algorithm, [`Error::Short`]; to the client both are
    /// [`crate::ResponseCode::AuthenticationError`].
    pub fn decode(version: Version, answer: &'a [u8]) -> Result<Self, Error> {
        if !version.has(Version::DIGEST_FLAG) {
            return Ok(Self::Digest { algorithm: DigestAlgorithm::Md5, mac: answer });
        }
        let mut reader = Reader::new(answer);
        let algorithm = reader.u8("an answer to a challenge")?;
        Ok(match algorithm {
            HMAC_SHA1 => Self::Hmac { sha256: false, mac: reader.rest() },
            HMAC_SHA256 => Self::Hmac { sha256: true, mac: reader.rest() },
            PBKDF2 => Self::Pbkdf2 {
                salt: reader.blob("an answer's salt")?,
                iterations: reader.u32("an answer's iterations")?,
                key_bits: reader.u32("an answer's key length")?,
                mac: reader.blob("an answer's MAC")?,
            },
            algorithm => match DigestAlgorithm::from_byte(algorithm) {
                Some(algorithm) => Self::Digest { algorithm, mac: reader.rest() },
                None => return Err(Error::Algorithm { what: "an answer to a challenge" }),
            },
        })
    }

    /// Whether the answer is of this secret and challenge. The work is bounded by
    /// [`ITERATIONS_MAX`]: some milliseconds, off the path of other requests.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if not; [`Error::Algorithm`] if it wants more than the bounds.
    pub fn verify(&self, secret: &[u8], challenge: &Challenge<'_>) -> Result<(), Error> {
        let same = |made: &[u8], given: &[u8]| match bool::from(made.ct_eq(given)) {
            true => Ok(()),
            false => Err(Error::Mismatch { what: "an answer to a challenge" }),
        };
        match *self {
            Self::Digest { algorithm, mac } => {
                same(digest(algorithm, secret, challenge).as_bytes(), mac)
            }
            Self::Hmac { sha256, mac } => same(hmac(sha256, secret, challenge).as_ref(), mac),
            Self::Pbkdf2 { salt, iterations, key_bits, mac } => {
                let beyond = Error::Algorithm { what: "an answer to a challenge" };
                let bytes = (key_bits / 8) as usize;
                let count =
                    NonZeroU32::new(iterations).filter(|count| count.get() <= ITERATIONS_MAX);
                let (Some(count), 1..=DERIVED_BYTES_MAX) = (count, bytes) else {
                    return Err(beyond);
                };
                let mut derived = [0; DERIVED_BYTES_MAX];
                derive(secret, salt, count, &mut derived[..bytes]);
                same(hmac(false, &derived[..bytes], challenge).as_ref(), mac)
            }
        }
    }

    /// Appends the answer that clients of a version give: PBKDF2 from 2.7, SHA-1 from 2.1, a bare
    /// MD5 before. `salt` is 16 random bytes.
    pub fn make(
        version: Version,
        secret: &[u8],
        challenge: &Challenge<'_>,
        salt: &[u8; 16],
        out: &mut Vec<u8>,
    ) {
        if !version.has(Version::SHA256) {
            let algorithm = DigestAlgorithm::of(version);
            if version.has(Version::DIGEST_FLAG) {
                out.push(algorithm.byte());
            }
            out.extend_from_slice(digest(algorithm, secret, challenge).as_bytes());
            return;
        }
        let mut derived = [0; DERIVED_BYTES];
        derive(secret, salt, ITERATIONS, &mut derived);
        out.push(PBKDF2);
        put_blob(out, salt);
        put_u32(out, ITERATIONS.get());
        put_u32(out, 8 * DERIVED_BYTES as u32);
        put_blob(out, hmac(false, &derived, challenge).as_ref());
    }
}

fn digest(algorithm: DigestAlgorithm, secret: &[u8], challenge: &Challenge<'_>) -> crate::Digest {
    algorithm.digest(&[secret, challenge.nonce, challenge.request_digest, secret])
}

fn hmac(sha256: bool, key: &[u8], challenge: &Challenge<'_>) -> hmac::Tag {
    let algorithm = if sha256 { hmac::HMAC_SHA256 } else { hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY };
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
    context.update(challenge.nonce);
    context.update(challenge.request_digest);
    context.sign()
}

/// The reference software takes each byte of the secret for a character of Latin-1 and encodes it
/// in UTF-8, for PBKDF2 only.
fn derive(secret: &[u8], salt: &[u8], iterations: NonZeroU32, out: &mut [u8]) {
    let password: String = secret.iter().copied().map(char::from).collect();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA1, iterations, salt, password.as_bytes(), out);
}

/// An answer that is made with the private half of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKeyAnswer<'a> {
    /// The name of the hash.
    pub hash: &'a [u8],
    /// The signature of the challenge.
    pub signature: &'a [u8],
}

impl<'a> PublicKeyAnswer<'a> {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`Error::Short`].
    pub fn decode(answer: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(answer);
        let hash = reader.blob("an answer's hash")?;
        Ok(Self { hash, signature: reader.blob("an answer's signature")? })
    }

    /// Whether the answer is of this key and challenge.
    ///
    /// # Errors
    /// As [`PublicKey::verify`].
    pub fn verify(&self, key: &PublicKey<'_>, challenge: &Challenge<'_>) -> Result<(), Error> {
        let signed = [challenge.nonce, challenge.request_digest].concat();
        key.verify(HashName::parse(self.hash)?, &signed, self.signature)
    }

    /// Appends an answer: with SHA-256 from 2.7, with SHA-1 before, under an RSA key.
    ///
    /// # Errors
    /// As [`SigningKey::sign`].
    pub fn make(
        version: Version,
        key: &SigningKey,
        challenge: &Challenge<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let signed = [challenge.nonce, challenge.request_digest].concat();
        let hash = key.hash_of(version);
        let signature = key.sign(hash, &signed)?;
        put_blob(out, hash.name());
        put_blob(out, &signature);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
