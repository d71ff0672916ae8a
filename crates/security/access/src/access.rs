//! The handle that the rest of Weir holds.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use weir_model::{Grade, Identifier, TenantId, Timestamp};
use weir_store::{Collection, FeedError, Schema, Store, Versioned};

use crate::cache::{Cache, Known};
use crate::caller::{Basis, Caller, Via};
use crate::error::AccessError;
use crate::password::{Hasher, PASSWORD_CHARS_MIN};
use crate::policy::{Engine, Policies};
use crate::session::Sessions;
use crate::throttle::Throttle;
use crate::token::{TokenKeys, Tokens};
use crate::user::{Passwords, SignIns, User, Users};

/// How often the use of sessions is written down and ended ones are removed.
const KEEPING: Duration = Duration::from_secs(60);

/// Feed entries that are read at a time.
const FEED_PAGE: usize = 256;

/// The prefix of the principals that are no users: parts of Weir, and nobody.
const OWN_PREFIX: &str = "weir";

/// What can be set.
#[derive(Clone)]
pub struct Options {
    /// How long a session lives without being used: a shift.
    pub session_idle: Duration,
    /// How long a session lives at the most: a day.
    pub session_life: Duration,
    /// Fewest characters of a new password.
    pub password_chars_min: usize,
    /// What time it is, for what happens by itself: streams that end, sessions that are removed.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Default for Options {
    fn default() -> Self {
        let clock = || Timestamp::from_system(std::time::SystemTime::now());
        Self {
            session_idle: Duration::from_secs(8 * 3600),
            session_life: Duration::from_secs(24 * 3600),
            password_chars_min: PASSWORD_CHARS_MIN,
            clock: Arc::new(clock),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("session_idle", &self.session_idle)
            .field("session_life", &self.session_life)
            .field("password_chars_min", &self.password_chars_min)
            .finish_non_exhaustive()
    }
}

/// Who somebody is and what they may do. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Access {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    options: Options,
    engine: Engine,
    hasher: Hasher,
    head: watch::Receiver<u64>,
    cache: Mutex<Cache>,
    throttle: Mutex<Throttle>,
    /// Counts what may have ended a caller.
    changed: watch::Sender<u64>,
    anonymous: Identifier,
    /// The key of the command line's token, and who it is.
    control: OnceLock<(String, Caller)>,
}

impl Access {
    /// Adds the collections of this crate to a schema.
    pub fn schema(schema: Schema) -> Schema {
        schema
            .with::<Users>()
            .with::<SignIns>()
            .with::<Passwords>()
            .with::<Sessions>()
            .with::<Tokens>()
            .with::<TokenKeys>()
            .with::<Policies>()
    }

    /// Begins with a store that was opened with [`Access::schema`]. Within a tokio runtime, which
    /// runs what happens by itself as long as any clone is held.
    ///
    /// # Errors
    /// [`AccessError`] when the store cannot be read.
    pub fn open(store: Store, options: Options) -> Result<Self, AccessError> {
        let head = store.head();
        let position = *head.borrow();
        let inner = Inner {
            engine: Engine::new()?,
            hasher: Hasher::new(),
            cache: Mutex::new(Cache::new(position)),
            throttle: Mutex::default(),
            changed: watch::Sender::new(0),
            anonymous: Identifier::parse(&format!("{OWN_PREFIX}/anonymous"))?,
            control: OnceLock::new(),
            head,
            store,
            options,
        };
        let access = Self { inner: Arc::new(inner) };
        tokio::spawn(follow(Arc::downgrade(&access.inner), access.inner.head.clone()));
        tokio::spawn(keep(Arc::downgrade(&access.inner)));
        Ok(access)
    }

    /// The anonymous visitor: the lowest ceiling, no roles, no tenant.
    pub fn anonymous(&self) -> Caller {
        let policies = self.current().policies_of(TenantId::NODE);
        self.caller(
            self.inner.anonymous.clone(),
            "anonymous",
            TenantId::NODE,
            Via::Anonymous,
            |b| {
                b.policies = policies;
            },
        )
    }

    /// A part of Weir itself, which may do and see everything in a tenant and at the node. `part`
    /// is a word such as `command-line`; the audit names it `weir/PART`.
    pub fn system(&self, part: &str, tenant: TenantId) -> Caller {
        let principal = Identifier::parse(&format!("{OWN_PREFIX}/{part}"));
        let principal = principal.unwrap_or_else(|_| self.inner.anonymous.clone());
        let caller = self.caller(principal, part, tenant, Via::System, |_| {});
        Caller { ceiling: Grade::Core, ..caller }
    }

    fn caller(
        &self,
        principal: Identifier,
        name: &str,
        tenant: TenantId,
        via: Via,
        basis: impl FnOnce(&mut Basis),
    ) -> Caller {
        let mut rests_on = Basis::default();
        basis(&mut rests_on);
        Caller {
            principal,
            name: name.into(),
            tenant,
            ceiling: Grade::Public,
            roles: Arc::from([]),
            via,
            expires: None,
            basis: Arc::new(rests_on),
        }
    }

    /// The caller that a user is.
    pub(crate) fn caller_of_user(
        &self,
        tenant: TenantId,
        user: &Versioned<User>,
        via: Via,
        basis: impl FnOnce(&mut Basis),
    ) -> Caller {
        let policies = self.current().policies_of(tenant);
        let record = &user.record;
        let name = record.full_name.as_deref().unwrap_or(&record.name);
        let caller = self.caller(record.id.clone(), name, tenant, via, |rests_on| {
            rests_on.user_version = user.version;
            rests_on.policies = policies;
            basis(rests_on);
        });
        Caller { ceiling: record.ceiling, roles: record.roles.clone().into(), ..caller }
    }

    pub(crate) fn control(&self) -> &OnceLock<(String, Caller)> {
        &self.inner.control
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn hasher(&self) -> &Hasher {
        &self.inner.hasher
    }

    /// How long a session lasts that nobody uses.
    pub fn session_idle(&self) -> Duration {
        self.inner.options.session_idle
    }

    /// How long a session lasts at the most.
    pub fn session_life(&self) -> Duration {
        self.inner.options.session_life
    }

    pub(crate) fn password_chars_min(&self) -> usize {
        self.inner.options.password_chars_min
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.inner.options.clock)()
    }

    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered, with every change taken into account that the store has accepted up to
    /// now.
    pub(crate) fn current(&self) -> MutexGuard<'_, Cache> {
        let mut cache = self.inner.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let head = *self.inner.head.borrow();
        if cache.position < head {
            let before = cache.changes;
            self.catch_up(&mut cache, head);
            if cache.changes != before {
                // Somebody who holds a stream may be affected.
                self.inner.changed.send_modify(|changes| *changes += 1);
            }
        }
        cache
    }

    fn catch_up(&self, cache: &mut Cache, head: u64) {
        while cache.position < head {
            match self.inner.store.feed(cache.position, FEED_PAGE) {
                Ok(entries) if entries.is_empty() => break,
                Ok(entries) => {
                    for entry in entries {
                        for change in entry.changes {
                            take_into_account(cache, change.tenant, &change.collection);
                        }
                        cache.position = entry.position;
                    }
                }
                Err(error) => {
                    // What has changed cannot be told, so everything may have.
                    if !matches!(error, FeedError::TooOld { .. }) {
                        tracing::error!(%error, "the change feed cannot be read");
                    }
                    let tenants: Vec<_> = cache.policies.keys().copied().collect();
                    tenants.into_iter().for_each(|tenant| cache.forget_policies(tenant));
                    cache.forget_policies(TenantId::NODE);
                    cache.position = head;
                }
            }
        }
    }

    /// The caller of a secret, remembered or found.
    pub(crate) fn lookup(
        &self,
        key: &str,
        find: impl FnOnce(&Self) -> Result<Option<Known>, AccessError>,
    ) -> Option<Arc<Known>> {
        let changes = {
            let cache = self.current();
            if let Some(known) = cache.lookups.get(key) {
                return Some(known);
            }
            cache.changes
        };
        let found = match find(self) {
            Ok(found) => Arc::new(found?),
            Err(error) => {
                tracing::error!(%error, "a caller cannot be looked up");
                return None;
            }
        };
        let mut cache = self.current();
        if cache.changes == changes {
            cache.lookups.insert(key.to_owned(), Arc::clone(&found));
        }
        Some(found)
    }

    /// A session (by key) or token (by id) was used.
    pub(crate) fn touch(&self, key: &str, now: Timestamp) {
        let mut cache = self.inner.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.uses.get(key).is_none_or(|last| last < now) {
            cache.uses.insert(key.to_owned(), now);
        }
    }

    /// When a session was last used, which was not before it was written down.
    pub(crate) fn last_seen(&self, key: &str, written: Timestamp) -> Timestamp {
        self.last_used(key).map_or(written, |used| used.max(written))
    }

    pub(crate) fn last_used(&self, key: &str) -> Option<Timestamp> {
        self.inner.cache.lock().unwrap_or_else(PoisonError::into_inner).uses.get(key)
    }
}

/// What one change makes invalid.
fn take_into_account(cache: &mut Cache, tenant: TenantId, collection: &str) {
    match collection {
        Policies::NAME => cache.forget_policies(tenant),
        Users::NAME => cache.forget_verdicts(),
        Passwords::NAME | Sessions::NAME | Tokens::NAME | TokenKeys::NAME => {
            cache.forget_callers();
        }
        _ => {}
    }
}

/// Takes changes into account as they come, so that open streams end by themselves.
async fn follow(access: Weak<Inner>, mut head: watch::Receiver<u64>) {
    while head.changed().await.is_ok() {
        let Some(inner) = access.upgrade() else { return };
        drop(Access { inner }.current());
    }
}

/// Writes down now and then which sessions are in use, and removes those that are over.
async fn keep(access: Weak<Inner>) {
    loop {
        tokio::time::sleep(KEEPING).await;
        let Some(inner) = access.upgrade() else { return };
        let access = Access { inner };
        let now = access.now();
        if let Err(error) = access.keep_sessions(now).await {
            tracing::warn!(%error, "the use of sessions is not written down");
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("options", &self.options).finish_non_exhaustive()
    }
}
