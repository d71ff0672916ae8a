//! Who asks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_model::{Author, Grade, Identifier, RequestId, TenantId, Timestamp};

use crate::action::Action;

/// Hexadecimal digits by which a token or session is told from others: 64 bits.
const CREDENTIAL_DIGITS: usize = 16;

/// Where something is to be done: in a tenant, or with [`TenantId::NODE`] at the node as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The tenant whose records are meant.
    pub tenant: TenantId,
}

impl Scope {
    /// The node as a whole.
    pub const NODE: Self = Self { tenant: TenantId::NODE };

    /// The scope of a tenant.
    pub const fn of(tenant: TenantId) -> Self {
        Self { tenant }
    }
}

/// How a caller showed who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// Not at all.
    Anonymous,
    /// With a session's secret.
    Session,
    /// With a token.
    Token,
    /// With a name and a password, for as long as a connection lasts.
    Password,
    /// It is a part of Weir itself.
    System,
}

/// Who asks. Made by [`crate::Access`] only; cloning is cheap.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The identifier by which the audit names it.
    pub principal: Identifier,
    /// The name for people.
    pub name: Arc<str>,
    /// The tenant it belongs to; [`TenantId::NODE`] for the anonymous.
    pub tenant: TenantId,
    /// The highest grade it sees.
    pub ceiling: Grade,
    /// Its roles.
    pub roles: Arc<[String]>,
    /// How it showed who it is.
    pub via: Via,
    /// Until when, at the latest; none for the anonymous, for connections by password and for parts of
    /// Weir.
    pub expires: Option<Timestamp>,
    pub(crate) basis: Arc<Basis>,
}

/// What a caller rests on. When any of it changes, the caller is no longer what it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Basis {
    /// The key of the session's or token's record: the SHA-256 of the secret in hexadecimal.
    pub(crate) key: Option<String>,
    /// The serial of the password of a connection.
    pub(crate) password: Option<u64>,
    /// The version of the user's document.
    pub(crate) user_version: u64,
    /// What a token is limited to.
    pub(crate) actions: Option<Vec<Action>>,
    /// The revisions of the node's and the tenant's policies.
    pub(crate) policies: (u64, u64),
}

impl Caller {
    /// Whether it may see a row of a tenant and a grade. This says nothing about what it may do:
    /// [`crate::Access::decide`] comes first.
    pub fn sees(&self, tenant: TenantId, grade: Grade) -> bool {
        self.tenant == tenant && grade <= self.ceiling
    }

    /// Whether nobody is behind it.
    pub fn is_anonymous(&self) -> bool {
        self.via == Via::Anonymous
    }

    /// The scope of its own tenant.
    pub fn scope(&self) -> Scope {
        Scope { tenant: self.tenant }
    }

    /// The author of a change of its own tenant's records.
    pub fn author(&self, cause: &str, request: RequestId) -> Author {
        self.author_in(self.tenant, cause, request)
    }

    /// The author of a change of a tenant's records.
    pub fn author_in(&self, tenant: TenantId, cause: &str, request: RequestId) -> Author {
        Author { tenant, principal: self.principal.clone(), cause: cause.to_owned(), request }
    }

    /// What tells its token or session from others of its user, and nothing of the secret: the first
    /// digits of the SHA-256 of it. None where there is neither.
    pub fn credential(&self) -> Option<&str> {
        self.basis.key.as_deref().and_then(|key| key.get(..CREDENTIAL_DIGITS))
    }

    /// What its token is limited to; none when it has no such limit.
    pub fn limited_to(&self) -> Option<&[Action]> {
        self.basis.actions.as_deref()
    }
}

/// Who changes something, in which request, and when.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// In which request.
    pub request: RequestId,
    /// When.
    pub now: Timestamp,
}

impl<'a> By<'a> {
    /// Puts the three together.
    pub const fn new(caller: &'a Caller, request: RequestId, now: Timestamp) -> Self {
        Self { caller, request, now }
    }

    pub(crate) fn commit(&self, tenant: TenantId, cause: &str) -> weir_store::Commit {
        weir_store::Commit::new(self.caller.author_in(tenant, cause, self.request), self.now)
    }
}
