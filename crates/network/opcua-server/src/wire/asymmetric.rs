//! Security of `OpenSecureChannel`: certificates and RSA (OPC 10000-6, clause 6.7.2).

use opcua::crypto::{KeySize, PrivateKey, PublicKey, SecurityPolicy, X509};
use opcua::types::StatusCode;

use super::frame::{Frame, HEADER};
use super::symmetric::{SEQUENCE, sized};
use super::{Reader, policy, put_bytes};

/// Bits of an RSA key of the offered policies (OPC 10000-7, clause 6.6).
const KEY_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;

/// Largest certificate, with those of its issuers behind it.
const CERTIFICATE_BYTES_MAX: usize = 32_768;

/// The server's certificate and key.
pub(crate) struct Own {
    pub(crate) certificate: X509,
    pub(crate) der: Vec<u8>,
    pub(crate) key: PrivateKey,
    /// SHA-1, by which clients name it on the wire.
    pub(crate) thumbprint: Vec<u8>,
}

/// The certificate of a client.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) certificate: X509,
    pub(crate) der: Vec<u8>,
    key: PublicKey,
}

/// What stands before the encrypted part of an `OpenSecureChannel` frame.
pub(crate) struct OpenHeader {
    pub(crate) channel: u32,
    pub(crate) policy: SecurityPolicy,
    /// None without security.
    pub(crate) sender: Option<Sender>,
    /// SHA-1 of the certificate that it was encrypted for.
    receiver: Vec<u8>,
    /// Where the encrypted part begins.
    start: usize,
}

impl OpenHeader {
    /// Reads it. The certificate is well-formed then, but nobody has said that it is trusted.
    pub(crate) fn parse(frame: &Frame) -> Result<Self, StatusCode> {
        const WRONG: StatusCode = StatusCode::BadSecurityChecksFailed;
        let mut reader = Reader::new(frame.bytes.get(HEADER..).ok_or(WRONG)?);
        let channel = reader.u32().ok_or(WRONG)?;
        let uri = reader.bytes().ok_or(WRONG)?;
        let sender = reader.bytes().ok_or(WRONG)?;
        let receiver = reader.bytes().ok_or(WRONG)?.to_vec();
        let start = frame.bytes.len() - reader.rest().len();
        let uri = std::str::from_utf8(uri).map_err(|_| WRONG)?;
        let policy = policy(uri).ok_or(StatusCode::BadSecurityPolicyRejected)?;
        let sender = match policy {
            SecurityPolicy::None => None,
            _ => Some(Sender::parse(sender)?),
        };
        Ok(Self { channel, policy, sender, receiver, start })
    }

    /// Decrypts the frame and checks who signed it; what is left starts with the sequence number.
    /// All that can be wrong is told alike.
    pub(crate) fn remove(&self, own: &Own, frame: &Frame) -> Result<Vec<u8>, StatusCode> {
        const FAILED: StatusCode = StatusCode::BadSecurityChecksFailed;
        let (headers, rest) = frame.bytes.split_at_checked(self.start).ok_or(FAILED)?;
        let Some(sender) = &self.sender else { return Ok(rest.to_vec()) };
        if self.receiver != own.thumbprint {
            return Err(StatusCode::BadCertificateInvalid);
        }
        // The library takes whole blocks only.
        if rest.is_empty() || !rest.len().is_multiple_of(own.key.size()) {
            return Err(FAILED);
        }
        let mut decrypted = vec![0; rest.len()];
        let length =
            self.policy.asymmetric_decrypt(&own.key, rest, &mut decrypted).map_err(|_| FAILED)?;
        let mut plain = headers.to_vec();
        plain.extend_from_slice(decrypted.get(..length).ok_or(FAILED)?);
        let signed = plain.len().checked_sub(sender.key.size()).ok_or(FAILED)?;
        let (data, signature) = plain.split_at_checked(signed).ok_or(FAILED)?;
        self.policy
            .asymmetric_verify_signature(&sender.key, data, signature)
            .map_err(|_| FAILED)?;
        let body = data.get(self.start..).ok_or(FAILED)?;
        unpadded(body, own.key.size() > 256).map(<[u8]>::to_vec).ok_or(FAILED)
    }
}

impl Sender {
    /// Reads a certificate; those of its issuers may stand behind it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, StatusCode> {
        const WRONG: StatusCode = StatusCode::BadCertificateInvalid;
        if bytes.len() > CERTIFICATE_BYTES_MAX {
            return Err(WRONG);
        }
        let der = first_der(bytes).ok_or(WRONG)?;
        let certificate = X509::from_der(der).map_err(|_| WRONG)?;
        let key = certificate.public_key().map_err(|_| WRONG)?;
        if !KEY_BITS.contains(&key.bit_length()) {
            return Err(StatusCode::BadCertificatePolicyCheckFailed);
        }
        Ok(Self { certificate, der: der.to_vec(), key })
    }

    /// Whether an application URI is among the alternative names. The library looks at the first one
    /// only; some clients' certificates begin with a host name.
    pub(crate) fn is_of(&self, application_uri: &str) -> bool {
        /// `uniformResourceIdentifier` of RFC 5280, section 4.2.1.6.
        const URI_TAG: u8 = 0x86;
        let Ok(length @ 1..0x80) = u8::try_from(application_uri.len()) else {
            return self.certificate.is_application_uri_valid(application_uri).is_ok();
        };
        let name = [&[URI_TAG, length], application_uri.as_bytes()].concat();
        self.der.windows(name.len()).any(|window| window == name)
    }
}

/// The first of several DER structures.
pub(crate) fn first_der(bytes: &[u8]) -> Option<&[u8]> {
    let (head, length) = match bytes {
        [_, short, ..] if *short < 0x80 => (2, usize::from(*short)),
        [_, 0x81, a, ..] => (3, usize::from(*a)),
        [_, 0x82, a, b, ..] => (4, usize::from(*a) << 8 | usize::from(*b)),
        _ => return None,
    };
    bytes.get(..head + length)
}

/// Takes the padding off, which must be all of one value; `wide` where its length has two bytes.
pub(super) fn unpadded(body: &[u8], wide: bool) -> Option<&[u8]> {
    let (high, body) = match (wide, body) {
        (true, [body @ .., high]) => (usize::from(*high), body),
        (_, body) => (0, body),
    };
    let low = *body.last()?;
    let padding = high << 8 | usize::from(low);
    let (body, padding) = body.split_at_checked(body.len().checked_sub(padding + 1)?)?;
    padding.iter().all(|byte| *byte == low).then_some(body)
}

/// An `OpenSecureChannel` answer, ready to be sent.
pub(crate) fn add(
    own: &Own,
    policy: SecurityPolicy,
    sender: Option<&Sender>,
    channel: u32,
    numbers: (u32, u32),
    body: &[u8],
) -> Result<Vec<u8>, StatusCode> {
    const FAILED: StatusCode = StatusCode::BadInternalError;
    let mut frame = b"OPNF\0\0\0\0".to_vec();
    frame.extend_from_slice(&channel.to_le_bytes());
    put_bytes(&mut frame, policy.to_uri().as_bytes());
    let none = u32::MAX.to_le_bytes();
    let recipient = sender.map(|sender| sender.certificate.thumbprint().value().to_vec());
    match &recipient {
        Some(thumbprint) => {
            put_bytes(&mut frame, &own.der);
            put_bytes(&mut frame, thumbprint);
        }
        None => frame.extend_from_slice(&[none, none].concat()),
    }
    let start = frame.len();
    frame.extend_from_slice(&numbers.0.to_le_bytes());
    frame.extend_from_slice(&numbers.1.to_le_bytes());
    frame.extend_from_slice(body);
    let Some(sender) = sender else {
        let size = frame.len();
        return sized(frame, size).ok_or(FAILED);
    };
    let info = policy.asymmetric_padding_info(&sender.key);
    let signature = own.key.size();
    let unpadded = SEQUENCE + body.len() + info.minimum_padding + signature;
    let padding = unpadded.next_multiple_of(info.block_size) - unpadded;
    frame.extend(std::iter::repeat_n(padding as u8, padding + 1));
    if info.minimum_padding == 2 {
        frame.push((padding >> 8) as u8);
    }
    let plain = frame.len() + signature - start;
    let size = start + policy.calculate_cipher_text_size(plain, &sender.key);
    let mut frame = sized(frame, size).ok_or(FAILED)?;
    let mut signed = vec![0; signature];
    policy.asymmetric_sign(&own.key, &frame, &mut signed).map_err(|_| FAILED)?;
    frame.extend_from_slice(&signed);
    let (headers, plain) = frame.split_at_checked(start).ok_or(FAILED)?;
    let mut encrypted = vec![0; size - start];
    let length =
        policy.asymmetric_encrypt(&sender.key, plain, &mut encrypted).map_err(|_| FAILED)?;
    let mut whole = headers.to_vec();
    whole.extend_from_slice(encrypted.get(..length).ok_or(FAILED)?);
    Ok(whole)
}
