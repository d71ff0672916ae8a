//! Access: who somebody is, and what they may do.
//!
//! Everything is denied that no policy permits. Whoever asks is a [`Caller`]: somebody signed in, a
//! token, a part of Weir itself, or the anonymous visitor, who has no permission and the lowest
//! ceiling. [`Access::decide`] answers whether a caller may do an [`Action`] in a tenant; the rules
//! are Cedar policies, evaluated once per caller, action and tenant and then remembered until a
//! policy or the user changes. Rows are filtered without Cedar, by two integers:
//! [`Caller::sees`]. A caller that is no longer what it was (signed out, revoked, disabled, given
//! other roles or policies) ends its open streams through [`Access::revoked`].
//!
//! What it is not: it knows no HTTP (cookies and headers are the API's) and keeps no audit (that
//! follows the change feed).
//!
//! ```
//! use weir_access::{Access, Action, Bootstrap, By, Options, Scope, SignInName};
//! use weir_model::{Prefix, RequestId, TenantId, Timestamp};
//! use weir_store::{Schema, Store};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let dir = tempfile::tempdir()?;
//! let store = Store::open(dir.path(), Access::schema(Schema::new()), Default::default())?;
//! let access = Access::open(store, Options::default())?;
//! let (tenant, now) = (TenantId(1), Timestamp::parse("2026-11-23T08:00:00Z")?);
//!
//! let system = access.system("start", tenant);
//! let first = Bootstrap::administrator(tenant, Prefix::parse("88.100")?, "admin");
//! let made = access.bootstrap(By::new(&system, RequestId(1), now), first, |_, _| {}).await?;
//! let made = made.expect("there is no user yet");
//!
//! let here = "127.0.0.1".parse()?;
//! let (name, nowhere) = (SignInName::parse("admin"), |_: &Prefix| Ok(None));
//! let signed_in = access.sign_in(&name, nowhere, &made.password, here, RequestId(2), now).await?;
//! let scope = Scope { tenant };
//! assert!(access.decide(&signed_in.caller, Action::DeviceWrite, scope).is_ok());
//! assert!(access.decide(&access.anonymous(), Action::TagRead, scope).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod action;
mod bootstrap;
mod cache;
mod caller;
mod connection;
mod control;
mod decide;
mod error;
mod password;
mod policy;
mod revocation;
mod secret;
mod session;
mod sign_in_name;
mod throttle;
mod token;
mod user;

pub use access::{Access, Options};
pub use action::{Action, ActionError};
pub use bootstrap::{Bootstrap, Bootstrapped};
pub use cache::{DECISIONS_MAX, LOOKUPS_MAX};
pub use caller::{By, Caller, Scope, Via};
pub use error::{AccessError, Denied, DeniedReason, SignInError};
pub use password::{
    HASHING_MAX, HASHING_WAITING_MAX, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, WeakPassword,
    generate_password,
};
pub use policy::{
    DEFAULT_POLICIES, POLICIES_A_TENANT_MAX, POLICY_BYTES_MAX, Policies, Policy, PolicyError,
    SCHEMA,
};
pub use secret::same_secret;
pub use session::{SESSIONS_A_USER_MAX, Session, Sessions, SignedIn};
pub use sign_in_name::{FIRST_TENANT, SIGN_IN_SEPARATOR, SignInName};
pub use throttle::{
    THROTTLED_MAX, TRIES_FREE_A_REMOTE, TRIES_FREE_A_USER, TRIES_FREE_A_USER_ANYWHERE,
    WAIT_A_REMOTE_MAX, WAIT_A_USER_MAX,
};
pub use token::{
    NewToken, TOKEN_LIFE_DAYS_MAX, TOKENS_A_USER_MAX, Token, TokenKey, TokenKeys, TokenView, Tokens,
};
pub use user::{
    NewUser, Password, Passwords, ROLE_NODE_ADMINISTRATOR, ROLES, SignIn, SignIns, Subject, User,
    UserChange, Users,
};
