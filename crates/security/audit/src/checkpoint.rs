//! Checkpoints: the size and root of the tree, signed (C2SP tlog-checkpoint and signed-note).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::hash::Hash;
use crate::key::{PublicKey, SigningKey};

/// Longest text of a signed checkpoint that is read. Others may add their signatures below ours.
pub(crate) const CHECKPOINT_BYTES_MAX: usize = 16 << 10;

/// What every signature line starts with.
const SIGNATURE: &str = "\u{2014} ";

/// The state of the log at one size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// A checkpoint with the log's signature. Its text can be kept anywhere and checked by any tool
/// that reads the C2SP formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    text: String,
}

impl SignedCheckpoint {
    pub(crate) fn sign(key: &SigningKey, size: u64, root: Hash) -> Self {
        let origin = key.public().name().to_owned();
        let body = format!("{origin}\n{size}\n{root}\n");
        let mut signature = key.public().hint().to_vec();
        signature.extend_from_slice(&key.sign(&body));
        let signature = STANDARD.encode(signature);
        let text = format!("{body}\n{SIGNATURE}{origin} {signature}\n");
        Self { checkpoint: Checkpoint { origin, size, root }, text }
    }

    /// Reads a checkpoint and checks the log's signature on it; the answer is why it is not one.
    ///
    /// # Errors
    /// A reason for people.
    pub fn parse(text: &str, key: &PublicKey) -> Result<Self, &'static str> {
        if text.len() > CHECKPOINT_BYTES_MAX {
            return Err("it is too long");
        }
        let (body, signatures) = text.split_once("\n\n").ok_or("it has no signature")?;
        let body = format!("{body}\n");
        let checkpoint = parse_body(&body).ok_or("it does not read as a checkpoint")?;
        let hint = key.hint();
        let signed = signatures.lines().any(|line| {
            let signature = line.strip_prefix(SIGNATURE).and_then(|l| l.split_once(' '));
            let Some((name, signature)) = signature else { return false };
            let Ok(signature) = STANDARD.decode(signature) else { return false };
            name == key.name()
                && signature.strip_prefix(&hint).is_some_and(|rest| key.verifies(&body, rest))
        });
        if !signed || checkpoint.origin != key.name() {
            return Err("it is not signed with the log's key");
        }
        Ok(Self { checkpoint, text: text.to_owned() })
    }

    /// What was signed.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The whole text with its signature.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for SignedCheckpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

fn parse_body(body: &str) -> Option<Checkpoint> {
    let mut lines = body.lines();
    let origin = lines.next().filter(|origin| !origin.is_empty())?.to_owned();
    let size_text = lines.next()?;
    let size: u64 = size_text.parse().ok()?;
    let root = Hash::parse(lines.next()?)?;
    // One way to write a number: no sign, no leading zeros.
    (size.to_string() == size_text).then_some(Checkpoint { origin, size, root })
}

#[cfg(test)]
mod tests;
