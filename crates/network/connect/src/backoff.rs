//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential back-off with full jitter and a cap.
///
/// The wait before attempt `n` is drawn evenly from `floor..=min(cap, base * 2^n)`. Full jitter
/// spreads a thousand devices behind one failed switch instead of letting them knock together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Never wait less, so that an attempt that fails at once does not spin.
    pub floor: Duration,
    /// The upper end of the first wait.
    pub base: Duration,
    /// The upper end of every wait.
    pub cap: Duration,
    /// A connection that lasted this long starts the count anew. One that dies sooner does not,
    /// so that a device that accepts and hangs up is not hammered.
    pub stable_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            floor: Duration::from_millis(50),
            base: Duration::from_millis(250),
            cap: Duration::from_secs(30),
            stable_after: Duration::from_secs(10),
        }
    }
}

impl Backoff {
    /// The wait before an attempt; `failures` counts the failed ones in a row (1 after the first),
    /// `random` is evenly spread over all of `u64`.
    pub fn wait(&self, failures: u32, random: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.cap).max(self.floor);
        let span = (ceiling - self.floor).as_nanos();
        let drawn = (span * u128::from(random)) >> 64;
        self.floor + Duration::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX))
    }

    /// [`Backoff::wait`] with a number from the system. Without one, the longest wait is safe.
    pub(crate) fn draw(&self, failures: u32) -> Duration {
        self.wait(failures, getrandom::u64().unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_cap_and_is_spread_over_all_of_it() {
        let backoff = Backoff::default();
        assert_eq!(backoff.wait(1, 0), Duration::from_millis(50));
        let longest = |n| backoff.wait(n, u64::MAX).as_millis();
        assert_eq!([longest(1), longest(2), longest(3)], [249, 499, 999]);
        assert_eq!(longest(30), 29_999);
        assert_eq!(longest(u32::MAX), 29_999);
        assert_eq!(backoff.wait(40, 1 << 63).as_millis(), 15_025);
    }
}
