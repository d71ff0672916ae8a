use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::signature::{sm2_side_by_side, unsigned};
use crate::trust::Claims;
use crate::{Error, HashName, PublicKey, SigningKey, Version};

/// Largest signature or certificate that is read: digests of the most values that a record has
/// are half of it.
pub const JWS_BYTES_MAX: usize = 256 << 10;
/// Bytes of the smallest RSA modulus that is trusted for longer than a message's life.
const RSA_BYTES_MIN: usize = 2048 / 8;

#[derive(Serialize, Deserialize)]
struct Head {
    alg: String,
    #[serde(default, skip_serializing)]
    crit: Option<serde_json::Value>,
}

/// A JWS that was read, and not verified.
#[derive(Debug, Clone)]
pub struct Jws<'a> {
    /// What it says.
    pub claims: Claims,
    algorithm: HashName,
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Reads the data of HS_SIGNATURE or HS_CERT.
    ///
    /// # Errors
    /// [`Error::TooLong`] above [`JWS_BYTES_MAX`]; [`Error::Algorithm`]; [`Error::Trust`] if it is
    /// no JWS in compact form, or wants something understood that is not (`crit`).
    pub fn read(data: &'a [u8]) -> Result<Self, Error> {
        let (parts, payload) = Parts::read(data)?;
        let claims = serde_json::from_slice(&payload)
            .map_err(|_| Error::Trust { why: "its claims cannot be read" })?;
        let Parts { algorithm, signed, signature } = parts;
        Ok(Self { claims, algorithm, signed, signature })
    }

    /// Whether it is signed with this key.
    ///
    /// # Errors
    /// [`Error::Trust`] if not, or if an RSA key has fewer than 2048 bits.
    pub fn verify(&self, key: &PublicKey<'_>) -> Result<(), Error> {
        if let PublicKey::Rsa { n, .. } = key
            && unsigned(n).len() < RSA_BYTES_MIN
        {
            return Err(Error::Trust { why: "a key is too small" });
        }
        key.verify(self.algorithm, self.signed, &self.signature)
            .map_err(|_| Error::Trust { why: "a signature is not of its issuer" })
    }
}

struct Parts<'a> {
    algorithm: HashName,
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn read(data: &'a [u8]) -> Result<(Self, Vec<u8>), Error> {
        if data.len() > JWS_BYTES_MAX {
            let most = JWS_BYTES_MAX as u32;
            return Err(Error::TooLong { field: "a JWS", length: data.len() as u32, most });
        }
        let none = Error::Trust { why: "it is no JWS in compact form" };
        let decode = |part: &[u8]| URL_SAFE_NO_PAD.decode(part).map_err(|_| none.clone());
        let mut parts = data.split(|byte| *byte == b'.');
        let (Some(head), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(none);
        };
        let signed = &data[..head.len() + 1 + payload.len()];
        let head: Head = serde_json::from_slice(&decode(head)?).map_err(|_| none.clone())?;
        if head.crit.is_some() {
            return Err(Error::Trust { why: "it wants something that is not understood" });
        }
        let algorithm = match head.alg.as_str() {
            "RS256" => HashName::Sha256,
            "EdDSA" => HashName::Ed25519,
            "SM2SM3" => HashName::Sm3,
            _ => return Err(Error::Algorithm { what: "a JWS" }),
        };
        Ok((Self { algorithm, signed, signature: decode(signature)? }, decode(payload)?))
    }
}

/// The compact form: RS256 under RSA (RFC 7518, 3.3), EdDSA under Ed25519 (RFC 8037, 3.1), and
/// `SM2SM3`, our name, under SM2, with both numbers side by side as ECDSA has them.
pub(super) fn sign(claims: &Claims, key: &SigningKey) -> Result<String, Error> {
    let hash = key.hash_of(Version::CURRENT);
    let alg = match hash {
        HashName::Ed25519 => "EdDSA",
        HashName::Sm3 => "SM2SM3",
        HashName::Sha1 | HashName::Sha256 => "RS256",
    };
    let json = Error::Json { why: "claims cannot be written" };
    let head =
        serde_json::to_vec(&Head { alg: alg.to_owned(), crit: None }).map_err(|_| json.clone())?;
    let payload = serde_json::to_vec(claims).map_err(|_| json)?;
    let mut text = URL_SAFE_NO_PAD.encode(head);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut text);
    let mut signature = key.sign(hash, text.as_bytes())?;
    if hash == HashName::Sm3 {
        signature = sm2_side_by_side(&signature).ok_or(Error::Sign)?;
    }
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, A.4.
    #[test]
    fn the_example_of_ed25519_verifies() {
        let jws = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
            hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let jws: Vec<u8> = jws.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let (parts, payload) = Parts::read(&jws).unwrap();
        assert_eq!(payload, b"Example of Ed25519 signing");
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = SigningKey::ed25519_from_seed(&seed.try_into().unwrap()).unwrap();
        let public = PublicKey::decode(key.public_key()).unwrap();
        let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(public, PublicKey::Ed25519(&x));
        public.verify(parts.algorithm, parts.signed, &parts.signature).unwrap();
        assert_eq!(key.sign(HashName::Ed25519, parts.signed).unwrap(), parts.signature);
    }
}
