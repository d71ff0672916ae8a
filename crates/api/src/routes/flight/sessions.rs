//! Who signed in by name and password over gRPC. A session is in memory only: it ends with the node,
//! and neither pushes out those of browsers nor is pushed out by them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use weir_access::Caller;
use weir_model::Timestamp;

use crate::failure::Failure;
use crate::state::ApiState;

/// Most sessions at one time; beyond that nobody signs in until one ends.
const SESSIONS_MAX: usize = 1024;

/// Most sessions of one user; a further one ends the one that was used least lately.
const SESSIONS_A_USER_MAX: usize = 32;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// The open sessions, by token. The map's hashes are keyed at random, so that the time of a look-up tells
/// nothing of the tokens.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    caller: Caller,
    /// When it was last used.
    seen: Timestamp,
}

impl Sessions {
    /// Opens a session and gives its token.
    pub(super) fn open(&self, state: &ApiState, mut caller: Caller) -> Result<String, Failure> {
        let mut bytes = [0; TOKEN_BYTES];
        let filled =
            getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()));
        filled.map_err(|error| Failure::internal("make a token", &error))?;
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let now = state.now();
        let life = state.access.session_life().as_nanos();
        caller.expires = Some(now.saturating_add(i64::try_from(life).unwrap_or(i64::MAX)));
        let mut open = self.locked();
        open.retain(|_, session| !session.is_over(state, now));
        let own = open.iter().filter(|(_, other)| {
            other.caller.tenant == caller.tenant && other.caller.principal == caller.principal
        });
        let own: Vec<(String, Timestamp)> =
            own.map(|(token, session)| (token.clone(), session.seen)).collect();
        if own.len() >= SESSIONS_A_USER_MAX
            && let Some((oldest, _)) = own.iter().min_by_key(|(_, seen)| *seen)
        {
            open.remove(oldest);
        }
        if open.len() >= SESSIONS_MAX {
            return Err(Failure::unavailable("Too many are signed in at this moment."));
        }
        open.insert(token.clone(), Session { caller, seen: now });
        Ok(token)
    }

    /// The caller of a token; none when there is no such session any more. Each call counts as use.
    pub(super) fn caller(&self, state: &ApiState, token: &str) -> Option<Caller> {
        let now = state.now();
        let caller = {
            let mut open = self.locked();
            let session = open.get_mut(token)?;
            if session.is_over(state, now) {
                open.remove(token);
                return None;
            }
            session.seen = now;
            session.caller.clone()
        };
        // What it rests on is looked at each time, as a session of the console's is.
        if state.access.revoked(&caller).now_or_never().is_some() {
            self.locked().remove(token);
            return None;
        }
        Some(caller)
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_over(&self, state: &ApiState, now: Timestamp) -> bool {
        let idle = i64::try_from(state.access.session_idle().as_nanos()).unwrap_or(i64::MAX);
        let is_idle = now >= self.seen.saturating_add(idle);
        is_idle || self.caller.expires.is_some_and(|expires| now >= expires)
    }
}
