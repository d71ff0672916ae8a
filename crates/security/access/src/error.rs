//! What can go wrong, and why something is denied.

use std::time::Duration;

use weir_model::{Identifier, IdentifierError, ProblemCode};
use weir_store::{CommitError, FeedError, StoreError};

use crate::action::Action;
use crate::password::WeakPassword;
use crate::policy::PolicyError;

/// An action that a caller may not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action} is not permitted: {reason}")]
pub struct Denied {
    /// The action.
    pub action: Action,
    /// Why not.
    pub reason: DeniedReason,
}

/// Why an action is denied. The codes of [`DeniedReason::code`] are stable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeniedReason {
    /// Nobody is signed in, and what was asked for is not public.
    #[error("sign in first")]
    Anonymous,
    /// No policy permits it.
    #[error("no policy permits it")]
    NotPermitted,
    /// A policy forbids it.
    #[error("the policy {policy} forbids it")]
    Forbidden {
        /// The policy, as `SOURCE#NUMBER`.
        policy: String,
    },
    /// The token that was used is limited to other actions.
    #[error("the token is not made for it")]
    TokenScope,
    /// It would give somebody more than the caller has.
    #[error("nobody can give {what} beyond their own")]
    Exceeds {
        /// What: `permissions`, `a role`, `a ceiling`.
        what: &'static str,
    },
    /// Nobody may take their own account away.
    #[error("nobody can disable, delete or demote themselves")]
    Oneself,
    /// A stored policy cannot be read any more, so nothing is permitted until it is put right.
    #[error("a stored policy of the tenant is not valid")]
    PolicyInvalid,
    /// The policies could not be read or evaluated.
    #[error("the policies could not be evaluated")]
    Failed,
}

impl DeniedReason {
    /// The stable code, for the audit and for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::NotPermitted => "not-permitted",
            Self::Forbidden { .. } => "forbidden-by-policy",
            Self::TokenScope => "token-scope",
            Self::Exceeds { .. } => "exceeds-own",
            Self::Oneself => "oneself",
            Self::PolicyInvalid => "policy-invalid",
            Self::Failed => "failed",
        }
    }
}

/// Why a sign-in did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// There is no such user, the password is another, or the user is disabled: it is not told
    /// which.
    #[error("the user name or the password is wrong")]
    Wrong,
    /// Too many attempts failed.
    #[error("too many sign-ins failed; try again in {} s", retry_after.as_secs().max(1))]
    Throttled {
        /// When the next attempt is looked at, from now on.
        retry_after: Duration,
    },
    /// Too many sign-ins are being checked at this moment.
    #[error("too many sign-ins at this moment")]
    Busy,
    /// Something else went wrong.
    #[error("sign in")]
    Failed(#[source] Box<AccessError>),
}

impl SignInError {
    /// The stable code, for the audit.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Throttled { .. } => "throttled",
            Self::Busy => "busy",
            Self::Failed(_) => "failed",
        }
    }
}

impl From<AccessError> for SignInError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Busy => Self::Busy,
            other => Self::Failed(Box::new(other)),
        }
    }
}

/// What can go wrong with users, tokens, policies and sessions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The caller may not do it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The new password is too easily guessed.
    #[error(transparent)]
    WeakPassword(#[from] WeakPassword),
    /// The password that was to be changed is another.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The name is not one.
    #[error("{what} {reason}")]
    InvalidName {
        /// Of what: `a user name`, `a role`, `a policy's name`, `a token's name`.
        what: &'static str,
        /// What it has to be like.
        reason: &'static str,
    },
    /// Another user of the organisation has the name.
    #[error("another user of the organisation is called {0}")]
    NameTaken(String),
    /// The identifier made from the name is not one.
    #[error("make an identifier of the name")]
    Identifier(#[from] IdentifierError),
    /// There is no such user, token or policy.
    #[error("there is no {what} {key}")]
    NotFound {
        /// `user`, `token` or `policy`.
        what: &'static str,
        /// Its key.
        key: String,
    },
    /// A bound is reached.
    #[error("there are {max} {what} already, which is the most there can be")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there can be.
        max: usize,
    },
    /// A token expires too late, or is expired already.
    #[error("{0}")]
    InvalidExpiry(&'static str),
    /// A token without a user of its own, made by a principal that is none, such as the command line
    /// beside the node.
    #[error("a token acts as a user, and {0} is none: name the user")]
    NoUser(Identifier),
    /// The policy's text is not one.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// It was changed by somebody else in the meantime.
    #[error("it was changed by somebody else in the meantime")]
    Conflict {
        /// The version it has now; none where it does not exist.
        current: Option<u64>,
    },
    /// Too many guesses at the current password were wrong.
    #[error("too many wrong passwords; try again in {} s", retry_after.as_secs().max(1))]
    Throttled {
        /// When the next attempt is looked at, from now on.
        retry_after: Duration,
    },
    /// Too much is waiting already.
    #[error("too much is being done at this moment")]
    Busy,
    /// The system gives no random numbers.
    #[error("draw a random number")]
    Random,
    /// Hashing a password failed.
    #[error("hash a password")]
    Hashing,
    /// The store cannot be read.
    #[error("read who may do what")]
    Store(#[from] StoreError),
    /// The change feed cannot be read.
    #[error("follow the changes of who may do what")]
    Feed(#[from] FeedError),
    /// The store refused the change.
    #[error("write who may do what")]
    Commit(#[source] CommitError),
}

impl AccessError {
    /// The code of the problem it is answered with.
    pub const fn problem(&self) -> ProblemCode {
        match self {
            Self::Denied(Denied { reason: DeniedReason::Anonymous, .. }) => {
                ProblemCode::Unauthenticated
            }
            Self::Denied(_) | Self::WrongPassword => ProblemCode::Forbidden,
            Self::WeakPassword(_)
            | Self::InvalidName { .. }
            | Self::Identifier(_)
            | Self::InvalidExpiry(_)
            | Self::NoUser(_)
            | Self::Policy(_) => ProblemCode::InvalidValue,
            Self::NameTaken(_) | Self::TooMany { .. } => ProblemCode::Conflict,
            Self::NotFound { .. } => ProblemCode::NotFound,
            Self::Conflict { .. } => ProblemCode::VersionConflict,
            Self::Throttled { .. } => ProblemCode::TooManyRequests,
            Self::Busy
            | Self::Commit(_)
            | Self::Store(StoreError::DiskFull)
            | Self::Feed(FeedError::Store(StoreError::DiskFull)) => ProblemCode::Unavailable,
            Self::Random | Self::Hashing | Self::Store(_) | Self::Feed(_) => ProblemCode::Internal,
        }
    }
}

impl From<CommitError> for AccessError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { current, .. } => Self::Conflict { current },
            CommitError::Busy => Self::Busy,
            other => Self::Commit(other),
        }
    }
}
