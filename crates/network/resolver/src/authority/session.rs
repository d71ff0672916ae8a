//! Messages of sessions (RFC 3652, 3.6): their beginning, their MACs, their encryption, their end.

use std::sync::Arc;

use weir_handle::{
    Answer, Envelope, Error, KeyExchange, Message, OpCode, PRIVATE_BYTES, PublicKey, ResponseCode,
    SessionKey, SessionSetup, Version,
};

use super::answer::{Now, User, random};
use super::perform::{Refusal, Stop};
use super::reply::Reply;
use super::sessions::Session;
use super::{Authority, Origin};

/// Where a message came in: in a session, and encrypted, or not.
#[derive(Clone, Default)]
pub(super) struct Seat {
    pub(super) session: Option<Arc<Session>>,
    pub(super) encrypted: bool,
}

/// Tries to find a number that is free; one alone is taken once in a hundred thousand times.
const NUMBERS_MAX: usize = 8;

impl Authority {
    /// The session that a message is of, and the message without encryption; or the answer, where
    /// there is no such session or the message is not its own.
    pub(super) fn enter(&self, now: Now, bytes: Vec<u8>) -> Result<(Vec<u8>, Seat), Vec<u8>> {
        let Ok(envelope) = Envelope::decode(&bytes) else { return Ok((bytes, Seat::default())) };
        let session = self.sessions.get(now.steady_ms, envelope.session_id);
        if !envelope.encrypted {
            return Ok((bytes, Seat { session, encrypted: false }));
        }
        let Some(session) = session else {
            let code = match envelope.session_id {
                0 => ResponseCode::SessionFailed,
                _ => ResponseCode::SessionTimeout,
            };
            let reply = Reply::anonymous(&self.identity, envelope.request_id, now.seconds());
            let mut out = Vec::new();
            reply.fail(code, "There is no such session", &mut out);
            return Err(out);
        };
        match session.open(&bytes) {
            Ok(opened) => Ok((opened, Seat { session: Some(session), encrypted: true })),
            Err(_) => Err(self.unopened(now, &bytes)),
        }
    }

    /// What is answered to an encrypted message that is not the session's: the same, whatever is
    /// wrong with it, so that nobody learns from it what is in somebody else's.
    pub(super) fn unopened(&self, now: Now, bytes: &[u8]) -> Vec<u8> {
        let request_id = Envelope::request_id_of(bytes).unwrap_or_default();
        let reply = Reply::anonymous(&self.identity, request_id, now.seconds());
        let mut out = Vec::new();
        reply.fail(ResponseCode::InvalidSessionKey, "Session authentication failed", &mut out);
        out
    }

    /// Whether a message is of whoever has the session's key, and came for the first time. An
    /// answer to a challenge may do without: it proves by itself who sent it.
    pub(super) fn check_in(
        &self,
        now: Now,
        message: &Message<'_>,
        seat: &Seat,
    ) -> Result<(), Vec<u8>> {
        let Some(session) = &seat.session else { return Ok(()) };
        let bare = message.credential().is_ok_and(|credential| credential.is_none());
        if message.header.op == OpCode::ChallengeResponse && bare {
            return Ok(());
        }
        let (code, words) = match session.check(now.steady_ms, message) {
            Ok(()) => return Ok(()),
            Err(error @ Error::Replayed { .. }) => {
                (ResponseCode::SessionMessageRejected, error.to_string())
            }
            Err(_) if seat.encrypted => {
                let mut envelope = Vec::new();
                message.envelope.encode(&mut envelope);
                return Err(self.unopened(now, &envelope));
            }
            Err(Error::Mismatch { .. }) => {
                (ResponseCode::InvalidSessionKey, "Session authentication failed".to_owned())
            }
            Err(_) => {
                (ResponseCode::InvalidCredential, "Session request missing MAC code".to_owned())
            }
        };
        let reply = Reply::to(&self.identity, message, now.seconds()).within(seat);
        let mut out = Vec::new();
        reply.fail(code, &words, &mut out);
        Err(out)
    }

    /// Begins a session.
    pub(super) fn begin(
        &self,
        now: Now,
        reply: Reply<'_>,
        setup: &SessionSetup<'_>,
        from: Origin,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let KeyExchange::DiffieHellman(key) = setup.exchange else {
            let words = "the only key exchange here is Diffie-Hellman, mode 4";
            return Err(Refusal::new(ResponseCode::SessionFailed, words));
        };
        if !reply.version().has(Version::SHA256) {
            let words = "sessions are of version 2.7 or later here";
            return Err(Refusal::new(ResponseCode::SessionFailed, words));
        }
        let wrong =
            |error: Error| Refusal::new(ResponseCode::InvalidSessionSetup, error.to_string());
        let key = PublicKey::decode(key).map_err(wrong)?;
        let busy = || {
            let words = "too many sessions are wanted or open";
            Refusal::new(ResponseCode::ServerTooBusy, words)
        };
        let turn = self.sessions.turn(now.steady_ms, from.address).ok_or_else(busy)?;
        let private = random::<PRIVATE_BYTES>().map_err(refusal)?;
        let (key, data) = SessionKey::accept(&key, &private).map_err(wrong)?;
        drop(turn);
        let number = self.free_number().map_err(refusal)?;
        let identity = User { handle: setup.identity.handle.to_vec(), index: setup.identity.index };
        let session = Session::new(number, key, identity, from.address, now, setup.timeout);
        if !self.sessions.put(now.steady_ms, session) {
            return Err(busy());
        }
        reply
            .with_session_id(number)
            .answer(Answer::SessionSetup { mode: setup.exchange.mode(), data: &data }, out);
        Ok(())
    }

    /// Ends a session.
    pub(super) fn end(&self, reply: &Reply<'_>, seat: &Seat, out: &mut Vec<u8>) {
        match &seat.session {
            Some(session) => {
                self.sessions.remove(session.number);
                reply.answer(Answer::Done, out);
            }
            None => {
                reply.fail(ResponseCode::SessionTimeout, "There is no such session", out);
            }
        }
    }

    /// A number that is no session's and no challenge's, and that nobody can guess. It is positive:
    /// clients of the reference software take it for signed.
    pub(super) fn free_number(&self) -> Result<u32, Stop> {
        for _ in 0..NUMBERS_MAX {
            let number = u32::from_be_bytes(random::<4>()?) & 0x7fff_ffff;
            if number != 0 && !self.pending.has(number) && !self.sessions.has(number) {
                return Ok(number);
            }
        }
        Err(Refusal::new(ResponseCode::ServerTooBusy, "no number is free").into())
    }
}

fn refusal(stop: Stop) -> Refusal {
    match stop {
        Stop::Refusal(refusal) => refusal,
        Stop::Store(error) => Refusal::new(ResponseCode::Error, error.to_string()),
    }
}
