//! Sessions: signing in and out.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_model::{Identifier, Prefix, RequestId, TenantId, Timestamp};
use weir_store::{
    Collection, Commit, Expect, History, Index, PAGE_ITEMS_MAX, StoreError, Versioned,
};

use crate::access::Access;
use crate::cache::{Found, Known};
use crate::caller::{By, Caller, Via};
use crate::error::{AccessError, SignInError};
use crate::secret::{csrf_of, key_of, random_secret};
use crate::sign_in_name::SignInName;
use crate::throttle::Account;
use crate::user::{Password, Passwords, User};

/// Most sessions of one user; a further one ends the oldest.
pub const SESSIONS_A_USER_MAX: usize = 32;

/// Ended sessions that are cleaned up at a time.
const SWEPT_MAX: usize = 256;

/// A session as it is kept. Its key is the SHA-256 of its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: Identifier,
    /// When it was opened.
    pub created: Timestamp,
    /// When it was last used, as far as that was written down.
    pub seen: Timestamp,
    /// When it ends at the latest.
    pub expires: Timestamp,
    /// The serial of the password it was opened with.
    pub password: u64,
}

/// The sessions, sealed at rest, in [`TenantId::NODE`].
pub struct Sessions;

impl Collection for Sessions {
    const NAME: &'static str = "sessions";
    type Record = Session;
    const HISTORY: History = History::None;
    const SECRET: bool = true;
    const INDEXES: &'static [Index] = &[Index::shared("user")];
    fn index(session: &Session, add: &mut dyn FnMut(&'static str, &str)) {
        add("user", &session.user.folded());
    }
}

/// Somebody who just signed in. Its debug form leaves the secrets out.
#[derive(Clone)]
pub struct SignedIn {
    /// The secret for the cookie. It is kept nowhere else.
    pub secret: String,
    /// What the page sends back with every change.
    pub csrf: String,
    /// Who it is.
    pub caller: Caller,
    /// When the session ends at the latest.
    pub expires: Timestamp,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("caller", &self.caller).finish_non_exhaustive()
    }
}

impl Access {
    /// Signs a user in by name and password. `organisation` says which tenant has a prefix, if one
    /// has; it is asked only when the name has a prefix, and once it is known that the attempt need
    /// not wait. It takes the same time and has the same answer whether or not there is such an
    /// organisation or such a user; failures are throttled by what was typed and by address.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn sign_in(
        &self,
        name: &SignInName,
        organisation: impl FnOnce(&Prefix) -> Result<Option<TenantId>, StoreError>,
        password: &str,
        remote: IpAddr,
        request: RequestId,
        now: Timestamp,
    ) -> Result<SignedIn, SignInError> {
        let (tenant, user, serial) =
            self.check_password(name, organisation, password, remote, now).await?;
        Ok(self.open_session(tenant, &user, serial, request, now).await?)
    }

    /// The user whose name and password these are, with its tenant and the password's serial.
    pub(crate) async fn check_password(
        &self,
        name: &SignInName,
        organisation: impl FnOnce(&Prefix) -> Result<Option<TenantId>, StoreError>,
        password: &str,
        remote: IpAddr,
        now: Timestamp,
    ) -> Result<(TenantId, Versioned<User>, u64), SignInError> {
        let attempt = self
            .throttle()
            .begin(Account::Typed(name.folded()), Some(remote), now)
            .map_err(|retry_after| SignInError::Throttled { retry_after })?;
        let organisation = name.organisation().map(organisation).transpose();
        let result = match organisation.map_err(AccessError::from) {
            Ok(organisation) => {
                let account = name.account(organisation.flatten());
                self.check_password_unthrottled(account, password).await
            }
            Err(error) => Err(error.into()),
        };
        if !matches!(result, Err(SignInError::Wrong)) {
            self.throttle().take_back(attempt);
        }
        result
    }

    async fn check_password_unthrottled(
        &self,
        (tenant, name): (TenantId, &str),
        password: &str,
    ) -> Result<(TenantId, Versioned<User>, u64), SignInError> {
        let found = self.user_by_name(tenant, name)?;
        let stored = match &found {
            Some(user) => self.password_of(tenant, user)?,
            None => None,
        };
        let hash = stored.as_ref().map(|stored| stored.hash.as_str());
        let fits = self.hasher().verify(password, hash).await?;
        let (Some(user), Some(stored)) = (found, stored) else {
            return Err(SignInError::Wrong);
        };
        if !fits || user.record.disabled {
            return Err(SignInError::Wrong);
        }
        Ok((tenant, user, stored.serial))
    }

    async fn open_session(
        &self,
        tenant: TenantId,
        user: &Versioned<User>,
        password: u64,
        request: RequestId,
        now: Timestamp,
    ) -> Result<SignedIn, AccessError> {
        let secret = random_secret()?;
        let key = key_of(&secret).ok_or(AccessError::Random)?;
        let expires = now.saturating_add(self.session_life().as_nanos() as i64);
        let session = Session {
            tenant,
            user: user.record.id.clone(),
            created: now,
            seen: now,
            expires,
            password,
        };
        let caller = self.caller_of_user(tenant, user, Via::Session, |basis| {
            basis.key = Some(key.clone());
        });
        let caller = Caller { expires: Some(expires), ..caller };
        let mut commit = By::new(&caller, request, now).commit(tenant, "session.create");
        commit.put_in::<Sessions>(TenantId::NODE, &key, &session, Expect::Absent);
        let mut others = self.sessions_of(&user.key)?;
        others.sort_by_key(|other| other.record.created);
        let surplus = (others.len() + 1).saturating_sub(SESSIONS_A_USER_MAX);
        for other in others.into_iter().take(surplus) {
            commit.delete_in::<Sessions>(TenantId::NODE, other.key, Expect::Any);
        }
        self.store().commit(commit).await?;
        let csrf = csrf_of(&secret);
        Ok(SignedIn { secret, csrf, caller, expires })
    }

    /// The caller of a session's secret, and its CSRF token; none when there is no such session any
    /// more, or its user is disabled. Each call counts as use of the session.
    pub fn by_session(&self, secret: &str, now: Timestamp) -> Option<(Caller, String)> {
        let key = key_of(secret)?;
        let known = self.lookup(&key, |access| access.find_session(&key, secret))?;
        let Found::Session { csrf, seen } = &known.found else { return None };
        let idle = self.session_idle().as_nanos() as i64;
        let seen = self.last_seen(&key, *seen);
        if is_over(&known.caller, now) || now >= seen.saturating_add(idle) {
            return None;
        }
        self.touch(&key, now);
        Some((known.caller.clone(), csrf.to_string()))
    }

    /// Ends the caller's session.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn sign_out(&self, by: By<'_>) -> Result<(), AccessError> {
        let Some(key) = by.caller.basis.key.as_ref().filter(|_| by.caller.via == Via::Session)
        else {
            return Ok(());
        };
        let mut commit = by.commit(by.caller.tenant, "session.delete");
        commit.delete_in::<Sessions>(TenantId::NODE, key, Expect::Any);
        self.store().commit(commit).await?;
        Ok(())
    }

    fn find_session(&self, key: &str, secret: &str) -> Result<Option<Known>, AccessError> {
        let Some((session, user)) = self.live_session(key)? else { return Ok(None) };
        let caller = self.caller_of_user(session.tenant, &user, Via::Session, |basis| {
            basis.key = Some(key.to_owned());
        });
        let caller = Caller { expires: Some(session.expires), ..caller };
        let csrf: Arc<str> = csrf_of(secret).into();
        Ok(Some(Known { caller, found: Found::Session { csrf, seen: session.seen } }))
    }

    /// A session and its user, when the user is there, is not disabled, and has the password it
    /// had. Whether the session has expired is not looked at.
    pub(crate) fn live_session(
        &self,
        key: &str,
    ) -> Result<Option<(Session, Versioned<User>)>, AccessError> {
        let Some(session) = self.store().get::<Sessions>(TenantId::NODE, key)? else {
            return Ok(None);
        };
        let session = session.record;
        let Some(user) = self.user(session.tenant, &session.user)? else { return Ok(None) };
        let password = self.password_of(session.tenant, &user)?;
        let fits = password.is_some_and(|password| password.serial == session.password);
        Ok((fits && !user.record.disabled).then_some((session, user)))
    }

    pub(crate) fn delete_sessions(
        &self,
        commit: &mut Commit,
        user: &str,
    ) -> Result<(), AccessError> {
        for session in self.sessions_of(user)? {
            commit.delete_in::<Sessions>(TenantId::NODE, session.key, Expect::Any);
        }
        Ok(())
    }

    /// Writes down when sessions were last used, and removes those that are over. Called now and
    /// then.
    pub(crate) async fn keep_sessions(&self, now: Timestamp) -> Result<(), AccessError> {
        let system = self.system("access", TenantId::NODE);
        let mut commit = By::new(&system, RequestId(0), now).commit(TenantId::NODE, "session.keep");
        let idle = self.session_idle().as_nanos() as i64;
        let (mut after, mut looked_at) = (None, 0);
        while looked_at < PAGE_ITEMS_MAX && commit.len() < SWEPT_MAX {
            let page =
                self.store().list::<Sessions>(TenantId::NODE, "", after.as_deref(), SWEPT_MAX)?;
            looked_at += page.items.len();
            for mut found in page.items {
                let seen = self.last_seen(&found.key, found.record.seen);
                let expect = Expect::Version(found.version);
                if now >= found.record.expires || now >= seen.saturating_add(idle) {
                    commit.delete_in::<Sessions>(TenantId::NODE, found.key, expect);
                } else if seen >= found.record.seen.saturating_add(idle / 8) {
                    found.record.seen = seen;
                    commit.put_in::<Sessions>(TenantId::NODE, found.key, &found.record, expect);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if !commit.is_empty() {
            self.store().commit(commit).await?;
        }
        Ok(())
    }

    fn sessions_of(&self, user: &str) -> Result<Vec<Versioned<Session>>, AccessError> {
        // Twice the bound: two sign-ins at the same time may both stay below it.
        let limit = 2 * SESSIONS_A_USER_MAX;
        Ok(self.store().by_index::<Sessions>(TenantId::NODE, "user", user, None, limit)?.items)
    }

    pub(crate) fn password_of(
        &self,
        tenant: TenantId,
        user: &Versioned<User>,
    ) -> Result<Option<Password>, AccessError> {
        Ok(self.store().get::<Passwords>(tenant, &user.key)?.map(|found| found.record))
    }
}

/// Whether a caller's time is up.
pub(crate) fn is_over(caller: &Caller, now: Timestamp) -> bool {
    caller.expires.is_some_and(|expires| now >= expires)
}
