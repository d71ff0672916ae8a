//! One answer: its envelope, header and digest, whatever its body is.

use std::sync::Arc;

use weir_handle::{
    Answer, Digest, DigestAlgorithm, Draft, EXPIRES_AFTER_SECONDS, Envelope, Flags, Header,
    Message, OpCode, Response, ResponseCode, SERIAL_UNKNOWN, Version,
};

use super::Identity;
use super::session::Seat;

/// How a message is answered.
pub(super) struct Reply<'a> {
    identity: &'a Identity,
    envelope: Envelope,
    header: Header,
    digest: Option<Digest>,
    seat: Seat,
}

impl<'a> Reply<'a> {
    /// An answer to a message at a second since 1970.
    pub(super) fn to(identity: &'a Identity, message: &Message<'_>, now: u32) -> Self {
        let envelope = message.envelope.answer();
        let asked = message.header.flags;
        let digest = asked.has(Flags::RRDG).then(|| digest(envelope.version, message));
        let header = Header {
            response: ResponseCode::Success,
            flags: asked.answer(true),
            site_serial: identity.serial,
            expiration: now.saturating_add(EXPIRES_AFTER_SECONDS),
            ..message.header
        };
        Self { identity, envelope, header, digest, seat: Seat::default() }
    }

    /// An answer to bytes that are no message, with the request id that they seem to have.
    pub(super) fn anonymous(identity: &'a Identity, request_id: u32, now: u32) -> Self {
        let envelope = Envelope { version: Version::ANONYMOUS, ..Envelope::request(request_id) };
        let flags = Flags::RECU | Flags::CACR | Flags::PUBL;
        let header =
            Header { site_serial: SERIAL_UNKNOWN, ..Header::request(OpCode::Reserved, flags, now) };
        Self { identity, envelope, header, digest: None, seat: Seat::default() }
    }

    /// The same answer within the session of the question: with its number, its MAC where a
    /// signature is wanted, and encrypted where the question was or asks for it.
    pub(super) fn within(mut self, seat: &Seat) -> Self {
        if let Some(session) = &seat.session {
            self.envelope.session_id = session.number;
            let encrypted = seat.encrypted || self.header.flags.has(Flags::ENCR);
            self.seat = Seat { session: Some(Arc::clone(session)), encrypted };
        }
        self
    }

    /// The same answer with the number of a session in its envelope that begins with it.
    pub(super) fn with_session_id(mut self, session_id: u32) -> Self {
        self.envelope.session_id = session_id;
        self
    }

    /// The same answer to a later message: the one that answers the challenge.
    pub(super) fn with_request_id(mut self, request_id: u32) -> Self {
        self.envelope.request_id = request_id;
        self
    }

    /// With more flags than those of the question.
    pub(super) fn with_flags(mut self, flags: Flags, set: bool) -> Self {
        self.header.flags = self.header.flags.with(flags, set);
        self
    }

    /// Whether the answer shall be signed, which takes time.
    pub(super) fn is_signed(&self) -> bool {
        let key = self.identity.key.is_some() || self.seat.session.is_some();
        self.header.flags.has(Flags::CERT) && key
    }

    /// The version that is answered in.
    pub(super) fn version(&self) -> Version {
        self.envelope.version
    }

    /// Appends the answer with a body.
    pub(super) fn write(
        &self,
        code: ResponseCode,
        out: &mut Vec<u8>,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = out.len();
        let mut draft = self.draft(code, out);
        self.put_digest(draft.body());
        body(draft.body());
        self.finish(draft);
        if let Seat { session: Some(session), encrypted: true } = &self.seat {
            session.seal(start, out);
        }
    }

    /// Appends an answer of one of the protocol's shapes.
    pub(super) fn answer(&self, answer: Answer<'_>, out: &mut Vec<u8>) {
        self.write(ResponseCode::Success, out, |body| answer.encode(body));
    }

    /// Appends a refusal with words for people.
    pub(super) fn fail(&self, code: ResponseCode, message: &str, out: &mut Vec<u8>) {
        let code = code.for_version(self.version());
        let answer = Answer::Failed { message: Some(message.as_bytes()) };
        self.write(code, out, |body| answer.encode(body));
    }

    /// Appends one of several answers to a question.
    pub(super) fn continued(&self, more: bool, answer: Answer<'_>, out: &mut Vec<u8>) {
        let header = Header { flags: self.header.flags.with(Flags::CONT, more), ..self.header };
        let Self { identity, envelope, digest, .. } = *self;
        let seat = self.seat.clone();
        Self { identity, envelope, header, digest, seat }.answer(answer, out);
    }

    /// The digest of a message in the version that is answered in.
    pub(super) fn digest_of(&self, message: &Message<'_>) -> Digest {
        digest(self.version(), message)
    }

    /// Appends a challenge, which has the digest of the message whether it was asked for or not.
    pub(super) fn challenge(
        mut self,
        digest: Digest,
        session: u32,
        nonce: &[u8],
        out: &mut Vec<u8>,
    ) {
        self.envelope.session_id = session;
        self.header.flags = self.header.flags.with(Flags::RRDG, true);
        self.digest = None;
        let version = self.version();
        self.write(ResponseCode::AuthenticationNeeded, out, |body| {
            let request_digest = Some(digest.in_response());
            Response { request_digest, answer: Answer::Challenge { nonce } }.encode(version, body);
        });
    }

    fn draft<'o>(&self, code: ResponseCode, out: &'o mut Vec<u8>) -> Draft<'o> {
        let flagged = self.version().has(Version::DIGEST_FLAG);
        let flags =
            self.header.flags.with(Flags::RRDG, flagged && self.header.flags.has(Flags::RRDG));
        Draft::begin(out, &self.envelope, &Header { response: code, flags, ..self.header })
    }

    fn put_digest(&self, body: &mut Vec<u8>) {
        if let Some(digest) = &self.digest {
            let request_digest = Some(digest.in_response());
            Response { request_digest, answer: Answer::Done }.encode(self.version(), body);
        }
    }

    /// Ends the message, with a signature or a MAC if one is wanted.
    fn finish(&self, draft: Draft<'_>) {
        if !self.is_signed() {
            return draft.finish();
        }
        let sign = |envelope: &Envelope, signed: &[u8], out: &mut Vec<u8>| match (
            &self.seat.session,
            &self.identity.key,
        ) {
            (Some(session), _) => session.certify(envelope, signed, out),
            (None, Some(key)) => key.certify(envelope, signed, out),
            (None, None) => Ok(()),
        };
        if let Err(error) = draft.finish_with(sign) {
            tracing::error!(%error, "an answer could not be signed");
        }
    }
}

fn digest(version: Version, message: &Message<'_>) -> Digest {
    DigestAlgorithm::of(version).digest(&[message.signed_part()])
}
