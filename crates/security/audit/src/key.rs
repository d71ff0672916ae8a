//! The key that checkpoints are signed with.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::error::AuditError;
use crate::segment::write_whole;
use crate::tile::sync_dir;

/// The algorithm byte of Ed25519 in the signed-note format.
const ALGORITHM: u8 = 1;

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// The public half of a log's key: what a checkpoint is checked with. Written as the signed-note
/// format writes a verifier key, `NAME+HASH+KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: [u8; 32],
}

/// A text is not a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a public key of an audit log is written NAME+HASH+KEY, as in its file log.pub")]
pub struct PublicKeyError;

impl PublicKey {
    /// The log's name, which is also the first line of its checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands before each signature by this key, so that others' are passed over.
    pub(crate) fn hint(&self) -> [u8; 4] {
        let mut bytes = self.name.as_bytes().to_vec();
        bytes.extend_from_slice(&[b'\n', ALGORITHM]);
        bytes.extend_from_slice(&self.key);
        let hash = digest(&SHA256, &bytes);
        std::array::from_fn(|i| hash.as_ref()[i])
    }

    pub(crate) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(text.as_bytes(), signature).is_ok()
    }

    /// Reads the file that stands in a log's folder.
    pub(crate) fn read(dir: &Path) -> Result<Self, AuditError> {
        let path = dir.join("log.pub");
        let text = fs::read_to_string(&path).map_err(AuditError::io("read", &path))?;
        let reason = "it is not a public key in the signed-note format";
        text.trim_end().parse().map_err(|_| AuditError::Key { path, reason })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+", self.name)?;
        for byte in self.hint() {
            write!(f, "{byte:02x}")?;
        }
        let mut bytes = vec![ALGORITHM];
        bytes.extend_from_slice(&self.key);
        write!(f, "+{}", STANDARD.encode(bytes))
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Base64 has a "+" among its letters, so the text is cut from the left.
        let (name, rest) = text.split_once('+').ok_or(PublicKeyError)?;
        let (_, key) = rest.split_once('+').ok_or(PublicKeyError)?;
        let key = STANDARD.decode(key).map_err(|_| PublicKeyError)?;
        let key = key.strip_prefix(&[ALGORITHM]).ok_or(PublicKeyError)?;
        let key = key.try_into().map_err(|_| PublicKeyError)?;
        let key = Self { name: name.to_owned(), key };
        if is_name(name) && key.to_string() == text { Ok(key) } else { Err(PublicKeyError) }
    }
}

/// A key name holds neither spaces nor `+`.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// Both halves.
pub(crate) struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// The key of the log in a folder; made when the log is new.
    pub(crate) fn open(dir: &Path, name: &str, log_is_new: bool) -> Result<Self, AuditError> {
        let path = dir.join("log.key");
        let bad = |reason| AuditError::Key { path: path.clone(), reason };
        if log_is_new && !path.exists() {
            return Self::generate(dir, name);
        }
        let pem = fs::read_to_string(&path).map_err(AuditError::io("read", &path))?;
        let body: String =
            pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let der = STANDARD.decode(body).map_err(|_| bad("it is not PEM"))?;
        let pair = Ed25519KeyPair::from_pkcs8(&der).map_err(|_| bad("it is no Ed25519 key"))?;
        // The public half is written after the private one; a crash between the two leaves none.
        if log_is_new && !dir.join("log.pub").exists() {
            return Self::with_public(dir, pair, name);
        }
        let public = PublicKey::read(dir)?;
        if public.key != pair.public_key().as_ref() {
            return Err(bad("it does not belong to the public key in log.pub"));
        }
        Ok(Self { pair, public })
    }

    fn generate(dir: &Path, name: &str) -> Result<Self, AuditError> {
        let path = dir.join("log.key");
        let bad = |reason| AuditError::Key { path: path.clone(), reason };
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| bad("the system gives no random numbers"))?;
        let pem = format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", wrap(&STANDARD.encode(der.as_ref())));
        write_whole(&path, pem.as_bytes(), 0o600).map_err(AuditError::io("write", &path))?;
        let pair = Ed25519KeyPair::from_pkcs8(der.as_ref());
        Self::with_public(dir, pair.map_err(|_| bad("it is no Ed25519 key"))?, name)
    }

    fn with_public(dir: &Path, pair: Ed25519KeyPair, name: &str) -> Result<Self, AuditError> {
        let path = dir.join("log.pub");
        let bad = |reason| AuditError::Key { path: path.clone(), reason };
        if !is_name(name) {
            return Err(bad("the log's name is empty or holds spaces or \"+\""));
        }
        let key = pair.public_key().as_ref().try_into();
        let key = key.map_err(|_| bad("an Ed25519 key has 32 bytes"))?;
        let public = PublicKey { name: name.to_owned(), key };
        let text = format!("{public}\n");
        write_whole(&path, text.as_bytes(), 0o644).map_err(AuditError::io("write", &path))?;
        sync_dir(dir)?;
        Ok(Self { pair, public })
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(text.as_bytes()).as_ref().to_vec()
    }
}

/// Lines of 64 letters, as RFC 7468 asks.
fn wrap(base64: &str) -> String {
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    lines.join("\n")
}
