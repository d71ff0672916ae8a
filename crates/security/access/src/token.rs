//! API tokens: secrets for programs, limited to some of their owner's actions.

use serde::{Deserialize, Serialize};
use weir_model::{Grade, Identifier, TenantId, Timestamp};
use weir_store::{Collection, Expect, History, Index, Page, Versioned};

use crate::access::Access;
use crate::action::Action;
use crate::cache::{Found, Known};
use crate::caller::{By, Caller, Scope, Via};
use crate::error::{AccessError, Denied, DeniedReason};
use crate::secret::{TOKEN_PREFIX, key_of, random_bytes, random_secret};
use crate::session::is_over;
use crate::user::User;

/// Most tokens of one user.
pub const TOKENS_A_USER_MAX: usize = 64;

/// Longest life of a token in days.
pub const TOKEN_LIFE_DAYS_MAX: i64 = 730;

/// Longest name of a token in characters.
const NAME_CHARS_MAX: usize = 64;

const NANOS_A_DAY: i64 = 86_400_000_000_000;

/// A token as it is kept: everything but its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Token {
    /// Its name within its tenant, `token-` and random letters.
    pub id: String,
    /// What it is for, in its maker's words.
    pub name: String,
    /// The user that it acts as.
    #[schema(value_type = String)]
    pub user: Identifier,
    /// The actions it is limited to. What its user may not do, it may not do either.
    pub actions: Vec<Action>,
    /// The highest grade it sees; never more than its user sees.
    pub ceiling: Grade,
    /// Who made it.
    #[schema(value_type = String)]
    pub created_by: Identifier,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// The SHA-256 of its secret, which is not sensitive, since the secret has 256 random bits; not
    /// shown all the same.
    #[schema(ignore)]
    pub key: String,
}

/// A token for lists: with what is only known in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TokenView {
    /// Its name within its tenant.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// The user that it acts as.
    #[schema(value_type = String)]
    pub user: Identifier,
    /// The actions it is limited to.
    pub actions: Vec<Action>,
    /// The highest grade it sees.
    pub ceiling: Grade,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// When it was last used since the node started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Timestamp>,
}

/// The tokens of an organisation; keys are their ids.
pub struct Tokens;

impl Collection for Tokens {
    const NAME: &'static str = "tokens";
    type Record = Token;
    const HISTORY: History = History::All;
    const INDEXES: &'static [Index] = &[Index::shared("user")];
    fn index(token: &Token, add: &mut dyn FnMut(&'static str, &str)) {
        add("user", &token.user.folded());
    }
}

/// Where the token of a secret is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenKey {
    /// The token's tenant.
    pub tenant: TenantId,
    /// The token's id.
    pub id: String,
}

/// The keys of all tokens of the node, sealed at rest, in [`TenantId::NODE`]; keys are the SHA-256
/// of the secrets.
pub struct TokenKeys;

impl Collection for TokenKeys {
    const NAME: &'static str = "token_keys";
    type Record = TokenKey;
    const HISTORY: History = History::None;
    const SECRET: bool = true;
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is for, in its maker's words.
    pub name: String,
    /// The user that it acts as, of the caller's tenant; the caller itself when none.
    pub user: Option<Identifier>,
    /// The actions it is limited to.
    pub actions: Vec<Action>,
    /// The highest grade it sees; as high as its maker and its user both see when none.
    pub ceiling: Option<Grade>,
    /// When it ends.
    pub expires: Timestamp,
}

impl Access {
    /// Makes a token. The first of the answer is its secret, which is kept nowhere: show it once.
    ///
    /// # Errors
    /// [`AccessError`]; nobody makes a token that may do or see more, or lives longer, than what
    /// they themselves use.
    pub async fn create_token(
        &self,
        by: By<'_>,
        new: NewToken,
    ) -> Result<(String, Versioned<Token>), AccessError> {
        let tenant = by.caller.tenant;
        self.require(by, Action::TokenWrite, tenant)?;
        let owner = new.user.clone().unwrap_or_else(|| by.caller.principal.clone());
        if owner != by.caller.principal {
            self.require(by, Action::UserWrite, tenant)?;
        }
        let user = self.user(tenant, &owner)?;
        let user = user.ok_or_else(|| match &new.user {
            Some(named) => AccessError::NotFound { what: "user", key: named.to_string() },
            None => AccessError::NoUser(owner.clone()),
        })?;
        if owner != by.caller.principal {
            // A token's actions hold wherever its user may do them: one that acts as somebody above
            // its maker would reach scopes that its maker does not.
            self.check_within_own(by, tenant, &user.record)?;
        }
        let ceiling = self.check_token(by, &new, &user.record)?;
        if self.tokens_of(tenant, &user.key)?.len() >= TOKENS_A_USER_MAX {
            return Err(AccessError::TooMany { what: "tokens", max: TOKENS_A_USER_MAX });
        }
        let secret = format!("{TOKEN_PREFIX}{}", random_secret()?);
        let key = key_of(&secret).ok_or(AccessError::Random)?;
        let id = random_bytes::<8>()?.map(|byte| format!("{byte:02x}")).concat();
        let mut actions = new.actions;
        actions.sort();
        actions.dedup();
        let token = Token {
            id: format!("token-{id}"),
            name: new.name,
            user: user.record.id,
            actions,
            ceiling,
            created_by: by.caller.principal.clone(),
            created: by.now,
            expires: new.expires,
            key,
        };
        let found = TokenKey { tenant, id: token.id.clone() };
        let mut commit = by.commit(tenant, "token.create");
        commit.put_in::<Tokens>(tenant, &token.id, &token, Expect::Absent);
        commit.put_in::<TokenKeys>(TenantId::NODE, &token.key, &found, Expect::Absent);
        let receipt = self.store().commit(commit).await?;
        let version = receipt.versions.first().copied().unwrap_or(1);
        Ok((secret, Versioned { key: token.id.clone(), version, time: by.now, record: token }))
    }

    /// Nobody gives away what they do not have. The answer is the token's ceiling.
    fn check_token(&self, by: By<'_>, new: &NewToken, user: &User) -> Result<Grade, AccessError> {
        let name_fits = (1..=NAME_CHARS_MAX).contains(&new.name.chars().count())
            && !new.name.chars().any(char::is_control);
        if !name_fits {
            let reason = "has 1 to 64 printable characters";
            return Err(AccessError::InvalidName { what: "a token's name", reason });
        }
        if new.expires <= by.now {
            return Err(AccessError::InvalidExpiry("the token would be expired already"));
        }
        if new.expires > by.now.saturating_add(TOKEN_LIFE_DAYS_MAX * NANOS_A_DAY) {
            return Err(AccessError::InvalidExpiry("a token lives two years at most"));
        }
        // A session ends and what it made stays; a token that could make longer-lived ones would
        // never end.
        let is_token = by.caller.via == Via::Token;
        if is_token && by.caller.expires.is_some_and(|expires| new.expires > expires) {
            return Err(AccessError::InvalidExpiry("a token made with a token ends with it"));
        }
        let exceeds = |action, what| Denied { action, reason: DeniedReason::Exceeds { what } };
        for action in &new.actions {
            let here = self.decide(by.caller, *action, by.caller.scope()).is_ok();
            if !here && self.decide(by.caller, *action, Scope::NODE).is_err() {
                return Err(exceeds(*action, "permissions").into());
            }
        }
        let highest = user.ceiling.min(by.caller.ceiling);
        match new.ceiling {
            Some(ceiling) if ceiling > highest => {
                Err(exceeds(Action::TokenWrite, "a ceiling").into())
            }
            ceiling => Ok(ceiling.unwrap_or(highest)),
        }
    }

    /// The caller of a token's secret; none when there is no such token any more, it has expired,
    /// or its user is disabled.
    pub fn by_token(&self, secret: &str, now: Timestamp) -> Option<Caller> {
        let key = key_of(secret.starts_with(TOKEN_PREFIX).then_some(secret)?)?;
        if let Some(caller) = self.command_line(&key) {
            return Some(caller);
        }
        let known = self.lookup(&key, |access| access.find_token(&key))?;
        let Found::Token { id } = &known.found else { return None };
        if is_over(&known.caller, now) {
            return None;
        }
        self.touch(id, now);
        Some(known.caller.clone())
    }

    /// The tokens of a tenant, or of one of its users, in the order of their ids.
    ///
    /// # Errors
    /// [`AccessError`] when the store cannot be read.
    pub fn tokens(
        &self,
        tenant: TenantId,
        user: Option<&Identifier>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<TokenView>, AccessError> {
        let store = self.store();
        let page = match user {
            Some(user) => store.by_index::<Tokens>(tenant, "user", &user.folded(), after, limit)?,
            None => store.list::<Tokens>(tenant, "", after, limit)?,
        };
        let items = page.items.into_iter().map(|token| self.token_view(token.record)).collect();
        Ok(Page { items, next: page.next })
    }

    /// A token for lists.
    pub fn token_view(&self, token: Token) -> TokenView {
        let last_used = self.last_used(&token.id);
        let Token { id, name, user, actions, ceiling, created, expires, .. } = token;
        TokenView { id, name, user, actions, ceiling, created, expires, last_used }
    }

    /// Ends a token. Its own user may do so, and whoever may change tokens.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn revoke_token(
        &self,
        by: By<'_>,
        tenant: TenantId,
        id: &str,
    ) -> Result<(), AccessError> {
        self.require(by, Action::TokenWrite, tenant)?;
        let found = self.store().get::<Tokens>(tenant, id)?;
        let found = found.ok_or_else(|| AccessError::NotFound { what: "token", key: id.into() })?;
        if found.record.user != by.caller.principal {
            self.require(by, Action::UserWrite, tenant)?;
        }
        let mut commit = by.commit(tenant, "token.delete");
        commit.delete_in::<Tokens>(tenant, id, Expect::Version(found.version));
        commit.delete_in::<TokenKeys>(TenantId::NODE, found.record.key, Expect::Any);
        self.store().commit(commit).await?;
        Ok(())
    }

    fn find_token(&self, key: &str) -> Result<Option<Known>, AccessError> {
        let Some((tenant, token, user)) = self.live_token(key)? else { return Ok(None) };
        let caller = self.caller_of_user(tenant, &user, Via::Token, |basis| {
            basis.key = Some(key.to_owned());
            basis.actions = Some(token.actions.clone());
        });
        let ceiling = caller.ceiling.min(token.ceiling);
        let caller = Caller { expires: Some(token.expires), ceiling, ..caller };
        Ok(Some(Known { caller, found: Found::Token { id: token.id.into() } }))
    }

    /// A token and its user, when the user is there and not disabled. Whether the token has expired
    /// is not looked at.
    pub(crate) fn live_token(
        &self,
        key: &str,
    ) -> Result<Option<(TenantId, Token, Versioned<User>)>, AccessError> {
        let Some(found) = self.store().get::<TokenKeys>(TenantId::NODE, key)? else {
            return Ok(None);
        };
        let TokenKey { tenant, id } = found.record;
        let Some(token) = self.store().get::<Tokens>(tenant, &id)? else { return Ok(None) };
        let Some(user) = self.user(tenant, &token.record.user)? else { return Ok(None) };
        Ok((!user.record.disabled).then_some((tenant, token.record, user)))
    }

    pub(crate) fn tokens_of(
        &self,
        tenant: TenantId,
        user: &str,
    ) -> Result<Vec<Versioned<Token>>, AccessError> {
        // Twice the bound: two that are made at the same time may both stay below it.
        let limit = 2 * TOKENS_A_USER_MAX;
        Ok(self.store().by_index::<Tokens>(tenant, "user", user, None, limit)?.items)
    }
}
