//! How much one network has of something in a second: of bytes over UDP, since a source address is
//! easily made up, and an answer that is larger than its question would multiply what is sent to
//! somebody else; of sessions, since each costs a computation.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Networks that are told apart; those that share a place share its allowance.
const PLACES: usize = 1 << 14;

/// Seconds' worth that may be sent at once.
const BURST_S: u64 = 2;

/// An allowance for each network: of IPv4 the first 24 bits, of IPv6 the first 56.
pub(crate) struct Limiter {
    per_s: u64,
    hasher: RandomState,
    /// In each place the steady clock up to which it is used up, in microseconds.
    used: Box<[AtomicU64]>,
}

impl Limiter {
    pub(crate) fn new(per_s: u32) -> Self {
        let used = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Self { per_s: u64::from(per_s.max(1)), hasher: RandomState::new(), used }
    }

    /// Whether an address may have so many now; they are counted then.
    pub(crate) fn allows(&self, address: IpAddr, count: usize, now_ms: u64) -> bool {
        if address.is_loopback() {
            return true;
        }
        let network = match address {
            IpAddr::V4(address) => u64::from(address.to_bits() >> 8),
            IpAddr::V6(address) => (address.to_bits() >> 72) as u64 | 1 << 63,
        };
        let place = &self.used[self.hasher.hash_one(network) as usize % PLACES];
        let now = now_ms * 1000;
        let cost = (count as u64 * 1_000_000).div_ceil(self.per_s);
        let used = place.load(Ordering::Relaxed).max(now);
        if used + cost > now + BURST_S * 1_000_000 {
            return false;
        }
        // Two that count at once may count one of them: an allowance is no account.
        place.store(used + cost, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_an_allowance_that_comes_back() {
        let limiter = Limiter::new(1000);
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let neighbour: IpAddr = "192.0.2.200".parse().unwrap();
        assert!(limiter.allows(one, 1500, 0));
        assert!(!limiter.allows(neighbour, 1000, 0));
        assert!(limiter.allows(neighbour, 1000, 1000));
        assert!(limiter.allows("127.0.0.1".parse().unwrap(), 1 << 30, 0));
    }

    #[test]
    fn networks_of_both_families_are_told_apart() {
        let limiter = Limiter::new(1000);
        let free = ["198.51.100.1", "2001:db8::1", "2001:db8:0:100::1", "203.0.113.9"];
        let allowed = free.iter().filter(|text| limiter.allows(text.parse().unwrap(), 2000, 0));
        // A random hash may put two of four into one place, but not all.
        assert!(allowed.count() >= 2);
    }
}
