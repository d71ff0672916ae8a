//! Working time between two moments, from calendars as they are written.

use crate::problem::Calendar;

/// Boundaries of one calendar within a span that are looked at; a plan of a hundred years of three shifts has fewer.
const BOUNDARIES_MAX: i64 = 1_000_000;

/// Whether a calendar is open in the unit of time that begins at `time`.
fn is_open(calendar: &Calendar, time: i64) -> bool {
    let within = |spans: &[[i64; 2]], time: i64| {
        let next = spans.partition_point(|span| span[0] <= time);
        next > 0 && time < spans[next - 1][1]
    };
    let local = calendar.period.map_or(time, |period| time.rem_euclid(period));
    (calendar.open.is_empty() || within(&calendar.open, local)) && !within(&calendar.closed, time)
}

/// Moments strictly within the span at which the calendar may open or close.
fn boundaries(calendar: &Calendar, start: i64, end: i64, into: &mut Vec<i64>) {
    let inside = |time: &i64| *time > start && *time < end;
    into.extend(calendar.closed.iter().flatten().copied().filter(inside));
    match calendar.period {
        None => into.extend(calendar.open.iter().flatten().copied().filter(inside)),
        Some(period) => {
            let first = start.div_euclid(period);
            let last = end
                .div_euclid(period)
                .min(first.saturating_add(BOUNDARIES_MAX / (1 + calendar.open.len() as i64)));
            for round in first..=last {
                into.extend(
                    calendar.open.iter().flatten().map(|time| round * period + time).filter(inside),
                );
            }
        }
    }
}

/// How long all calendars are open together between two moments, and whether they are in the first and in the last unit.
pub(super) fn between(calendars: &[&Calendar], start: i64, end: i64) -> (i64, bool, bool) {
    let open = |time: i64| calendars.iter().all(|calendar| is_open(calendar, time));
    if end <= start {
        return (0, open(start), open(start));
    }
    let mut cuts = vec![start, end];
    for calendar in calendars {
        boundaries(calendar, start, end, &mut cuts);
    }
    cuts.sort_unstable();
    let total = cuts.windows(2).filter(|cut| open(cut[0])).map(|cut| cut[1] - cut[0]).sum();
    (total, open(start), open(end - 1))
}
