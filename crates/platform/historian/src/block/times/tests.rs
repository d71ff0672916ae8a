use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000_000;

/// Milliseconds and nanoseconds.
fn parts(times: &[i64]) -> (Vec<i64>, Vec<u32>) {
    let (mut millis, mut all) = (Vec::new(), Vec::new());
    split(times, &mut millis, |nanos, count| all.extend(std::iter::repeat_n(nanos, count)));
    (millis, all)
}

fn differences(millis: &[i64]) -> Vec<i64> {
    let mut all: Vec<i64> = millis.windows(2).map(|pair| pair[1] - pair[0]).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn a_late_device_leaves_its_delays_only() {
    let times: Vec<i64> =
        (0..500).map(|n| n * SECOND + 40_000_000 + n * 7 % 5 * 1_000_000).collect();
    let (millis, nanos) = parts(&times);
    assert_eq!(differences(&millis), [1000]);
    assert!(nanos.iter().all(|nanos| *nanos <= 4_000_000));
}

#[test]
fn a_long_interval_has_a_rhythm_as_well() {
    let times: Vec<i64> = (0..100).map(|n| n * 10 * SECOND + n * 37 % 90 * 1_000_000).collect();
    let (millis, nanos) = parts(&times);
    assert_eq!(differences(&millis), [10_000]);
    assert!(nanos.iter().all(|nanos| *nanos < 90_000_000));
}

#[test]
fn without_a_rhythm_a_time_has_its_millisecond() {
    let exact: Vec<i64> = (0..100).map(|n| n * 20_000_000 + 123).collect();
    let (millis, nanos) = parts(&exact);
    assert_eq!((millis[3], nanos[3]), (60, 123));
    assert_eq!(differences(&millis), [20]);
    assert_eq!(parts(&[-1, i64::MIN, i64::MAX]).1, [999_999, 224_192, 775_807]);
}

proptest! {
    #[test]
    fn any_times_come_back(
        start in prop_oneof![Just(i64::MIN), Just(0), Just(i64::MAX - (1 << 50)), any::<i32>().prop_map(|s| i64::from(s) * SECOND)],
        interval in prop_oneof![Just(SECOND), Just(10 * SECOND), Just(60 * SECOND), 1i64..1 << 36],
        late in vec(0i64..5_000_000_000, 1..200),
    ) {
        let mut times: Vec<i64> = (0..).zip(&late)
            .map(|(n, late)| start.saturating_add(n * interval + late % interval))
            .collect();
        times.sort_unstable();
        let (millis, nanos) = parts(&times);
        for (index, time) in times.iter().enumerate() {
            let back = i128::from(millis[index]) * 1_000_000 + i128::from(nanos[index]);
            prop_assert_eq!(back, i128::from(*time));
        }
    }
}
