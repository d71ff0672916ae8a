use proptest::collection::btree_map;
use proptest::prelude::*;
use weir_model::Value;

use super::*;

const MINUTE: i64 = 60_000_000_000;

fn row((tag, time): (u32, i64), (value, bad): (i64, bool)) -> Row {
    let quality = if bad { 0x8000_0000 } else { 0 };
    Row { time, position: 1, tag, quality, value: Some(Value::I64(value)) }
}

fn thinned(rows: &[Row], keep: Keep) -> Vec<Row> {
    let mut thinner = Thinner::new(keep).unwrap();
    let mut kept: Vec<Row> = rows.iter().flat_map(|row| thinner.push(row.clone())).collect();
    kept.extend(thinner.finish());
    kept
}

#[test]
fn everything_and_nothing_are_not_thinned() {
    assert!(Thinner::new(Keep::All).is_none());
    assert!(Thinner::new(Keep::Nothing).is_none());
}

#[test]
fn of_a_minute_the_extremes_and_a_gap_stay() {
    let rows: Vec<Row> =
        (0..60).map(|s| row((7, s * MINUTE / 60), ((s * 7) % 60, s == 30))).collect();
    let kept = thinned(&rows, Keep::Minute);
    let seconds: Vec<i64> = kept.iter().map(|row| row.time / (MINUTE / 60)).collect();
    // 0 is the first and lowest, 17 has 59, 30 is bad, 59 the last.
    assert_eq!(seconds, [0, 17, 30, 59]);
}

proptest! {
    #[test]
    fn what_stays_are_rows_with_the_same_extremes_and_stays_again(
        rows in btree_map((0..3u32, -4 * MINUTE..4 * MINUTE), (0..50i64, any::<bool>()), 0..200),
    ) {
        let rows: Vec<Row> = rows.into_iter().map(|(key, value)| row(key, value)).collect();
        let kept = thinned(&rows, Keep::Minute);
        prop_assert!(kept.is_sorted_by(|a, b| a.key() < b.key()));
        prop_assert!(kept.iter().all(|row| rows.contains(row)));
        prop_assert_eq!(&thinned(&kept, Keep::Minute), &kept);
        let extremes = |rows: &[Row]| {
            let mut found = std::collections::BTreeMap::new();
            for row in rows.iter().filter(|row| !row.is_bad()) {
                let value = row.value.as_ref().and_then(Value::as_f64).unwrap();
                let place = (row.tag, row.time.div_euclid(MINUTE));
                let (low, high) = found.entry(place).or_insert((value, value));
                (*low, *high) = (f64::min(*low, value), f64::max(*high, value));
            }
            found
        };
        prop_assert_eq!(extremes(&kept), extremes(&rows));
    }

    #[test]
    fn of_texts_the_changes_stay_however_often_they_are_thinned(
        values in proptest::collection::vec((0..3u8, any::<bool>()), 1..40),
    ) {
        let text = |value: &u8| Some(Value::text(&value.to_string()).unwrap());
        let rows = values.iter().zip(0..).map(|((value, bad), second)| {
            Row { value: text(value), ..row((1, second), (0, *bad)) }
        });
        let rows: Vec<Row> = rows.collect();
        let once = thinned(&rows, Keep::Minute);
        let twice = thinned(&once, Keep::Minute);
        let change = rows.iter().find(|row| row.value != rows[0].value);
        let changed = |rows: &[Row]| {
            let pair = rows.windows(2).rev().find(|pair| pair[0].value != pair[1].value);
            pair.map(|pair| pair[1].clone())
        };
        prop_assert_eq!(&twice, &once);
        for kept in [&once, &twice] {
            prop_assert_eq!(kept.first(), rows.first());
            prop_assert_eq!(kept.last(), rows.last());
            prop_assert_eq!(kept.iter().find(|row| row.value != rows[0].value), change);
            prop_assert_eq!(changed(kept), changed(&rows));
        }
    }
}
