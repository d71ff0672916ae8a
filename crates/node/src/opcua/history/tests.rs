use std::cell::Cell;
use std::collections::BTreeSet;

use weir_model::Value;

use super::*;

fn sample(nanos: i64) -> Sample {
    Sample::good(Timestamp::from_nanos(nanos), Value::I64(nanos))
}

/// Reads backwards out of these times; `heavy` samples together are too large for one answer.
async fn backwards(
    times: &BTreeSet<i64>,
    (from, to): (i64, i64),
    max: usize,
    heavy: usize,
) -> (Vec<i64>, usize) {
    let reads = Cell::new(0);
    let read = |from: Timestamp, to: Timestamp, limit: usize| {
        reads.set(reads.get() + 1);
        let found: Vec<Sample> =
            times.range(from.nanos()..=to.nanos()).take(limit).map(|n| sample(*n)).collect();
        std::future::ready(Ok((found.len() < heavy).then_some(found)))
    };
    let span = Span {
        from: Timestamp::from_nanos(from),
        to: Timestamp::from_nanos(to),
        newest_first: true,
    };
    let found = newest_first(read, span, max).await.unwrap();
    (found.into_iter().map(|sample| sample.time.nanos()).collect(), reads.get())
}

fn expected(times: &BTreeSet<i64>, (from, to): (i64, i64), max: usize) -> Vec<i64> {
    let inside = |time: &&i64| (from..=to).contains(*time);
    times.iter().rev().filter(inside).take(max).copied().collect()
}

#[tokio::test]
async fn dense_and_sparse_times_are_read_backwards_in_few_steps() {
    let second = 1_000_000_000;
    // A kilohertz for ten seconds, once a day before that, and something very old.
    let mut times: BTreeSet<i64> = (0..10_000).map(|n| n * 1_000_000).collect();
    times.extend((1..100).map(|day| -day * 86_400 * second));
    times.extend([i64::MIN, -5_000_000_000 * second]);
    let all = (i64::MIN, i64::MAX);
    for (span, max) in [
        (all, 1),
        (all, 500),
        (all, 9_999),
        (all, 10_050),
        (all, 100_000),
        ((-3 * 86_400 * second, second / 2), 10_000),
        ((3, 2), 10),
        ((0, 0), 10),
        ((i64::MIN, i64::MIN), 10),
    ] {
        for heavy in [usize::MAX, 200] {
            let (found, reads) = backwards(&times, span, max, heavy).await;
            assert_eq!(found, expected(&times, span, max), "{span:?} {max} {heavy}");
            assert!(reads < 400, "{reads} reads for {span:?} {max} {heavy}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn whatever_the_times_are(
        times in proptest::collection::btree_set(-5_000..5_000_i64, 0..3_000),
        scale in 1..200_000_000_i64,
        from in -6_000..6_000_i64,
        to in -6_000..6_000_i64,
        max in 1..3_000_usize,
        heavy in 2..5_000_usize,
    ) {
        let times: BTreeSet<i64> = times.into_iter().map(|n| n * scale).collect();
        let span = (from * scale, to * scale);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (found, _) = runtime.block_on(backwards(&times, span, max, heavy));
        proptest::prop_assert_eq!(found, expected(&times, span, max));
    }
}
