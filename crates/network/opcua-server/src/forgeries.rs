//! Addresses that keep showing what does not decrypt or is not signed by whom it says.
//!
//! Whoever wants to learn from the server's answers, or from how long they take, about its private
//! key has to make it compute on very many messages of his own choice (the advisory is named in
//! `docs/decisions/0014-opcua-server.md`). Nearly all of those fail, which honest clients hardly
//! ever do.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Failures that an address has free: a client that is being set up fails now and then.
pub const FORGERIES_FREE: u32 = 10;

/// Longest wait of an address, which then has one attempt more: a hundred a day.
pub const FORGERY_WAIT_MAX: Duration = Duration::from_secs(15 * 60);

/// Addresses that are remembered, some 50 bytes each. The one that failed least makes room.
pub const FORGERS_MAX: usize = 1_024;

/// After so long without a failure, an address is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);

/// Failures by address.
#[derive(Debug, Default)]
pub(crate) struct Forgeries(HashMap<IpAddr, Failures>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Forgeries {
    /// Whether an address has to wait before its connections are served again.
    pub(crate) fn is_barred(&self, address: IpAddr, now: Instant) -> bool {
        let Some(failures) = self.0.get(&network(address)) else { return false };
        let Some(beyond) = failures.count.checked_sub(FORGERIES_FREE) else { return false };
        // 1 s, 2 s, 4 s, ...; 2^16 s is beyond the bound.
        let wait = Duration::from_secs(1 << beyond.min(16)).min(FORGERY_WAIT_MAX);
        now.saturating_duration_since(failures.last) < wait
    }

    /// Counts a failure.
    pub(crate) fn count(&mut self, address: IpAddr, now: Instant) {
        let address = network(address);
        if !self.0.contains_key(&address) && self.0.len() >= FORGERS_MAX {
            self.make_room(now);
        }
        let failures = self.0.entry(address).or_insert(Failures { count: 0, last: now });
        if is_old(failures, now) {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        if failures.count == FORGERIES_FREE {
            tracing::warn!(%address, "much of what came for OPC UA from here could not be decrypted or was not signed by its sender; its connections wait from now on");
        }
    }

    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, failures| !is_old(failures, now));
        if self.0.len() >= FORGERS_MAX {
            let least = self.0.iter().min_by_key(|(_, failures)| (failures.count, failures.last));
            if let Some(address) = least.map(|(address, _)| *address) {
                self.0.remove(&address);
            }
        }
    }
}

fn is_old(failures: &Failures, now: Instant) -> bool {
    now.saturating_duration_since(failures.last) >= FORGOTTEN_AFTER
}

/// An IPv6 host commands a whole /64, so its addresses count as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests;
