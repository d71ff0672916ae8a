//! Users: their documents, their names, their passwords.

use std::fmt;

use serde::{Deserialize, Serialize};
use weir_model::{Grade, Identifier, Prefix, TenantId, Timestamp};
use weir_store::{Collection, Commit, CommitError, Expect, History, Index, Page, Versioned};

use crate::access::Access;
use crate::action::Action;
use crate::caller::{By, Scope};
use crate::error::{AccessError, Denied, DeniedReason};
use crate::password;
use crate::session::Sessions;
use crate::sign_in_name::{SIGN_IN_SEPARATOR, name_key};
use crate::throttle::Account;
use crate::token::Tokens;

/// The role that administers the node. Only its holders give or take it.
pub const ROLE_NODE_ADMINISTRATOR: &str = "node-administrator";

/// The roles of the default policies. Others can be named, and mean what policies say of them.
pub const ROLES: [&str; 5] =
    [ROLE_NODE_ADMINISTRATOR, "administrator", "engineer", "operator", "viewer"];

/// Roles that Weir itself gives.
const ROLES_RESERVED: [&str; 2] = ["system", "signed-in"];

/// Most roles of one user.
const ROLES_A_USER_MAX: usize = 16;

/// Longest name of a user or role in characters.
pub(crate) const NAME_CHARS_MAX: usize = 64;

/// Longest full name in characters.
const FULL_NAME_CHARS_MAX: usize = 128;

/// A person or program that signs in or holds tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct User {
    /// The identifier, `PREFIX/user.NAME` as it was when the user was created.
    #[schema(value_type = String)]
    pub id: Identifier,
    /// The name; no two users of an organisation share one, whatever their case. What is typed to
    /// sign in is [`User::sign_in_name`].
    pub name: String,
    /// The name for people, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// The roles.
    pub roles: Vec<String>,
    /// The highest grade the user sees.
    pub ceiling: Grade,
    /// Whether the user is kept out for now.
    #[serde(default)]
    pub disabled: bool,
    /// Who the user is to others, for sign-in by OpenID Connect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Subject>,
}

/// Who a user is to an OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Subject {
    /// The provider, its `iss`.
    pub issuer: String,
    /// The user there, its `sub`.
    pub subject: String,
}

/// The users of an organisation; keys are folded identifiers.
pub struct Users;

impl Collection for Users {
    const NAME: &'static str = "users";
    type Record = User;
    const HISTORY: History = History::All;
    const INDEXES: &'static [Index] = &[Index::unique("subject")];
    fn index(user: &User, add: &mut dyn FnMut(&'static str, &str)) {
        for Subject { issuer, subject } in &user.subjects {
            // The separator occurs in no URL, so that no two pairs make the same value.
            add("subject", &format!("{issuer} {subject}"));
        }
    }
}

/// Where the user of a name is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user's identifier.
    pub id: Identifier,
}

/// The names of an organisation's users; keys are names in lower case.
///
/// Earlier versions kept the names of all organisations in [`TenantId::NODE`], where no two were
/// alike. Such records are read where they are, so that data folders and exports of that time are
/// of use; none is written there any more.
pub struct SignIns;

impl Collection for SignIns {
    const NAME: &'static str = "sign_ins";
    type Record = SignIn;
    const HISTORY: History = History::None;
}

/// What is kept of a password.
#[derive(Clone, Serialize, Deserialize)]
pub struct Password {
    /// The argon2id hash as a PHC string.
    pub hash: String,
    /// Random, made anew with every change: sessions of an earlier password do not fit it.
    pub serial: u64,
}

/// The passwords, sealed at rest; keys are folded identifiers of users.
pub struct Passwords;

impl Collection for Passwords {
    const NAME: &'static str = "passwords";
    type Record = Password;
    const HISTORY: History = History::None;
    const SECRET: bool = true;
}

/// A user to be created. Its debug form leaves the password out.
#[derive(Clone)]
pub struct NewUser {
    /// The organisation's tenant.
    pub tenant: TenantId,
    /// The organisation's prefix.
    pub prefix: Prefix,
    /// The name, without an `@`.
    pub name: String,
    /// The name for people, where it is another.
    pub full_name: Option<String>,
    /// The roles.
    pub roles: Vec<String>,
    /// The highest grade the user sees.
    pub ceiling: Grade,
    /// The password; without one, the user works through tokens only.
    pub password: Option<String>,
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is to be changed of a user; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Other roles.
    pub roles: Option<Vec<String>>,
    /// Another ceiling.
    pub ceiling: Option<Grade>,
    /// Keep the user out, or let it in again.
    pub disabled: Option<bool>,
    /// Another name for people; an empty one takes it away.
    pub full_name: Option<String>,
}

impl Access {
    /// Creates a user. What `with` adds to the commit (the user's identifier record) happens with
    /// it or not at all.
    ///
    /// # Errors
    /// [`AccessError`]; nobody creates a user that may do or see more than they themselves.
    pub async fn create_user(
        &self,
        by: By<'_>,
        new: NewUser,
        with: impl FnOnce(&User, &mut Commit),
    ) -> Result<Versioned<User>, AccessError> {
        self.require(by, Action::UserWrite, new.tenant)?;
        let user = User {
            id: new.prefix.child(&format!("user.{}", checked_name(&new.name)?))?,
            name: new.name,
            full_name: checked_full_name(new.full_name)?,
            roles: checked_roles(new.roles)?,
            ceiling: new.ceiling,
            disabled: false,
            subjects: Vec::new(),
        };
        self.check_within_own(by, new.tenant, &user)?;
        let password = match &new.password {
            Some(password) => Some(self.hashed(&user.name, password).await?),
            None => None,
        };
        // Nothing makes names of the earlier kind any more, so that this does not change until the
        // commit, which looks at the others.
        if self.sign_in_of_earlier(new.tenant, &user.name)?.is_some() {
            return Err(AccessError::NameTaken(user.name));
        }
        let key = user.id.folded();
        let mut commit = by.commit(new.tenant, "user.create");
        let sign_in = SignIn { tenant: new.tenant, id: user.id.clone() };
        let name = user.name.to_lowercase();
        commit.put_in::<SignIns>(new.tenant, name, &sign_in, Expect::Absent);
        commit.put_in::<Users>(new.tenant, &key, &user, Expect::Absent);
        if let Some(password) = &password {
            commit.put_in::<Passwords>(new.tenant, &key, password, Expect::Absent);
        }
        with(&user, &mut commit);
        let receipt = match self.store().commit(commit).await {
            Err(CommitError::Conflict { collection, .. }) if collection == SignIns::NAME => {
                return Err(AccessError::NameTaken(user.name));
            }
            receipt => receipt?,
        };
        let version = receipt.versions.get(1).copied().unwrap_or(1);
        Ok(Versioned { key, version, time: by.now, record: user })
    }

    /// A user of a tenant.
    ///
    /// # Errors
    /// [`AccessError`] when the store cannot be read.
    pub fn user(
        &self,
        tenant: TenantId,
        id: &Identifier,
    ) -> Result<Option<Versioned<User>>, AccessError> {
        Ok(self.store().get::<Users>(tenant, &id.folded())?)
    }

    /// The user of a tenant by name, whatever its case.
    ///
    /// # Errors
    /// [`AccessError`] when the store cannot be read.
    pub fn user_by_name(
        &self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Option<Versioned<User>>, AccessError> {
        let Some(key) = name_key(name) else { return Ok(None) };
        let sign_in = self.store().get::<SignIns>(tenant, &key)?.map(|found| found.record);
        let sign_in = match sign_in {
            Some(sign_in) => Some(sign_in),
            None => self.sign_in_of_earlier(tenant, name)?,
        };
        match sign_in {
            Some(sign_in) => self.user(tenant, &sign_in.id),
            None => Ok(None),
        }
    }

    /// The record of a name of a tenant that an earlier version wrote, see [`SignIns`].
    fn sign_in_of_earlier(
        &self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Option<SignIn>, AccessError> {
        let found = self.store().get::<SignIns>(TenantId::NODE, &name.to_lowercase())?;
        Ok(found.map(|found| found.record).filter(|sign_in| sign_in.tenant == tenant))
    }

    /// The users of a tenant in the order of their identifiers.
    ///
    /// # Errors
    /// [`AccessError`] when the store cannot be read.
    pub fn users(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Versioned<User>>, AccessError> {
        Ok(self.store().list::<Users>(tenant, "", after, limit)?)
    }

    /// Changes a user. Whatever is open in its name ends, and can be opened anew with what it may
    /// do then.
    ///
    /// # Errors
    /// [`AccessError`]; nobody raises anybody above themselves, and nobody touches somebody above
    /// themselves.
    pub async fn update_user(
        &self,
        by: By<'_>,
        tenant: TenantId,
        id: &Identifier,
        change: UserChange,
        expect: Expect,
    ) -> Result<Versioned<User>, AccessError> {
        let found = self.user_to_change(by, tenant, id)?;
        let before = found.record;
        let mut user = before.clone();
        if let Some(roles) = change.roles {
            user.roles = checked_roles(roles)?;
        }
        user.ceiling = change.ceiling.unwrap_or(user.ceiling);
        user.disabled = change.disabled.unwrap_or(user.disabled);
        if let Some(full_name) = change.full_name {
            user.full_name = checked_full_name(Some(full_name))?;
        }
        let demoted = user.roles != before.roles || user.ceiling < before.ceiling || user.disabled;
        if demoted && by.caller.principal == *id {
            return Err(denied(DeniedReason::Oneself).into());
        }
        self.check_within_own(by, tenant, &user)?;
        let expect = if expect == Expect::Any { Expect::Version(found.version) } else { expect };
        let mut commit = by.commit(tenant, "user.update");
        commit.put_in::<Users>(tenant, &found.key, &user, expect);
        let receipt = self.store().commit(commit).await?;
        let version = receipt.versions.first().copied().unwrap_or(found.version + 1);
        Ok(Versioned { key: found.key, version, time: by.now, record: user })
    }

    /// Deletes a user with password, sessions and tokens.
    ///
    /// # Errors
    /// [`AccessError`]; nobody deletes themselves or somebody above themselves.
    pub async fn delete_user(
        &self,
        by: By<'_>,
        tenant: TenantId,
        id: &Identifier,
        expect: Expect,
    ) -> Result<(), AccessError> {
        let found = self.user_to_change(by, tenant, id)?;
        if by.caller.principal == *id {
            return Err(denied(DeniedReason::Oneself).into());
        }
        let mut commit = by.commit(tenant, "user.delete");
        commit.delete_in::<Users>(tenant, &found.key, expect);
        let name = &found.record.name;
        commit.delete_in::<SignIns>(tenant, name.to_lowercase(), Expect::Any);
        if self.sign_in_of_earlier(tenant, name)?.is_some() {
            commit.delete_in::<SignIns>(TenantId::NODE, name.to_lowercase(), Expect::Any);
        }
        commit.delete_in::<Passwords>(tenant, &found.key, Expect::Any);
        self.delete_sessions(&mut commit, &found.key)?;
        self.delete_tokens(&mut commit, tenant, &found.key)?;
        self.store().commit(commit).await?;
        Ok(())
    }

    /// Sets another user's password and ends all its sessions and tokens: they may be in the wrong
    /// hands.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn set_password(
        &self,
        by: By<'_>,
        tenant: TenantId,
        id: &Identifier,
        new: &str,
    ) -> Result<(), AccessError> {
        let found = self.user_to_change(by, tenant, id)?;
        let password = self.hashed(&found.record.name, new).await?;
        let mut commit = by.commit(tenant, "user.password");
        commit.put_in::<Passwords>(tenant, &found.key, &password, Expect::Any);
        self.delete_sessions(&mut commit, &found.key)?;
        self.delete_tokens(&mut commit, tenant, &found.key)?;
        self.store().commit(commit).await?;
        Ok(())
    }

    /// Changes the caller's own password and ends its other sessions. Its tokens stay. Wrong
    /// guesses are throttled like those of a sign-in.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn change_password(
        &self,
        by: By<'_>,
        current: &str,
        new: &str,
    ) -> Result<(), AccessError> {
        let caller = by.caller;
        self.require(by, Action::SessionOwn, caller.tenant)?;
        let key = caller.principal.folded();
        let found = self.store().get::<Passwords>(caller.tenant, &key)?;
        let user = self.user(caller.tenant, &caller.principal)?.map(|user| user.record.name);
        let (Some(found), Some(user)) = (found, user) else {
            return Err(AccessError::WrongPassword);
        };
        self.verify_own(&key, current, &found.record.hash, by.now).await?;
        let password = self.hashed(&user, new).await?;
        let mut commit = by.commit(caller.tenant, "session.password");
        let expect = Expect::Version(found.version);
        commit.put_in::<Passwords>(caller.tenant, &key, &password, expect);
        if let Some(session) = &caller.basis.key
            && let Some(mut own) = self.store().get::<Sessions>(TenantId::NODE, session)?
        {
            own.record.password = password.serial;
            let expect = Expect::Version(own.version);
            commit.put_in::<Sessions>(TenantId::NODE, session, &own.record, expect);
        }
        self.store().commit(commit).await?;
        Ok(())
    }

    /// The user, when the caller may change it: it must not be above the caller.
    fn user_to_change(
        &self,
        by: By<'_>,
        tenant: TenantId,
        id: &Identifier,
    ) -> Result<Versioned<User>, AccessError> {
        self.require(by, Action::UserWrite, tenant)?;
        let found = self.user(tenant, id)?;
        let found =
            found.ok_or_else(|| AccessError::NotFound { what: "user", key: id.to_string() })?;
        self.check_within_own(by, tenant, &found.record)?;
        Ok(found)
    }

    /// Nobody makes or changes somebody who may do or see more than they themselves, except that
    /// node administrators make administrators of organisations they do not see into.
    pub(crate) fn check_within_own(
        &self,
        by: By<'_>,
        tenant: TenantId,
        user: &User,
    ) -> Result<(), AccessError> {
        if self.decide(by.caller, Action::NodeAdmin, Scope::NODE).is_ok() {
            return Ok(());
        }
        let exceeds = |what| Err(denied(DeniedReason::Exceeds { what }).into());
        if user.roles.iter().any(|role| role == ROLE_NODE_ADMINISTRATOR) {
            return exceeds("a role");
        }
        if user.ceiling > by.caller.ceiling {
            return exceeds("a ceiling");
        }
        for (action, scope) in self.actions_of_roles(tenant, user)? {
            if self.decide(by.caller, action, scope).is_err() {
                return exceeds("a role");
            }
        }
        Ok(())
    }

    /// Checks the password that the caller says is its own. Guesses are throttled as those of a
    /// sign-in are, and counted apart from them, so that nobody else's count; the address does not
    /// matter, since somebody is signed in.
    async fn verify_own(
        &self,
        user: &str,
        password: &str,
        hash: &str,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let attempt = self
            .throttle()
            .begin(Account::Own(user.to_owned()), None, now)
            .map_err(|retry_after| AccessError::Throttled { retry_after })?;
        let fits = match self.hasher().verify(password, Some(hash)).await {
            Ok(false) => return Err(AccessError::WrongPassword),
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        };
        self.throttle().take_back(attempt);
        fits
    }

    /// A new password's record.
    pub(crate) async fn hashed(&self, user: &str, new: &str) -> Result<Password, AccessError> {
        password::check(new, user, self.password_chars_min())?;
        let hash = self.hasher().hash(new).await?;
        let serial = u64::from_le_bytes(crate::secret::random_bytes()?);
        Ok(Password { hash, serial })
    }

    fn delete_tokens(
        &self,
        commit: &mut Commit,
        tenant: TenantId,
        user: &str,
    ) -> Result<(), AccessError> {
        for token in self.tokens_of(tenant, user)? {
            commit.delete_in::<Tokens>(tenant, token.key, Expect::Any);
            let key = token.record.key;
            commit.delete_in::<crate::token::TokenKeys>(TenantId::NODE, key, Expect::Any);
        }
        Ok(())
    }
}

fn denied(reason: DeniedReason) -> Denied {
    Denied { action: Action::UserWrite, reason }
}

/// A name to sign in with: letters and digits of any script, and `.`, `_`, `-` between. Names of
/// earlier versions may have an `@`, which parts the name from the organisation now.
pub(crate) fn checked_name(name: &str) -> Result<&str, AccessError> {
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
        && name.starts_with(char::is_alphanumeric);
    let reason = if name.contains(SIGN_IN_SEPARATOR) {
        "has no @, which stands between the name and the organisation when somebody signs in"
    } else {
        "has 1 to 64 letters, digits and . _ -, and starts with a letter or digit"
    };
    if fits { Ok(name) } else { Err(AccessError::InvalidName { what: "a user name", reason }) }
}

fn checked_full_name(full_name: Option<String>) -> Result<Option<String>, AccessError> {
    let full_name = full_name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let fits = |name: &String| {
        name.chars().count() <= FULL_NAME_CHARS_MAX && !name.chars().any(char::is_control)
    };
    if full_name.as_ref().is_none_or(fits) {
        return Ok(full_name);
    }
    let reason = "has at most 128 printable characters";
    Err(AccessError::InvalidName { what: "a full name", reason })
}

pub(crate) fn checked_roles(mut roles: Vec<String>) -> Result<Vec<String>, AccessError> {
    let fits = |role: &String| {
        (1..=NAME_CHARS_MAX).contains(&role.len())
            && role.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !ROLES_RESERVED.contains(&role.as_str())
    };
    if roles.len() > ROLES_A_USER_MAX || !roles.iter().all(fits) {
        let reason = "has 1 to 64 lower-case letters, digits and -, and is not one of Weir's own; \
                      a user has at most 16";
        return Err(AccessError::InvalidName { what: "a role", reason });
    }
    roles.sort();
    roles.dedup();
    Ok(roles)
}
