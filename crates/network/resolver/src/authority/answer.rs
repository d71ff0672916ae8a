//! What takes time: challenges and their answers, changes, signatures.

use std::sync::Arc;

use weir_handle::{Access, Answer, Challenge, Flags, List, Message, OpCode, Request, ResponseCode};
use weir_model::{Author, Identifier, RequestId, TenantId, Timestamp};
use weir_store::{CommitError, Snapshot};

use super::pending::Waiting;
use super::perform::{Change, Circumstances, Prepared, Refusal, Stop, Then};
use super::reply::Reply;
use super::resolution::{Asked, Resolved};
use super::rights::Need;
use super::session::Seat;
use super::{Authority, Origin};
use crate::record::seconds;

/// How often a change is tried where somebody else changed the record meanwhile.
const TRIES_MAX: usize = 4;

/// The instant of a request, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The time of day.
    pub time: Timestamp,
    /// The steady clock, in milliseconds from any start.
    pub steady_ms: u64,
}

impl Now {
    /// Seconds since 1970, as the protocol has them.
    pub fn seconds(self) -> u32 {
        u32::try_from(seconds(self.time)).unwrap_or(0)
    }
}

/// A request, and who is known to ask.
pub(super) struct Sitting {
    /// The request, whole.
    pub(super) message: Vec<u8>,
    /// The request id of the answer: that of the message that answered the challenge, if one did.
    pub(super) request_id: u32,
    /// Whose key answered it, or answered once for the session.
    pub(super) user: Option<User>,
    /// The session that it came in.
    pub(super) seat: Seat,
}

/// `index:handle`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) handle: Vec<u8>,
    pub(super) index: i32,
}

impl User {
    pub(super) fn reference(&self) -> weir_handle::Reference<'_> {
        weir_handle::Reference::new(&self.handle, self.index)
    }
}

/// What is to be done about a request.
enum Decision {
    /// It is answered.
    Answered(Vec<u8>),
    /// This is to be on the disk first.
    Commit(Box<Change>),
}

impl Authority {
    /// Answers a whole message, with one message or with several behind one another; with none
    /// where it is no request.
    pub async fn answer(self: &Arc<Self>, now: Now, bytes: Vec<u8>, from: Origin) -> Vec<u8> {
        let seated = self.blocking(move |authority| authority.seat(now, bytes, from)).await;
        let sitting = match seated {
            Some(Ok(sitting)) => Arc::new(sitting),
            Some(Err(answer)) => return answer,
            None => return Vec::new(),
        };
        for _ in 0..TRIES_MAX {
            let seat = Arc::clone(&sitting);
            let decided = self.blocking(move |authority| authority.decide(now, &seat, from)).await;
            let change = match decided {
                Some(Decision::Commit(change)) => change,
                Some(Decision::Answered(answer)) => return answer,
                None => return Vec::new(),
            };
            let Change { commit, created, replaced, prefixes } = *change;
            let outcome = match self.registry().store().commit(commit).await {
                Err(CommitError::Conflict { .. }) => continue,
                Ok(_) => Ok(created),
                Err(error) => Err(error),
            };
            let seat = Arc::clone(&sitting);
            let answered = self.blocking(move |authority| {
                if prefixes && let Err(error) = authority.registry().refresh() {
                    tracing::error!(%error, "the prefixes could not be read again");
                }
                authority.committed(now, &seat, outcome, replaced)
            });
            return answered.await.unwrap_or_default();
        }
        let words = "the record is being changed by others; try again";
        let busy = move |authority: &Self| {
            authority.refused(now, &sitting, &Refusal::new(ResponseCode::ServerTooBusy, words))
        };
        self.blocking(busy).await.unwrap_or_default()
    }

    /// Does what takes a while on a thread that may wait; nothing where it panics.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let authority = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&authority)).await;
        done.inspect_err(|error| tracing::error!(%error, "a request ended in a panic")).ok()
    }

    /// Finds out who asks, as far as the message tells; or the answer, where it cannot be.
    fn seat(&self, now: Now, bytes: Vec<u8>, from: Origin) -> Result<Sitting, Vec<u8>> {
        let mut out = Vec::new();
        let (bytes, seat) = self.enter(now, bytes)?;
        let message = match Message::decode(&bytes) {
            Ok(message) => message,
            Err(_) if seat.encrypted => return Err(self.unopened(now, &bytes)),
            Err(error) => {
                self.unread(now.seconds(), &bytes, error, &mut out);
                return Err(out);
            }
        };
        if message.header.response != ResponseCode::Request {
            return Err(out);
        }
        self.check_in(now, &message, &seat)?;
        let reply = Reply::to(&self.identity, &message, now.seconds()).within(&seat);
        let session = message.envelope.session_id;
        match message.request() {
            Ok(Request::ChallengeResponse(answer)) => {
                let proved = self.prove(now, &message, &answer, seat, from, &mut out);
                proved.ok_or(out)
            }
            Ok(Request::SessionSetup(setup)) => {
                if let Err(refusal) = self.begin(now, reply, &setup, from, &mut out) {
                    let reply = Reply::to(&self.identity, &message, now.seconds());
                    reply.fail(refusal.code, &refusal.words, &mut out);
                }
                Err(out)
            }
            Ok(Request::SessionTerminate { .. }) => {
                self.end(&reply, &seat, &mut out);
                Err(out)
            }
            Ok(_) if session == 0 || seat.session.is_some() || self.pending.has(session) => {
                let request_id = message.envelope.request_id;
                let user = seat.session.as_ref().and_then(|session| session.user());
                Ok(Sitting { message: bytes, request_id, user, seat })
            }
            Ok(_) => {
                reply.fail(ResponseCode::SessionTimeout, "There is no such session", &mut out);
                Err(out)
            }
            Err(error) => {
                reply.fail(ResponseCode::ProtocolError, &error.to_string(), &mut out);
                Err(out)
            }
        }
    }

    /// Decides about a request.
    fn decide(&self, now: Now, sitting: &Sitting, from: Origin) -> Decision {
        let Ok(message) = Message::decode(&sitting.message) else {
            return Decision::Answered(Vec::new());
        };
        let reply = self.reply(now, sitting, &message);
        let mut out = Vec::new();
        let decided = self
            .registry()
            .store()
            .read(|snap| self.decide_in(snap, now, sitting, (&message, &reply), from, &mut out));
        match decided {
            Ok(Some(change)) => return Decision::Commit(Box::new(change)),
            Ok(None) => {}
            Err(Stop::Refusal(refusal)) => {
                out.clear();
                reply.fail(refusal.code, &refusal.words, &mut out);
            }
            Err(Stop::Store(error)) => {
                tracing::error!(%error, "a request could not be answered");
                out.clear();
                reply.fail(ResponseCode::Error, "the records could not be read", &mut out);
            }
        }
        Decision::Answered(out)
    }

    fn decide_in(
        &self,
        snap: &Snapshot<'_>,
        now: Now,
        sitting: &Sitting,
        (message, reply): (&Message<'_>, &Reply<'_>),
        from: Origin,
        out: &mut Vec<u8>,
    ) -> Result<Option<Change>, Stop> {
        let Ok(request) = message.request() else { return Ok(None) };
        let words = "Received admin request on non-admin interface";
        if is_admin(request.op()) && !from.admin {
            return Err(Refusal::new(ResponseCode::ProtocolError, words).into());
        }
        match request {
            Request::Resolution { handle, indexes, types } => {
                let public = message.header.flags.has(Flags::PUBL);
                let access = if public { Access::PublicOnly } else { Access::Anyone };
                let asked = Asked { handle, indexes, types, access };
                if self.resolve(snap, reply, message, asked, out)? == Resolved::Answered {
                    return Ok(None);
                }
                let Some(user) = &sitting.user else {
                    self.challenge(now, sitting, message, from, out)?;
                    return Ok(None);
                };
                let permissions = weir_handle::AdminPermissions::READ_VALUE;
                let need = Need::Rights { of: self.homed(handle)?, permissions };
                if !self.may(snap, &user.reference(), &need)? {
                    return Err(Refusal::new(ResponseCode::InvalidAdmin, "").into());
                }
                let asked = Asked { access: Access::Admin, ..asked };
                self.resolve(snap, reply, message, asked, out)?;
                return Ok(None);
            }
            Request::GetSiteInfo { .. } => {
                reply.write(ResponseCode::Success, out, |body| {
                    body.extend_from_slice(&self.identity.site);
                });
                return Ok(None);
            }
            Request::VerifyResponse { user, nonce, request_digest, answer } => {
                let challenge = Challenge { nonce, request_digest };
                let valid = self.secret_answers(snap, message, &user, answer, &challenge);
                let valid = match valid {
                    // What cannot be verified is not valid, and no more is said of it.
                    Err(Stop::Refusal(_)) => false,
                    valid => valid?,
                };
                reply.answer(Answer::Verified(valid), out);
                return Ok(None);
            }
            _ => {}
        }
        let with = self.circumstances(now, sitting, message)?;
        let Prepared { need, then } = self.prepare(snap, &request, &with)?;
        if need.is_some() && sitting.user.is_none() {
            self.challenge(now, sitting, message, from, out)?;
            return Ok(None);
        }
        // What stands against it is said first, as the reference server does, and then who may.
        let then = then?;
        if let (Some(need), Some(user)) = (&need, &sitting.user)
            && !self.may(snap, &user.reference(), need)?
        {
            return Err(Refusal::new(ResponseCode::InvalidAdmin, "").into());
        }
        match then {
            Then::Change(change) => Ok(Some(*change)),
            Then::Handles(under) => {
                self.list(reply, &Self::handles(snap, &under)?, out);
                Ok(None)
            }
            Then::Prefixes => {
                let handle = |prefix: String| format!("0.NA/{prefix}");
                let all: Vec<_> = self.registry().homes().all().into_iter().map(handle).collect();
                self.list(reply, &all, out);
                Ok(None)
            }
            Then::Nothing => {
                reply.answer(Answer::Done, out);
                Ok(None)
            }
        }
    }

    /// What is needed for a request, and what stands against it before it is known who asks.
    pub(super) fn need(
        &self,
        snap: &Snapshot<'_>,
        now: Now,
        sitting: &Sitting,
        message: &Message<'_>,
    ) -> Result<Option<Need>, Stop> {
        let Ok(request) = message.request() else { return Ok(None) };
        if let Request::Resolution { handle, .. } = request {
            let permissions = weir_handle::AdminPermissions::READ_VALUE;
            return Ok(Some(Need::Rights { of: self.homed(handle)?, permissions }));
        }
        let with = self.circumstances(now, sitting, message)?;
        let Prepared { need, then } = self.prepare(snap, &request, &with)?;
        then?;
        Ok(need)
    }

    /// Asks who it is, and keeps the request until that is answered.
    fn challenge(
        &self,
        now: Now,
        sitting: &Sitting,
        message: &Message<'_>,
        from: Origin,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let nonce = random::<16>()?;
        let reply = self.reply(now, sitting, message);
        let number = match &sitting.seat.session {
            Some(session) => session.number,
            None => self.free_number()?,
        };
        let mut whole = Vec::new();
        // What came behind the body, a MAC for one, is not needed any more.
        let length = message.signed_part().len() as u32 + 4;
        weir_handle::Envelope { length, ..message.envelope }.encode(&mut whole);
        whole.extend_from_slice(message.signed_part());
        weir_handle::put_blob(&mut whole, b"");
        let digest = reply.digest_of(message);
        let waiting = Waiting { message: whole, nonce, digest, address: from.address };
        match self.pending.put(now.steady_ms, number, waiting) {
            true => reply.challenge(digest, number, &nonce, out),
            false => {
                let words = "too many requests wait for who asks to be known";
                reply.fail(ResponseCode::ServerTooBusy, words, out);
            }
        }
        Ok(())
    }

    /// The answer to a change that was committed, or could not be.
    fn committed(
        &self,
        now: Now,
        sitting: &Sitting,
        outcome: Result<Option<Identifier>, CommitError>,
        replaced: bool,
    ) -> Vec<u8> {
        let created = match outcome {
            Ok(created) => created,
            Err(error) => {
                tracing::warn!(%error, "a change of a record could not be written");
                let code = match error {
                    CommitError::Busy => ResponseCode::ServerTooBusy,
                    CommitError::DiskFull => ResponseCode::ServerBackup,
                    _ => ResponseCode::Error,
                };
                return self.refused(now, sitting, &Refusal::new(code, error.to_string()));
            }
        };
        let Ok(message) = Message::decode(&sitting.message) else { return Vec::new() };
        let mut reply = self.reply(now, sitting, &message);
        let mut out = Vec::new();
        if message.header.op == OpCode::CreateHandle {
            let minted = message.header.flags.has(Flags::MINT);
            reply = reply.with_flags(Flags::MINT, minted);
        }
        if matches!(message.header.op, OpCode::CreateHandle | OpCode::AddValue) {
            reply = reply.with_flags(Flags::OVRW, replaced);
        }
        match created {
            Some(id) => reply.answer(Answer::Created(Some(id.as_str().as_bytes())), &mut out),
            None => reply.answer(Answer::Done, &mut out),
        }
        out
    }

    fn refused(&self, now: Now, sitting: &Sitting, refusal: &Refusal) -> Vec<u8> {
        let mut out = Vec::new();
        if let Ok(message) = Message::decode(&sitting.message) {
            self.reply(now, sitting, &message).fail(refusal.code, &refusal.words, &mut out);
        }
        out
    }

    pub(super) fn reply<'a>(
        &'a self,
        now: Now,
        sitting: &Sitting,
        message: &Message<'_>,
    ) -> Reply<'a> {
        let reply = Reply::to(&self.identity, message, now.seconds());
        reply.with_request_id(sitting.request_id).within(&sitting.seat)
    }

    /// Handles in as many messages as they take.
    fn list(&self, reply: &Reply<'_>, handles: &[String], out: &mut Vec<u8>) {
        let mut pages = handles.chunks(HANDLES_OF_MESSAGE).peekable();
        if pages.peek().is_none() {
            reply.answer(Answer::Handles(List::empty()), out);
        }
        while let Some(page) = pages.next() {
            let names: Vec<&[u8]> = page.iter().map(|name| name.as_bytes()).collect();
            let mut buffer = Vec::new();
            let handles = Answer::Handles(List::build(&names, &mut buffer));
            reply.continued(pages.peek().is_some(), handles, out);
        }
    }

    fn circumstances(
        &self,
        now: Now,
        sitting: &Sitting,
        message: &Message<'_>,
    ) -> Result<Circumstances, Stop> {
        let op = message.header.op;
        let author = Author {
            tenant: TenantId::NODE,
            principal: principal(sitting.user.as_ref())?,
            cause: cause(op).into(),
            request: RequestId(u128::from_be_bytes(random()?)),
        };
        let random = u128::from_be_bytes(random()?);
        Ok(Circumstances { author, now: now.time, flags: message.header.flags, random })
    }
}

/// Handles of one message of a list, as the reference server has it.
const HANDLES_OF_MESSAGE: usize = 50;

/// Whether an operation belongs on an interface for administrators.
const fn is_admin(op: OpCode) -> bool {
    matches!(op.code(), 100..200 | 300..400)
}

/// What the audit calls an operation.
const fn cause(op: OpCode) -> &'static str {
    match op {
        OpCode::CreateHandle => "handle.create",
        OpCode::DeleteHandle => "handle.delete",
        OpCode::AddValue => "handle.add",
        OpCode::RemoveValue => "handle.remove",
        OpCode::ModifyValue => "handle.modify",
        OpCode::HomePrefix => "prefix.home",
        OpCode::UnhomePrefix => "prefix.unhome",
        _ => "handle.other",
    }
}

/// Who changes a record, as the audit names it: the handle of the key, or nobody.
fn principal(user: Option<&User>) -> Result<Identifier, Stop> {
    let text = match user {
        Some(user) => String::from_utf8_lossy(&user.handle).into_owned(),
        None => "weir/anonymous".to_owned(),
    };
    Identifier::parse(&text).map_err(|error| {
        Refusal::new(ResponseCode::InvalidAdmin, format!("{text}: {error}")).into()
    })
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], Stop> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            tracing::error!(%error, "there are no random bytes");
            Err(Refusal::new(ResponseCode::Error, "there are no random bytes").into())
        }
    }
}
