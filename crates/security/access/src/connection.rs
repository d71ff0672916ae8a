//! Connections of protocols that show a name and a password once and stay open: no session is
//! made for them, so that they neither end by themselves nor push out those of browsers.

use std::net::IpAddr;

use weir_model::{Prefix, TenantId, Timestamp};
use weir_store::{StoreError, Versioned};

use crate::access::Access;
use crate::caller::{Caller, Via};
use crate::error::{AccessError, SignInError};
use crate::sign_in_name::SignInName;
use crate::user::User;

impl Access {
    /// The caller of a name and a password, for as long as a connection lasts: until
    /// [`Access::revoked`] says so. Checked and throttled as by [`Access::sign_in`], and together
    /// with it.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn by_password(
        &self,
        name: &SignInName,
        organisation: impl FnOnce(&Prefix) -> Result<Option<TenantId>, StoreError>,
        password: &str,
        remote: IpAddr,
        now: Timestamp,
    ) -> Result<Caller, SignInError> {
        let (tenant, user, serial) =
            self.check_password(name, organisation, password, remote, now).await?;
        let rests_on = |basis: &mut crate::caller::Basis| basis.password = Some(serial);
        Ok(self.caller_of_user(tenant, &user, Via::Password, rests_on))
    }

    /// The user of a caller that showed a password, when it is there, is not disabled, and has the
    /// password it had.
    pub(crate) fn live_connection(
        &self,
        caller: &Caller,
        serial: u64,
    ) -> Result<Option<Versioned<User>>, AccessError> {
        let Some(user) = self.user(caller.tenant, &caller.principal)? else { return Ok(None) };
        let password = self.password_of(caller.tenant, &user)?;
        let fits = password.is_some_and(|password| password.serial == serial);
        Ok((fits && !user.record.disabled).then_some(user))
    }
}
