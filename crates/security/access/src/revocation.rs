//! Revocation: what is open in somebody's name ends when they are no longer what they were.

use std::future::Future;
use std::time::Duration;

use weir_model::TenantId;

use crate::access::Access;
use crate::caller::{Caller, Via};
use crate::error::AccessError;
use crate::session::is_over;

/// How long a wait lasts before the clock is looked at again: it may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

impl Access {
    /// Ends when the caller is no longer what it was: signed out, revoked, expired, disabled,
    /// deleted, or given another password, other roles, another ceiling or other policies. An open
    /// stream waits for it and ends; who may, opens another. Parts of Weir are never revoked.
    pub fn revoked(&self, caller: &Caller) -> impl Future<Output = ()> + Send + 'static {
        let (access, caller) = (self.clone(), caller.clone());
        async move {
            let mut changed = access.changed();
            loop {
                changed.mark_unchanged();
                if !access.is_still(&caller) {
                    return;
                }
                let left = access.time_left(&caller).min(LOOK_AGAIN);
                tokio::select! {
                    change = changed.changed() => if change.is_err() { return },
                    () = tokio::time::sleep(left) => {}
                }
            }
        }
    }

    /// Whether the caller is still what it was. What cannot be read counts as a no.
    fn is_still(&self, caller: &Caller) -> bool {
        if caller.via == Via::System {
            return true;
        }
        let policies = self.current().policies_of(caller.tenant);
        let same = self.rests_on_the_same(caller).unwrap_or_else(|error| {
            tracing::error!(%error, "it cannot be told whether a caller is revoked");
            false
        });
        same && caller.basis.policies == policies && !is_over(caller, self.now())
    }

    fn rests_on_the_same(&self, caller: &Caller) -> Result<bool, AccessError> {
        let (key, password) = (caller.basis.key.as_deref(), caller.basis.password);
        let user = match (caller.via, key, password) {
            (Via::Session, Some(key), _) => self.live_session(key)?.map(|(_, user)| user),
            (Via::Token, Some(key), _) => self.live_token(key)?.map(|(_, _, user)| user),
            (Via::Password, _, Some(serial)) => self.live_connection(caller, serial)?,
            _ => return Ok(key.is_none() && caller.tenant == TenantId::NODE),
        };
        Ok(user.is_some_and(|user| user.version == caller.basis.user_version))
    }

    fn time_left(&self, caller: &Caller) -> Duration {
        let left = caller.expires.map(|at| at.nanos().saturating_sub(self.now().nanos()));
        left.map_or(LOOK_AGAIN, |nanos| Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
    }
}
