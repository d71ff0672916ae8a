use crate::Error;
use crate::wire::{Reader, put_blob, put_u16, put_u32};

/// The data of HS_PUBKEY, and a server's key in a site record. Numbers are big-endian two's
/// complement, with a zero in front if the top bit is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKey<'a> {
    /// `RSA_PUB_KEY`.
    Rsa {
        /// Public exponent.
        e: &'a [u8],
        /// Modulus.
        n: &'a [u8],
    },
    /// `DSA_PUB_KEY`.
    Dsa {
        /// Order of the subgroup.
        q: &'a [u8],
        /// Modulus.
        p: &'a [u8],
        /// Generator.
        g: &'a [u8],
        /// The key.
        y: &'a [u8],
    },
    /// `DH_PUB_KEY`, in the setup of sessions.
    DiffieHellman {
        /// The key.
        y: &'a [u8],
        /// Modulus.
        p: &'a [u8],
        /// Generator.
        g: &'a [u8],
    },
    /// `ED25519_PUB_KEY`: 32 bytes (RFC 8032). A kind of ours: the reference software knows none.
    Ed25519(&'a [u8]),
    /// `SM2_PUB_KEY`: a point of the curve of GM/T 0003.5, uncompressed, 65 bytes. A kind of ours.
    Sm2(&'a [u8]),
    /// Another kind, and what follows its name.
    Other {
        /// Its name.
        kind: &'a [u8],
        /// The rest.
        rest: &'a [u8],
    },
}

impl<'a> PublicKey<'a> {
    const RSA: &'static [u8] = b"RSA_PUB_KEY";
    const DSA: &'static [u8] = b"DSA_PUB_KEY";
    const DH: &'static [u8] = b"DH_PUB_KEY";
    const ED25519: &'static [u8] = b"ED25519_PUB_KEY";
    const SM2: &'static [u8] = b"SM2_PUB_KEY";

    /// Reads the data. Bytes after an RSA key, four zeros as a rule, are ignored.
    ///
    /// # Errors
    /// [`Error::Short`].
    pub fn decode(data: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(data);
        let kind = reader.blob("a key's kind")?;
        let whole = reader.rest();
        let _flags = reader.u16("a key")?;
        let mut number = || reader.blob("a key");
        Ok(match kind {
            Self::RSA => Self::Rsa { e: number()?, n: number()? },
            Self::DSA => Self::Dsa { q: number()?, p: number()?, g: number()?, y: number()? },
            Self::DH => Self::DiffieHellman { y: number()?, p: number()?, g: number()? },
            Self::ED25519 => Self::Ed25519(number()?),
            Self::SM2 => Self::Sm2(number()?),
            kind => Self::Other { kind, rest: whole },
        })
    }

    /// The name of the kind.
    #[must_use]
    pub const fn kind(&self) -> &'a [u8] {
        match self {
            Self::Rsa { .. } => Self::RSA,
            Self::Dsa { .. } => Self::DSA,
            Self::DiffieHellman { .. } => Self::DH,
            Self::Ed25519(_) => Self::ED25519,
            Self::Sm2(_) => Self::SM2,
            Self::Other { kind, .. } => kind,
        }
    }

    /// Appends the data; an RSA key with the four zeros that the reference software writes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_blob(out, self.kind());
        if let Self::Other { rest, .. } = self {
            out.extend_from_slice(rest);
            return;
        }
        put_u16(out, 0);
        let mut numbers = |all: &[&[u8]]| all.iter().for_each(|number| put_blob(out, number));
        match *self {
            Self::Rsa { e, n } => numbers(&[e, n]),
            Self::Dsa { q, p, g, y } => numbers(&[q, p, g, y]),
            Self::DiffieHellman { y, p, g } => numbers(&[y, p, g]),
            Self::Ed25519(key) | Self::Sm2(key) => numbers(&[key]),
            Self::Other { .. } => {}
        }
        if let Self::Rsa { .. } = self {
            put_u32(out, 0);
        }
    }
}
