//! Sorted runs: rows in order of day, tag and time.

use std::collections::BTreeMap;
use std::ops::Range;

use weir_model::{Samples, TagId, Timestamp};

/// Bits of a tag that one pass of the sort looks at: so many counters fit the fastest cache.
const DIGIT_BITS: u32 = 11;

/// Below so many rows, comparing is faster than counting.
const COUNTED_MIN: usize = 256;

/// Rows that are changed no more.
#[derive(Debug)]
pub(crate) struct Run {
    /// One for each day that has rows, in order.
    parts: Vec<Part>,
}

/// The rows of one day.
#[derive(Debug)]
pub(crate) struct Part {
    /// Days since the epoch.
    pub(crate) day: i32,
    /// In order of tag and time, each once.
    pub(crate) rows: Samples,
}

impl Run {
    /// Sorts samples; of several of one tag and time, the last stays.
    pub(crate) fn sorted(samples: &Samples) -> Self {
        let part = |(day, places)| Part { day, rows: samples.pick(&by_tag(places, samples)) };
        Self { parts: by_day(samples).into_iter().map(part).collect() }
    }

    /// Takes the rows of a tag with `from <= time < to` away.
    pub(crate) fn delete(&mut self, tag: TagId, from: i64, to: i64) {
        let (first, last) = (day_of(from), day_of(to));
        for part in &mut self.parts {
            let gone = part.places(tag, from, to);
            if first <= part.day && part.day <= last && !gone.is_empty() {
                let mut kept = Samples::with_capacity(part.rows.len() - gone.len());
                kept.append_range(&part.rows, 0..gone.start);
                kept.append_range(&part.rows, gone.end..part.rows.len());
                part.rows = kept;
            }
        }
        self.parts.retain(|part| !part.rows.is_empty());
    }

    /// The parts that can have rows with `from <= time < to`.
    pub(crate) fn parts(&self, from: i64, to: i64) -> impl Iterator<Item = &Part> {
        let (first, last) = (day_of(from), day_of(to));
        self.parts.iter().filter(move |part| first <= part.day && part.day <= last)
    }

    /// All parts.
    pub(crate) fn all_parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter()
    }

    /// The part of one day.
    pub(crate) fn part(&self, day: i32) -> Option<&Part> {
        self.parts.binary_search_by_key(&day, |part| part.day).ok().map(|at| &self.parts[at])
    }

    /// The days that have rows.
    pub(crate) fn days(&self) -> impl Iterator<Item = i32> {
        self.parts.iter().map(|part| part.day)
    }
}

impl Part {
    /// Where the rows of a tag with `from <= time < to` are.
    pub(crate) fn places(&self, tag: TagId, from: i64, to: i64) -> Range<usize> {
        let (tags, times) = (self.rows.tags(), self.rows.times());
        let first = tags.partition_point(|other| *other < tag);
        let end = first + tags[first..].partition_point(|other| *other == tag);
        let times = &times[first..end];
        let start = times.partition_point(|time| time.nanos() < from);
        let stop = times.partition_point(|time| time.nanos() < to).max(start);
        first + start..first + stop
    }
}

fn day_of(nanos: i64) -> i32 {
    Timestamp::from_nanos(nanos).day()
}

/// Places by day, in the order they had.
fn by_day(samples: &Samples) -> BTreeMap<i32, Vec<u32>> {
    let times = samples.times();
    let all = 0..times.len() as u32;
    match (times.iter().min(), times.iter().max()) {
        (Some(first), Some(last)) if first.day() == last.day() => {
            BTreeMap::from([(first.day(), all.collect())])
        }
        _ => {
            let mut days: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
            all.for_each(|place| days.entry(times[place as usize].day()).or_default().push(place));
            days
        }
    }
}

/// Places in order of tag and time, of several of one tag and time the last.
fn by_tag(places: Vec<u32>, samples: &Samples) -> Vec<u32> {
    let (tags, times) = (samples.tags(), samples.times());
    let mut places = stable_by_tag(places, tags);
    let (mut kept, mut start) = (0, 0);
    while start < places.len() {
        let tag = tags[places[start] as usize];
        let same = places[start..].iter().take_while(|place| tags[**place as usize] == tag).count();
        let end = start + same;
        let ascending = |pair: &[u32]| times[pair[0] as usize] < times[pair[1] as usize];
        if places[start..end].windows(2).all(ascending) {
            places.copy_within(start..end, kept);
            kept += same;
        } else {
            for place in by_time(places[start..end].to_vec(), times) {
                places[kept] = place;
                kept += 1;
            }
        }
        start = end;
    }
    places.truncate(kept);
    places
}

/// Places in order of time; of several of one time, the one that came last.
pub(crate) fn by_time(mut places: Vec<u32>, times: &[Timestamp]) -> Vec<u32> {
    let time = |place: &u32| times[*place as usize];
    places.sort_by_key(time);
    places.dedup_by(|later, kept| {
        let same = time(later) == time(kept);
        if same {
            *kept = *later;
        }
        same
    });
    places
}

/// Places in order of tag; those of one tag keep their order. A radix sort from the lowest digit:
/// samples come tag after tag a moment, so that comparing would do its worst.
fn stable_by_tag(mut places: Vec<u32>, tags: &[TagId]) -> Vec<u32> {
    let tag = |place: u32| tags[place as usize].0;
    if places.windows(2).all(|pair| tag(pair[0]) <= tag(pair[1])) {
        return places;
    }
    if places.len() < COUNTED_MIN {
        places.sort_by_key(|place| tag(*place));
        return places;
    }
    let bounds = places.iter().fold((u32::MAX, 0), |(least, most), place| {
        (least.min(tag(*place)), most.max(tag(*place)))
    });
    let (least, bits) = (bounds.0, u32::BITS - (bounds.1 - bounds.0).leading_zeros());
    let mut sorted = vec![0; places.len()];
    for shift in (0..bits).step_by(DIGIT_BITS as usize) {
        let digit = |place: u32| ((tag(place) - least) >> shift) as usize & ((1 << DIGIT_BITS) - 1);
        let mut starts = [0u32; 1 << DIGIT_BITS];
        places.iter().for_each(|place| starts[digit(*place)] += 1);
        let mut start = 0;
        for count in &mut starts {
            (*count, start) = (start, start + *count);
        }
        for place in &places {
            let at = &mut starts[digit(*place)];
            sorted[*at as usize] = *place;
            *at += 1;
        }
        std::mem::swap(&mut places, &mut sorted);
    }
    places
}
