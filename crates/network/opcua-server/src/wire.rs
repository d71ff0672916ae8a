//! Bytes on the connection: frames, their security, and the messages in them (OPC 10000-6, clauses
//! 6.7 and 7.1).

pub(crate) mod asymmetric;
pub(crate) mod channel;
pub(crate) mod frame;
pub(crate) mod message;
mod symmetric;

use opcua::crypto::SecurityPolicy;

/// The policies of [`crate::Policy`], the strongest last.
pub(crate) const POLICIES: [SecurityPolicy; 3] = [
    SecurityPolicy::Aes128Sha256RsaOaep,
    SecurityPolicy::Basic256Sha256,
    SecurityPolicy::Aes256Sha256RsaPss,
];

/// The policy of a URI, or no security.
pub(crate) fn policy(uri: &str) -> Option<SecurityPolicy> {
    let mut known = POLICIES.into_iter().chain([SecurityPolicy::None]);
    known.find(|policy| policy.to_uri() == uri)
}

/// Reads what stands in a slice, from front to back; none behind its end.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let bytes = self.take(4)?;
        bytes.try_into().ok().map(u32::from_le_bytes)
    }

    /// A string or byte string; a null one is empty.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        match self.u32()? as i32 {
            -1 => Some(&[]),
            length => self.take(usize::try_from(length).ok()?),
        }
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// Appends a string or byte string.
pub(crate) fn put_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    buffer.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests;
