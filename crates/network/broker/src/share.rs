//! What tenants share without being able to starve each other: the journal, connections, wills.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use weir_model::TenantId;

use crate::message::now_ms;

/// Between two lines of the log about one tenant and one pool.
const QUIET_MS: i64 = 60_000;

/// A bounded amount of something, of which each tenant has a [`Share`].
#[derive(Debug)]
pub(crate) struct Pool {
    /// What it is, for the log.
    what: &'static str,
    max: u64,
    taken: AtomicU64,
}

impl Pool {
    pub(crate) fn new(what: &'static str, max: u64) -> Arc<Self> {
        Arc::new(Self { what, max, taken: AtomicU64::new(0) })
    }
}

/// What one tenant has of a pool: at most three quarters of what the others have left. One alone
/// has three quarters of all, two have three sevenths each, and a tenant that comes new always finds
/// room, whatever the others do.
///
/// The bound is looked at before something is taken, not while: tasks that take at the same moment
/// may together overrun it by what each of them takes.
pub(crate) struct Share {
    tenant: TenantId,
    pool: Arc<Pool>,
    taken: AtomicU64,
    /// When the log has said that something was refused, in milliseconds since 1970; 0: it has not,
    /// since there was room.
    warned_ms: AtomicI64,
}

impl Share {
    pub(crate) fn new(tenant: TenantId, pool: &Arc<Pool>) -> Arc<Self> {
        Arc::new(Self {
            tenant,
            pool: Arc::clone(pool),
            taken: AtomicU64::new(0),
            warned_ms: AtomicI64::new(0),
        })
    }

    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    /// How much more the tenant may take.
    pub(crate) fn room(&self) -> u64 {
        let own = self.taken.load(Relaxed);
        let others = self.pool.taken.load(Relaxed).saturating_sub(own);
        let left = self.pool.max.saturating_sub(others);
        let room = (left - left / 4).saturating_sub(own);
        if room >= own && self.warned_ms.load(Relaxed) != 0 {
            self.forget_warning(now_ms()); // half of it is free again
        }
        room
    }

    fn forget_warning(&self, now_ms: i64) {
        // Too large a message is refused at any time; that is not worth a line each, either.
        if (now_ms - self.warned_ms.load(Relaxed)).abs() >= QUIET_MS {
            self.warned_ms.store(0, Relaxed);
        }
    }

    /// Something did not fit and was refused. The log says so once, and again when there was room in
    /// between and a minute has passed.
    pub(crate) fn refused(&self) {
        if self.warned_ms.compare_exchange(0, now_ms(), Relaxed, Relaxed).is_ok() {
            tracing::warn!(
                tenant = %self.tenant,
                taken = self.taken(),
                "a tenant has its share of the MQTT broker's {}; more is refused until some is free",
                self.pool.what
            );
        }
    }

    /// Adds, whether it fits or not.
    pub(crate) fn add(&self, amount: u64) {
        self.taken.fetch_add(amount, Relaxed);
        self.pool.taken.fetch_add(amount, Relaxed);
    }

    /// Gives back.
    pub(crate) fn sub(&self, amount: u64) {
        self.pool.taken.fetch_sub(amount, Relaxed);
        self.taken.fetch_sub(amount, Relaxed);
    }

    /// Takes an amount until the answer is dropped; none when it does not fit.
    pub(crate) fn take(self: &Arc<Self>, amount: u64) -> Option<Held> {
        if amount > self.room() {
            self.refused();
            return None;
        }
        self.add(amount);
        Some(Held { share: Arc::clone(self), amount })
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("tenant", &self.tenant)
            .field("what", &self.pool.what)
            .field("taken", &self.taken())
            .finish_non_exhaustive()
    }
}

/// An amount that is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    share: Arc<Share>,
    amount: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.share.sub(self.amount);
    }
}
