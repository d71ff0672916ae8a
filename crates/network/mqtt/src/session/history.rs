//! What the broker kept while we were away.

use weir_connect::Reading;
use weir_model::Timestamp;

/// A sample this much older than its arrival had waited somewhere.
const LATE_NS: i64 = 60_000_000_000;

/// After a pause of this length between two messages, what had waited has come. It is longer than our own
/// acknowledgements, for which a broker waits, ever take.
const PAUSE_NS: i64 = 5_000_000_000;

/// However long the queue, after this it counts as the present: a source whose clock is slow must not be taken
/// for history for ever.
const LENGTH_NS: i64 = 600_000_000_000;

/// The time after a connection in which the broker sends what it kept. Only then can a late sample be told
/// from one of a slow clock.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    lasts: bool,
    begun: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl CatchUp {
    pub(super) fn begin(resumed: bool) -> Self {
        Self { lasts: resumed, begun: None, last: None }
    }

    /// Whether the readings of a message are history.
    pub(super) fn is_late(&mut self, arrived: Timestamp, readings: &[Reading]) -> bool {
        if !self.lasts {
            return false;
        }
        let begun = *self.begun.get_or_insert(arrived);
        let last = self.last.replace(arrived).unwrap_or(arrived);
        let passed = |since: Timestamp| arrived.nanos().saturating_sub(since.nanos());
        if passed(last) > PAUSE_NS || passed(begun) > LENGTH_NS {
            self.lasts = false;
            return false;
        }
        readings.iter().any(|reading| passed(reading.time) > LATE_NS)
    }
}

#[cfg(test)]
mod tests {
    use weir_model::Value;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn reading(seconds: i64) -> [Reading; 1] {
        [Reading::good(0, at(seconds), Value::I64(1))]
    }

    #[test]
    fn what_waited_is_history_until_a_pause() {
        let mut catch_up = CatchUp::begin(true);
        assert!(catch_up.is_late(at(1000), &reading(900)));
        assert!(!catch_up.is_late(at(1000), &reading(990)));
        assert!(catch_up.is_late(at(1004), &reading(930)));
        assert!(!catch_up.is_late(at(1010), &reading(900)));
        assert!(!catch_up.is_late(at(1011), &reading(900)));
    }

    #[test]
    fn a_slow_clock_is_not_history_for_ever() {
        let mut catch_up = CatchUp::begin(true);
        let late = (0..700).filter(|second| catch_up.is_late(at(5000 + second), &reading(1000)));
        assert_eq!(late.count(), 601);
        assert!(!CatchUp::begin(false).is_late(at(1000), &reading(0)));
    }
}
