//! Random secrets and what is kept of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::hmac;

use crate::error::AccessError;

/// Bytes of a secret: 256 bits.
const SECRET_BYTES: usize = 32;

/// Longest secret that is looked at: whatever is longer is none of ours.
const SECRET_TEXT_MAX: usize = 64;

/// What every token starts with, so that scanners of leaked secrets can tell it.
pub(crate) const TOKEN_PREFIX: &str = "weir_";

/// 256 random bits as text.
pub(crate) fn random_secret() -> Result<String, AccessError> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<SECRET_BYTES>()?))
}

pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], AccessError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| AccessError::Random)?;
    Ok(bytes)
}

/// The key under which a secret's record is found: its SHA-256 in hexadecimal. The secret itself is
/// kept nowhere; having 256 random bits, it needs no salt and no slow hash. Looking the hash up
/// takes the same time whatever secret is being guessed at, since a guess does not choose its hash.
/// None for a text that cannot be a secret.
pub(crate) fn key_of(secret: &str) -> Option<String> {
    if secret.is_empty() || secret.len() > SECRET_TEXT_MAX {
        return None;
    }
    let hash = digest(&SHA256, secret.as_bytes());
    Some(hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The token that a page sends back with every change, so that other sites cannot make a browser
/// do so. It follows from the session's secret and does not give it away.
pub(crate) fn csrf_of(secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, b"weir csrf"))
}

/// Compares in a time that does not tell where two secrets differ: it compares MACs under a key
/// that nobody knows beforehand.
/// Where there are no random numbers, nothing is the same.
pub fn same_secret(left: &[u8], right: &[u8]) -> bool {
    let Ok(key) = random_bytes::<SECRET_BYTES>() else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, left);
    hmac::verify(&key, right, tag.as_ref()).is_ok()
}

#[cfg(test)]
mod tests;
