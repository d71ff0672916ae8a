//! Points that the server does not watch are read at their interval.

use std::time::Duration;

use tokio::time::Instant;
use weir_connect::Collected;

use super::OpcUaSession;
use crate::status::Failure;

/// Fastest interval, for points that are sampled as fast as the server can.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// Points of one interval.
#[derive(Debug)]
struct Group {
    interval: Duration,
    next: Instant,
    points: Vec<usize>,
    /// How many of them were read in this round.
    cursor: usize,
}

/// Points that are read, by their interval.
#[derive(Debug, Default)]
pub(super) struct Polls {
    groups: Vec<Group>,
}

impl Polls {
    pub(super) fn add(&mut self, point: usize, interval: Duration, now: Instant) {
        let interval = interval.max(INTERVAL_MIN);
        match self.groups.iter_mut().find(|group| group.interval == interval) {
            Some(group) => group.points.push(point),
            None => self.groups.push(Group { interval, next: now, points: vec![point], cursor: 0 }),
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.groups.iter().map(|group| group.next).min()
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next().is_some_and(|next| next <= now)
    }

    /// The next points to read, of the group that has waited for longest.
    fn take(&mut self, now: Instant, count_max: usize) -> Option<(usize, Vec<usize>)> {
        let due = self.groups.iter().enumerate().filter(|(_, group)| group.next <= now);
        let (index, _) = due.min_by_key(|(_, group)| group.next)?;
        let group = self.groups.get(index)?;
        let points =
            group.points.iter().skip(group.cursor).take(count_max.max(1)).copied().collect();
        Some((index, points))
    }

    /// Takes note that points of a group were read; says how many rounds were skipped.
    fn done(&mut self, index: usize, count: usize, now: Instant) -> u32 {
        let Some(group) = self.groups.get_mut(index) else { return 0 };
        group.cursor += count;
        if group.cursor < group.points.len() {
            return 0;
        }
        group.cursor = 0;
        group.next += group.interval;
        let behind = now.saturating_duration_since(group.next);
        let missed = behind.as_nanos() / group.interval.as_nanos().max(1);
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        group.next += group.interval.saturating_mul(missed);
        if group.next < now {
            group.next += group.interval;
        }
        missed
    }
}

impl OpcUaSession {
    /// Reads the next points that are due, in one request.
    pub(super) async fn poll(&mut self) -> Result<Collected, Failure> {
        let started = Instant::now();
        let Some((group, indexes)) = self.polls.take(started, self.link.limits.read) else {
            return Ok(self.collected(Vec::new()));
        };
        let values = self.read_now(&indexes).await?;
        let (now, arrival) = (Instant::now(), self.clock.now());
        let missed = self.polls.done(group, indexes.len(), now);
        let readings =
            values.iter().map(|(index, value)| self.live(*index, value, arrival)).collect();
        Ok(Collected { missed, latency: now - started, ..self.collected(readings) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_stay_on_their_grid_and_are_skipped_when_late() {
        let (mut polls, start) = (Polls::default(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        for point in 0..3 {
            polls.add(point, Duration::from_millis(100), start);
        }
        polls.add(9, Duration::from_millis(250), start);
        assert_eq!(polls.take(start, 2), Some((0, vec![0, 1])));
        assert_eq!(polls.done(0, 2, at(1)), 0);
        assert_eq!(polls.take(at(1), 2), Some((0, vec![2])));
        assert_eq!(polls.done(0, 1, at(2)), 0);
        assert_eq!(polls.take(at(2), 2), Some((1, vec![9])));
        assert_eq!(polls.done(1, 1, at(3)), 0);
        assert_eq!(polls.next(), Some(at(100)));
        assert!(polls.take(at(99), 2).is_none());
        assert_eq!(polls.take(at(100), 9), Some((0, vec![0, 1, 2])));
        assert_eq!(polls.done(0, 3, at(430)), 2, "those of 200 and 300 were skipped");
        assert_eq!(polls.take(at(430), 9), Some((1, vec![9])));
        assert_eq!(polls.done(1, 1, at(431)), 0);
        assert_eq!(polls.next(), Some(at(500)));
    }
}
