//! Throttled sign-in: after some failures, each further one doubles the wait.
//!
//! Failures are counted by what was typed, whether there is such a user or not, and what an attempt
//! that succeeds had counted is taken back and nothing else: nobody can tell from their own waiting
//! whether somebody is known here or has just signed in.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use weir_model::Timestamp;

/// Failures of one user from one address before that address has to wait.
pub const TRIES_FREE_A_USER: u32 = 5;

/// Failures of one user from all addresses together before everybody has to wait who tries as that
/// user. One address alone does not get so far, see [`TRIES_FREE_A_REMOTE`], and so keeps nobody
/// out who is elsewhere.
pub const TRIES_FREE_A_USER_ANYWHERE: u32 = 100;

/// Failures from one address before it has to wait: several people may share one.
pub const TRIES_FREE_A_REMOTE: u32 = 20;

/// Longest wait of a user. It is short, since a stranger's failures count too, and must not keep
/// the real one out for long.
pub const WAIT_A_USER_MAX: Duration = Duration::from_secs(60);

/// Longest wait of an address.
pub const WAIT_A_REMOTE_MAX: Duration = Duration::from_secs(15 * 60);

/// Users, users at an address, and addresses that are remembered, each; some 100 bytes for one.
pub const THROTTLED_MAX: usize = 4096;

/// After this long without a failure, all is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30 * 60);

/// Whose password is tried.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    /// Of whoever it is that was typed, in lower case.
    Typed(String),
    /// The caller's own, by folded identifier. Strangers' failures do not count here.
    Own(String),
}

/// The failures of users and addresses.
#[derive(Debug)]
pub(crate) struct Throttle {
    users: Table<(Account, Option<IpAddr>)>,
    anywhere: Table<Account>,
    remotes: Table<IpAddr>,
}

/// An attempt that counts as a failure until it is taken back.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    account: Account,
    network: Option<IpAddr>,
    at: Timestamp,
    /// When the failures before it were.
    user_before: Timestamp,
    anywhere_before: Timestamp,
    remote_before: Timestamp,
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
            anywhere: Table::new(TRIES_FREE_A_USER_ANYWHERE, WAIT_A_USER_MAX),
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
        account: Account,
        remote: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Attempt, Duration> {
        let network = remote.map(network);
        let user = (account, network);
        let of_remote = network.map_or(Duration::ZERO, |network| self.remotes.wait(&network, now));
        let of_user = self.users.wait(&user, now).max(self.anywhere.wait(&user.0, now));
        let wait = of_user.max(of_remote);
        if !wait.is_zero() {
            return Err(wait);
        }
        let user_before = self.users.add(user.clone(), now);
        let anywhere_before = self.anywhere.add(user.0.clone(), now);
        let remote_before = network.map_or(now, |network| self.remotes.add(network, now));
        let (account, network) = user;
        Ok(Attempt { account, network, at: now, user_before, anywhere_before, remote_before })
    }

    /// The attempt succeeded or was not looked at. Earlier failures stay: whoever made them may be
    /// somebody else, and an address may have an account of its own and try others'.
    pub(crate) fn take_back(&mut self, attempt: Attempt) {
        let Attempt { account, network, at, user_before, anywhere_before, remote_before } = attempt;
        self.anywhere.take_back(&account, at, anywhere_before);
        self.users.take_back(&(account, network), at, user_before);
        if let Some(network) = network {
            self.remotes.take_back(&network, at, remote_before);
        }
    }
}

impl<K: Hash + Eq + Clone> Table<K> {
    fn new(free: u32, wait_max: Duration) -> Self {
        Self { failures: HashMap::new(), free, wait_max }
    }

    /// How long it has to wait from now on.
    fn wait(&self, key: &K, now: Timestamp) -> Duration {
        let Some(failures) = self.failures.get(key) else { return Duration::ZERO };
        let Some(beyond) = failures.count.checked_sub(self.free) else { return Duration::ZERO };
        // 1 s, 2 s, 4 s, ...; 2^16 s is beyond every bound.
        let wait = Duration::from_secs(1 << beyond.min(16)).min(self.wait_max);
        wait.saturating_sub(since(failures.last, now))
    }

    /// Counts a failure, and says when the one before it was; now, if there was none.
    fn add(&mut self, key: K, now: Timestamp) -> Timestamp {
        if !self.failures.contains_key(&key) && self.failures.len() >= THROTTLED_MAX {
            self.make_room(now);
        }
        let failures = self.failures.entry(key).or_insert(Failures { count: 0, last: now });
        if since(failures.last, now) >= FORGOTTEN_AFTER {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        std::mem::replace(&mut failures.last, now)
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

    /// Makes it as if the failure at a time had not been, unless there was another one since.
    fn take_back(&mut self, key: &K, at: Timestamp, before: Timestamp) {
        if let Some(failures) = self.failures.get_mut(key) {
            failures.count = failures.count.saturating_sub(1);
            if failures.last == at {
                failures.last = before;
            }
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
