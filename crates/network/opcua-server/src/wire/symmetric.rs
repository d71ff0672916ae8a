//! Security of messages: keys that both sides derive from their nonces (OPC 10000-6, clause 6.7.2).

use std::time::Instant;

use opcua::crypto::{AesDerivedKeys, SecurityPolicy};
use opcua::types::{MessageSecurityMode, StatusCode};

/// Bytes before what is encrypted: frame header, channel and token.
pub(super) const HEADERS: usize = 16;

/// Sequence number and request number.
pub(super) const SEQUENCE: usize = 8;

/// The keys of a channel from one renewal to the next.
pub(super) struct Token {
    pub(super) id: u32,
    /// Until when messages under it are taken: a quarter longer than the client was told.
    pub(super) expires: Instant,
    keys: Option<Keys>,
}

struct Keys {
    receive: AesDerivedKeys,
    send: AesDerivedKeys,
}

/// How messages are protected.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Protection {
    pub(super) policy: SecurityPolicy,
    pub(super) mode: MessageSecurityMode,
}

impl Token {
    /// Derives the keys of a server.
    pub(super) fn new(
        id: u32,
        expires: Instant,
        policy: SecurityPolicy,
        server_nonce: &[u8],
        client_nonce: &[u8],
    ) -> Self {
        let keys = (policy != SecurityPolicy::None).then(|| Keys {
            receive: policy.make_secure_channel_keys(server_nonce, client_nonce),
            send: policy.make_secure_channel_keys(client_nonce, server_nonce),
        });
        Self { id, expires, keys }
    }
}

impl Protection {
    fn encrypts(self) -> bool {
        self.mode == MessageSecurityMode::SignAndEncrypt
    }

    /// Checks and decrypts a frame; what is left starts with the sequence number.
    pub(super) fn remove(self, token: &Token, frame: &[u8]) -> Result<Vec<u8>, StatusCode> {
        const FAILED: StatusCode = StatusCode::BadSecurityChecksFailed;
        let (headers, rest) = frame.split_at_checked(HEADERS).ok_or(FAILED)?;
        let Some(Keys { receive, .. }) = &token.keys else { return Ok(rest.to_vec()) };
        let mut plain = headers.to_vec();
        if self.encrypts() {
            let block = self.policy.plain_block_size();
            // The library wants a block more than it fills.
            let mut decrypted = vec![0; rest.len() + block];
            let length =
                self.policy.symmetric_decrypt(receive, rest, &mut decrypted).map_err(|_| FAILED)?;
            plain.extend_from_slice(decrypted.get(..length).ok_or(FAILED)?);
        } else {
            plain.extend_from_slice(rest);
        }
        let signed = plain.len().checked_sub(self.policy.symmetric_signature_size());
        let (data, signature) = plain.split_at_checked(signed.ok_or(FAILED)?).ok_or(FAILED)?;
        self.policy.symmetric_verify_signature(receive, data, signature).map_err(|_| FAILED)?;
        let body = data.get(HEADERS..).ok_or(FAILED)?;
        if self.encrypts() { super::asymmetric::unpadded(body, false) } else { Some(body) }
            .map(<[u8]>::to_vec)
            .ok_or(FAILED)
    }

    /// How much of a message fits into one frame.
    pub(super) fn body_max(self, frame_bytes_max: usize) -> usize {
        let room = frame_bytes_max.saturating_sub(HEADERS);
        if self.policy == SecurityPolicy::None {
            return room.saturating_sub(SEQUENCE);
        }
        let signature = self.policy.symmetric_signature_size();
        if self.encrypts() {
            let block = self.policy.plain_block_size();
            (room / block * block).saturating_sub(SEQUENCE + signature + 1)
        } else {
            room.saturating_sub(SEQUENCE + signature)
        }
    }

    /// Completes a frame that holds headers, sequence header and body: pads, signs, encrypts and
    /// writes its size.
    pub(super) fn add(self, token: &Token, mut frame: Vec<u8>) -> Result<Vec<u8>, StatusCode> {
        const FAILED: StatusCode = StatusCode::BadInternalError;
        let Some(Keys { send, .. }) = &token.keys else {
            let size = frame.len();
            return sized(frame, size).ok_or(FAILED);
        };
        let signature = self.policy.symmetric_signature_size();
        if self.encrypts() {
            let block = self.policy.plain_block_size();
            let unpadded = frame.len() - HEADERS + 1 + signature;
            let padding = unpadded.next_multiple_of(block) - unpadded;
            frame.extend(std::iter::repeat_n(padding as u8, padding + 1));
        }
        let size = frame.len() + signature;
        let mut frame = sized(frame, size).ok_or(FAILED)?;
        let mut signed = vec![0; signature];
        self.policy.symmetric_sign(send, &frame, &mut signed).map_err(|_| FAILED)?;
        frame.extend_from_slice(&signed);
        if !self.encrypts() {
            return Ok(frame);
        }
        let (headers, plain) = frame.split_at_checked(HEADERS).ok_or(FAILED)?;
        let mut encrypted = vec![0; plain.len() + self.policy.plain_block_size()];
        let length =
            self.policy.symmetric_encrypt(send, plain, &mut encrypted).map_err(|_| FAILED)?;
        let mut whole = headers.to_vec();
        whole.extend_from_slice(encrypted.get(..length).ok_or(FAILED)?);
        Ok(whole)
    }
}

/// Writes the size into the header.
pub(super) fn sized(mut frame: Vec<u8>, size: usize) -> Option<Vec<u8>> {
    frame.get_mut(4..8)?.copy_from_slice(&(size as u32).to_le_bytes());
    Some(frame)
}
