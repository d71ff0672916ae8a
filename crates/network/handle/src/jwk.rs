use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::signature::{signed, unsigned};
use crate::{Error, PublicKey};

/// A public key in JSON (RFC 7517), as `/api/handles` and certificates have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub enum Jwk {
    /// RSA (RFC 7518, 6.3.1).
    #[serde(rename = "RSA")]
    Rsa {
        /// Modulus.
        n: String,
        /// Exponent.
        e: String,
    },
    /// DSA, as the reference software writes it.
    #[serde(rename = "DSA")]
    Dsa {
        /// The key.
        y: String,
        /// Modulus.
        p: String,
        /// Order.
        q: String,
        /// Generator.
        g: String,
    },
    /// Ed25519 (RFC 8037, 2).
    #[serde(rename = "OKP")]
    Okp {
        /// `Ed25519`.
        crv: String,
        /// The key.
        x: String,
    },
    /// SM2: a curve of its own name.
    #[serde(rename = "EC")]
    Ec {
        /// `SM2`.
        crv: String,
        /// First coordinate.
        x: String,
        /// Second coordinate.
        y: String,
    },
}

const UNCOMPRESSED: u8 = 4;

impl Jwk {
    /// The JSON form of a key; none for keys of other kinds.
    #[must_use]
    pub fn of(key: &PublicKey<'_>) -> Option<Self> {
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(unsigned(bytes));
        Some(match *key {
            PublicKey::Rsa { e, n } => Self::Rsa { n: number(n), e: number(e) },
            PublicKey::Dsa { q, p, g, y } => {
                Self::Dsa { y: number(y), p: number(p), q: number(q), g: number(g) }
            }
            PublicKey::Ed25519(key) => {
                Self::Okp { crv: "Ed25519".to_owned(), x: URL_SAFE_NO_PAD.encode(key) }
            }
            PublicKey::Sm2(&[UNCOMPRESSED, ref point @ ..]) if point.len() == 64 => Self::Ec {
                crv: "SM2".to_owned(),
                x: URL_SAFE_NO_PAD.encode(&point[..32]),
                y: URL_SAFE_NO_PAD.encode(&point[32..]),
            },
            PublicKey::Sm2(_) | PublicKey::DiffieHellman { .. } | PublicKey::Other { .. } => {
                return None;
            }
        })
    }

    /// Appends the key as data of HS_PUBKEY.
    ///
    /// # Errors
    /// [`Error::Json`] if it is not Base64, or of another curve.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let read = |text: &str| {
            let text = text.trim_end_matches('=');
            URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Json { why: "a key is not Base64" })
        };
        let number = |text: &str| read(text).map(|bytes| signed(&bytes));
        match self {
            Self::Rsa { n, e } => PublicKey::Rsa { e: &number(e)?, n: &number(n)? }.encode(out),
            Self::Dsa { y, p, q, g } => {
                PublicKey::Dsa { q: &number(q)?, p: &number(p)?, g: &number(g)?, y: &number(y)? }
                    .encode(out);
            }
            Self::Okp { crv, x } if crv == "Ed25519" => PublicKey::Ed25519(&read(x)?).encode(out),
            Self::Ec { crv, x, y } if crv == "SM2" => {
                let point = [vec![UNCOMPRESSED], read(x)?, read(y)?].concat();
                PublicKey::Sm2(&point).encode(out);
            }
            Self::Okp { .. } | Self::Ec { .. } => {
                return Err(Error::Json { why: "a key is of a curve that is not known" });
            }
        }
        Ok(())
    }
}
