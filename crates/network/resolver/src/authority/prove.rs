//! Who asks: the answer to a challenge is checked against the key of a record.

use weir_handle::{
    Challenge, ChallengeResponse, Error, Message, PublicKey, PublicKeyAnswer, Reference,
    ResponseCode, SecretKeyAnswer, Value, ValueData,
};
use weir_store::Snapshot;

use super::answer::{Now, Sitting, User};
use super::pending::Missing;
use super::perform::{Refusal, Stop};
use super::reply::Reply;
use super::session::Seat;
use super::{Authority, Origin};
use crate::registry::{kept, stored};
use crate::secret;

impl Authority {
    /// Takes the answer to a challenge; the request that waited for it, if it is right, and
    /// nothing, with the refusal in `out`, if not.
    pub(super) fn prove(
        &self,
        now: Now,
        message: &Message<'_>,
        answer: &ChallengeResponse<'_>,
        seat: Seat,
        from: Origin,
        out: &mut Vec<u8>,
    ) -> Option<Sitting> {
        let reply = Reply::to(&self.identity, message, now.seconds()).within(&seat);
        let waiting = match self.pending.take(now.steady_ms, message.envelope.session_id) {
            // Whoever asked answers, from where it asked.
            Ok(waiting) if waiting.address == from.address => waiting,
            Ok(_) | Err(Missing::Unknown) => {
                reply.fail(ResponseCode::SessionTimeout, "There is no such challenge", out);
                return None;
            }
            Err(Missing::Late) => {
                reply.fail(ResponseCode::AuthenticationTimeout, "", out);
                return None;
            }
        };
        let user = User { handle: answer.user.handle.to_vec(), index: answer.user.index };
        let request_id = message.envelope.request_id;
        let mut sitting = Sitting { message: waiting.message, request_id, user: Some(user), seat };
        let challenge =
            Challenge { nonce: &waiting.nonce, request_digest: waiting.digest.as_bytes() };
        let original = Message::decode(&sitting.message).ok()?;
        let reply = self.reply(now, &sitting, &original);
        let checked = self.registry().store().read(|snap| {
            // What the request needs is asked first, and who it is only then, as the reference
            // server has it: whose key it is makes no difference to who may not.
            let need = self.need(snap, now, &sitting, &original)?;
            if let Some(need) = need
                && !self.may(snap, &answer.user, &need)?
            {
                return Err(Refusal::new(ResponseCode::InvalidAdmin, "").into());
            }
            self.check(snap, message, answer, &challenge)
        });
        match checked {
            Ok(()) => {
                if let (Some(session), Some(user)) = (&sitting.seat.session, &sitting.user) {
                    session.prove(user);
                }
            }
            Err(Stop::Refusal(refusal)) => {
                reply.fail(refusal.code, &refusal.words, out);
                return None;
            }
            Err(Stop::Store(error)) => {
                tracing::error!(%error, "a key could not be read");
                reply.fail(ResponseCode::Error, "the records could not be read", out);
                return None;
            }
        }
        sitting.request_id = request_id;
        Some(sitting)
    }

    /// Whether an answer is of the key that it names.
    fn check(
        &self,
        snap: &Snapshot<'_>,
        message: &Message<'_>,
        answer: &ChallengeResponse<'_>,
        challenge: &Challenge<'_>,
    ) -> Result<(), Stop> {
        if answer.with_secret_key() {
            return match self.secret_answers(
                snap,
                message,
                &answer.user,
                answer.answer,
                challenge,
            )? {
                true => Ok(()),
                false => Err(Refusal::new(ResponseCode::AuthenticationFailed, "").into()),
            };
        }
        if !answer.with_public_key() {
            let words = "Unknown authentication type";
            return Err(Refusal::new(ResponseCode::InvalidCredential, words).into());
        }
        let given = PublicKeyAnswer::decode(answer.answer).map_err(unchecked)?;
        let place = self.homed(answer.user.handle).map_err(|_| unknown())?;
        let bytes = stored(snap, &place)?;
        let record = bytes.as_deref().and_then(kept).ok_or_else(unknown)?;
        let keys = record.values.iter().filter_map(|value| public_key(&value, &answer.user));
        let mut last = None;
        for key in keys {
            match given.verify(&key, challenge) {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(unknown, unchecked).into())
    }

    /// Whether an answer is of a secret key that is kept here.
    pub(super) fn secret_answers(
        &self,
        snap: &Snapshot<'_>,
        message: &Message<'_>,
        user: &Reference<'_>,
        answer: &[u8],
        challenge: &Challenge<'_>,
    ) -> Result<bool, Stop> {
        let version = message.envelope.answer().version;
        let given = SecretKeyAnswer::decode(version, answer).map_err(unchecked)?;
        let place = self.homed(user.handle).map_err(|_| unknown())?;
        let bytes = stored(snap, &place)?;
        let record = bytes.as_deref().and_then(kept).ok_or_else(unknown)?;
        let mut any = false;
        let named = record.values.iter().filter(|value| value.is(ValueData::SECKEY));
        for value in named.filter(|value| user.index == 0 || value.index == user.index) {
            let Some(secret) = secret::of(snap, &place, value.index)? else { continue };
            any = true;
            match given.verify(&secret, challenge) {
                Ok(()) => return Ok(true),
                Err(Error::Mismatch { .. }) => {}
                Err(error) => return Err(unchecked(error).into()),
            }
        }
        if any { Ok(false) } else { Err(unknown().into()) }
    }
}

fn public_key<'a>(value: &Value<'a>, user: &Reference<'_>) -> Option<PublicKey<'a>> {
    if user.index != 0 && value.index != user.index {
        return None;
    }
    match ValueData::of(value) {
        Ok(ValueData::PublicKey(key)) => Some(key),
        _ => None,
    }
}

/// The key that an answer names is not to be had here.
fn unknown() -> Refusal {
    Refusal::new(ResponseCode::AuthenticationError, "the key of this administrator is not known")
}

fn unchecked(error: Error) -> Refusal {
    match error {
        Error::Mismatch { .. } => Refusal::new(ResponseCode::AuthenticationFailed, ""),
        error => Refusal::new(ResponseCode::AuthenticationError, error.to_string()),
    }
}
