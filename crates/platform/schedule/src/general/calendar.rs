//! When work that begins at a moment is done.

use crate::problem::Calendar;

/// Windows that are looked at for one operation: thirty years of three shifts, so that one without an end is noticed.
const WINDOWS_MAX: usize = 40_000;

/// The first open window that ends after `time`, cut to begin there at the earliest.
fn window(calendar: &Calendar, time: i64) -> Option<(i64, i64)> {
    let mut time = time;
    for _ in 0..WINDOWS_MAX {
        let (from, to) = base(calendar, time)?;
        let closed = &calendar.closed;
        let next = closed.partition_point(|span| span[1] <= from);
        match closed.get(next) {
            Some(span) if span[0] <= from => time = span[1],
            Some(span) => return Some((from, to.min(span[0]))),
            None => return Some((from, to)),
        }
    }
    None
}

/// The window of the open spans alone.
fn base(calendar: &Calendar, time: i64) -> Option<(i64, i64)> {
    if calendar.open.is_empty() {
        return Some((time, i64::MAX));
    }
    let period = calendar.period.unwrap_or(0);
    let origin = if period > 0 { time.div_euclid(period) * period } else { 0 };
    let next = calendar.open.partition_point(|span| span[1] <= time - origin);
    let (span, origin) = match calendar.open.get(next) {
        Some(span) => (span, origin),
        None if period > 0 => (&calendar.open[0], origin + period),
        None => return None,
    };
    Some((time.max(span[0] + origin), span[1] + origin))
}

/// Start and end of work that takes `duration` and may start at `time` at the earliest, when all calendars must be open;
/// `None` when they are not open for so long.
pub(super) fn span(
    calendars: &[&Calendar],
    time: i64,
    duration: i64,
    interruptible: bool,
) -> Option<(i64, i64)> {
    if calendars.is_empty() {
        return Some((time, time + duration));
    }
    let mut at = time;
    let mut begun: Option<(i64, i64)> = None;
    let mut left = duration;
    for _ in 0..WINDOWS_MAX {
        let (mut from, mut to) = (at, i64::MAX);
        for calendar in calendars {
            let (opens, closes) = window(calendar, from)?;
            from = from.max(opens);
            to = to.min(closes);
        }
        if from >= to
            || calendars
                .iter()
                .any(|calendar| window(calendar, from).is_none_or(|one| one.0 > from))
        {
            at = from.max(at);
            if from >= to {
                at = from;
            }
            continue;
        }
        if begun.is_some_and(|(_, until)| until < from) && !interruptible {
            begun = None;
            left = duration;
        }
        let start = begun.map_or(from, |begun| begun.0);
        if left <= to - from {
            return Some((start, from + left));
        }
        left -= to - from;
        begun = Some((start, to));
        at = to;
    }
    None
}
