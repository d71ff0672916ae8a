//! The authoritative service: what is answered to the messages of others.
//!
//! A message goes through three steps. [`Authority::read`] answers what needs no more than a look
//! at the records, at once and without a copy; the rest is [`Authority::answer`]'s: challenges,
//! changes, sessions and signatures, which wait for the disk or take time.

mod answer;
mod pending;
mod perform;
mod prove;
mod reply;
mod resolution;
mod rights;
mod session;
mod sessions;

use std::sync::Arc;

use weir_handle::{Access, Envelope, Error, Flags, Message, OpCode, Request, ResponseCode};
use weir_store::{Snapshot, StoreError};

pub use answer::Now;

use crate::Registry;
use pending::Pending;
use reply::Reply;
use resolution::{Asked, Resolved};
use sessions::Sessions;

/// What a server says of itself.
pub struct Identity {
    /// The site record, as it is sent.
    pub site: Vec<u8>,
    /// Its serial number.
    pub serial: u16,
    /// The private half of the key in the site record: signs what clients want signed.
    pub key: Option<weir_handle::SigningKey>,
    /// Who may home prefixes, and see and change every record here, as `index:handle`.
    pub administrators: Vec<String>,
}

/// Where a message came from, and what may be asked there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Whom to count it to.
    pub address: std::net::IpAddr,
    /// Whether records may be changed over this interface.
    pub admin: bool,
}

/// Whether a message was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// The answer was appended.
    Answered,
    /// It needs [`Authority::answer`].
    Later,
    /// It is nothing that can be answered.
    Ignored,
}

/// Answers messages from the records of a registry.
pub struct Authority {
    registry: Arc<Registry>,
    identity: Identity,
    pending: Pending,
    sessions: Sessions,
}

impl Authority {
    /// A service for the records of a registry.
    pub fn new(registry: Arc<Registry>, identity: Identity) -> Self {
        let (pending, sessions) = (Pending::default(), Sessions::new());
        Self { registry, identity, pending, sessions }
    }

    /// The records.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Answers a whole message, envelope included, if that needs no more than one image of the
    /// records; the answer is appended to `out`.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was appended then.
    pub fn read(
        &self,
        snap: &Snapshot<'_>,
        now: u32,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Read, StoreError> {
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(error) => return Ok(self.unread(now, bytes, error, out)),
        };
        if message.header.response != ResponseCode::Request {
            return Ok(Read::Ignored);
        }
        if message.envelope.session_id != 0 {
            return Ok(Read::Later);
        }
        let reply = Reply::to(&self.identity, &message, now);
        match message.request() {
            Ok(Request::Resolution { handle, indexes, types }) if !reply.is_signed() => {
                let access = match message.header.flags.has(Flags::PUBL) {
                    true => Access::PublicOnly,
                    false => Access::Anyone,
                };
                let asked = Asked { handle, indexes, types, access };
                Ok(match self.resolve(snap, &reply, &message, asked, out)? {
                    Resolved::Answered => Read::Answered,
                    Resolved::Challenge => Read::Later,
                })
            }
            Ok(Request::GetSiteInfo { .. }) if !reply.is_signed() => {
                reply.write(ResponseCode::Success, out, |body| {
                    body.extend_from_slice(&self.identity.site);
                });
                Ok(Read::Answered)
            }
            Ok(Request::Other { op: OpCode::Other(_) | OpCode::Reserved, .. }) => {
                reply.fail(ResponseCode::OperationNotSupported, "Unknown operation", out);
                Ok(Read::Answered)
            }
            Ok(_) => Ok(Read::Later),
            Err(error) => {
                reply.fail(ResponseCode::ProtocolError, &error.to_string(), out);
                Ok(Read::Answered)
            }
        }
    }

    /// The answer to bytes that are no message, with the request id that they seem to have. An
    /// encrypted one may be of a session.
    fn unread(&self, now: u32, bytes: &[u8], error: Error, out: &mut Vec<u8>) -> Read {
        if matches!(error, Error::Encrypted) {
            return Read::Later;
        }
        let Some(request_id) = Envelope::request_id_of(bytes) else { return Read::Ignored };
        let reply = Reply::anonymous(&self.identity, request_id, now);
        reply.fail(ResponseCode::ProtocolError, &error.to_string(), out);
        Read::Answered
    }
}
