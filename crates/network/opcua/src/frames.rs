//! A look at the frames of a connection before the library reads them (OPC 10000-6, clause 7.1.2).
//!
//! The library takes a frame's length on trust, and takes the answer to a handshake from whoever signed it,
//! even in the midst of a session. So each frame is held to a size, and each handshake to the security policy
//! and the certificate that were reviewed.

/// Largest frame that is asked for and accepted, in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 256 * 1024;

/// Bytes of the header that every frame has: type and size.
const HEADER_BYTES: usize = 8;

/// Smallest frame: the header alone.
const FRAME_BYTES_MIN: usize = HEADER_BYTES;

/// Smallest message of a secured channel: headers, sequence and the shortest signature. The library
/// subtracts these lengths without a look.
const SECURED_BYTES_MIN: usize = 64;

/// Longest URI of a security policy.
const POLICY_BYTES_MAX: usize = 255;

/// What a handshake must show.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// URI of the security policy.
    pub(crate) policy: String,
    /// The server's certificate in DER.
    pub(crate) certificate: Vec<u8>,
}

/// Follows the frames of a connection.
#[derive(Debug)]
pub(crate) struct Frames {
    expected: Option<Expected>,
    /// The beginning of a frame, as far as it is looked at.
    head: Vec<u8>,
    /// How many bytes of the beginning are needed to go on.
    needed: usize,
    /// How many bytes of the frame are still to come and are not looked at.
    rest: usize,
}

impl Frames {
    /// For a connection that is secured where something is expected.
    pub(crate) fn new(expected: Option<Expected>) -> Self {
        Self { expected, head: Vec::new(), needed: HEADER_BYTES, rest: 0 }
    }

    /// Looks at bytes that have arrived, however they were cut.
    ///
    /// # Errors
    /// What is wrong with them, for people. Nothing that came with them may be used then.
    pub(crate) fn look(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = self.rest.min(bytes.len());
                self.rest -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let wanted = self.needed.saturating_sub(self.head.len()).min(bytes.len());
            let (taken, left) = bytes.split_at(wanted);
            self.head.extend_from_slice(taken);
            bytes = left;
            if self.head.len() == self.needed {
                self.advance()?;
            }
        }
        Ok(())
    }

    /// The beginning is as long as was needed: judges it, or asks for more of it.
    fn advance(&mut self) -> Result<(), String> {
        let size = self.check_header()?;
        let is_handshake = self.head.starts_with(b"OPN");
        let needed = match &self.expected {
            Some(expected) if is_handshake => handshake(&self.head, size, expected)?,
            _ => None,
        };
        match needed {
            Some(needed) => self.needed = needed,
            None => {
                self.rest = size - self.head.len();
                self.head.clear();
                self.needed = HEADER_BYTES;
            }
        }
        Ok(())
    }

    fn check_header(&self) -> Result<usize, String> {
        let Some((kind, [_, size @ ..])) =
            self.head.first_chunk::<HEADER_BYTES>().and_then(|h| h.split_first_chunk::<3>())
        else {
            return Err("the frame has no header".to_owned());
        };
        let size = u32::from_le_bytes([byte(size, 0), byte(size, 1), byte(size, 2), byte(size, 3)])
            as usize;
        let is_message = matches!(kind, b"MSG" | b"CLO");
        if !is_message && !matches!(kind, b"OPN" | b"ACK" | b"ERR") {
            return Err(format!("what came is not OPC UA: a frame begins with {kind:02x?}"));
        }
        let size_min = match &self.expected {
            Some(_) if is_message => SECURED_BYTES_MIN,
            _ => FRAME_BYTES_MIN,
        };
        if !(size_min..=FRAME_BYTES_MAX).contains(&size) {
            return Err(format!(
                "a frame of {size} bytes is outside of {size_min} to {FRAME_BYTES_MAX}"
            ));
        }
        Ok(size)
    }
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or_default()
}

/// How much of a handshake is needed to judge it; none when it is as expected.
fn handshake(head: &[u8], size: usize, expected: &Expected) -> Result<Option<usize>, String> {
    const POLICY_AT: usize = HEADER_BYTES + 4;
    let more = |needed: usize| {
        if needed <= size {
            Ok(Some(needed))
        } else {
            Err("the handshake ends too early".to_owned())
        }
    };
    let Some(policy) = counted(head, POLICY_AT)? else {
        return more(needed(head, POLICY_AT));
    };
    if policy.len() > POLICY_BYTES_MAX || policy != expected.policy.as_bytes() {
        return Err(
            "the answer to the handshake is of another security policy than the one asked for"
                .to_owned(),
        );
    }
    let certificate_at = POLICY_AT + 4 + policy.len();
    let Some(certificate) = counted(head, certificate_at)? else {
        return more(needed(head, certificate_at));
    };
    if certificate == expected.certificate {
        Ok(None)
    } else {
        Err("the handshake was answered with another certificate than the one that is trusted"
            .to_owned())
    }
}

/// Bytes behind their length; none while they are not all there.
fn counted(head: &[u8], at: usize) -> Result<Option<&[u8]>, String> {
    let Some(length) = length(head, at) else { return Ok(None) };
    // Minus one stands for nothing.
    let length = if length == u32::MAX { 0 } else { length as usize };
    if length > FRAME_BYTES_MAX {
        return Err("a length in the handshake is absurd".to_owned());
    }
    Ok(head.get(at + 4..at + 4 + length))
}

fn length(head: &[u8], at: usize) -> Option<u32> {
    let bytes = head.get(at..at + 4)?;
    Some(u32::from_le_bytes([byte(bytes, 0), byte(bytes, 1), byte(bytes, 2), byte(bytes, 3)]))
}

/// Up to where the head must be there to see what stands behind a length, or the length itself.
fn needed(head: &[u8], at: usize) -> usize {
    match length(head, at) {
        None => at + 4,
        Some(u32::MAX) => at + 4,
        Some(length) => at.saturating_add(4).saturating_add(length as usize),
    }
}

#[cfg(test)]
mod tests;
