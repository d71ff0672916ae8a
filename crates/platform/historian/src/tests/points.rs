//! The points that benches measure with: the same in every run, and as they say they are.

#[path = "../../examples/bench_historian/plant.rs"]
mod plant;
#[path = "../../examples/bench_historian/set.rs"]
mod set;

use std::collections::{BTreeMap, BTreeSet};

use weir_model::{Sample, TagId, Value};

use plant::{CLASSES, SECOND, START, mix};
use set::{BATCH, Set};

const SET: Set = Set { tags: 500, moments: 100 };

/// FNV-1a over all that a point is.
fn digest(points: impl Iterator<Item = (TagId, Sample)>) -> u64 {
    let mut digest = 0xcbf2_9ce4_8422_2325u64;
    for (tag, sample) in points {
        let text = format!("{} {} {:?}", tag.0, sample.time.nanos(), sample.quality.code());
        let value = match &sample.value {
            Some(Value::F64(x)) => x.to_bits().to_string(),
            value => format!("{value:?}"),
        };
        for byte in text.bytes().chain(value.bytes()) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    digest
}

#[test]
fn the_points_are_the_same_in_every_run_and_on_every_machine() {
    assert_eq!(digest(SET.batches().flatten()), 0x3362_453f_51d6_a672);
    assert!(SET.batches().take(4).all(|batch| batch.len() == BATCH));
}

#[test]
fn one_in_a_hundred_is_late_and_none_is_there_twice() {
    let (mut late, mut count, mut newest) = (0, 0, i64::MIN);
    let mut seen = BTreeSet::new();
    for (tag, sample) in SET.batches().flatten() {
        let moment = (sample.time.nanos() - START) / SECOND;
        (newest, count) = (newest.max(moment), count + 1);
        late += u64::from(moment < newest);
        assert!(seen.insert((tag, sample.time)), "{tag:?} {:?}", sample.time);
    }
    let share = f64::from(late as u32) / f64::from(count);
    // Those that are still under way at the end do not count.
    assert!((0.004..0.011).contains(&share), "{share}");
}

#[test]
fn the_mix_has_the_classes_of_a_factory() {
    let mut shares = BTreeMap::new();
    for class in mix(1000) {
        *shares.entry(format!("{class:?}")).or_insert(0) += 1;
    }
    for (class, percent) in CLASSES {
        assert_eq!(shares[&format!("{class:?}")], percent * 10, "{class:?}");
    }
}

#[test]
fn what_is_asked_of_the_set_is_there() {
    let mut newest = BTreeMap::new();
    for (tag, sample) in SET.batches().flatten() {
        let entry = newest.entry(tag).or_insert_with(|| sample.clone());
        if sample.time > entry.time {
            *entry = sample;
        }
    }
    let (from, to) = SET.span();
    assert!(newest.values().all(|sample| (from..to).contains(&sample.time.nanos())));
    assert_eq!(newest.values().filter(|sample| sample.value.is_none()).count(), 0);
    let numbers = |tag: TagId| newest[&tag].value.as_ref().and_then(Value::as_f64).is_some();
    assert!(numbers(SET.one()) && SET.ten().into_iter().all(numbers));
    let (from, to) = Set { moments: 10_000, ..SET }.hour();
    assert_eq!((to - from, (from - START) / SECOND), (3600 * SECOND, 3200));
    assert_eq!(Set { tags: 2000, moments: 10_000 }.few_above(), 15_970.0);
    assert_eq!(Set::HALF_ABOVE, 50.0);
}
