//! What is remembered in memory: callers by secret, verdicts, policies. All of it is forgotten as
//! soon as the store says that something it rests on has changed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use weir_model::{Grade, Identifier, TenantId, Timestamp};

use crate::action::Action;
use crate::caller::Caller;
use crate::policy::{Rules, Verdict};

/// Most secrets whose callers are remembered; some 500 bytes each.
pub const LOOKUPS_MAX: usize = 2048;

/// Most verdicts that are remembered; some 150 bytes each.
pub const DECISIONS_MAX: usize = 8192;

/// Most tenants whose policies are kept parsed.
const RULES_MAX: usize = 64;

/// Most sessions and tokens of which it is known when they were last used.
const USES_MAX: usize = 4096;

/// The caller of a secret, as far as it does not change with every call.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) caller: Caller,
    pub(crate) found: Found,
}

#[derive(Debug)]
pub(crate) enum Found {
    Session { csrf: Arc<str>, seen: Timestamp },
    Token { id: Arc<str> },
}

/// What a verdict holds for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) principal: Identifier,
    /// Whether it is a part of Weir, which no user can be.
    pub(crate) is_system: bool,
    /// The caller's own tenant: a part of Weir is asked for one now and for another then.
    pub(crate) home: TenantId,
    pub(crate) user_version: u64,
    /// A token's may be lower than its user's.
    pub(crate) ceiling: Grade,
    pub(crate) action: Action,
    pub(crate) tenant: TenantId,
}

#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// The position of the change feed up to which changes are taken into account.
    pub(crate) position: u64,
    /// Counts the changes, so that what was read before one is not remembered after it.
    pub(crate) changes: u64,
    pub(crate) lookups: Bounded<String, Arc<Known>>,
    pub(crate) decisions: Bounded<Question, Verdict>,
    pub(crate) rules: Bounded<TenantId, Arc<Rules>>,
    /// How often each tenant's policies have changed since the node started.
    pub(crate) policies: HashMap<TenantId, u64>,
    /// When sessions (by key) and tokens (by id) were last used.
    pub(crate) uses: Bounded<String, Timestamp>,
}

impl Cache {
    pub(crate) fn new(position: u64) -> Self {
        Self {
            position,
            lookups: Bounded::new(LOOKUPS_MAX),
            decisions: Bounded::new(DECISIONS_MAX),
            rules: Bounded::new(RULES_MAX),
            uses: Bounded::new(USES_MAX),
            ..Self::default()
        }
    }

    /// The revisions of the policies that decide for a tenant's users.
    pub(crate) fn policies_of(&self, tenant: TenantId) -> (u64, u64) {
        let of = |tenant| self.policies.get(&tenant).copied().unwrap_or(0);
        (of(TenantId::NODE), of(tenant))
    }

    /// A user, session or token has changed.
    pub(crate) fn forget_callers(&mut self) {
        self.changes += 1;
        self.lookups.clear();
    }

    /// A tenant's policies have changed.
    pub(crate) fn forget_policies(&mut self, tenant: TenantId) {
        *self.policies.entry(tenant).or_default() += 1;
        self.forget_verdicts();
    }

    /// Verdicts may rest on users or policies that have changed.
    pub(crate) fn forget_verdicts(&mut self) {
        self.decisions.clear();
        self.rules.clear();
        self.forget_callers();
    }
}

/// A map that is emptied when it is full: what is still in use is back at once, and nothing has to
/// be kept in order for it.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    map: HashMap<K, V>,
    max: usize,
}

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self { map: HashMap::new(), max: 0 }
    }
}

impl<K: Hash + Eq, V: Clone> Bounded<K, V> {
    fn new(max: usize) -> Self {
        Self { map: HashMap::new(), max }
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.map.get(key).cloned()
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.map.len() >= self.max && !self.map.contains_key(&key) {
            self.map.clear();
        }
        self.map.insert(key, value);
    }

    fn clear(&mut self) {
        self.map.clear();
    }
}

#[cfg(test)]
mod tests;
