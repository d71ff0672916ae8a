//! Throttled sign-in: after some failures, each further one doubles the wait.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use weir_model::Timestamp;

/// Failures of one user before it has to wait.
pub const TRIES_FREE_A_USER: u32 = 5;

/// Failures from one address before it has to wait: several people may share one.
pub const TRIES_FREE_A_REMOTE: u32 = 20;

/// Longest wait of a user. It is short, since a stranger's failures count too, and must not keep
/// the real one out for long.
pub const WAIT_A_USER_MAX: Duration = Duration::from_secs(60);

/// Longest wait of an address.
pub const WAIT_A_REMOTE_MAX: Duration = Duration::from_secs(15 * 60);

/// Users and addresses that are remembered, each; some 100 bytes for one.
pub const THROTTLED_MAX: usize = 4096;

/// After this long without a failure, all is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30 * 60);

/// The failures of users and addresses.
#[derive(Debug)]
pub(crate) struct Throttle {
    users: Table<String>,
    remotes: Table<IpAddr>,
}

#[derive(Debug)]
struct Table<K> {
    failures: HashMap<K, Failures>,
    free: u32,
    wait_max: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            users: Table::new(TRIES_FREE_A_USER, WAIT_A_USER_MAX),
            remotes: Table::new(TRIES_FREE_A_REMOTE, WAIT_A_REMOTE_MAX),
        }
    }
}

impl Throttle {
    /// Begins an attempt: it counts as a failure until it is known to be none, so that many at the
    /// same time do not slip through.
    ///
    /// # Errors
    /// How long to wait.
    pub(crate) fn begin(
        &mut self,
        user: &str,
        remote: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Duration> {
        let remote = remote.map(network);
        let of_remote = remote.map_or(Duration::ZERO, |remote| self.remotes.wait(&remote, now));
        let wait = self.users.wait(user, now).max(of_remote);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.users.add(user.to_owned(), now);
        if let Some(remote) = remote {
            self.remotes.add(remote, now);
        }
        Ok(())
    }

    /// The attempt succeeded. The address's earlier failures stay: it may have an account of its
    /// own and try others'.
    pub(crate) fn succeeded(&mut self, user: &str, remote: Option<IpAddr>) {
        self.users.failures.remove(user);
        if let Some(remote) = remote {
            self.remotes.take_back(&network(remote));
        }
    }

    /// The attempt was not looked at.
    pub(crate) fn not_tried(&mut self, user: &str, remote: Option<IpAddr>) {
        self.users.take_back(user);
        if let Some(remote) = remote {
            self.remotes.take_back(&network(remote));
        }
    }
}

impl<K: Hash + Eq + Clone> Table<K> {
    fn new(free: u32, wait_max: Duration) -> Self {
        Self { failures: HashMap::new(), free, wait_max }
    }

    /// How long it has to wait from now on.
    fn wait<Q: Hash + Eq + ?Sized>(&self, key: &Q, now: Timestamp) -> Duration
    where
        K: std::borrow::Borrow<Q>,
    {
        let Some(failures) = self.failures.get(key) else { return Duration::ZERO };
        let Some(beyond) = failures.count.checked_sub(self.free) else { return Duration::ZERO };
        // 1 s, 2 s, 4 s, ...; 2^16 s is beyond every bound.
        let wait = Duration::from_secs(1 << beyond.min(16)).min(self.wait_max);
        wait.saturating_sub(since(failures.last, now))
    }

    fn add(&mut self, key: K, now: Timestamp) {
        if !self.failures.contains_key(&key) && self.failures.len() >= THROTTLED_MAX {
            self.make_room(now);
        }
        let failures = self.failures.entry(key).or_insert(Failures { count: 0, last: now });
        if since(failures.last, now) >= FORGOTTEN_AFTER {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Forgets what is old; if nothing is, the one with the fewest failures, so that a crowd of
    /// invented names does not wash out the one that is being guessed at.
    fn make_room(&mut self, now: Timestamp) {
        self.failures.retain(|_, failures| since(failures.last, now) < FORGOTTEN_AFTER);
        if self.failures.len() >= THROTTLED_MAX {
            let least = self.failures.iter().min_by_key(|(_, f)| (f.count, f.last));
            if let Some(key) = least.map(|(key, _)| key.clone()) {
                self.failures.remove(&key);
            }
        }
    }

    fn take_back<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        if let Some(failures) = self.failures.get_mut(key) {
            failures.count = failures.count.saturating_sub(1);
            if failures.count == 0 {
                self.failures.remove(key);
            }
        }
    }
}

/// An IPv6 host commands a whole /64, so its addresses count as one.
fn network(remote: IpAddr) -> IpAddr {
    match remote.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

/// The time between two instants; a clock that was set back counts as none passed.
fn since(earlier: Timestamp, now: Timestamp) -> Duration {
    let nanos = now.nanos().saturating_sub(earlier.nanos());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

#[cfg(test)]
mod tests;
