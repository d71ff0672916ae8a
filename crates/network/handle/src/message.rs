use crate::envelope::ENVELOPE_BYTES;
use crate::header::HEADER_BYTES;
use crate::wire::{Reader, put_blob, put_i32, put_u16, put_u32};
use crate::{Envelope, Error, Header, MESSAGE_BYTES_MAX, Request, Response};

/// One whole message, split into its parts; everything borrows from the bytes that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The envelope, of the first packet if there were several.
    pub envelope: Envelope,
    /// The header.
    pub header: Header,
    /// The body.
    pub body: &'a [u8],
    signed: &'a [u8],
    after: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a message with its envelope in front, as it comes over TCP, through HTTP, or in one
    /// datagram. Bytes after the message's length are ignored.
    ///
    /// # Errors
    /// As [`Envelope::decode`] and [`Message::split`].
    pub fn decode(packet: &'a [u8]) -> Result<Self, Error> {
        let envelope = Envelope::decode(packet)?;
        let mut reader = Reader::new(packet.get(ENVELOPE_BYTES..).unwrap_or_default());
        Self::split(envelope, reader.take(envelope.length as usize, "a message")?)
    }

    /// Splits the bytes that follow an envelope, or that fragments were put together to.
    ///
    /// # Errors
    /// [`Error::Encrypted`]; [`Error::Short`] if header or body are cut.
    pub fn split(envelope: Envelope, message: &'a [u8]) -> Result<Self, Error> {
        if envelope.encrypted {
            return Err(Error::Encrypted);
        }
        let (header, length) = Header::decode(message)?;
        let mut reader = Reader::new(message.get(HEADER_BYTES..).unwrap_or_default());
        let body = reader.take(length as usize, "a body")?;
        let signed = &message[..HEADER_BYTES + body.len()];
        Ok(Self { envelope, header, body, signed, after: reader.rest() })
    }

    /// Header and body: what digests, MACs and signatures are made over.
    #[must_use]
    pub const fn signed_part(&self) -> &'a [u8] {
        self.signed
    }

    /// What follows the body: a credential, or nothing, or what is no credential and means
    /// nothing outside of a session.
    #[must_use]
    pub const fn after_body(&self) -> &'a [u8] {
        self.after
    }

    /// The credential; none if it is empty or left out. Bytes after it are ignored.
    ///
    /// # Errors
    /// [`Error::Short`] if it is cut.
    pub fn credential(&self) -> Result<Option<Credential<'a>>, Error> {
        if self.after.is_empty() {
            return Ok(None);
        }
        let bytes = Reader::new(self.after).blob("a credential")?;
        if bytes.is_empty() { Ok(None) } else { Credential::decode(bytes).map(Some) }
    }

    /// The body of a request.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn request(&self) -> Result<Request<'a>, Error> {
        Request::decode(self.header.op, self.body)
    }

    /// The body of a response.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn response(&self) -> Result<Response<'a>, Error> {
        Response::decode(self.envelope.version, &self.header, self.body)
    }
}

/// A signature or MAC of a message (RFC 3652, 2.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential<'a> {
    /// 0.
    pub version: u8,
    /// 0.
    pub flags: u16,
    /// The signer's handle; the reference software leaves it empty.
    pub signer: &'a [u8],
    /// The counter of the session's messages; 0 outside sessions. (The RFC has the index of the
    /// signer's key here.)
    pub counter: u32,
    /// [`Credential::SIGNED`] or [`Credential::MAC`].
    pub kind: &'a [u8],
    /// The name of the digest or MAC.
    pub algorithm: &'a [u8],
    /// Signature or MAC.
    pub bytes: &'a [u8],
}

impl<'a> Credential<'a> {
    /// The kind of a server's signature.
    pub const SIGNED: &'static [u8] = b"HS_SIGNED";
    /// The kind of a session's MAC.
    pub const MAC: &'static [u8] = b"HS_MAC";

    /// Reads the credential without its length.
    ///
    /// # Errors
    /// [`Error::Short`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8("a credential")?;
        let _reserved = reader.u8("a credential")?;
        let flags = reader.u16("a credential")?;
        let signer = reader.blob("a credential's signer")?;
        let counter = reader.u32("a credential")?;
        let kind = reader.blob("a credential's type")?;
        let _section = reader.u32("a credential")?;
        let algorithm = reader.blob("a credential's algorithm")?;
        let bytes = reader.blob("a credential's signature")?;
        Ok(Self { version, flags, signer, counter, kind, algorithm, bytes })
    }

    /// Appends the credential with its length in front.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let at = out.len();
        put_u32(out, 0);
        out.extend_from_slice(&[self.version, 0]);
        put_u16(out, self.flags);
        put_blob(out, self.signer);
        put_i32(out, self.counter as i32);
        put_blob(out, self.kind);
        put_u32(out, (8 + self.algorithm.len() + self.bytes.len()) as u32);
        put_blob(out, self.algorithm);
        put_blob(out, self.bytes);
        let length = (out.len() - at - 4) as u32;
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// A message that is being written at the end of a caller's buffer: envelope and header stand,
/// the body is appended, and finishing puts the lengths in.
///
/// ```
/// use weir_handle::{Draft, Envelope, Flags, Header, Message, OpCode, Request};
///
/// let mut out = Vec::new();
/// let header = Header::request(OpCode::Resolution, Flags::PUBL, 1_800_000_000);
/// let mut draft = Draft::begin(&mut out, &Envelope::request(7), &header);
/// Request::resolution(b"99.1000/simple").encode(draft.body());
/// draft.finish();
/// assert_eq!(Message::decode(&out)?.envelope.request_id, 7);
/// # Ok::<(), weir_handle::Error>(())
/// ```
#[derive(Debug)]
pub struct Draft<'v> {
    out: &'v mut Vec<u8>,
    at: usize,
    envelope: Envelope,
}

impl<'v> Draft<'v> {
    /// Appends envelope and header; what `out` held before stays in front of them.
    pub fn begin(out: &'v mut Vec<u8>, envelope: &Envelope, header: &Header) -> Self {
        let at = out.len();
        envelope.encode(out);
        header.encode(0, out);
        Self { out, at, envelope: *envelope }
    }

    /// The buffer, whose end is the end of the body: only append to it.
    pub const fn body(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Bytes that the message has so far, with its envelope.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.out.len() - self.at
    }

    /// Never: an envelope stands.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Takes the draft out of the buffer again.
    pub fn abandon(self) {
        self.out.truncate(self.at);
    }

    /// Ends the message without a credential. A message above [`MESSAGE_BYTES_MAX`] is written
    /// too; nobody would read it, so ask [`Draft::len`] where that could be.
    pub fn finish(mut self) {
        self.end_body();
        put_u32(self.out, 0);
        self.end_message();
    }

    /// Ends the message with the credential that `sign` appends, with its length in front. It is
    /// given the envelope and the bytes of header and body; what it appends follows them.
    ///
    /// # Errors
    /// What `sign` gives; the message is taken out of the buffer then.
    pub fn finish_with(
        mut self,
        sign: impl FnOnce(&Envelope, &[u8], &mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.end_body();
        let mut credential = Vec::new();
        let signed = sign(&self.envelope, &self.out[self.at + ENVELOPE_BYTES..], &mut credential);
        if let Err(error) = signed {
            self.abandon();
            return Err(error);
        }
        self.out.extend_from_slice(&credential);
        self.end_message();
        Ok(())
    }

    fn end_body(&mut self) {
        let body = self.at + ENVELOPE_BYTES + HEADER_BYTES;
        let length = (self.out.len() - body) as u32;
        self.out[body - 4..body].copy_from_slice(&length.to_be_bytes());
    }

    fn end_message(&mut self) {
        let message = self.at + ENVELOPE_BYTES;
        let length = (self.out.len() - message) as u32;
        debug_assert!(length <= MESSAGE_BYTES_MAX);
        self.out[message - 4..message].copy_from_slice(&length.to_be_bytes());
    }
}
