//! Resolution: the values of a handle that are asked for and may be read.

use weir_handle::{
    Access, Flags, List, Message, ResponseCode, Selection, ValueData, Version, name, put_blob,
};
use weir_store::{Snapshot, StoreError};

use super::Authority;
use super::reply::Reply;
use crate::registry::{NoPlace, Place, seat, stored, stored_at, told};
use crate::{Values, secret};

/// What a resolution asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) handle: &'a [u8],
    pub(super) indexes: List<'a, i32>,
    pub(super) types: List<'a, &'a [u8]>,
    pub(super) access: Access,
}

/// How a resolution went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolved {
    /// The answer was appended.
    Answered,
    /// Some of what is asked for is for administrators: who is it that asks?
    Challenge,
}

impl Authority {
    /// Answers a resolution.
    pub(super) fn resolve(
        &self,
        snap: &Snapshot<'_>,
        reply: &Reply<'_>,
        message: &Message<'_>,
        asked: Asked<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Resolved, StoreError> {
        let (tenant, key) = match seat(&self.registry.homes(), asked.handle) {
            Ok(seat) => seat,
            Err(NoPlace::NotHomed | NoPlace::Suspended) => {
                let words = "That prefix doesn't live here";
                reply.fail(ResponseCode::ServerNotResponsible, words, out);
                return Ok(Resolved::Answered);
            }
            Err(NoPlace::NoName) => {
                reply.fail(ResponseCode::HandleNotFound, "", out);
                return Ok(Resolved::Answered);
            }
        };
        let bytes = stored_at(snap, tenant, &key)?;
        let Some(found) = bytes.as_deref().and_then(told) else {
            self.refer(snap, reply, message, &key, out)?;
            return Ok(Resolved::Answered);
        };
        let Asked { handle, indexes, types, access } = asked;
        let revealed = match access {
            Access::Admin => {
                let place = Place { tenant, key: key.into_owned() };
                Some(secret::revealed(snap, &place, &found.values)?)
            }
            _ => None,
        };
        let values = revealed.as_ref().map_or(found.values, Values::list);
        let start = out.len();
        let mut selected = weir_handle::Selected::default();
        reply.write(ResponseCode::Success, out, |body| {
            put_blob(body, handle);
            selected = Selection { indexes, types, access }.write(&values, body);
        });
        let withheld = selected.admin_only + selected.unreadable;
        let refusal = match access {
            Access::PublicOnly if selected.written == 0 => ResponseCode::ValuesNotFound,
            Access::PublicOnly => return Ok(Resolved::Answered),
            _ if selected.unreadable > 0 => ResponseCode::InsufficientPermissions,
            _ if selected.admin_only > 0 => ResponseCode::AuthenticationNeeded,
            _ if selected.written + withheld == 0 => ResponseCode::ValuesNotFound,
            _ => return Ok(Resolved::Answered),
        };
        out.truncate(start);
        if refusal == ResponseCode::AuthenticationNeeded {
            return Ok(Resolved::Challenge);
        }
        reply.fail(refusal, "", out);
        Ok(Resolved::Answered)
    }

    /// What is said of a handle that is not there: that another service has it, if it stands for a
    /// prefix that is derived from one whose record says so; otherwise that there is none.
    fn refer(
        &self,
        snap: &Snapshot<'_>,
        reply: &Reply<'_>,
        message: &Message<'_>,
        key: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let wanted = !message.header.flags.has(Flags::DNRF);
        let follows = reply.version().has(Version::PREFIX_REFERRAL);
        let mut prefix = name::prefix_named(key.as_bytes()).filter(|_| wanted);
        while let Some(parent) = prefix.and_then(name::parent) {
            prefix = Some(parent);
            let mut handle = Vec::new();
            name::prefix_handle(parent, &mut handle);
            let Ok(of_parent) = self.registry.place(&handle) else { break };
            let bytes = stored(snap, &of_parent)?;
            let Some(found) = bytes.as_deref().and_then(told) else { continue };
            let start = out.len();
            let types = [ValueData::SITE_PREFIX, ValueData::SERV_PREFIX];
            let mut buffer = Vec::new();
            let types = List::build(&types, &mut buffer);
            let access = Access::PublicOnly;
            let mut written = 0;
            reply.write(ResponseCode::PrefixReferral, out, |body| {
                put_blob(body, b"");
                let selection = Selection { indexes: List::empty(), types, access };
                written = selection.write(&found.values, body).written;
            });
            if written > 0 && follows {
                return Ok(());
            }
            out.truncate(start);
            if written > 0 {
                let words = "another service has this prefix: ask with version 2.10 or later";
                reply.fail(ResponseCode::Error, words, out);
                return Ok(());
            }
        }
        reply.fail(ResponseCode::HandleNotFound, "", out);
        Ok(())
    }
}
