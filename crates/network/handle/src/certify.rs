//! What is signed of a message, and signatures of servers (RFC 3652, 2.2.4).

use crate::envelope::ENVELOPE_BYTES;
use crate::{Credential, Envelope, Error, HashName, Message, PublicKey, SigningKey, Version};

/// The bytes that stand before header and body in what is signed: fields of the envelope, by the
/// message's version.
pub(crate) fn signed_bytes(envelope: &Envelope, counter: u32, header_and_body: &[u8]) -> Vec<u8> {
    let version = envelope.version;
    let mut bytes = Vec::with_capacity(ENVELOPE_BYTES + header_and_body.len());
    let numbers = [envelope.session_id, envelope.request_id, counter].map(u32::to_be_bytes);
    if version.has(Version::SHA256) {
        bytes.extend_from_slice(&[version.major, version.minor]);
        if version.has(Version::SUGGESTED_SIGNED) {
            let suggested = match envelope.suggested.major {
                0 => version,
                _ => envelope.suggested,
            };
            bytes.extend_from_slice(&[suggested.major, suggested.minor]);
        }
        bytes.extend_from_slice(numbers.as_flattened());
    } else if version.has(Version::ENVELOPE_SIGNED_MANGLED) {
        // A historic slip, which 2.6 is left with: the numbers were written over each other.
        let mut mangled = [0; 14];
        mangled[..2].copy_from_slice(&[version.major, version.minor]);
        mangled[2..6].copy_from_slice(&numbers[0]);
        mangled[4..8].copy_from_slice(&numbers[2]);
        bytes.extend_from_slice(&mangled);
    }
    bytes.extend_from_slice(header_and_body);
    bytes
}

impl SigningKey {
    /// Appends the credential of a certified response, with its length in front, for
    /// [`crate::Draft::finish_with`].
    ///
    /// # Errors
    /// As [`SigningKey::sign`].
    pub fn certify(
        &self,
        envelope: &Envelope,
        header_and_body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let hash = self.hash_of(envelope.version);
        let signature = self.sign(hash, &signed_bytes(envelope, 0, header_and_body))?;
        let credential = Credential {
            version: 0,
            flags: 0,
            signer: b"",
            counter: 0,
            kind: Credential::SIGNED,
            algorithm: hash.name(),
            bytes: &signature,
        };
        credential.encode(out);
        Ok(())
    }
}

/// Whether a response is signed by the server with this key, as its site record has it.
///
/// # Errors
/// [`Error::Mismatch`] if it is not signed, or not by that key; what [`PublicKey::verify`] gives.
pub fn verify_certified(message: &Message<'_>, key: &PublicKey<'_>) -> Result<(), Error> {
    let credential = message
        .credential()?
        .filter(|credential| credential.kind == Credential::SIGNED)
        .ok_or(Error::Mismatch { what: "a certified response" })?;
    let hash = HashName::parse(credential.algorithm)?;
    let signed = signed_bytes(&message.envelope, credential.counter, message.signed_part());
    key.verify(hash, &signed, credential.bytes)
}
