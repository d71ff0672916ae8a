//! Signatures under the keys that handles and servers have.
//!
//! RSA and Ed25519 are `ring`'s, whose private operations take the same time for all keys and
//! messages. RSA with SHA-1, which only clients below 2.7 want, is the `rsa` crate's, whose
//! operations are blinded by random numbers instead, since they do not. SM2 is the `sm2` crate's,
//! with constant-time arithmetic and the nonces of RFC 6979. DSA is only verified, which needs no
//! secret.

use std::fmt;

use dsa::signature::hazmat::PrehashVerifier as _;
use ring::rand::SecureRandom as _;
use ring::signature::{self as rings, KeyPair as _};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rsa::rand_core;
use rsa::traits::PublicKeyParts as _;
use sm2::dsa::signature::{Signer as _, Verifier as _};
use sm2::elliptic_curve::sec1::ToEncodedPoint as _;

use crate::der;
use crate::{DigestAlgorithm, Error, PublicKey, Version};

/// Who signs under SM2, where nothing else is agreed (GM/T 0009, 10).
const SM2_IDENTITY: &str = "1234567812345678";
/// Bytes of the largest modulus of DSA that is computed with.
const DSA_BYTES_MAX: usize = 3072 / 8;
/// Bytes of the largest order of DSA's subgroup.
const DSA_ORDER_BYTES_MAX: usize = 32;
/// What stands before a SHA-1 digest in a signature of PKCS #1 (RFC 8017, 9.2).
const SHA1_PREFIX: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];

/// The hash of a signature, as messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashName {
    /// RSA and DSA before 2.7.
    Sha1,
    /// RSA from 2.7, DSA from 2.11.
    Sha256,
    /// SM2.
    Sm3,
    /// Ed25519, which hashes by itself.
    Ed25519,
}

impl HashName {
    /// The hash of a name, as it is accepted: the number of a digest's algorithm will do.
    ///
    /// # Errors
    /// [`Error::Algorithm`].
    pub fn parse(name: &[u8]) -> Result<Self, Error> {
        match name {
            b"SHA1" | b"SHA-1" | [2] => Ok(Self::Sha1),
            b"SHA256" | b"SHA-256" | [3] => Ok(Self::Sha256),
            b"SM3" => Ok(Self::Sm3),
            b"ED25519" => Ok(Self::Ed25519),
            _ => Err(Error::Algorithm { what: "a signature" }),
        }
    }

    /// The name as it is written.
    #[must_use]
    pub const fn name(self) -> &'static [u8] {
        match self {
            Self::Sha1 => b"SHA1",
            Self::Sha256 => b"SHA-256",
            Self::Sm3 => b"SM3",
            Self::Ed25519 => b"ED25519",
        }
    }
}

impl PublicKey<'_> {
    /// Whether a signature is of this key and these bytes. RSA from 1024 bits, DSA to 3072.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if not; [`Error::Algorithm`] if the hash does not go with the key;
    /// [`Error::Key`] if nothing can be signed with such a key.
    pub fn verify(&self, hash: HashName, signed: &[u8], signature: &[u8]) -> Result<(), Error> {
        let mismatch = Error::Mismatch { what: "a signature" };
        match (*self, hash) {
            (PublicKey::Rsa { e, n }, HashName::Sha1 | HashName::Sha256) => {
                let parameters = match hash {
                    HashName::Sha1 => &rings::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
                    _ => &rings::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                };
                let key = rings::RsaPublicKeyComponents { n: unsigned(n), e: unsigned(e) };
                key.verify(parameters, signed, signature).map_err(|_| mismatch)
            }
            (PublicKey::Ed25519(key), HashName::Ed25519) => {
                let key = rings::UnparsedPublicKey::new(&rings::ED25519, key);
                key.verify(signed, signature).map_err(|_| mismatch)
            }
            (PublicKey::Sm2(point), HashName::Sm3) => {
                let key = sm2::dsa::VerifyingKey::from_sec1_bytes(SM2_IDENTITY, point)
                    .map_err(|_| Error::Key { why: "it is no point of the curve of SM2" })?;
                let signature = sm2_signature(signature).ok_or(mismatch.clone())?;
                key.verify(signed, &signature).map_err(|_| mismatch)
            }
            (PublicKey::Dsa { .. }, HashName::Sha1) => {
                self.verify_dsa(DigestAlgorithm::Sha1, signed, signature)
            }
            (PublicKey::Dsa { .. }, HashName::Sha256) => {
                self.verify_dsa(DigestAlgorithm::Sha256, signed, signature)
            }
            (PublicKey::DiffieHellman { .. } | PublicKey::Other { .. }, _) => {
                Err(Error::Key { why: "nothing is signed with keys of its kind" })
            }
            _ => Err(Error::Algorithm { what: "a signature" }),
        }
    }

    fn verify_dsa(
        &self,
        algorithm: DigestAlgorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let PublicKey::Dsa { q, p, g, y } = *self else {
            return Err(Error::Key { why: "it is none of DSA" });
        };
        let sizes = [p, g, y].iter().all(|number| unsigned(number).len() <= DSA_BYTES_MAX);
        if !sizes || unsigned(q).len() > DSA_ORDER_BYTES_MAX {
            return Err(Error::Key { why: "it is larger than any of DSA" });
        }
        let number = |bytes: &[u8]| dsa::BigUint::from_bytes_be(bytes);
        let key = dsa::Components::from_components(number(p), number(q), number(g))
            .and_then(|components| dsa::VerifyingKey::from_components(components, number(y)))
            .map_err(|_| Error::Key { why: "its numbers are none of DSA" })?;
        let mismatch = Error::Mismatch { what: "a signature" };
        // Numbers of a signature are below the order, so longer ones are none.
        let [r, s] = der::read_pair(signature)
            .filter(|pair| pair.iter().all(|number| number.len() <= DSA_ORDER_BYTES_MAX + 1))
            .ok_or(mismatch.clone())?;
        let signature =
            dsa::Signature::from_components(number(r), number(s)).map_err(|_| mismatch.clone())?;
        let digest = algorithm.digest(&[signed]);
        key.verify_prehash(digest.as_bytes(), &signature).map_err(|_| mismatch)
    }
}

/// A number without the zeros in front.
pub(crate) fn unsigned(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// Both forms of a signature: the two numbers side by side, or as DER (GM/T 0009, 7.3).
fn sm2_signature(bytes: &[u8]) -> Option<sm2::dsa::Signature> {
    let mut fixed = [0; 64];
    match bytes.len() {
        64 => fixed.copy_from_slice(bytes),
        _ => {
            for (half, number) in fixed.chunks_mut(32).zip(der::read_pair(bytes)?) {
                let number = unsigned(number);
                let at = half.len().checked_sub(number.len())?;
                half[at..].copy_from_slice(number);
            }
        }
    }
    sm2::dsa::Signature::from_slice(&fixed).ok()
}

/// The two numbers side by side, 64 bytes.
pub(crate) fn sm2_side_by_side(signature: &[u8]) -> Option<Vec<u8>> {
    sm2_signature(signature).map(|signature| signature.to_bytes().to_vec())
}

/// A private key that signs.
pub struct SigningKey {
    kind: Kind,
    /// Data of HS_PUBKEY.
    public: Vec<u8>,
}

enum Kind {
    Rsa { fast: Box<rings::RsaKeyPair>, sha1: Box<rsa::RsaPrivateKey> },
    Ed25519(Box<rings::Ed25519KeyPair>),
    Sm2(Box<sm2::dsa::SigningKey>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Rsa { .. } => "RSA",
            Kind::Ed25519(_) => "Ed25519",
            Kind::Sm2(_) => "SM2",
        };
        write!(formatter, "SigningKey({kind})")
    }
}

impl SigningKey {
    /// An RSA key of 2048 to 4096 bits, as DER of PKCS #8.
    ///
    /// # Errors
    /// [`Error::Key`].
    pub fn rsa_from_pkcs8(der: &[u8]) -> Result<Self, Error> {
        let fast = rings::RsaKeyPair::from_pkcs8(der)
            .map_err(|_| Error::Key { why: "it is no RSA key of 2048 to 4096 bits in PKCS #8" })?;
        let sha1 = rsa::RsaPrivateKey::from_pkcs8_der(der)
            .map_err(|_| Error::Key { why: "it is no RSA key in PKCS #8" })?;
        let (e, n) = (signed(&sha1.e().to_bytes_be()), signed(&sha1.n().to_bytes_be()));
        let mut public = Vec::new();
        PublicKey::Rsa { e: &e, n: &n }.encode(&mut public);
        Ok(Self { kind: Kind::Rsa { fast: Box::new(fast), sha1: Box::new(sha1) }, public })
    }

    /// A new RSA key of 2048 bits as DER of PKCS #8. `random` fills what it is given with random
    /// bytes.
    ///
    /// # Errors
    /// [`Error::Key`] if none could be made.
    pub fn generate_rsa_pkcs8(random: impl FnMut(&mut [u8])) -> Result<Vec<u8>, Error> {
        let none = Error::Key { why: "none could be made" };
        let key = rsa::RsaPrivateKey::new(&mut Random(random), 2048).map_err(|_| none.clone())?;
        key.to_pkcs8_der().map(|der| der.as_bytes().to_vec()).map_err(|_| none)
    }

    /// An Ed25519 key of 32 random bytes (RFC 8032, 5.1.5).
    ///
    /// # Errors
    /// None; the length is right.
    pub fn ed25519_from_seed(seed: &[u8; 32]) -> Result<Self, Error> {
        let pair = rings::Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| Error::Key { why: "it is none of Ed25519" })?;
        let mut public = Vec::new();
        PublicKey::Ed25519(pair.public_key().as_ref()).encode(&mut public);
        Ok(Self { kind: Kind::Ed25519(Box::new(pair)), public })
    }

    /// An SM2 key of 32 bytes: a number from 1 to the order less two (GM/T 0003.1, 6.1).
    ///
    /// # Errors
    /// [`Error::Key`] for another number, which random bytes hit once in 2^32 times.
    pub fn sm2_from_secret(secret: &[u8; 32]) -> Result<Self, Error> {
        let key = sm2::dsa::SigningKey::from_slice(SM2_IDENTITY, secret)
            .map_err(|_| Error::Key { why: "it is no number of SM2" })?;
        let mut public = Vec::new();
        let point = key.verifying_key().to_encoded_point(false);
        PublicKey::Sm2(point.as_bytes()).encode(&mut public);
        Ok(Self { kind: Kind::Sm2(Box::new(key)), public })
    }

    /// The public half, as data of HS_PUBKEY.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// The hash that messages of a version are signed with.
    #[must_use]
    pub fn hash_of(&self, version: Version) -> HashName {
        match self.kind {
            Kind::Rsa { .. } if version.has(Version::SHA256) => HashName::Sha256,
            Kind::Rsa { .. } => HashName::Sha1,
            Kind::Ed25519(_) => HashName::Ed25519,
            Kind::Sm2(_) => HashName::Sm3,
        }
    }

    /// The signature of these bytes, which carry their hash with them: of RSA by PKCS #1 v1.5,
    /// of SM2 as DER.
    ///
    /// # Errors
    /// [`Error::Algorithm`] if the hash does not go with the key; [`Error::Sign`].
    pub fn sign(&self, hash: HashName, signed: &[u8]) -> Result<Vec<u8>, Error> {
        match (&self.kind, hash) {
            (Kind::Rsa { fast, .. }, HashName::Sha256) => {
                let mut signature = vec![0; fast.public().modulus_len()];
                let random = ring::rand::SystemRandom::new();
                fast.sign(&rings::RSA_PKCS1_SHA256, &random, signed, &mut signature)
                    .map_err(|_| Error::Sign)?;
                Ok(signature)
            }
            (Kind::Rsa { sha1, .. }, HashName::Sha1) => {
                let digest = DigestAlgorithm::Sha1.digest(&[signed]);
                let padding = rsa::Pkcs1v15Sign { hash_len: Some(20), prefix: SHA1_PREFIX.into() };
                sha1.sign_with_rng(&mut blinding(), padding, digest.as_bytes())
                    .map_err(|_| Error::Sign)
            }
            (Kind::Ed25519(pair), HashName::Ed25519) => Ok(pair.sign(signed).as_ref().to_vec()),
            (Kind::Sm2(key), HashName::Sm3) => {
                let signature = key.try_sign(signed).map_err(|_| Error::Sign)?;
                let bytes = signature.to_bytes();
                let (r, s) = bytes.split_at(32);
                Ok(der::write_pair(r, s))
            }
            _ => Err(Error::Algorithm { what: "a signature" }),
        }
    }
}

/// A number with a zero in front if its top bit is set.
pub(crate) fn signed(number: &[u8]) -> Vec<u8> {
    let number = unsigned(number);
    let zero = number.first().is_none_or(|top| top & 0x80 != 0);
    let mut bytes = Vec::with_capacity(number.len() + 1);
    bytes.extend(zero.then_some(0));
    bytes.extend_from_slice(number);
    bytes
}

fn blinding() -> Random<impl FnMut(&mut [u8])> {
    let random = ring::rand::SystemRandom::new();
    // Without random bytes the signature is as right, and not blinded.
    Random(move |bytes: &mut [u8]| {
        let _ = random.fill(bytes);
    })
}

/// Random bytes of a caller, as the `rsa` crate wants them.
struct Random<F>(F);

impl<F: FnMut(&mut [u8])> rand_core::RngCore for Random<F> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        (self.0)(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        (self.0)(bytes);
        Ok(())
    }
}

impl<F: FnMut(&mut [u8])> rand_core::CryptoRng for Random<F> {}

#[cfg(test)]
mod tests;
