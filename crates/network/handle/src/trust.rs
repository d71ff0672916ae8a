//! Signatures of records and certificates: HS_SIGNATURE and HS_CERT (Digital Object Identifier
//! Resolution Protocol, 4.3). Both are a JWS in its compact form (RFC 7515).
//!
//! A certificate says which key somebody has, and what that key may sign. A signature says what
//! the values of a record are. Each is signed by an issuer; from issuer to issuer a chain leads to
//! a key that the verifier knows, its anchor. A link holds if the issuer may sign what it signs:
//! the record, or the certificate's subject and everything that the certificate grants. So nobody
//! grants more than was granted.
//!
//! The text that describes the digest of a value was not to be had in full: it is taken over the
//! value's wire form without index and timestamp, which the server sets.
//!
//! Resolving the certificates is for the caller: those in the HS_CERT values of the issuer's
//! handle, and those that [`Claims::chain`] names.

mod chain;
mod jws;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sm3::Digest as _;

pub use chain::{Anchor, CERTIFICATES_MAX, CHAIN_MAX, Verified, verify_certificate, verify_record};
pub use jws::{JWS_BYTES_MAX, Jws};

use crate::wire::List;
use crate::{DigestAlgorithm, Error, Jwk, PublicKey, SigningKey, Value, ValueData, name};

/// Bytes of a value that its digest leaves out: index and timestamp.
const UNSIGNED_BYTES: usize = 8;

/// What a signature or certificate says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signs: `index:handle`, or a handle.
    pub iss: String,
    /// Of a certificate: whose it is, in the same form. Of a signature: the record's handle.
    pub sub: String,
    /// Second since 1970 from which it is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// Second since 1970 before which it is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Second since 1970 when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Certificates by which the issuer can be verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Vec<String>>,
    /// Of a certificate: the subject's key.
    #[serde(rename = "publicKey", default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<Jwk>,
    /// Of a certificate: what that key may sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perms: Option<Vec<Grant>>,
    /// Of a signature: the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<Digests>,
}

/// Digests of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// `SHA-256`, or `SM3` for the national profile.
    pub alg: String,
    /// One for each value.
    pub digests: Vec<ValueDigest>,
}

/// The digest of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueDigest {
    /// The value's index.
    pub index: i32,
    /// The digest in Base64.
    pub digest: String,
}

/// Something that a key may sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// A handle or a prefix; left out with [`Scope::Everything`], and the subject's own handle
    /// otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// How much of it.
    pub perm: Scope,
}

/// How much a key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// Everything.
    Everything,
    /// One handle.
    ThisHandle,
    /// The prefixes that are derived from a prefix, and all below them.
    DerivedPrefixes,
    /// The handles of a prefix.
    HandlesUnderThisPrefix,
}

impl Claims {
    /// The claims of a signature over all values but signatures.
    ///
    /// # Errors
    /// [`Error::Algorithm`] if the digest is neither `SHA-256` nor `SM3`; [`Error::NotText`].
    pub fn of_record(
        issuer: &str,
        handle: &[u8],
        values: &List<'_, Value<'_>>,
        algorithm: &str,
    ) -> Result<Self, Error> {
        let mut digests = Vec::with_capacity(values.len());
        for_each_signed(values, |value, wire| {
            let digest = STANDARD.encode(digest(algorithm, wire)?);
            digests.push(ValueDigest { index: value.index, digest });
            Ok(())
        })?;
        let sub = std::str::from_utf8(handle).map_err(|_| Error::NotText { field: "a handle" })?;
        Ok(Self {
            iss: issuer.to_owned(),
            sub: sub.to_owned(),
            digests: Some(Digests { alg: algorithm.to_owned(), digests }),
            ..Self::default()
        })
    }

    /// The claims of a certificate.
    ///
    /// # Errors
    /// [`Error::Key`] for a key that has no JSON form.
    pub fn of_key(
        issuer: &str,
        subject: &str,
        key: &PublicKey<'_>,
        grants: Vec<Grant>,
    ) -> Result<Self, Error> {
        let none = Error::Key { why: "nothing is signed with keys of its kind" };
        Ok(Self {
            iss: issuer.to_owned(),
            sub: subject.to_owned(),
            public_key: Some(Jwk::of(key).ok_or(none)?),
            perms: Some(grants),
            ..Self::default()
        })
    }

    /// The claims for a span of time, in seconds since 1970.
    #[must_use]
    pub fn valid(self, from: i64, until: i64) -> Self {
        Self { iat: Some(from), nbf: Some(from), exp: Some(until), ..self }
    }

    /// The JWS of the claims under a key: the data of HS_SIGNATURE or HS_CERT.
    ///
    /// # Errors
    /// As [`SigningKey::sign`].
    pub fn sign(&self, key: &SigningKey) -> Result<String, Error> {
        jws::sign(self, key)
    }

    fn in_time(&self, now: i64) -> bool {
        self.exp.is_none_or(|exp| now < exp) && self.nbf.is_none_or(|nbf| now >= nbf)
    }
}

impl Grant {
    /// A grant.
    #[must_use]
    pub fn new(perm: Scope, handle: &str) -> Self {
        Self { handle: (perm != Scope::Everything).then(|| handle.to_owned()), perm }
    }

    /// Whether this grant holds all of another, each with the handle that stands for a missing
    /// one.
    fn covers(&self, own: &str, other: &Self, others: &str) -> bool {
        let held = self.handle.as_deref().unwrap_or(own).as_bytes();
        let asked = other.handle.as_deref().unwrap_or(others).as_bytes();
        match (self.perm, other.perm) {
            (Scope::Everything, _) => true,
            (_, Scope::Everything) => false,
            (Scope::ThisHandle, Scope::ThisHandle) => name::same(held, asked),
            (Scope::ThisHandle, _) => false,
            (Scope::HandlesUnderThisPrefix, Scope::ThisHandle) => {
                // A prefix's own handle is under the prefix of prefixes, and not under itself.
                name::split(asked).is_some_and(|(prefix, _)| name::same(prefix, bare(held)))
            }
            (Scope::HandlesUnderThisPrefix, Scope::HandlesUnderThisPrefix) => {
                name::same(bare(held), bare(asked))
            }
            (Scope::HandlesUnderThisPrefix, Scope::DerivedPrefixes) => false,
            (Scope::DerivedPrefixes, Scope::ThisHandle) => {
                let under = name::split(asked).map(|(prefix, _)| prefix);
                let prefix = name::prefix_named(asked).or(under);
                prefix.is_some_and(|prefix| name::derived(prefix, bare(held)))
            }
            (Scope::DerivedPrefixes, Scope::HandlesUnderThisPrefix) => {
                name::derived(bare(asked), bare(held))
            }
            (Scope::DerivedPrefixes, Scope::DerivedPrefixes) => {
                name::same(bare(asked), bare(held)) || name::derived(bare(asked), bare(held))
            }
        }
    }
}

/// A prefix, which may be given as the handle that stands for it.
fn bare(prefix: &[u8]) -> &[u8] {
    name::prefix_named(prefix).unwrap_or(prefix)
}

/// Each value that is signed, with its wire form.
fn for_each_signed<'a>(
    values: &List<'a, Value<'a>>,
    mut each: impl FnMut(Value<'a>, &'a [u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut walk = values.iter();
    while let Some((value, wire)) = walk.next_with_wire() {
        if !value.is(ValueData::SIGNATURE) {
            each(value, wire)?;
        }
    }
    Ok(())
}

fn digest(algorithm: &str, wire: &[u8]) -> Result<Vec<u8>, Error> {
    let signed = &wire[UNSIGNED_BYTES..];
    match algorithm {
        "SHA-256" => Ok(DigestAlgorithm::Sha256.digest(&[signed]).as_bytes().to_vec()),
        "SM3" => Ok(sm3::Sm3::digest(signed).to_vec()),
        _ => Err(Error::Algorithm { what: "a record's signature" }),
    }
}

#[cfg(test)]
mod tests;
