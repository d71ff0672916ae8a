//! A time in two columns: milliseconds, which other engines read as a timestamp, and nanoseconds
//! after them.
//!
//! `time` need not be the last millisecond before a sample. A device that is read every second some
//! milliseconds late gets the seconds as `time`, whose differences are all alike, and the delay as
//! `nanos`: what is stored is the delay alone.

const MILLISECOND: i64 = 1_000_000;

/// Intervals that a rhythm is looked for among, in milliseconds: what people set cycles to are
/// multiples of one of these.
const ROUND: [i64; 9] = [60_000, 10_000, 1000, 500, 250, 100, 50, 10, 5];

/// Times below which no rhythm is looked for.
const RHYTHM_ROWS_MIN: usize = 64;

/// Times looked at to find a rhythm.
const SAMPLES: usize = 64;

/// Appends each time's milliseconds, and gives runs of what is to be added in nanoseconds.
pub(crate) fn split(times: &[i64], millis: &mut Vec<i64>, mut nanos: impl FnMut(u32, usize)) {
    let Some((interval, phase)) = rhythm(times) else {
        millis.extend(times.iter().map(|time| {
            nanos(time.rem_euclid(MILLISECOND) as u32, 1);
            time.div_euclid(MILLISECOND)
        }));
        return;
    };
    let mut start = phase;
    millis.extend(times.iter().map(|time| {
        // Mostly the next interval: then there is nothing to divide.
        if !(0..interval).contains(&(time - start)) {
            start += interval;
        }
        if !(0..interval).contains(&(time - start)) {
            start = time - (time - phase).rem_euclid(interval);
        }
        nanos((time - start) as u32, 1);
        start.div_euclid(MILLISECOND)
    }));
}

/// The interval and phase, in nanoseconds and whole milliseconds, of times that keep to them within
/// a quarter of the interval; none where that brings nothing.
fn rhythm(times: &[i64]) -> Option<(i64, i64)> {
    // Far from the ends of the range, so that no sum below leaves it.
    let far = |time: &i64| time.unsigned_abs() > 1 << 62;
    if times.len() < RHYTHM_ROWS_MIN
        || times.first().is_some_and(far)
        || times.last().is_some_and(far)
    {
        return None;
    }
    let step = (times.len() / SAMPLES).max(1);
    let pairs = times.windows(2).step_by(step);
    let mut intervals: Vec<i64> = pairs.map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    let first = intervals.first().copied()?;
    if intervals.iter().all(|interval| *interval == first) && first % MILLISECOND == 0 {
        return None;
    }
    let middle = intervals.len() / 2;
    let median = *intervals.select_nth_unstable(middle).1;
    // A quarter of the interval in nanoseconds has to fit the column.
    if !(2 * MILLISECOND..=16_000 * MILLISECOND).contains(&median) {
        return None;
    }
    let samples: Vec<i64> = times.iter().copied().step_by(step).collect();
    ROUND.iter().find_map(|round| {
        let unit = round * MILLISECOND;
        let interval = (median + unit / 2) / unit * unit;
        let near = interval > 0 && (interval - median).abs() * 8 <= median;
        let phase = near.then(|| phase(&samples, interval))??;
        // What is after the beginning of a long interval may not fit the column.
        let after = |time: &i64| (time - phase).rem_euclid(interval);
        let fits = u32::try_from(interval).is_ok()
            || times.iter().all(|time| u32::try_from(after(time)).is_ok());
        fits.then_some((interval, phase))
    })
}

/// Where in the interval times begin that lie within a quarter of it.
fn phase(samples: &[i64], interval: i64) -> Option<i64> {
    let mut places: Vec<i64> = samples.iter().map(|time| time.rem_euclid(interval)).collect();
    places.sort_unstable();
    let last = places.last().copied()?;
    // The widest stretch without a time, around the end of the interval as well.
    let around = (places[0] + interval - last, places[0]);
    let gaps = places.windows(2).map(|pair| (pair[1] - pair[0], pair[1]));
    let (gap, begin) = gaps.chain([around]).max()?;
    (gap >= interval / 4 * 3).then_some(begin / MILLISECOND * MILLISECOND)
}

#[cfg(test)]
mod tests;
